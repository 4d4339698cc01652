//! Core modules made components, so that an author needs no tool beside a compiler.
//!
//! A module says what it is by the names of its exports, which no other world has: `polyfold:plugin/projection@0.1.0#apply`.
//! Binding generators write the same names, and the types beside them in a custom section, which is not read: it is another's,
//! and the types are this host's. What a module imports of WASI preview 1 is met by wasmtime's adapter.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER;
use wasmparser::{BinaryReader, Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, SourceMap};

use super::abi::{ABIS, Abi};
use super::inspect::{brief, refused_interface, shown};
use super::{Kind, Refused, RefusedImport, bulk};

/// What Go, C and others call their operating system.
const PREVIEW_1: &str = "wasi_snapshot_preview1";

/// Its custom section has this name, or one that begins with it and a colon.
const COMPONENT_TYPE: &str = "component-type";

/// Functions that make a module a program: it runs once and ends.
const PROGRAM: &str = "_start";

/// Returns a component as it is, and the component that a core module makes.
pub(super) fn component(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Refused> {
    if !Parser::is_core_wasm(bytes) {
        return Ok(Cow::Borrowed(bytes));
    }
    // What wraps it reads all of it, and more than once.
    bulk::check(bytes)?;
    let module = Module::read(bytes)?;
    module.refuse_imports()?;
    let typed = module.typed(bytes)?;
    // What comes from anywhere goes through a library that was written for the output of compilers.
    let wrapped = catch_unwind(AssertUnwindSafe(|| module.wrap(&typed)));
    let wrapped = wrapped.unwrap_or_else(|_| Err("what wraps it failed on it".to_owned()));
    wrapped.map(Cow::Owned).map_err(|message| Refused::Module { message: brief(&message) })
}

/// The names at a core module's surface.
#[derive(Default)]
struct Module {
    /// The module and the name of each import.
    imports: Vec<(String, String)>,
    exports: Vec<String>,
}

impl Module {
    fn read(bytes: &[u8]) -> Result<Self, Refused> {
        let malformed = |error: wasmparser::BinaryReaderError| Refused::Malformed { message: error.to_string() };
        let mut module = Self::default();
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(malformed)?;
            if let Payload::ImportSection(section) = payload {
                for import in section.into_imports() {
                    let import = import.map_err(malformed)?;
                    module.imports.push((import.module.to_owned(), import.name.to_owned()));
                }
            } else if let Payload::ExportSection(section) = payload {
                for export in section {
                    module.exports.push(export.map_err(malformed)?.name.to_owned());
                }
            }
        }
        Ok(module)
    }

    /// The module with the component type that its exports name.
    fn typed(&self, bytes: &[u8]) -> Result<Vec<u8>, Refused> {
        let Some((kind, abi)) = self.plugin() else {
            return Err(Refused::Untyped { exports: self.shown_exports(), advice: self.advice() });
        };
        let interfaces: BTreeSet<_> = self.imports.iter().map(|(module, _)| module).collect();
        let interfaces = interfaces.into_iter().filter(|module| module.contains(':'));
        let refused: Vec<_> = interfaces.filter_map(|name| refused_here(name, kind, abi)).collect();
        if !refused.is_empty() {
            return Err(Refused::Imports(refused));
        }
        let mut typed = untyped(bytes).map_err(|error| Refused::Malformed { message: error.to_string() })?;
        let embedded = embed(&mut typed, kind, abi);
        embedded.map_err(|message| Refused::Module { message })?;
        Ok(typed)
    }

    /// The plugin that a module without a component type names by its exports.
    fn plugin(&self) -> Option<(Kind, &'static dyn Abi)> {
        let known = || ABIS.iter().flat_map(|abi| [Kind::Projection, Kind::Upcaster].map(|kind| (kind, *abi)));
        let interfaces = || self.exports.iter().filter_map(|name| name.split_once('#')).map(|(interface, _)| interface);
        known().find(|(kind, abi)| interfaces().any(|interface| interface == abi.export(*kind)))
    }

    /// The first exports, as a message shows them.
    fn shown_exports(&self) -> Vec<String> {
        const SHOWN: usize = 8;
        let mut shown: Vec<_> = self.exports.iter().take(SHOWN).map(|name| shown(name)).collect();
        if self.exports.len() > SHOWN {
            shown.push(format!("and {} more", self.exports.len() - SHOWN));
        }
        shown
    }

    /// What an author is likely to have missed.
    fn advice(&self) -> String {
        let other = self.exports.iter().find(|name| name.starts_with("polyfold:plugin/"));
        if let Some(other) = other {
            let known: Vec<_> = ABIS.iter().map(|abi| abi.version()).collect();
            let other = shown(other);
            return format!("{other} is of an ABI that this host does not speak: build against {}", known.join(" or "));
        }
        if self.exports.iter().any(|name| name == PROGRAM) {
            return format!(
                "it is a program with `{PROGRAM}`; build a library: `-buildmode=c-shared` in Go, \
                 `-mexec-model=reactor` in C, `crate-type = [\"cdylib\"]` in Rust"
            );
        }
        "build it with a kit of guest-sdk (`polyfold plugin new` writes a project), or with a generator of component \
         bindings"
            .to_owned()
    }

    /// Imports that no compiler resolves and no host offers.
    fn refuse_imports(&self) -> Result<(), Refused> {
        let foreign = self.imports.iter().filter(|(module, _)| {
            // An interface has a package, or at least a colon; a generator's own helpers begin with a bracket or a dollar.
            let is_interface =
                module.contains(':') || module.starts_with(['[', '$', '_']) || module.starts_with("cm32p2");
            !is_interface && module != PREVIEW_1
        });
        let refused = foreign.map(|(module, name)| RefusedImport {
            name: format!("{module}.{name}"),
            advice: import_advice(module, name),
        });
        let refused: Vec<_> = refused.collect();
        if refused.is_empty() { Ok(()) } else { Err(Refused::Imports(refused)) }
    }

    fn wrap(&self, typed: &[u8]) -> Result<Vec<u8>, String> {
        let mut encoder = ComponentEncoder::default();
        let mut wrap = || {
            encoder.validate(true).module(typed)?;
            if self.imports.iter().any(|(module, _)| module == PREVIEW_1) {
                encoder.adapter(PREVIEW_1, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?;
            }
            encoder.encode()
        };
        wrap().map_err(|error| {
            // Its causes, in one line; the first two say of every module that it makes no component.
            let text = format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ");
            let text = text.strip_prefix("failed to decode world from module: ").unwrap_or(&text);
            text.strip_prefix("module was not valid: ").unwrap_or(text).to_owned()
        })
    }
}

/// Why a core module may not import this interface, if it may not.
fn refused_here(name: &str, kind: Kind, abi: &dyn Abi) -> Option<RefusedImport> {
    let advice = "a core module reaches WASI as wasi_snapshot_preview1: build for that, or a component";
    refused_interface(name, kind, abi).or_else(|| {
        name.starts_with("wasi:").then(|| RefusedImport { name: name.to_owned(), advice: advice.to_owned() })
    })
}

/// A copy without the custom sections that say which world a module was built for.
fn untyped(bytes: &[u8]) -> wasmparser::Result<Vec<u8>> {
    const CUSTOM: u8 = 0;
    let header = bytes.len().min(8);
    let mut copy = bytes[..header].to_vec();
    let mut reader = BinaryReader::new(&bytes[header..], header);
    while !reader.eof() {
        let start = reader.original_position();
        let id = reader.read_u8()?;
        let length = reader.read_var_u32()? as usize;
        let content = reader.read_bytes(length)?;
        let is_type = || {
            let name = BinaryReader::new(content, 0).read_string().unwrap_or_default();
            name.strip_prefix(COMPONENT_TYPE).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        };
        if !(id == CUSTOM && is_type()) {
            copy.extend_from_slice(&bytes[start..reader.original_position()]);
        }
    }
    Ok(copy)
}

/// Adds the component type of a world.
fn embed(module: &mut Vec<u8>, kind: Kind, abi: &dyn Abi) -> Result<(), String> {
    let mut sources = SourceMap::new();
    for (file, text) in abi.wit() {
        sources.push_str(file, *text);
    }
    let mut resolve = Resolve::new();
    let package = sources.parse().map_err(|(_, error)| error.to_string());
    let package = resolve.push_group(package?).map_err(|error| error.to_string())?;
    let world = resolve.select_world(&[package], Some(abi.world(kind))).map_err(|error| format!("{error:#}"))?;
    embed_component_metadata(module, &resolve, world, StringEncoding::UTF8).map_err(|error| format!("{error:#}"))
}

fn import_advice(module: &str, name: &str) -> String {
    match (module, name) {
        ("env", "abort" | "seed" | "trace") => {
            format!("AssemblyScript's runtime: build with `--use {name}=` or with an own `{name}`")
        }
        ("env", "memory") => "build with a memory of its own: without `--import-memory`, `--importMemory`".to_owned(),
        ("env", _) => {
            "an undefined function: define it, or link the library that has it; plugins import only interfaces"
                .to_owned()
        }
        ("wasi_unstable", _) => {
            "an old WASI: build with a newer compiler, for wasm32-wasip1 or wasm32-wasip2".to_owned()
        }
        ("gojs" | "go", _) => "built for a browser: build with GOOS=wasip1 GOARCH=wasm".to_owned(),
        ("wbg" | "__wbindgen_placeholder__", _) => "built for JavaScript: leave out wasm-bindgen".to_owned(),
        _ => "not known here: a plugin imports polyfold:plugin and WASI alone".to_owned(),
    }
}
