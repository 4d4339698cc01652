//! What is in a plugin's file, read as it lies there: nothing of it is compiled or run.
//!
//! The file may be anybody's, so every list has an end, every text is cut, and the depth of nesting is limited. What a
//! file says of itself (producers, authors, dependencies) is what its builder wrote into it, and no proof of anything.

mod said;

use std::collections::BTreeMap;

use wasmparser::{BinaryReaderError, CustomSectionReader, Encoding, KnownCustom, Name, Parser, Payload};

use super::{Inspection, Kind, Refused};
use crate::event::Digest;
use said::Said;
pub use said::{Dependency, Producer};

/// Imports, exports, modules, memories and the like that are listed; what is over is counted.
const LISTED_MAX: usize = 1_000;
/// A name is cut behind so many bytes.
const NAME_BYTES_MAX: usize = 256;
/// Compilers nest modules in a component, and composers a few components in each other.
const DEPTH_MAX: usize = 64;
const PAGE_BYTES: u64 = 64 << 10;

/// The parts of a plugin's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    pub is_component: bool,
    pub bytes: u64,
    /// BLAKE3 of the file; an installed core module has that of the component that was made of it.
    pub digest: Digest,
    /// What it is to this host, or why it could not be installed here.
    pub plugin: Result<Inspection, Refused>,
    pub imports: Vec<Import>,
    pub exports: Vec<String>,
    pub modules: Vec<Module>,
    /// Components in it, itself not counted.
    pub components: u64,
    /// Custom sections of all modules and components, by name.
    pub custom_sections: BTreeMap<String, Sections>,
    pub producers: Vec<Producer>,
    /// What its builder wrote into it, by the section's name: `authors`, `licenses`, `source` and others.
    pub about: BTreeMap<String, String>,
    /// What `cargo auditable` wrote into it.
    pub dependencies: Vec<Dependency>,
    /// Things that are in the file and not in the lists above, because these are full.
    pub left_out: u64,
}

/// Something that the host gives a plugin, or does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    pub name: String,
    /// What a plugin gets that calls it.
    pub given: String,
    pub is_offered: bool,
}

/// A core module of a plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Module {
    /// What its name section calls it.
    pub name: Option<String>,
    pub functions: u64,
    pub code_bytes: u64,
    pub data_bytes: u64,
    pub memories: Vec<Extent>,
    /// In elements.
    pub tables: Vec<Extent>,
}

/// How large a memory or table is at first, and may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    pub minimum: u64,
    /// None where the module sets no limit; the host's own holds anyway.
    pub maximum: Option<u64>,
}

/// Custom sections of one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sections {
    pub count: u64,
    pub bytes: u64,
}

/// Reads what is in a file. `plugin` is what it was found to be, or why it is none.
///
/// # Errors
/// If it is no WebAssembly, breaks off, or nests too deep.
pub(super) fn read(bytes: &[u8], plugin: Result<Inspection, Refused>) -> Result<Contents, Refused> {
    let mut walk = Walk::default();
    for payload in Parser::new(0).parse_all(bytes) {
        walk.take(&payload.map_err(malformed)?).map_err(malformed)?;
        if walk.open.len() > DEPTH_MAX {
            let message = format!("modules and components are nested more than {DEPTH_MAX} deep");
            return Err(Refused::Malformed { message });
        }
    }
    let Walk { is_component, imports, exports, modules, components, custom_sections, said, mut left_out, .. } = walk;
    let names = match &plugin {
        // What a core module imports when it is wrapped.
        Ok(inspection) => inspection.imports.clone(),
        Err(_) => imports,
    };
    left_out += said.left_out;
    let imports = names.into_iter().map(|name| import(name, &plugin)).collect();
    let said = said.settled();
    Ok(Contents {
        is_component,
        bytes: bytes.len() as u64,
        digest: Digest::of(bytes),
        plugin,
        imports,
        exports,
        modules,
        components,
        custom_sections,
        producers: said.producers,
        about: said.about,
        dependencies: said.dependencies,
        left_out,
    })
}

fn malformed(error: BinaryReaderError) -> Refused {
    Refused::Malformed { message: error.to_string() }
}

/// What was read so far.
#[derive(Default)]
struct Walk {
    is_component: bool,
    /// What is open, from the outside in: a module's place in `modules`, or a component.
    open: Vec<Open>,
    imports: Vec<String>,
    exports: Vec<String>,
    modules: Vec<Module>,
    components: u64,
    custom_sections: BTreeMap<String, Sections>,
    said: Said,
    left_out: u64,
}

enum Open {
    Component,
    Module(Option<usize>),
}

