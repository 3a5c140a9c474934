//! How much memory a case takes, estimated before it starts, and what gives way to a bound.

use std::{fmt, num::NonZeroUsize, str::FromStr};

use uniseg_onnx::{Normalization, Task, ZScoreScope};

use crate::{
    Case, ComputedOn, Footprint, Keeping, Model, Pieces, PiecesOn, Precision, RuntimeError,
    WindowOptions, group_tasks,
};

/// Bytes of a voxel of an image, and of a label map.
const FLOAT: u64 = 4;
const LABEL: u64 = 2;

/// What a process of this program holds before it has read anything.
const PROCESS: u64 = 96 << 20;

/// What OpenVINO's libraries hold once they are loaded.
const OPENVINO: u64 = 64 << 20;

/// A number of bytes, as in `4G`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemoryBound(pub u64);

impl FromStr for MemoryBound {
    type Err = String;

    /// Reads a number and `K`, `M`, `G`, `T`, each with `B` or `iB` or without, or nothing (bytes);
    /// the units are powers of 1024.
    fn from_str(text: &str) -> Result<MemoryBound, String> {
        let wrong = || format!("{text:?} is no size: write it as in 4G or 800M");
        let upper = text.trim().to_uppercase();
        // 4G, 4GB and 4GiB are the same here.
        let short = upper.strip_suffix("IB").or(upper.strip_suffix('B'));
        let short = short.unwrap_or(&upper);
        let units = [('K', 10), ('M', 20), ('G', 30), ('T', 40)];
        let (digits, bits) = units
            .iter()
            .find_map(|&(unit, bits)| Some((short.strip_suffix(unit)?, bits)))
            .unwrap_or((short, 0));
        let number: f64 = digits.trim().parse().map_err(|_| wrong())?;
        let bytes = number * (1_u64 << bits) as f64;
        match bytes.is_finite() && bytes >= 1.0 {
            true => Ok(MemoryBound(bytes as u64)),
            false => Err(wrong()),
        }
    }
}

impl fmt::Display for MemoryBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [mib, gib] = [20, 30].map(|bits| self.0 as f64 / (1_u64 << bits) as f64);
        match gib < 1.0 {
            true => write!(f, "{mib:.0} MiB"),
            false => write!(f, "{gib:.2} GiB"),
        }
    }
}

/// Work that is to be done on a case.
#[derive(Debug, Clone, Copy)]
pub struct MemoryUse<'a> {
    /// The network.
    pub pieces: &'a Pieces,
    /// What it is computed on.
    pub on: PiecesOn,
    /// Its tasks, in groups one after another.
    pub tasks: &'a [&'a Task],
    /// How the window moves.
    pub options: WindowOptions,
    /// Most tasks in a group that runs on the same windows.
    pub together: usize,
    /// Whether the tasks are joined in one map as well.
    pub merged: bool,
    /// Label maps that wait to be written, or are written, while the next ones are made.
    pub waiting: usize,
    /// Whether a picture is drawn of each.
    pub preview: bool,
}

/// What a case takes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryEstimate {
    /// The images as they are kept: in 16 bits, if all their voxels are whole numbers.
    pub images: u64,
    /// Resampling, while it runs, and images as it needs them.
    pub resampling: u64,
    /// The network's image.
    pub prepared: u64,
    /// Sums of overlapping windows, and slabs on their way back. Grows with the plane and the
    /// classes, not with the length of the volume.
    pub sums: u64,
    /// Label maps that are made.
    pub labels: u64,
    /// Label maps that are done: those that wait, and the merged one.
    pub done: u64,
    /// Reading the weights, while that lasts, and what is there beside them; of a pair, of both
    /// halves.
    pub opening: u64,
    /// The first image in 32 bits, while a picture is drawn of it.
    pub preview: u64,
    /// What is kept of the weights; of a pair, of both halves.
    pub weights: u64,
    /// One call of the network; of a pair, of the half that needs more, or of both where each half
    /// keeps the memory that it computes in.
    pub network: u64,
}

