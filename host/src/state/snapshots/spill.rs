//! Nodes on their way into the file of snapshots: gathered while the state is read, in memory and beyond some in a file without
//! a name, and handed out in the order in which they are written.

use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use tempfile::{SpooledTempFile, spooled_tempfile, spooled_tempfile_in};

use crate::event::Digest;

/// What is gathered in memory: all of most snapshots, which have only what changed.
const MEMORY_BYTES: usize = 8 << 20;
const BUFFER_BYTES: usize = 256 << 10;

/// Nodes that are gathered.
pub(super) struct Spill {
    file: BufWriter<SpooledTempFile>,
    nodes: Vec<Node>,
    bytes: u64,
}

/// Nodes that are handed out: the lower before the higher, those of one level by digest, so that they fill pages of the file
/// one by one.
pub(super) struct Spilled {
    file: SpooledTempFile,
    nodes: std::vec::IntoIter<Node>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Node {
    level: u8,
    digest: Digest,
    at: u64,
    bytes: usize,
}

impl Spill {
    /// On the disk of that file, if there is more than memory takes.
    pub(super) fn beside(path: &Path) -> Self {
        let folder = path.parent().filter(|folder| folder.is_dir());
        let file = folder.map_or_else(|| spooled_tempfile(MEMORY_BYTES), |it| spooled_tempfile_in(MEMORY_BYTES, it));
        Self { file: BufWriter::with_capacity(BUFFER_BYTES, file), nodes: Vec::new(), bytes: 0 }
    }

    pub(super) fn put(&mut self, level: u8, digest: Digest, stored: &[u8]) -> io::Result<()> {
        self.file.write_all(stored)?;
        self.nodes.push(Node { level, digest, at: self.bytes, bytes: stored.len() });
        self.bytes += stored.len() as u64;
        Ok(())
    }

    pub(super) fn sorted(self) -> io::Result<Spilled> {
        let Self { file, mut nodes, .. } = self;
        nodes.sort_unstable();
        nodes.dedup_by_key(|node| node.digest);
        Ok(Spilled { file: file.into_inner().map_err(io::IntoInnerError::into_error)?, nodes: nodes.into_iter() })
    }
}

impl Spilled {
    /// The next node, as it is to be stored.
    pub(super) fn next(&mut self) -> io::Result<Option<(Digest, Vec<u8>)>> {
        let Some(Node { digest, at, bytes, .. }) = self.nodes.next() else { return Ok(None) };
        let mut stored = vec![0; bytes];
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut stored)?;
        Ok(Some((digest, stored)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_come_lower_ones_first_and_by_digest_from_memory_or_a_file() {
        for (bytes, dir) in [(10, Path::new("nowhere/at-all")), (600_000, Path::new(env!("CARGO_MANIFEST_DIR")))] {
            let mut spill = Spill::beside(&dir.join("file"));
            let node = |number: u8| (number % 3, Digest([number.wrapping_mul(97); 32]), vec![number; bytes]);
            for number in (0..40).chain(0..2) {
                let (level, digest, stored) = node(number);
                spill.put(level, digest, &stored).unwrap();
            }
            let mut expected: Vec<_> = (0..40).map(node).collect();
            expected.sort_unstable();
            let mut spilled = spill.sorted().unwrap();
            for (_, digest, stored) in expected {
                assert_eq!(spilled.next().unwrap().unwrap(), (digest, stored));
            }
            assert!(spilled.next().unwrap().is_none());
        }
    }
}
