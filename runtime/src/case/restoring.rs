//! Labels made beside the network: a thread that takes slabs from a bounded queue.

use std::{
    panic::resume_unwind,
    path::PathBuf,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{Scope, ScopedJoinHandle},
    time::{Duration, Instant},
};

use ndarray::Array3;
use uniseg_imaging::{
    ImagingError, LabelStream, NiftiHeader, ProbabilityFile, ProbabilityStream, Restore,
};
use uniseg_onnx::Task;

use crate::{RuntimeError, Slab};

/// Slabs that may wait: the network never waits for the way back, and memory stays bounded.
const WAITING: usize = 1;

/// Label maps in the order of the tasks, and the time it took to make them.
type Restored = (Vec<Array3<u16>>, Duration);

/// Where probabilities are to be written.
pub(super) struct Probabilities<'a> {
    /// One for each task, or none at all.
    pub(super) paths: &'a [PathBuf],
    /// What the files are written like.
    pub(super) like: NiftiHeader,
}

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
        probabilities: &'env Probabilities<'env>,
    ) -> Restoring<'scope> {
        let (slabs, waiting) = sync_channel(WAITING);
        let thread = scope.spawn(move || run(restore, tasks, probabilities, &waiting));
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
    probabilities: &Probabilities<'_>,
    slabs: &Receiver<Slab>,
) -> Result<Restored, RuntimeError> {
    let failed = |task: usize| {
        let task = tasks[task].name.clone();
        move |source| match source {
            // Probabilities that could not be written.
            ImagingError::Write { .. } | ImagingError::OutputName { .. } => {
                RuntimeError::WriteLabels { source }
            }
            source => RuntimeError::Restore { task, source },
        }
    };
    let begin = Instant::now();
    let mut ways = tasks
        .iter()
        .enumerate()
        .map(|(index, task)| {
            Way::new(
                restore,
                task,
                probabilities.paths.get(index),
                &probabilities.like,
            )
            .map_err(failed(index))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut busy = begin.elapsed();
    for slab in slabs {
        let begin = Instant::now();
        ways[slab.task].push(&slab).map_err(failed(slab.task))?;
        busy += begin.elapsed();
    }
    let begin = Instant::now();
    let labels = ways
        .into_iter()
        .enumerate()
        .map(|(index, way)| way.finish().map_err(failed(index)))
        .collect::<Result<Vec<_>, _>>()?;
    Ok((labels, busy + begin.elapsed()))
}

/// One task's way back.
struct Way<'a> {
    labels: LabelStream<'a>,
    probabilities: Option<(ProbabilityStream<'a>, ProbabilityFile)>,
}

impl<'a> Way<'a> {
    fn new(
        restore: &'a Restore,
        task: &Task,
        path: Option<&PathBuf>,
        like: &NiftiHeader,
    ) -> Result<Way<'a>, ImagingError> {
        let classes = task.labels.len();
        let probabilities = match path {
            Some(path) => Some((
                restore.probabilities(classes)?,
                ProbabilityFile::create(path, like, classes)?,
            )),
            None => None,
        };
        Ok(Way {
            labels: restore.stream(classes)?,
            probabilities,
        })
    }

    fn push(&mut self, slab: &Slab) -> Result<(), ImagingError> {
        if let Some((stream, file)) = &mut self.probabilities {
            stream.push(slab.probabilities.view(), &mut |slice| file.push(slice))?;
        }
        self.labels.push(slab.probabilities.view())
    }

    /// The labels; probabilities are complete then.
    fn finish(self) -> Result<Array3<u16>, ImagingError> {
        if let Some((stream, mut file)) = self.probabilities {
            stream.finish(&mut |slice| file.push(slice))?;
            file.finish()?;
        }
        self.labels.finish()
    }
}
