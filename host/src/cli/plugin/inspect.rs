//! `plugin inspect`: what a plugin says of itself, and what is in its file.

use std::path::Path;

use axum::http::Method;
use clap::Args;
use serde::Serialize;

use super::install::Upload;
use super::origin::{signer_in_full, source};
use super::{Context, Error, of_file, read_plugin};
use crate::cli::client::segment;
use crate::cli::output::{count, count_of, size};
use crate::server::model::{Contents, Extent, Import, Module, PluginDetails};

#[derive(Debug, Args)]
pub(in crate::cli) struct Inspect {
    /// An installed plugin (name, name@version, or the start of its digest) or a file, of which nothing is compiled or
    /// run.
    plugin: String,
    /// With a file: compile it too and ask it in the sandbox what it is.
    #[arg(long)]
    describe: bool,
}

/// What is said of a plugin: by itself if it was asked, and by its file.
#[derive(Serialize)]
struct Inspected {
    #[serde(flatten)]
    details: Option<PluginDetails>,
    contents: Contents,
}

type Row = (&'static str, String);

impl Inspect {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        let path = Path::new(&self.plugin);
        let mut client = context.connect()?;
        let inspected = if path.is_file() {
            let bytes = read_plugin(path)?;
            let content = || Upload::of(bytes.clone()).content();
            let contents = client.ask(Method::POST, "/plugins/contents", content());
            let contents = contents.map_err(|error| of_file(path, error))?;
            let details = self.describe.then(|| client.ask(Method::POST, "/plugins/inspect", content()));
            Inspected { details: details.transpose().map_err(|error| of_file(path, error))?, contents }
        } else {
            let route = format!("/plugins/{}", segment(&self.plugin));
            Inspected { details: Some(client.get(&route)?), contents: client.get(&format!("{route}/contents"))? }
        };
        context.output.data(&inspected, readable)
    }
}

fn readable(Inspected { details, contents }: &Inspected) -> String {
    let mut rows = Vec::new();
    match details {
        Some(details) => rows.extend(said(details)),
        None => rows.extend(found(contents)),
    }
    rows.extend(imports(&contents.imports));
    rows.extend(details.iter().flat_map(wanted));
    rows.extend(parts(contents));
    rows.extend(builder(contents));
    rows.iter().map(|(name, value)| format!("{name:<10} {value}")).collect::<Vec<_>>().join("\n")
}

/// Who a plugin is, by what it was asked and by how it came here.
fn said(details: &PluginDetails) -> Vec<Row> {
    let mut rows = vec![
        ("plugin", format!("{}@{}, {}", details.name, details.version, details.kind)),
        ("makes", details.description.clone()),
        ("digest", details.digest.clone()),
        ("signature", signer_in_full(details.signature.as_ref())),
    ];
    rows.extend(details.source.as_ref().map(|it| ("source", source(it))));
    rows.push(("ABI", format!("{}, exported as {}", details.abi, details.export)));
    rows
}

/// What a file is, by its exports alone.
fn found(contents: &Contents) -> Vec<Row> {
    let plugin = match (&contents.kind, &contents.abi, &contents.refused) {
        (Some(kind), Some(abi), _) => format!("{kind}, ABI {abi}; --describe asks it for its name"),
        (_, _, Some(refused)) => format!("none that this host can run: {}", clean(refused)),
        (_, _, None) => "unknown".to_owned(),
    };
    vec![("plugin", plugin), ("digest", contents.digest.clone())]
}

/// Imports, together where they are given the same.
fn imports(imports: &[Import]) -> Vec<Row> {
    let mut given: Vec<(&str, Vec<String>)> = Vec::new();
    for import in imports {
        match given.iter_mut().find(|(what, _)| *what == import.given) {
            Some((_, names)) => names.push(clean(&import.name)),
            None => given.push((&import.given, vec![clean(&import.name)])),
        }
    }
    if given.is_empty() {
        return vec![("imports", "nothing".to_owned())];
    }
    given.into_iter().map(|(what, names)| ("imports", format!("{} ({what})", names.join(", ")))).collect()
}

