//! Convolutions and transposed convolutions in one, two and three dimensions.

use burn::backend::ir::TensorIr;

use super::Context;
use super::row::row;
use crate::error::ExportError;

/// What burn's descriptions of all convolutions have in common under different types.
macro_rules! convolution {
    ($op:ident, $name:literal, $pads:expr, $output_padding:expr) => {
        Convolution {
            name: $name,
            x: &$op.x,
            weight: &$op.weight,
            bias: $op.bias.as_ref(),
            out: &$op.out,
            strides: &$op.options.stride,
            pads: $pads,
            dilations: &$op.options.dilation,
            groups: $op.options.groups,
            output_padding: $output_padding,
        }
    };
}

macro_rules! transposed {
    ($op:ident) => {
        convolution!(
            $op,
            "ConvTranspose",
            twice(&$op.options.padding),
            Some(&$op.options.padding_out[..])
        )
    };
}

row!(CONV1D: Module::Conv1d(op) => ["Conv"], |cx| {
    convolution!(op, "Conv", pairs(&op.options.padding), None).lower(cx)
});
row!(CONV2D: Module::Conv2d(op) => ["Conv"], |cx| {
    convolution!(op, "Conv", pairs(&op.options.padding), None).lower(cx)
});
row!(CONV3D: Module::Conv3d(op) => ["Conv"], |cx| {
    convolution!(op, "Conv", twice(&op.options.padding), None).lower(cx)
});
row!(CONV_TRANSPOSE1D: Module::ConvTranspose1d(op) => ["ConvTranspose"], |cx| {
    transposed!(op).lower(cx)
});
row!(CONV_TRANSPOSE2D: Module::ConvTranspose2d(op) => ["ConvTranspose"], |cx| {
    transposed!(op).lower(cx)
});
row!(CONV_TRANSPOSE3D: Module::ConvTranspose3d(op) => ["ConvTranspose"], |cx| {
    transposed!(op).lower(cx)
});

/// ONNX pads: all the beginnings, then all the ends.
fn pairs(padding: &[(usize, usize)]) -> Vec<usize> {
    let (begins, ends): (Vec<_>, Vec<_>) = padding.iter().copied().unzip();
    [begins, ends].concat()
}

fn twice(padding: &[usize]) -> Vec<usize> {
    [padding, padding].concat()
}

struct Convolution<'a> {
    name: &'static str,
    x: &'a TensorIr,
    weight: &'a TensorIr,
    bias: Option<&'a TensorIr>,
    out: &'a TensorIr,
    strides: &'a [usize],
    /// As ONNX has them, see [`pairs`].
    pads: Vec<usize>,
    dilations: &'a [usize],
    groups: usize,
    /// Of a transposed convolution.
    output_padding: Option<&'a [usize]>,
}

impl Convolution<'_> {
    fn lower(self, cx: &mut Context<'_>) -> Result<(), ExportError> {
        let mut inputs = vec![cx.read(self.x)?, cx.read(self.weight)?];
        if let Some(bias) = self.bias {
            inputs.push(cx.read(bias)?);
        }
        let mut node = cx
            .node(self.name, &inputs)
            .ints("dilations", self.dilations.iter().copied())
            .int("group", self.groups)
            .ints("kernel_shape", self.weight.shape.iter().skip(2).copied())
            .ints("pads", self.pads)
            .ints("strides", self.strides.iter().copied());
        if let Some(padding) = self.output_padding {
            node = node.ints("output_padding", padding.iter().copied());
        }
        node.makes(self.out)
    }
}
