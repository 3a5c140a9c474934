//! Tasks on one case: preprocessed once, slid over once, brought back while the network runs.

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use ndarray::{Array3, ArrayView4};
use uniseg_imaging::{Preprocessed, Volume};
use uniseg_onnx::{Manifest, Task};

use super::{
    Case, Channel, Preparation, Progress, Segmentation, file_name,
    first_look::region,
    restoring::{Probabilities, Restoring},
};
use crate::{
    CancelToken, ComputedOn, Engine, Model, Predictor, RuntimeError, Statistics, WholeModel,
    WindowOptions, WindowReport, WindowRun, predict_slabs, statistics::Origin,
};

/// What is asked of a case.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The artefact's manifest.
    pub manifest: &'a Manifest,
    /// Tasks that run on the same windows, see [`group_tasks`].
    pub tasks: &'a [&'a Task],
    /// How the window moves.
    pub options: &'a WindowOptions,
    /// Asked between windows.
    pub cancel: &'a CancelToken,
    /// Where the probabilities of each of the tasks go, as [`uniseg_imaging::ProbabilityFile`]s;
    /// nothing is written if it is empty.
    pub probabilities: &'a [PathBuf],
}

/// What tasks that ran together gave.
#[derive(Debug, Clone)]
pub struct Together {
    /// One for each task, in the order asked for.
    pub segmentations: Vec<Segmentation>,
    /// Windows, and how many of them were empty.
    pub windows: WindowReport,
    /// Where the time went.
    pub timing: Timing,
}

/// Where the time went; the way back overlaps the windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timing {
    /// Crop, resampling and normalisation; nothing where they were done before.
    pub preprocess: Duration,
    /// From the first window to the last, the network included.
    pub windows: Duration,
    /// Inside the network.
    pub network: Duration,
    /// Labels from probabilities.
    pub restore: Duration,
    /// From the last window to the labels: what the way back adds to the windows.
    pub restore_wait: Duration,
}

/// Splits tasks into groups that may run together: equal preprocessing and slots, at most `most`
/// in a group. Groups are as few as they can be, and none is larger than that takes. Order is kept
/// within a group, and between groups that see the same image.
pub fn group_tasks<'a>(tasks: &[&'a Task], most: usize) -> Vec<Vec<&'a Task>> {
    let mut same: Vec<Vec<&Task>> = Vec::new();
    for task in tasks {
        let known = same
            .iter_mut()
            .find(|group| group.first().is_some_and(|first| alike(first, task)));
        match known {
            Some(group) => group.push(task),
            None => same.push(vec![task]),
        }
    }
    let most = most.max(1);
    same.iter()
        .flat_map(|tasks| {
            let groups = tasks.len().div_ceil(most);
            tasks.chunks(tasks.len().div_ceil(groups))
        })
        .map(<[_]>::to_vec)
        .collect()
}

/// Whether two tasks see the same image in the same slots.
fn alike(one: &Task, other: &Task) -> bool {
    let slots =
        |task: &Task| -> Vec<usize> { task.channels.iter().map(|channel| channel.slot).collect() };
    Preparation::of(one) == Preparation::of(other) && slots(one) == slots(other)
}

