//! The WIT is one that generators of bindings take: each makes bindings for both worlds, and compilers take what they make.

use std::path::Path;
use std::process::Command;

use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator};

const WORLDS: [&str; 2] = ["projection-plugin", "upcaster-plugin"];

fn generate(mut generator: Box<dyn WorldGenerator>, world: &str) -> tempfile::TempDir {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/v0.1");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(&wit).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut files = Files::default();
    generator.generate(&mut resolve, world, &mut files).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files.iter() {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    dir
}

/// All that was generated whose name ends so, as one text.
fn text(dir: &Path, end: &str) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all += &text(&path, end);
        } else if path.to_str().unwrap().ends_with(end) {
            all += &std::fs::read_to_string(path).unwrap();
        }
    }
    all
}

#[test]
fn generators_make_bindings_for_both_worlds() {
    for world in WORLDS {
        let export = if world == "projection-plugin" { "apply" } else { "upcast" };
        let check = |language: &str, generator: Box<dyn WorldGenerator>, end: &str, wanted: &str| {
            let made = text(generate(generator, world).path(), end).to_lowercase();
            assert!(made.contains(wanted), "{language}, {world}: {made}");
        };
        check("C", wit_bindgen_c::Opts::default().build(), ".h", export);
        check("C++", wit_bindgen_cpp::Opts::default().build(None), ".h", export);
        check("C#", wit_bindgen_csharp::Opts::default().build(), ".cs", export);
        check("Go", wit_bindgen_go::Opts::default().build(), ".go", export);
        // Its exports are the author's to write, beside what is generated.
        check("MoonBit", wit_bindgen_moonbit::Opts::default().build(), ".mbt", "pub fn log");
    }
}

#[test]
fn a_compiler_takes_the_bindings_for_c() {
    for world in WORLDS {
        let dir = generate(wit_bindgen_c::Opts::default().build(), world);
        let source = format!("{}.c", world.replace('-', "_"));
        // What marks imports and exports of WebAssembly is unknown to other targets, and no more than a warning.
        let mut compiler = Command::new("cc");
        let output = compiler.args(["-w", "-c", &source, "-o", "bindings.o"]).current_dir(dir.path()).output().unwrap();
        assert!(output.status.success(), "{world}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
