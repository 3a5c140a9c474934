//! The sliding window: a network made for one patch, run over a volume of any extent.
//!
//! Follows nnU-Net v1's predictor (positions, Gaussian weights, mirroring, soft-max, mean); what
//! comes before (resampling, normalisation) and after (back to the image's own grid) is
//! `uniseg-imaging`'s.

mod accumulate;
mod averaging;
mod beside;
mod empty;
mod forward;
mod gaussian;
mod on_device;
mod plan;

use std::num::NonZeroUsize;
use std::ops::Range;
use std::thread;
use std::time::Duration;

use ndarray::{Array3, Array4, ArrayView4, Axis, s};
use serde::{Deserialize, Serialize};
use uniseg_onnx::{Manifest, Task};

pub use self::gaussian::gaussian;
pub use self::plan::{Window, WindowPlan};
use self::{
    accumulate::Accumulator,
    averaging::{Averaging, Behind, Sink, Step},
    beside::Beside,
    empty::Background,
    forward::Forward,
    on_device::OnDevice,
};
use crate::{CancelToken, Engine, Predictor, RuntimeError, SumsOf, WholeModel};

/// How the window moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowOptions {
    /// Distance of two windows as a fraction of the patch, in (0, 1].
    pub step: f64,
    /// Average over all mirror views of the manifest's mirror axes.
    pub mirror: bool,
    /// Call windows background that hold nothing but air, without running the network.
    pub skip: bool,
    /// Look for foreground first, so, and call windows background in which none was seen;
    /// [`crate::Case`] does that, [`predict`] does not.
    pub fast: Option<FirstLook>,
    /// Windows, or mirror views of them, that one call of the network takes, if it takes more
    /// than one.
    pub batch: NonZeroUsize,
}

/// How a case is looked at before windows are run: every voxel is seen, with as little overlap of
/// windows as they allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FirstLook {
    /// At the resolution that the network was trained for: an eighth of the windows of a step of
    /// half a patch in a large volume, more where there are a few along an axis.
    Apart,
    /// At half the resolution: an eighth of those. A network may not know organs of half their size.
    Half,
}

impl WindowOptions {
    /// The artefact's own defaults: every window, one at a time.
    pub fn of(manifest: &Manifest) -> WindowOptions {
        WindowOptions {
            step: manifest.inference.step,
            mirror: manifest.inference.mirror,
            skip: false,
            fast: None,
            batch: NonZeroUsize::MIN,
        }
    }

    /// How often the network sees each window: once for every mirror view.
    pub fn views(&self, manifest: &Manifest) -> usize {
        match self.mirror {
            true => 1 << manifest.inference.mirror_axes.len(),
            false => 1,
        }
    }

    /// Whether windows of the artefact can move so.
    ///
    /// Errors: [`RuntimeError::WindowStep`].
    pub fn check(&self, manifest: &Manifest) -> Result<(), RuntimeError> {
        let patch = manifest.network.patch_zyx;
        WindowPlan::new(patch, patch, self.step).map(|_| ())
    }
}

/// How many windows are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowProgress {
    /// Windows that have been through the network, or were empty.
    pub done: usize,
    /// All windows of this volume.
    pub total: usize,
    /// Windows in one call of the network. It falls where memory runs out.
    pub batch: usize,
    /// Tasks in one call of the network. It falls where memory runs out.
    pub tasks: usize,
}

/// Where there can be foreground.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Whether there can be some, (z, y, x) on the tasks' grid or a coarser one.
    pub seen: Array3<bool>,
    /// Voxels of the tasks' grid that one of `seen` spans along each axis; at least one.
    pub scale: usize,
    /// Voxels of the tasks' grid by which a window may miss it and is run all the same.
    pub margin: usize,
}

impl Region {
    /// Whether the window lies outside of it, further than its margin.
    fn misses(&self, window: &Window) -> bool {
        let scale = self.scale.max(1);
        let near = |axis: usize| {
            let Range { start, end } = window.volume[axis].clone();
            let first = start.saturating_sub(self.margin) / scale;
            let end = (end + self.margin).div_ceil(scale);
            let end = end.min(self.seen.len_of(Axis(axis)));
            first.min(end)..end
        };
        let near = self.seen.slice(s![near(0), near(1), near(2)]);
        !near.iter().any(|inside| *inside)
    }
}