impl Case {
    /// Segments the case for one task of `model`.
    ///
    /// Preprocessing is kept for the next task: call this for one task after another.
    ///
    /// Errors: those of [`Case::segment_together`].
    pub fn segment(
        &mut self,
        model: &Model,
        engine: &mut dyn Engine,
        task: &Task,
        options: &WindowOptions,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Segmentation, RuntimeError> {
        let mut predictor = WholeModel::new(engine, model);
        let request = Request {
            manifest: model.manifest(),
            tasks: &[task],
            options,
            cancel: &CancelToken::new(),
            probabilities: &[],
        };
        let mut found = self.segment_together(&mut predictor, request, progress)?;
        // One task was asked for; an empty answer would be the loop's own error.
        found.segmentations.pop().ok_or(RuntimeError::NoImages)
    }

    /// Segments the case for tasks that see the same image.
    ///
    /// Probabilities never exist for the whole volume: labels are made slab by slab in a thread of
    /// their own while the network goes on. Memory: the images, the preprocessed volume, what
    /// [`predict_slabs`] needs, and a label map for each task. Probabilities that are
    /// asked for are written on the way.
    ///
    /// Errors: [`RuntimeError::ChannelCount`] if a task takes another number of files,
    /// [`RuntimeError::TasksDiffer`], and the failures of preprocessing, of [`predict_slabs`] and
    /// of the way back.
    pub fn segment_together(
        &mut self,
        predictor: &mut dyn Predictor,
        request: Request<'_>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Together, RuntimeError> {
        let Request {
            manifest,
            tasks,
            options,
            cancel,
            probabilities,
        } = request;
        let Some(first) = tasks.first() else {
            return Ok(Together {
                segmentations: Vec::new(),
                windows: WindowReport::default(),
                timing: Timing::default(),
            });
        };
        for task in tasks {
            RuntimeError::check_channels(task, self.images.len())?;
            if !alike(first, task) {
                return Err(RuntimeError::TasksDiffer {
                    first: first.name.clone(),
                    other: task.name.clone(),
                });
            }
        }
        cancel.check()?;
        let probabilities = Probabilities {
            paths: probabilities,
            like: self.header().clone(),
        };
        let begin = Instant::now();
        let prepared = self.prepared(first, progress)?;
        let mut timing = Timing {
            preprocess: begin.elapsed(),
            ..Timing::default()
        };
        cancel.check()?;
        let begin = Instant::now();
        let (region, look) = match options.fast {
            Some(look) => {
                let show = &mut |done| progress(Progress::Looking(first, done));
                region(predictor, &request, prepared, look, show)?
            }
            None => (None, WindowReport::default()),
        };
        let run = WindowRun {
            manifest,
            tasks,
            channels: prepared.channels.view(),
            region: region.as_ref(),
            options,
            cancel,
        };
        let (windows, labels) = thread::scope(|scope| {
            let restoring = Restoring::start(scope, &prepared.restore, tasks, &probabilities);
            let windows = predict_slabs(
                predictor,
                run,
                &mut |done| progress(Progress::Window(first, done)),
                &mut |slab| restoring.push(slab),
            );
            timing.windows = begin.elapsed();
            progress(Progress::Restoring(first));
            let begin = Instant::now();
            let restored = restoring.finish();
            timing.restore_wait = begin.elapsed();
            // A window's failure leaves planes out, so it comes first, unless it is the answer to
            // a failure of the way back.
            let (windows, (labels, restore)) = match (windows, restored) {
                (Ok(windows), restored) => (windows, restored?),
                (Err(RuntimeError::Cancelled), Err(error)) if !cancel.is_cancelled() => {
                    return Err(error);
                }
                (Err(error), _) => return Err(error),
            };
            timing.restore = restore;
            Ok((windows, labels))
        })?;
        let windows = WindowReport {
            looked: look.windows - look.skipped,
            network: windows.network + look.network,
            ..windows
        };
        timing.network = windows.network;
        let (engine, on) = (predictor.name(), predictor.computed_on());
        let segmentations = tasks
            .iter()
            .zip(labels)
            .map(|(task, labels)| Segmentation {
                task: (*task).clone(),
                statistics: self.count(&request, task, (engine, on), &labels),
                labels,
            })
            .collect();
        Ok(Together {
            segmentations,
            windows,
            timing,
        })
    }

    /// Preprocesses the case for `task` and for all that are preprocessed alike, ahead of
    /// [`Case::segment_together`].
    ///
    /// Errors: [`RuntimeError::ChannelCount`] and the failures of preprocessing.
    pub fn prepare(
        &mut self,
        task: &Task,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), RuntimeError> {
        RuntimeError::check_channels(task, self.images.len())?;
        self.prepared(task, progress).map(|_| ())
    }

    /// The network's image for `task`, (channel, z, y, x) on the task's grid.
    ///
    /// Errors: [`RuntimeError::ChannelCount`], and the failures of preprocessing.
    pub fn network_image(&mut self, task: &Task) -> Result<ArrayView4<'_, f32>, RuntimeError> {
        RuntimeError::check_channels(task, self.images.len())?;
        Ok(self.prepared(task, &mut |_| {})?.channels.view())
    }

    fn prepared(
        &mut self,
        task: &Task,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<&Preprocessed, RuntimeError> {
        let wanted = Preparation::of(task);
        let kept = self.prepared.take().filter(|(done, _)| *done == wanted);
        let prepared = match kept {
            Some((_, prepared)) => prepared,
            None => {
                progress(Progress::Preprocessing(task));
                let recipe = wanted.recipe(&task.name)?;
                let volumes: Vec<_> = self.images.iter().map(Channel::volume).collect();
                let volumes: Vec<&Volume<f32>> = volumes.iter().map(AsRef::as_ref).collect();
                recipe
                    .apply(&volumes)
                    .map_err(|source| RuntimeError::Preprocess {
                        images: self.paths.iter().map(|path| file_name(path)).collect(),
                        task: task.name.clone(),
                        source,
                    })?
            }
        };
        Ok(&self.prepared.insert((wanted, prepared)).1)
    }

    fn count(
        &self,
        request: &Request<'_>,
        task: &Task,
        (engine, on): (&str, ComputedOn),
        labels: &Array3<u16>,
    ) -> Statistics {
        let origin = Origin {
            manifest: request.manifest,
            task,
            engine,
            on,
            options: *request.options,
            probabilities: !request.probabilities.is_empty(),
            inputs: self.paths.iter().map(|path| file_name(path)).collect(),
            files: self.files.clone(),
            warnings: self.warnings.clone(),
        };
        Statistics::count(labels.view(), self.geometry(), origin)
    }
}
