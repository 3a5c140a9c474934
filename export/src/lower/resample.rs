//! Other numbers of elements along axes: interpolation, adaptive pools, sampling, patches.

use burn::backend::ir::{GridSamplePaddingModeIr, InterpolateModeIr, InterpolateOpIr, TensorIr};

use super::Context;
use super::pad::pads;
use super::row::row;
use super::shape::windows;
use super::weights::{self, Weights};
use crate::error::ExportError;
use crate::graph::ValueId;
use crate::types::Constant;

row!(INTERPOLATE: Module::Interpolate(op) => ["Gather", "Resize", "MatMul"], |cx| {
    interpolate(cx, op)
});
row!(ADAPTIVE_AVG_POOL1D: Module::AdaptiveAvgPool1d(op) => [
    "ReduceMean", "AveragePool", "MatMul", "Reshape"
], |cx| adaptive(cx, &op.x, &op.out));
row!(ADAPTIVE_AVG_POOL2D: Module::AdaptiveAvgPool2d(op) => [
    "ReduceMean", "AveragePool", "MatMul", "Reshape"
], |cx| adaptive(cx, &op.x, &op.out));
row!(ADAPTIVE_AVG_POOL3D: Module::AdaptiveAvgPool3d(op) => [
    "ReduceMean", "AveragePool", "MatMul", "Reshape"
], |cx| adaptive(cx, &op.x, &op.out));
row!(GRID_SAMPLE2D: Float::GridSample2d(op) => ["GridSample"], |cx| {
    let inputs = [cx.read(&op.tensor)?, cx.read(&op.grid)?];
    let mode = match op.options.mode {
        InterpolateModeIr::Bilinear => "bilinear",
        InterpolateModeIr::Nearest => "nearest",
        InterpolateModeIr::Bicubic => "bicubic",
        InterpolateModeIr::NearestExact | InterpolateModeIr::Lanczos3 => {
            return Err(cx.unsupported("ONNX samples a grid bilinearly, bicubically or nearest"));
        }
    };
    let padding = match op.options.padding_mode {
        GridSamplePaddingModeIr::Zeros => "zeros",
        GridSamplePaddingModeIr::Border => "border",
        GridSamplePaddingModeIr::Reflection => "reflection",
    };
    cx.node("GridSample", &inputs)
        .int("align_corners", usize::from(op.options.align_corners))
        .text("mode", mode)
        .text("padding_mode", padding)
        .makes(&op.out)
});
// Windows are gathered, one spatial axis after the other: [N, C, place, row, place, column].
row!(UNFOLD4D: Module::Unfold4d(op) => ["Pad", "Gather", "Transpose", "Reshape"], |cx| {
    let &[batch, channels, height, width] = op.x.shape.to_vec().as_slice() else {
        return Err(cx.unsupported("patches are taken from tensors of rank 4"));
    };
    let mut value = cx.read(&op.x)?;
    let (dtype, _) = cx.kind(value);
    let [above, before] = op.options.padding;
    let (height, width) = (height + 2 * above, width + 2 * before);
    if above + before > 0 {
        let pads = pads(cx, &[(0, 0), (0, 0), (above, above), (before, before)]);
        value = cx
            .node("Pad", &[value, pads])
            .text("mode", "constant")
            .temporary(dtype, vec![batch, channels, height, width]);
    }
    let mut shape = vec![batch, channels];
    for (axis, size, rest) in [(0, height, Some(width)), (1, width, None)] {
        let (kernel, stride) = (op.kernel_size[axis], op.options.stride[axis].max(1));
        let dilation = op.options.dilation[axis];
        let extent = dilation * kernel.saturating_sub(1) + 1;
        let count = size.saturating_sub(extent) / stride + 1;
        let places = windows(kernel, dilation, count, stride);
        let places = cx.constant(Constant::indices(&[kernel, count], &places));
        shape.extend([kernel, count]);
        let sizes = shape.iter().copied().chain(rest).collect();
        value = cx
            .node("Gather", &[value, places])
            .int("axis", 2 + 2 * axis)
            .temporary(dtype, sizes);
    }
    let order = [0, 1, 2, 4, 3, 5];
    let ordered = order.map(|axis| shape[axis]).to_vec();
    let value = cx.node("Transpose", &[value]).ints("perm", order).temporary(dtype, ordered);
    let sizes = cx.sizes(&op.out.shape.to_vec());
    cx.node("Reshape", &[value, sizes]).makes(&op.out)
});

