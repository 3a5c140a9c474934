//! Planes of the network's grid that arrive in the order of z, and what they complete.

use std::collections::VecDeque;
use std::ops::Range;

use ndarray::{Array3, ArrayView3, ArrayView4, Axis};

use super::Restore;
use crate::error::ImagingError;
use crate::geometry::Extent;
use crate::resample::LinearTap;

/// Keeps the planes that a slice of the crop still to come depends on, and no others.
#[derive(Debug)]
pub(super) struct Planes<'a> {
    pub(super) restore: &'a Restore,
    classes: usize,
    /// Which planes, rows and voxels make those of the crop.
    taps: [Vec<LinearTap>; 3],
    /// Planes (class, y, x) of the target grid that a later slice needs.
    kept: VecDeque<Array3<f32>>,
    /// Place of the first kept plane in the target grid.
    kept_from: usize,
    /// Planes that have arrived.
    arrived: usize,
    /// Slices of the crop that are complete.
    finished: usize,
}

/// Slices of the crop for which every plane has arrived.
pub(super) struct Complete<'p> {
    /// Their places along z in the crop.
    pub(super) slices: Range<usize>,
    /// Which planes, rows and voxels make those of the crop.
    pub(super) taps: &'p [Vec<LinearTap>; 3],
    planes: ArrayView4<'p, f32>,
    before: usize,
    kept: &'p VecDeque<Array3<f32>>,
    kept_from: usize,
}

impl Complete<'_> {
    /// A plane (class, y, x) of the target grid that one of the slices depends on.
    pub(super) fn plane(&self, index: usize) -> ArrayView3<'_, f32> {
        match index.checked_sub(self.before) {
            Some(new) => self.planes.index_axis(Axis(1), new),
            None => self.kept[index - self.kept_from].view(),
        }
    }
}

impl<'a> Planes<'a> {
    /// Errors: [`ImagingError::ProbabilityShape`] without classes, [`ImagingError::TooManyClasses`].
    pub(super) fn new(restore: &'a Restore, classes: usize) -> Result<Self, ImagingError> {
        if classes == 0 || restore.target.zyx().contains(&0) {
            return Err(ImagingError::ProbabilityShape {
                classes,
                found: restore.target,
                expected: restore.target,
            });
        }
        if u16::try_from(classes - 1).is_err() {
            return Err(ImagingError::TooManyClasses { found: classes });
        }
        Ok(Self {
            restore,
            classes,
            taps: restore.taps(),
            kept: VecDeque::new(),
            kept_from: 0,
            arrived: 0,
            finished: 0,
        })
    }

    /// Takes the next planes (class, z, y, x) of the target grid; `each` gets what they complete.
    ///
    /// Errors: [`ImagingError::ProbabilityShape`] for other classes or planes, or too many.
    pub(super) fn push<T>(
        &mut self,
        planes: ArrayView4<'_, f32>,
        each: impl FnOnce(&Complete<'_>) -> T,
    ) -> Result<T, ImagingError> {
        let (classes, count, y, x) = planes.dim();
        let found = Extent::from_zyx([self.arrived + count, y, x]);
        let [target_z, target_y, target_x] = self.restore.target.zyx();
        if classes != self.classes || [y, x] != [target_y, target_x] || found.zyx()[0] > target_z {
            return Err(self.misfit(classes, found));
        }
        let before = self.arrived;
        self.arrived += count;
        // Taps rise with z: what is complete is a run of planes.
        let complete = self.taps[0][self.finished..].iter();
        let complete = complete.take_while(|tap| tap.high < self.arrived).count();
        let upto = self.finished + complete;
        let done = each(&Complete {
            slices: self.finished..upto,
            taps: &self.taps,
            planes,
            before,
            kept: &self.kept,
            kept_from: self.kept_from,
        });
        self.finished = upto;

        // From the first plane that the next slice needs, or nothing if there is no next slice.
        let needed = self.taps[0].get(upto).map_or(self.arrived, |tap| tap.low);
        while self.kept_from < needed && self.kept.pop_front().is_some() {
            self.kept_from += 1;
        }
        if self.kept.is_empty() {
            self.kept_from = needed.max(before);
        }
        for index in self.kept_from.max(before).max(needed)..self.arrived {
            self.kept
                .push_back(planes.index_axis(Axis(1), index - before).to_owned());
        }
        Ok(done)
    }

    /// Bytes of the planes that are kept for slices still to come.
    pub(super) fn kept_bytes(&self) -> usize {
        self.kept.iter().map(|plane| plane.len() * 4).sum()
    }

    /// Errors: [`ImagingError::ProbabilityShape`] if planes are missing.
    pub(super) fn check_all_arrived(&self) -> Result<(), ImagingError> {
        let [z, y, x] = self.restore.target.zyx();
        if self.arrived == z {
            return Ok(());
        }
        Err(self.misfit(self.classes, Extent::from_zyx([self.arrived, y, x])))
    }

    fn misfit(&self, classes: usize, found: Extent) -> ImagingError {
        ImagingError::ProbabilityShape {
            classes,
            found,
            expected: self.restore.target,
        }
    }
}
