//! How a body is scanned: field of view, grid, orientation.

use crate::error::ImagingError;
use crate::geometry::{Affine, Extent, Geometry, SpacingMm};

use super::random::Random;
use super::space::{Matrix, Point, apply, minus, plus, product, rotation, times};

/// Size and variety of scans.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Protocol {
    /// Fewest and most slices.
    pub slices: [usize; 2],
    /// Fewest and most pixels along each side of a slice.
    pub pixels: [usize; 2],
    /// Axis flips, permutations and oblique slices as clinics store them; else every volume is
    /// stored from right to left, front to back, foot to head.
    pub varied_orientation: bool,
    /// Cases of one number share patient and image in all CT tasks, and differ in labels only.
    /// Else they share the patient but not the scan.
    pub same_scans: bool,
    /// How many times as far a scan reaches along each axis as its task needs, with as many more
    /// voxels; what the task needs lies anywhere in it. Below 1 is 1.
    pub reach: f64,
}

impl Protocol {
    /// 28 to 36 slices of 64 to 72 pixels squared: for smoke tests and demos.
    pub const SMALL: Self = Self {
        slices: [28, 36],
        pixels: [64, 72],
        ..Self::MEDIUM
    };

    /// 48 to 64 slices of 96 to 128 pixels squared.
    pub const MEDIUM: Self = Self {
        slices: [48, 64],
        pixels: [96, 128],
        varied_orientation: true,
        same_scans: false,
        reach: 1.0,
    };
}

/// Where a task looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    /// Middle of the field in RAS+ millimetres of the body.
    pub centre: Point,
    /// Side of a slice and height of the stack, in millimetres.
    pub field: [f64; 2],
    /// Share of the protocol's slices that are taken: thick slices if few.
    pub slices: f64,
    /// Orientations in which volumes of this kind are stored.
    pub orientations: &'static [&'static str],
    /// Share of oblique scans, and their largest tilt in degrees.
    pub oblique: (f64, f64),
}

/// A grid in the body, and what its file says about where that is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    /// As stored.
    pub geometry: Geometry,
    /// Voxel (x, y, z) to RAS+ millimetres of the body: columns and origin.
    pub axes: Matrix,
    pub origin: Point,
}

/// Grids are stored like this when orientation does not vary: what most CT files say.
const PLAIN: &str = "LPS";

impl Grid {
    /// A grid for one scan.
    ///
    /// Errors: [`ImagingError::InvalidSpacing`] if the protocol asks for no voxels.
    pub(super) fn draw(
        view: &View,
        protocol: &Protocol,
        random: &mut Random,
    ) -> Result<Self, ImagingError> {
        let pixels = random.integer(protocol.pixels[0], protocol.pixels[1]);
        let slices = random.integer(protocol.slices[0], protocol.slices[1]);
        let slices = ((slices as f64 * view.slices).round() as usize).max(1);
        // Spacings have two digits, as scanners' have.
        let hundredths = |mm: f64| (mm * 100.0).round() / 100.0;
        let [side, height] = view.field.map(|mm| mm * random.between(0.94, 1.06));
        let in_plane = hundredths(side / pixels as f64);
        let along = hundredths(height / slices as f64);
        let shift = random.signed3();
        let centre = std::array::from_fn(|axis| view.centre[axis] + 0.02 * side * shift[axis]);

        let choice = random.integer(0, view.orientations.len().saturating_sub(1));
        let tilted = random.chance(view.oblique.0);
        let tilt = times(random.signed3(), view.oblique.1);
        let table = times(random.signed3(), 150.0);
        let (code, turn) = if protocol.varied_orientation {
            let code = view.orientations.get(choice).copied().unwrap_or(PLAIN);
            (code, rotation(if tilted { tilt } else { [0.0; 3] }))
        } else {
            (PLAIN, rotation([0.0; 3]))
        };
        let spacing = [in_plane, in_plane, along];
        let needed = [pixels, pixels, slices];
        let size = needed.map(|n| (n as f64 * protocol.reach.max(1.0)).round() as usize);
        // Drawn last, so that a wide scan differs from a narrow one in nothing else.
        let place = random.signed3();
        let aside = std::array::from_fn(|axis| {
            0.5 * place[axis] * (size[axis] - needed[axis]) as f64 * spacing[axis]
        });
        let centre = plus(centre, apply(&turn, aside));
        let (size, axes) = oriented(code, size, spacing);
        let axes = product(&turn, &axes);
        let origin = minus(centre, apply(&axes, size.map(|n| (n as f64 - 1.0) / 2.0)));
        let affine = Affine::from_rows(std::array::from_fn(|row| {
            let [a, b, c] = axes[row];
            // Scanners count from somewhere else than the first lumbar vertebra.
            [a, b, c, origin[row] + table[row]]
        }));
        let [x, y, z] = size;
        let geometry = Geometry {
            extent: Extent::from_zyx([z, y, x]),
            spacing: SpacingMm::from_zyx(affine.column_norms_zyx())?,
            affine,
        };
        Ok(Self {
            geometry,
            axes,
            origin,
        })
    }

