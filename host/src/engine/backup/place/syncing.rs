//! Syncs a file while it is written, so that little is left to wait for at its end.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// A thread that syncs a file whenever it is told that there is more.
#[derive(Debug)]
pub(in crate::engine::backup) struct Syncing {
    more: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Syncing {
    pub(in crate::engine::backup) fn begin(file: &Arc<File>) -> Self {
        let (more, told) = sync_channel(1);
        let file = Arc::clone(file);
        let sync = move || told.into_iter().try_for_each(|()| file.sync_data());
        let thread = std::thread::Builder::new().name("backup-sync".to_owned()).spawn(sync);
        Self { more, thread: thread.expect("a thread can be started") }
    }

    /// Tells that there is more. Waits for nothing: if it is behind, it takes all at once.
    pub(in crate::engine::backup) fn go_on(&self) {
        // Once it failed it takes nothing more, and says so at the end.
        self.more.try_send(()).ok();
    }

    /// Waits for the sync under way. What was written behind the last one is not durable yet.
    ///
    /// # Errors
    /// Whatever went wrong since the beginning: a file tells of a write that was lost only once.
    pub(in crate::engine::backup) fn finish(self) -> io::Result<()> {
        drop(self.more);
        self.thread.join().expect("a sync does not panic")
    }
}
