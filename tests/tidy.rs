//! Holds the shape of the source: who imports whom, what each file says first, what lies where.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Each floor and the floors that it may import. Nothing calls upward.
const FLOORS: [(&str, &[&str]); 9] = [
    ("event", &[]),
    ("cbor", &["event"]),
    // A disk for tests alone: of the two floors that write files of their own, and of the one that joins them.
    ("crash", &[]),
    ("log", &["event", "cbor", "crash"]),
    ("state", &["event", "crash"]),
    ("plugin", &["event", "cbor"]),
    ("engine", &["event", "cbor", "log", "state", "plugin", "crash"]),
    ("server", &["event", "cbor", "engine"]),
    ("cli", &["event", "cbor", "engine", "server"]),
];

/// What may lie at the top beside dot-files.
const TOP_LEVEL: [&str; 9] =
    ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "README.md", "wit", "host", "guest-sdk", "plugins", "examples"];

/// Where source lies that says first what it is for.
const SOURCES: [&str; 4] = ["host/src/", "guest-sdk/", "plugins/", "tests/"];

/// A file's path from the top, with slashes, and its text; none for what is no text.
type File = (String, Option<String>);

/// Everything that is not as it should be, a line each.
fn check(files: &[File]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, text) in files {
        wrong.extend(misplaced(path));
        if let Some(text) = text {
            wrong.extend(imports_upward(path, text));
            wrong.extend(says_nothing(path, text));
            wrong.extend(names_this_machine(path, text));
        }
    }
    wrong.dedup();
    wrong
}

fn misplaced(path: &str) -> Option<String> {
    let top = path.split('/').next().unwrap_or(path);
    let is_known = TOP_LEVEL.contains(&top) || top == "tests" || top.starts_with('.') || top.starts_with("LICENSE");
    (!is_known).then(|| format!("{top}: nothing of that name belongs at the top level"))
}

fn imports_upward(path: &str, text: &str) -> Vec<String> {
    let Some(inner) = path.strip_prefix("host/src/").filter(|inner| inner.ends_with(".rs")) else { return Vec::new() };
    let floor = inner.split(['/', '.']).next().unwrap_or(inner);
    if floor == "lib" || floor == "main" {
        return Vec::new();
    }
    let floors = BTreeMap::from(FLOORS);
    let Some(allowed) = floors.get(floor) else { return vec![format!("{path}: there is no floor {floor}")] };
    let imported = imports(text).into_iter().filter(|name| *name != floor && !allowed.contains(name));
    imported.map(|name| format!("{path}: {floor} may not import {name}")).collect()
}

/// The names behind every `crate::` of a text, comments apart.
fn imports(text: &str) -> Vec<&str> {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or(line));
    let mut names = Vec::new();
    let mut open = None;
    for line in code {
        let mut rest = line;
        loop {
            match open {
                None => match rest.split_once("crate::") {
                    None => break,
                    Some((_, behind)) if behind.starts_with('{') => (open, rest) = (Some(0), behind),
                    Some((_, behind)) => (names, rest) = (with_name(names, behind), behind),
                },
                // A list in braces: each name at its first level is one.
                Some(depth) => match rest.chars().next() {
                    None => break,
                    Some('{') => (open, rest) = (Some(depth + 1), &rest[1..]),
                    Some('}') => (open, rest) = ((depth > 1).then(|| depth - 1), &rest[1..]),
                    Some(c) if depth == 1 && c.is_ascii_lowercase() => {
                        names = with_name(names, rest);
                        rest = rest.trim_start_matches(|c: char| c != ',' && c != '{' && c != '}');
                    }
                    Some(c) => rest = &rest[c.len_utf8()..],
                },
            }
        }
    }
    names
}

fn with_name<'a>(mut names: Vec<&'a str>, text: &'a str) -> Vec<&'a str> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    names.push(&text[..end]);
    names
}

fn says_nothing(path: &str, text: &str) -> Option<String> {
    if !path.ends_with(".rs") || !SOURCES.iter().any(|folder| path.starts_with(folder)) {
        return None;
    }
    let paragraph = text.lines().map_while(|line| line.strip_prefix("//! ")).last();
    let is_sentence = paragraph.is_some_and(|line| line.trim_end().ends_with('.'));
    (!is_sentence).then(|| format!("{path}: the first line is no `//!` that ends as a sentence does"))
}

fn names_this_machine(path: &str, text: &str) -> Option<String> {
    // In two parts, because this file is one of those that are looked through.
    let places = [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/wo", "rk/"), concat!("../sh", "ared")];
    let found = places.iter().find(|place| text.contains(**place))?;
    Some(format!("{path}: {found} means nothing on another machine"))
}

#[test]
fn the_source_has_its_shape() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    // New files too, so that a test run before the commit finds them. The directory may belong to another user.
    let arguments = ["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed = Command::new("git").args(arguments).current_dir(top).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let paths = String::from_utf8(listed.stdout).unwrap();
    let paths = paths.split_terminator('\0').filter(|path| top.join(path).is_file());
    let files: Vec<File> = paths.map(|path| (path.to_owned(), std::fs::read_to_string(top.join(path)).ok())).collect();
    assert!(files.iter().any(|(path, _)| path == "host/src/engine.rs"), "the source was found");
    assert_eq!(check(&files), Vec::<String>::new());
}

#[test]
fn what_is_out_of_shape_is_named() {
    let check = |path: &str, text: &str, expected: &[&str]| {
        assert_eq!(check(&[(path.to_owned(), Some(text.to_owned()))]), expected, "{path}: {text}");
    };
    check("host/src/log/block.rs", "//! A block.\nuse crate::event::Digest;\n", &[]);
    check("host/src/log.rs", "//! A log.\nuse crate::log::x; // crate::engine\n", &[]);
    check(
        "host/src/log/block.rs",
        "//! A block.\nuse crate::engine::Engine;\n",
        &["host/src/log/block.rs: log may not import engine"],
    );
    check(
        "host/src/cli.rs",
        "//! Words.\nuse crate::{\n  engine::{self, log},\n  state,\n};\nfn f() -> crate::plugin::View {}",
        &["host/src/cli.rs: cli may not import state", "host/src/cli.rs: cli may not import plugin"],
    );
    check(
        "host/src/event.rs",
        "//! Events.\nlet x = (crate::cbor::a, 1);",
        &["host/src/event.rs: event may not import cbor"],
    );
    check("host/src/util.rs", "//! Odds and ends.\n", &["host/src/util.rs: there is no floor util"]);
    let unsaid = "plugins/x/src/lib.rs: the first line is no `//!` that ends as a sentence does";
    check("plugins/x/src/lib.rs", "use std::fmt;", &[unsaid]);
    check("plugins/x/src/lib.rs", "//! Makes\n//! no end\n//!\n//! of it.", &[unsaid]);
    check("plugins/x/src/lib.rs", "//! Makes\n//! an end.\n//!\n//! More", &[]);
    check("scripts/x.sh", "", &["scripts: nothing of that name belongs at the top level"]);
    check(".ci/run", "", &[]);
    check("LICENSE-MIT", "", &[]);
    let home = concat!("/ho", "me/me/x");
    check("README.md", home, &[concat!("README.md: /ho", "me/ means nothing on another machine")]);
}
