//! Helpers of this crate's unit tests.

use burn::prelude::*;

use crate::Exporter;

/// The text of the optimised graph of `y = function(x)`, with `x` f32 of shape `shape`.
pub(crate) fn optimised<const D: usize, const E: usize>(
    shape: &[usize; D],
    function: impl FnOnce(Tensor<D>) -> Tensor<E>,
) -> String {
    Exporter::new()
        .float_input("x", shape)
        .export(|tracer| {
            let x = tracer.float::<D>("x")?;
            tracer.output("y", function(x))
        })
        .unwrap()
        .graph()
        .to_string()
}