/// What to slide over, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct WindowRun<'a> {
    /// The artefact's manifest.
    pub manifest: &'a Manifest,
    /// Tasks that see the same image: equal channels, slots and preprocessing.
    pub tasks: &'a [&'a Task],
    /// (channel, z, y, x) on the tasks' grid, in the order of their channels.
    pub channels: ArrayView4<'a, f32>,
    /// Where there can be foreground; windows that miss it are background. Everywhere if absent.
    pub region: Option<&'a Region>,
    /// How the window moves.
    pub options: &'a WindowOptions,
    /// Asked between windows.
    pub cancel: &'a CancelToken,
}

/// Planes of one task's probabilities that no later window touches.
#[derive(Debug, Clone)]
pub struct Slab {
    /// Place of the task in [`WindowRun::tasks`].
    pub task: usize,
    /// First plane along z. The slabs of a task come in order and leave nothing out.
    pub first: usize,
    /// Probabilities of the task's classes, (class, z, y, x).
    pub probabilities: Array4<f32>,
}

/// What sliding took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowReport {
    /// Windows of the volume.
    pub windows: usize,
    /// Those of them that were called background without running the network.
    pub skipped: usize,
    /// Windows of a first look, see [`WindowOptions::fast`], that were run beside these.
    pub looked: usize,
    /// Time inside the network.
    pub network: Duration,
}

/// Predicts tasks on a preprocessed volume and hands on their probabilities plane by plane.
///
/// Windows are visited in the order of z; `sink` gets planes as soon as no later window touches
/// them. Soft-max runs over **all** classes of the network and the task's first ones are kept without
/// renormalising, as the official predictor does, so that they need not sum to one. Where the network
/// leaves the processor free, a thread averages one window, and calls `sink`, while the next ones are
/// computed.
///
/// Memory: beside the input and what `sink` keeps, (classes of all tasks + 1) × depth of a window ×
/// y × x × 4 bytes, a slab of one task (and one more of each where sums are made on a device), a
/// window's input and its logits for the tasks of a call (three times where a thread averages), and,
/// if mirror views are averaged, the classes of all tasks in a window.
///
/// Errors: [`RuntimeError::ChannelCount`], a step or sigma out of range, whatever the network
/// reports, outputs of the wrong shape or not finite, [`RuntimeError::Cancelled`], and those of
/// `sink`.
pub fn predict_slabs(
    predictor: &mut dyn Predictor,
    run: WindowRun<'_>,
    progress: &mut dyn FnMut(WindowProgress),
    sink: &mut Sink<'_>,
) -> Result<WindowReport, RuntimeError> {
    let WindowRun {
        manifest,
        tasks,
        channels,
        options,
        ..
    } = run;
    let (count, z, y, x) = channels.dim();
    for task in tasks {
        RuntimeError::check_channels(task, count)?;
    }
    let patch = manifest.network.patch_zyx;
    let plan = WindowPlan::new([z, y, x], patch, options.step)?;
    let importance = gaussian(patch, manifest.inference.gaussian_sigma)?;
    let mut forward = Forward::new(predictor, manifest, tasks, options, plan.len())?;
    let depth = patch[0].min(z);
    let classes: Vec<usize> = tasks.iter().map(|task| task.labels.len()).collect();
    let views = forward.views().to_vec();
    let sums = forward.sums(&SumsOf {
        classes: &classes,
        depth,
        plane: [y, x],
        importance: importance.view(),
        views: views.len(),
    })?;
    let mut averaging = Averaging {
        engine: forward.engine().to_owned(),
        views: views.clone(),
        means: Accumulator::new(classes.iter().copied(), depth, [y, x]),
        sums: classes.into_iter().map(|classes| (classes, None)).collect(),
        importance,
        sink,
    };
    let slide = |forward: &mut Forward<'_>, behind: &mut dyn Behind| match sums {
        None => slide(run, &plan, forward, behind, progress),
        Some(sums) => {
            let mut behind = OnDevice {
                sums,
                tasks: tasks.len(),
                views,
                depth,
                first: 0,
                behind,
            };
            slide(run, &plan, forward, &mut behind, progress)
        }
    };
    if !forward.leaves_the_processor() {
        return slide(&mut forward, &mut averaging);
    }
    thread::scope(|scope| {
        // Those of a call, while those of the call before are averaged.
        let room = 2 * forward.batch() * forward.tasks();
        let mut beside = Beside::start(scope, averaging, room, tasks.len());
        let slid = slide(&mut forward, &mut beside);
        let averaged = beside.finish(slid.is_err());
        match (slid, averaged) {
            // The answer to a failure of the other side.
            (Err(RuntimeError::Cancelled), Err(error)) if !run.cancel.is_cancelled() => Err(error),
            (Err(error), _) | (Ok(_), Err(error)) => Err(error),
            (Ok(report), Ok(())) => Ok(report),
        }
    })
}

