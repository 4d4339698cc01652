//! What a plugin's builder wrote into its file: tools, authors and licence, and the dependencies that were built in.

use std::collections::BTreeMap;
use std::io::Read as _;

use serde::Deserialize;
use wasmparser::{CustomSectionReader, KnownCustom};

use super::{cut, push};

/// Custom sections that hold a text: the registry metadata of the Bytecode Alliance's tools.
const ABOUT: [&str; 7] = ["authors", "description", "licenses", "source", "homepage", "revision", "version"];
/// A description is a few sentences.
const ABOUT_BYTES_MAX: usize = 4 << 10;
/// Where `cargo auditable` writes, and how much JSON that may be: a program with 1,000 dependencies has some 100 KiB.
const AUDITABLE: &str = ".dep-v0";
const AUDITABLE_BYTES_MAX: u64 = 4 << 20;

/// A language or tool that had a hand in it, as the tool itself says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Producer {
    /// `language`, `processed-by` or `sdk`.
    pub field: String,
    pub name: String,
    /// May be empty.
    pub version: String,
}

/// A library that was built in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Dependency {
    pub name: String,
    pub version: String,
    /// `crates.io`, `git`, `local` or `registry`.
    #[serde(default)]
    pub source: String,
}

#[derive(Deserialize)]
struct Auditable {
    packages: Vec<Dependency>,
}

#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) producers: Vec<Producer>,
    pub(super) about: BTreeMap<String, String>,
    pub(super) dependencies: Vec<Dependency>,
    pub(super) left_out: u64,
}

impl Said {
    /// Takes what a section says. One that is broken says nothing, and hides nothing of the others.
    pub(super) fn take(&mut self, section: &CustomSectionReader<'_>) {
        if let KnownCustom::Producers(producers) = section.as_known() {
            for field in producers.into_iter().map_while(Result::ok) {
                for value in field.values.into_iter().map_while(Result::ok) {
                    let producer = || Producer {
                        field: field.name.to_owned(),
                        name: cut(value.name),
                        version: cut(value.version),
                    };
                    self.producer(producer());
                }
            }
        } else if section.name() == AUDITABLE {
            self.dependencies(section.data());
        } else if ABOUT.contains(&section.name())
            && let Ok(text) = std::str::from_utf8(section.data())
        {
            // The outermost says it of the whole.
            let text = || text[..text.floor_char_boundary(ABOUT_BYTES_MAX)].to_owned();
            self.about.entry(section.name().to_owned()).or_insert_with(text);
        }
    }

    /// Modules of one build name the same tools again.
    fn producer(&mut self, producer: Producer) {
        if !self.producers.contains(&producer) {
            push(&mut self.producers, &mut self.left_out, || producer);
        }
    }

    fn dependencies(&mut self, packed: &[u8]) {
        let mut json = Vec::new();
        let unpacked = flate2::read::ZlibDecoder::new(packed).take(AUDITABLE_BYTES_MAX).read_to_end(&mut json);
        let Some(said) = unpacked.ok().and_then(|_| serde_json::from_slice::<Auditable>(&json).ok()) else { return };
        for Dependency { name, version, source } in said.packages {
            let cut = || Dependency { name: cut(&name), version: cut(&version), source: cut(&source) };
            push(&mut self.dependencies, &mut self.left_out, cut);
        }
    }

    pub(super) fn settled(mut self) -> Self {
        self.producers.sort();
        self.dependencies.sort();
        self.dependencies.dedup();
        self
    }
}
