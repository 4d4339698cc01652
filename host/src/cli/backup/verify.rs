//! `backup verify`: whether every byte of a backup is as it was written, and the chain goes through.

use std::path::Path;

use serde::Serialize;

use crate::cli::Context;
use crate::cli::error::Error;
use crate::cli::output::{count, count_of, size};
use crate::engine::verify_backup;

#[derive(Debug, Serialize)]
struct Verified {
    generations: Vec<u64>,
    files: u64,
    bytes: u64,
    sequence: u64,
    chain_head: String,
}

pub(super) fn run(path: &Path, context: &mut Context) -> Result<(), Error> {
    let bar = context.output.bytes_bar("verifying", 0);
    let verified = verify_backup(path, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let verified = verified?;
    if let Some((last, others)) = verified.damaged.split_last() {
        for damaged in others {
            context.output.warn(damaged);
        }
        return Err(Error::Found(format!("the backup is damaged: {last}")));
    }
    let shown = Verified {
        generations: verified.generations,
        files: verified.files,
        bytes: verified.bytes,
        sequence: verified.sequence,
        chain_head: verified.chain_head,
    };
    context.output.data(&shown, |shown| {
        let generations = count_of(shown.generations.len() as u64, "generation");
        let (files, all) = (count_of(shown.files, "file"), size(shown.bytes));
        let sequence = count(shown.sequence);
        format!(
            "the backup is sound: {generations}, {files}, {all}; the log ends at sequence {sequence}, chain head {}",
            shown.chain_head
        )
    })
}
