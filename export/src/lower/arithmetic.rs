//! Sums, products and their scalar forms.

use burn::backend::ir::ScalarOpIr;

use super::context::number;
use super::row::row;

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

row!(CLAMP_MIN: Numeric::ClampMin(op) => ["Max"], |cx| cx.with_scalar("Max", op));
row!(CLAMP_MAX: Numeric::ClampMax(op) => ["Min"], |cx| cx.with_scalar("Min", op));
row!(CLAMP: Numeric::Clamp(op) => ["Clip"], |cx| {
    let input = cx.read(&op.tensor)?;
    let (min, max) = (number(op.min), number(op.max));
    let (min, max) = (cx.scalar(&op.tensor, min)?, cx.scalar(&op.tensor, max)?);
    cx.node("Clip", &[input, min, max]).makes(&op.out)
});

row!(POWF_SCALAR: Float::PowfScalar(op) => ["Pow", "Mul"], |cx| power(cx, op));
row!(POWI_SCALAR: Numeric::PowiScalar(op) => ["Pow", "Mul"], |cx| power(cx, op));

/// A square is a product: exact for negative numbers in every engine, and faster.
fn power(cx: &mut super::Context<'_>, op: &ScalarOpIr) -> Result<(), crate::error::ExportError> {
    if number(op.rhs) != 2.0 {
        return cx.with_scalar("Pow", op);
    }
    let input = cx.read(&op.lhs)?;
    cx.node("Mul", &[input, input]).makes(&op.out)
}
