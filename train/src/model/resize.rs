//! Linear resizing of volumes, written as matrix products.
//!
//! Linear interpolation is separable and, for given sizes, a linear map of each axis: one product
//! with a constant matrix an axis. burn interpolates in two dimensions only; a product has a
//! gradient on every device and an ONNX operator that every engine runs.

use burn::prelude::*;
use burn::tensor::TensorData;

/// Resizes the last three axes, trilinearly, between the centres of voxels
/// (`align_corners = false` of PyTorch's `interpolate`).
///
/// Shapes: `x` [batch, channels, z, y, x]; returns [batch, channels, size[0], size[1], size[2]].
pub(super) fn trilinear(x: Tensor<5>, size: [usize; 3]) -> Tensor<5> {
    let [batch, channels, z, y, width] = x.dims();
    let [to_z, to_y, to_x] = size;
    let options = (&x.device(), x.dtype());
    // A matrix [to, from] from the left interpolates rows, its transpose from the right columns.
    let left = |from, to| {
        Tensor::<5>::from_data(
            TensorData::new(matrix(from, to), [1, 1, 1, to, from]),
            options,
        )
    };
    // Axes grow from the slowest on, so that the longest products come last and are few and large.
    let x = match z == to_z {
        true => x,
        false => left(z, to_z)
            .matmul(x.reshape([batch, channels, 1, z, y * width]))
            .reshape([batch, channels, to_z, y, width]),
    };
    let x = match y == to_y {
        true => x,
        false => left(y, to_y).matmul(x),
    };
    match width == to_x {
        true => x,
        false => x
            .reshape([batch, channels, 1, to_z * to_y, width])
            .matmul(left(width, to_x).swap_dims(3, 4))
            .reshape([batch, channels, to_z, to_y, to_x]),
    }
}

/// Weights of every input sample (column) for every output sample (row), row by row.
fn matrix(from: usize, to: usize) -> Vec<f32> {
    let mut weights = vec![0.0; to * from];
    let scale = from as f64 / to as f64;
    for (row, weights) in weights.chunks_exact_mut(from).enumerate() {
        // Centre of the output sample on the input's grid; there is nothing before the first one.
        let centre = ((row as f64 + 0.5) * scale - 0.5).max(0.0);
        let below = (centre as usize).min(from - 1);
        let above = (below + 1).min(from - 1);
        let share = (centre - below as f64).min(1.0);
        weights[below] += (1.0 - share) as f32;
        weights[above] += share as f32;
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every output voxel from its eight neighbours, in f64.
    fn directly(x: &[f64], from: [usize; 3], to: [usize; 3]) -> Vec<f64> {
        let neighbours = |axis: usize, at: usize| {
            let position = (at as f64 + 0.5) * from[axis] as f64 / to[axis] as f64 - 0.5;
            let position = position.clamp(0.0, (from[axis] - 1) as f64);
            let below = position.floor();
            let above = (below as usize + 1).min(from[axis] - 1);
            [
                (below as usize, 1.0 - (position - below)),
                (above, position - below),
            ]
        };
        let mut out = Vec::new();
        for z in 0..to[0] {
            for y in 0..to[1] {
                for x_at in 0..to[2] {
                    let mut sum = 0.0;
                    for (z, z_share) in neighbours(0, z) {
                        for (y, y_share) in neighbours(1, y) {
                            for (column, x_share) in neighbours(2, x_at) {
                                let voxel = x[(z * from[1] + y) * from[2] + column];
                                sum += z_share * y_share * x_share * voxel;
                            }
                        }
                    }
                    out.push(sum);
                }
            }
        }
        out
    }

    #[track_caller]
    fn check(from: [usize; 3], to: [usize; 3]) {
        let device = Device::flex();
        let [z, y, x] = from;
        let (batch, channels, voxels) = (2, 3, z * y * x);
        // Different everywhere, and not linear in any axis.
        let value = |index: usize| ((index * index) as f64 * 0.37).sin();
        let elements: Vec<f32> = (0..batch * channels * voxels)
            .map(|index| value(index) as f32)
            .collect();
        let image = TensorData::new(elements, [batch, channels, z, y, x]);
        let found = trilinear(Tensor::from_data(image, &device), to);
        assert_eq!(found.dims(), [batch, channels, to[0], to[1], to[2]]);
        let found = found.into_data().try_into_vec::<f32>().unwrap();
        let expected = (0..batch * channels).flat_map(|map| {
            let map: Vec<f64> = (map * voxels..(map + 1) * voxels).map(value).collect();
            directly(&map, from, to)
        });
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            let gap = (f64::from(*found) - expected).abs();
            assert!(
                gap < 1e-6,
                "{from:?} to {to:?} at {index}: {found} for {expected}"
            );
        }
    }

    #[test]
    fn it_is_the_direct_formula() {
        // The decoder's sizes, odd factors, one axis at a time, shrinking, single samples.
        check([2, 3, 3], [4, 6, 6]);
        check([2, 3, 3], [16, 24, 24]);
        check([4, 3, 2], [5, 7, 9]);
        check([4, 3, 2], [4, 3, 8]);
        check([4, 3, 2], [4, 9, 2]);
        check([4, 3, 2], [8, 3, 2]);
        check([6, 5, 4], [3, 2, 3]);
        check([1, 1, 1], [2, 4, 3]);
        check([4, 3, 2], [4, 3, 2]);
    }

    #[test]
    fn the_weights_are_pytorchs() {
        // interpolate([0, 1, 2], size = 6, mode = "linear", align_corners = False).
        let rows = matrix(3, 6);
        let found: Vec<f32> = rows
            .chunks_exact(3)
            .map(|row| row[1] + 2.0 * row[2])
            .collect();
        assert_eq!(found, [0.0, 0.25, 0.75, 1.25, 1.75, 2.0]);
        for (from, to) in [(1, 5), (3, 7), (7, 3), (4, 64)] {
            for row in matrix(from, to).chunks_exact(from) {
                assert!(
                    (row.iter().sum::<f32>() - 1.0).abs() < 1e-6,
                    "{from} to {to}: {row:?}"
                );
            }
        }
    }
}
