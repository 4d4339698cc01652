//! How many instances a component makes of what is in it, counted without making any.
//!
//! A component may make two of one that makes two of another: thirty such levels fit a kilobyte, and the compiler would
//! lay out a thousand million instances one by one. So each `instantiate` is followed here as the compiler would follow
//! it, and nothing but counted.

use std::collections::BTreeMap;

use wasmparser::{
    BinaryReaderError, ComponentAlias, ComponentExport, ComponentExternalKind, ComponentImport, ComponentInstance,
    ComponentOuterAliasKind, ComponentTypeRef, Encoding, FromReader, Instance, Parser, Payload, SectionLimited,
};

use super::Refused;

/// 1,000 instances of modules and components together: Python with its libraries makes 16.
const INSTANCES_MAX: usize = 1_000;

/// 100,000 imports, exports, aliases and instances of components, in the file and as they are followed one by one.
const STEPS_MAX: usize = 100_000;

/// Checks a component; a core module makes no instances.
pub(super) fn check(bytes: &[u8]) -> Result<(), Refused> {
    let mut count = Count { definitions: Reader::read(bytes)?, ..Count::default() };
    let Some(_) = count.instantiate(0, None, Exports::new()) else {
        let message = format!("it makes more than {INSTANCES_MAX} instances of what is in it");
        return Err(Refused::Bulk { message });
    };
    Ok(())
}

