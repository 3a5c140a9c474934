//! Operations that burn 0.22 records only where a backend is called without the tensor API.

use burn::backend::ops::ModuleOps;
use burn::backend::{Capture, Flex};
use burn::prelude::*;

/// burn's own linear layer, on the recording backend or on the one that computes.
pub fn linear(traced: bool, x: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<3> {
    match traced {
        true => {
            let [x, weight] = [
                x.try_into_primitive::<Capture>(),
                weight.try_into_primitive::<Capture>(),
            ]
            .map(|tensor| tensor.expect("a recorded tensor"));
            let bias = bias.map(|bias| {
                bias.try_into_primitive::<Capture>()
                    .expect("a recorded tensor")
            });
            Tensor::from_primitive::<Capture>(<Capture as ModuleOps<Capture>>::linear(
                x, weight, bias,
            ))
        }
        false => {
            let [x, weight] = [
                x.try_into_primitive::<Flex>(),
                weight.try_into_primitive::<Flex>(),
            ]
            .map(|tensor| tensor.expect("a tensor of this backend"));
            let bias = bias.map(|bias| {
                bias.try_into_primitive::<Flex>()
                    .expect("a tensor of this backend")
            });
            Tensor::from_primitive::<Flex>(<Flex as ModuleOps<Flex>>::linear(x, weight, bias))
        }
    }
}
