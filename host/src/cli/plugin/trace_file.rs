//! Traces as files: compressed or not, and never half written.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::cli::error::Error;
use crate::engine::Trace;

/// What every gzip file begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

pub(super) fn read(path: &Path) -> Result<Trace, Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
    let is_packed = file.fill_buf().map_err(failed)?.starts_with(&GZIP);
    let input: Box<dyn Read> = if is_packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    Trace::read(&mut BufReader::new(input)).map_err(|bad| Error::BadTrace {
        path: path.to_owned(),
        line: bad.line,
        why: bad.why,
    })
}

/// Writes a trace beside its place and moves it there.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let is_packed = path.extension().is_some_and(|it| it == "gz");
    let bytes = if is_packed { packed(text).map_err(failed)? } else { text.as_bytes().to_vec() };
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    let write = || {
        let mut file = File::create(beside)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(beside, path)
    };
    let written = write();
    if written.is_err() {
        // That it cannot be removed either is not the news.
        drop(std::fs::remove_file(beside));
    }
    written.map_err(failed)
}

fn packed(text: &str) -> std::io::Result<Vec<u8>> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(text.as_bytes())?;
    packer.finish()
}
