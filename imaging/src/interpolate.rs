//! Values at any point of a volume, not only on another grid as in [`mod@crate::resample`].
//!
//! Numbers equal those of `scipy.ndimage.map_coordinates(order=3, mode="constant")`: the volume is
//! mirrored about the centres of its outermost voxels while the spline is fitted, and has no value
//! beyond them. Nothing here starts threads: who turns many volumes has one for each.

use ndarray::{ArrayViewMut2, ArrayViewMut3, Axis};

use crate::geometry::Extent;
use crate::resample::spline::{Border, LINES, Row, prefilter};

/// Voxels by which a part of a volume must reach beyond the points of interest, so that fitting
/// the part alone changes the values there by less than 1e-6 of the range of the voxels.
pub const SPLINE_REACH: usize = 12;

/// Makes voxels (z, y, x) into the coefficients of the cubic B-spline that passes through them, in
/// place.
///
/// Sums are in f64, coefficients are kept in f32. Voxels must be finite.
pub fn fit_spline(mut voxels: ArrayViewMut3<'_, f32>) {
    for axis in 0..3 {
        fit_axis(voxels.view_mut(), axis);
    }
}

/// Fits all lines along an axis.
fn fit_axis(mut voxels: ArrayViewMut3<'_, f32>, axis: usize) {
    let mut rows = Vec::new();
    // Planes that contain the axis; in each, lines side by side are a block.
    for plane in voxels.axis_iter_mut(Axis(usize::from(axis == 0))) {
        let mut plane = match axis {
            2 => plane.reversed_axes(),
            _ => plane,
        };
        for block in plane.axis_chunks_iter_mut(Axis(1), LINES) {
            fit_lines(block, &mut rows);
        }
    }
}

/// Fits the columns of a block, at most [`LINES`] of them.
fn fit_lines(mut block: ArrayViewMut2<'_, f32>, rows: &mut Vec<Row>) {
    rows.clear();
    for samples in block.outer_iter() {
        let mut row = [0.0; LINES];
        row.iter_mut()
            .zip(samples)
            .for_each(|(row, v)| *row = f64::from(*v));
        rows.push(row);
    }
    prefilter(rows, Border::Centre);
    for (mut out, row) in block.outer_iter_mut().zip(rows.iter()) {
        out.iter_mut()
            .zip(row)
            .for_each(|(out, v)| *out = *v as f32);
    }
}

/// The 4 x 4 x 4 coefficients around a point and their weights: found once, used for every channel.
#[derive(Debug, Clone, Copy)]
pub struct CubicTap {
    weights: [[f32; 4]; 3],
    place: Place,
}

/// Where coefficients lie among the row-major ones of a volume.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Side by side: the first one, and the steps to the next plane and row.
    Inside { first: usize, steps: [usize; 2] },
    /// Some are mirror images: offsets of planes, rows and columns.
    Border([[usize; 4]; 3]),
}

impl CubicTap {
    /// The tap of a point (z, y, x), in voxels, of a volume of some extent; `None` beyond the
    /// centres of its outermost voxels.
    #[inline]
    pub fn at(at: [f64; 3], extent: Extent) -> Option<Self> {
        let extent = extent.zyx();
        let mut below = [0_usize; 3];
        let mut weights = [[0.0; 4]; 3];
        let mut inside = true;
        for axis in 0..3 {
            // Not a number is nowhere.
            if !(at[axis] >= 0.0 && at[axis] <= extent[axis] as f64 - 1.0) {
                return None;
            }
            below[axis] = at[axis] as usize;
            weights[axis] = cubic_weights((at[axis] - below[axis] as f64) as f32);
            inside &= below[axis] >= 1 && below[axis] + 2 < extent[axis];
        }
        let steps = [extent[1] * extent[2], extent[2], 1];
        let place = if inside {
            let first = (0..3).map(|axis| (below[axis] - 1) * steps[axis]).sum();
            let steps = [steps[0], steps[1]];
            Place::Inside { first, steps }
        } else {
            Place::Border([0, 1, 2].map(|axis| {
                let index = |k| steps[axis] * mirrored(below[axis] + k, extent[axis]);
                [0, 1, 2, 3].map(index)
            }))
        };
        Some(Self { weights, place })
    }

    /// The spline's value, from the row-major coefficients of a volume of the tap's extent.
    ///
    /// Panics if these are fewer than the extent has voxels.
    #[inline]
    pub fn value(&self, coefficients: &[f32]) -> f32 {
        let [along_z, along_y, along_x] = &self.weights;
        let mut columns = [0.0_f32; 4];
        let mut add = |weight: f32, row: [f32; 4]| {
            columns
                .iter_mut()
                .zip(row)
                .for_each(|(sum, v)| *sum += weight * v);
        };
        match &self.place {
            Place::Inside { first, steps } => {
                for (z, weight_z) in along_z.iter().enumerate() {
                    for (y, weight_y) in along_y.iter().enumerate() {
                        let start = first + z * steps[0] + y * steps[1];
                        let row = &coefficients[start..start + 4];
                        add(weight_z * weight_y, [row[0], row[1], row[2], row[3]]);
                    }
                }
            }
            Place::Border([planes, rows, across]) => {
                for (plane, weight_z) in planes.iter().zip(along_z) {
                    for (row, weight_y) in rows.iter().zip(along_y) {
                        let row = across.map(|column| coefficients[plane + row + column]);
                        add(weight_z * weight_y, row);
                    }
                }
            }
        }
        columns.iter().zip(along_x).map(|(sum, w)| sum * w).sum()
    }
}

