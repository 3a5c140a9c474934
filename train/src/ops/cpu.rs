//! From burn's tensors to slices and back.

use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};
use burn::prelude::*;
use burn::tensor::{DType, TensorData};

/// How gradients are recorded where the operations of this module apply: every tensor that a
/// backward pass needs is kept.
pub(super) type Strategy = NoCheckpointing;

/// A float tensor under autodiff on the CPU.
pub(super) type Tracked = FloatTensor<Autodiff<Flex, Strategy>>;

/// A single precision tensor on the CPU.
pub(super) enum Cpu {
    Plain(FlexTensor),
    Tracked(Tracked),
}

impl Cpu {
    /// None where burn's own operations have to do.
    fn of<const D: usize>(tensor: &Tensor<D>) -> Option<Self> {
        if tensor.dtype() != DType::F32 {
            return None;
        }
        let tracked = tensor
            .clone()
            .try_into_primitive::<Autodiff<Flex, Strategy>>();
        match tracked {
            Ok(tracked) => Some(Self::Tracked(tracked)),
            Err(_) => tensor
                .clone()
                .try_into_primitive::<Flex>()
                .ok()
                .map(Self::Plain),
        }
    }

    fn into_tracked(self) -> Tracked {
        match self {
            Self::Plain(tensor) => Tracked::new(tensor),
            Self::Tracked(tensor) => tensor,
        }
    }
}

/// The inputs of an operation, all on the CPU.
pub(super) enum Inputs<const N: usize> {
    /// None is recorded.
    Plain([FlexTensor; N]),
    /// At least one is recorded.
    Tracked([Tracked; N]),
}

/// Gathers the inputs of an operation; `push` takes tensors of any rank.
pub(super) struct Gather {
    found: Option<Vec<Cpu>>,
}

impl Gather {
    pub(super) fn new() -> Self {
        Self {
            found: Some(Vec::new()),
        }
    }

    pub(super) fn push<const D: usize>(mut self, tensor: &Tensor<D>) -> Self {
        self.found = self.found.zip(Cpu::of(tensor)).map(|(mut found, tensor)| {
            found.push(tensor);
            found
        });
        self
    }

    /// An input that there is not: no elements, and no gradient.
    pub(super) fn push_optional<const D: usize>(self, tensor: Option<&Tensor<D>>) -> Self {
        match tensor {
            Some(tensor) => self.push(tensor),
            None => Self {
                found: self.found.map(|mut found| {
                    found.push(Cpu::Plain(from_vec(Vec::new(), &[0])));
                    found
                }),
            },
        }
    }

    /// None unless there are `N`, all on the CPU.
    pub(super) fn finish<const N: usize>(self) -> Option<Inputs<N>> {
        let found = self.found?;
        if found.iter().all(|input| matches!(input, Cpu::Plain(_))) {
            let plain = found.into_iter().filter_map(|input| match input {
                Cpu::Plain(tensor) => Some(tensor),
                Cpu::Tracked(_) => None,
            });
            let plain: Vec<_> = plain.collect();
            return plain.try_into().ok().map(Inputs::Plain);
        }
        let tracked: Vec<_> = found.into_iter().map(Cpu::into_tracked).collect();
        tracked.try_into().ok().map(Inputs::Tracked)
    }
}

pub(super) fn from_plain<const D: usize>(tensor: FlexTensor) -> Tensor<D> {
    Tensor::from_primitive::<Flex>(tensor)
}

pub(super) fn from_tracked<const D: usize>(tensor: Tracked) -> Tensor<D> {
    Tensor::from_primitive::<Autodiff<Flex, Strategy>>(tensor)
}

pub(super) fn from_vec(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.to_vec()))
}

/// Elements of a contiguous tensor.
pub(super) fn values(tensor: &FlexTensor) -> &[f32] {
    tensor
        .as_slice()
        .expect("f32 by `Cpu::of`, contiguous by `to_contiguous`")
}

pub(super) fn dims<const D: usize>(tensor: &FlexTensor) -> [usize; D] {
    tensor.shape().dims()
}
