//! One forward pass: the artefact's input and output names, and the check of what comes back.

use ndarray::{Array1, Array5, ArrayView5, Ix5, array};
use uniseg_onnx::{IMAGE, LOGITS, Network, TASK, repeated_name};

use crate::{EachTask, Engine, Held, RuntimeError, TensorView, TensorViewMut};

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
    let mut found = Array5::zeros((0, 0, 0, 0, 0));
    forward_each(engine, network, image, &[task], &mut |_, logits| {
        found = logits.to_owned();
        Ok(())
    })?;
    Ok(found)
}

/// The same for as many tasks as `engine` was opened for, see [`crate::Model::for_tasks`]; the
/// logits are lent.
pub(crate) fn forward_each(
    engine: &mut dyn Engine,
    network: &Network,
    image: ArrayView5<'_, f32>,
    tasks: &[u32],
    each: &mut EachTask<'_>,
) -> Result<(), RuntimeError> {
    if !network.part.is_whole() {
        return Err(RuntimeError::HalfOfAPair);
    }
    let windows = image.dim().0;
    let tasks: Vec<(String, Array1<i64>)> = tasks
        .iter()
        .enumerate()
        .map(|(copy, task)| (repeated_name(TASK, copy), array![i64::from(*task)]))
        .collect();
    let image = (IMAGE, TensorView::F32(image.into_dyn()));
    let ids = tasks
        .iter()
        .map(|(name, id)| (name.as_str(), TensorView::I64(id.view().into_dyn())));
    let inputs: Vec<_> = [image].into_iter().chain(ids).collect();
    lend_logits(engine, None, &inputs, network, windows, tasks.len(), each)
}

/// Runs the network once and hands `each` the logits [n, classes, D, H, W] of its tasks, which are
/// called as [`repeated_name`] says; see [`Engine::lend`].
pub(crate) fn lend_logits(
    engine: &mut dyn Engine,
    held: Option<&Held<'_>>,
    inputs: &[(&str, TensorView<'_>)],
    network: &Network,
    windows: usize,
    tasks: usize,
    each: &mut EachTask<'_>,
) -> Result<(), RuntimeError> {
    let [d, h, w] = network.patch_zyx;
    let expected = [windows, network.classes, d, h, w];
    let names: Vec<String> = (0..tasks).map(|task| repeated_name(LOGITS, task)).collect();
    let mut found = Vec::new();
    let mut missing = tasks;
    engine.lend(held, inputs, &mut |name, tensor| {
        found.push(format!("{name} {tensor}"));
        let task = names.iter().position(|known| known == name);
        match (task, tensor) {
            (Some(task), TensorViewMut::F32(array)) if array.shape() == expected => {
                // It has five axes, as was just seen.
                let Ok(logits) = array.into_dimensionality::<Ix5>() else {
                    return Ok(());
                };
                missing -= 1;
                each(task, logits)
            }
            _ => Ok(()),
        }
    })?;
    match missing {
        0 => Ok(()),
        _ => Err(RuntimeError::WrongOutput {
            engine: engine.name().to_owned(),
            expected,
            found: found.join(", "),
        }),
    }
}
