//! Tensors of one repeated number.

use burn::backend::ir::{ScalarIr, TensorIr};

use super::Context;
use super::context::constant;
use super::row::row;
use crate::error::ExportError;

row!(ZEROS: Base::Zeros(op) => ["Expand"], |cx| filled(cx, &op.out, ScalarIr::Int(0)));
row!(ONES: Base::Ones(op) => ["Expand"], |cx| filled(cx, &op.out, ScalarIr::Int(1)));
row!(FULL: Numeric::Full(op) => ["Expand"], |cx| filled(cx, &op.out, op.value));
// Nothing may depend on the elements of an empty tensor, so that any will do.
row!(EMPTY: Base::Empty(op) => ["Expand"], |cx| filled(cx, &op.out, ScalarIr::Int(0)));

/// Up to this many elements are stored rather than made by a node, so that passes can see them.
const STORED: usize = 1 << 14;

fn filled(cx: &mut Context<'_>, out: &TensorIr, value: ScalarIr) -> Result<(), ExportError> {
    let value = constant(cx.dtype_of(out)?, value);
    if out.shape.num_elements() <= STORED {
        let bytes = value.bytes.repeat(out.shape.num_elements());
        return cx.known(out, bytes);
    }
    let inputs = [cx.constant(value), cx.sizes(&out.shape.to_vec())];
    cx.node("Expand", &inputs).makes(out)
}
