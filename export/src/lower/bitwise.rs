//! Bits of integers. ONNX has operators for them from opset 18 on; the complement is said by
//! arithmetic in any, and only unsigned integers are shifted.

use burn::backend::ir::TensorIr;

use super::Context;
use super::row::row;
use crate::error::ExportError;
use crate::graph::ValueId;
use crate::types::{Constant, Dtype};

row!(BITWISE_AND: Int::BitwiseAnd(op) => ["BitwiseAnd"] from 18, |cx| {
    cx.binary("BitwiseAnd", op)
});
row!(BITWISE_AND_SCALAR: Int::BitwiseAndScalar(op) => ["BitwiseAnd"] from 18, |cx| {
    cx.with_scalar("BitwiseAnd", op)
});
row!(BITWISE_OR: Int::BitwiseOr(op) => ["BitwiseOr"] from 18, |cx| {
    cx.binary("BitwiseOr", op)
});
row!(BITWISE_OR_SCALAR: Int::BitwiseOrScalar(op) => ["BitwiseOr"] from 18, |cx| {
    cx.with_scalar("BitwiseOr", op)
});
row!(BITWISE_XOR: Int::BitwiseXor(op) => ["BitwiseXor"] from 18, |cx| {
    cx.binary("BitwiseXor", op)
});
row!(BITWISE_XOR_SCALAR: Int::BitwiseXorScalar(op) => ["BitwiseXor"] from 18, |cx| {
    cx.with_scalar("BitwiseXor", op)
});
// In two's complement the complement of x is -1 - x; of unsigned numbers it is the greatest - x.
row!(BITWISE_NOT: Int::BitwiseNot(op) => ["Sub"], |cx| {
    let input = cx.read(&op.input)?;
    let ones = all_ones(cx, &op.input)?;
    cx.node("Sub", &[ones, input]).makes(&op.out)
});
row!(LEFT_SHIFT: Int::BitwiseLeftShift(op) => ["Cast", "BitShift"], |cx| {
    let by = cx.read(&op.rhs)?;
    left(cx, &op.lhs, by, &op.out)
});
row!(LEFT_SHIFT_SCALAR: Int::BitwiseLeftShiftScalar(op) => ["Cast", "BitShift"], |cx| {
    let by = cx.operand(&op.lhs, op.rhs)?;
    left(cx, &op.lhs, by, &op.out)
});
row!(RIGHT_SHIFT: Int::BitwiseRightShift(op) => [
    "Less", "Sub", "Where", "Cast", "BitShift"
], |cx| {
    let by = cx.read(&op.rhs)?;
    right(cx, &op.lhs, by, &op.out)
});
row!(RIGHT_SHIFT_SCALAR: Int::BitwiseRightShiftScalar(op) => [
    "Less", "Sub", "Where", "Cast", "BitShift"
], |cx| {
    let by = cx.operand(&op.lhs, op.rhs)?;
    right(cx, &op.lhs, by, &op.out)
});

fn all_ones(cx: &mut Context<'_>, like: &TensorIr) -> Result<ValueId, ExportError> {
    let dtype = cx.dtype_of(like)?;
    let ones = match dtype {
        Dtype::U64 | Dtype::U32 | Dtype::U16 | Dtype::U8 => (1i128 << (8 * dtype.size())) - 1,
        _ => -1,
    };
    Ok(cx.constant(Constant::integer(dtype, ones)))
}

/// Shifts the bits of `value`, which are those of unsigned numbers to ONNX.
fn shift(cx: &mut Context<'_>, direction: &'static str, value: ValueId, by: ValueId) -> ValueId {
    let (dtype, _) = cx.kind(value);
    let unsigned = dtype.unsigned().unwrap_or(dtype);
    let (value, by) = (cx.cast(value, unsigned), cx.cast(by, unsigned));
    let (_, shape) = cx.kind(value);
    let shifted = cx
        .node("BitShift", &[value, by])
        .text("direction", direction)
        .temporary(unsigned, shape);
    cx.cast(shifted, dtype)
}

fn left(
    cx: &mut Context<'_>,
    value: &TensorIr,
    by: ValueId,
    out: &TensorIr,
) -> Result<(), ExportError> {
    let value = cx.read(value)?;
    let shifted = shift(cx, "LEFT", value, by);
    cx.is(out, shifted)
}

/// burn shifts copies of the sign in. Of a negative number the complement is shifted, into which
/// zeros come as they should, and complemented again.
fn right(
    cx: &mut Context<'_>,
    tensor: &TensorIr,
    by: ValueId,
    out: &TensorIr,
) -> Result<(), ExportError> {
    let value = cx.read(tensor)?;
    if cx.dtype_of(tensor)?.unsigned().is_none() {
        let shifted = shift(cx, "RIGHT", value, by);
        return cx.is(out, shifted);
    }
    let zero = cx.number_like(value, 0.0);
    let ones = all_ones(cx, tensor)?;
    let negative = cx.compare("Less", value, zero);
    let complement = cx.join("Sub", ones, value);
    let positive = cx.choose(negative, complement, value);
    let shifted = shift(cx, "RIGHT", positive, by);
    let complement = cx.join("Sub", ones, shifted);
    let result = cx.choose(negative, complement, shifted);
    cx.is(out, result)
}
