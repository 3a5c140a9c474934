//! Running sums, products and extremes.

use burn::backend::ir::DimOpIr;

use super::Context;
use super::row::row;
use super::shape::cut;
use crate::error::ExportError;
use crate::types::Constant;

row!(CUM_SUM: Numeric::CumSum(op) => ["CumSum"], |cx| {
    let axis = Constant::indices(&[], &[op.axis as i64]);
    let inputs = [cx.read(&op.input)?, cx.constant(axis)];
    cx.node("CumSum", &inputs).makes(&op.out)
});
// ONNX has no operator for the others.
row!(CUM_PROD: Numeric::CumProd(op) => ["Slice", "Mul", "Concat"], |cx| scan(cx, "Mul", op));
row!(CUM_MIN: Numeric::CumMin(op) => ["Slice", "Min", "Concat"], |cx| scan(cx, "Min", op));
row!(CUM_MAX: Numeric::CumMax(op) => ["Slice", "Max", "Concat"], |cx| scan(cx, "Max", op));

/// After step k each element has taken in the 2^k elements up to itself, so that the whole axis
/// takes a logarithmic number of steps (Hillis and Steele).
fn scan(cx: &mut Context<'_>, name: &'static str, op: &DimOpIr) -> Result<(), ExportError> {
    let mut value = cx.read(&op.input)?;
    let (dtype, shape) = cx.kind(value);
    let Some(&length) = shape.get(op.axis) else {
        return Err(cx.unsupported("the axis does not exist"));
    };
    let mut done = 1;
    while done < length {
        let head = cut(cx, value, op.axis, 0..done);
        let tail = cut(cx, value, op.axis, done..length);
        let earlier = cut(cx, value, op.axis, 0..length - done);
        let joined = cx.join(name, tail, earlier);
        value = cx
            .node("Concat", &[head, joined])
            .int("axis", op.axis)
            .temporary(dtype, shape.clone());
        done *= 2;
    }
    cx.is(&op.out, value)
}
