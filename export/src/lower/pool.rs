//! Pools with a window.

use burn::backend::ir::TensorIr;

use super::Context;
use super::context::NodeBuilder;
use super::pad::pads;
use super::row::row;
use crate::error::ExportError;
use crate::graph::ValueId;
use crate::types::{Constant, Dtype};

row!(MAX_POOL1D: Module::MaxPool1d(op) => ["Pad", "MaxPool"], |cx| {
    Pool::new(&op.x, &[op.kernel_size], &[op.stride], &[op.padding], &[op.dilation], &op.out)
        .max(cx)
});
row!(MAX_POOL2D: Module::MaxPool2d(op) => ["Pad", "MaxPool"], |cx| {
    Pool::new(&op.x, &op.kernel_size, &op.stride, &op.padding, &op.dilation, &op.out).max(cx)
});
row!(MAX_POOL1D_WITH_INDICES: Module::MaxPool1dWithIndices(op) => [
    "MaxPool", "Mod", "Cast"
], |cx| {
    Pool::new(&op.x, &[op.kernel_size], &[op.stride], &[op.padding], &[op.dilation], &op.out)
        .max_with_indices(cx, &op.out_indices)
});
row!(MAX_POOL2D_WITH_INDICES: Module::MaxPool2dWithIndices(op) => [
    "MaxPool", "Mod", "Cast"
], |cx| {
    Pool::new(&op.x, &op.kernel_size, &op.stride, &op.padding, &op.dilation, &op.out)
        .max_with_indices(cx, &op.out_indices)
});
row!(AVG_POOL1D: Module::AvgPool1d(op) => ["AveragePool", "Mul"], |cx| {
    Pool::new(&op.x, &[op.kernel_size], &[op.stride], &[op.padding], &[1], &op.out)
        .average(cx, op.count_include_pad)
});
row!(AVG_POOL2D: Module::AvgPool2d(op) => ["AveragePool", "Mul"], |cx| {
    Pool::new(&op.x, &op.kernel_size, &op.stride, &op.padding, &[1, 1], &op.out)
        .average(cx, op.count_include_pad)
});

/// A pool over the axes behind batch and channels. How many windows there are is read from `out`:
/// where burn rounds their number up, the padding at the end grows instead, since engines disagree
/// about ONNX's `ceil_mode`.
struct Pool<'a> {
    x: &'a TensorIr,
    out: &'a TensorIr,
    kernel: &'a [usize],
    stride: &'a [usize],
    padding: &'a [usize],
    dilation: &'a [usize],
}

impl<'a> Pool<'a> {
    fn new(
        x: &'a TensorIr,
        kernel: &'a [usize],
        stride: &'a [usize],
        padding: &'a [usize],
        dilation: &'a [usize],
        out: &'a TensorIr,
    ) -> Self {
        Self {
            x,
            out,
            kernel,
            stride,
            padding,
            dilation,
        }
    }

    /// Padding behind each axis that gives as many windows as burn has.
    fn behind(&self) -> Vec<usize> {
        let (sizes, counts) = (self.x.shape.to_vec(), self.out.shape.to_vec());
        let spatial = sizes.into_iter().zip(counts).skip(2).enumerate();
        spatial
            .map(|(axis, (size, count))| {
                let extent = self.dilation[axis] * self.kernel[axis].saturating_sub(1) + 1;
                let reached = count.saturating_sub(1) * self.stride[axis] + extent;
                reached.saturating_sub(size + self.padding[axis])
            })
            .collect()
    }

    fn node<'b, 'c>(
        &self,
        cx: &'b mut Context<'c>,
        name: &'static str,
    ) -> Result<NodeBuilder<'b, 'c>, ExportError> {
        let input = cx.read(self.x)?;
        Ok(self.over(
            cx,
            name,
            input,
            [self.padding.to_vec(), self.behind()].concat(),
        ))
    }

    fn over<'b, 'c>(
        &self,
        cx: &'b mut Context<'c>,
        name: &'static str,
        input: ValueId,
        pads: Vec<usize>,
    ) -> NodeBuilder<'b, 'c> {
        cx.node(name, &[input])
            .ints("kernel_shape", self.kernel.iter().copied())
            .ints("pads", pads)
            .ints("strides", self.stride.iter().copied())
    }

