//! One forward pass: the artefact's input and output names, and the check of what comes back.

use ndarray::{Array1, Array5, ArrayView5, ArrayViewMut5, Ix5, array};
use uniseg_onnx::{IMAGE, LOGITS, Network, TASK, repeated_name};

use crate::{EachTask, Engine, Held, Lent, RuntimeError, TensorView, TensorViewMut};

/// Logits [n, classes, D, H, W] of a task, lent where they were computed.
#[derive(Debug)]
pub struct Logits<'a>(Lent<'a>);

impl<'a> From<ArrayViewMut5<'a, f32>> for Logits<'a> {
    fn from(logits: ArrayViewMut5<'a, f32>) -> Logits<'a> {
        Logits(TensorViewMut::F32(logits.into_dyn()).into())
    }
}

impl<'a> Logits<'a> {
    /// Them in the host's memory, brought there if they were not; they may be written over.
    ///
    /// Errors: [`RuntimeError::Run`] if they cannot be brought there.
    pub fn view(&mut self) -> Result<ArrayViewMut5<'_, f32>, RuntimeError> {
        let run = |source: Box<dyn std::error::Error + Send + Sync>| RuntimeError::Run {
            engine: "logits".to_owned(),
            source,
        };
        match self.0.view()? {
            TensorViewMut::F32(logits) => logits
                .into_dimensionality::<Ix5>()
                .map_err(|error| run(error.into())),
            TensorViewMut::I64(_) => Err(run("they are integers".into())),
        }
    }

    /// Them where they are.
    pub(crate) fn lent(&self) -> &Lent<'a> {
        &self.0
    }
}

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
    forward_each(engine, network, image, &[task], &mut |_, mut logits| {
        found = logits.view()?.to_owned();
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
        match task {
            Some(task) if tensor.is_f32(&expected) => {
                missing -= 1;
                each(task, Logits(tensor))
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
