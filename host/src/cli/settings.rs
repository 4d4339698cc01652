//! What a user may set, and where each value comes from: a flag, the environment, a TOML file, or the default.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args};
use serde::Deserialize;

use super::error::Error;
use super::toml;
use crate::engine::{Policy, Share};

/// What every command takes.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Common {
    /// The directory that holds log, plugins and states [default: polyfold-data].
    #[arg(long, global = true, env = "POLYFOLD_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// A TOML file with settings [default: polyfold.toml in the data directory, if there is one].
    #[arg(long, global = true, env = "POLYFOLD_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// How long to wait for another process to let go of the data directory [default: 10].
    #[arg(long, global = true, env = "POLYFOLD_LOCK_WAIT", value_name = "SECONDS", value_parser = seconds)]
    lock_wait: Option<Seconds>,

    /// What to log: a level, or a filter such as `info,polyfold::server=debug` [default: off; info for serve].
    #[arg(long, global = true, env = "POLYFOLD_LOG", value_name = "FILTER")]
    log: Option<String>,

    /// How the log looks [default: human].
    #[arg(long, global = true, env = "POLYFOLD_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

/// What `serve` takes beside that.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Service {
    /// A TCP address to listen on too, for example 127.0.0.1:7070; may be repeated. Port 0 takes a free one.
    #[arg(long, env = "POLYFOLD_LISTEN", value_name = "ADDRESS", value_delimiter = ',')]
    listen: Option<Vec<SocketAddr>>,

    /// The certificate chain for TLS on those addresses, as PEM.
    #[arg(long, env = "POLYFOLD_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,

    /// The certificate's private key, as PEM.
    #[arg(long, env = "POLYFOLD_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,

    /// Ask for a token on loopback addresses too, for example behind a proxy.
    #[arg(long, env = "POLYFOLD_REQUIRE_TOKEN", num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    require_token: Option<bool>,

    /// Take and run only plugins that a trusted publisher signed, whatever the trust file says.
    #[arg(long, env = "POLYFOLD_REQUIRE_SIGNATURE", num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    require_signature: Option<bool>,

    /// Encrypt what is appended to this category from now on; may be given several times.
    #[arg(long, env = "POLYFOLD_ENCRYPT", value_name = "CATEGORY", value_delimiter = ',')]
    encrypt: Option<Vec<String>>,

    /// How long accepted requests have to finish at shutdown [default: 10].
    #[arg(long, env = "POLYFOLD_GRACE", value_name = "SECONDS", value_parser = seconds)]
    grace: Option<Seconds>,

    /// Connections at once; more wait until one ends [default: 16384].
    #[arg(long, env = "POLYFOLD_MAX_CONNECTIONS", value_name = "NUMBER")]
    max_connections: Option<usize>,

    /// How long a request's headers, or a TLS handshake, may take [default: 10].
    #[arg(long, env = "POLYFOLD_HEADER_TIMEOUT", value_name = "SECONDS", value_parser = seconds)]
    header_timeout: Option<Seconds>,

    /// The share of its batches, in percent, that every projection folds once more under other conditions [default: off].
    #[arg(long, env = "POLYFOLD_PROBE", value_name = "PERCENT")]
    probe: Option<Share>,

    /// How long a request's body may be silent [default: 30].
    #[arg(long, env = "POLYFOLD_BODY_TIMEOUT", value_name = "SECONDS", value_parser = seconds)]
    body_timeout: Option<Seconds>,
}

/// How the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum LogFormat {
    #[default]
    Human,
    Json,
}

/// A time in seconds, with a fraction or without.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(super) struct Seconds(pub(super) Duration);

impl TryFrom<f64> for Seconds {
    type Error = String;

    fn try_from(seconds: f64) -> Result<Self, String> {
        Duration::try_from_secs_f64(seconds).map(Self).map_err(|error| error.to_string())
    }
}

pub(super) fn seconds(text: &str) -> Result<Seconds, String> {
    text.parse::<f64>().map_err(|error| error.to_string())?.try_into()
}

/// A file's settings. Its keys are the flags' names, with `_` for `-`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    lock_wait: Option<Seconds>,
    log: Option<String>,
    log_format: Option<LogFormat>,
    listen: Option<Vec<SocketAddr>>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    require_token: Option<bool>,
    require_signature: Option<bool>,
    encrypt: Option<Vec<String>>,
    grace: Option<Seconds>,
    max_connections: Option<usize>,
    header_timeout: Option<Seconds>,
    body_timeout: Option<Seconds>,
    probe: Option<f64>,
    retention: Option<Policy>,
}

/// Every setting as it is in force.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) data_dir: PathBuf,
    pub(super) lock_wait: Duration,
    /// None where nobody set it: then the command decides.
    pub(super) log: Option<String>,
    pub(super) log_format: LogFormat,
    pub(super) listen: Vec<SocketAddr>,
    pub(super) tls_cert: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    pub(super) require_token: bool,
    pub(super) require_signature: bool,
    pub(super) encrypt: Vec<String>,
    pub(super) grace: Duration,
    pub(super) max_connections: usize,
    pub(super) header_timeout: Duration,
    pub(super) body_timeout: Duration,
    pub(super) probe: Option<Share>,
    pub(super) retention: Policy,
    /// Each setting's name, value and source, as `polyfold config` shows them.
    pub(super) shown: Vec<Shown>,
}

#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(super) struct Shown {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) source: String,
}

