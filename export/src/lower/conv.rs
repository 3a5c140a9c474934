//! Convolutions and transposed convolutions in one, two and three dimensions.

use burn::backend::ir::TensorIr;

use super::Context;
use super::row::row;
use crate::error::ExportError;

row!(CONV1D: Module::Conv1d(op) => ["Conv"], |cx| {
    let o = &op.options;
    conv(cx, &op.x, &op.weight, op.bias.as_ref(), &o.stride, pairs(&o.padding), &o.dilation,
        o.groups, &op.out)
});
row!(CONV2D: Module::Conv2d(op) => ["Conv"], |cx| {
    let o = &op.options;
    conv(cx, &op.x, &op.weight, op.bias.as_ref(), &o.stride, pairs(&o.padding), &o.dilation,
        o.groups, &op.out)
});
row!(CONV3D: Module::Conv3d(op) => ["Conv"], |cx| {
    let o = &op.options;
    conv(cx, &op.x, &op.weight, op.bias.as_ref(), &o.stride, twice(&o.padding), &o.dilation,
        o.groups, &op.out)
});
row!(CONV_TRANSPOSE1D: Module::ConvTranspose1d(op) => ["ConvTranspose"], |cx| {
    let o = &op.options;
    conv_transpose(cx, &op.x, &op.weight, op.bias.as_ref(), &o.stride, &o.padding,
        &o.padding_out, &o.dilation, o.groups, &op.out)
});
row!(CONV_TRANSPOSE2D: Module::ConvTranspose2d(op) => ["ConvTranspose"], |cx| {
    let o = &op.options;
    conv_transpose(cx, &op.x, &op.weight, op.bias.as_ref(), &o.stride, &o.padding,
        &o.padding_out, &o.dilation, o.groups, &op.out)
});
row!(CONV_TRANSPOSE3D: Module::ConvTranspose3d(op) => ["ConvTranspose"], |cx| {
    let o = &op.options;
    conv_transpose(cx, &op.x, &op.weight, op.bias.as_ref(), &o.stride, &o.padding,
        &o.padding_out, &o.dilation, o.groups, &op.out)
});

/// ONNX pads: all the beginnings, then all the ends.
fn pairs(padding: &[(usize, usize)]) -> Vec<usize> {
    padding
        .iter()
        .map(|p| p.0)
        .chain(padding.iter().map(|p| p.1))
        .collect()
}

fn twice(padding: &[usize]) -> Vec<usize> {
    [padding, padding].concat()
}

#[allow(clippy::too_many_arguments)] // One for each thing that an ONNX Conv says.
fn conv(
    cx: &mut Context<'_>,
    x: &TensorIr,
    weight: &TensorIr,
    bias: Option<&TensorIr>,
    stride: &[usize],
    pads: Vec<usize>,
    dilation: &[usize],
    groups: usize,
    out: &TensorIr,
) -> Result<(), ExportError> {
    let mut inputs = vec![cx.read(x)?, cx.read(weight)?];
    if let Some(bias) = bias {
        inputs.push(cx.read(bias)?);
    }
    cx.node("Conv", &inputs)
        .ints("dilations", dilation.iter().copied())
        .int("group", groups)
        .ints("kernel_shape", weight.shape.iter().skip(2).copied())
        .ints("pads", pads)
        .ints("strides", stride.iter().copied())
        .makes(out)
}

#[allow(clippy::too_many_arguments)] // One for each thing that an ONNX ConvTranspose says.
fn conv_transpose(
    cx: &mut Context<'_>,
    x: &TensorIr,
    weight: &TensorIr,
    bias: Option<&TensorIr>,
    stride: &[usize],
    padding: &[usize],
    output_padding: &[usize],
    dilation: &[usize],
    groups: usize,
    out: &TensorIr,
) -> Result<(), ExportError> {
    let mut inputs = vec![cx.read(x)?, cx.read(weight)?];
    if let Some(bias) = bias {
        inputs.push(cx.read(bias)?);
    }
    cx.node("ConvTranspose", &inputs)
        .ints("dilations", dilation.iter().copied())
        .int("group", groups)
        .ints("kernel_shape", weight.shape.iter().skip(2).copied())
        .ints("output_padding", output_padding.iter().copied())
        .ints("pads", twice(padding))
        .ints("strides", stride.iter().copied())
        .makes(out)
}
