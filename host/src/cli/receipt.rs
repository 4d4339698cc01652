//! `receipt`: checking what a host has signed, and writing such documents.

mod shown;

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use ciborium::Value;
use clap::{Args, Subcommand, ValueEnum};

use super::Context;
use super::client::{Content, Query};
use super::error::{Error, named};
use super::output::show;
use super::plugin::read_plugin;
use crate::engine::{DOCUMENT_BYTES_MAX, Document, PublicKey, check_document};
use crate::server::model::{CheckedReceipt, HostKey};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check a receipt or a proof: its signature, what it proves, and, where there is a log, that the same events and plugins
    /// make the same state.
    Check(Check),
    /// Show the public key that signs the receipts of this data directory.
    Key,
}

impl Command {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        match self {
            Self::Check(check) => check.run(context),
            Self::Key => {
                let key: HostKey = context.connect()?.get("/key")?;
                context.output.data(&key, |key| key.key.clone())
            }
        }
    }
}

/// Check a receipt or a proof. Exit code 5 says that it does not hold, and the message what differs.
///
/// Without a log at the data directory only the document itself is checked. With one, it needs the log and the plugins that the
/// receipt names, and nothing else: the state is made anew.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The document, JSON or CBOR, or `-` for standard input.
    file: PathBuf,
    /// The public key that must have signed it; without it anybody may have.
    #[arg(long, value_name = "HEX")]
    key: Option<PublicKey>,
    /// A plugin that the receipt names and the data directory lacks.
    #[arg(long = "plugin", value_name = "FILE")]
    plugins: Vec<PathBuf>,
    /// Check the document alone, even where there is a log.
    #[arg(long, conflicts_with = "plugins")]
    signature_only: bool,
}

impl Check {
    fn run(self, context: &mut Context) -> Result<(), Error> {
        let bytes = read(&self.file)?;
        let unfit = |error: &dyn std::fmt::Display| Error::Refused(format!("{}: {error}", self.named()));
        let document = Document::parse(&bytes).map_err(|error| unfit(&error))?;
        document.receipt().map_err(|error| unfit(&error))?;
        let dir = &context.settings.data_dir;
        let has_log = ["log.redb", "socket"].iter().any(|name| dir.join(name).exists());
        let checked = if has_log && !self.signature_only {
            self.with_log(context, &bytes)?
        } else if !self.plugins.is_empty() {
            let text = format!("plugins are for a check against a log, and there is none at {}", dir.display());
            return Err(Error::Usage(format!("{text}; --data-dir names one")));
        } else {
            check_document(document.clone(), self.key()).map_err(|error| unfit(&error))?.into()
        };
        context.output.data(&checked, |checked| shown::checked(checked, &document))?;
        match &checked.detail {
            Some(detail) => Err(Error::Found(format!("{} is refused: {detail}", self.named()))),
            None => {
                self.remark(context, has_log);
                Ok(())
            }
        }
    }

    fn with_log(&self, context: &Context, bytes: &[u8]) -> Result<CheckedReceipt, Error> {
        let plugins = self.plugins.iter().map(|path| read_plugin(path)).collect::<Result<Vec<_>, _>>()?;
        let plugins = Value::Array(plugins.into_iter().map(Value::Bytes).collect());
        let body = [("document", Value::Bytes(bytes.to_vec())), ("plugins", plugins)];
        let body = Value::Map(body.map(|(name, value)| (Value::from(name), value)).into());
        let mut cbor = Vec::new();
        ciborium::into_writer(&body, &mut cbor).expect("writing to memory cannot fail");
        let query = Query::of("/receipts/check").with_some("key", self.key());
        let mut client = context.connect_to_check()?;
        let bar = context.output.events_bar("checking", 0);
        let checked = client.work_on(query.path(), Content::Cbor(cbor), |progress| show(&bar, progress));
        bar.finish_and_clear();
        checked.map_err(|error| match error {
            Error::Problem(problem) => Error::Plugin { path: self.file.clone(), problem },
            error => error,
        })
    }

    fn key(&self) -> Option<&str> {
        self.key.as_ref().map(PublicKey::as_str)
    }

    fn named(&self) -> String {
        if is_standard(&self.file) { "standard input".to_owned() } else { named(&self.file) }
    }

    /// What the check leaves open.
    fn remark(&self, context: &Context, has_log: bool) {
        if self.key.is_none() {
            context.output.remark("whose key that is, it does not say; --key names the one that is expected");
        }
        if self.signature_only {
            context.output.remark("the log was not looked at");
        } else if !has_log {
            let dir = context.settings.data_dir.display();
            context.output.remark(&format!("there is no log at {dir} to check it against; --data-dir names one"));
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    // One byte more tells that there are too many.
    let bytes_max = DOCUMENT_BYTES_MAX as u64 + 1;
    let read = match is_standard(path) {
        true => std::io::stdin().lock().take(bytes_max).read_to_end(&mut bytes),
        false => File::open(path).map_err(failed)?.take(bytes_max).read_to_end(&mut bytes),
    };
    read.map_err(failed)?;
    Ok(bytes)
}

/// Whether a path stands for standard input or output.
fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    /// Canonical CBOR.
    Cbor,
}

/// Where a document is written, and how.
#[derive(Debug, Args)]
pub(super) struct Writing {
    /// The file to write, which must not exist yet; standard output if left out, or `-`.
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// By the file's ending if left out: CBOR for `.cbor`, else JSON. Both have the same content and signature.
    #[arg(long)]
    format: Option<Format>,
}

impl Writing {
    pub(super) fn write(&self, context: &mut Context, document: &Document) -> Result<(), Error> {
        let is_cbor = self.output.as_deref().and_then(Path::extension).is_some_and(|ending| ending == "cbor");
        let format = self.format.unwrap_or(if is_cbor { Format::Cbor } else { Format::Json });
        let Some(path) = self.output.as_ref().filter(|path| !is_standard(path)) else {
            return match format {
                Format::Json => context.output.data(document, pretty),
                Format::Cbor => context.output.write(&cbor(document)?),
            };
        };
        let bytes = match format {
            Format::Json => pretty(document).into_bytes(),
            Format::Cbor => cbor(document)?,
        };
        let failed = |source: std::io::Error| match source.kind() {
            ErrorKind::AlreadyExists => {
                Error::Usage(format!("{} exists already; name another file, or remove it first", named(path)))
            }
            _ => Error::File { path: path.clone(), source },
        };
        let mut file = File::create_new(path).map_err(failed)?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed)?;
        context.output.remark(&format!("wrote {}", named(path)));
        Ok(())
    }
}

fn pretty(document: &Document) -> String {
    let json: serde_json::Value = serde_json::from_str(&document.to_json()).expect("it was written just now");
    serde_json::to_string_pretty(&json).expect("it is plain data") + "\n"
}

fn cbor(document: &Document) -> Result<Vec<u8>, Error> {
    document.to_cbor().map_err(|error| Error::Refused(error.to_string()))
}
