//! What a plugin is, read from its imports and exports before anything of it is compiled or run.

use std::fmt;

use wasmparser::{ComponentExternalKind, ComponentTypeRef, Encoding, Parser, Payload};

use super::abi::{ABIS, Abi};
use super::wasi;

/// What a plugin does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Projection,
    Upcaster,
}

/// What can be said of a plugin without running it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    pub kind: Kind,
    /// The version of this host's ABI that serves it, `0.1.0`.
    pub abi: &'static str,
    /// The exported interface that it is known by, as the plugin names it.
    pub export: String,
    /// Everything it imports, by name.
    pub imports: Vec<String>,
}

/// Why a file is no plugin for this host; each text says what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("it is not a WebAssembly component: {}", plain(message))]
    Malformed { message: String },
    /// What was stored or examined is always a component.
    #[error("it is a core WebAssembly module, not a component")]
    CoreModule,
    #[error(
        "it is a core WebAssembly module that does not say which plugin it is: it exports {}; {advice}",
        list(exports)
    )]
    Untyped { exports: Vec<String>, advice: String },
    #[error("it is a core WebAssembly module that makes no component: {}", plain(message))]
    Module { message: String },
    #[error(
        "it exports no interface that this host knows: it exports {}; known are {}: build it against one of these, \
             as the kits of guest-sdk do",
        list(found),
        list(known)
    )]
    NoPlugin { found: Vec<String>, known: Vec<&'static str> },
    #[error("a module in it has {0} memories, and one is allowed: build it without multiple memories")]
    Memories(u32),
    #[error("it exports both {} and {}: make two plugins of it", .0[0], .0[1])]
    TwoPlugins([String; 2]),
    #[error("it imports what this host does not offer: {}", list(.0))]
    Imports(Vec<RefusedImport>),
    /// It would take more time or memory to compile than a plugin may.
    #[error("it is too much to compile: {message}")]
    Bulk { message: String },
    #[error("it does not compile or link: {}", plain(message))]
    Invalid { message: String },
}

/// An import that is refused, and what to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedImport {
    pub name: String,
    pub advice: String,
}

impl fmt::Display for RefusedImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", shown(&self.name), self.advice)
    }
}

/// Finds kind and ABI, and checks every import.
pub(super) fn inspect(bytes: &[u8]) -> Result<(Inspection, &'static dyn Abi), Refused> {
    if Parser::is_core_wasm(bytes) {
        return Err(Refused::CoreModule);
    }
    let surface = Surface::read(bytes)?;
    let (kind, abi, export) = plugin_of(&surface.exports)?;
    let refused: Vec<_> = surface.imports.iter().filter_map(|import| import.refused(kind, abi)).collect();
    if !refused.is_empty() {
        return Err(Refused::Imports(refused));
    }
    let imports = surface.imports.into_iter().map(|import| import.name).collect();
    Ok((Inspection { kind, abi: abi.version(), export, imports }, abi))
}

/// Whether a plugin with these imports needs WASI.
pub(super) fn needs_wasi(imports: &[String]) -> bool {
    imports.iter().any(|name| name.starts_with("wasi:"))
}

fn plugin_of(exports: &[String]) -> Result<(Kind, &'static dyn Abi, String), Refused> {
    let known = || ABIS.iter().flat_map(|abi| [Kind::Projection, Kind::Upcaster].map(|kind| (kind, *abi)));
    let mut found = exports.iter().filter_map(|export| {
        known().find(|(kind, abi)| serves(abi.export(*kind), export)).map(|(kind, abi)| (kind, abi, export))
    });
    let Some((kind, abi, export)) = found.next() else {
        let known = known().map(|(kind, abi)| abi.export(kind)).collect();
        return Err(Refused::NoPlugin { found: exports.iter().map(|name| shown(name)).collect(), known });
    };
    match found.next() {
        None => Ok((kind, abi, export.clone())),
        Some((_, _, other)) => Err(Refused::TwoPlugins([export.clone(), other.clone()])),
    }
}

/// Whether an interface of this host serves one that was built against: the same up to the patch version.
fn serves(ours: &str, theirs: &str) -> bool {
    let up_to_minor = |name: &str| {
        let (interface, version) = name.split_once('@')?;
        let version = semver::Version::parse(version).ok().filter(|version| version.pre.is_empty())?;
        Some((interface.to_owned(), version.major, version.minor))
    };
    up_to_minor(ours).is_some_and(|ours| up_to_minor(theirs) == Some(ours))
}

/// The names at a component's surface.
struct Surface {
    imports: Vec<Import>,
    exports: Vec<String>,
}

struct Import {
    name: String,
    is_interface: bool,
}