impl Settings {
    /// Puts together what was typed, what the environment says, and what stands in a file.
    pub(super) fn gather(common: Common, service: Service, typed: &ArgMatches) -> Result<Self, Error> {
        let mut sources = Sources { typed, file: None, shown: Vec::new() };
        let defaults = crate::server::ServeOptions::default();
        let data_dir =
            sources.value("data_dir", common.data_dir, None, "polyfold-data".into(), |it| it.display().to_string());
        let (path, file) = file(common.config.as_deref(), &data_dir)?;
        let config = path.as_ref().map(|path| path.display().to_string());
        sources.value("config", common.config, path.clone(), PathBuf::new(), |_| config.clone().unwrap_or_default());
        sources.file = path;
        let s = &mut sources;
        let time = |it: &Seconds| it.0.as_secs_f64().to_string();
        let path = |it: &Option<PathBuf>| it.as_ref().map_or_else(String::new, |it| it.display().to_string());
        let addresses = |it: &Vec<SocketAddr>| it.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let optional = |it: &Option<String>| it.clone().unwrap_or_else(|| "off; info for serve".to_owned());
        let named = |it: &LogFormat| format!("{it:?}").to_lowercase();
        let patience = defaults.patience;
        let in_file =
            file.probe.map(Share::percent).transpose().map_err(|error| Error::Usage(format!("probe: {error}")))?;
        let share = |it: &Option<Share>| it.map_or_else(|| "off".to_owned(), |it| it.as_percent().to_string());
        Ok(Self {
            lock_wait: s.value("lock_wait", common.lock_wait, file.lock_wait, Seconds(Duration::from_secs(10)), time).0,
            log: s.value("log", common.log.map(Some), file.log.map(Some), None, optional),
            log_format: s.value("log_format", common.log_format, file.log_format, LogFormat::Human, named),
            listen: s.value("listen", service.listen, file.listen, Vec::new(), addresses),
            tls_cert: s.value("tls_cert", service.tls_cert.map(Some), file.tls_cert.map(Some), None, path),
            tls_key: s.value("tls_key", service.tls_key.map(Some), file.tls_key.map(Some), None, path),
            require_token: s.value("require_token", service.require_token, file.require_token, false, bool::to_string),
            require_signature: s.value(
                "require_signature",
                service.require_signature,
                file.require_signature,
                false,
                bool::to_string,
            ),
            encrypt: s.value("encrypt", service.encrypt, file.encrypt, Vec::new(), |it| it.join(",")),
            grace: s.value("grace", service.grace, file.grace, Seconds(defaults.grace), time).0,
            max_connections: s.value(
                "max_connections",
                service.max_connections,
                file.max_connections,
                defaults.connections_max,
                usize::to_string,
            ),
            header_timeout: s
                .value("header_timeout", service.header_timeout, file.header_timeout, Seconds(patience.headers), time)
                .0,
            body_timeout: s
                .value("body_timeout", service.body_timeout, file.body_timeout, Seconds(patience.body), time)
                .0,
            retention: s.value("retention", None, file.retention, Policy::default(), Policy::to_string),
            probe: s.value("probe", service.probe.map(Some), in_file.map(Some), None, share),
            data_dir,
            shown: sources.shown,
        })
    }
}

/// Finds out where each value comes from, and keeps it.
struct Sources<'a> {
    typed: &'a ArgMatches,
    file: Option<PathBuf>,
    shown: Vec<Shown>,
}

impl Sources<'_> {
    fn value<T>(
        &mut self,
        name: &'static str,
        given: Option<T>,
        in_file: Option<T>,
        default: T,
        show: impl Fn(&T) -> String,
    ) -> T {
        let is_given = given.is_some();
        let source = match self.typed.try_contains_id(name).ok().and_then(|_| self.typed.value_source(name)) {
            Some(ValueSource::CommandLine) if is_given => "flag".to_owned(),
            _ if is_given => format!("environment (POLYFOLD_{})", name.to_uppercase()),
            _ if in_file.is_some() => match &self.file {
                Some(path) => format!("file ({})", path.display()),
                None => "file".to_owned(),
            },
            _ => "default".to_owned(),
        };
        let value = given.or(in_file).unwrap_or(default);
        self.shown.push(Shown { name, value: show(&value), source });
        value
    }
}

/// The file that is named, or the one in the data directory if there is one.
fn file(named: Option<&Path>, data_dir: &Path) -> Result<(Option<PathBuf>, File), Error> {
    let path = named.map_or_else(|| data_dir.join("polyfold.toml"), Path::to_owned);
    match std::fs::read_to_string(&path) {
        Ok(text) => toml::of_file(&path, &text).map(|file| (Some(path.clone()), file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => Ok((None, File::default())),
        Err(source) => Err(Error::File { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_understood_or_refused_by_line_and_key() {
        let file: File =
            toml::parse("grace = 2\nlisten = [\"127.0.0.1:0\"]\nlock_wait = 0.5\nlog_format = \"json\"").unwrap();
        assert_eq!(file.grace, Some(Seconds(Duration::from_secs(2))));
        assert_eq!(file.lock_wait, Some(Seconds(Duration::from_millis(500))));
        let refusal = |text: &str| {
            let (line, why) = toml::parse::<File>(text).unwrap_err();
            format!("{}: {why}", line.unwrap_or_default())
        };
        assert!(refusal("\ngrcae = 1").starts_with("2: unknown field `grcae`, expected one of"));
        assert!(
            refusal("# x\ngrace = \"soon\"").starts_with("2: grace: invalid type: string"),
            "{}",
            refusal("# x\ngrace = \"soon\"")
        );
        assert!(refusal("grace = -1").starts_with("1: grace: "), "{}", refusal("grace = -1"));
        assert!(refusal("listen = [\"here\"]").starts_with("1: listen: "));
        assert!(refusal("grace = ").starts_with("1: grace: "), "{}", refusal("grace = "));
    }
}
