//! Transposed convolution: the adjoint of a convolution, and so are its gradients.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::nn::conv::ConvTranspose3d;
use burn::prelude::*;

use super::axes::Axis;
use super::convolve::{Kernels, convolve};
use super::correlate::correlate;
use super::cpu::{Gather, Inputs, Strategy, dims, from_plain, from_tracked, from_vec, values};
use super::slab::Volumes;
use crate::precision::in_precision_of;

/// `up.forward(x)`. With a kernel as large as its stride, as in the decoder, every output voxel is
/// one product of a matrix and the channels of one input voxel.
///
/// Shapes: `x` [batch, channels in, z, y, x]; returns [batch, channels out, z, y, x].
pub(crate) fn conv_transpose3d(up: &ConvTranspose3d, x: Tensor<5>) -> Tensor<5> {
    match gather(up, &x) {
        Some(inputs) => run(inputs, up.kernel_size, up.stride),
        // What trains elsewhere is a GPU, whose kernel for this is slow and adds up in the precision
        // of its input; the device that records for the exporter does not train.
        None => in_precision_of(&up.weight, x, |x| {
            match x.device().is_autodiff() && is_product(up) {
                true => product(up, x),
                false => up.forward(x),
            }
        }),
    }
}

/// Whether output voxels do not overlap.
fn is_product(up: &ConvTranspose3d) -> bool {
    let plain = up.groups == 1 && up.dilation == [1; 3] && up.padding == [0; 3];
    plain && up.padding_out == [0; 3] && up.bias.is_none() && up.kernel_size == up.stride
}

/// The layer as one product of matrices and a permutation.
fn product(up: &ConvTranspose3d, x: Tensor<5>) -> Tensor<5> {
    let weight = up.weight.val();
    let [batch, inputs, z, y, width] = x.dims();
    let [_, outputs, kz, ky, kx] = weight.dims();
    let weight = weight
        .reshape([1, inputs, outputs * kz * ky * kx])
        .swap_dims(1, 2);
    weight
        .matmul(x.reshape([batch, inputs, z * y * width]))
        .reshape([batch, outputs, kz, ky, kx, z, y, width])
        .permute([0, 1, 5, 2, 6, 3, 7, 4])
        .reshape([batch, outputs, z * kz, y * ky, width * kx])
}

fn gather(up: &ConvTranspose3d, x: &Tensor<5>) -> Option<Inputs<2>> {
    let plain = up.groups == 1
        && up.dilation == [1; 3]
        && up.padding == [0; 3]
        && up.padding_out == [0; 3]
        && up.bias.is_none()
        && up.kernel_size[2] <= 3
        && up.stride[2] <= 2;
    if !plain || x.dims()[1] != up.weight.dims()[0] {
        return None;
    }
    Gather::new().push(x).push(&up.weight.val()).finish()
}

fn run(inputs: Inputs<2>, kernel: [usize; 3], stride: [usize; 3]) -> Tensor<5> {
    match inputs {
        Inputs::Plain([x, weight]) => from_plain(Saved::new(x, weight, kernel, stride).forward()),
        Inputs::Tracked(inputs) => {
            let nodes = inputs.each_ref().map(|input| input.node());
            let [x, weight] = inputs.map(|input| input.into_primitive());
            let saved = Saved::new(x, weight, kernel, stride);
            let out = saved.forward();
            let prepared = Adjoint
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
    x: FlexTensor,
    weight: FlexTensor,
    kernel: [usize; 3],
    stride: [usize; 3],
}

impl Saved {
    fn new(x: FlexTensor, weight: FlexTensor, kernel: [usize; 3], stride: [usize; 3]) -> Self {
        Self {
            x: x.to_contiguous(),
            weight: weight.to_contiguous(),
            kernel,
            stride,
        }
    }

    fn kernels(&self, input_first: bool) -> Kernels<'_> {
        Kernels {
            values: values(&self.weight),
            input_first,
            size: self.kernel,
        }
    }

    fn forward(&self) -> FlexTensor {
        let [batch, channels_in, z, y, x] = dims(&self.x);
        let size = [z, y, x];
        let axes = [0, 1, 2].map(|axis| {
            let (kernel, stride) = (self.kernel[axis], self.stride[axis]);
            let output = (size[axis] - 1) * stride + kernel;
            Axis::adjoint(size[axis], output, kernel, stride, 0)
        });
        let [z, y, x] = axes.each_ref().map(|axis| axis.output);
        let channels = dims::<5>(&self.weight)[1];
        let mut out = vec![0.0; batch * channels * z * y * x];
        let inputs = Volumes {
            parts: &[(values(&self.x), channels_in)],
            extent: size,
        };
        convolve(
            inputs,
            self.kernels(true),
            None,
            &axes,
            batch,
            &mut [(&mut out, channels)],
        );
        from_vec(out, &[batch, channels, z, y, x])
    }
}

#[derive(Debug)]
struct Adjoint;

impl Backward<Flex, 2> for Adjoint {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [input, weight] = ops.parents;
        let saved = ops.state;
        let [batch, channels, z, y, x] = dims(&gradient);
        let size = [z, y, x];
        let axes = [0, 1, 2]
            .map(|axis| Axis::convolution(size[axis], saved.kernel[axis], saved.stride[axis], 0));
        let sliding = Volumes {
            parts: &[(values(&gradient), channels)],
            extent: size,
        };
        let [_, channels_in, z, y, x] = dims(&saved.x);
        if let Some(node) = weight {
            let fixed = Volumes {
                parts: &[(values(&saved.x), channels_in)],
                extent: [z, y, x],
            };
            let made = correlate(fixed, sliding, &axes, batch);
            grads.register::<Flex>(node.id, from_vec(made, &dims::<5>(&saved.weight)));
        }
        if let Some(node) = input {
            let mut made = vec![0.0; values(&saved.x).len()];
            convolve(
                sliding,
                saved.kernels(false),
                None,
                &axes,
                batch,
                &mut [(&mut made, channels_in)],
            );
            grads.register::<Flex>(node.id, from_vec(made, &[batch, channels_in, z, y, x]));
        }
    }
}
