//! `plugin install` and `plugin push`: a plugin's file, its signature, and the registry that it comes from or goes to.

use std::path::{Path, PathBuf};

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;

use super::origin::signer;
use super::{Client, Compiling, Content, Context, Error, Installed, Project, Projection, read_plugin, rebuild, watch};
use crate::cli::error::named;
use crate::cli::output::size;
use crate::cli::registry::{self, Login, Pushed, Reference};
use crate::engine::{SIGNATURE_BYTES_MAX, SmallFileError, read_small};
use crate::server::origin::{SIGNATURE, SOURCE};

#[derive(Debug, Args)]
pub(in crate::cli) struct Install {
    /// The plugin's file, or a project's folder, whose build it takes, or what a registry calls it
    /// (oci://HOST/REPOSITORY:TAG@sha256:DIGEST): a component, or a core module, which is wrapped.
    #[arg(default_value = ".")]
    file: PathBuf,
    /// The file's minisign signature [default: FILE.minisig if it is there; the one that the registry has].
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// Refuse it unless a trusted publisher signed it, even where the host takes others.
    #[arg(long)]
    require_signature: bool,
    #[command(flatten)]
    login: Login,
    /// Install the file again whenever it changes, and let projections that run its plugin go over to it, until
    /// interrupted.
    #[arg(long, conflicts_with_all = ["signature", "require_signature"])]
    watch: bool,
    /// With --watch: upgrade only this projection; may be given several times.
    #[arg(long = "projection", value_name = "NAME", requires = "watch")]
    projections: Vec<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Push {
    /// The plugin's file, or a project's folder, whose build it takes.
    file: PathBuf,
    /// Where it goes: oci://HOST/REPOSITORY:TAG.
    reference: String,
    /// The file's minisign signature, which goes along [default: FILE.minisig if it is there].
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    #[command(flatten)]
    login: Login,
}

/// A plugin that is to be installed, with all that goes along.
pub(in crate::cli) struct Upload {
    bytes: Vec<u8>,
    /// The text of a minisign signature.
    signature: Option<String>,
    source: Option<String>,
    require_signature: bool,
}

impl Upload {
    /// A file alone.
    pub(in crate::cli) fn of(bytes: Vec<u8>) -> Self {
        Self { bytes, signature: None, source: None, require_signature: false }
    }

    pub(in crate::cli) fn content(self) -> Content {
        let mut headers = HeaderMap::new();
        let texts = [(SIGNATURE, self.signature.map(|text| STANDARD.encode(text))), (SOURCE, self.source)];
        for (name, text) in texts {
            if let Some(text) = text {
                headers.insert(name, text.parse().expect("base64 and references are plain text"));
            }
        }
        Content::Component { bytes: self.bytes, headers }
    }
}

impl Install {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        if let Some(name) = self.file.to_str().filter(|name| Reference::is_meant(name)) {
            if self.watch {
                return Err(Error::Usage("--watch is for a file that a build makes, not for a registry".to_owned()));
            }
            let reference = Reference::parse(name)?;
            let upload = self.pulled(context, &reference)?;
            return run(context, Path::new(name), upload);
        }
        let file = built(self.file)?;
        if self.watch {
            return watch::run(context, &file, &self.projections);
        }
        let bytes = read_plugin(&file)?;
        let signature = signature_of(&file, self.signature.as_deref())?;
        run(context, &file, Upload { bytes, signature, source: None, require_signature: self.require_signature })
    }

    fn pulled(&self, context: &Context, reference: &Reference) -> Result<Upload, Error> {
        let own = self.signature.as_deref().map(read_signature).transpose()?;
        let bar = context.output.spinner(&format!("getting {reference}"));
        let pulled = registry::pull(reference, &self.login);
        bar.finish_and_clear();
        let registry::Pulled { bytes, signature, source } = pulled?;
        let signature = own.or(signature);
        Ok(Upload { bytes, signature, source: Some(source), require_signature: self.require_signature })
    }
}

impl Push {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        let reference = Reference::parse(&self.reference)?;
        let file = built(self.file)?;
        let bytes = read_plugin(&file)?;
        let signature = signature_of(&file, self.signature.as_deref())?;
        let bar = context.output.spinner(&format!("pushing {}", file.display()));
        let pushed = registry::push(&reference, &self.login, bytes, signature);
        bar.finish_and_clear();
        context.output.data(&pushed?, |Pushed { reference, digest, bytes, signed }| {
            let how = if *signed { "with its signature" } else { "unsigned" };
            format!("{reference} pushed, {}, {how}; it is pinned by @{digest}", size(*bytes))
        })
    }
}

/// What a project's build made, or the file itself.
fn built(file: PathBuf) -> Result<PathBuf, Error> {
    if file.is_dir() { Ok(Project::open(&file)?.built()) } else { Ok(file) }
}

/// The signature that was named, or the one beside the file if there is one.
fn signature_of(file: &Path, named: Option<&Path>) -> Result<Option<String>, Error> {
    if let Some(named) = named {
        return read_signature(named).map(Some);
    }
    let mut beside = file.as_os_str().to_owned();
    beside.push(".minisig");
    let beside = PathBuf::from(beside);
    // Also what cannot be read is there: it must not pass for a file without a signature.
    if beside.exists() || beside.is_symlink() { read_signature(&beside).map(Some) } else { Ok(None) }
}

fn read_signature(path: &Path) -> Result<String, Error> {
    read_small(path, SIGNATURE_BYTES_MAX as u64).map_err(|error| match error {
        SmallFileError::Missing(source) | SmallFileError::Io(source) => Error::File { path: path.to_owned(), source },
        error @ (SmallFileError::Dangling
        | SmallFileError::NoFile
        | SmallFileError::TooLarge(_)
        | SmallFileError::NotText) => Error::Refused(format!("{} is no minisign signature: {error}", named(path))),
    })
}

fn run(context: &mut Context, file: &Path, upload: Upload) -> Result<(), Error> {
    let mut client = context.connect()?;
    let installed = install(&mut client, context, file, upload)?;
    context.output.data(&installed, |installed| {
        let plugin = &installed.plugin;
        let how = if installed.known { "was installed before" } else { "installed" };
        let (digest, signer) = (&plugin.digest[..12], signer(plugin.signature.as_ref()));
        format!("{} {}@{} {how}, digest {digest}, {signer}", plugin.kind, plugin.name, plugin.version)
    })?;
    for projection in client.get::<Vec<Projection>>("/projections")? {
        let runs = &projection.building.as_ref().unwrap_or(&projection.readable);
        let has_name = runs.plugin.split_once('@').is_some_and(|(name, _)| name == installed.plugin.name);
        if has_name && runs.plugin_digest != installed.plugin.digest {
            let (name, old) = (&projection.name, &runs.plugin);
            let text =
                format!("projection {name:?} still runs {old}; `polyfold projection upgrade {name}` builds it anew");
            context.output.remark(&text);
        }
    }
    rebuild(&mut client, context, &installed.rebuilt)
}

/// Installs a plugin, under a bar that counts compiled functions.
pub(super) fn install(client: &mut Client, context: &Context, file: &Path, upload: Upload) -> Result<Installed, Error> {
    let bar = context.output.functions_bar(&format!("compiling {}", file.display()));
    let show = |now: &Compiling| {
        bar.set_length(now.functions_total);
        bar.set_position(now.functions);
    };
    let path = if upload.require_signature { "/plugins?require_signature=true" } else { "/plugins" };
    let installed = client.work_on(path, upload.content(), show);
    bar.finish_and_clear();
    installed.map_err(|error| super::of_file(file, error))
}