/// Weights of the cubic B-spline for the coefficients at -1, 0, 1 and 2, at `y` in 0..1.
#[inline]
fn cubic_weights(y: f32) -> [f32; 4] {
    let z = 1.0 - y;
    [
        z * z * z / 6.0,
        (y * y * (y - 2.0) * 3.0 + 4.0) / 6.0,
        (z * z * (z - 2.0) * 3.0 + 4.0) / 6.0,
        y * y * y / 6.0,
    ]
}

/// The voxel that coefficient `one_more - 1` of a line of `n` is an image of.
fn mirrored(one_more: usize, n: usize) -> usize {
    let period = 2 * (n - 1);
    if period == 0 {
        return 0;
    }
    let at = (one_more + period - 1) % period;
    at.min(period - at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array3, s};

    fn pattern(extent: [usize; 3]) -> Array3<f32> {
        Array3::from_shape_fn(extent, |(z, y, x)| {
            ((z * 31 + y * 17 + x * 7 + 3 * z * y * x) % 23) as f32 - 11.0
        })
    }

    fn value(coefficients: &Array3<f32>, at: [f64; 3]) -> Option<f32> {
        let tap = CubicTap::at(at, Extent::from(coefficients.dim()))?;
        Some(tap.value(coefficients.as_slice().expect("row-major")))
    }

    /// `scipy.ndimage.map_coordinates(order=3, mode="constant")` of scipy 1.13.1.
    #[test]
    fn values_equal_scipy() {
        let rows: [([usize; 3], [f64; 3], Option<f32>); 12] = [
            ([4, 5, 6], [0.0, 0.0, 0.0], Some(-11.0)),
            ([4, 5, 6], [3.0, 4.0, 5.0], Some(-3.0)),
            ([4, 5, 6], [1.5, 2.25, 2.75], Some(6.426_116_6)),
            ([4, 5, 6], [0.2, 3.9, 4.6], Some(-2.352_892_5)),
            ([4, 5, 6], [2.7, 0.4, 0.1], Some(-3.219_952_7)),
            ([4, 5, 6], [3.0, 1.3, 2.2], Some(-2.537_279)),
            ([4, 5, 6], [-0.01, 1.0, 1.0], None),
            ([4, 5, 6], [1.0, 4.01, 1.0], None),
            ([4, 5, 6], [1.0, f64::NAN, 1.0], None),
            ([1, 7, 2], [0.0, 0.3, 0.2], Some(-7.824_726)),
            ([1, 7, 2], [0.0, 5.5, 0.9], Some(-1.124_203_8)),
            ([0, 7, 2], [0.0, 5.5, 0.9], None),
        ];
        for (extent, at, expected) in rows {
            let mut image = pattern(extent);
            fit_spline(image.view_mut());
            match (value(&image, at), expected) {
                (Some(found), Some(expected)) => {
                    assert!((found - expected).abs() < 1e-5, "{at:?}: {found}");
                }
                (found, expected) => assert_eq!(found, expected, "{at:?}"),
            }
        }
    }

    /// Lines of more than one block, and every axis on its own.
    #[test]
    fn the_spline_passes_through_all_voxels() {
        for extent in [[3, 40, 70], [70, 3, 40], [40, 70, 3]] {
            let image = pattern(extent);
            let mut fitted = image.clone();
            fit_spline(fitted.view_mut());
            for ((z, y, x), expected) in image.indexed_iter() {
                let found = value(&fitted, [z, y, x].map(|index| index as f64)).unwrap();
                assert!((found - expected).abs() < 2e-5, "{z} {y} {x}: {found}");
            }
        }
    }

    #[test]
    fn a_part_that_reaches_far_enough_gives_the_values_of_the_whole() {
        let (mut whole, mut part) = (pattern([40, 40, 40]), pattern([40, 40, 40]));
        fit_spline(whole.view_mut());
        let inner = 20 - 1 - SPLINE_REACH..=21 + 2 + SPLINE_REACH;
        fit_spline(part.slice_mut(s![inner.clone(), inner.clone(), inner]));
        let at = [20.0, 20.7, 21.99];
        let found = [value(&whole, at).unwrap(), value(&part, at).unwrap()];
        assert!((found[0] - found[1]).abs() < 22.0 * 1e-6, "{found:?}");
    }
}
