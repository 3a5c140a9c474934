//! From the network's grid back to the voxels of the file.

mod planes;
mod probabilities;
mod runs;
mod slice;
mod stream;

use ndarray::{Array3, ArrayView4};

pub use self::probabilities::{EachSlice, ProbabilityStream};
pub use self::stream::LabelStream;
use crate::crop::BoundingBox;
use crate::error::ImagingError;
use crate::geometry::{Extent, SpacingMm};
use crate::resample::{LinearTap, linear_taps, nearest_indices, separate_axis};

/// What preprocessing did to the grid, so that it can be undone.
#[derive(Debug, Clone, PartialEq)]
pub struct Restore {
    pub(crate) original: Extent,
    pub(crate) original_spacing: SpacingMm,
    pub(crate) crop: BoundingBox,
    pub(crate) target: Extent,
    pub(crate) target_spacing: SpacingMm,
}

impl Restore {
    /// Grid of the file.
    pub fn original(&self) -> Extent {
        self.original
    }

    /// The non-zero part of it.
    pub fn crop(&self) -> BoundingBox {
        self.crop
    }

    /// Grid of the network's image.
    pub fn target(&self) -> Extent {
        self.target
    }

    /// Spacing of the network's image.
    pub fn target_spacing(&self) -> SpacingMm {
        self.target_spacing
    }

    /// Class probabilities (class, z, y, x) on the target grid to labels on the original grid.
    ///
    /// Probabilities are interpolated linearly (nearest along a coarse axis), the first class with
    /// the highest wins, voxels outside the crop are 0. One slice is done at a time: the classes
    /// never exist at full resolution together. See [`Restore::stream`] where they should not
    /// exist together at the target's resolution either.
    ///
    /// Errors: [`ImagingError::ProbabilityShape`], [`ImagingError::TooManyClasses`].
    /// Source: nnU-Net v1, `save_segmentation_nifti_from_softmax`.
    pub fn labels(&self, probabilities: ArrayView4<'_, f32>) -> Result<Array3<u16>, ImagingError> {
        let mut stream = self.stream(probabilities.dim().0)?;
        stream.push(probabilities)?;
        stream.finish()
    }

    /// The same from probabilities of `classes` classes that come plane by plane.
    ///
    /// Errors: [`ImagingError::ProbabilityShape`] without classes, [`ImagingError::TooManyClasses`].
    pub fn stream(&self, classes: usize) -> Result<LabelStream<'_>, ImagingError> {
        LabelStream::new(self, classes)
    }

    /// The probabilities themselves on the original grid, slice by slice, from those of `classes`
    /// classes that come plane by plane.
    ///
    /// Errors: [`ImagingError::ProbabilityShape`] without classes, [`ImagingError::TooManyClasses`].
    pub fn probabilities(&self, classes: usize) -> Result<ProbabilityStream<'_>, ImagingError> {
        ProbabilityStream::new(self, classes)
    }

    /// Which probabilities make a voxel of the crop, per axis.
    fn taps(&self) -> [Vec<LinearTap>; 3] {
        let separate = separate_axis(self.original_spacing, self.target_spacing);
        let (target, crop) = (self.target.zyx(), self.crop.extent().zyx());
        [0, 1, 2].map(|axis| {
            let (from, to) = (target[axis], crop[axis]);
            if separate == Some(axis) {
                nearest_indices(from, to)
                    .into_iter()
                    .map(LinearTap::only)
                    .collect()
            } else {
                linear_taps(from, to)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array4;

    fn restore(target: [usize; 3], crop: BoundingBox) -> Result<Restore, ImagingError> {
        let spacing = SpacingMm::from_zyx([1.0; 3])?;
        Ok(Restore {
            original: Extent::from_zyx([6, 7, 8]),
            original_spacing: spacing,
            crop,
            target: Extent::from_zyx(target),
            target_spacing: spacing,
        })
    }

    #[test]
    fn equal_grids_are_a_plain_argmax_within_the_crop() -> Result<(), ImagingError> {
        let crop = BoundingBox {
            start: [1, 2, 3],
            end: [3, 5, 7],
        };
        let restore = restore([2, 3, 4], crop)?;
        let class_at = |z: usize, y: usize, x: usize| (z + 2 * y + x) % 3;
        let probabilities =
            Array4::from_shape_fn(
                (3, 2, 3, 4),
                |(c, z, y, x)| {
                    if class_at(z, y, x) == c { 0.6 } else { 0.2 }
                },
            );
        let labels = restore.labels(probabilities.view())?;
        for ((z, y, x), label) in labels.indexed_iter() {
            let inside = (1..3).contains(&z) && (2..5).contains(&y) && (3..7).contains(&x);
            let expected = if inside {
                class_at(z - 1, y - 2, x - 3)
            } else {
                0
            };
            assert_eq!(usize::from(*label), expected);
        }
        Ok(())
    }

    #[test]
    fn the_first_of_equal_classes_wins_and_slices_do_not_leak() -> Result<(), ImagingError> {
        let crop = BoundingBox {
            start: [0; 3],
            end: [6, 7, 8],
        };
        let restore = restore([3, 4, 4], crop)?;
        // Class 0 falls and class 1 rises along z: a stale maximum would keep an earlier winner.
        let probabilities = Array4::from_shape_fn((3, 3, 4, 4), |(c, z, _, _)| {
            [[0.9, 0.5, 0.0], [0.1, 0.5, 0.4], [0.1, 0.0, 0.4]][c][z]
        });
        let labels = restore.labels(probabilities.view())?;
        let column: Vec<u16> = labels.slice(ndarray::s![.., 3, 3]).to_vec();
        assert_eq!(column, [0, 0, 0, 1, 1, 1]);
        Ok(())
    }

    #[test]
    fn wrong_shapes_are_refused() -> Result<(), ImagingError> {
        let crop = BoundingBox {
            start: [0; 3],
            end: [2, 3, 4],
        };
        let restore = restore([2, 3, 4], crop)?;
        for shape in [(0, 2, 3, 4), (2, 2, 3, 5)] {
            let result = restore.labels(Array4::zeros(shape).view());
            assert!(matches!(result, Err(ImagingError::ProbabilityShape { .. })));
        }
        let many = Array4::zeros((65_537, 2, 3, 4));
        assert!(matches!(
            restore.labels(many.view()),
            Err(ImagingError::TooManyClasses { .. })
        ));
        Ok(())
    }
}