fn wanted(details: &PluginDetails) -> Vec<Row> {
    let list = |names: &[String], none: &str| if names.is_empty() { none.to_owned() } else { names.join(", ") };
    let mut rows = Vec::new();
    rows.extend(details.event_types.as_ref().map(|types| ("events", list(types, "every type"))));
    rows.extend(details.categories.as_ref().map(|categories| ("categories", list(categories, "every category"))));
    rows.extend(details.state_encoding.clone().map(|encoding| ("state", encoding)));
    rows.extend(
        details.views.iter().map(|view| ("view", format!("{} ({}…): {}", view.name, view.prefix, view.description))),
    );
    rows.extend(details.steps.iter().map(|step| {
        let renamed = step.new_event_type.as_ref().map_or_else(String::new, |name| format!(" as {name}"));
        ("step", format!("{} from schema version {} to {}{renamed}", step.event_type, step.from, step.to))
    }));
    rows
}

/// Shown of the lists that have no end.
const SHOWN: usize = 12;

fn parts(contents: &Contents) -> Vec<Row> {
    let mut file = format!("{} of {}", contents.form, size(contents.bytes));
    file.push_str(&format!(", {}", count_of(contents.modules.len() as u64, "module")));
    if contents.components > 0 {
        file.push_str(&format!(" and {} in it", count_of(contents.components, "component")));
    }
    let (code, data) = (size(contents.code_bytes), size(contents.data_bytes));
    file.push_str(&format!(": {}, {code} of code, {data} of data", count_of(contents.functions, "function")));
    let (least, allowed) = (contents.memory_bytes_minimum, contents.memory_bytes_allowed);
    let verdict = if least > allowed { ", which is too much" } else { "" };
    let mut rows = vec![
        ("file", file),
        ("memory", format!("{} from the beginning, {} allowed{verdict}", size(least), size(allowed))),
    ];
    let largest = |module: &&Module| std::cmp::Reverse(module.code_bytes);
    let mut modules: Vec<_> = contents.modules.iter().collect();
    modules.sort_by_key(largest);
    rows.extend(modules.iter().take(SHOWN).map(|module| ("module", part(module))));
    if modules.len() > SHOWN {
        rows.push(("module", format!("and {} smaller ones", modules.len() - SHOWN)));
    }
    rows
}

fn part(module: &Module) -> String {
    let name = module.name.as_deref().map_or_else(|| "no name".to_owned(), clean);
    let (functions, code) = (count_of(module.functions, "function"), size(module.code_bytes));
    let mut text = format!("{name}: {functions}, {code} of code, {} of data", size(module.data_bytes));
    for memory in &module.memories {
        text.push_str(&format!(", memory {}", extent(memory, size)));
    }
    for table in &module.tables {
        text.push_str(&format!(", table of {}", extent(table, count)));
    }
    text
}

fn extent(extent: &Extent, shown: fn(u64) -> String) -> String {
    match extent.maximum {
        Some(maximum) => format!("{} to {}", shown(extent.minimum), shown(maximum)),
        None => format!("{} and more", shown(extent.minimum)),
    }
}

/// What the builder wrote into the file.
fn builder(contents: &Contents) -> Vec<Row> {
    let field = |wanted: &str| {
        let found = contents.producers.iter().filter(|producer| producer.field == wanted);
        let texts = found.map(|it| clean(format!("{} {}", it.name, it.version).trim_end()));
        texts.collect::<Vec<_>>().join(", ")
    };
    let mut rows: Vec<Row> = [("language", "language"), ("tools", "processed-by"), ("SDK", "sdk")]
        .map(|(title, name)| (title, field(name)))
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .collect();
    rows.extend(contents.about.iter().map(|(name, text)| ("about", format!("{}: {}", clean(name), clean(text)))));
    if !contents.dependencies.is_empty() {
        let names: Vec<_> =
            contents.dependencies.iter().map(|it| clean(&format!("{} {}", it.name, it.version))).collect();
        rows.push(("built in", names.join(", ")));
    }
    let mut sections: Vec<_> = contents.custom_sections.iter().collect();
    sections.sort_by_key(|section| std::cmp::Reverse(section.bytes));
    let shown = sections.iter().take(SHOWN).map(|it| format!("{} {}", clean(&it.name), size(it.bytes)));
    let mut shown: Vec<_> = shown.collect();
    if sections.len() > SHOWN {
        shown.push(format!("{} more", sections.len() - SHOWN));
    }
    if !shown.is_empty() {
        rows.push(("sections", shown.join(", ")));
    }
    if contents.left_out > 0 {
        rows.push(("left out", format!("{}, because the lists above are full", count_of(contents.left_out, "thing"))));
    }
    rows
}

/// A foreign text without what a terminal would obey.
fn clean(text: &str) -> String {
    text.escape_debug().to_string()
}
