//! Helpers of this crate's unit tests.

use burn::module::Module;
use burn::prelude::*;

use crate::{Exporter, Opset};

/// The text of the optimised graph of `y = function(x)`, with `x` f32 of shape `shape`.
pub(crate) fn optimised<const D: usize, const E: usize>(
    shape: &[usize; D],
    function: impl Fn(Tensor<D>) -> Tensor<E>,
) -> String {
    optimised_at(Opset::DEFAULT.version(), shape, function)
}

/// [`optimised`] in another opset.
pub(crate) fn optimised_at<const D: usize, const E: usize>(
    opset: i64,
    shape: &[usize; D],
    function: impl Fn(Tensor<D>) -> Tensor<E>,
) -> String {
    Exporter::new()
        .opset(Opset::new(opset).unwrap())
        .float_input("x", shape)
        .export(|tracer| {
            let x = tracer.float::<D>("x")?;
            tracer.output("y", function(x))
        })
        .unwrap()
        .graph()
        .to_string()
}

/// A module on the device of `x`. burn makes weights where they are first needed, which must not be
/// the recording device: a clone that lives on keeps them where they were asked for.
pub(crate) fn placed<M: Module, const D: usize>(module: M, x: &Tensor<D>) -> M {
    module.clone().to_device(&x.device())
}
