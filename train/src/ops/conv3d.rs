//! Convolution of one volume, or of two that need not be concatenated for it.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::nn::PaddingConfig3d;
use burn::nn::conv::Conv3d;
use burn::prelude::*;

use super::axes::Axis;
use super::convolve::{Kernels, convolve};
use super::correlate::correlate;
use super::cpu::{Gather, Inputs, Strategy, dims, from_plain, from_tracked, from_vec, values};
use super::planes::channel_sums;
use super::slab::Volumes;
use crate::precision::in_precision_of;

/// `conv.forward(x)`.
///
/// Shapes: `x` [batch, channels in, z, y, x]; returns [batch, channels out, z, y, x].
pub(crate) fn conv3d(conv: &Conv3d, x: Tensor<5>) -> Tensor<5> {
    match gather(conv, &x, None) {
        Some((inputs, shape)) => run(inputs, shape),
        None => in_precision_of(&conv.weight, x, |x| conv.forward(x)),
    }
}

/// `conv.forward(cat([first, second], 1))`; on the CPU without the concatenated tensor, which in
/// the decoder's finest level would be the largest of the network.
///
/// Shapes: `first` and `second` [batch, channels, z, y, x], the channels of both together those of
/// `conv`; returns [batch, channels out, z, y, x].
pub(crate) fn conv3d_of_two(conv: &Conv3d, first: Tensor<5>, second: Tensor<5>) -> Tensor<5> {
    match gather(conv, &first, Some(&second)) {
        Some((inputs, shape)) => run(inputs, shape),
        None => {
            let joined = Tensor::cat(vec![first, second], 1);
            in_precision_of(&conv.weight, joined, |x| conv.forward(x))
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Shape {
    kernel: [usize; 3],
    stride: [usize; 3],
    padding: [usize; 3],
}

impl Shape {
    /// None for what [`super::convolve`] does not know.
    fn of(conv: &Conv3d) -> Option<Self> {
        let padding = match conv.padding {
            PaddingConfig3d::Valid => [0; 3],
            PaddingConfig3d::Explicit(z, y, x) => [z, y, x],
            PaddingConfig3d::Same => return None,
        };
        let (kernel, stride) = (conv.kernel_size, conv.stride);
        let plain = conv.groups == 1 && conv.dilation == [1; 3];
        (plain && kernel[2] <= 3 && stride[2] <= 2).then_some(Self {
            kernel,
            stride,
            padding,
        })
    }

    fn forward(&self, size: [usize; 3]) -> [Axis; 3] {
        [0, 1, 2].map(|axis| {
            Axis::convolution(
                size[axis],
                self.kernel[axis],
                self.stride[axis],
                self.padding[axis],
            )
        })
    }

    fn adjoint(&self, from: [usize; 3], to: [usize; 3]) -> [Axis; 3] {
        [0, 1, 2].map(|axis| {
            Axis::adjoint(
                from[axis],
                to[axis],
                self.kernel[axis],
                self.stride[axis],
                self.padding[axis],
            )
        })
    }
}

/// first, second, weight, bias; the second and the bias may have no elements.
fn gather(
    conv: &Conv3d,
    first: &Tensor<5>,
    second: Option<&Tensor<5>>,
) -> Option<(Inputs<4>, Shape)> {
    let shape = Shape::of(conv)?;
    let channels = first.dims()[1] + second.map_or(0, |second| second.dims()[1]);
    // burn says what is wrong better than an index out of bounds.
    if channels != conv.weight.dims()[1] {
        return None;
    }
    let bias = conv.bias.as_ref().map(|bias| bias.val());
    let inputs = Gather::new()
        .push(first)
        .push_optional(second)
        .push(&conv.weight.val())
        .push_optional(bias.as_ref())
        .finish()?;
    Some((inputs, shape))
}

fn run(inputs: Inputs<4>, shape: Shape) -> Tensor<5> {
    match inputs {
        Inputs::Plain([first, second, weight, bias]) => {
            let saved = Saved::new([first, second], weight, shape);
            from_plain(saved.forward(&bias))
        }
        Inputs::Tracked(inputs) => {
            let nodes = inputs.each_ref().map(|input| input.node());
            let [first, second, weight, bias] = inputs.map(|input| input.into_primitive());
            let saved = Saved::new([first, second], weight, shape);
            let out = saved.forward(&bias);
            let prepared = Convolution
                .prepare::<Strategy>(nodes)
                .compute_bound()
                .stateful();
            from_tracked(match prepared {
                OpsKind::Tracked(prepared) => prepared.finish(saved, out),
                OpsKind::UnTracked(prepared) => prepared.finish(out),
            })
        }
    }
}

/// What the backward pass needs.
#[derive(Debug, Clone)]
struct Saved {
    inputs: [FlexTensor; 2],
    weight: FlexTensor,
    shape: Shape,
    batch: usize,
    size: [usize; 3],
}

impl Saved {
    fn new(inputs: [FlexTensor; 2], weight: FlexTensor, shape: Shape) -> Self {
        let [batch, _, z, y, x] = dims(&inputs[0]);
        Self {
            inputs: inputs.map(|input| input.to_contiguous()),
            weight: weight.to_contiguous(),
            shape,
            batch,
            size: [z, y, x],
        }
    }

    /// Values and channels of the inputs that there are.
    fn parts(&self) -> Vec<(&[f32], usize)> {
        let voxels = self.batch * self.size.iter().product::<usize>();
        self.inputs
            .iter()
            .map(values)
            .filter(|values| !values.is_empty())
            .map(|values| (values, values.len() / voxels))
            .collect()
    }

    fn kernels(&self, input_first: bool) -> Kernels<'_> {
        Kernels {
            values: values(&self.weight),
            input_first,
            size: self.shape.kernel,
        }
    }

    fn forward(&self, bias: &FlexTensor) -> FlexTensor {
        let axes = self.shape.forward(self.size);
        let [z, y, x] = axes.each_ref().map(|axis| axis.output);
        let channels = dims::<5>(&self.weight)[0];
        let mut out = vec![0.0; self.batch * channels * z * y * x];
        let bias = bias.to_contiguous();
        let inputs = Volumes {
            parts: &self.parts(),
            extent: self.size,
        };
        convolve(
            inputs,
            self.kernels(false),
            Some(values(&bias)),
            &axes,
            self.batch,
            &mut [(&mut out, channels)],
        );
        from_vec(out, &[self.batch, channels, z, y, x])
    }
}

#[derive(Debug)]
struct Convolution;

impl Backward<Flex, 4> for Convolution {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [first, second, weight, bias] = ops.parents;
        let saved = ops.state;
        let [batch, channels, z, y, x] = dims(&gradient);
        let fixed = Volumes {
            parts: &[(values(&gradient), channels)],
            extent: [z, y, x],
        };
        let parts = saved.parts();
        if let Some(node) = weight {
            let sliding = Volumes {
                parts: &parts,
                extent: saved.size,
            };
            let axes = saved.shape.forward(saved.size);
            let made = correlate(fixed, sliding, &axes, batch);
            grads.register::<Flex>(node.id, from_vec(made, &dims::<5>(&saved.weight)));
        }
        if let Some(node) = bias {
            let made = channel_sums(values(&gradient), channels, z * y * x);
            grads.register::<Flex>(node.id, from_vec(made, &[channels]));
        }
        // Not of the image, which has no gradient.
        if first.is_none() && second.is_none() {
            return;
        }
        let mut made: Vec<(Vec<f32>, usize)> = parts
            .iter()
            .map(|(values, channels)| (vec![0.0; values.len()], *channels))
            .collect();
        let mut outputs: Vec<(&mut [f32], usize)> = made
            .iter_mut()
            .map(|(values, channels)| (values.as_mut_slice(), *channels))
            .collect();
        let axes = saved.shape.adjoint([z, y, x], saved.size);
        convolve(fixed, saved.kernels(true), None, &axes, batch, &mut outputs);
        let [z, y, x] = saved.size;
        for (node, (values, channels)) in [first, second].into_iter().zip(made) {
            if let Some(node) = node {
                let made = from_vec(values, &[batch, channels, z, y, x]);
                grads.register::<Flex>(node.id, made);
            }
        }
    }
}