/// What of a component's sections decides which instances it makes.
enum Step<'a> {
    /// A component inside it, by its place among the definitions.
    Define(usize),
    Import(Kind, &'a str),
    Instantiate(u32, Named<'a>),
    /// An instance that is only a list of what is there.
    Gather(Named<'a>),
    AliasExport(Kind, u32, &'a str),
    AliasOuter {
        count: u32,
        index: u32,
    },
    Export(Kind, u32, &'a str),
    CoreInstance,
}

/// Names of components and instances, with their indices.
type Named<'a> = Vec<(&'a str, Kind, u32)>;

#[derive(Clone, Copy)]
enum Kind {
    Component,
    Instance,
}

/// Something that has an index in a component.
#[derive(Clone, Copy)]
enum Value {
    /// A definition, and the frame that it stands in.
    Component { definition: usize, frame: usize },
    /// By its place among the instances.
    Instance(usize),
    /// It comes from outside, or from nowhere: whoever compiles it will say so.
    Unknown,
}

type Exports<'a> = BTreeMap<&'a str, Value>;

/// A component that is being instantiated.
#[derive(Default)]
struct Frame {
    outer: Option<usize>,
    components: Vec<Value>,
    instances: Vec<Value>,
}

#[derive(Default)]
struct Count<'a> {
    definitions: Vec<Vec<Step<'a>>>,
    frames: Vec<Frame>,
    instances: Vec<Exports<'a>>,
    made: usize,
    steps: usize,
}

impl<'a> Count<'a> {
    /// Follows one component, and returns what it exports; none when there is more than is followed.
    fn instantiate(&mut self, definition: usize, outer: Option<usize>, arguments: Exports<'a>) -> Option<Exports<'a>> {
        let here = self.frames.len();
        self.frames.push(Frame { outer, ..Frame::default() });
        let mut exports = Exports::new();
        // Taken out, so that what is followed from here may change everything else. It cannot contain itself.
        let steps = std::mem::take(&mut self.definitions[definition]);
        let mut all = Some(());
        for step in &steps {
            all = self.step(step, here, &arguments, &mut exports);
            if all.is_none() {
                break;
            }
        }
        self.definitions[definition] = steps;
        all.map(|()| exports)
    }

    fn step(&mut self, step: &Step<'a>, here: usize, arguments: &Exports<'a>, exports: &mut Exports<'a>) -> Option<()> {
        self.steps += step.width();
        if self.steps > STEPS_MAX {
            return None;
        }
        match step {
            Step::Define(definition) => {
                self.add(here, Kind::Component, Value::Component { definition: *definition, frame: here });
            }
            Step::Import(kind, name) => {
                self.add(here, *kind, arguments.get(name).copied().unwrap_or(Value::Unknown));
            }
            Step::Instantiate(index, arguments) => {
                self.count()?;
                let arguments = self.named(here, arguments);
                let made = match self.find(here, Kind::Component, *index) {
                    Value::Component { definition, frame } => self.instantiate(definition, Some(frame), arguments)?,
                    Value::Instance(_) | Value::Unknown => Exports::new(),
                };
                self.add_instance(here, made);
            }
            Step::Gather(named) => {
                let gathered = self.named(here, named);
                self.add_instance(here, gathered);
            }
            Step::AliasExport(kind, instance, name) => {
                let found = match self.find(here, Kind::Instance, *instance) {
                    Value::Instance(at) => self.instances[at].get(name).copied().unwrap_or(Value::Unknown),
                    Value::Component { .. } | Value::Unknown => Value::Unknown,
                };
                self.add(here, *kind, found);
            }
            Step::AliasOuter { count, index } => {
                let frame = (0..*count).try_fold(here, |frame, _| self.frames[frame].outer);
                let found = frame.map_or(Value::Unknown, |frame| self.find(frame, Kind::Component, *index));
                self.add(here, Kind::Component, found);
            }
            Step::Export(kind, index, name) => {
                let found = self.find(here, *kind, *index);
                exports.insert(name, found);
                // An export has an index of its own.
                self.add(here, *kind, found);
            }
            Step::CoreInstance => self.count()?,
        }
        Some(())
    }

    fn count(&mut self) -> Option<()> {
        self.made += 1;
        (self.made <= INSTANCES_MAX).then_some(())
    }

    fn add(&mut self, frame: usize, kind: Kind, value: Value) {
        let frame = &mut self.frames[frame];
        match kind {
            Kind::Component => frame.components.push(value),
            Kind::Instance => frame.instances.push(value),
        }
    }

    fn add_instance(&mut self, frame: usize, exports: Exports<'a>) {
        self.instances.push(exports);
        self.add(frame, Kind::Instance, Value::Instance(self.instances.len() - 1));
    }

    fn find(&self, frame: usize, kind: Kind, index: u32) -> Value {
        let frame = &self.frames[frame];
        let values = match kind {
            Kind::Component => &frame.components,
            Kind::Instance => &frame.instances,
        };
        values.get(index as usize).copied().unwrap_or(Value::Unknown)
    }

    fn named(&self, frame: usize, named: &Named<'a>) -> Exports<'a> {
        named.iter().map(|(name, kind, index)| (*name, self.find(frame, *kind, *index))).collect()
    }
}

/// Reads the steps of every component in the file, the outermost first.
#[derive(Default)]
struct Reader<'a> {
    definitions: Vec<Vec<Step<'a>>>,
    /// The component or module in hand and those around it; a module has no steps.
    open: Vec<Option<usize>>,
    /// Steps and the names that they hand on, so far.
    read: usize,
}

impl<'a> Reader<'a> {
    fn read(bytes: &'a [u8]) -> Result<Vec<Vec<Step<'a>>>, Refused> {
        let mut reader = Self { definitions: vec![Vec::new()], ..Self::default() };
        for payload in Parser::new(0).parse_all(bytes) {
            reader.add(payload.map_err(malformed)?)?;
        }
        Ok(reader.definitions)
    }

    fn add(&mut self, payload: Payload<'a>) -> Result<(), Refused> {
        if let Payload::Version { encoding: Encoding::Module, .. } = payload {
            self.open.push(None);
        } else if let Payload::Version { .. } = payload {
            let definition = self.begin();
            self.open.push(Some(definition));
        } else if let Payload::End(_) = payload {
            self.open.pop();
        } else if let Payload::ComponentImportSection(section) = payload {
            return self.each(section, |import: ComponentImport<'a>| {
                let kind = match import.ty {
                    ComponentTypeRef::Component(_) => Some(Kind::Component),
                    ComponentTypeRef::Instance(_) => Some(Kind::Instance),
                    _ => None,
                };
                kind.map(|kind| Step::Import(kind, import.name.name))
            });
        } else if let Payload::ComponentInstanceSection(section) = payload {
            return self.each(section, |instance| Some(of_instance(instance)));
        } else if let Payload::ComponentAliasSection(section) = payload {
            return self.each(section, of_alias);
        } else if let Payload::ComponentExportSection(section) = payload {
            return self.each(section, |export: ComponentExport<'a>| {
                kind(export.kind).map(|kind| Step::Export(kind, export.index, export.name.name))
            });
        } else if let Payload::InstanceSection(section) = payload {
            return self.each(section, |instance| {
                matches!(instance, Instance::Instantiate { .. }).then_some(Step::CoreInstance)
            });
        }
        Ok(())
    }

    /// Begins a component: the file's own, or one inside another.
    fn begin(&mut self) -> usize {
        let Some(Some(outer)) = self.open.last() else { return 0 };
        let definition = self.definitions.len();
        self.definitions[*outer].push(Step::Define(definition));
        self.definitions.push(Vec::new());
        definition
    }

    fn each<T: FromReader<'a>>(
        &mut self,
        section: SectionLimited<'a, T>,
        step: impl Fn(T) -> Option<Step<'a>>,
    ) -> Result<(), Refused> {
        let Some(Some(definition)) = self.open.last() else { return Ok(()) };
        let steps = &mut self.definitions[*definition];
        for item in section {
            if let Some(step) = step(item.map_err(malformed)?) {
                self.read += step.width();
                steps.push(step);
            }
            if self.read > STEPS_MAX {
                let message =
                    format!("its components have more than {STEPS_MAX} imports, exports, aliases and instances");
                return Err(Refused::Bulk { message });
            }
        }
        Ok(())
    }
}

impl Step<'_> {
    fn width(&self) -> usize {
        match self {
            Self::Instantiate(_, named) | Self::Gather(named) => 1 + named.len(),
            Self::Define(_)
            | Self::Import(..)
            | Self::AliasExport(..)
            | Self::AliasOuter { .. }
            | Self::Export(..)
            | Self::CoreInstance => 1,
        }
    }
}