    /// Whether an end is padded by as much as a kernel has elements, which ONNX Runtime refuses; a
    /// dilated kernel can reach that far.
    fn far(&self) -> bool {
        let behind = self.behind();
        let mut ends = self.kernel.iter().zip(self.padding.iter().zip(&behind));
        ends.any(|(kernel, (before, behind))| before.max(behind) >= kernel)
    }

    fn max(&self, cx: &mut Context<'_>) -> Result<(), ExportError> {
        let dilation = self.dilation.iter().copied();
        if !self.far() {
            let node = self.node(cx, "MaxPool")?;
            return node.ints("dilations", dilation).makes(self.out);
        }
        let input = cx.read(self.x)?;
        let (dtype, mut shape) = cx.kind(input);
        let ends: Vec<_> = self.padding.iter().copied().zip(self.behind()).collect();
        for (size, (before, behind)) in shape.iter_mut().skip(2).zip(&ends) {
            *size += before + behind;
        }
        let pads = pads(cx, &[vec![(0, 0); 2], ends].concat());
        let least = cx.number_like(input, f64::NEG_INFINITY);
        let padded = cx
            .node("Pad", &[input, pads, least])
            .text("mode", "constant")
            .temporary(dtype, shape);
        self.over(cx, "MaxPool", padded, vec![0; 2 * self.kernel.len()])
            .ints("dilations", dilation)
            .makes(self.out)
    }

    /// ONNX counts places through the whole tensor, burn from the beginning of each channel.
    fn max_with_indices(
        &self,
        cx: &mut Context<'_>,
        out_indices: &TensorIr,
    ) -> Result<(), ExportError> {
        if self.far() {
            return Err(
                cx.unsupported("the places in a padding as wide as the kernel are not lowered")
            );
        }
        let (dtype, shape) = (cx.dtype_of(self.out)?, self.out.shape.to_vec());
        let channel: usize = self.x.shape.iter().skip(2).product();
        let node = self.node(cx, "MaxPool")?;
        let [values, places] = node
            .ints("dilations", self.dilation.iter().copied())
            .two((dtype, shape.clone()), (Dtype::I64, shape.clone()));
        let channel = cx.number_like(places, channel as f64);
        let places = cx
            .node("Mod", &[places, channel])
            .int("fmod", 0)
            .temporary(Dtype::I64, shape);
        cx.is(self.out, values)?;
        cx.is(out_indices, places)
    }

    /// Padding counts as zeros, or does not count; what a rounded-up number of windows reaches
    /// beyond the padding never counts. ONNX would count that too, which a factor for each window
    /// corrects.
    fn average(&self, cx: &mut Context<'_>, count_padding: bool) -> Result<(), ExportError> {
        let padded = self
            .padding
            .iter()
            .chain(&self.behind())
            .any(|&padding| padding > 0);
        let counted = count_padding && padded;
        let node = self
            .node(cx, "AveragePool")?
            .int("count_include_pad", usize::from(counted));
        let factors = self.factors();
        if !counted || factors.iter().all(|&factor| factor == 1.0) {
            return node.makes(self.out);
        }
        let (dtype, shape) = (node.dtype_of(self.out)?, self.out.shape.to_vec());
        let mean = node.temporary(dtype, shape.clone());
        let mut sizes = vec![1, 1];
        sizes.extend(shape.iter().skip(2));
        let factors = cx.constant(Constant::numbers(dtype, &sizes, &factors));
        cx.node("Mul", &[mean, factors]).makes(self.out)
    }

    /// For each window, the size of the kernel through that of its part within the padded input.
    fn factors(&self) -> Vec<f64> {
        let (sizes, counts) = (self.x.shape.to_vec(), self.out.shape.to_vec());
        let mut factors = vec![1.0];
        for (axis, (size, count)) in sizes.into_iter().zip(counts).skip(2).enumerate() {
            let (kernel, stride) = (self.kernel[axis], self.stride[axis]);
            let end = size + 2 * self.padding[axis];
            let along = |window: usize| {
                let inside = end.saturating_sub(window * stride).clamp(1, kernel);
                kernel as f64 / inside as f64
            };
            factors = factors
                .iter()
                .flat_map(|factor| (0..count).map(move |window| factor * along(window)))
                .collect();
        }
        factors
    }
}
