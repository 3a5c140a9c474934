//! The exact Euclidean distance transform, anisotropic voxels included.
//!
//! Felzenszwalb and Huttenlocher, "Distance Transforms of Sampled Functions" (2012): one axis
//! after the other, each line as the lower envelope of parabolas, in linear time.

use ndarray::{Array3, ArrayViewMut1, Axis};
use rayon::prelude::*;

use crate::geometry::SpacingMm;

/// Squared distance in square millimetres from every voxel (z, y, x) to the nearest voxel centre
/// that is marked with zero; on entry all others hold infinity.
///
/// In place: the memory is that of the array, and a few lines a thread. Infinity remains where
/// nothing is marked. Numbers are exact up to the rounding of the three sums to f32.
pub(super) fn squared_distances(field: &mut Array3<f32>, spacing: SpacingMm) {
    let zyx = spacing.zyx();
    // Any order is right; x is contiguous in memory, and the first pass touches every line.
    for axis in [2, 1, 0] {
        // Sheets that hold whole lines along the axis.
        let across = Axis(if axis == 0 { 1 } else { 0 });
        let along = Axis(if axis == 2 { 1 } else { 0 });
        let sheets: Vec<_> = field.axis_iter_mut(across).collect();
        sheets
            .into_par_iter()
            .for_each_init(Envelope::default, |envelope, mut sheet| {
                for lane in sheet.lanes_mut(along) {
                    envelope.lower(lane, zyx[axis]);
                }
            });
    }
}

/// The lower envelope of the parabolas of one line; kept to reuse its memory.
#[derive(Default)]
struct Envelope {
    values: Vec<f64>,
    /// Index of each parabola's lowest point.
    roots: Vec<usize>,
    /// From where each parabola is the lowest, in voxels.
    starts: Vec<f64>,
}

impl Envelope {
    /// Replaces every value f(p) of a line by the minimum over q of f(q) + (step (p - q))^2.
    fn lower(&mut self, mut line: ArrayViewMut1<'_, f32>, step: f64) {
        self.values.clear();
        self.values
            .extend(line.iter().map(|value| f64::from(*value)));
        self.roots.clear();
        self.starts.clear();
        let square = step * step;
        for (index, value) in self
            .values
            .iter()
            .enumerate()
            .filter(|(_, v)| v.is_finite())
        {
            let place = index as f64;
            let mut start = f64::NEG_INFINITY;
            while let Some(&root) = self.roots.last() {
                let other = root as f64;
                // Where this parabola falls below the last one.
                let crossing = (value - self.values[root]) / square + place * place - other * other;
                start = crossing / (2.0 * (place - other));
                if self.starts.last().is_some_and(|last| start <= *last) {
                    self.roots.pop();
                    self.starts.pop();
                    start = f64::NEG_INFINITY;
                } else {
                    break;
                }
            }
            self.roots.push(index);
            self.starts.push(start);
        }
        if self.roots.is_empty() {
            return;
        }
        let mut lowest = 0;
        for (index, value) in line.iter_mut().enumerate() {
            let place = index as f64;
            while self
                .starts
                .get(lowest + 1)
                .is_some_and(|start| *start < place)
            {
                lowest += 1;
            }
            let root = self.roots[lowest];
            let gap = place - root as f64;
            *value = (square * gap * gap + self.values[root]) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn brute_force(marks: &[[usize; 3]], at: [usize; 3], spacing: [f64; 3]) -> f64 {
        let square = |mark: &[usize; 3]| -> f64 {
            (0..3)
                .map(|a| ((mark[a] as f64 - at[a] as f64) * spacing[a]).powi(2))
                .sum()
        };
        marks.iter().map(square).fold(f64::INFINITY, f64::min)
    }

    proptest! {
        #[test]
        fn equals_brute_force(
            size in prop::array::uniform3(1_usize..9),
            spacing in prop::array::uniform3(0.2_f64..6.0),
            places in prop::collection::vec(prop::array::uniform3(0_usize..1000), 0..12),
        ) {
            let marks: Vec<[usize; 3]> =
                places.iter().map(|p| [p[0] % size[0], p[1] % size[1], p[2] % size[2]]).collect();
            let mut field = Array3::from_elem(size, f32::INFINITY);
            for mark in &marks {
                field[*mark] = 0.0;
            }
            squared_distances(&mut field, SpacingMm::from_zyx(spacing).unwrap());
            for ((z, y, x), found) in field.indexed_iter() {
                let expected = brute_force(&marks, [z, y, x], spacing);
                if expected.is_finite() {
                    prop_assert!((f64::from(*found) - expected).abs() <= 1e-5 * expected);
                } else {
                    prop_assert!(found.is_infinite());
                }
            }
        }
    }
}
