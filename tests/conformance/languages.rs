//! Every language's built plugin against the traces, and the table of what came of it.

use std::path::{Path, PathBuf};

use polyfold::engine::{Bench, CUTS_MAX, Tested};

use super::{bench, committed};
use crate::guests;

/// Those that a kit is there for.
const LANGUAGES: [&str; 8] = ["rust", "c", "zig", "assemblyscript", "go", "javascript", "typescript", "python"];

/// The folder of the other languages' plugins.
const BUILT: &str = "POLYFOLD_CONFORMANCE";

/// The built plugin of a language, if it can be had.
fn plugin(language: &str, kind: &str) -> Option<PathBuf> {
    if language == "rust" {
        return Some(guests::path(if kind == "projection" { "conformance" } else { "conformance-v2" }));
    }
    let folder = std::env::var_os(BUILT)?;
    Some(Path::new(&folder).join(format!("{language}-{kind}.wasm"))).filter(|path| path.is_file())
}

/// A row of the table, and what is wrong with it.
fn test(bench: &Bench, language: &str, kind: &str, path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let subject = bench.load(&bytes, &mut |_| {}).map_err(|error| format!("{}: {error}", path.display()))?;
    let tested = subject.test(&committed(kind), CUTS_MAX).map_err(|error| error.to_string())?;
    let row = row(language, kind, bytes.len(), &tested);
    if tested.is_same() { Ok(row) } else { Err(format!("{row}\n{:#?}\n{:#?}", first(&tested.differences), tested.cut)) }
}

fn first<T>(all: &[T]) -> &[T] {
    &all[..all.len().min(5)]
}

fn row(language: &str, kind: &str, bytes: usize, tested: &Tested) -> String {
    let digest = tested.trace.made.digest().short();
    let fuel = tested.trace.made.fuel().map_or_else(String::new, |fuel| (fuel / tested.events).to_string());
    let (events, cuts, seconds) = (tested.events, tested.cuts, tested.took.as_secs_f64());
    format!("{language:<15} {kind:<11} {digest}  {events:>6}  {cuts:>5}  {fuel:>11}  {seconds:>7.2}  {bytes:>10}")
}

#[test]
fn every_language_that_is_built_ends_in_the_same_digest() {
    let bench = bench();
    let (mut wrong, mut skipped) = (Vec::new(), Vec::new());
    println!("language        kind        digest        events   cuts  fuel/event   seconds       bytes");
    for language in LANGUAGES {
        for kind in ["projection", "upcaster"] {
            match plugin(language, kind) {
                Some(path) => match test(&bench, language, kind, &path) {
                    Ok(row) => println!("{row}"),
                    Err(why) => wrong.push(format!("{language} {kind}: {why}")),
                },
                None => skipped.push(format!("{language} {kind}")),
            }
        }
    }
    if !skipped.is_empty() {
        println!("skipped, because {BUILT} does not have them: {} ({})", skipped.len(), skipped.join(", "));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
