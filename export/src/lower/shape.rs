//! Layout: the elements stay, their arrangement changes.

use std::ops::Range;

use super::Context;
use super::row::row;
use crate::graph::ValueId;
use crate::types::Constant;

row!(RESHAPE: Base::Reshape(op) => ["Reshape"], |cx| {
    let inputs = [cx.read(&op.input)?, cx.sizes(&op.out.shape.to_vec())];
    cx.node("Reshape", &inputs).makes(&op.out)
});
row!(EXPAND: Base::Expand(op) => ["Expand"], |cx| {
    let inputs = [cx.read(&op.input)?, cx.sizes(&op.out.shape.to_vec())];
    cx.node("Expand", &inputs).makes(&op.out)
});
row!(PERMUTE: Base::Permute(op) => ["Transpose"], |cx| {
    let input = cx.read(&op.input)?;
    cx.node("Transpose", &[input]).ints("perm", op.axes.iter().copied()).makes(&op.out)
});
row!(SWAP_DIMS: Base::SwapDims(op) => ["Transpose"], |cx| {
    let input = cx.read(&op.input)?;
    let mut axes: Vec<usize> = (0..cx.shape(input).len()).collect();
    if op.dim1.max(op.dim2) >= axes.len() {
        return Err(cx.unsupported("an axis to swap does not exist"));
    }
    axes.swap(op.dim1, op.dim2);
    cx.node("Transpose", &[input]).ints("perm", axes).makes(&op.out)
});
row!(FLIP: Base::Flip(op) => ["Slice"], |cx| {
    let mut axes = op.axes.clone();
    axes.sort_unstable();
    axes.dedup();
    let count = axes.len();
    let input = cx.read(&op.input)?;
    // From the last element to beyond the first one, which no index can name.
    let [starts, ends, steps] = [-1, i64::MIN, -1].map(|value| cx.ints(&vec![value; count]));
    let axes = cx.sizes(&axes);
    cx.node("Slice", &[input, starts, ends, axes, steps]).makes(&op.out)
});
row!(REPEAT_DIM: Base::RepeatDim(op) => ["Tile"], |cx| {
    let input = cx.read(&op.tensor)?;
    let mut times = vec![1; cx.shape(input).len()];
    match times.get_mut(op.dim) {
        Some(repeats) => *repeats = op.times,
        None => return Err(cx.unsupported("the axis to repeat does not exist")),
    }
    let times = cx.sizes(&times);
    cx.node("Tile", &[input, times]).makes(&op.out)
});
// Windows along an axis are gathered in its place; burn has the place in the window last.
row!(UNFOLD: Base::Unfold(op) => ["Gather", "Transpose"], |cx| {
    let input = cx.read(&op.input)?;
    let (dtype, mut shape) = cx.kind(input);
    let Some(&length) = shape.get(op.dim).filter(|&&length| length >= op.size) else {
        return Err(cx.unsupported("the window is longer than the axis"));
    };
    let count = (length - op.size) / op.step.max(1) + 1;
    let places = windows(op.size, 1, count, op.step);
    shape.splice(op.dim..=op.dim, [count, op.size]);
    let rank = shape.len();
    let places = cx.constant(Constant::indices(&[op.size, count], &places));
    let mut gathered = shape.clone();
    gathered.swap(op.dim, op.dim + 1);
    let windows = cx.node("Gather", &[input, places]).int("axis", op.dim).temporary(dtype, gathered);
    let order = (0..rank).filter(|&axis| axis != op.dim).chain([op.dim]);
    cx.node("Transpose", &[windows]).ints("perm", order).makes(&op.out)
});

/// For each place in a window of `size`, spread by `dilation`, where `count` windows have it.
pub(super) fn windows(size: usize, dilation: usize, count: usize, stride: usize) -> Vec<i64> {
    (0..size)
        .flat_map(|place| (0..count).map(move |window| (window * stride + place * dilation) as i64))
        .collect()
}

/// The part `range` of an axis.
pub(super) fn cut(
    cx: &mut Context<'_>,
    value: ValueId,
    axis: usize,
    range: Range<usize>,
) -> ValueId {
    let (dtype, mut shape) = cx.kind(value);
    if let Some(size) = shape.get_mut(axis) {
        *size = range.len();
    }
    let [start, end, axis] = [range.start, range.end, axis].map(|value| cx.sizes(&[value]));
    cx.node("Slice", &[value, start, end, axis])
        .temporary(dtype, shape)
}
