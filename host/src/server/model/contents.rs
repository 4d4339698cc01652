//! What is in a plugin's file, as it goes over the wire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The parts of a plugin's file. Nothing of it was compiled or run.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Contents {
    /// `component` or `module`.
    pub form: String,
    pub bytes: u64,
    /// BLAKE3 of the file.
    pub digest: String,
    /// `projection` or `upcaster`; absent if it is no plugin for this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abi: Option<String>,
    /// Why it cannot be installed here, if it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    pub imports: Vec<Import>,
    pub exports: Vec<String>,
    pub modules: Vec<Module>,
    /// Components in it, itself not counted.
    pub components: u64,
    pub functions: u64,
    pub code_bytes: u64,
    pub data_bytes: u64,
    /// What all its memories have from the beginning.
    pub memory_bytes_minimum: u64,
    /// What an instance may have here, unless a projection says otherwise.
    pub memory_bytes_allowed: u64,
    /// Custom sections of all modules and components.
    pub custom_sections: Vec<CustomSections>,
    /// Languages and tools, as the tools themselves say.
    pub producers: Vec<Producer>,
    /// What its builder wrote into it: authors, description, licenses, source, homepage, revision, version.
    pub about: BTreeMap<String, String>,
    /// The libraries that were built in, where the build lists them (`cargo auditable`).
    pub dependencies: Vec<Dependency>,
    /// Things that are in the file and not in these lists, because those are full: 1,000 each.
    pub left_out: u64,
}

/// Something that a plugin imports.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Import {
    pub name: String,
    /// What a plugin gets that calls it, or why it is not offered.
    pub given: String,
    pub is_offered: bool,
}

/// A core module.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Module {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub functions: u64,
    pub code_bytes: u64,
    pub data_bytes: u64,
    /// In bytes.
    pub memories: Vec<Extent>,
    /// In elements.
    pub tables: Vec<Extent>,
}

/// How large something is at first, and may become.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Extent {
    pub minimum: u64,
    pub maximum: Option<u64>,
}

/// Custom sections of one name.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CustomSections {
    pub name: String,
    pub count: u64,
    pub bytes: u64,
}

/// A language or tool that had a hand in it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Producer {
    /// `language`, `processed-by` or `sdk`.
    pub field: String,
    pub name: String,
    /// May be empty.
    pub version: String,
}

/// A library that was built in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Dependency {
    pub name: String,
    pub version: String,
    /// `crates.io`, `git`, `local`, `registry`, or empty.
    pub source: String,
}
