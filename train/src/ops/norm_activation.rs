//! InstanceNorm and LeakyReLU as one operation.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::nn::InstanceNorm;
use burn::prelude::*;
use burn::tensor::activation::leaky_relu;

use super::cpu::{Gather, Inputs, Strategy, dims, from_plain, from_tracked, from_vec, values};
use super::normalize::{Layer, Statistics};

/// `leaky_relu(norm.forward(x), slope)`.
///
/// On the CPU means and variances are summed in blocks: burn adds a channel's voxels one by one in
/// single precision, which for a patch of 32 x 96 x 96 costs three digits.
///
/// Shapes: `x` [batch, channels, z, y, x]; returns the same.
pub(crate) fn norm_leaky_relu(norm: &InstanceNorm, slope: f64, x: Tensor<5>) -> Tensor<5> {
    match gather(norm, &x) {
        Some(inputs) => run(inputs, norm.epsilon, slope as f32),
        None => leaky_relu(norm.forward(x), slope),
    }
}

fn gather(norm: &InstanceNorm, x: &Tensor<5>) -> Option<Inputs<3>> {
    let (gamma, beta) = norm.gamma.as_ref().zip(norm.beta.as_ref())?;
    if x.dims()[1] != norm.num_channels {
        return None;
    }
    Gather::new()
        .push(x)
        .push(&gamma.val())
        .push(&beta.val())
        .finish()
}

fn run(inputs: Inputs<3>, epsilon: f64, slope: f32) -> Tensor<5> {
    match inputs {
        Inputs::Plain(inputs) => from_plain(Saved::forward(inputs, epsilon, slope).1),
        Inputs::Tracked(inputs) => {
            let nodes = inputs.each_ref().map(|input| input.node());
            let inputs = inputs.map(|input| input.into_primitive());
            let (saved, out) = Saved::forward(inputs, epsilon, slope);
            let prepared = Normalization
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

/// What the backward pass needs: the input, not what became of it.
#[derive(Debug, Clone)]
struct Saved {
    x: FlexTensor,
    gamma: FlexTensor,
    beta: FlexTensor,
    epsilon: f64,
    slope: f32,
    statistics: Vec<Statistics>,
    voxels: usize,
}

impl Saved {
    fn forward(inputs: [FlexTensor; 3], epsilon: f64, slope: f32) -> (Self, FlexTensor) {
        let [x, gamma, beta] = inputs.map(|input| input.to_contiguous());
        let shape = dims::<5>(&x);
        let mut saved = Self {
            x,
            gamma,
            beta,
            epsilon,
            slope,
            statistics: Vec::new(),
            voxels: shape[2..].iter().product(),
        };
        let (out, statistics) = saved.layer().forward(values(&saved.x), saved.voxels);
        saved.statistics = statistics;
        (saved, from_vec(out, &shape))
    }

    fn layer(&self) -> Layer<'_> {
        Layer {
            gamma: values(&self.gamma),
            beta: values(&self.beta),
            epsilon: self.epsilon,
            slope: self.slope,
        }
    }
}

#[derive(Debug)]
struct Normalization;

impl Backward<Flex, 3> for Normalization {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let mut gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [x, gamma, beta] = ops.parents;
        let saved = ops.state;
        let shape = dims::<5>(&saved.x);
        // A view of a larger tensor cannot be written to as it is.
        let elements = values(&gradient).len();
        if gradient.storage::<f32>().len() != elements {
            gradient = from_vec(values(&gradient).to_vec(), &shape);
        }
        // In place if nobody else has the gradient, else in a copy.
        let [of_gamma, of_beta] = saved.layer().backward(
            values(&saved.x),
            &saved.statistics,
            gradient.storage_mut(),
            saved.voxels,
        );
        for (node, made) in [(gamma, of_gamma), (beta, of_beta)] {
            if let Some(node) = node {
                let channels = made.len();
                grads.register::<Flex>(node.id, from_vec(made, &[channels]));
            }
        }
        if let Some(node) = x {
            grads.register::<Flex>(node.id, gradient);
        }
    }
}
