//! Truth values: their algebra, and whether all or any of them hold.

use burn::backend::ir::TensorIr;

use super::Context;
use super::row::row;
use crate::error::ExportError;
use crate::graph::ValueId;
use crate::types::Dtype;

row!(NOT: Bool::Not(op) => ["Not"], |cx| cx.unary("Not", op));
row!(AND: Bool::And(op) => ["And"], |cx| cx.binary("And", op));
row!(OR: Bool::Or(op) => ["Or"], |cx| cx.binary("Or", op));
row!(XOR: Bool::Xor(op) => ["Xor"], |cx| cx.binary("Xor", op));

// ONNX reduces no truth values before opset 20: zeros and ones are reduced instead.
row!(ALL: Base::All(op) => ["Cast", "ReduceMin"], |cx| {
    reduce(cx, "ReduceMin", &op.input, &op.out, None)
});
row!(ANY: Base::Any(op) => ["Cast", "ReduceMax"], |cx| {
    reduce(cx, "ReduceMax", &op.input, &op.out, None)
});
row!(ALL_DIM: Base::AllDim(op) => ["Cast", "ReduceMin"], |cx| {
    reduce(cx, "ReduceMin", &op.input, &op.out, Some(op.axis))
});
row!(ANY_DIM: Base::AnyDim(op) => ["Cast", "ReduceMax"], |cx| {
    reduce(cx, "ReduceMax", &op.input, &op.out, Some(op.axis))
});

fn reduce(
    cx: &mut Context<'_>,
    name: &'static str,
    input: &TensorIr,
    out: &TensorIr,
    axis: Option<usize>,
) -> Result<(), ExportError> {
    let input = cx.read(input)?;
    let truth = cx.cast(input, Dtype::Bool);
    let counted = cx.cast(truth, Dtype::I32);
    let reduced = match axis {
        Some(axis) => {
            let shape = out.shape.to_vec();
            let node = cx.node(name, &[counted]).ints("axes", [axis]);
            node.int("keepdims", 1).temporary(Dtype::I32, shape)
        }
        None => whole(cx, name, counted, out),
    };
    cx.is(out, reduced)
}

/// burn makes a tensor of shape [1] of everything.
fn whole(cx: &mut Context<'_>, name: &'static str, value: ValueId, out: &TensorIr) -> ValueId {
    let (dtype, _) = cx.kind(value);
    let scalar = cx
        .node(name, &[value])
        .int("keepdims", 0)
        .temporary(dtype, Vec::new());
    cx.reshape(scalar, &out.shape.to_vec())
}
