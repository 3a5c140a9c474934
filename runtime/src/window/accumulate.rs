//! The weighted means of overlapping windows, kept only where later windows can still touch them.

use std::{collections::VecDeque, ops::Range};

use ndarray::{
    Array2, Array3, Array4, ArrayView2, ArrayView3, ArrayView4, ArrayViewMut2, Axis, Zip, s,
};
use rayon::prelude::*;

use super::plan::Window;

/// Sums of weighted probabilities for several tasks, and of weights, over the planes from `first`
/// on. The weights are the same for all tasks: the same windows lie over each.
///
/// Memory: (classes of all tasks + 1) × depth × y × x × 4 bytes on the resampled grid, where depth
/// is that of a window, not of the volume. The sums are f32 as in nnU-Net v1 and are made in its
/// order, so that near-ties fall the same way.
pub(super) struct Accumulator {
    /// For each task its planes, (class, y, x): those that are done leave in front, and come back
    /// behind, empty.
    sums: Vec<VecDeque<Array3<f32>>>,
    /// For each plane, (y, x).
    weights: VecDeque<Array2<f32>>,
    /// Plane of the volume that lies at index 0.
    first: usize,
}

impl Accumulator {
    /// Empty sums for tasks of `classes` classes each over planes of `plane` (y, x) voxels, `depth`
    /// at a time.
    pub(super) fn new(
        classes: impl IntoIterator<Item = usize>,
        depth: usize,
        plane: [usize; 2],
    ) -> Accumulator {
        let [y, x] = plane;
        let planes = |classes| (0..depth).map(|_| Array3::zeros((classes, y, x))).collect();
        Accumulator {
            sums: classes.into_iter().map(planes).collect(),
            weights: (0..depth).map(|_| Array2::zeros((y, x))).collect(),
            first: 0,
        }
    }

    /// Adds what one task found in one window: `probabilities` (class, z, y, x) and `importance`
    /// (z, y, x), both of the patch's extent. The window must lie within the planes that are kept,
    /// and [`Accumulator::weigh`] belongs to it.
    pub(super) fn add(
        &mut self,
        window: &Window,
        task: usize,
        probabilities: ArrayView4<'_, f32>,
        importance: ArrayView3<'_, f32>,
    ) {
        let [z, y, x] = window.patch.clone();
        let probabilities = probabilities.slice_move(s![.., z, y, x]);
        let importance = in_patch(window, importance);
        let [z, y, x] = self.kept(window);
        // ndarray's own rayon support would pull in a second feature set; planes collected into a
        // vector are enough.
        let planes: Vec<_> = self.sums[task]
            .range_mut(z)
            .zip(probabilities.axis_iter(Axis(1)))
            .zip(importance.outer_iter())
            .collect();
        planes
            .into_par_iter()
            .for_each(|((sums, probabilities), importance)| {
                let mut sums = sums.slice_mut(s![.., y.clone(), x.clone()]);
                for (mut sum, probability) in sums.outer_iter_mut().zip(probabilities.outer_iter())
                {
                    Zip::from(&mut sum)
                        .and(&probability)
                        .and(&importance)
                        .for_each(|sum, probability, importance| *sum += probability * importance);
                }
            });
    }

    /// Adds sums of a task that were made elsewhere, (class, z, y, x), to its first planes. False if
    /// one is not finite.
    pub(super) fn add_sums(&mut self, task: usize, made: ArrayView4<'_, f32>) -> bool {
        let planes: Vec<_> = self.sums[task]
            .iter_mut()
            .zip(made.axis_iter(Axis(1)))
            .collect();
        planes
            .into_par_iter()
            .map(|(sums, made)| {
                *sums += &made;
                sums.iter().all(|sum| sum.is_finite())
            })
            .reduce(|| true, |a, b| a & b)
    }

    /// Adds the weight of a window that was, or will be, added for every task.
    pub(super) fn weigh(&mut self, window: &Window, importance: ArrayView3<'_, f32>) {
        let importance = in_patch(window, importance);
        let [z, y, x] = self.kept(window);
        let weights = self.weights.range_mut(z).map(|weight| weight.view_mut());
        add_importance(weights, importance, y, x);
    }

