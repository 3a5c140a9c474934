//! Elements around a tensor.

use burn::backend::ir::PadModeIr;

use super::Context;
use super::row::row;
use crate::graph::ValueId;

row!(PAD: Numeric::Pad(op) => ["Pad"], |cx| {
    let input = cx.read(&op.input)?;
    let pads = pads(cx, &op.padding);
    let mut inputs = vec![input, pads];
    let mode = match op.mode {
        PadModeIr::Constant(value) => {
            inputs.push(cx.operand(&op.input, value)?);
            "constant"
        }
        PadModeIr::Reflect => "reflect",
        PadModeIr::Edge => "edge",
    };
    cx.node("Pad", &inputs).text("mode", mode).makes(&op.out)
});

/// How much is before and behind each axis, as ONNX takes it: all the beginnings, then all the
/// ends.
pub(super) fn pads(cx: &mut Context<'_>, padding: &[(usize, usize)]) -> ValueId {
    let (begins, ends): (Vec<_>, Vec<_>) = padding.iter().copied().unzip();
    cx.sizes(&[begins, ends].concat())
}
