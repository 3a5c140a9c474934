//! Where voxels are: spacing, extent, affine. Small types so that axes and units cannot be mixed.

use std::fmt;

use crate::error::ImagingError;

/// Distance between voxel centres in millimetres, finite and positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpacingMm([f64; 3]);

impl SpacingMm {
    /// From (z, y, x) millimetres.
    ///
    /// Errors: [`ImagingError::InvalidSpacing`] unless all three are finite and positive.
    pub fn from_zyx(zyx: [f64; 3]) -> Result<Self, ImagingError> {
        if zyx.iter().all(|v| v.is_finite() && *v > 0.0) {
            Ok(Self(zyx))
        } else {
            Err(ImagingError::InvalidSpacing { found: zyx })
        }
    }

    /// (z, y, x) millimetres.
    pub fn zyx(self) -> [f64; 3] {
        self.0
    }

    /// Volume of one voxel in millilitres.
    pub fn voxel_ml(self) -> f64 {
        self.0.iter().product::<f64>() / 1000.0
    }
}

impl fmt::Display for SpacingMm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [z, y, x] = self.0;
        write!(f, "{z} x {y} x {x} mm (z, y, x)")
    }
}

/// Size of a grid in voxels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Extent([usize; 3]);

impl Extent {
    /// From (z, y, x) voxels.
    pub fn from_zyx(zyx: [usize; 3]) -> Self {
        Self(zyx)
    }

    /// (z, y, x) voxels.
    pub fn zyx(self) -> [usize; 3] {
        self.0
    }

    /// Number of voxels; `None` if it does not fit in memory's address range.
    pub fn voxels(self) -> Option<usize> {
        let [z, y, x] = self.0;
        z.checked_mul(y)?.checked_mul(x)
    }
}

impl From<(usize, usize, usize)> for Extent {
    /// From `Array3::dim`.
    fn from((z, y, x): (usize, usize, usize)) -> Self {
        Self([z, y, x])
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [z, y, x] = self.0;
        write!(f, "{z} x {y} x {x} (z, y, x)")
    }
}

/// Voxel index (x, y, z) to position in RAS+ millimetres: the upper three rows of a 4 x 4 matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine([[f64; 4]; 3]);

impl Affine {
    /// From the three rows (towards right, anterior, superior) over (x, y, z, 1).
    pub fn from_rows(rows: [[f64; 4]; 3]) -> Self {
        Self(rows)
    }

    /// Axis-aligned, first voxel at the origin.
    pub fn from_spacing(spacing: SpacingMm) -> Self {
        let [z, y, x] = spacing.zyx();
        Self([[x, 0.0, 0.0, 0.0], [0.0, y, 0.0, 0.0], [0.0, 0.0, z, 0.0]])
    }

    /// The three rows over (x, y, z, 1).
    pub fn rows(self) -> [[f64; 4]; 3] {
        self.0
    }

    /// Position in millimetres of the voxel index (x, y, z).
    pub fn position(self, [x, y, z]: [f64; 3]) -> [f64; 3] {
        self.0.map(|[a, b, c, t]| a * x + b * y + c * z + t)
    }

    /// Lengths of the voxel axes in (z, y, x) order: the spacing that the affine implies.
    pub fn column_norms_zyx(self) -> [f64; 3] {
        [2, 1, 0].map(|column| {
            self.0
                .iter()
                .map(|row| row[column] * row[column])
                .sum::<f64>()
                .sqrt()
        })
    }

