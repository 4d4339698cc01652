//! The kits that the program carries, and the project that a template makes with one.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::Kind;
use crate::cli::error::Error;
use crate::event::PluginName;

/// A file by its path in guest-sdk/, with slashes, and its content.
type File = (&'static str, &'static [u8]);

/// `KIT/templates/LANGUAGE/KIND/…`, and the files of the kit itself.
const TEMPLATES: &str = "templates";

/// Where a project has its kit.
pub(in crate::cli) const VENDORED: &str = "polyfold";

/// Files that would mean something where the templates lie have this at the end of their names.
const NOT_YET: &str = ".in";

/// All kits with their templates.
#[derive(Clone, Copy)]
pub(in crate::cli) struct Kits(&'static [File]);

/// A language's kit.
pub(in crate::cli) struct Kit {
    kits: Kits,
    /// Its folder; languages that share a kit lie in one.
    folder: &'static str,
    language: &'static str,
}

/// A file of a project, by its path in it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct ProjectFile {
    pub(in crate::cli) path: PathBuf,
    pub(in crate::cli) content: Vec<u8>,
}

impl Kits {
    /// Those that the program was built with.
    pub(in crate::cli) const fn carried() -> Self {
        Self(include!(concat!(env!("OUT_DIR"), "/kits.rs")))
    }

    /// The kit of a language, which must have a template.
    pub(in crate::cli) fn kit(self, language: &str) -> Result<Kit, Error> {
        let mut templates = self.templates();
        let found = templates.find(|(_, known)| *known == language);
        found.map(|(folder, language)| Kit { kits: self, folder, language }).ok_or_else(|| {
            let known: Vec<_> = self.languages().into_iter().collect();
            Error::Usage(format!("no language {language:?} is known; known are {}", known.join(", ")))
        })
    }

    pub(in crate::cli) fn languages(self) -> BTreeSet<&'static str> {
        self.templates().map(|(_, language)| language).collect()
    }

    /// The kit's folder and the language of every file of a template.
    fn templates(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.0.iter().filter_map(|(path, _)| {
            let mut parts = path.split('/');
            let (kit, templates, language) = (parts.next()?, parts.next()?, parts.next()?);
            // A file beside the languages is none.
            (templates == TEMPLATES && parts.next().is_some()).then_some((kit, language))
        })
    }
}

impl Kit {
    pub(in crate::cli) fn language(&self) -> &'static str {
        self.language
    }

    /// All files of a new project, or none if the kit has no template of that kind.
    pub(in crate::cli) fn project(&self, kind: Kind, name: &PluginName) -> Option<Vec<ProjectFile>> {
        let template = format!("{}/{TEMPLATES}/{}/{}/", self.folder, self.language, kind.as_str());
        let files = |folder: String| {
            self.kits.0.iter().filter_map(move |(path, content)| Some((path.strip_prefix(&folder)?, *content)))
        };
        let mut project: Vec<_> = files(template).map(|(path, content)| filled(path, content, name)).collect();
        if project.is_empty() {
            return None;
        }
        let kit = files(format!("{}/", self.folder)).filter(|(path, _)| !path.starts_with(TEMPLATES));
        project.extend(kit.map(|(path, content)| ProjectFile {
            path: PathBuf::from(VENDORED).join(path),
            content: content.to_vec(),
        }));
        project.sort_by(|left, right| left.path.cmp(&right.path));
        Some(project)
    }
}

/// A template's file with the plugin's name in it.
fn filled(path: &str, content: &[u8], name: &PluginName) -> ProjectFile {
    let path = path.strip_suffix(NOT_YET).unwrap_or(path);
    let content = match std::str::from_utf8(content) {
        Ok(text) => named(text, name).into_bytes(),
        Err(_) => content.to_vec(),
    };
    ProjectFile { path: named(path, name).into(), content }
}

fn named(text: &str, name: &PluginName) -> String {
    text.replace("{{name}}", name.as_str()).replace("{{name_snake}}", &name.as_str().replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &[File] = &[
        ("js/README.md", b"the kit, {{name}}"),
        ("js/src/index.js", b"export"),
        ("js/templates/README.md", b"of templates"),
        ("js/templates/javascript/projection/.gitignore.in", b"build/"),
        ("js/templates/javascript/projection/src/{{name_snake}}.js", b"name: {{name}}, {{name_snake}}, {{other}}"),
        ("js/templates/typescript/projection/image.png", b"\xff{{name}}"),
        ("zig/polyfold.zig", b"pub"),
    ];

    #[test]
    fn a_project_has_the_kit_and_the_template_with_the_name_in_it() {
        let kits = Kits(FILES);
        assert_eq!(Vec::from_iter(kits.languages()), ["javascript", "typescript"]);
        let name = PluginName::new("my-plugin").unwrap();
        let files = kits.kit("javascript").unwrap().project(Kind::Projection, &name).unwrap();
        let files: Vec<_> = files.iter().map(|file| (file.path.to_str().unwrap(), file.content.as_slice())).collect();
        let expected: [(&str, &[u8]); 4] = [
            (".gitignore", b"build/"),
            ("polyfold/README.md", b"the kit, {{name}}"),
            ("polyfold/src/index.js", b"export"),
            ("src/my_plugin.js", b"name: my-plugin, my_plugin, {{other}}"),
        ];
        assert_eq!(files, expected);
        assert!(kits.kit("javascript").unwrap().project(Kind::Upcaster, &name).is_none());
        let picture = &kits.kit("typescript").unwrap().project(Kind::Projection, &name).unwrap()[0];
        assert_eq!(picture.content, b"\xff{{name}}");
    }

    #[test]
    fn an_unknown_language_names_the_known_ones() {
        let refusal = |language| Kits(FILES).kit(language).err().unwrap().to_string();
        assert_eq!(refusal("cobol"), "no language \"cobol\" is known; known are javascript, typescript");
        assert_eq!(refusal("README.md"), "no language \"README.md\" is known; known are javascript, typescript");
    }

    #[test]
    fn every_language_that_is_carried_has_both_templates() {
        let name = PluginName::new("my-plugin").unwrap();
        for language in Kits::carried().languages() {
            for kind in [Kind::Projection, Kind::Upcaster] {
                let files = Kits::carried().kit(language).unwrap().project(kind, &name).unwrap_or_default();
                let has = |path: &str| files.iter().any(|file| file.path == std::path::Path::new(path));
                assert!(has("polyfold.toml") && has("README.md") && has(".gitignore"), "{language} {kind:?}");
                let project = files.iter().find(|file| file.path == std::path::Path::new("polyfold.toml")).unwrap();
                let project = super::super::Said::of(std::str::from_utf8(&project.content).unwrap()).unwrap();
                assert_eq!((project.plugin.name.0.as_str(), project.plugin.kind), ("my-plugin", kind), "{language}");
                assert_eq!(project.plugin.language, language);
            }
        }
    }
}
