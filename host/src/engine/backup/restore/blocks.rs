//! The log's blocks on their way from a backup into a log: read, verified, written and synced, each beside the others.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::folded::FoldedEvents;
use crate::engine::backup::BackupError;
use crate::engine::backup::manifest::{Generation, Part};
use crate::engine::backup::place::{Place, Syncing};
use crate::engine::backup::segment::SegmentReader;
use crate::log::{self, BadBlock, BlockBatch, BlockInfo, Cut, Head, LogId, Rebuild};

/// Blocks that are verified together; three such batches are in memory.
const BATCH_BYTES: usize = 8 << 20;
/// What the log keeps in memory: what it writes shall reach the disk while the rest is verified.
const CACHE_BYTES: usize = 16 << 20;

/// Makes a log of a generation's blocks up to a cut; calls `watch` with the last event that is in it.
pub(super) fn restore(
    place: &Place,
    generation: &Generation,
    (dir, cut): (&Path, Cut),
    watch: &mut dyn FnMut(u64),
) -> Result<Head, BackupError> {
    let (log_id, wanted) = (of_log(generation), generation.log.head().expect("it was checked when it was read"));
    let options = log::Options { cache_bytes: CACHE_BYTES, ..log::Options::default() };
    let path = dir.join("log.redb");
    let mut folded = FoldedEvents::of(place, generation)?;
    let mut rebuild = Rebuild::begin(&path, log_id, generation.log.rewrites, &options)?;
    let file = Arc::new(File::open(&path).map_err(BackupError::file(&path))?);
    let syncing = Syncing::begin(&file);
    std::thread::scope(|scope| {
        let (blocks, to_verify) = sync_channel(1);
        let (verified, to_write) = sync_channel(1);
        let reading = scope.spawn(move || read(place, generation, &blocks));
        let verifying = scope.spawn(move || verify(to_verify, &verified, cut));
        for batch in to_write {
            rebuild.add(batch, &mut || folded.next())?;
            syncing.go_on();
            watch(rebuild.head().sequence.0);
        }
        // Who was told first of what is wrong ended the others.
        verifying.join().expect("verifying does not panic")?;
        reading.join().expect("reading does not panic")
    })?;
    let head = rebuild.head();
    folded.finish()?;
    if cut == Cut::Nowhere && head != wanted {
        let name = place.shown(&Generation::file_name(generation.generation));
        return Err(BackupError::damaged(name, "its blocks do not end where it says that the log does"));
    }
    let finished = rebuild.finish()?;
    syncing.finish().map_err(BackupError::file(&path))?;
    Ok(finished)
}

pub(super) fn of_log(generation: &Generation) -> LogId {
    generation.log.log_id().expect("it was checked when it was read")
}

type Blocks = (String, Vec<Vec<u8>>);

fn read(place: &Place, generation: &Generation, blocks: &SyncSender<Blocks>) -> Result<(), BackupError> {
    for Part { digest, first, last, .. } in &generation.segments {
        let mut segment = SegmentReader::open(place, digest)?;
        if segment.log_id != of_log(generation) {
            return Err(BackupError::damaged(segment.file(), "it is of another log"));
        }
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(block) = segment.next_block()? {
            let damaged = |why: BadBlock| BackupError::damaged(segment.file(), why);
            let first_sequence = BlockInfo::of(&block).map_err(damaged)?.first.0;
            if !(*first..=*last).contains(&first_sequence) {
                continue;
            }
            bytes += block.len();
            batch.push(block);
            if bytes >= BATCH_BYTES {
                bytes = 0;
                // Who takes no more has come to the cut, or failed and says so.
                if blocks.send((segment.file().to_owned(), std::mem::take(&mut batch))).is_err() {
                    return Ok(());
                }
            }
        }
        if !batch.is_empty() && blocks.send((segment.file().to_owned(), batch)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn verify(blocks: Receiver<Blocks>, verified: &SyncSender<Vec<log::Ready>>, cut: Cut) -> Result<(), BackupError> {
    for (file, blocks) in blocks {
        let batch = BlockBatch::verified(blocks, cut).map_err(|why| match why.within {
            Some((first, last)) => BackupError::Compacted { before: first.previous(), first, last },
            None => BackupError::damaged(file, why),
        })?;
        let is_over = verified.send(batch.blocks).is_err() || batch.is_last;
        if is_over {
            break;
        }
    }
    Ok(())
}