    /// Adds a window that holds nothing but background for any task, its weight too: the first
    /// class has probability 1.
    pub(super) fn add_background(&mut self, window: &Window, importance: ArrayView3<'_, f32>) {
        let [z, y, x] = self.kept(window);
        for sums in &mut self.sums {
            let background = sums
                .range_mut(z.clone())
                .map(|classes| classes.index_axis_mut(Axis(0), 0));
            let importance = in_patch(window, importance);
            add_importance(background, importance, y.clone(), x.clone());
        }
        self.weigh(window, importance);
    }

    /// Hands `sink` the weighted means of the planes before `end`: the place of the task, the first
    /// plane, and (class, z, y, x).
    ///
    /// No later window may touch them, and each of their voxels must have been in a window. There
    /// are none if all planes before `end` were taken already.
    ///
    /// Errors: those of `sink`, with the first of which it ends.
    pub(super) fn take_until<E>(
        &mut self,
        end: usize,
        mut sink: impl FnMut(usize, usize, Array4<f32>) -> Result<(), E>,
    ) -> Result<(), E> {
        let count = end.saturating_sub(self.first).min(self.weights.len());
        if count == 0 {
            return Ok(());
        }
        for (task, sums) in self.sums.iter_mut().enumerate() {
            let means = means(sums, &self.weights, count);
            sums.rotate_left(count);
            sink(task, self.first, means)?;
        }
        let done: Vec<_> = self.weights.range_mut(..count).collect();
        done.into_par_iter().for_each(|weight| weight.fill(0.0));
        self.weights.rotate_left(count);
        self.first += count;
        Ok(())
    }

    /// Where the window's voxels are kept.
    fn kept(&self, window: &Window) -> [Range<usize>; 3] {
        let [z, y, x] = window.volume.clone();
        [z.start - self.first..z.end - self.first, y, x]
    }
}

/// Adds the importance (z, y, x) to planes (y, x) that it lies over from `y` and `x` on.
fn add_importance<'a>(
    planes: impl Iterator<Item = ArrayViewMut2<'a, f32>>,
    importance: ArrayView3<'_, f32>,
    y: Range<usize>,
    x: Range<usize>,
) {
    let planes: Vec<(_, ArrayView2<'_, f32>)> = planes.zip(importance.outer_iter()).collect();
    planes.into_par_iter().for_each(|(plane, importance)| {
        let mut plane = plane.slice_move(s![y.clone(), x.clone()]);
        plane += &importance;
    });
}

/// The weighted means of the first `count` planes, which are empty afterwards.
fn means(
    sums: &mut VecDeque<Array3<f32>>,
    weights: &VecDeque<Array2<f32>>,
    count: usize,
) -> Array4<f32> {
    let (classes, y, x) = sums.front().map_or((0, 0, 0), Array3::dim);
    let mut means = Array4::zeros((classes, count, y, x));
    let planes: Vec<_> = means
        .axis_iter_mut(Axis(1))
        .zip(sums.range_mut(..count))
        .zip(weights)
        .collect();
    planes
        .into_par_iter()
        .for_each(|((mut means, sums), weight)| {
            for (mut mean, sum) in means.outer_iter_mut().zip(sums.outer_iter()) {
                Zip::from(&mut mean)
                    .and(&sum)
                    .and(weight)
                    .for_each(|mean, sum, weight| *mean = sum / weight);
            }
            sums.fill(0.0);
        });
    means
}

fn in_patch<'a>(window: &Window, importance: ArrayView3<'a, f32>) -> ArrayView3<'a, f32> {
    let [z, y, x] = window.patch.clone();
    importance.slice_move(s![z, y, x])
}

#[cfg(test)]
mod tests {
    use ndarray::Array;

    use super::*;

