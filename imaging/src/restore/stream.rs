//! Labels from probabilities that come plane by plane.

use std::collections::VecDeque;

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, ArrayView4, ArrayViewMut2, Axis, Zip};
use rayon::prelude::*;

use super::Restore;
use crate::error::ImagingError;
use crate::geometry::Extent;
use crate::resample::LinearTap;

/// Makes labels on the original grid of probabilities on the target grid that arrive in the order
/// of z, and forgets each plane as soon as no later label depends on it.
///
/// Memory: the labels, and (classes × y × x) × 8 bytes or less for a plane or two of the target
/// grid. The numbers are those of [`Restore::labels`], bit for bit.
#[derive(Debug)]
pub struct LabelStream<'a> {
    restore: &'a Restore,
    classes: usize,
    /// Which planes, rows and voxels make those of the crop.
    taps: [Vec<LinearTap>; 3],
    labels: Array3<u16>,
    /// Planes (class, y, x) of the target grid that a later label needs.
    kept: VecDeque<Array3<f32>>,
    /// Place of the first kept plane in the target grid.
    kept_from: usize,
    /// Planes that have arrived.
    arrived: usize,
    /// Planes of the crop whose labels are there.
    finished: usize,
}

impl<'a> LabelStream<'a> {
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
            labels: Array3::zeros(restore.original.zyx()),
            kept: VecDeque::new(),
            kept_from: 0,
            arrived: 0,
            finished: 0,
        })
    }

    /// Takes the next planes (class, z, y, x) of the target grid and makes the labels that they
    /// complete.
    ///
    /// Errors: [`ImagingError::ProbabilityShape`] for other classes or planes, or too many.
    pub fn push(&mut self, planes: ArrayView4<'_, f32>) -> Result<(), ImagingError> {
        let (classes, count, y, x) = planes.dim();
        let found = Extent::from_zyx([self.arrived + count, y, x]);
        let [target_z, target_y, target_x] = self.restore.target.zyx();
        if classes != self.classes || [y, x] != [target_y, target_x] || found.zyx()[0] > target_z {
            return Err(self.misfit(classes, found));
        }
        let before = self.arrived;
        self.arrived += count;
        let taps = &self.taps[0];
        // Taps rise with z: what is complete is a run of planes.
        let complete = taps[self.finished..].iter();
        let complete = complete.take_while(|tap| tap.high < self.arrived).count();
        let upto = self.finished + complete;

        let (kept, kept_from) = (&self.kept, self.kept_from);
        let plane = |index: usize| -> ArrayView3<'_, f32> {
            match index.checked_sub(before) {
                Some(new) => planes.index_axis(Axis(1), new),
                None => kept[index - kept_from].view(),
            }
        };
        let [_, taps_y, taps_x] = &self.taps;
        let mut inside = self.restore.crop.view_mut(self.labels.view_mut());
        let slices: Vec<_> = inside
            .axis_iter_mut(Axis(0))
            .zip(taps)
            .skip(self.finished)
            .take(complete)
            .collect();
        slices
            .into_par_iter()
            .for_each_init(Scratch::default, |scratch, (mut out, tap)| {
                let (low, high) = (plane(tap.low), plane(tap.high));
                let classes = low.outer_iter().zip(high.outer_iter());
                for (label, (low, high)) in classes.enumerate() {
                    scratch.blend_planes(low, high, tap.share);
                    scratch.vote(label as u16, taps_y, taps_x, &mut out);
                }
            });
        self.finished = upto;

        // From the first plane that the next label needs, or nothing if there is no next label.
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
        Ok(())
    }

    /// Bytes of the planes that are kept for labels still to come.
    pub fn kept_bytes(&self) -> usize {
        self.kept.iter().map(|plane| plane.len() * 4).sum()
    }

    /// The label map on the original grid, once every plane has arrived.
    ///
    /// Errors: [`ImagingError::ProbabilityShape`] if planes are missing.
    pub fn finish(self) -> Result<Array3<u16>, ImagingError> {
        let [z, y, x] = self.restore.target.zyx();
        if self.arrived == z {
            return Ok(self.labels);
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

/// Buffers of one slice.
#[derive(Default)]
struct Scratch {
    /// One class between two planes of the target grid.
    plane: Array2<f64>,
    /// One class between two rows of `plane`.
    row: Vec<f64>,
    /// Highest probability so far, on the original grid.
    best: Array2<f64>,
}

impl Scratch {
    fn blend_planes(&mut self, low: ArrayView2<'_, f32>, high: ArrayView2<'_, f32>, share: f64) {
        if self.plane.dim() != low.dim() {
            self.plane = Array2::zeros(low.dim());
        }
        Zip::from(&mut self.plane)
            .and(low)
            .and(high)
            .for_each(|out, low, high| {
                *out = blend(f64::from(*low), f64::from(*high), share);
            });
    }

    /// Gives every voxel to this class where it is more probable than all classes before it.
    fn vote(
        &mut self,
        label: u16,
        taps_y: &[LinearTap],
        taps_x: &[LinearTap],
        labels: &mut ArrayViewMut2<'_, u16>,
    ) {
        let first = label == 0;
        if self.best.dim() != labels.dim() {
            self.best = Array2::zeros(labels.dim());
        }
        let Self { plane, row, best } = self;
        let rows = best.outer_iter_mut().zip(labels.outer_iter_mut());
        for ((mut best, mut labels), tap) in rows.zip(taps_y) {
            row.clear();
            let (low, high) = (plane.row(tap.low), plane.row(tap.high));
            row.extend(
                low.iter()
                    .zip(high)
                    .map(|(low, high)| blend(*low, *high, tap.share)),
            );
            for ((best, voxel), tap) in best.iter_mut().zip(&mut labels).zip(taps_x) {
                let value = blend(row[tap.low], row[tap.high], tap.share);
                if first || value > *best {
                    *best = value;
                    *voxel = label;
                }
            }
        }
    }
}

fn blend(low: f64, high: f64, share: f64) -> f64 {
    (1.0 - share) * low + share * high
}

#[cfg(test)]
mod tests {
    use ndarray::{Array4, s};
    use proptest::prelude::*;

    use super::*;
    use crate::crop::BoundingBox;
    use crate::geometry::SpacingMm;

    fn restore(target: [usize; 3], crop: [usize; 3], apart: bool) -> Restore {
        let spacing = SpacingMm::from_zyx([if apart { 5.0 } else { 1.0 }, 1.0, 1.0]);
        let spacing = spacing.expect("a spacing");
        Restore {
            original: Extent::from_zyx(crop.map(|size| size + 3)),
            original_spacing: spacing,
            crop: BoundingBox {
                start: [1, 2, 0],
                end: [crop[0] + 1, crop[1] + 2, crop[2]],
            },
            target: Extent::from_zyx(target),
            target_spacing: spacing,
        }
    }

    /// The definition, without slabs: every voxel from all probabilities at once.
    fn whole(restore: &Restore, probabilities: &Array4<f32>) -> Array3<u16> {
        let taps = restore.taps();
        let mut labels = Array3::zeros(restore.original.zyx());
        let mut inside = restore.crop.view_mut(labels.view_mut());
        for ((z, y, x), label) in inside.indexed_iter_mut() {
            let [z, y, x] = [taps[0][z], taps[1][y], taps[2][x]];
            let mut best = f64::NEG_INFINITY;
            for (class, volume) in probabilities.outer_iter().enumerate() {
                let at = |z: usize, y: usize, x: usize| f64::from(volume[[z, y, x]]);
                let line = |y: usize, x: usize| blend(at(z.low, y, x), at(z.high, y, x), z.share);
                let row = |x: usize| blend(line(y.low, x), line(y.high, x), y.share);
                let value = blend(row(x.low), row(x.high), x.share);
                if value > best {
                    best = value;
                    *label = class as u16;
                }
            }
        }
        labels
    }

    proptest! {
        #[test]
        fn slabs_give_the_labels_of_the_whole_and_keep_two_planes(
            target in (1_usize..12, 1_usize..6, 1_usize..6),
            crop in (1_usize..15, 1_usize..7, 1_usize..7),
            apart: bool,
            cuts in proptest::collection::vec(1_usize..5, 12),
            seed in 0_u32..1000,
        ) {
            let restore = restore(target.into(), crop.into(), apart);
            let (z, y, x) = target;
            let classes = 3;
            let probabilities = Array4::from_shape_fn((classes, z, y, x), |(c, z, y, x)| {
                let mixed = (c * 31 + z * 17 + y * 7 + x * 13) as u32 * 2_654_435 + seed * 97;
                // Few values, so that there are ties.
                (mixed % 7) as f32 / 7.0
            });
            let expected = whole(&restore, &probabilities);
            let mut stream = restore.stream(classes).expect("a grid");
            let mut start = 0;
            for count in cuts {
                let end = (start + count).min(z);
                stream.push(probabilities.slice(s![.., start..end, .., ..])).expect("planes");
                // Planes that arrived but are not needed yet are those of one slab at most.
                prop_assert!(stream.kept_bytes() <= 2 * classes * y * x * 4);
                start = end;
            }
            prop_assert_eq!(stream.finish().expect("all planes"), expected.clone());
            let at_once = restore.labels(probabilities.view()).expect("all planes");
            prop_assert_eq!(at_once, expected);
        }
    }

    #[test]
    fn missing_and_surplus_planes_are_refused() {
        let restore = restore([3, 2, 2], [3, 2, 2], false);
        let mut stream = restore.stream(2).expect("a grid");
        let planes = Array4::zeros((2, 2, 2, 2));
        assert!(stream.push(Array4::zeros((3, 1, 2, 2)).view()).is_err());
        assert!(stream.push(Array4::zeros((2, 1, 2, 3)).view()).is_err());
        stream.push(planes.view()).expect("two of three planes");
        assert!(stream.push(planes.view()).is_err());
        assert!(matches!(
            stream.finish(),
            Err(ImagingError::ProbabilityShape { .. })
        ));
    }
}
