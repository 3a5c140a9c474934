//! Tensors for tests. Not of burn's generator, which is the process's: tests in other threads would
//! draw from it too, and the networks that are drawn there would not be those of their seeds.

use burn::prelude::*;

use crate::data::random::Random;

/// Values between -1 and 1, the next ones of a stream.
pub(crate) fn uniform<const D: usize>(
    shape: [usize; D],
    stream: &mut Random,
    device: &Device,
) -> Tensor<D> {
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| stream.uniform(-1.0, 1.0) as f32)
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}
