//! The weighted mean of overlapping windows, kept only where later windows can still touch it.

use ndarray::{Array3, Array4, ArrayView3, ArrayView4, ArrayViewMut3, ArrayViewMut4, Axis, Zip, s};
use rayon::prelude::*;

use super::plan::Window;

/// Sums of weighted probabilities and of weights over the planes from `first` on.
///
/// Memory: (classes + 1) × depth × y × x × 4 bytes on the resampled grid, where depth is that of
/// a window, not of the volume. The sums are f32 as in nnU-Net v1 and are made in its order, so
/// that near-ties fall the same way.
pub(super) struct Accumulator {
    /// (class, z, y, x).
    sum: Array4<f32>,
    /// (z, y, x).
    weight: Array3<f32>,
    /// Plane of the volume that lies at index 0.
    first: usize,
}

impl Accumulator {
    /// Empty sums for `classes` classes over planes of `plane` (y, x) voxels, `depth` at a time.
    pub(super) fn new(classes: usize, depth: usize, plane: [usize; 2]) -> Accumulator {
        let [y, x] = plane;
        Accumulator {
            sum: Array4::zeros((classes, depth, y, x)),
            weight: Array3::zeros((depth, y, x)),
            first: 0,
        }
    }

    /// Adds one window: `probabilities` (class, z, y, x) and `importance` (z, y, x), both of the
    /// patch's extent. The window must lie within the planes that are kept.
    pub(super) fn add(
        &mut self,
        window: &Window,
        probabilities: ArrayView4<'_, f32>,
        importance: ArrayView3<'_, f32>,
    ) {
        let [z, y, x] = window.patch.clone();
        let probabilities = probabilities.slice_move(s![.., z, y, x]);
        let importance = in_patch(window, importance);
        let (mut sum, mut weight) = self.at(window);
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

    /// Adds a window that holds nothing but background: the first class has probability 1.
    pub(super) fn add_background(&mut self, window: &Window, importance: ArrayView3<'_, f32>) {
        let importance = in_patch(window, importance);
        let (mut sum, mut weight) = self.at(window);
        let mut background = sum.index_axis_mut(Axis(0), 0);
        background += &importance;
        weight += &importance;
    }

    /// The weighted means of the planes before `end`, (class, z, y, x), and the first of them.
    ///
    /// No later window may touch them, and each of their voxels must have been in a window. There
    /// are none if all planes before `end` were taken already.
    pub(super) fn take_until(&mut self, end: usize) -> Option<(usize, Array4<f32>)> {
        let (classes, depth, y, x) = self.sum.dim();
        let count = end.saturating_sub(self.first).min(depth);
        if count == 0 {
            return None;
        }
        let mut means = Array4::zeros((classes, count, y, x));
        let planes: Vec<_> = means
            .axis_iter_mut(Axis(1))
            .zip(self.sum.axis_iter(Axis(1)))
            .zip(self.weight.axis_iter(Axis(0)))
            .collect();
        planes
            .into_par_iter()
            .for_each(|((mut mean, sum), weight)| {
                for (mut mean, sum) in mean.outer_iter_mut().zip(sum.outer_iter()) {
                    Zip::from(&mut mean)
                        .and(&sum)
                        .and(&weight)
                        .for_each(|mean, sum, weight| *mean = sum / weight);
                }
            });
        for mut class in self.sum.outer_iter_mut() {
            move_up(&mut class, count);
        }
        move_up(&mut self.weight.view_mut(), count);
        let first = self.first;
        self.first += count;
        Some((first, means))
    }

    /// The sums and weights of the window's voxels.
    fn at(&mut self, window: &Window) -> (ArrayViewMut4<'_, f32>, ArrayViewMut3<'_, f32>) {
        let [z, y, x] = window.volume.clone();
        let z = z.start - self.first..z.end - self.first;
        let sum = self.sum.slice_mut(s![.., z.clone(), y.clone(), x.clone()]);
        (sum, self.weight.slice_mut(s![z, y, x]))
    }
}

fn in_patch<'a>(window: &Window, importance: ArrayView3<'a, f32>) -> ArrayView3<'a, f32> {
    let [z, y, x] = window.patch.clone();
    importance.slice_move(s![z, y, x])
}

/// Drops the first `count` planes and appends as many zeros.
fn move_up(planes: &mut ArrayViewMut3<'_, f32>, count: usize) {
    let depth = planes.len_of(Axis(0));
    for z in 0..depth {
        match z + count < depth {
            true => {
                let (mut to, from) = planes.multi_slice_mut((s![z, .., ..], s![z + count, .., ..]));
                to.assign(&from);
            }
            false => planes.index_axis_mut(Axis(0), z).fill(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array;

    use super::*;

    #[test]
    fn overlapping_windows_give_their_weighted_mean() {
        let mut sums = Accumulator::new(1, 1, [1, 3]);
        let window = |x: std::ops::Range<usize>| Window {
            volume: [0..1, 0..1, x],
            patch: [0..1, 0..1, 0..2],
        };
        let importance = Array::from_shape_vec((1, 1, 2), vec![1.0, 3.0]).unwrap();
        let left = Array::from_shape_vec((1, 1, 1, 2), vec![0.0, 1.0]).unwrap();
        let right = Array::from_shape_vec((1, 1, 1, 2), vec![0.2, 0.4]).unwrap();
        sums.add(&window(0..2), left.view(), importance.view());
        sums.add(&window(1..3), right.view(), importance.view());
        let (first, mean) = sums.take_until(1).unwrap();
        assert_eq!(first, 0);
        assert_eq!(mean[[0, 0, 0, 0]], 0.0);
        assert!((mean[[0, 0, 0, 1]] - (3.0 * 1.0 + 0.2) / 4.0).abs() < 1e-6);
        assert!((mean[[0, 0, 0, 2]] - 0.4).abs() < 1e-6);
        assert!(sums.take_until(1).is_none());
    }

    #[test]
    fn finished_planes_leave_and_the_others_move_up() {
        let mut sums = Accumulator::new(2, 3, [1, 1]);
        let window = |z: usize| Window {
            volume: [z..z + 3, 0..1, 0..1],
            patch: [0..3, 0..1, 0..1],
        };
        let importance = Array3::from_elem((3, 1, 1), 2.0);
        let ramp = Array4::from_shape_fn((2, 3, 1, 1), |(class, z, _, _)| (10 * class + z) as f32);
        sums.add(&window(0), ramp.view(), importance.view());
        let (_, mean) = sums.take_until(2).unwrap();
        assert_eq!(
            mean.iter().copied().collect::<Vec<_>>(),
            [0.0, 1.0, 10.0, 11.0]
        );
        // Plane 2 was in the first window and is in the second, planes 3 and 4 are new.
        sums.add_background(&window(2), importance.view());
        let (first, mean) = sums.take_until(9).unwrap();
        assert_eq!(first, 2);
        let background: Vec<f32> = mean.index_axis(Axis(0), 0).iter().copied().collect();
        assert_eq!(background, [1.5, 1.0, 1.0]);
        let other: Vec<f32> = mean.index_axis(Axis(0), 1).iter().copied().collect();
        assert_eq!(other, [6.0, 0.0, 0.0]);
    }
}
