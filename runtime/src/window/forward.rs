//! Windows through the network: fill the slots, mirror, run.

use std::time::{Duration, Instant};

use ndarray::{Array5, ArrayView4, ArrayView5, ArrayViewMut3, Axis, s};
use rayon::prelude::*;
use uniseg_onnx::{Manifest, Task};

use super::{
    WindowOptions,
    averaging::{Behind, flipped},
    plan::Window,
};
use crate::{Predictor, RuntimeError, Sums, SumsOf};

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
            network_time: Duration::ZERO,
        })
    }

    /// The views of each window, in their order: for each, which of the axes (z, y, x) are flipped.
    pub(super) fn views(&self) -> &[[bool; 3]] {
        &self.views
    }

    /// Name of the engine.
    pub(super) fn engine(&self) -> &str {
        self.predictor.name()
    }

    /// What sums probabilities where logits are computed, if anything does.
    ///
    /// Errors: those of the predictor.
    pub(super) fn sums(&mut self, of: &SumsOf<'_>) -> Result<Option<Box<dyn Sums>>, RuntimeError> {
        self.predictor.sums(of)
    }

    /// Whether the processor is free while the network computes.
    pub(super) fn leaves_the_processor(&self) -> bool {
        self.predictor.leaves_the_processor()
    }

    /// Views of windows that a call takes; falls when memory runs out.
    pub(super) fn batch(&self) -> usize {
        self.batch
    }

    /// Tasks that a call takes; falls when memory runs out.
    pub(super) fn tasks(&self) -> usize {
        self.predictor.tasks_in_a_call().min(self.tasks.len())
    }

    /// Hands `behind` the logits of every task in every view of `windows` of `channels` (channel, z,
    /// y, x), those of a task in their order.
    ///
    /// Voxels outside the volume are zero, as nnU-Net pads. Where a call runs out of memory, it is
    /// made again with half the batch.
    ///
    /// Errors: those of the predictor and of `behind`.
    pub(super) fn run(
        &mut self,
        channels: ArrayView4<'_, f32>,
        windows: &[&Window],
        behind: &mut dyn Behind,
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
            match self.call(start, count, windows, &mut done, behind) {
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
        windows: &[&Window],
        done: &mut [usize],
        behind: &mut dyn Behind,
    ) -> Result<(), RuntimeError> {
        let Forward {
            predictor,
            views,
            tasks,
            image,
            network_time,
            ..
        } = self;
        let views = views.len();
        let mut outside = Duration::ZERO;
        let begin = Instant::now();
        let image: ArrayView5<'_, f32> = image.slice(s![..count, .., .., .., ..]);
        let result = predictor.logits(image, tasks, &mut |task, mut logits| {
            let taken = Instant::now();
            for item in start.max(done[task])..start + count {
                let (window, view) = (windows[item / views], item % views);
                match behind.sum(window, view, task, item - start, logits.lent()) {
                    Some(summed) => summed?,
                    None => break,
                }
                done[task] = item + 1;
            }
            outside += taken.elapsed();
            if done[task] >= start + count {
                return Ok(());
            }
            let mut logits = logits.view()?;
            let given = Instant::now();
            for (item, logits) in (start..).zip(logits.outer_iter_mut()) {
                if item < done[task] {
                    continue;
                }
                behind.logits(windows[item / views], item % views, task, logits)?;
                done[task] = item + 1;
            }
            outside += given.elapsed();
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
}