impl Walk {
    fn take(&mut self, payload: &Payload<'_>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::Version { encoding, .. } => self.begin(*encoding),
            Payload::End(_) => drop(self.open.pop()),
            Payload::CustomSection(section) => self.custom(section),
            Payload::ComponentImportSection(section) if self.open.len() == 1 => {
                for import in section.clone() {
                    let name = import?.name.name;
                    push(&mut self.imports, &mut self.left_out, || cut(name));
                }
            }
            Payload::ComponentExportSection(section) if self.open.len() == 1 => {
                for export in section.clone() {
                    let name = export?.name.name;
                    push(&mut self.exports, &mut self.left_out, || cut(name));
                }
            }
            _ => self.module_section(payload)?,
        }
        Ok(())
    }

    fn begin(&mut self, encoding: Encoding) {
        let is_first = self.open.is_empty();
        match encoding {
            Encoding::Component => {
                self.is_component |= is_first;
                self.components += u64::from(!is_first);
                self.open.push(Open::Component);
            }
            Encoding::Module => {
                let place = (self.modules.len() < LISTED_MAX).then_some(self.modules.len());
                push(&mut self.modules, &mut self.left_out, Module::default);
                self.open.push(Open::Module(place));
            }
        }
    }

    /// The module that is open, if it is one of those that are listed.
    fn module(&mut self) -> Option<&mut Module> {
        let Some(Open::Module(Some(place))) = self.open.last() else { return None };
        self.modules.get_mut(*place)
    }

    fn module_section(&mut self, payload: &Payload<'_>) -> Result<(), BinaryReaderError> {
        let is_outermost = self.open.len() == 1;
        let (mut imports, mut exports, mut left_out) = (Vec::new(), Vec::new(), 0);
        let Some(module) = self.module() else { return Ok(()) };
        match payload {
            Payload::FunctionSection(section) => module.functions += u64::from(section.count()),
            Payload::CodeSectionStart { size, .. } => module.code_bytes += u64::from(*size),
            Payload::DataSection(section) => module.data_bytes += section.range().len() as u64,
            Payload::MemorySection(section) => {
                for memory in section.clone() {
                    let memory = memory?;
                    // Other page sizes are a proposal that is off here.
                    let bytes = |pages: u64| pages.saturating_mul(PAGE_BYTES);
                    let extent = Extent { minimum: bytes(memory.initial), maximum: memory.maximum.map(bytes) };
                    push(&mut module.memories, &mut left_out, || extent);
                }
            }
            Payload::TableSection(section) => {
                for table in section.clone() {
                    let ty = table?.ty;
                    push(&mut module.tables, &mut left_out, || Extent { minimum: ty.initial, maximum: ty.maximum });
                }
            }
            Payload::ImportSection(section) if is_outermost => {
                for import in section.clone().into_imports() {
                    let import = import?;
                    push(&mut imports, &mut left_out, || cut(&format!("{}.{}", import.module, import.name)));
                }
            }
            Payload::ExportSection(section) if is_outermost => {
                for export in section.clone() {
                    let name = export?.name;
                    push(&mut exports, &mut left_out, || cut(name));
                }
            }
            _ => {}
        }
        self.imports.append(&mut imports);
        self.exports.append(&mut exports);
        self.left_out += left_out;
        Ok(())
    }

    fn custom(&mut self, section: &CustomSectionReader<'_>) {
        let name = cut(section.name());
        if self.custom_sections.len() < LISTED_MAX || self.custom_sections.contains_key(&name) {
            let sections = self.custom_sections.entry(name).or_default();
            sections.count += 1;
            sections.bytes += section.data().len() as u64;
        } else {
            self.left_out += 1;
        }
        if let KnownCustom::Name(names) = section.as_known()
            && let Some(module) = self.module()
        {
            // Its first part, where there is one. What is wrong with the rest hurts nobody here.
            if let Some(Ok(Name::Module { name, .. })) = names.into_iter().next() {
                module.name = Some(cut(name));
            }
        }
        self.said.take(section);
    }
}

/// Adds to a list that has an end.
fn push<T>(list: &mut Vec<T>, left_out: &mut u64, item: impl FnOnce() -> T) {
    if list.len() < LISTED_MAX { list.push(item()) } else { *left_out += 1 }
}

/// A text of the file's, not longer than a name is shown.
fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(NAME_BYTES_MAX)].to_owned()
}

fn import(name: String, plugin: &Result<Inspection, Refused>) -> Import {
    let (kind, refused) = match plugin {
        Ok(inspection) => (inspection.kind, None),
        Err(Refused::Imports(refused)) => (Kind::Projection, refused.iter().find(|refused| refused.name == name)),
        Err(_) => (Kind::Projection, None),
    };
    let interface = name.split('@').next().unwrap_or(&name);
    let (given, is_offered) = match (refused, given(interface, kind)) {
        (Some(refused), _) => (format!("not offered: {}", refused.advice), false),
        (None, Some(given)) => (given.to_owned(), true),
        (None, None) => ("not offered".to_owned(), false),
    };
    Import { name, given, is_offered }
}

/// What a plugin gets from an interface that it imports.
fn given(interface: &str, kind: Kind) -> Option<&'static str> {
    let (package, interface) = interface.split_once('/')?;
    Some(match (package, interface) {
        ("polyfold:plugin", "types") => "types alone",
        ("polyfold:plugin", "logging") => "log messages, cut and counted",
        ("polyfold:plugin", "state") if kind == Kind::Projection => "the entries of its own state",
        ("polyfold:plugin", "context") if kind == Kind::Projection => "parameters, envelopes of the events in hand",
        ("wasi:cli", "environment") => "no variables and no arguments",
        ("wasi:cli", "exit") => "ends the call as a trap does",
        ("wasi:cli", "stdin") => "is empty",
        ("wasi:cli", "stdout" | "stderr") => "kept with the call, cut, shown with a fault",
        ("wasi:cli", name) if name.starts_with("terminal-") => "no terminal",
        ("wasi:clocks", "wall-clock") => "stands still at 1970-01-01",
        ("wasi:clocks", "monotonic-clock") => "counts its readings, sleeping takes no time",
        ("wasi:filesystem", "preopens" | "types") => "no files",
        ("wasi:io", "error" | "poll" | "streams") => "within the call",
        ("wasi:random", "random" | "insecure" | "insecure-seed") => "from a fixed seed, the same in every call",
        ("wasi:sockets", _) => "no network",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
