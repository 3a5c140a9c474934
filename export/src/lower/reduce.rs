//! Sums, products, means and extremes along axes, or of everything.

use burn::backend::ir::{ReduceDimOpIr, ReduceOpIr};

use super::Context;
use super::row::row;
use crate::error::ExportError;
use crate::graph::ValueId;

row!(MAX_DIM: Numeric::MaxDim(op) => ["ReduceMax"], |cx| along(cx, "ReduceMax", op));
row!(MIN_DIM: Numeric::MinDim(op) => ["ReduceMin"], |cx| along(cx, "ReduceMin", op));
row!(PROD_DIM: Numeric::ProdDim(op) => ["ReduceProd"], |cx| along(cx, "ReduceProd", op));
row!(MAX: Numeric::Max(op) => ["ReduceMax", "Reshape"], |cx| whole(cx, "ReduceMax", op));
row!(MIN: Numeric::Min(op) => ["ReduceMin", "Reshape"], |cx| whole(cx, "ReduceMin", op));
row!(PROD: Numeric::Prod(op) => ["ReduceProd", "Reshape"], |cx| whole(cx, "ReduceProd", op));
row!(SUM: Numeric::Sum(op) => ["ReduceSum", "Reshape"], |cx| whole(cx, "ReduceSum", op));
row!(MAX_ABS: Numeric::MaxAbs(op) => ["Abs", "ReduceMax", "Reshape"], |cx| {
    let input = cx.read(&op.input)?;
    let size = cx.map("Abs", input);
    let most = of_all(cx, "ReduceMax", size);
    shaped(cx, most, op)
});
row!(MAX_ABS_DIM: Numeric::MaxAbsDim(op) => ["Abs", "ReduceMax"], |cx| {
    let input = cx.read(&op.input)?;
    let size = cx.map("Abs", input);
    cx.node("ReduceMax", &[size]).ints("axes", [op.axis]).int("keepdims", 1).makes(&op.out)
});
// ReduceSum takes its axes as an input from opset 13 on, the others from opset 18.
row!(SUM_DIM: Numeric::SumDim(op) => ["ReduceSum"], |cx| {
    let inputs = [cx.read(&op.input)?, cx.ints(&[op.axis as i64])];
    cx.node("ReduceSum", &inputs).int("keepdims", 1).makes(&op.out)
});
row!(SUM_DIMS: Numeric::SumDims(op) => ["ReduceSum"], |cx| {
    let inputs = [cx.read(&op.input)?, cx.sizes(&op.axes)];
    cx.node("ReduceSum", &inputs).int("keepdims", 1).makes(&op.out)
});
// The mean of integers is cut off towards zero by burn and by ONNX's division, while engines
// differ in what they make of ReduceMean.
row!(MEAN_DIM: Numeric::MeanDim(op) => ["ReduceMean", "ReduceSum", "Div"], |cx| {
    if cx.dtype_of(&op.out)?.is_float() {
        return along(cx, "ReduceMean", op);
    }
    let inputs = [cx.read(&op.input)?, cx.ints(&[op.axis as i64])];
    let count = op.input.shape.to_vec().get(op.axis).copied().unwrap_or(1);
    let (dtype, shape) = (cx.dtype_of(&op.out)?, op.out.shape.to_vec());
    let sum = cx.node("ReduceSum", &inputs).int("keepdims", 1).temporary(dtype, shape);
    let count = cx.number_like(sum, count as f64);
    cx.node("Div", &[sum, count]).makes(&op.out)
});
row!(MEAN: Numeric::Mean(op) => ["ReduceMean", "Reshape", "ReduceSum", "Div"], |cx| {
    if cx.dtype_of(&op.out)?.is_float() {
        return whole(cx, "ReduceMean", op);
    }
    let input = cx.read(&op.input)?;
    let sum = of_all(cx, "ReduceSum", input);
    let count = cx.number_like(sum, op.input.shape.num_elements() as f64);
    let mean = cx.join("Div", sum, count);
    shaped(cx, mean, op)
});

/// burn keeps the reduced axis with size 1.
fn along(cx: &mut Context<'_>, name: &'static str, op: &ReduceDimOpIr) -> Result<(), ExportError> {
    let input = cx.read(&op.input)?;
    cx.node(name, &[input])
        .ints("axes", [op.axis])
        .int("keepdims", 1)
        .makes(&op.out)
}

fn whole(cx: &mut Context<'_>, name: &'static str, op: &ReduceOpIr) -> Result<(), ExportError> {
    let input = cx.read(&op.input)?;
    let scalar = of_all(cx, name, input);
    shaped(cx, scalar, op)
}

fn of_all(cx: &mut Context<'_>, name: &'static str, value: ValueId) -> ValueId {
    let (dtype, _) = cx.kind(value);
    cx.node(name, &[value])
        .int("keepdims", 0)
        .temporary(dtype, Vec::new())
}

/// burn makes a tensor of shape [1] of everything.
fn shaped(cx: &mut Context<'_>, scalar: ValueId, op: &ReduceOpIr) -> Result<(), ExportError> {
    let shape = cx.sizes(&op.out.shape.to_vec());
    cx.node("Reshape", &[scalar, shape]).makes(&op.out)
}
