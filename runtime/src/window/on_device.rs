//! Averaging where the network computes: windows are summed there, and the host gets the planes that
//! are done.

use ndarray::ArrayViewMut4;

use super::{
    averaging::{Behind, Step},
    plan::Window,
};
use crate::{Lent, Placed, RuntimeError, Sums};

/// Sums logits on the device, and hands all else on to what divides sums by weights.
pub(super) struct OnDevice<'a> {
    pub(super) sums: Box<dyn Sums>,
    pub(super) tasks: usize,
    /// The mirror views: for each, which of the axes (z, y, x) are flipped.
    pub(super) views: Vec<[bool; 3]>,
    /// Planes that are kept, and the first of them.
    pub(super) depth: usize,
    pub(super) first: usize,
    pub(super) behind: &'a mut dyn Behind,
}

impl Behind for OnDevice<'_> {
    fn logits(
        &mut self,
        window: &Window,
        view: usize,
        task: usize,
        logits: ArrayViewMut4<'_, f32>,
    ) -> Result<(), RuntimeError> {
        self.behind.logits(window, view, task, logits)
    }

    fn sum(
        &mut self,
        window: &Window,
        view: usize,
        task: usize,
        item: usize,
        logits: &Lent<'_>,
    ) -> Option<Result<(), RuntimeError>> {
        let [z, y, x] = window.volume.clone();
        let placed = Placed {
            task,
            item,
            flips: self.views[view],
            patch: window.patch.clone(),
            sums: [z.start - self.first..z.end - self.first, y, x],
        };
        Some(self.sums.add(logits, &placed))
    }

    fn step(&mut self, step: Step) -> Result<(), RuntimeError> {
        if let Step::Planes(end) = step {
            let count = end.saturating_sub(self.first).min(self.depth);
            for task in (0..self.tasks).filter(|_| count > 0) {
                let sums = self.sums.take(task, count)?;
                self.behind.step(Step::Sums(task, sums))?;
            }
            self.first += count;
        }
        self.behind.step(step)
    }
}
