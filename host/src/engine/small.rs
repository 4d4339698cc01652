//! Small texts that people keep in files: read whole, with an end, and from nothing but a file.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum SmallFileError {
    /// Nothing has that name; a link to nothing is something.
    #[error(transparent)]
    Missing(std::io::Error),
    #[error("it is a link to nothing")]
    Dangling,
    /// A device or a pipe may have no end.
    #[error("it is no regular file")]
    NoFile,
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    #[error("it is not UTF-8")]
    NotText,
    #[error(transparent)]
    Io(std::io::Error),
}

/// Reads a file of that many bytes at most; links are followed.
pub fn read_small(path: &Path, bytes_max: u64) -> Result<String, SmallFileError> {
    let found = std::fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound if path.is_symlink() => SmallFileError::Dangling,
        ErrorKind::NotFound => SmallFileError::Missing(error),
        _ => SmallFileError::Io(error),
    })?;
    if !found.is_file() {
        return Err(SmallFileError::NoFile);
    }
    let mut bytes = Vec::new();
    // One byte more tells that there are too many.
    let file = File::open(path).map_err(SmallFileError::Io)?.take(bytes_max + 1);
    { file }.read_to_end(&mut bytes).map_err(SmallFileError::Io)?;
    if bytes.len() as u64 > bytes_max {
        return Err(SmallFileError::TooLarge(bytes_max));
    }
    String::from_utf8(bytes).map_err(|_| SmallFileError::NotText)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_a_file_of_text_with_an_end_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("text"), "12345").unwrap();
        std::fs::write(path("bytes"), b"\xff").unwrap();
        symlink(path("text"), path("link")).unwrap();
        symlink(path("nothing"), path("dangling")).unwrap();
        symlink("/dev/zero", path("device")).unwrap();
        let read = |name: &str, max: u64| read_small(&path(name), max).map_err(|error| error.to_string());
        assert_eq!(read("text", 5).as_deref(), Ok("12345"));
        assert_eq!(read("link", 5).as_deref(), Ok("12345"));
        for (name, expected) in [
            ("text", "larger than 4 bytes"),
            ("bytes", "not UTF-8"),
            ("nothing", "No such file"),
            ("dangling", "a link to nothing"),
            ("device", "no regular file"),
            (".", "no regular file"),
        ] {
            assert!(read(name, 4).unwrap_err().contains(expected), "{name}");
        }
    }
}
