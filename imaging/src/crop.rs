//! The part of a scan that is not empty.

use std::ops::Range;

use ndarray::{Array3, ArrayView3, ArrayViewMut3, Axis, s};
use rayon::prelude::*;

use crate::geometry::Extent;

/// A box of voxels, (z, y, x): `start` is inside, `end` is the first outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundingBox {
    /// First voxel.
    pub start: [usize; 3],
    /// One past the last voxel.
    pub end: [usize; 3],
}

impl BoundingBox {
    /// Size of the box.
    pub fn extent(&self) -> Extent {
        Extent::from_zyx([0, 1, 2].map(|axis| self.end[axis].saturating_sub(self.start[axis])))
    }

    /// The box in an array; the box must lie within it.
    pub fn view<'a, T>(&self, array: ArrayView3<'a, T>) -> ArrayView3<'a, T> {
        let [z, y, x] = self.ranges();
        array.slice_move(s![z, y, x])
    }

    /// The box in an array, for writing; the box must lie within it.
    pub fn view_mut<'a, T>(&self, array: ArrayViewMut3<'a, T>) -> ArrayViewMut3<'a, T> {
        let [z, y, x] = self.ranges();
        array.slice_move(s![z, y, x])
    }

    fn ranges(&self) -> [Range<usize>; 3] {
        [0, 1, 2].map(|axis| self.start[axis]..self.end[axis])
    }

    fn around(self, other: Self) -> Self {
        Self {
            start: [0, 1, 2].map(|axis| self.start[axis].min(other.start[axis])),
            end: [0, 1, 2].map(|axis| self.end[axis].max(other.end[axis])),
        }
    }
}

