//! Writes the list of files that `polyfold plugin new` carries: the kits of guest-sdk and their templates.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Folders that builds, tests and editors leave behind.
const LEFT_BEHIND: [&str; 4] = ["node_modules", "build", "target", "zig-out"];

fn main() {
    // Asked when it runs: a build folder may have come from a tree in another place.
    let host = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where");
    let kits = Path::new(&host).join("../guest-sdk").canonicalize();
    let kits = kits.expect("the kits lie beside the host");
    let mut files = Vec::new();
    gather(&kits, &mut Vec::new(), &mut files);
    files.sort();
    let mut list = "&[\n".to_owned();
    for (name, path) in &files {
        println!("cargo::rerun-if-changed={}", path.display());
        writeln!(list, "    ({name:?}, include_bytes!({:?})),", path.display()).expect("a string takes everything");
    }
    list.push(']');
    let out = std::env::var_os("OUT_DIR").expect("cargo says where");
    std::fs::write(Path::new(&out).join("kits.rs"), list).expect("cargo's folder takes files");
}

/// Gathers what lies under a folder. Links are followed, because a project has to stand alone.
fn gather(folder: &Path, above: &mut Vec<String>, files: &mut Vec<(String, PathBuf)>) {
    // Its own time too, which a new file changes. Cargo looks through all that is under it.
    if !has_left_behind(folder) {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("names are UTF-8").to_owned();
        above.push(name);
        if !is_wanted(&path, above) {
            // Not for projects.
        } else if path.is_dir() {
            gather(&path, above, files);
        } else {
            files.push((above.join("/"), path));
        }
        above.pop();
    }
}

fn is_wanted(path: &Path, names: &[String]) -> bool {
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    match names[..] {
        // The page for authors, and the tests of a kit.
        [_, "tests"] => false,
        [_] => path.is_dir(),
        // Where a template has a kit of its own, to be tried in place.
        [_, "templates", _, _, "polyfold"] => false,
        [.., name] => !(path.is_dir() && is_left_behind(name)) && path.exists() && !name.ends_with(".pyc"),
        [] => true,
    }
}

fn is_left_behind(name: &str) -> bool {
    let is_cache = name.contains("cache") || name.starts_with(".venv") || name.ends_with(".egg-info");
    is_cache || LEFT_BEHIND.contains(&name)
}

fn has_left_behind(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).any(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        is_left_behind(name) || has_left_behind(&path)
    })
}