fn interpolate(cx: &mut Context<'_>, op: &InterpolateOpIr) -> Result<(), ExportError> {
    let input = cx.read(&op.x)?;
    let mode = match op.options.mode {
        InterpolateModeIr::Bilinear => "linear",
        InterpolateModeIr::Bicubic => "cubic",
        // Which element is nearest is known now; engines differ in how they round.
        InterpolateModeIr::Nearest => return nearest(cx, input, op, 0.0),
        InterpolateModeIr::NearestExact => return nearest(cx, input, op, 0.5),
        // ONNX has no such kernel, but its weights are known now.
        InterpolateModeIr::Lanczos3 => {
            let corners = op.options.align_corners;
            let value = each_axis(cx, input, &op.out, |from, to| {
                weights::lanczos3(from, to, corners)
            });
            return cx.is(&op.out, value);
        }
    };
    let (before, after) = (op.x.shape.to_vec(), op.out.shape.to_vec());
    let empty = || Constant::f32(&[0], &[]);
    let region = cx.constant(empty());
    // Whole factors say the same whatever the sizes are, other axes' open ones too.
    let whole = before
        .iter()
        .zip(&after)
        .all(|(&from, &to)| from > 0 && to % from == 0);
    let extent = if whole {
        let factors: Vec<f32> = before
            .iter()
            .zip(&after)
            .map(|(from, to)| (to / from) as f32)
            .collect();
        vec![cx.constant(Constant::f32(&[factors.len()], &factors))]
    } else {
        vec![cx.constant(empty()), cx.sizes(&after)]
    };
    let coordinates = match op.options.align_corners {
        true => "align_corners",
        false => "half_pixel",
    };
    let inputs: Vec<ValueId> = [input, region].into_iter().chain(extent).collect();
    cx.node("Resize", &inputs)
        .text("coordinate_transformation_mode", coordinates)
        .float("cubic_coeff_a", -0.75)
        .text("mode", mode)
        .makes(&op.out)
}

fn nearest(
    cx: &mut Context<'_>,
    input: ValueId,
    op: &InterpolateOpIr,
    offset: f64,
) -> Result<(), ExportError> {
    let mut value = input;
    for (axis, &to) in op.out.shape.to_vec().iter().enumerate().skip(2) {
        let (dtype, mut shape) = cx.kind(value);
        let from = shape[axis];
        if from == to {
            continue;
        }
        let places = weights::nearest(from, to, offset);
        let places = cx.constant(Constant::i64s(&places));
        shape[axis] = to;
        value = cx
            .node("Gather", &[value, places])
            .int("axis", axis)
            .temporary(dtype, shape);
    }
    cx.is(&op.out, value)
}

/// A mean of everything, windows of one size where the sizes divide, else a product with known
/// weights along each axis.
fn adaptive(cx: &mut Context<'_>, x: &TensorIr, out: &TensorIr) -> Result<(), ExportError> {
    let input = cx.read(x)?;
    let (from, to) = (x.shape.to_vec(), out.shape.to_vec());
    let spatial = from.iter().zip(&to).skip(2);
    if spatial.clone().all(|(_, &to)| to == 1) {
        return cx
            .node("ReduceMean", &[input])
            .ints("axes", 2..from.len())
            .int("keepdims", 1)
            .makes(out);
    }
    if spatial
        .clone()
        .all(|(&from, &to)| from.checked_rem(to) == Some(0))
    {
        let kernel: Vec<usize> = spatial.map(|(from, to)| from / to).collect();
        return cx
            .node("AveragePool", &[input])
            .ints("kernel_shape", kernel.iter().copied())
            .ints("strides", kernel)
            .makes(out);
    }
    let value = each_axis(cx, input, out, weights::adaptive);
    cx.is(out, value)
}

/// Multiplies each axis behind batch and channels, whose size changes, by weights.
fn each_axis(
    cx: &mut Context<'_>,
    input: ValueId,
    out: &TensorIr,
    weights: impl Fn(usize, usize) -> Weights,
) -> ValueId {
    let mut value = input;
    for (axis, &to) in out.shape.to_vec().iter().enumerate().skip(2) {
        let (_, shape) = cx.kind(value);
        if shape[axis] != to {
            let weights = weights(shape[axis], to);
            value = along(cx, value, axis, &weights);
        }
    }
    value
}

/// The product of a matrix of weights and an axis; the axes behind it are one to the product.
fn along(cx: &mut Context<'_>, value: ValueId, axis: usize, weights: &Weights) -> ValueId {
    let (dtype, mut shape) = cx.kind(value);
    let (from, to) = (shape[axis], weights.rows);
    let last = axis + 1 == shape.len();
    shape[axis] = to;
    if last {
        let matrix = Constant::numbers(dtype, &[from, to], &weights.transposed());
        let matrix = cx.constant(matrix);
        return cx.node("MatMul", &[value, matrix]).temporary(dtype, shape);
    }
    let matrix = cx.constant(Constant::numbers(dtype, &[to, from], &weights.values));
    if axis + 2 == shape.len() {
        return cx.node("MatMul", &[matrix, value]).temporary(dtype, shape);
    }
    let behind: usize = shape[axis + 1..].iter().product();
    let mut flat = shape[..axis].to_vec();
    flat.extend([from, behind]);
    let value = cx.reshape(value, &flat);
    flat[axis] = to;
    let product = cx.node("MatMul", &[matrix, value]).temporary(dtype, flat);
    cx.reshape(product, &shape)
}
