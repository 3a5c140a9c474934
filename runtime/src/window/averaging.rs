//! What is done with the logits of windows: soft-max, mirrored back, weighted, averaged, handed on.

use ndarray::{Array3, Array4, ArrayView4, ArrayViewMut4, Axis, Zip, s};
use rayon::prelude::*;

use super::{Slab, accumulate::Accumulator, plan::Window};
use crate::{Lent, RuntimeError};

/// Takes planes that no later window touches.
pub(super) type Sink<'a> = dyn FnMut(Slab) -> Result<(), RuntimeError> + Send + 'a;

/// What stands behind the network and takes what it gives, window by window.
pub(super) trait Behind {
    /// The logits of one view of a window for one task, (class, z, y, x) of the patch's extent over
    /// all classes of the network; they may be written over.
    ///
    /// Errors: [`RuntimeError::NotFinite`].
    fn logits(
        &mut self,
        window: &Window,
        view: usize,
        task: usize,
        logits: ArrayViewMut4<'_, f32>,
    ) -> Result<(), RuntimeError>;

    /// The same for the window at the place `item` of a call's logits, where they were computed;
    /// nothing if this takes them in the host's memory.
    ///
    /// Errors: those of the engine that sums them.
    fn sum(
        &mut self,
        window: &Window,
        view: usize,
        task: usize,
        item: usize,
        logits: &Lent<'_>,
    ) -> Option<Result<(), RuntimeError>> {
        let _ = (window, view, task, item, logits);
        None
    }

    /// What else there is to do, in order with the logits.
    ///
    /// Errors: those of the sink.
    fn step(&mut self, step: Step) -> Result<(), RuntimeError>;
}

/// What is done between the logits.
#[derive(Debug)]
pub(super) enum Step {
    /// A window is nothing but background.
    Background(Window),
    /// The logits of all views and tasks of a window were given.
    Given(Window),
    /// Sums of a task that were made elsewhere, (class, z, y, x), from the first plane that is kept.
    Sums(usize, Array4<f32>),
    /// No later window touches the planes before this one.
    Planes(usize),
}

/// Averages over views and windows.
pub(super) struct Averaging<'a> {
    /// Name of the engine, for messages.
    pub(super) engine: String,
    /// The mirror views: for each, which of the axes (z, y, x) are flipped.
    pub(super) views: Vec<[bool; 3]>,
    /// For each task its classes, and the sum of a window's views so far, (class, z, y, x): made
    /// when a window with more than one view first needs it.
    pub(super) sums: Vec<(usize, Option<Array4<f32>>)>,
    pub(super) means: Accumulator,
    /// Weight of each voxel of the patch.
    pub(super) importance: Array3<f32>,
    pub(super) sink: &'a mut Sink<'a>,
}

impl Behind for Averaging<'_> {
    fn logits(
        &mut self,
        window: &Window,
        view: usize,
        task: usize,
        mut logits: ArrayViewMut4<'_, f32>,
    ) -> Result<(), RuntimeError> {
        let Averaging {
            engine,
            views,
            sums,
            means,
            importance,
            ..
        } = self;
        let (classes, sum) = &mut sums[task];
        if !softmax(logits.view_mut()) {
            return Err(RuntimeError::NotFinite {
                engine: engine.clone(),
            });
        }
        let mut found = logits.slice_move(s![..*classes, .., .., ..]);
        if views.len() == 1 {
            means.add(window, task, found.view(), importance.view());
            return Ok(());
        }
        let sum = sum.get_or_insert_with(|| Array4::zeros(found.dim()));
        if view == 0 {
            sum.fill(0.0);
        }
        for axis in flipped(views[view]) {
            found.invert_axis(Axis(axis + 1));
        }
        add_share(sum, found.view(), 1.0 / views.len() as f32);
        if view + 1 == views.len() {
            means.add(window, task, sum.view(), importance.view());
        }
        Ok(())
    }

    fn step(&mut self, step: Step) -> Result<(), RuntimeError> {
        let importance = self.importance.view();
        match step {
            Step::Background(window) => self.means.add_background(&window, importance),
            Step::Given(window) => self.means.weigh(&window, importance),
            Step::Sums(task, sums) => {
                if !self.means.add_sums(task, sums.view()) {
                    return Err(RuntimeError::NotFinite {
                        engine: self.engine.clone(),
                    });
                }
            }
            Step::Planes(end) => {
                let sink = &mut self.sink;
                return self.means.take_until(end, |task, first, probabilities| {
                    sink(Slab {
                        task,
                        first,
                        probabilities,
                    })
                });
            }
        }
        Ok(())
    }
}

/// The axes that a view flips.
pub(super) fn flipped(flips: [bool; 3]) -> impl Iterator<Item = usize> {
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
