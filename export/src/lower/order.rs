//! Extremes and where they are, the k greatest, sorting.

use burn::backend::ir::{ReduceDimOpIr, ReduceDimWithIndicesOpIr, TensorIr};

use super::Context;
use super::row::row;
use crate::error::ExportError;
use crate::graph::ValueId;
use crate::types::{Constant, Dtype};

row!(ARG_MAX: Numeric::ArgMax(op) => ["ArgMax", "Cast"], |cx| arg(cx, "ArgMax", op));
row!(ARG_MIN: Numeric::ArgMin(op) => ["ArgMin", "Cast"], |cx| arg(cx, "ArgMin", op));
row!(MAX_DIM_WITH_INDICES: Numeric::MaxDimWithIndices(op) => ["ReduceMax", "ArgMax", "Cast"], |cx| {
    with_indices(cx, "ReduceMax", "ArgMax", op)
});
row!(MIN_DIM_WITH_INDICES: Numeric::MinDimWithIndices(op) => ["ReduceMin", "ArgMin", "Cast"], |cx| {
    with_indices(cx, "ReduceMin", "ArgMin", op)
});
row!(TOP_K: Numeric::TopK(op) => ["TopK"], |cx| {
    let [values, _] = Sorted { input: &op.input, axis: op.axis, greatest_first: true }
        .first(cx, &op.out)?;
    cx.is(&op.out, values)
});
row!(ARG_TOP_K: Numeric::ArgTopK(op) => ["TopK", "Cast"], |cx| {
    let [_, indices] = Sorted { input: &op.input, axis: op.axis, greatest_first: true }
        .first(cx, &op.out)?;
    cx.is(&op.out, indices)
});
row!(TOP_K_WITH_INDICES: Numeric::TopKWithIndices(op) => ["TopK", "Cast"], |cx| {
    let [values, indices] = Sorted { input: &op.tensor, axis: op.dim, greatest_first: true }
        .first(cx, &op.out)?;
    cx.is(&op.out, values)?;
    cx.is(&op.out_indices, indices)
});
row!(SORT: Numeric::Sort(op) => ["TopK"], |cx| {
    let [values, _] = Sorted { input: &op.input, axis: op.dim, greatest_first: op.descending }
        .first(cx, &op.out)?;
    cx.is(&op.out, values)
});
row!(ARG_SORT: Numeric::ArgSort(op) => ["TopK", "Cast"], |cx| {
    let [_, indices] = Sorted { input: &op.input, axis: op.dim, greatest_first: op.descending }
        .first(cx, &op.out)?;
    cx.is(&op.out, indices)
});
row!(SORT_WITH_INDICES: Numeric::SortWithIndices(op) => ["TopK", "Cast"], |cx| {
    let [values, indices] =
        Sorted { input: &op.input, axis: op.dim, greatest_first: op.descending }
            .first(cx, &op.out)?;
    cx.is(&op.out, values)?;
    cx.is(&op.out_indices, indices)
});

/// The first of several equal extremes counts, in both.
fn place(
    cx: &mut Context<'_>,
    name: &'static str,
    input: &TensorIr,
    axis: usize,
    out: &TensorIr,
) -> Result<(), ExportError> {
    let input = cx.read(input)?;
    let found = cx
        .node(name, &[input])
        .int("axis", axis)
        .int("keepdims", 1)
        .temporary(Dtype::I64, out.shape.to_vec());
    cx.is(out, found)
}

fn arg(cx: &mut Context<'_>, name: &'static str, op: &ReduceDimOpIr) -> Result<(), ExportError> {
    place(cx, name, &op.input, op.axis, &op.out)
}

fn with_indices(
    cx: &mut Context<'_>,
    value: &'static str,
    index: &'static str,
    op: &ReduceDimWithIndicesOpIr,
) -> Result<(), ExportError> {
    place(cx, index, &op.tensor, op.dim, &op.out_indices)?;
    let input = cx.read(&op.tensor)?;
    cx.node(value, &[input])
        .ints("axes", [op.dim])
        .int("keepdims", 1)
        .makes(&op.out)
}

/// A tensor in the order of its elements along an axis.
struct Sorted<'a> {
    input: &'a TensorIr,
    axis: usize,
    greatest_first: bool,
}

impl Sorted<'_> {
    /// As many as `out` has, and where they were; all of them are a sorted axis.
    fn first(&self, cx: &mut Context<'_>, out: &TensorIr) -> Result<[ValueId; 2], ExportError> {
        let shape = out.shape.to_vec();
        let Some(&count) = shape.get(self.axis) else {
            return Err(cx.unsupported("the axis does not exist"));
        };
        let count = Constant::i64s(&[count as i64]);
        let inputs = [cx.read(self.input)?, cx.constant(count)];
        let dtype = cx.dtype_of(self.input)?;
        Ok(cx
            .node("TopK", &inputs)
            .int("axis", self.axis)
            .int("largest", usize::from(self.greatest_first))
            .int("sorted", 1)
            .two((dtype, shape.clone()), (Dtype::I64, shape)))
    }
}
