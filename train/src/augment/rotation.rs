//! Rotation.

use serde::{Deserialize, Serialize};

use super::Random;
use super::range::{self, Range};
use crate::TrainError;

/// Rotation of the patch about its centre: an angle about each axis is drawn for a sample.
///
/// Angles are in voxels, not in millimetres, however coarse the slices. Source: nnU-Net v1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rotation {
    /// How likely a sample is turned.
    pub probability: f64,
    /// Least and largest angle about each axis, in degrees.
    pub degrees: [f64; 2],
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            probability: 0.2,
            degrees: [-30.0, 30.0],
        }
    }
}

impl Rotation {
    pub(super) fn check(&self) -> Result<(), TrainError> {
        const LIMITS: Range = [-180.0, 180.0];
        range::check_probability("rotation.probability", self.probability)?;
        range::check("rotation.degrees", self.degrees, LIMITS)
    }

    /// The largest angle, in radians, that blocks are cut for: at most a right one.
    pub(super) fn largest(&self) -> f64 {
        if self.probability > 0.0 {
            let largest = self.degrees[0].abs().max(self.degrees[1].abs());
            largest.min(90.0).to_radians()
        } else {
            0.0
        }
    }

    /// The rotation of a sample, if it is turned.
    pub(super) fn draw(&self, random: &mut Random) -> Option<Matrix> {
        let turned = random.chance(self.probability);
        let angles = [(); 3].map(|()| range::draw(self.degrees, random).to_radians());
        turned.then(|| matrix(angles))
    }
}

/// A linear map of row vectors (z, y, x).
pub(super) type Matrix = [[f64; 3]; 3];

/// Leaves everything where it is.
pub(super) const IDENTITY: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

/// Turns about z, then y, then x, in radians, acting on row vectors (z, y, x).
///
/// Source: batchgenerators 0.21, `rotate_coords_3d`, whose "x" is the first axis.
pub(super) fn matrix([about_z, about_y, about_x]: [f64; 3]) -> Matrix {
    let (sin, cos) = about_z.sin_cos();
    let first = [[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]];
    let (sin, cos) = about_y.sin_cos();
    let second = [[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]];
    let (sin, cos) = about_x.sin_cos();
    let third = [[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]];
    first.map(|row| turn(turn(row, &second), &third))
}

/// A row vector times a matrix.
pub(super) fn turn(vector: [f64; 3], matrix: &Matrix) -> [f64; 3] {
    [0, 1, 2].map(|to| (0..3).map(|from| vector[from] * matrix[from][to]).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Augmentation;

    const EXPECTED: [f64; 3] = [
        2.597_792_551_409_667_4,
        1.768_250_159_564_488_9,
        2.030_951_804_706_505_4,
    ];

    /// Uniseg recipe, section 3; these are the numbers of nnU-Net v1.
    #[test]
    fn blocks_are_as_large_as_nnu_nets() {
        let paper = Augmentation::default();
        for (patch, block) in [
            ([64, 192, 192], [178, 308, 233]),
            ([48, 192, 192], [161, 308, 225]),
            ([64, 160, 160], [159, 257, 200]),
        ] {
            assert_eq!(paper.block_size(patch), block);
            assert_eq!(Augmentation::none().block_size(patch), patch);
        }
        let mut scaled = Augmentation::none();
        scaled.scaling.probability = 0.1;
        assert_eq!(scaled.block_size([64, 192, 34]), [75, 225, 40]);
    }

    /// `rotate_coords_3d` of batchgenerators 0.21.
    #[test]
    fn rotations_equal_batchgenerators() {
        let turned = turn([1.0, 2.0, 3.0], &matrix([0.3, -0.2, 0.5]));
        for (found, expected) in turned.iter().zip(EXPECTED) {
            assert!((found - expected).abs() < 1e-12, "{turned:?}");
        }
    }
}
