//! Labels from probabilities that come plane by plane.

use ndarray::{Array2, Array3, ArrayView4, Axis};
use rayon::prelude::*;

use super::Restore;
use super::planes::Planes;
use super::runs::PackedSlice;
use super::slice::Scratch;
use crate::error::ImagingError;

/// Makes labels on the original grid of probabilities on the target grid that arrive in the order
/// of z, and forgets each plane as soon as no later label depends on it.
///
/// Memory: the labels as runs, or in as few bits as the highest takes where that is less
/// (several tasks may wait for their last planes together), and (classes × y × x) × 8 bytes or less
/// for a plane or two of the target grid. The numbers are those of [`Restore::labels`], bit for bit.
#[derive(Debug)]
pub struct LabelStream<'a> {
    planes: Planes<'a>,
    /// The crop's slices that are complete, in their order.
    labels: Vec<PackedSlice>,
}

impl<'a> LabelStream<'a> {
    pub(super) fn new(restore: &'a Restore, classes: usize) -> Result<Self, ImagingError> {
        Ok(Self {
            planes: Planes::new(restore, classes)?,
            labels: Vec::new(),
        })
    }

    /// Takes the next planes (class, z, y, x) of the target grid and makes the labels that they
    /// complete.
    ///
    /// Errors: [`ImagingError::ProbabilityShape`] for other classes or planes, or too many.
    pub fn push(&mut self, planes: ArrayView4<'_, f32>) -> Result<(), ImagingError> {
        let more = self.planes.push(planes, |complete| {
            let [taps_z, taps_y, taps_x] = complete.taps;
            let size = (taps_y.len(), taps_x.len());
            let slices = taps_z.get(complete.slices.clone()).unwrap_or_default();
            let buffers = || (Scratch::default(), Array2::zeros(size));
            let slices = slices
                .par_iter()
                .map_init(buffers, |(scratch, labels), tap| {
                    let (low, high) = (complete.plane(tap.low), complete.plane(tap.high));
                    let classes = low.outer_iter().zip(high.outer_iter());
                    // `Planes::new` has seen that every class is a label.
                    for (class, (low, high)) in (0..=u16::MAX).zip(classes) {
                        scratch.blend_planes(low, high, tap.share);
                        scratch.vote(class, taps_y, taps_x, &mut labels.view_mut());
                    }
                    PackedSlice::of(labels.view())
                });
            slices.collect::<Vec<_>>()
        })?;
        self.labels.extend(more);
        Ok(())
    }

    /// Bytes of the planes that are kept for labels still to come.
    pub fn kept_bytes(&self) -> usize {
        self.planes.kept_bytes()
    }

    /// Bytes of the labels that are made.
    pub fn label_bytes(&self) -> usize {
        self.labels.iter().map(PackedSlice::bytes).sum()
    }

    /// The label map on the original grid, once every plane has arrived.
    ///
    /// Errors: [`ImagingError::ProbabilityShape`] if planes are missing.
    pub fn finish(self) -> Result<Array3<u16>, ImagingError> {
        self.planes.check_all_arrived()?;
        let restore = self.planes.restore;
        let mut labels = Array3::zeros(restore.original.zyx());
        let mut inside = restore.crop.view_mut(labels.view_mut());
        for (slice, packed) in inside.axis_iter_mut(Axis(0)).zip(self.labels) {
            packed.unpack(slice);
        }
        Ok(labels)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array4, s};
    use proptest::prelude::*;

    use super::super::slice::blend;
    use super::*;
    use crate::crop::BoundingBox;
    use crate::geometry::{Extent, SpacingMm};

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
                // No more than a byte a voxel.
                prop_assert!(stream.label_bytes() <= crop.0 * crop.1 * crop.2);
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

    #[test]
    fn labels_beyond_a_byte_are_kept() {
        let restore = restore([1, 1, 2], [1, 1, 2], false);
        // One class more than bytes have, and the last one wins at one of two voxels.
        for classes in [256, 257] {
            let mut probabilities = Array4::zeros((classes, 1, 1, 2));
            probabilities[[classes - 1, 0, 0, 1]] = 1.0;
            let labels = restore.labels(probabilities.view()).expect("all planes");
            let highest = labels.iter().copied().max();
            assert_eq!(highest.map(usize::from), Some(classes - 1));
        }
    }
}
