//! Labels made beside the network: a thread that takes slabs from a bounded queue.

use std::{
    panic::resume_unwind,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{Scope, ScopedJoinHandle},
    time::{Duration, Instant},
};

use ndarray::Array3;
use uniseg_imaging::Restore;
use uniseg_onnx::Task;

use crate::{RuntimeError, Slab};

/// Slabs that may wait: the network never waits for the way back, and memory stays bounded.
const WAITING: usize = 1;

/// Label maps in the order of the tasks, and the time it took to make them.
type Restored = (Vec<Array3<u16>>, Duration);

/// The way back of several tasks.
pub(super) struct Restoring<'scope> {
    slabs: SyncSender<Slab>,
    thread: ScopedJoinHandle<'scope, Result<Restored, RuntimeError>>,
}

impl<'scope> Restoring<'scope> {
    /// Starts a thread that takes the slabs of `tasks` back with `restore`.
    pub(super) fn start<'env: 'scope>(
        scope: &'scope Scope<'scope, 'env>,
        restore: &'env Restore,
        tasks: &'env [&'env Task],
    ) -> Restoring<'scope> {
        let (slabs, waiting) = sync_channel(WAITING);
        let thread = scope.spawn(move || run(restore, tasks, &waiting));
        Restoring { slabs, thread }
    }

    /// Hands over a slab; waits where the queue is full.
    ///
    /// Errors: [`RuntimeError::Cancelled`] if the thread has ended, whose own error
    /// [`Restoring::finish`] returns.
    pub(super) fn push(&self, slab: Slab) -> Result<(), RuntimeError> {
        self.slabs.send(slab).map_err(|_| RuntimeError::Cancelled)
    }

    /// Waits for the labels, once every slab was handed over.
    ///
    /// Errors: [`RuntimeError::Restore`].
    pub(super) fn finish(self) -> Result<Restored, RuntimeError> {
        drop(self.slabs);
        self.thread
            .join()
            .unwrap_or_else(|panic| resume_unwind(panic))
    }
}

fn run(
    restore: &Restore,
    tasks: &[&Task],
    slabs: &Receiver<Slab>,
) -> Result<Restored, RuntimeError> {
    let failed = |task: usize| {
        let task = tasks[task].name.clone();
        move |source| RuntimeError::Restore { task, source }
    };
    let begin = Instant::now();
    let mut streams = tasks
        .iter()
        .enumerate()
        .map(|(index, task)| restore.stream(task.labels.len()).map_err(failed(index)))
        .collect::<Result<Vec<_>, _>>()?;
    let mut busy = begin.elapsed();
    for slab in slabs {
        let begin = Instant::now();
        let pushed = streams[slab.task].push(slab.probabilities.view());
        pushed.map_err(failed(slab.task))?;
        busy += begin.elapsed();
    }
    let labels = streams
        .into_iter()
        .enumerate()
        .map(|(index, stream)| stream.finish().map_err(failed(index)))
        .collect::<Result<Vec<_>, _>>()?;
    Ok((labels, busy))
}
