//! Weights that depend on a name alone: burn's own generator belongs to the process, not to a test.

use burn::module::{Module, ModuleMapper, Param};
use burn::prelude::*;
use burn::tensor::TensorData;

use crate::ops::random::Random;

/// `module` with random weights and statistics of a size that keeps signals alive.
///
/// Matrices and kernels are uniform with He's variance; what is one at first (scales, variances) is
/// between 0.5 and 1.5, everything else (shifts, means, biases) between -0.3 and 0.3.
pub fn seeded<M: Module>(module: M, name: &str) -> M {
    module.map(&mut Seeded(Random::seeded(name)))
}

struct Seeded(Random);

impl ModuleMapper for Seeded {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            let (device, shape) = (tensor.device(), tensor.dims());
            let ones = tensor.into_data().iter::<f32>().all(|value| value == 1.0);
            let (low, high) = match shape.as_slice() {
                [_] if ones => (0.5, 1.5),
                [_] => (-0.3, 0.3),
                // A linear layer has its inputs first, a kernel its outputs.
                &[inputs, _] => he(inputs),
                &[_, ref inputs @ ..] => he(inputs.iter().product()),
                [] => (-1.0, 1.0),
            };
            let count = shape.iter().product();
            let values: Vec<f32> = (0..count).map(|_| self.0.float(low, high)).collect();
            Tensor::from_data(TensorData::new(values, shape), &device)
        })
    }
}

fn he(inputs: usize) -> (f32, f32) {
    let bound = (6.0 / inputs as f32).sqrt();
    (-bound, bound)
}