/// Moves the window over the volume, and hands what it gives to `behind`.
fn slide(
    run: WindowRun<'_>,
    plan: &WindowPlan,
    forward: &mut Forward<'_>,
    behind: &mut dyn Behind,
    progress: &mut dyn FnMut(WindowProgress),
) -> Result<WindowReport, RuntimeError> {
    let WindowRun {
        tasks,
        channels,
        options,
        ..
    } = run;
    let planes = channels.dim().1;
    let background = tasks
        .first()
        .filter(|_| options.skip)
        .map(|task| Background::of(task, channels));
    let total = plan.len();
    let mut state = WindowProgress {
        done: 0,
        total,
        batch: forward.batch(),
        tasks: forward.tasks(),
    };
    let mut report = WindowReport {
        windows: total,
        ..WindowReport::default()
    };
    progress(state);
    let mut rows = plan.rows().peekable();
    while let Some(row) = rows.next() {
        let (empty, full): (Vec<&Window>, Vec<&Window>) = row.iter().partition(|window| {
            let empty = |background: &Background| background.fills(channels, window);
            background.as_ref().is_some_and(empty)
                || run.region.is_some_and(|region| region.misses(window))
        });
        for window in empty {
            behind.step(Step::Background(window.clone()))?;
            report.skipped += 1;
            state.done += 1;
            progress(state);
        }
        // A few windows at a time, so that nobody waits long for an answer to Ctrl-C.
        let mut rest = full.as_slice();
        while !rest.is_empty() {
            run.cancel.check()?;
            let (now, later) = rest.split_at(forward.batch().min(rest.len()));
            forward.run(channels, now, behind)?;
            state.batch = forward.batch();
            state.tasks = forward.tasks();
            for &window in now {
                behind.step(Step::Given(window.clone()))?;
                state.done += 1;
                progress(state);
            }
            rest = later;
        }
        let end = rows
            .peek()
            .and_then(|next| next.first())
            .map_or(planes, |window| window.volume[0].start);
        behind.step(Step::Planes(end))?;
    }
    report.network = forward.network_time;
    Ok(report)
}

/// Predicts one task on a preprocessed volume.
///
/// `channels` is (channel, z, y, x) on the task's grid, in the order of the task's channels;
/// returns the probabilities of the task's classes, (class, z, y, x) on the same grid. They are
/// the first classes of a soft-max over all classes, so they need not sum to one.
///
/// Memory: beside the input, classes of the task × voxels × 4 bytes, and that of
/// [`predict_slabs`], which needs no volume of probabilities.
///
/// Errors: those of [`predict_slabs`].
pub fn predict(
    engine: &mut dyn Engine,
    manifest: &Manifest,
    task: &Task,
    channels: ArrayView4<'_, f32>,
    options: &WindowOptions,
    progress: &mut dyn FnMut(WindowProgress),
) -> Result<Array4<f32>, RuntimeError> {
    let (_, z, y, x) = channels.dim();
    let mut whole = Array4::zeros((task.labels.len(), z, y, x));
    let run = WindowRun {
        manifest,
        tasks: &[task],
        channels,
        region: None,
        options,
        cancel: &CancelToken::new(),
    };
    let mut predictor = WholeModel::one_by_one(engine, &manifest.network);
    predict_slabs(&mut predictor, run, progress, &mut |slab| {
        let end = slab.first + slab.probabilities.dim().1;
        let mut planes = whole.slice_mut(s![.., slab.first..end, .., ..]);
        planes.assign(&slab.probabilities);
        Ok(())
    })?;
    Ok(whole)
}

#[cfg(test)]
mod tests;
