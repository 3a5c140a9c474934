//! Tensors of one repeated number.

use burn::backend::ir::TensorIr;

use super::Context;
use super::context::number;
use super::row::row;
use crate::error::ExportError;

row!(ZEROS: Base::Zeros(op) => ["Expand"], |cx| filled(cx, &op.out, 0.0));
row!(ONES: Base::Ones(op) => ["Expand"], |cx| filled(cx, &op.out, 1.0));
row!(FULL: Numeric::Full(op) => ["Expand"], |cx| filled(cx, &op.out, number(op.value)));

/// Up to this many elements are stored rather than made by a node, so that passes can see them.
const STORED: usize = 1 << 14;

fn filled(cx: &mut Context<'_>, out: &TensorIr, value: f64) -> Result<(), ExportError> {
    let value = cx.scalar_constant(out, value)?;
    if out.shape.num_elements() <= STORED {
        let bytes = value.bytes.repeat(out.shape.num_elements());
        return cx.known(out, bytes);
    }
    let shape: Vec<i64> = out.shape.iter().map(|&size| size as i64).collect();
    let inputs = [cx.scalar_value(value), cx.ints(&shape)];
    cx.node("Expand", &inputs).makes(out)
}
