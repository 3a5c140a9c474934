//! Picking parts of a tensor.

use burn::backend::ir::TensorIr;
use burn::tensor::Slice;

use super::Context;
use super::row::row;
use crate::graph::ValueId;

row!(SELECT: Base::Select(op) => ["Gather"], |cx| {
    let (tensor, indices) = (cx.read(&op.tensor)?, cx.read_indices(&op.indices)?);
    cx.node("Gather", &[tensor, indices]).int("axis", op.dim).makes(&op.out)
});
row!(EMBEDDING: Module::Embedding(op) => ["Gather"], |cx| {
    let (weights, indices) = (cx.read(&op.weights)?, cx.read_indices(&op.indices)?);
    cx.node("Gather", &[weights, indices]).int("axis", 0).makes(&op.out)
});
row!(GATHER: Base::Gather(op) => ["GatherElements"], |cx| {
    let (tensor, indices) = (cx.read(&op.tensor)?, cx.read_indices(&op.indices)?);
    cx.node("GatherElements", &[tensor, indices]).int("axis", op.dim).makes(&op.out)
});
row!(GATHER_ND: Base::GatherNd(op) => ["GatherND"], |cx| {
    // ONNX wants i64 here.
    let (tensor, indices) = (cx.read(&op.data)?, cx.read(&op.indices)?);
    let indices = cx.cast(indices, crate::types::Dtype::I64);
    cx.node("GatherND", &[tensor, indices]).int("batch_dims", 0).makes(&op.out)
});
row!(SLICE: Base::Slice(op) => ["Slice"], |cx| {
    let tensor = cx.read(&op.tensor)?;
    let inputs = slice_inputs(cx, tensor, &op.ranges, &op.tensor);
    cx.node("Slice", &inputs).makes(&op.out)
});

/// The places that a slice picks from an axis of `size`, in order: the first one, the one behind
/// the last one in the direction of the step, and the step. burn steps backwards from the end of
/// the range, and takes positive bounds only once they are recorded.
pub(super) fn places(slice: &Slice, size: usize) -> (i64, i64, i64) {
    let range = slice.to_range(size);
    let step = slice.step as i64;
    match step > 0 {
        true => (range.start as i64, range.end as i64, step),
        false => (range.end as i64 - 1, range.start as i64 - 1, step),
    }
}

/// What ONNX's `Slice` takes for burn's ranges; axes without a range are whole.
pub(super) fn slice_inputs(
    cx: &mut Context<'_>,
    value: ValueId,
    ranges: &[Slice],
    tensor: &TensorIr,
) -> [ValueId; 5] {
    let mut starts = Vec::new();
    let mut ends = Vec::new();
    let mut steps = Vec::new();
    for (range, &size) in ranges.iter().zip(tensor.shape.iter()) {
        let (start, end, step) = places(range, size);
        starts.push(start);
        // A negative end would count from the back.
        ends.push(if end < 0 { i64::MIN } else { end });
        steps.push(step);
    }
    let axes: Vec<i64> = (0..starts.len() as i64).collect();
    [
        value,
        cx.ints(&starts),
        cx.ints(&ends),
        cx.ints(&axes),
        cx.ints(&steps),
    ]
}
