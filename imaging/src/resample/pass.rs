//! One axis at a time over a whole volume, in blocks of neighbouring lines.

use ndarray::{Array3, ArrayView2, ArrayView3, ArrayViewMut2, Axis};
use rayon::prelude::*;

use crate::geometry::Extent;

use super::Interpolation;
use super::spline::{Border, LINES, Row, prefilter};
use super::taps::{SPLINE_PAD, Tap, nearest_indices, padded_linear_taps, spline_taps};

/// Resizes the given axes to the target's sizes, the most shrinking first. No clipping.
pub(super) fn resize_axes(
    image: ArrayView3<'_, f32>,
    target: Extent,
    interpolation: Interpolation,
    axes: &[usize],
) -> Array3<f32> {
    let shape = image.shape();
    let growth = |axis: usize| target.zyx()[axis] as f64 / shape[axis] as f64;
    let changed = axes
        .iter()
        .copied()
        .filter(|axis| target.zyx()[*axis] != shape[*axis]);
    let mut order: Vec<usize> = changed.collect();
    order.sort_by(|a, b| growth(*a).total_cmp(&growth(*b)));
    let mut current: Option<Array3<f32>> = None;
    for axis in order {
        let view = current.as_ref().map_or(image, |done| done.view());
        current = Some(resize_axis(
            view,
            Axis(axis),
            target.zyx()[axis],
            interpolation,
        ));
    }
    current.unwrap_or_else(|| copy(image))
}

fn resize_axis(
    image: ArrayView3<'_, f32>,
    axis: Axis,
    to: usize,
    interpolation: Interpolation,
) -> Array3<f32> {
    let from = image.len_of(axis);
    match interpolation {
        Interpolation::Nearest => take(image, axis, &nearest_indices(from, to)),
        Interpolation::Linear => {
            let line = Line {
                pad: [0, 1],
                filter: |_| {},
                taps: padded_linear_taps(from, to),
            };
            line.apply(image, axis)
        }
        Interpolation::Cubic => {
            let pad = [SPLINE_PAD, SPLINE_PAD];
            let line = Line {
                pad,
                filter: |rows| prefilter(rows, Border::Face),
                taps: spline_taps(from, to),
            };
            line.apply(image, axis)
        }
    }
}

/// The given planes across an axis, in row-major order whatever the input's.
pub(super) fn take(image: ArrayView3<'_, f32>, axis: Axis, indices: &[usize]) -> Array3<f32> {
    let mut shape = [image.shape()[0], image.shape()[1], image.shape()[2]];
    shape[axis.0] = indices.len();
    let mut out = Array3::zeros(shape);
    let planes: Vec<_> = out.axis_iter_mut(axis).zip(indices).collect();
    planes.into_par_iter().for_each(|(mut plane, index)| {
        plane.assign(&image.index_axis(axis, *index));
    });
    out
}

/// A copy in row-major order whatever the input's.
pub(super) fn copy(image: ArrayView3<'_, f32>) -> Array3<f32> {
    image.as_standard_layout().into_owned()
}

/// What happens to a line: extended by repeating its ends, filtered, weighted.
struct Line<const N: usize> {
    pad: [usize; 2],
    filter: fn(&mut [Row]),
    taps: Vec<Tap<N>>,
}

impl<const N: usize> Line<N> {
    fn apply(&self, image: ArrayView3<'_, f32>, axis: Axis) -> Array3<f32> {
        let mut shape = [image.shape()[0], image.shape()[1], image.shape()[2]];
        shape[axis.0] = self.taps.len();
        let mut out = Array3::zeros(shape);
        let mut blocks = Vec::new();
        // Planes that contain the axis; in each, lines side by side are a block.
        let across = Axis(usize::from(axis.0 == 0));
        for (from, to) in image.axis_iter(across).zip(out.axis_iter_mut(across)) {
            let (from, to) = match axis.0 {
                2 => (from.reversed_axes(), to.reversed_axes()),
                _ => (from, to),
            };
            blocks.extend(columns(from).into_iter().zip(columns_mut(to)));
        }
        blocks
            .into_par_iter()
            .for_each_init(Vec::new, |rows, (from, to)| {
                self.load(from, rows);
                (self.filter)(rows);
                self.store(rows, to);
            });
        out
    }

    fn load(&self, block: ArrayView2<'_, f32>, rows: &mut Vec<Row>) {
        rows.clear();
        for line in block.outer_iter() {
            let mut row = [0.0; LINES];
            row.iter_mut()
                .zip(line)
                .for_each(|(row, v)| *row = f64::from(*v));
            let first = if rows.is_empty() { self.pad[0] } else { 0 };
            rows.extend(std::iter::repeat_n(row, first + 1));
        }
        if let Some(last) = rows.last().copied() {
            rows.extend(std::iter::repeat_n(last, self.pad[1]));
        }
    }

    fn store(&self, rows: &[Row], mut block: ArrayViewMut2<'_, f32>) {
        for (tap, mut out) in self.taps.iter().zip(block.outer_iter_mut()) {
            let mut sum = [0.0; LINES];
            for (row, weight) in rows[tap.first..tap.first + N].iter().zip(tap.weights) {
                sum.iter_mut()
                    .zip(row)
                    .for_each(|(sum, v)| *sum += weight * v);
            }
            out.iter_mut().zip(sum).for_each(|(out, v)| *out = v as f32);
        }
    }
}

/// Splits a plane into blocks of neighbouring columns.
fn columns(mut plane: ArrayView2<'_, f32>) -> Vec<ArrayView2<'_, f32>> {
    let mut blocks = Vec::with_capacity(plane.ncols().div_ceil(LINES));
    while plane.ncols() > LINES {
        let (block, rest) = plane.split_at(Axis(1), LINES);
        blocks.push(block);
        plane = rest;
    }
    blocks.push(plane);
    blocks
}

/// Splits a plane into blocks of neighbouring columns, for writing.
fn columns_mut(mut plane: ArrayViewMut2<'_, f32>) -> Vec<ArrayViewMut2<'_, f32>> {
    let mut blocks = Vec::with_capacity(plane.ncols().div_ceil(LINES));
    while plane.ncols() > LINES {
        let (block, rest) = plane.split_at(Axis(1), LINES);
        blocks.push(block);
        plane = rest;
    }
    blocks.push(plane);
    blocks
}
