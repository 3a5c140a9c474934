//! Sums, products and their scalar forms.

use burn::backend::ir::{ScalarOpIr, TensorIr};

use super::Context;
use super::context::number;
use super::row::row;
use crate::error::ExportError;
use crate::graph::ValueId;

row!(ADD: Numeric::Add(op) => ["Add"], |cx| cx.binary("Add", op));
row!(ADD_SCALAR: Numeric::AddScalar(op) => ["Add"], |cx| cx.with_scalar("Add", op));
row!(SUB: Numeric::Sub(op) => ["Sub"], |cx| cx.binary("Sub", op));
row!(SUB_SCALAR: Numeric::SubScalar(op) => ["Sub"], |cx| cx.with_scalar("Sub", op));
row!(MUL: Numeric::Mul(op) => ["Mul"], |cx| cx.binary("Mul", op));
row!(MUL_SCALAR: Numeric::MulScalar(op) => ["Mul"], |cx| cx.with_scalar("Mul", op));
row!(DIV: Numeric::Div(op) => ["Div"], |cx| cx.binary("Div", op));
row!(DIV_SCALAR: Numeric::DivScalar(op) => ["Div"], |cx| cx.with_scalar("Div", op));
row!(NEG: Numeric::Neg(op) => ["Neg"], |cx| cx.unary("Neg", op));
row!(ABS: Numeric::Abs(op) => ["Abs"], |cx| cx.unary("Abs", op));

row!(SIGN: Numeric::Sign(op) => ["Sign"], |cx| cx.unary("Sign", op));

row!(CLAMP_MIN: Numeric::ClampMin(op) => ["Max"], |cx| cx.with_scalar("Max", op));
row!(CLAMP_MAX: Numeric::ClampMax(op) => ["Min"], |cx| cx.with_scalar("Min", op));
row!(CLAMP: Numeric::Clamp(op) => ["Clip"], |cx| {
    let input = cx.read(&op.tensor)?;
    let (min, max) = (cx.operand(&op.tensor, op.min)?, cx.operand(&op.tensor, op.max)?);
    cx.node("Clip", &[input, min, max]).makes(&op.out)
});

// The remainder has the sign of the divisor, as in Python.
row!(REM: Numeric::Rem(op) => ["Mod", "Sign", "Mul", "Less", "Add", "Where"], |cx| {
    let divisor = cx.read(&op.rhs)?;
    remainder(cx, &op.lhs, divisor, &op.out)
});
row!(REM_SCALAR: Numeric::RemScalar(op) => ["Mod", "Sign", "Mul", "Less", "Add", "Where"], |cx| {
    let divisor = cx.operand(&op.lhs, op.rhs)?;
    remainder(cx, &op.lhs, divisor, &op.out)
});

row!(POWF: Float::Powf(op) => ["Pow"], |cx| cx.binary("Pow", op));
row!(POWI: Numeric::Powi(op) => ["Pow"], |cx| cx.binary("Pow", op));
row!(POWF_SCALAR: Float::PowfScalar(op) => ["Pow", "Mul"], |cx| power(cx, op));
row!(POWI_SCALAR: Numeric::PowiScalar(op) => ["Pow", "Mul"], |cx| power(cx, op));

/// A square is a product: exact for negative numbers in every engine, and faster.
fn power(cx: &mut Context<'_>, op: &ScalarOpIr) -> Result<(), ExportError> {
    if number(op.rhs) != 2.0 {
        return cx.with_scalar("Pow", op);
    }
    let input = cx.read(&op.lhs)?;
    cx.node("Mul", &[input, input]).makes(&op.out)
}

/// ONNX defines that remainder for integers only. Of floats it gives the one that has the sign of
/// the dividend, exactly; where the signs differ, one more divisor is added, as burn does.
fn remainder(
    cx: &mut Context<'_>,
    dividend: &TensorIr,
    divisor: ValueId,
    out: &TensorIr,
) -> Result<(), ExportError> {
    let dividend = cx.read(dividend)?;
    if !cx.dtype_of(out)?.is_float() {
        return cx
            .node("Mod", &[dividend, divisor])
            .int("fmod", 0)
            .makes(out);
    }
    let (dtype, shape) = (cx.dtype_of(out)?, out.shape.to_vec());
    let rest = cx
        .node("Mod", &[dividend, divisor])
        .int("fmod", 1)
        .temporary(dtype, shape);
    let zero = cx.number_like(rest, 0.0);
    let signs = [rest, divisor].map(|value| cx.map("Sign", value));
    let product = cx.join("Mul", signs[0], signs[1]);
    let apart = cx.compare("Less", product, zero);
    let next = cx.join("Add", rest, divisor);
    cx.node("Where", &[apart, next, rest]).makes(out)
}
