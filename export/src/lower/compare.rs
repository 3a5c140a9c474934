//! Comparisons.

use burn::backend::ir::TensorIr;

use super::Context;
use super::row::row;
use crate::error::ExportError;
use crate::graph::ValueId;
use crate::types::Dtype;

row!(EQUAL: Base::Equal(op) => ["Equal", "Xor", "Not"], |cx| {
    let (lhs, rhs) = (cx.read(&op.lhs)?, cx.read(&op.rhs)?);
    equal(cx, lhs, rhs, &op.out)
});
row!(EQUAL_ELEM: Base::EqualElem(op) => ["Equal", "Xor", "Not"], |cx| {
    let (lhs, rhs) = (cx.read(&op.lhs)?, cx.operand(&op.lhs, op.rhs)?);
    equal(cx, lhs, rhs, &op.out)
});
row!(NOT_EQUAL: Base::NotEqual(op) => ["Equal", "Not", "Xor"], |cx| {
    let (lhs, rhs) = (cx.read(&op.lhs)?, cx.read(&op.rhs)?);
    differs(cx, lhs, rhs, &op.out)
});
row!(NOT_EQUAL_ELEM: Base::NotEqualElem(op) => ["Equal", "Not", "Xor"], |cx| {
    let (lhs, rhs) = (cx.read(&op.lhs)?, cx.operand(&op.lhs, op.rhs)?);
    differs(cx, lhs, rhs, &op.out)
});
row!(GREATER: Numeric::Greater(op) => ["Greater"], |cx| cx.binary("Greater", op));
row!(GREATER_ELEM: Numeric::GreaterElem(op) => ["Greater"], |cx| cx.with_scalar("Greater", op));
row!(GREATER_EQUAL: Numeric::GreaterEqual(op) => ["GreaterOrEqual"], |cx| cx.binary("GreaterOrEqual", op));
row!(GREATER_EQUAL_ELEM: Numeric::GreaterEqualElem(op) => ["GreaterOrEqual"], |cx| cx.with_scalar("GreaterOrEqual", op));
row!(LOWER: Numeric::Lower(op) => ["Less"], |cx| cx.binary("Less", op));
row!(LOWER_ELEM: Numeric::LowerElem(op) => ["Less"], |cx| cx.with_scalar("Less", op));
row!(LOWER_EQUAL: Numeric::LowerEqual(op) => ["LessOrEqual"], |cx| cx.binary("LessOrEqual", op));
row!(LOWER_EQUAL_ELEM: Numeric::LowerEqualElem(op) => ["LessOrEqual"], |cx| cx.with_scalar("LessOrEqual", op));

/// Truth values are compared by their own algebra: tract compares numbers only.
fn equal(
    cx: &mut Context<'_>,
    lhs: ValueId,
    rhs: ValueId,
    out: &TensorIr,
) -> Result<(), ExportError> {
    if cx.kind(lhs).0 != Dtype::Bool {
        return cx.node("Equal", &[lhs, rhs]).makes(out);
    }
    let differ = cx.compare("Xor", lhs, rhs);
    cx.node("Not", &[differ]).makes(out)
}

/// ONNX has no operator for it.
fn differs(
    cx: &mut Context<'_>,
    lhs: ValueId,
    rhs: ValueId,
    out: &TensorIr,
) -> Result<(), ExportError> {
    if cx.kind(lhs).0 == Dtype::Bool {
        return cx.node("Xor", &[lhs, rhs]).makes(out);
    }
    let equal = cx.compare("Equal", lhs, rhs);
    cx.node("Not", &[equal]).makes(out)
}
