//! Comparisons.

use burn::backend::ir::{BinaryOpIr, ScalarOpIr};

use super::Context;
use super::row::row;
use crate::error::ExportError;

row!(EQUAL: Base::Equal(op) => ["Equal"], |cx| cx.binary("Equal", op));
row!(EQUAL_ELEM: Base::EqualElem(op) => ["Equal"], |cx| cx.with_scalar("Equal", op));
// ONNX has no operator for "differs".
row!(NOT_EQUAL: Base::NotEqual(op) => ["Equal", "Not"], |cx| differs(cx, op));
row!(NOT_EQUAL_ELEM: Base::NotEqualElem(op) => ["Equal", "Not"], |cx| differs_from(cx, op));
row!(GREATER: Numeric::Greater(op) => ["Greater"], |cx| cx.binary("Greater", op));
row!(GREATER_ELEM: Numeric::GreaterElem(op) => ["Greater"], |cx| cx.with_scalar("Greater", op));
row!(GREATER_EQUAL: Numeric::GreaterEqual(op) => ["GreaterOrEqual"], |cx| cx.binary("GreaterOrEqual", op));
row!(GREATER_EQUAL_ELEM: Numeric::GreaterEqualElem(op) => ["GreaterOrEqual"], |cx| cx.with_scalar("GreaterOrEqual", op));
row!(LOWER: Numeric::Lower(op) => ["Less"], |cx| cx.binary("Less", op));
row!(LOWER_ELEM: Numeric::LowerElem(op) => ["Less"], |cx| cx.with_scalar("Less", op));
row!(LOWER_EQUAL: Numeric::LowerEqual(op) => ["LessOrEqual"], |cx| cx.binary("LessOrEqual", op));
row!(LOWER_EQUAL_ELEM: Numeric::LowerEqualElem(op) => ["LessOrEqual"], |cx| cx.with_scalar("LessOrEqual", op));

fn differs(cx: &mut Context<'_>, op: &BinaryOpIr) -> Result<(), ExportError> {
    let (lhs, rhs) = (cx.read(&op.lhs)?, cx.read(&op.rhs)?);
    let equal = cx.compare("Equal", lhs, rhs);
    cx.node("Not", &[equal]).makes(&op.out)
}

fn differs_from(cx: &mut Context<'_>, op: &ScalarOpIr) -> Result<(), ExportError> {
    let (lhs, rhs) = (cx.read(&op.lhs)?, cx.operand(&op.lhs, op.rhs)?);
    let equal = cx.compare("Equal", lhs, rhs);
    cx.node("Not", &[equal]).makes(&op.out)
}
