//! The weighted mean of overlapping windows.

use ndarray::{Array3, Array4, ArrayView3, ArrayView4, Axis, Zip, s};
use rayon::prelude::*;

use super::plan::Window;

/// Sums of weighted probabilities and of weights over one volume.
///
/// Memory: (classes + 1) × voxels × 4 bytes, on the resampled grid. The sums are f32 as in
/// nnU-Net v1, so that near-ties fall the same way.
pub(super) struct Accumulator {
    /// (class, z, y, x).
    sum: Array4<f32>,
    /// (z, y, x).
    weight: Array3<f32>,
}

impl Accumulator {
    /// Empty sums for `classes` classes over `extent` (z, y, x) voxels.
    pub(super) fn new(classes: usize, extent: [usize; 3]) -> Accumulator {
        let [z, y, x] = extent;
        Accumulator {
            sum: Array4::zeros((classes, z, y, x)),
            weight: Array3::zeros(extent),
        }
    }

    /// Adds one window: `probabilities` (class, z, y, x) and `importance` (z, y, x), both of the
    /// patch's extent.
    pub(super) fn add(
        &mut self,
        window: &Window,
        probabilities: ArrayView4<'_, f32>,
        importance: ArrayView3<'_, f32>,
    ) {
        let [z, y, x] = window.volume.clone();
        let [pz, py, px] = window.patch.clone();
        let probabilities = probabilities.slice_move(s![.., pz.clone(), py.clone(), px.clone()]);
        let importance = importance.slice_move(s![pz, py, px]);
        let mut sum = self.sum.slice_mut(s![.., z.clone(), y.clone(), x.clone()]);
        let mut weight = self.weight.slice_mut(s![z, y, x]);
        // ndarray's own rayon support would pull in a second feature set; slabs collected into a
        // vector are enough.
        let slabs: Vec<_> = sum
            .axis_iter_mut(Axis(1))
            .zip(weight.axis_iter_mut(Axis(0)))
            .zip(probabilities.axis_iter(Axis(1)))
            .zip(importance.axis_iter(Axis(0)))
            .collect();
        slabs
            .into_par_iter()
            .for_each(|(((mut sum, mut weight), probabilities), importance)| {
                for (mut sum, probability) in sum
                    .axis_iter_mut(Axis(0))
                    .zip(probabilities.axis_iter(Axis(0)))
                {
                    Zip::from(&mut sum)
                        .and(&probability)
                        .and(&importance)
                        .for_each(|sum, probability, importance| *sum += probability * importance);
                }
                weight += &importance;
            });
    }

    /// The weighted means, (class, z, y, x). Every voxel must have been in a window.
    pub(super) fn finish(mut self) -> Array4<f32> {
        let slabs: Vec<_> = self
            .sum
            .axis_iter_mut(Axis(1))
            .zip(self.weight.axis_iter(Axis(0)))
            .collect();
        slabs.into_par_iter().for_each(|(mut sum, weight)| {
            for mut class in sum.axis_iter_mut(Axis(0)) {
                class /= &weight;
            }
        });
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array;

    use super::*;

    #[test]
    fn overlapping_windows_give_their_weighted_mean() {
        let mut sums = Accumulator::new(1, [1, 1, 3]);
        let window = |x: std::ops::Range<usize>| Window {
            volume: [0..1, 0..1, x],
            patch: [0..1, 0..1, 0..2],
        };
        let importance = Array::from_shape_vec((1, 1, 2), vec![1.0, 3.0]).unwrap();
        let left = Array::from_shape_vec((1, 1, 1, 2), vec![0.0, 1.0]).unwrap();
        let right = Array::from_shape_vec((1, 1, 1, 2), vec![0.2, 0.4]).unwrap();
        sums.add(&window(0..2), left.view(), importance.view());
        sums.add(&window(1..3), right.view(), importance.view());
        let mean = sums.finish();
        assert_eq!(mean[[0, 0, 0, 0]], 0.0);
        assert!((mean[[0, 0, 0, 1]] - (3.0 * 1.0 + 0.2) / 4.0).abs() < 1e-6);
        assert!((mean[[0, 0, 0, 2]] - 0.4).abs() < 1e-6);
    }
}
