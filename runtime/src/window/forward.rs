//! One window through the engine: fill the slots, mirror, run, soft-max, mirror back, average.

use ndarray::{Array4, Array5, ArrayView4, ArrayViewMut3, Axis, s};
use rayon::prelude::*;
use uniseg_onnx::{Manifest, Network, Task};

use super::plan::Window;
use crate::{Engine, RuntimeError, forward::forward};

/// Runs windows of one task; keeps the buffers between windows.
pub(super) struct Forward<'a> {
    engine: &'a mut dyn Engine,
    /// Slot of each channel.
    slots: Vec<usize>,
    /// The mirror views: for each, which of the axes (z, y, x) are flipped.
    views: Vec<[bool; 3]>,
    task: u32,
    network: &'a Network,
    /// Engine input, [1, slots, D, H, W]; the slots of other tasks stay zero.
    image: Array5<f32>,
    /// Mean probabilities of the task's classes over the views, (class, z, y, x).
    probabilities: Array4<f32>,
}

impl<'a> Forward<'a> {
    /// Prepares `task` of `manifest`; `mirror` asks for all views of the manifest's mirror axes.
    ///
    /// Errors: [`RuntimeError::TaskOutsideNetwork`] if the task names slots or classes that the
    /// network does not have.
    pub(super) fn new(
        engine: &'a mut dyn Engine,
        manifest: &'a Manifest,
        task: &Task,
        mirror: bool,
    ) -> Result<Forward<'a>, RuntimeError> {
        let network = &manifest.network;
        let [d, h, w] = network.patch_zyx;
        let slots: Vec<usize> = task.channels.iter().map(|channel| channel.slot).collect();
        let classes = task.labels.len();
        if slots.iter().any(|&slot| slot >= network.slots) || classes > network.classes {
            return Err(RuntimeError::TaskOutsideNetwork {
                task: task.name.clone(),
                slots: network.slots,
                classes: network.classes,
            });
        }
        let mirrored = manifest
            .inference
            .mirror_axes
            .iter()
            .fold([false; 3], |mut axes, axis| {
                axes[axis.index()] = true;
                axes
            });
        Ok(Forward {
            engine,
            slots,
            views: mirror_views(if mirror { mirrored } else { [false; 3] }),
            task: task.id,
            network,
            image: Array5::zeros((1, network.slots, d, h, w)),
            probabilities: Array4::zeros((classes, d, h, w)),
        })
    }

    /// Probabilities of the task's classes in one window of `channels` (channel, z, y, x).
    ///
    /// Voxels outside the volume are zero, as nnU-Net pads. Soft-max runs over **all** classes of
    /// the network and the task's first ones are kept without renormalising, as the official
    /// predictor does.
    pub(super) fn run(
        &mut self,
        channels: ArrayView4<'_, f32>,
        window: &Window,
    ) -> Result<ArrayView4<'_, f32>, RuntimeError> {
        self.probabilities.fill(0.0);
        let share = 1.0 / self.views.len() as f32;
        for view in 0..self.views.len() {
            let flips = self.views[view];
            self.fill(channels, window, flips);
            let logits = forward(self.engine, self.network, self.image.view(), self.task)?;
            let mut logits = logits.index_axis(Axis(0), 0);
            for axis in flipped(flips) {
                logits.invert_axis(Axis(axis + 1));
            }
            if !add_softmax(&mut self.probabilities, logits, share) {
                return Err(RuntimeError::NotFinite {
                    engine: self.engine.name().to_owned(),
                });
            }
        }
        Ok(self.probabilities.view())
    }

    fn fill(&mut self, channels: ArrayView4<'_, f32>, window: &Window, flips: [bool; 3]) {
        let [z, y, x] = window.volume.clone();
        let [pz, py, px] = window.patch.clone();
        for (&slot, channel) in self.slots.iter().zip(channels.outer_iter()) {
            let mut input: ArrayViewMut3<'_, f32> = self.image.slice_mut(s![0, slot, .., .., ..]);
            for axis in flipped(flips) {
                input.invert_axis(Axis(axis));
            }
            input.fill(0.0);
            input
                .slice_mut(s![pz.clone(), py.clone(), px.clone()])
                .assign(&channel.slice(s![z.clone(), y.clone(), x.clone()]));
        }
    }
}

