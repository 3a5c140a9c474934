//! Putting values into a tensor, which gives a new one.

use burn::backend::ir::{SliceAssignOpIr, TensorIr};
use burn::tensor::IndexingUpdateOp;

use super::Context;
use super::index::{places, slice_inputs};
use super::row::row;
use super::shape::cut;
use crate::error::ExportError;
use crate::graph::ValueId;
use crate::opset::Opset;
use crate::types::{Constant, Dtype};

/// The first opset in which several values for one place can leave their extreme.
const EXTREMES: Opset = Opset::known(18);

row!(SCATTER: Base::Scatter(op) => ["ScatterElements"], |cx| {
    let inputs = [cx.read(&op.tensor)?, cx.read_indices(&op.indices)?, cx.read(&op.value)?];
    let reduction = reduction(cx, &op.update)?;
    cx.node("ScatterElements", &inputs)
        .int("axis", op.dim)
        .text("reduction", reduction)
        .makes(&op.out)
});
row!(SCATTER_ND: Base::ScatterNd(op) => ["ScatterND"], |cx| {
    let indices = cx.read(&op.indices)?;
    let indices = cx.cast(indices, Dtype::I64);
    let inputs = [cx.read(&op.data)?, indices, cx.read(&op.values)?];
    let reduction = reduction(cx, &op.reduction)?;
    cx.node("ScatterND", &inputs).text("reduction", reduction).makes(&op.out)
});
// One index a slice: each element of the slice is told the same one.
row!(SELECT_ASSIGN: Base::SelectAssign(op) => ["Reshape", "Expand", "ScatterElements"], |cx| {
    let (tensor, value) = (cx.read(&op.tensor)?, cx.read(&op.value)?);
    let indices = cx.read_indices(&op.indices)?;
    let shape = op.value.shape.to_vec();
    let mut flat = vec![1; shape.len()];
    match flat.get_mut(op.dim) {
        Some(size) => *size = op.indices.shape.num_elements(),
        None => return Err(cx.unsupported("the axis does not exist")),
    }
    let (dtype, _) = cx.kind(indices);
    let indices = cx.reshape(indices, &flat);
    let sizes = cx.sizes(&shape);
    let indices = cx.node("Expand", &[indices, sizes]).temporary(dtype, shape);
    let reduction = reduction(cx, &op.update)?;
    cx.node("ScatterElements", &[tensor, indices, value])
        .int("axis", op.dim)
        .text("reduction", reduction)
        .makes(&op.out)
});
row!(SLICE_ASSIGN: Base::SliceAssign(op) => ["Slice", "Concat", "Gather"], |cx| {
    slice_assign(cx, op)
});
row!(MASK_WHERE: Base::MaskWhere(op) => ["Where", "And", "Or", "Not"], |cx| {
    let (mask, value, tensor) = (cx.read(&op.mask)?, cx.read(&op.value)?, cx.read(&op.tensor)?);
    masked(cx, mask, value, tensor, &op.out)
});
row!(MASK_FILL: Base::MaskFill(op) => ["Where", "And", "Or", "Not"], |cx| {
    let (mask, tensor) = (cx.read(&op.mask)?, cx.read(&op.tensor)?);
    let value = cx.operand(&op.tensor, op.value)?;
    masked(cx, mask, value, tensor, &op.out)
});

/// ONNX Runtime has no `Where` for truth values; their own algebra says the same.
fn masked(
    cx: &mut Context<'_>,
    mask: ValueId,
    value: ValueId,
    tensor: ValueId,
    out: &TensorIr,
) -> Result<(), ExportError> {
    if cx.dtype_of(out)? != Dtype::Bool {
        return cx.node("Where", &[mask, value, tensor]).makes(out);
    }
    let kept = cx.map("Not", mask);
    let (new, old) = (cx.join("And", mask, value), cx.join("And", kept, tensor));
    cx.node("Or", &[new, old]).makes(out)
}

fn reduction(cx: &Context<'_>, update: &IndexingUpdateOp) -> Result<&'static str, ExportError> {
    match update {
        IndexingUpdateOp::Assign => Ok("none"),
        IndexingUpdateOp::Add => Ok("add"),
        IndexingUpdateOp::Mul => Ok("mul"),
        IndexingUpdateOp::Min | IndexingUpdateOp::Max if cx.opset() < EXTREMES => {
            let reason = format!("ONNX scatters extremes from opset {EXTREMES} on");
            Err(cx.unsupported(reason))
        }
        IndexingUpdateOp::Min => Ok("min"),
        IndexingUpdateOp::Max => Ok("max"),
    }
}

/// From the last axis to the first: the new value is laid between what was before and behind it on
/// that axis, so that it is as long as the tensor there. What is laid around it has the extent of
/// the slice on the axes that are still to come.
///
/// With a step the new value does not stay in one piece: it is put behind the old one, and an index
/// picks from either.
fn slice_assign(cx: &mut Context<'_>, op: &SliceAssignOpIr) -> Result<(), ExportError> {
    let tensor = cx.read(&op.tensor)?;
    let mut value = cx.read(&op.value)?;
    let (dtype, whole) = cx.kind(tensor);
    let slice = op.value.shape.to_vec();
    for (axis, range) in op.ranges.iter().enumerate().rev() {
        let (Some(&size), Some(&extent)) = (whole.get(axis), slice.get(axis)) else {
            return Err(cx.unsupported("the slice has more axes than the tensor"));
        };
        let (start, _, step) = places(range, size);
        if extent == size && step == 1 {
            continue;
        }
        let mut around = whole.clone();
        around[..axis].copy_from_slice(&slice[..axis]);
        let old = match around == whole {
            true => tensor,
            false => {
                let inputs = slice_inputs(cx, tensor, &op.ranges[..axis], &op.tensor);
                cx.node("Slice", &inputs).temporary(dtype, around.clone())
            }
        };
        value = if step == 1 {
            let start = start as usize;
            let mut parts = Vec::new();
            if start > 0 {
                parts.push(cut(cx, old, axis, 0..start));
            }
            parts.push(value);
            if start + extent < size {
                parts.push(cut(cx, old, axis, start + extent..size));
            }
            cx.node("Concat", &parts)
                .int("axis", axis)
                .temporary(dtype, around)
        } else {
            let mut order: Vec<i64> = (0..size as i64).collect();
            for index in 0..extent {
                let place = usize::try_from(start + index as i64 * step).ok();
                if let Some(place) = place.and_then(|place| order.get_mut(place)) {
                    *place = (size + index) as i64;
                }
            }
            let mut both = around.clone();
            both[axis] = size + extent;
            let both = cx
                .node("Concat", &[old, value])
                .int("axis", axis)
                .temporary(dtype, both);
            let order = cx.constant(Constant::i64s(&order));
            cx.node("Gather", &[both, order])
                .int("axis", axis)
                .temporary(dtype, around)
        };
    }
    cx.is(&op.out, value)
}