    /// Whether every entry is finite and the three axes span space.
    pub fn is_usable(self) -> bool {
        let norms = self.column_norms_zyx();
        let [a, b, c] = self.0;
        let determinant = a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0])
            + a[2] * (b[0] * c[1] - b[1] * c[0]);
        self.0.iter().flatten().all(|v| v.is_finite())
            && determinant.is_finite()
            && determinant.abs() > 1e-6 * norms.iter().product::<f64>()
    }

    /// Anatomical direction in which x, y, z grow, such as `RAS` or `LPS`.
    ///
    /// Oblique axes are named after their nearest direction, the clearest first.
    pub fn orientation(self) -> String {
        let norms = self.column_norms_zyx();
        let mut name = ['?'; 3];
        let mut free_rows = vec![0, 1, 2];
        let mut free_columns = vec![0, 1, 2];
        while !free_rows.is_empty() {
            let share = |&(row, column): &(usize, usize)| {
                (self.0[row][column] / norms[2 - column].max(f64::MIN_POSITIVE)).abs()
            };
            let pairs = free_rows
                .iter()
                .flat_map(|r| free_columns.iter().map(|c| (*r, *c)));
            let best = pairs.max_by(|a, b| share(a).total_cmp(&share(b)));
            let Some((row, column)) = best else { break };
            let letters = [['R', 'L'], ['A', 'P'], ['S', 'I']][row];
            name[column] = letters[usize::from(self.0[row][column] < 0.0)];
            free_rows.retain(|r| *r != row);
            free_columns.retain(|c| *c != column);
        }
        name.iter().collect()
    }
}

/// A grid in space.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Geometry {
    /// Size in voxels.
    pub extent: Extent,
    /// Distance between voxel centres, as used for resampling and volumes.
    pub spacing: SpacingMm,
    /// Voxel index to RAS+ millimetres.
    pub affine: Affine,
}

impl Geometry {
    /// An axis-aligned grid with its first voxel at the origin.
    pub fn axis_aligned(extent: Extent, spacing: SpacingMm) -> Self {
        Self {
            extent,
            spacing,
            affine: Affine::from_spacing(spacing),
        }
    }

    /// Largest distance in millimetres between equal corners of two grids of one extent; infinite
    /// where an affine is not finite.
    pub fn corner_distance_mm(&self, other: &Geometry) -> f64 {
        let [z, y, x] = self.extent.zyx().map(|n| n.saturating_sub(1) as f64);
        let mut farthest = 0.0_f64;
        for corner in 0..8_u8 {
            let pick = |bit: u8, n: f64| if corner & bit == 0 { 0.0 } else { n };
            let index = [pick(1, x), pick(2, y), pick(4, z)];
            let a = self.affine.position(index);
            let b = other.affine.position(index);
            let distance = a
                .iter()
                .zip(b)
                .map(|(a, b)| (a - b) * (a - b))
                .sum::<f64>()
                .sqrt();
            if distance.is_nan() {
                return f64::INFINITY;
            }
            farthest = farthest.max(distance);
        }
        farthest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spacing_must_be_positive_and_finite() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(SpacingMm::from_zyx([1.0, bad, 1.0]).is_err(), "{bad}");
        }
    }

    #[test]
    fn orientation_names_the_nearest_direction() {
        let ras = Affine::from_rows([
            [2.0, 0.1, 0.0, -5.0],
            [-0.1, 2.0, 0.0, 3.0],
            [0.0, 0.0, 5.0, 0.0],
        ]);
        assert_eq!(ras.orientation(), "RAS");
        let sagittal = Affine::from_rows([
            [0.0, 0.0, -1.0, 0.0],
            [-0.5, 0.0, 0.0, 0.0],
            [0.0, 0.5, 0.0, 0.0],
        ]);
        assert_eq!(sagittal.orientation(), "PSL");
        assert_eq!(sagittal.column_norms_zyx(), [1.0, 0.5, 0.5]);
    }

    #[test]
    fn degenerate_affines_are_not_usable() {
        let flat = Affine::from_rows([[1.0, 0.0, 1.0, 0.0], [0.0; 4], [0.0, 1.0, 0.0, 0.0]]);
        assert!(!flat.is_usable());
        assert!(!Affine::from_rows([[f64::NAN; 4]; 3]).is_usable());
        assert!(!Affine::from_rows([[0.0; 4]; 3]).is_usable());
    }

    #[test]
    fn corner_distance_sees_a_shift_and_a_rotation() -> Result<(), ImagingError> {
        let spacing = SpacingMm::from_zyx([2.0, 1.0, 1.0])?;
        let here = Geometry::axis_aligned(Extent::from_zyx([11, 5, 5]), spacing);
        assert_eq!(here.corner_distance_mm(&here), 0.0);
        let mut rows = here.affine.rows();
        rows[2][2] = 2.5;
        let there = Geometry {
            affine: Affine::from_rows(rows),
            ..here
        };
        assert!((here.corner_distance_mm(&there) - 5.0).abs() < 1e-12);
        Ok(())
    }
}
