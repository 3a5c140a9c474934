//! Probabilities on the voxels of the file, from planes of the network's grid.

use ndarray::{Array3, ArrayView3, ArrayView4, Axis, s};
use rayon::prelude::*;

use super::Restore;
use super::planes::Planes;
use super::slice::Scratch;
use crate::error::ImagingError;

/// Slices that exist at full resolution at a time.
const AT_ONCE: usize = 8;

/// Takes a slice (class, y, x) of the original grid.
pub type EachSlice<'a> = dyn FnMut(ArrayView3<'_, f32>) -> Result<(), ImagingError> + 'a;

/// Brings probabilities that arrive in the order of z to the original grid, slice by slice: those
/// of which [`super::LabelStream`] takes the highest.
///
/// They are divided by their sum, which is 1 then: a network for several tasks gives classes that a
/// task does not have a share of it, too. Voxels outside the crop are the first class, background,
/// with probability 1. Memory: (classes ×
/// y × x) × 4 bytes for some slices of the original grid and a plane or two of the target grid.
#[derive(Debug)]
pub struct ProbabilityStream<'a> {
    planes: Planes<'a>,
    classes: usize,
    /// Slices of the original grid that were handed on.
    handed: usize,
}

impl<'a> ProbabilityStream<'a> {
    pub(super) fn new(restore: &'a Restore, classes: usize) -> Result<Self, ImagingError> {
        Ok(Self {
            planes: Planes::new(restore, classes)?,
            classes,
            handed: 0,
        })
    }

    /// Takes the next planes (class, z, y, x) of the target grid and hands on the slices of the
    /// original grid that they complete, in order.
    ///
    /// Errors: [`ImagingError::ProbabilityShape`] for other classes or planes, or too many, and
    /// those of `each`.
    pub fn push(
        &mut self,
        planes: ArrayView4<'_, f32>,
        each: &mut EachSlice<'_>,
    ) -> Result<(), ImagingError> {
        let restore = self.planes.restore;
        let (crop, background) = (restore.crop, self.background());
        let (classes, handed) = (self.classes, &mut self.handed);
        self.planes.push(planes, |complete| {
            let [taps_z, taps_y, taps_x] = complete.taps;
            let mut start = complete.slices.start;
            while start < complete.slices.end {
                while *handed < crop.start[0] {
                    each(background.view())?;
                    *handed += 1;
                }
                let end = complete.slices.end.min(start + AT_ONCE);
                let mut slices: Vec<Array3<f32>> = vec![background.clone(); end - start];
                let pairs: Vec<_> = slices.iter_mut().zip(&taps_z[start..end]).collect();
                pairs
                    .into_par_iter()
                    .for_each_init(Scratch::default, |scratch, (slice, tap)| {
                        let (low, high) = (complete.plane(tap.low), complete.plane(tap.high));
                        for class in 0..classes {
                            let [low, high] =
                                [&low, &high].map(|plane| plane.index_axis(Axis(0), class));
                            scratch.blend_planes(low, high, tap.share);
                            let inside = s![
                                class,
                                crop.start[1]..crop.end[1],
                                crop.start[2]..crop.end[2]
                            ];
                            scratch.probabilities(taps_y, taps_x, &mut slice.slice_mut(inside));
                        }
                        normalise(slice);
                    });
                for slice in &slices {
                    each(slice.view())?;
                }
                *handed += slices.len();
                start = end;
            }
            Ok(())
        })?
    }

    /// Hands on what lies behind the crop, once every plane has arrived.
    ///
    /// Errors: [`ImagingError::ProbabilityShape`] if planes are missing, and those of `each`.
    pub fn finish(self, each: &mut EachSlice<'_>) -> Result<(), ImagingError> {
        self.planes.check_all_arrived()?;
        let background = self.background();
        for _ in self.handed..self.planes.restore.original.zyx()[0] {
            each(background.view())?;
        }
        Ok(())
    }

    /// A slice in which there is nothing.
    fn background(&self) -> Array3<f32> {
        let [_, y, x] = self.planes.restore.original.zyx();
        let mut slice = Array3::zeros((self.classes, y, x));
        slice.index_axis_mut(Axis(0), 0).fill(1.0);
        slice
    }
}

/// Divides the classes (axis 0) of each voxel by their sum, if there is one.
fn normalise(slice: &mut Array3<f32>) {
    let sums = slice.sum_axis(Axis(0));
    for mut class in slice.outer_iter_mut() {
        class.zip_mut_with(&sums, |probability, sum| {
            if *sum > 0.0 {
                *probability /= sum;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array4;

    use super::*;
    use crate::crop::BoundingBox;
    use crate::geometry::{Extent, SpacingMm};

    #[test]
    fn the_highest_probability_is_the_label_and_the_outside_is_background() {
        let spacing = SpacingMm::from_zyx([1.0; 3]).unwrap();
        let restore = Restore {
            original: Extent::from_zyx([14, 7, 9]),
            original_spacing: spacing,
            crop: BoundingBox {
                start: [2, 1, 3],
                end: [12, 6, 9],
            },
            target: Extent::from_zyx([4, 3, 5]),
            target_spacing: spacing,
        };
        let probabilities = Array4::from_shape_fn((3, 4, 3, 5), |(c, z, y, x)| {
            ((c * 31 + z * 17 + y * 7 + x * 13) % 11) as f32 / 11.0
        });
        let labels = restore.labels(probabilities.view()).unwrap();
        let mut slices: Vec<Array3<f32>> = Vec::new();
        let mut keep = |slice: ArrayView3<'_, f32>| {
            slices.push(slice.to_owned());
            Ok(())
        };
        let mut stream = restore.probabilities(3).unwrap();
        for (start, end) in [(0, 1), (1, 3), (3, 4)] {
            let planes = probabilities.slice(s![.., start..end, .., ..]);
            stream.push(planes, &mut keep).unwrap();
        }
        stream.finish(&mut keep).unwrap();
        assert_eq!(slices.len(), 14);
        for ((z, y, x), label) in labels.indexed_iter() {
            let values = slices[z].slice(s![.., y, x]).to_vec();
            let inside = (2..12).contains(&z) && (1..6).contains(&y) && (3..9).contains(&x);
            let highest = values.iter().copied().fold(f32::MIN, f32::max);
            assert_eq!(values[usize::from(*label)], highest, "{z} {y} {x}");
            if !inside {
                assert_eq!(values, [1.0, 0.0, 0.0]);
            }
            let sum: f32 = values.iter().sum();
            assert!((sum - 1.0).abs() < 1e-6, "{z} {y} {x}: {sum}");
        }
        // Halfway between two planes, rows and voxels of the target grid.
        assert!(slices[5].iter().any(|p| (p * 11.0).fract() != 0.0));
        let early = restore.probabilities(3).unwrap();
        assert!(early.finish(&mut |_| Ok(())).is_err());
    }
}
