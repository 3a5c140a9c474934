//! One forward pass: the artefact's input and output names, and the check of what comes back.

use ndarray::{Array1, Array5, ArrayView5, Ix5};
use uniseg_onnx::{LOGITS, Network};

use crate::{Engine, RuntimeError, Tensor, TensorView};

/// Runs the network once on `image` [n, slots, D, H, W] for the task with index `task`.
///
/// Returns logits [n, classes, D, H, W] over the classes of all tasks. More than one window needs
/// an artefact whose batch is not fixed, see [`crate::Model::batches`].
///
/// Errors: [`RuntimeError::HalfOfAPair`], what the engine reports, and
/// [`RuntimeError::WrongOutput`] if the graph does not give
/// logits of the shape that `network` promises.
pub fn forward(
    engine: &mut dyn Engine,
    network: &Network,
    image: ArrayView5<'_, f32>,
    task: u32,
) -> Result<Array5<f32>, RuntimeError> {
    if !network.part.is_whole() {
        return Err(RuntimeError::HalfOfAPair);
    }
    let windows = image.dim().0;
    let task = Array1::from_elem(1, i64::from(task));
    let mut outputs = engine.run(&[
        (uniseg_onnx::IMAGE, TensorView::F32(image.into_dyn())),
        (uniseg_onnx::TASK, TensorView::I64(task.view().into_dyn())),
    ])?;
    logits(&mut outputs, LOGITS, network, windows, engine.name())
}

/// Takes the logits [n, classes, D, H, W] called `name` out of a graph's outputs.
pub(crate) fn logits(
    outputs: &mut Vec<(String, Tensor)>,
    name: &str,
    network: &Network,
    windows: usize,
    engine: &str,
) -> Result<Array5<f32>, RuntimeError> {
    let [d, h, w] = network.patch_zyx;
    let expected = [windows, network.classes, d, h, w];
    let found: Vec<String> = outputs
        .iter()
        .map(|(name, tensor)| format!("{name} {tensor}"))
        .collect();
    let place = outputs.iter().position(|(found, _)| found == name);
    place
        .and_then(|place| match outputs.swap_remove(place).1 {
            Tensor::F32(array) => Some(array),
            Tensor::I64(_) => None,
        })
        .filter(|array| array.shape() == expected)
        .and_then(|array| array.into_dimensionality::<Ix5>().ok())
        .ok_or_else(|| RuntimeError::WrongOutput {
            engine: engine.to_owned(),
            expected,
            found: found.join(", "),
        })
}