/// All combinations of flipped axes, the unflipped view first.
fn mirror_views(axes: [bool; 3]) -> Vec<[bool; 3]> {
    (0..8u8)
        .map(|bits| std::array::from_fn(|axis| bits >> (2 - axis) & 1 == 1))
        .filter(|view: &[bool; 3]| (0..3).all(|axis| axes[axis] || !view[axis]))
        .collect()
}

fn flipped(flips: [bool; 3]) -> impl Iterator<Item = usize> {
    (0..3).filter(move |&axis| flips[axis])
}

/// Adds `share` times the soft-max of `logits` (all classes, z, y, x) to the classes of `sum`.
/// False if a value is not finite.
fn add_softmax(sum: &mut Array4<f32>, logits: ArrayView4<'_, f32>, share: f32) -> bool {
    let slabs: Vec<_> = sum
        .axis_iter_mut(Axis(1))
        .zip(logits.axis_iter(Axis(1)))
        .collect();
    slabs
        .into_par_iter()
        .map(|(mut sum, logits)| {
            let width = logits.shape()[2];
            let (mut highest, mut total) = (vec![0.0f32; width], vec![0.0f32; width]);
            let mut finite = true;
            for (mut sum, logits) in sum.axis_iter_mut(Axis(1)).zip(logits.axis_iter(Axis(1))) {
                highest.fill(f32::NEG_INFINITY);
                total.fill(0.0);
                for row in logits.outer_iter() {
                    for (highest, &logit) in highest.iter_mut().zip(row) {
                        *highest = highest.max(logit);
                    }
                }
                for row in logits.outer_iter() {
                    for ((total, &highest), &logit) in total.iter_mut().zip(&highest).zip(row) {
                        *total += (logit - highest).exp();
                    }
                }
                for (mut sum, row) in sum.outer_iter_mut().zip(logits.outer_iter()) {
                    for (((sum, &logit), &highest), &total) in
                        sum.iter_mut().zip(row).zip(&highest).zip(&total)
                    {
                        *sum += (logit - highest).exp() / total * share;
                    }
                }
                finite &= total.iter().all(|total| total.is_finite());
            }
            finite
        })
        .reduce(|| true, |a, b| a & b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_every_subset_of_the_mirror_axes() {
        assert_eq!(mirror_views([false; 3]), [[false; 3]]);
        assert_eq!(mirror_views([true; 3]).len(), 8);
        assert_eq!(
            mirror_views([true, false, true]),
            [
                [false; 3],
                [false, false, true],
                [true, false, false],
                [true, false, true]
            ]
        );
    }

    #[test]
    fn softmax_runs_over_all_classes_and_keeps_the_first() {
        let mut logits = Array4::zeros((3, 1, 1, 2));
        logits[[2, 0, 0, 1]] = 2f32.ln();
        let mut sum = Array4::zeros((2, 1, 1, 2));
        assert!(add_softmax(&mut sum, logits.view(), 1.0));
        assert!((sum[[0, 0, 0, 0]] - 1.0 / 3.0).abs() < 1e-6);
        assert!((sum[[1, 0, 0, 1]] - 0.25).abs() < 1e-6);
    }

    #[test]
    fn softmax_reports_what_is_not_finite() {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut logits = Array4::zeros((2, 1, 1, 2));
            logits[[1, 0, 0, 0]] = bad;
            assert!(!add_softmax(
                &mut Array4::zeros((2, 1, 1, 2)),
                logits.view(),
                1.0
            ));
        }
    }
}
