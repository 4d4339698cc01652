//! The real program under the shim: its file operations fail, its clock jumps, as the test says.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What goes wrong with file operations; see shim.c.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Eio,
    NoRoom,
    Sync,
    Short,
    /// The program is killed before an operation that changes something.
    Kill,
    /// The same, and what was not synced of any file is lost.
    Power,
}

impl Fault {
    /// Those that a program goes on behind.
    pub(crate) const ALL: [Self; 4] = [Self::Eio, Self::NoRoom, Self::Sync, Self::Short];

    fn name(self) -> &'static str {
        match self {
            Self::Eio => "eio",
            Self::NoRoom => "enospc",
            Self::Sync => "sync",
            Self::Short => "short",
            Self::Kill => "kill",
            Self::Power => "power",
        }
    }
}

/// What the shim saw of one program.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Which operation failed on which file; none if there were not so many.
    pub(crate) struck: Option<String>,
    /// How many operations there were to which it could have happened.
    pub(crate) total: usize,
}

/// Lets the n-th operation in a directory fail.
pub(crate) fn fail(command: &mut Command, dir: &Path, fault: Fault, at: usize, tally: &Path) {
    command.env("LD_PRELOAD", library()).env("SHIM_DIR", dir).env("SHIM_FAULT", fault.name());
    command.env("SHIM_AT", at.to_string()).env("SHIM_TALLY", tally);
}

/// Lets the wall clock jump back and forth.
pub(crate) fn jump(command: &mut Command) {
    command.env("LD_PRELOAD", library()).env("SHIM_CLOCK", "1");
}

pub(crate) fn tally(path: &Path) -> Tally {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut tally = Tally { struck: None, total: 0 };
    for line in text.lines() {
        let (what, number) = line.rsplit_once(' ').unwrap();
        match what.strip_prefix("total") {
            Some(_) => tally.total = number.parse().unwrap(),
            None => tally.struck = Some(what.to_owned()),
        }
    }
    tally
}

/// The shim, compiled once a run. Whoever builds polyfold has a C compiler: wasmtime and zstd need one.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/machine/shim.c");
        let library = crate::guests::folder().join("shim.so");
        std::fs::create_dir_all(crate::guests::folder()).unwrap();
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&library).arg(source).arg("-ldl");
        let output = cc.output().unwrap_or_else(|error| panic!("cc, which this test needs: {error}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        library
    })
}
