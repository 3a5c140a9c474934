//! Windows through the network: fill the slots, mirror, run, soft-max, mirror back, average.

use std::time::{Duration, Instant};

use ndarray::{Array4, Array5, ArrayView4, ArrayView5, ArrayViewMut3, ArrayViewMut4, Axis, Zip, s};
use rayon::prelude::*;
use uniseg_onnx::{Manifest, Task};

use super::{WindowOptions, plan::Window};
use crate::{Predictor, RuntimeError};

/// Takes the mean probabilities of one window: the window's place in the list, the task's, and
/// (class, z, y, x) of the patch's extent.
pub(super) type EachWindow<'a> = dyn FnMut(usize, usize, ArrayView4<'_, f32>) + 'a;

/// Runs windows of tasks that see the same image; keeps the buffers between windows.
pub(super) struct Forward<'a> {
    predictor: &'a mut dyn Predictor,
    /// Slot of each channel.
    slots: Vec<usize>,
    /// The mirror views: for each, which of the axes (z, y, x) are flipped.
    views: Vec<[bool; 3]>,
    tasks: Vec<u32>,
    /// Views of windows that one call may take.
    batch: usize,
    /// Network input, [batch, slots, D, H, W]; the slots of other tasks stay zero.
    image: Array5<f32>,
    /// For each task its classes, and the sum of a window's views so far, (class, z, y, x): made
    /// when a window with more than one view first needs it.
    sums: Vec<(usize, Option<Array4<f32>>)>,
    /// Time inside the predictor.
    pub(super) network_time: Duration,
}

