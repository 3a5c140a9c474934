//! The sliding window: a network made for one patch, run over a volume of any extent.
//!
//! Follows nnU-Net v1's predictor (positions, Gaussian weights, mirroring, soft-max, mean); what
//! comes before (resampling, normalisation) and after (back to the image's own grid) is
//! `uniseg-imaging`'s.

mod accumulate;
mod forward;
mod gaussian;
mod plan;

use ndarray::{Array4, ArrayView4};
use uniseg_onnx::{Manifest, Task};

pub use self::gaussian::gaussian;
pub use self::plan::{Window, WindowPlan};
use self::{accumulate::Accumulator, forward::Forward};
use crate::{Engine, RuntimeError};

/// How the window moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowOptions {
    /// Distance of two windows as a fraction of the patch, in (0, 1].
    pub step: f64,
    /// Average over all mirror views of the manifest's mirror axes.
    pub mirror: bool,
}

impl WindowOptions {
    /// The artefact's own defaults.
    pub fn of(manifest: &Manifest) -> WindowOptions {
        WindowOptions {
            step: manifest.inference.step,
            mirror: manifest.inference.mirror,
        }
    }
}

/// How many windows are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowProgress {
    /// Windows that have been through the engine.
    pub done: usize,
    /// All windows of this volume.
    pub total: usize,
}

/// Predicts one task on a preprocessed volume.
///
/// `channels` is (channel, z, y, x) on the task's grid, in the order of the task's channels;
/// returns the probabilities of the task's classes, (class, z, y, x) on the same grid. They are
/// the first classes of a soft-max over all classes, so they need not sum to one.
///
/// Memory: beside the input, (classes of the task + 1) × voxels × 4 bytes.
///
/// Errors: [`RuntimeError::ChannelCount`], a step or sigma out of range, whatever the engine
/// reports, and outputs of the wrong shape or not finite.
pub fn predict(
    engine: &mut dyn Engine,
    manifest: &Manifest,
    task: &Task,
    channels: ArrayView4<'_, f32>,
    options: &WindowOptions,
    progress: &mut dyn FnMut(WindowProgress),
) -> Result<Array4<f32>, RuntimeError> {
    let (count, z, y, x) = channels.dim();
    RuntimeError::check_channels(task, count)?;
    let patch = manifest.network.patch_zyx;
    let plan = WindowPlan::new([z, y, x], patch, options.step)?;
    let importance = gaussian(patch, manifest.inference.gaussian_sigma)?;
    let mut forward = Forward::new(engine, manifest, task, options.mirror)?;
    let mut mean = Accumulator::new(task.labels.len(), [z, y, x]);
    let total = plan.len();
    progress(WindowProgress { done: 0, total });
    for (index, window) in plan.windows().enumerate() {
        let probabilities = forward.run(channels, &window)?;
        mean.add(&window, probabilities, importance.view());
        progress(WindowProgress {
            done: index + 1,
            total,
        });
    }
    Ok(mean.finish())
}

#[cfg(test)]
mod tests;