impl Surface {
    fn read(bytes: &[u8]) -> Result<Self, Refused> {
        let malformed = |error: wasmparser::BinaryReaderError| Refused::Malformed { message: error.to_string() };
        if !bytes.starts_with(b"\0asm") {
            return Err(Refused::Malformed {
                message: "it does not start with \\0asm, as WebAssembly does".to_owned(),
            });
        }
        let mut surface = Self { imports: Vec::new(), exports: Vec::new() };
        let mut depth = 0_usize;
        // Of the module in hand: modules do not nest.
        let mut memories = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(malformed)?;
            if let Payload::Version { encoding, .. } = &payload {
                depth += 1;
                memories = 0;
                if depth == 1 && *encoding == Encoding::Module {
                    return Err(Refused::CoreModule);
                }
            } else if let Payload::End(_) = &payload {
                depth -= 1;
            } else if depth != 1 {
                // A module or component inside: what it imports, this component gives it.
                memories += memories_in(&payload).map_err(malformed)?;
                if memories > 1 {
                    return Err(Refused::Memories(memories));
                }
            } else if let Payload::ComponentImportSection(section) = payload {
                for import in section {
                    let import = import.map_err(malformed)?;
                    let is_interface = matches!(import.ty, ComponentTypeRef::Instance(_));
                    surface.imports.push(Import { name: import.name.name.to_owned(), is_interface });
                }
            } else if let Payload::ComponentExportSection(section) = payload {
                for export in section {
                    let export = export.map_err(malformed)?;
                    if export.kind == ComponentExternalKind::Instance {
                        surface.exports.push(export.name.name.to_owned());
                    }
                }
            }
        }
        Ok(surface)
    }
}

/// The memories that a section of a module imports or defines.
fn memories_in(payload: &Payload<'_>) -> wasmparser::Result<u32> {
    Ok(match payload {
        Payload::MemorySection(section) => section.count(),
        Payload::ImportSection(section) => {
            let mut memories = 0;
            for import in section.clone().into_imports() {
                memories += u32::from(matches!(import?.ty, wasmparser::TypeRef::Memory(_)));
            }
            memories
        }
        _ => 0,
    })
}

/// Why this interface may not be imported by a plugin of that kind, if it may not.
pub(super) fn refused_interface(name: &str, kind: Kind, abi: &dyn Abi) -> Option<RefusedImport> {
    Import { name: name.to_owned(), is_interface: true }.refused(kind, abi)
}

impl Import {
    fn refused(&self, kind: Kind, abi: &dyn Abi) -> Option<RefusedImport> {
        let refuse = |advice: &str| Some(RefusedImport { name: self.name.clone(), advice: advice.to_owned() });
        if !self.is_interface {
            return refuse("only whole interfaces can be imported: build against the WIT of polyfold:plugin alone");
        }
        let (interface, version) = self.name.split_once('@').unwrap_or((&self.name, ""));
        if interface.starts_with("polyfold:plugin/") {
            let ours = abi.export(kind).split_once('@').map_or("", |(_, version)| version);
            let offered = abi.imports(kind).contains(&interface);
            return match kind {
                _ if offered && serves(&format!("{interface}@{ours}"), &self.name) => None,
                _ if offered => refuse(&format!("this host offers version {ours} to a plugin that exports it")),
                Kind::Upcaster => {
                    refuse("an upcaster has no state and no context: its answer follows from the event alone")
                }
                Kind::Projection => refuse("there is no such interface in this version of the ABI"),
            };
        }
        if wasi::INTERFACES.contains(&interface) {
            if version.starts_with("0.2.") {
                return None;
            }
            return refuse("this host offers WASI 0.2: build for wasm32-wasip2");
        }
        if interface.starts_with("wasi:http/") {
            return refuse("plugins have no network: for JavaScript rebuild with `--disable http fetch-event`");
        }
        if interface.starts_with("wasi:") {
            return refuse("not offered: leave out what needs it, or build for plain WASI 0.2");
        }
        refuse("not known here: satisfy it inside the component, with `wac plug` or `wasm-tools compose`")
    }
}

/// 20 names: what somebody reads of a list.
const LISTED_MAX: usize = 20;

/// 120 characters of a name: longer ones are made to be long.
const SHOWN_MAX: usize = 120;

/// 2,000 characters of what a library says of a foreign file, which may quote all of it.
const BRIEF_MAX: usize = 2_000;

/// A message about a foreign file: cut, and without what a terminal would obey.
pub(super) fn brief(message: &str) -> String {
    let text = message.chars().take(BRIEF_MAX).map(|c| if c.is_control() && c != '\n' { '?' } else { c });
    text.chain(message.chars().nth(BRIEF_MAX).map(|_| '…')).collect()
}

/// A name of a foreign file: cut, and without what a terminal would obey.
pub(super) fn shown(name: &str) -> String {
    let mut shown: String = name.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect();
    if name.chars().nth(SHOWN_MAX).is_some() {
        shown.push('…');
    }
    shown
}

fn list<T: fmt::Display>(items: &[T]) -> String {
    let mut names: Vec<_> = items.iter().take(LISTED_MAX).map(|item| plain(&item.to_string())).collect();
    if items.len() > LISTED_MAX {
        names.push(format!("and {} more", items.len() - LISTED_MAX));
    }
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// What comes from a foreign file, in one line and without what a terminal would obey.
fn plain(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().fold(String::with_capacity(words.len()), |mut plain, c| {
        if c.is_control() {
            plain.extend(c.escape_debug())
        } else {
            plain.push(c)
        }
        plain
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_serves_every_patch_version_of_its_own() {
        let ours = "polyfold:plugin/projection@0.1.0";
        for (theirs, expected) in [
            ("polyfold:plugin/projection@0.1.0", true),
            ("polyfold:plugin/projection@0.1.7", true),
            ("polyfold:plugin/projection@0.2.0", false),
            ("polyfold:plugin/projection@1.1.0", false),
            ("polyfold:plugin/projection@0.1.0-rc.1", false),
            ("polyfold:plugin/projection@0.1", false),
            ("polyfold:plugin/projection", false),
            ("polyfold:plugin/upcaster@0.1.0", false),
        ] {
            assert_eq!(serves(ours, theirs), expected, "{theirs}");
        }
    }
}