/// The smallest box with every voxel that is not zero in some channel; `None` if all are zero.
///
/// All channels must have one shape. NaN is not zero. Source: nnU-Net v1, `crop_to_nonzero`.
pub fn nonzero_box(channels: &[ArrayView3<'_, f32>]) -> Option<BoundingBox> {
    let boxes = channels.iter().filter_map(nonzero_box_of_one);
    boxes.reduce(BoundingBox::around)
}

fn nonzero_box_of_one(channel: &ArrayView3<'_, f32>) -> Option<BoundingBox> {
    let planes: Vec<_> = channel.outer_iter().enumerate().collect();
    let boxes = planes.into_par_iter().filter_map(|(z, plane)| {
        let mut found: Option<BoundingBox> = None;
        for (y, row) in plane.outer_iter().enumerate() {
            let Some(first) = row.iter().position(|v| *v != 0.0) else {
                continue;
            };
            let last = row.iter().rposition(|v| *v != 0.0).unwrap_or(first);
            let line = BoundingBox {
                start: [z, y, first],
                end: [z + 1, y + 1, last + 1],
            };
            found = Some(found.map_or(line, |found| found.around(line)));
        }
        found
    });
    boxes.reduce_with(BoundingBox::around)
}

/// Voxels that are not zero in some channel, with enclosed holes filled.
///
/// A hole is background that no path of face neighbours joins to the border of the array. All
/// channels must have one shape. Source: nnU-Net v1, `create_nonzero_mask`
/// (`scipy.ndimage.binary_fill_holes`).
pub fn filled_nonzero_mask(channels: &[ArrayView3<'_, f32>]) -> Array3<bool> {
    let Some(first) = channels.first() else {
        return Array3::default((0, 0, 0));
    };
    let mut inside = Array3::from_elem(first.dim(), false);
    let planes: Vec<_> = inside.axis_iter_mut(Axis(0)).enumerate().collect();
    planes.into_par_iter().for_each(|(z, mut plane)| {
        for channel in channels {
            let voxels = channel.index_axis(Axis(0), z);
            plane.zip_mut_with(&voxels, |inside, v| *inside |= *v != 0.0);
        }
    });
    fill_holes(&mut inside);
    inside
}

/// Floods the background from the border, a run along x at a time, then fills what stayed dry.
fn fill_holes(inside: &mut Array3<bool>) {
    let (nz, ny, nx) = inside.dim();
    if nz * ny * nx == 0 {
        return;
    }
    let mut dry = inside.mapv(|inside| !inside);
    let mut runs: Vec<(usize, usize, usize)> = Vec::new();
    for z in 0..nz {
        for y in 0..ny {
            if z == 0 || z == nz - 1 || y == 0 || y == ny - 1 {
                runs.extend((0..nx).map(|x| (z, y, x)));
            } else {
                runs.extend([(z, y, 0), (z, y, nx - 1)]);
            }
            while let Some((z, y, x)) = runs.pop() {
                flood_run(&mut dry, (z, y, x), &mut runs);
            }
        }
    }
    inside.zip_mut_with(&dry, |inside, dry| *inside |= *dry);
}

/// Wets the dry run through a voxel and queues one voxel of each dry run beside it.
fn flood_run(
    dry: &mut Array3<bool>,
    (z, y, x): (usize, usize, usize),
    runs: &mut Vec<(usize, usize, usize)>,
) {
    let (nz, ny, nx) = dry.dim();
    if !dry[[z, y, x]] {
        return;
    }
    let mut start = x;
    while start > 0 && dry[[z, y, start - 1]] {
        start -= 1;
    }
    let mut end = start;
    while end < nx && dry[[z, y, end]] {
        dry[[z, y, end]] = false;
        end += 1;
    }
    let mut queue = |z: usize, y: usize| {
        let mut previous = false;
        for x in start..end {
            let here = dry[[z, y, x]];
            if here && !previous {
                runs.push((z, y, x));
            }
            previous = here;
        }
    };
    if z > 0 {
        queue(z - 1, y);
    }
    if z + 1 < nz {
        queue(z + 1, y);
    }
    if y > 0 {
        queue(z, y - 1);
    }
    if y + 1 < ny {
        queue(z, y + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn box_is_the_smallest_over_all_channels() {
        let mut a = Array3::<f32>::zeros((4, 5, 6));
        assert_eq!(nonzero_box(&[a.view()]), None);
        a[[1, 2, 3]] = -1.0;
        let mut b = Array3::<f32>::zeros((4, 5, 6));
        b[[2, 0, 5]] = f32::NAN;
        let expected = BoundingBox {
            start: [1, 0, 3],
            end: [3, 3, 6],
        };
        assert_eq!(nonzero_box(&[a.view(), b.view()]), Some(expected));
        assert_eq!(expected.extent(), Extent::from_zyx([2, 3, 3]));
        assert_eq!(expected.view(a.view())[[0, 2, 0]], -1.0);
    }

    #[test]
    fn holes_are_filled_but_bays_are_not() {
        let shell = Array3::from_shape_fn((5, 5, 5), |(z, y, x)| {
            let edge = |i: usize| i == 0 || i == 4;
            f32::from(u8::from(edge(z) || edge(y) || edge(x)))
        });
        assert!(
            filled_nonzero_mask(&[shell.view()])
                .iter()
                .all(|inside| *inside)
        );
        let mut open = shell;
        open[[2, 2, 4]] = 0.0;
        let mask = filled_nonzero_mask(&[open.view()]);
        assert_eq!(mask.iter().filter(|inside| **inside).count(), 125 - 28);
    }

    #[test]
    fn diagonal_gaps_do_not_drain_a_hole() {
        let mut wall = Array3::<f32>::from_elem((1, 4, 4), 1.0);
        // A single slice has no enclosed voxels: every one is on the border along z.
        wall[[0, 1, 1]] = 0.0;
        assert!(!filled_nonzero_mask(&[wall.view()])[[0, 1, 1]]);
        let mut solid = Array3::<f32>::from_elem((3, 4, 4), 1.0);
        solid[[1, 1, 1]] = 0.0;
        solid[[1, 0, 0]] = 0.0;
        let mask = filled_nonzero_mask(&[solid.view()]);
        assert!(mask[[1, 1, 1]] && !mask[[1, 0, 0]]);
    }
}