    /// Task, first plane and means of everything that is taken.
    fn taken(sums: &mut Accumulator, end: usize) -> Vec<(usize, usize, Array4<f32>)> {
        let mut taken = Vec::new();
        let sink = |task, first, means| {
            taken.push((task, first, means));
            Ok::<_, std::convert::Infallible>(())
        };
        sums.take_until(end, sink).unwrap();
        taken
    }

    #[test]
    fn overlapping_windows_give_their_weighted_mean() {
        let mut sums = Accumulator::new([1], 1, [1, 3]);
        let window = |x: std::ops::Range<usize>| Window {
            volume: [0..1, 0..1, x],
            patch: [0..1, 0..1, 0..2],
        };
        let importance = Array::from_shape_vec((1, 1, 2), vec![1.0, 3.0]).unwrap();
        let left = Array::from_shape_vec((1, 1, 1, 2), vec![0.0, 1.0]).unwrap();
        let right = Array::from_shape_vec((1, 1, 1, 2), vec![0.2, 0.4]).unwrap();
        for (x, found) in [(0..2, left), (1..3, right)] {
            sums.add(&window(x.clone()), 0, found.view(), importance.view());
            sums.weigh(&window(x), importance.view());
        }
        let (_, first, mean) = taken(&mut sums, 1).remove(0);
        assert_eq!(first, 0);
        assert_eq!(mean[[0, 0, 0, 0]], 0.0);
        assert!((mean[[0, 0, 0, 1]] - (3.0 * 1.0 + 0.2) / 4.0).abs() < 1e-6);
        assert!((mean[[0, 0, 0, 2]] - 0.4).abs() < 1e-6);
        assert!(taken(&mut sums, 1).is_empty());
    }

    #[test]
    fn finished_planes_leave_and_the_others_move_up() {
        let mut sums = Accumulator::new([2], 3, [1, 1]);
        let window = |z: usize| Window {
            volume: [z..z + 3, 0..1, 0..1],
            patch: [0..3, 0..1, 0..1],
        };
        let importance = Array3::from_elem((3, 1, 1), 2.0);
        let ramp = Array4::from_shape_fn((2, 3, 1, 1), |(class, z, _, _)| (10 * class + z) as f32);
        sums.add(&window(0), 0, ramp.view(), importance.view());
        sums.weigh(&window(0), importance.view());
        let (_, _, mean) = taken(&mut sums, 2).remove(0);
        assert_eq!(
            mean.iter().copied().collect::<Vec<_>>(),
            [0.0, 1.0, 10.0, 11.0]
        );
        // Plane 2 was in the first window and is in the second, planes 3 and 4 are new.
        sums.add_background(&window(2), importance.view());
        let (_, first, mean) = taken(&mut sums, 9).remove(0);
        assert_eq!(first, 2);
        let background: Vec<f32> = mean.index_axis(Axis(0), 0).iter().copied().collect();
        assert_eq!(background, [1.5, 1.0, 1.0]);
        let other: Vec<f32> = mean.index_axis(Axis(0), 1).iter().copied().collect();
        assert_eq!(other, [6.0, 0.0, 0.0]);
    }

    #[test]
    fn tasks_share_weights_and_nothing_else() {
        let mut sums = Accumulator::new([1, 2], 1, [1, 1]);
        let window = Window {
            volume: [0..1, 0..1, 0..1],
            patch: [0..1, 0..1, 0..1],
        };
        let importance = Array3::from_elem((1, 1, 1), 2.0);
        let few = Array4::from_elem((1, 1, 1, 1), 0.5);
        let more = Array4::from_elem((2, 1, 1, 1), 0.25);
        for (task, found) in [(0, few), (1, more)] {
            sums.add(&window, task, found.view(), importance.view());
        }
        sums.weigh(&window, importance.view());
        sums.add_background(&window, importance.view());
        let means: Vec<Vec<f32>> = taken(&mut sums, 1)
            .into_iter()
            .map(|(_, _, mean)| mean.into_iter().collect())
            .collect();
        assert_eq!(means, [vec![0.75], vec![0.625, 0.125]]);
    }
}
