//! In which numbers a training step convolves.

use std::fmt;
use std::str::FromStr;

use burn::module::{Module, ModuleMapper, Param};
use burn::prelude::*;
use burn::tensor::FloatDType;

/// Numbers of the convolutions in a training step. Norms, activations, the loss, the weights
/// themselves, their gradients and the optimiser are f32 always.
///
/// A setting of a run: neither plans nor checkpoints know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits with the exponent of f32, so that neither activations nor gradients overflow and
    /// the loss needs no scaling. The official code trains in f16 with scaling (uniseg recipe,
    /// section 5); bf16 has fewer digits, but no steps that must be thrown away.
    Bf16,
}

/// A precision that has no such name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown precision '{found}' (known: f32, bf16)")]
pub struct UnknownPrecision {
    /// The name as typed.
    pub found: String,
}

impl FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(name: &str) -> Result<Self, UnknownPrecision> {
        match name {
            "f32" => Ok(Self::F32),
            "bf16" => Ok(Self::Bf16),
            _ => Err(UnknownPrecision { found: name.into() }),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        })
    }
}

impl Precision {
    /// The network as one training step sees it: the weights of its convolutions in this
    /// precision, everything else as it is.
    ///
    /// The conversion is part of the computation that gradients flow through, so those of the
    /// view's loss are gradients of `network`'s own f32 weights:
    ///
    /// ```
    /// # use burn::tensor::{Device, Distribution, Int, Tensor};
    /// # use burn::optim::GradientsParams;
    /// # use uniseg_train::{NetworkConfig, UniSeg, plan, precision::Precision};
    /// # let config = NetworkConfig {
    /// #     patch_size: [4, 4, 4], strides_between_stages: vec![[2; 3]],
    /// #     kernel_sizes: vec![[3; 3]; 2], base_num_features: 2, ..plan::paper().network
    /// # };
    /// # let device = Device::flex().autodiff();
    /// # let network = UniSeg::new(&config, &device);
    /// # let image = Tensor::random([1, 1, 4, 4, 4], Distribution::Default, &device);
    /// # let task = Tensor::<1, Int>::from_ints([0], &device);
    /// let view = Precision::Bf16.view(&network);
    /// let loss = view.forward(image, task).logits.square().mean();
    /// let gradients = GradientsParams::from_grads(loss.backward(), &network);
    /// # assert!(!gradients.is_empty());
    /// ```
    pub fn view<M: Module>(self, network: &M) -> M {
        let network = network.clone();
        match self {
            Self::F32 => network,
            Self::Bf16 => network.map(&mut Convolutions {
                in_convolution: Vec::new(),
                dtype: FloatDType::BF16,
            }),
        }
    }
}

/// Converts what belongs to a convolution.
struct Convolutions {
    /// For each step on the way to where the mapper is: whether its owner is a convolution.
    in_convolution: Vec<bool>,
    dtype: FloatDType,
}

impl ModuleMapper for Convolutions {
    fn enter_module(&mut self, _name: &str, owner: &str) {
        let convolves = matches!(owner, "Struct:Conv3d" | "Struct:ConvTranspose3d");
        self.in_convolution.push(convolves);
    }

    fn exit_module(&mut self, _name: &str, _owner: &str) {
        self.in_convolution.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.in_convolution.last() {
            Some(true) => param.map(|tensor| tensor.cast(self.dtype)),
            _ => param,
        }
    }
}

/// Convolves in the precision of the weights: converts the input to it, and the result back.
///
/// Where they are the same already, nothing is done, and nothing recorded.
pub(crate) fn in_precision_of<const D: usize, const W: usize>(
    weight: &Param<Tensor<W>>,
    input: Tensor<D>,
    convolve: impl FnOnce(Tensor<D>) -> Tensor<D>,
) -> Tensor<D> {
    let dtype = input.dtype();
    convolve(input.cast(weight.dtype())).cast(dtype)
}

#[cfg(test)]
mod tests;