impl MemoryEstimate {
    /// Estimates the work on a case that was read, in an engine that gives memory back
    /// ([`crate::EngineOptions::lean`]).
    pub fn of(work: &MemoryUse<'_>, case: &Case) -> MemoryEstimate {
        let geometry = case.geometry();
        let [images, made] = case.image_bytes();
        let (from, spacing) = (geometry.extent.zyx(), geometry.spacing.zyx());
        let from = from.map(|size| size as u64);
        let voxels: u64 = from.iter().product();
        let channels = case.channels() as u64;
        let patch = work.pieces.model().manifest().network.patch_zyx;
        let patch = patch.map(|size| size as u64);
        let target = |task: &Task| -> [u64; 3] {
            [0, 1, 2].map(|axis| {
                let size = spacing[axis] / task.spacing_zyx_mm[axis] * from[axis] as f64;
                size.round().max(1.0) as u64
            })
        };
        let (mut resampling, mut prepared) = (0, 0);
        for task in work.tasks {
            let to = target(task);
            prepared = prepared.max(FLOAT * channels * to.iter().product::<u64>());
            resampling = resampling.max(made + FLOAT * between(from, to) + mask(task, voxels));
        }
        let (mut sums, mut most) = (0, 0);
        let mut least = u64::MAX;
        for group in group_tasks(work.tasks, work.together) {
            let (mut group_sums, mut weight, mut slab) = (0, 0, 0);
            for task in &group {
                let to = target(task);
                let plane = patch[0].min(to[0]) * to[1] * to[2];
                let classes = task.labels.len() as u64;
                // The sums, their weight, and, of mirror views, what one window sums up.
                let window = u64::from(work.options.mirror) * patch.iter().product::<u64>();
                group_sums += (plane + window) * classes;
                weight = weight.max(plane);
                slab = slab.max(plane * classes);
            }
            // A slab that is made, one that waits, one on its way.
            sums = sums.max(FLOAT * (group_sums + weight + 3 * slab));
            most = most.max(group.len() as u64);
            least = least.min(group.len() as u64);
        }
        let at_once = work.pieces.tasks_in_a_call(most as usize);
        let main = Running::of(work.pieces.model(), work.on.main, at_once);
        let encoder = work.pieces.encoder();
        let encoder = encoder.map(|encoder| Running::of(encoder, work.on.encoder, 1));
        let labels = LABEL * voxels * most;
        if work.options.fast.is_some() {
            // Where to go: a byte a voxel, or an eighth of that beside an image of an eighth.
            prepared += prepared / 4;
        }
        // For a group of another size one file is opened again, beside what its windows need.
        let beside = match at_once > 1 && least < most {
            true => sums + labels,
            false => 0,
        };
        MemoryEstimate {
            images,
            resampling,
            prepared,
            sums,
            labels,
            done: LABEL * voxels * (work.waiting as u64 + u64::from(work.merged)),
            preview: u64::from(work.preview) * FLOAT * voxels,
            opening: opening(&main, encoder.as_ref()) + beside,
            weights: main.weights() + encoder.as_ref().map_or(0, Running::weights),
            network: network(&main, encoder.as_ref(), work.options.batch.get() as u64),
        }
    }

    /// The most that is there at one time.
    pub fn peak(&self) -> u64 {
        let always = PROCESS + self.images + self.prepared + self.done;
        let opening = always + self.opening;
        let preparing = always + self.weights + self.resampling;
        let running = always + self.weights + self.sums + self.labels + self.network;
        // Engines keep what a window takes.
        opening.max(preparing).max(running + self.preview)
    }
}

/// Voxels between the image and the network's image: axes are resampled one after another, the
/// most shrinking first, and the one before is there while the next is made.
fn between(from: [u64; 3], to: [u64; 3]) -> u64 {
    let mut axes = [0, 1, 2];
    let growth = |axis: usize| to[axis] as f64 / from[axis].max(1) as f64;
    axes.sort_by(|a, b| growth(*a).total_cmp(&growth(*b)));
    let (mut size, mut before, mut most) = (from, 0, 0);
    for axis in axes.into_iter().filter(|axis| from[*axis] != to[*axis]) {
        size[axis] = to[axis];
        let now: u64 = size.iter().product();
        most = most.max(before + now);
        before = now;
    }
    most
}

/// Bytes of the mask of voxels that are not zero, where a task's normalisation needs one: what is
/// inside, what is not reached from outside, and the same as numbers to be resampled.
fn mask(task: &Task, voxels: u64) -> u64 {
    let nonzero = Normalization::ZScore {
        scope: ZScoreScope::Nonzero,
    };
    let needed = task
        .channels
        .iter()
        .any(|channel| channel.normalization == nonzero);
    u64::from(needed) * (2 + FLOAT) * voxels
}

