//! Convolutions that sample their input where offsets tell them to.

use burn::backend::ir::DeformConv2dOpIr;

use super::Context;
use super::row::row;
use crate::error::ExportError;
use crate::types::Constant;

row!(DEFORM_CONV2D: Module::DeformableConv2d(op) => ["DeformConv"] from 19, |cx| deform(cx, op));

fn deform(cx: &mut Context<'_>, op: &DeformConv2dOpIr) -> Result<(), ExportError> {
    let mut inputs = vec![cx.read(&op.x)?, cx.read(&op.weight)?, cx.read(&op.offset)?];
    match (&op.bias, &op.mask) {
        (Some(bias), _) => inputs.push(cx.read(bias)?),
        // The mask comes behind the bias.
        (None, Some(_)) => {
            let dtype = cx.dtype_of(&op.out)?;
            let channels = op.weight.shape.iter().next().copied().unwrap_or(0);
            let zeros = vec![0.0; channels];
            inputs.push(cx.constant(Constant::numbers(dtype, &[channels], &zeros)));
        }
        (None, None) => {}
    }
    if let Some(mask) = &op.mask {
        inputs.push(cx.read(mask)?);
    }
    let options = &op.options;
    cx.node("DeformConv", &inputs)
        .ints("dilations", options.dilation)
        .int("group", options.weight_groups)
        .ints("kernel_shape", op.weight.shape.iter().skip(2).copied())
        .int("offset_group", options.offset_groups)
        .ints("pads", [options.padding, options.padding].concat())
        .ints("strides", options.stride)
        .makes(&op.out)
}
