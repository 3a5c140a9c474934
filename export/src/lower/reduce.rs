//! Sums, means and extremes along axes.

use burn::backend::ir::{ReduceDimOpIr, ReduceOpIr};

use super::Context;
use super::row::row;
use crate::error::ExportError;

row!(MEAN_DIM: Numeric::MeanDim(op) => ["ReduceMean"], |cx| along(cx, "ReduceMean", op));
row!(MAX_DIM: Numeric::MaxDim(op) => ["ReduceMax"], |cx| along(cx, "ReduceMax", op));
row!(MIN_DIM: Numeric::MinDim(op) => ["ReduceMin"], |cx| along(cx, "ReduceMin", op));
row!(MEAN: Numeric::Mean(op) => ["ReduceMean"], |cx| whole(cx, "ReduceMean", op));
row!(MAX: Numeric::Max(op) => ["ReduceMax"], |cx| whole(cx, "ReduceMax", op));
row!(MIN: Numeric::Min(op) => ["ReduceMin"], |cx| whole(cx, "ReduceMin", op));
// ReduceSum takes its axes as an input from opset 13 on, the others from opset 18.
row!(SUM_DIM: Numeric::SumDim(op) => ["ReduceSum"], |cx| {
    let inputs = [cx.read(&op.input)?, cx.ints(&[op.axis as i64])];
    cx.node("ReduceSum", &inputs).int("keepdims", 1).makes(&op.out)
});
row!(SUM: Numeric::Sum(op) => ["ReduceSum", "Reshape"], |cx| whole(cx, "ReduceSum", op));

/// burn keeps the reduced axis with size 1.
fn along(cx: &mut Context<'_>, name: &'static str, op: &ReduceDimOpIr) -> Result<(), ExportError> {
    let input = cx.read(&op.input)?;
    cx.node(name, &[input])
        .ints("axes", [op.axis])
        .int("keepdims", 1)
        .makes(&op.out)
}

/// burn makes a tensor of shape [1] of everything.
fn whole(cx: &mut Context<'_>, name: &'static str, op: &ReduceOpIr) -> Result<(), ExportError> {
    let input = cx.read(&op.input)?;
    let dtype = cx.dtype_of(&op.out)?;
    let scalar = cx
        .node(name, &[input])
        .int("keepdims", 0)
        .temporary(dtype, Vec::new());
    let shape: Vec<i64> = op.out.shape.iter().map(|&size| size as i64).collect();
    let shape = cx.ints(&shape);
    cx.node("Reshape", &[scalar, shape]).makes(&op.out)
}