fn of_instance(instance: ComponentInstance<'_>) -> Step<'_> {
    match instance {
        ComponentInstance::Instantiate { component_index, args } => {
            let args = args.iter().filter_map(|arg| Some((arg.name, kind(arg.kind)?, arg.index)));
            Step::Instantiate(component_index, args.collect())
        }
        ComponentInstance::FromExports(exports) => {
            Step::Gather(exports.iter().filter_map(|it| Some((it.name.name, kind(it.kind)?, it.index))).collect())
        }
    }
}

fn of_alias(alias: ComponentAlias<'_>) -> Option<Step<'_>> {
    match alias {
        ComponentAlias::InstanceExport { kind: exported, instance_index, name } => {
            kind(exported).map(|kind| Step::AliasExport(kind, instance_index, name))
        }
        ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
            Some(Step::AliasOuter { count, index })
        }
        ComponentAlias::Outer { .. } | ComponentAlias::CoreInstanceExport { .. } => None,
    }
}

fn kind(kind: ComponentExternalKind) -> Option<Kind> {
    match kind {
        ComponentExternalKind::Component => Some(Kind::Component),
        ComponentExternalKind::Instance => Some(Kind::Instance),
        _ => None,
    }
}

fn malformed(error: BinaryReaderError) -> Refused {
    Refused::Malformed { message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "(component $one (core module $m) (core instance (instantiate $m)))";

    /// The instances of a component with these parts, of components and modules alike.
    fn check(parts: &str, expected: usize) {
        let bytes = wat::parse_str(format!("(component {ONE} {parts})")).unwrap();
        let mut count = Count { definitions: Reader::read(&bytes).unwrap(), ..Count::default() };
        count.instantiate(0, None, Exports::new()).unwrap();
        assert_eq!(count.made, expected, "{parts}");
    }

    #[test]
    fn every_way_to_a_component_is_followed() {
        check("", 0);
        check("(instance (instantiate $one)) (instance (instantiate $one))", 4);
        let given = r#"(component $twice (import "c" (component $c)) (instance (instantiate $c)) (instance (instantiate $c)))
            (instance (instantiate $twice (with "c" (component $one))))"#;
        check(given, 5);
        check(
            "(component $in (alias outer 1 0 (component $c)) (instance (instantiate $c))) (instance (instantiate $in))",
            3,
        );
        let exported = r#"(component $out (component $c (core module $m) (core instance (instantiate $m))) (export "c" (component $c)))
            (instance $i (instantiate $out)) (alias export $i "c" (component $c)) (instance (instantiate $c))"#;
        check(exported, 3);
    }
}
