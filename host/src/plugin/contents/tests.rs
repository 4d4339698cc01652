//! Tests of reading what is in a file, with files made for them.

use std::io::Write as _;

use super::super::wasi;
use super::*;

fn read(bytes: &[u8]) -> Result<Contents, Refused> {
    let plugin = crate::plugin::inspect(bytes);
    super::read(bytes, plugin)
}

/// An unsigned number as WebAssembly writes it.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        bytes.push(if number == 0 { low } else { low | 0x80 });
        if number == 0 {
            return bytes;
        }
    }
}

fn text(text: &str) -> Vec<u8> {
    [leb(text.len()), text.as_bytes().to_vec()].concat()
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [vec![id], leb(content.len()), content.to_vec()].concat()
}

fn custom(name: &str, data: &[u8]) -> Vec<u8> {
    section(0, &[text(name), data.to_vec()].concat())
}

fn producers(values: &[(&str, &str)]) -> Vec<u8> {
    let values: Vec<u8> = values.iter().flat_map(|(name, version)| [text(name), text(version)].concat()).collect();
    custom("producers", &[leb(1), text("processed-by"), leb(values.len().min(1)), values].concat())
}

fn component(parts: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0".to_vec(), parts.concat()].concat()
}

const MODULE: &str = r#"(module $worker
    (import "env" "now" (func))
    (memory 2 4) (table 5 funcref)
    (data (i32.const 0) "twelve bytes")
    (func (export "run") (nop)) (func))"#;

#[test]
fn a_module_is_taken_apart() {
    let contents = read(&wat::parse_str(MODULE).unwrap()).unwrap();
    let [module] = contents.modules.as_slice() else { panic!("{contents:?}") };
    assert!(!contents.is_component);
    assert_eq!((module.name.as_deref(), module.functions), (Some("worker"), 2));
    assert_eq!(module.memories, [Extent { minimum: 2 << 16, maximum: Some(4 << 16) }]);
    assert_eq!(module.tables, [Extent { minimum: 5, maximum: None }]);
    assert!(module.code_bytes > 4 && module.data_bytes > 12, "{module:?}");
    assert_eq!(contents.exports, ["run"]);
    let [import] = contents.imports.as_slice() else { panic!("{contents:?}") };
    assert_eq!((import.name.as_str(), import.is_offered), ("env.now", false));
    assert!(contents.plugin.is_err(), "it can be read all the same");
    assert!(contents.custom_sections.contains_key("name"));
}

#[test]
fn what_the_builder_wrote_is_listed_once() {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(br#"{"packages":[{"name":"serde","version":"1.0.0","source":"crates.io","root":true}]}"#).unwrap();
    let module = wat::parse_str(MODULE).unwrap();
    let inner = [module, producers(&[("clang", "19")])].concat();
    let file = component(&[
        section(1, &inner),
        section(1, &inner),
        producers(&[("wit-component", "0.258")]),
        custom("authors", b"A. Uthor"),
        custom("licenses", b"MIT"),
        custom("revision", &[0xff]),
        custom(".dep-v0", &packed.finish().unwrap()),
    ]);
    let contents = read(&file).unwrap();
    assert!(contents.is_component);
    assert_eq!((contents.modules.len(), contents.components), (2, 0));
    let names: Vec<_> = contents.producers.iter().map(|it| (it.name.as_str(), it.version.as_str())).collect();
    assert_eq!(names, [("clang", "19"), ("wit-component", "0.258")]);
    assert_eq!(contents.about["authors"], "A. Uthor");
    assert_eq!(contents.about["licenses"], "MIT");
    assert!(!contents.about.contains_key("revision"), "what is no text is left out");
    assert_eq!(contents.dependencies[0].name, "serde");
    assert_eq!(contents.custom_sections["producers"].count, 3);
}

#[test]
fn a_hostile_file_is_listed_up_to_an_end() {
    let many: Vec<u8> = (0..3_000).flat_map(|number| custom(&format!("x{number}"), b"")).collect();
    let long = custom("authors", &vec![b'a'; 100_000]);
    let bomb = {
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(&vec![b' '; 64 << 20]).unwrap();
        custom(".dep-v0", &packed.finish().unwrap())
    };
    let broken = custom("producers", &[leb(4_000_000_000), text("language")].concat());
    let contents = read(&component(&[many, long, bomb, broken])).unwrap();
    assert_eq!(contents.custom_sections.len(), LISTED_MAX);
    // The three with names of their own came too late.
    assert_eq!(contents.left_out, 2_000 + 3);
    assert_eq!(contents.about["authors"].len(), 4 << 10);
    assert!(contents.dependencies.is_empty() && contents.producers.is_empty());
}

#[test]
fn nesting_without_end_is_refused() {
    let mut file = component(&[]);
    for _ in 0..DEPTH_MAX {
        file = component(&[section(4, &file)]);
    }
    let refused = read(&file).unwrap_err().to_string();
    assert!(refused.contains("nested more than 64 deep"), "{refused}");
}

#[test]
fn what_is_no_webassembly_is_refused() {
    for bytes in [&b""[..], b"nothing", b"\0asm", &wat::parse_str(MODULE).unwrap()[..20]] {
        assert!(matches!(read(bytes), Err(Refused::Malformed { .. })), "{bytes:?}");
    }
}

#[test]
fn every_interface_that_is_offered_says_what_it_gives() {
    for interface in wasi::INTERFACES {
        assert!(given(interface, Kind::Projection).is_some(), "{interface}");
    }
    assert!(given("polyfold:plugin/state", Kind::Upcaster).is_none(), "an upcaster has no state");
    assert!(given("wasi:http/outgoing-handler", Kind::Projection).is_none());
}