    /// A grid of given voxels around a point of the body.
    pub(super) fn around(centre: Point, extent: Extent, spacing: SpacingMm) -> Self {
        let geometry = Geometry::axis_aligned(extent, spacing);
        let [z, y, x] = spacing.zyx();
        let axes = [[x, 0.0, 0.0], [0.0, y, 0.0], [0.0, 0.0, z]];
        let [nz, ny, nx] = extent.zyx().map(|n| (n as f64 - 1.0) / 2.0);
        Self {
            geometry,
            axes,
            origin: minus(centre, apply(&axes, [nx, ny, nz])),
        }
    }

    /// The RAS+ position in the body of a voxel (x, y, z).
    pub(super) fn position(&self, voxel: Point) -> Point {
        let offset = apply(&self.axes, voxel);
        std::array::from_fn(|axis| self.origin[axis] + offset[axis])
    }
}

/// Columns of an axis-aligned grid: sizes and spacings are towards right, front, head, the
/// code says to which side x, y and z of the array grow.
fn oriented(code: &str, size_ras: [usize; 3], spacing_ras: Point) -> ([usize; 3], Matrix) {
    let mut size = [1; 3];
    let mut axes = [[0.0; 3]; 3];
    for (column, letter) in code.chars().take(3).enumerate() {
        let (row, sign) = match letter {
            'R' => (0, 1.0),
            'L' => (0, -1.0),
            'A' => (1, 1.0),
            'P' => (1, -1.0),
            'S' => (2, 1.0),
            _ => (2, -1.0),
        };
        size[column] = size_ras[row];
        axes[row][column] = sign * spacing_ras[row];
    }
    (size, axes)
}

#[cfg(test)]
mod tests {
    use super::super::space::inverse;
    use super::*;

    const VIEW: View = View {
        centre: [0.0, 5.0, 10.0],
        field: [360.0, 300.0],
        slices: 1.0,
        orientations: &["PIR"],
        oblique: (1.0, 10.0),
    };

    #[test]
    fn the_file_says_how_the_grid_lies() -> Result<(), ImagingError> {
        for seed in 0..20 {
            let grid = Grid::draw(&VIEW, &Protocol::SMALL, &mut Random::keyed(seed))?;
            assert_eq!(grid.geometry.affine.orientation(), "PIR");
            let [z, y, x] = grid.geometry.extent.zyx();
            assert!(x == z && y < x, "{x} {y} {z}");
            let middle = grid.position([x, y, z].map(|n| (n as f64 - 1.0) / 2.0));
            assert!(
                (0..3).all(|axis| (middle[axis] - VIEW.centre[axis]).abs() < 9.0),
                "{middle:?}"
            );
            let still = Protocol {
                varied_orientation: false,
                ..Protocol::SMALL
            };
            let plain = Grid::draw(&VIEW, &still, &mut Random::keyed(seed))?;
            assert_eq!(plain.geometry.affine.orientation(), "LPS");
        }
        Ok(())
    }

    #[test]
    fn a_wide_scan_holds_all_that_a_narrow_one_holds() -> Result<(), ImagingError> {
        let wide = Protocol {
            reach: 2.0,
            ..Protocol::SMALL
        };
        let mut middles = Vec::new();
        for seed in 0..20 {
            let narrow = Grid::draw(&VIEW, &Protocol::SMALL, &mut Random::keyed(seed))?;
            let wide = Grid::draw(&VIEW, &wide, &mut Random::keyed(seed))?;
            let size = narrow.geometry.extent.zyx();
            assert_eq!(wide.geometry.extent.zyx(), size.map(|n| 2 * n));
            // Where the narrow grid begins in the wide one: at most one narrow grid from its edge.
            let first = minus(narrow.position([0.0; 3]), wide.origin);
            let [z, y, x] = size;
            for (at, n) in apply(&inverse(&wide.axes), first)
                .into_iter()
                .zip([x, y, z])
            {
                assert!((-0.01..=n as f64 + 0.01).contains(&at), "{at} of {n}");
                middles.push(at / n as f64);
            }
        }
        let far = |from: f64, to: f64| middles.iter().any(|at| (from..to).contains(at));
        assert!(far(0.0, 0.2) && far(0.8, 1.01), "{middles:?}");
        Ok(())
    }

    #[test]
    fn a_protocol_without_voxels_is_refused() {
        let empty = Protocol {
            pixels: [0, 0],
            ..Protocol::SMALL
        };
        let mut random = Random::keyed(1);
        assert!(matches!(
            Grid::draw(&VIEW, &empty, &mut random),
            Err(ImagingError::InvalidSpacing { .. })
        ));
    }
}
