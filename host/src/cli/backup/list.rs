//! `backup list`: which generations there are.

use std::path::Path;

use super::Shown;
use crate::cli::Context;
use crate::cli::error::Error;
use crate::cli::output::{count, size};
use crate::engine::list_backup;

pub(super) fn run(path: &Path, context: &mut Context) -> Result<(), Error> {
    for generation in list_backup(path)? {
        context.output.data(&Shown::from(&generation), |shown| {
            let (sequence, all, new) = (count(shown.sequence), size(shown.bytes), size(shown.new_bytes));
            let head = shown.chain_head.get(..12).unwrap_or_default();
            let (number, made_at, content) = (shown.generation, &shown.made_at, shown.content());
            format!("{number}  {made_at}  sequence {sequence}, chain head {head}  {all}, {new} new  {content}")
        })?;
    }
    Ok(())
}