/// A model, how its engine keeps what it computes, and what a call with one window costs.
struct Running<'a> {
    model: &'a Model,
    keeping: Keeping,
    footprint: &'a Footprint,
    /// Tasks whose values are all there at once, each with those of `footprint`.
    beside: u64,
}

impl Running<'_> {
    /// Computing so many tasks at once.
    fn of(model: &Model, on: ComputedOn, tasks: usize) -> Running<'_> {
        let keeping = Keeping::on(on);
        let (after, beside) = match keeping {
            Keeping::Joined { .. } => (tasks, 1),
            // It does not keep the graph's order: the copies run side by side.
            Keeping::Apart => (1, tasks as u64),
        };
        Running {
            model,
            keeping,
            footprint: model.footprint_of(after),
            beside,
        }
    }

    /// What is kept of the file's weights, and of the engine's own libraries.
    fn weights(&self) -> u64 {
        let (file, floats) = (self.model.file_bytes(), self.footprint.weight_bytes);
        match self.keeping {
            // Them, and a copy in the order that its products like.
            Keeping::Apart => file + 2 * floats,
            // What it was given, unless its pages were let go, and a copy in its own order. Bytes
            // that it computes with as floats it makes floats first, and keeps those.
            Keeping::Joined { float } => {
                let given = match self.model.weights_stay_in_file() {
                    true if self.model.stored_precision() == Precision::F32 => 0,
                    _ => file,
                };
                OPENVINO + given + floats * float / FLOAT
            }
        }
    }

    /// What reading the weights takes, more than [`Running::weights`] for a moment.
    fn opening(&self) -> u64 {
        let (file, floats) = (self.model.file_bytes(), self.footprint.weight_bytes);
        match self.keeping {
            Keeping::Apart => file + 2 * floats,
            Keeping::Joined { .. } => OPENVINO + file + 3 * floats,
        }
    }

    /// A call with one window: what is computed, and the working space of operations.
    fn call(&self) -> u64 {
        let alive = self
            .footprint
            .alive(self.keeping)
            .saturating_mul(self.beside);
        alive
            + match self.keeping {
                Keeping::Apart => alive / 4,
                Keeping::Joined { .. } => alive / 8,
            }
    }
}

/// Reading the weights: one half after the other, both files at hand.
fn opening(main: &Running<'_>, encoder: Option<&Running<'_>>) -> u64 {
    let Some(encoder) = encoder else {
        return main.opening();
    };
    let first = main.opening() + encoder.model.file_bytes();
    let second = main.weights() + main.model.file_bytes() + encoder.opening();
    first.max(second)
}

/// A call of the network with `batch` windows.
fn network(main: &Running<'_>, encoder: Option<&Running<'_>>, batch: u64) -> u64 {
    let batch = if main.model.batches() { batch } else { 1 };
    // Some engines hand out copies of the logits, while one of them is being read.
    let decoding = main.call() + main.model.footprint().output_bytes;
    let one = match (encoder, main.keeping) {
        (None, _) => decoding,
        // The features are lent to the decoder; its inputs are part of its activations.
        (Some(encoder), Keeping::Apart) => decoding.max(encoder.call()),
        // Each half keeps the memory that it computes in.
        (Some(encoder), Keeping::Joined { .. }) => {
            let features = encoder.footprint.output_bytes;
            decoding + encoder.call().saturating_sub(features)
        }
    };
    batch * one
}

/// Lowers the batch, then the number of tasks that run together, until the case fits into `bound`.
/// Returns the work that does.
///
/// Errors: [`RuntimeError::MemoryBound`] if one window and one task at a time do not fit either.
pub fn fit_memory<'a>(
    bound: MemoryBound,
    mut work: MemoryUse<'a>,
    case: &Case,
) -> Result<MemoryUse<'a>, RuntimeError> {
    work.together = work.together.min(work.tasks.len().max(1));
    loop {
        let estimate = MemoryEstimate::of(&work, case);
        if estimate.peak() <= bound.0 {
            return Ok(work);
        }
        let batches = work.pieces.model().batches();
        match NonZeroUsize::new(work.options.batch.get() / 2).filter(|_| batches) {
            Some(batch) => work.options.batch = batch,
            None if work.together > 1 => work.together -= 1,
            None => {
                return Err(RuntimeError::MemoryBound {
                    bound,
                    needed: MemoryBound(estimate.peak()),
                    images: MemoryBound(
                        estimate.images + estimate.prepared + estimate.labels + estimate.done,
                    ),
                    network: MemoryBound(estimate.weights + estimate.network),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests;