impl<'a> Forward<'a> {
    /// Prepares `tasks` of `manifest`, which must take the same channels in the same slots, for as
    /// many windows at a time as `options` say and `most` allows.
    ///
    /// Errors: [`RuntimeError::TaskOutsideNetwork`] if a task names slots or classes that the
    /// network does not have.
    pub(super) fn new(
        predictor: &'a mut dyn Predictor,
        manifest: &Manifest,
        tasks: &[&Task],
        options: &WindowOptions,
        most: usize,
    ) -> Result<Forward<'a>, RuntimeError> {
        let network = &manifest.network;
        let [d, h, w] = network.patch_zyx;
        for task in tasks {
            let outside = |slot: usize| slot >= network.slots;
            if task.channels.iter().any(|channel| outside(channel.slot))
                || task.labels.len() > network.classes
            {
                return Err(RuntimeError::TaskOutsideNetwork {
                    task: task.name.clone(),
                    slots: network.slots,
                    classes: network.classes,
                });
            }
        }
        let mirrored = manifest
            .inference
            .mirror_axes
            .iter()
            .fold([false; 3], |mut axes, axis| {
                axes[axis.index()] = true;
                axes
            });
        let views = mirror_views(if options.mirror { mirrored } else { [false; 3] });
        let batch = match predictor.batches() {
            true => options.batch.get().min(most.max(1) * views.len()),
            false => 1,
        };
        let channels = tasks.first().map_or(&[][..], |task| &task.channels);
        Ok(Forward {
            predictor,
            slots: channels.iter().map(|channel| channel.slot).collect(),
            views,
            tasks: tasks.iter().map(|task| task.id).collect(),
            batch,
            image: Array5::zeros((batch, network.slots, d, h, w)),
            sums: tasks.iter().map(|task| (task.labels.len(), None)).collect(),
            network_time: Duration::ZERO,
        })
    }

    /// Views of windows that a call takes; falls when memory runs out.
    pub(super) fn batch(&self) -> usize {
        self.batch
    }

    /// Tasks that a call takes; falls when memory runs out.
    pub(super) fn tasks(&self) -> usize {
        self.predictor.tasks_in_a_call().min(self.tasks.len())
    }

    /// Hands `each` the probabilities of every task in every window of `channels` (channel, z, y,
    /// x), the windows of a task in their order.
    ///
    /// Voxels outside the volume are zero, as nnU-Net pads. Soft-max runs over **all** classes of
    /// the network and the task's first ones are kept without renormalising, as the official
    /// predictor does. Where a call runs out of memory, it is made again with half the batch.
    ///
    /// Errors: those of the predictor, and [`RuntimeError::NotFinite`].
    pub(super) fn run(
        &mut self,
        channels: ArrayView4<'_, f32>,
        windows: &[&Window],
        each: &mut EachWindow<'_>,
    ) -> Result<(), RuntimeError> {
        let views = self.views.len();
        let total = windows.len() * views;
        // How many items each task is through: a call that fails may have served some of them.
        let mut done = vec![0; self.tasks.len()];
        while let Some(start) = done.iter().copied().min().filter(|start| *start < total) {
            let count = self.batch.min(total - start);
            for item in 0..count {
                let at = start + item;
                self.fill(item, channels, windows[at / views], self.views[at % views]);
            }
            match self.call(start, count, &mut done, each) {
                Ok(()) => {}
                Err(error) if error.is_out_of_memory() && self.batch > 1 => {
                    self.batch = (count / 2).max(1);
                    self.shrink();
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// One call of the predictor with the first `count` images, which are the items from `start`.
    fn call(
        &mut self,
        start: usize,
        count: usize,
        done: &mut [usize],
        each: &mut EachWindow<'_>,
    ) -> Result<(), RuntimeError> {
        let Forward {
            predictor,
            views,
            tasks,
            image,
            sums,
            network_time,
            ..
        } = self;
        let name = predictor.name().to_owned();
        let mut outside = Duration::ZERO;
        let begin = Instant::now();
        let image: ArrayView5<'_, f32> = image.slice(s![..count, .., .., .., ..]);
        let result = predictor.logits(image, tasks, &mut |task, mut logits| {
            let consumed = Instant::now();
            let (classes, sum) = &mut sums[task];
            for (item, mut logits) in (start..).zip(logits.outer_iter_mut()) {
                if item < done[task] {
                    continue;
                }
                let (window, view) = (item / views.len(), item % views.len());
                if !softmax(logits.view_mut()) {
                    return Err(RuntimeError::NotFinite {
                        engine: name.clone(),
                    });
                }
                let mut found = logits.slice_move(s![..*classes, .., .., ..]);
                if views.len() == 1 {
                    each(window, task, found.view());
                } else {
                    let sum = sum.get_or_insert_with(|| Array4::zeros(found.dim()));
                    if view == 0 {
                        sum.fill(0.0);
                    }
                    for axis in flipped(views[view]) {
                        found.invert_axis(Axis(axis + 1));
                    }
                    add_share(sum, found.view(), 1.0 / views.len() as f32);
                    if view + 1 == views.len() {
                        each(window, task, sum.view());
                    }
                }
                done[task] = item + 1;
            }
            outside += consumed.elapsed();
            Ok(())
        });
        *network_time += begin.elapsed().saturating_sub(outside);
        result
    }

    /// Gives back what a smaller batch does not need: all of it first, because there is no memory
    /// for both.
    fn shrink(&mut self) {
        let (_, slots, d, h, w) = self.image.dim();
        self.image = Array5::zeros((0, slots, d, h, w));
        self.image = Array5::zeros((self.batch, slots, d, h, w));
    }

    /// Puts one view of a window into the network's input.
    fn fill(
        &mut self,
        item: usize,
        channels: ArrayView4<'_, f32>,
        window: &Window,
        flips: [bool; 3],
    ) {
        let [z, y, x] = window.volume.clone();
        let [pz, py, px] = window.patch.clone();
        for (&slot, channel) in self.slots.iter().zip(channels.outer_iter()) {
            let mut input: ArrayViewMut3<'_, f32> =
                self.image.slice_mut(s![item, slot, .., .., ..]);
            for axis in flipped(flips) {
                input.invert_axis(Axis(axis));
            }
            let volume = channel.slice_move(s![z.clone(), y.clone(), x.clone()]);
            let planes: Vec<_> = input.outer_iter_mut().enumerate().collect();
            planes.into_par_iter().for_each(|(plane, mut input)| {
                input.fill(0.0);
                if pz.contains(&plane) {
                    let volume = volume.index_axis(Axis(0), plane - pz.start);
                    input.slice_mut(s![py.clone(), px.clone()]).assign(&volume);
                }
            });
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

/// Replaces `logits` (all classes, z, y, x) by their soft-max. False if a value is not finite.
fn softmax(mut logits: ArrayViewMut4<'_, f32>) -> bool {
    let slabs: Vec<_> = logits.axis_iter_mut(Axis(1)).collect();
    slabs
        .into_par_iter()
        .map(|mut logits| {
            let width = logits.shape()[2];
            let (mut highest, mut total) = (vec![0.0f32; width], vec![0.0f32; width]);
            let mut finite = true;
            for mut logits in logits.axis_iter_mut(Axis(1)) {
                highest.fill(f32::NEG_INFINITY);
                total.fill(0.0);
                for row in logits.outer_iter() {
                    for (highest, &logit) in highest.iter_mut().zip(row) {
                        *highest = highest.max(logit);
                    }
                }
                for mut row in logits.outer_iter_mut() {
                    for ((total, &highest), logit) in total.iter_mut().zip(&highest).zip(&mut row) {
                        *logit = (*logit - highest).exp();
                        *total += *logit;
                    }
                }
                for mut row in logits.outer_iter_mut() {
                    for (&total, value) in total.iter().zip(&mut row) {
                        *value /= total;
                    }
                }
                finite &= total.iter().all(|total| total.is_finite());
            }
            finite
        })
        .reduce(|| true, |a, b| a & b)
}

/// Adds `share` times the probabilities of a view (class, z, y, x) to `sum`.
fn add_share(sum: &mut Array4<f32>, view: ArrayView4<'_, f32>, share: f32) {
    let planes: Vec<_> = sum
        .axis_iter_mut(Axis(1))
        .zip(view.axis_iter(Axis(1)))
        .collect();
    planes.into_par_iter().for_each(|(mut sum, view)| {
        Zip::from(&mut sum)
            .and(&view)
            .for_each(|sum, probability| *sum += probability * share);
    });
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
    fn softmax_runs_over_all_classes() {
        let mut logits = Array4::zeros((3, 1, 1, 2));
        logits[[2, 0, 0, 1]] = 2f32.ln();
        assert!(softmax(logits.view_mut()));
        assert!((logits[[0, 0, 0, 0]] - 1.0 / 3.0).abs() < 1e-6);
        assert!((logits[[1, 0, 0, 1]] - 0.25).abs() < 1e-6);
    }

    #[test]
    fn softmax_reports_what_is_not_finite() {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut logits = Array4::zeros((2, 1, 1, 2));
            logits[[1, 0, 0, 0]] = bad;
            assert!(!softmax(logits.view_mut()));
        }
    }
}
