//! Components by the byte, for what no tool would write.

use wasmparser::{Parser, Payload};

use super::wat::{HONEST, projection};

/// An honest component, of a core module written by hand.
pub(crate) fn honest() -> Vec<u8> {
    let module = wat::parse_str(projection(&HONEST)).unwrap();
    polyfold::plugin::component(&module).unwrap().into_owned()
}

/// An honest component with so many instances of this module beside its own.
pub(crate) fn with_instances(module: &str, count: u32) -> Vec<u8> {
    const CORE_MODULE: u8 = 1;
    const CORE_INSTANCE: u8 = 2;
    let mut bytes = honest();
    let index = own_modules(&bytes);
    let instances = (0..count).flat_map(|_| [vec![0], leb(index), vec![0]].concat());
    let instances = [leb(count), instances.collect()].concat();
    bytes.extend(section(CORE_MODULE, &wat::parse_str(module).unwrap()));
    bytes.extend(section(CORE_INSTANCE, &instances));
    bytes
}

/// An honest component that has exactly so many bytes, most of them in a section that says nothing.
pub(crate) fn of_size(bytes: usize) -> Vec<u8> {
    const CUSTOM: u8 = 0;
    let mut component = honest();
    // A length of this size has four bytes.
    let rest = bytes - component.len() - 5;
    let mut content = vec![0; rest];
    content[..5].copy_from_slice(b"\x04fill");
    component.extend(section(CUSTOM, &content));
    component
}

pub(crate) fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], &leb(u32::try_from(content.len()).unwrap())[..], content].concat()
}

/// A number as WebAssembly writes it.
pub(crate) fn leb(mut number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// How many core modules a component has itself, and not in components inside it.
fn own_modules(component: &[u8]) -> u32 {
    let mut depth = 0;
    let mut modules = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } if depth == 1 => modules += 1,
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            _ => {}
        }
    }
    modules
}
