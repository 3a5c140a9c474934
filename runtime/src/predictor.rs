//! What computes the logits of windows: the seam between the sliding window and how an artefact
//! is cut into graphs.

mod joined;
mod paired;

use ndarray::ArrayView5;
use uniseg_onnx::Network;

pub(crate) use self::{joined::JoinedModel, paired::PairedModel};
use crate::{
    ComputedOn, Device, Engine, Logits, Model, RuntimeError, Sums, SumsOf, forward::forward_each,
};

/// Takes the logits of one task: its place in the list asked for, and [n, classes, D, H, W].
pub type EachTask<'a> = dyn FnMut(usize, Logits<'_>) -> Result<(), RuntimeError> + 'a;

/// Computes logits of one or more tasks on the same windows.
///
/// A whole artefact runs once for each task ([`WholeModel`]), or once for several; one that is split
/// runs its encoder once and a decoder for each task.
pub trait Predictor {
    /// Name of the engine, for messages and statistics.
    fn name(&self) -> &str;

    /// What the engine computes on.
    fn computed_on(&self) -> ComputedOn {
        ComputedOn::default()
    }

    /// Whether more than one window fits into a call.
    fn batches(&self) -> bool;

    /// Whether the processor is free while it computes: what came out can be worked on meanwhile.
    fn leaves_the_processor(&self) -> bool {
        matches!(
            self.computed_on().device,
            Device::Cuda(_) | Device::TensorRt(_)
        )
    }

    /// Most tasks that one call of the engine takes; falls when memory runs out.
    fn tasks_in_a_call(&self) -> usize {
        1
    }

    /// Runs `image` [n, slots, D, H, W] for every task of `tasks` (their ids) and hands `each` the
    /// logits in the order of `tasks`, one task at a time: each may be gone before the next is made.
    ///
    /// Errors: what the engine reports, and the error of `each`, with which it ends.
    fn logits(
        &mut self,
        image: ArrayView5<'_, f32>,
        tasks: &[u32],
        each: &mut EachTask<'_>,
    ) -> Result<(), RuntimeError>;

    /// What sums probabilities where logits are computed: see [`Engine::sums`].
    ///
    /// Errors: those of [`Engine::sums`].
    fn sums(&mut self, of: &SumsOf<'_>) -> Result<Option<Box<dyn Sums>>, RuntimeError> {
        let _ = of;
        Ok(None)
    }
}

/// An artefact in one piece: a pass of its own for every task.
pub struct WholeModel<'a> {
    engine: &'a mut dyn Engine,
    network: &'a Network,
    batches: bool,
}

impl<'a> WholeModel<'a> {
    /// Runs `model` in `engine`, in which it was opened.
    pub fn new(engine: &'a mut dyn Engine, model: &'a Model) -> WholeModel<'a> {
        WholeModel::of(engine, &model.manifest().network, model.batches())
    }

    /// Runs a network that is described by its sizes, and by whether it takes several windows.
    pub(crate) fn of(engine: &'a mut dyn Engine, network: &'a Network, batches: bool) -> Self {
        WholeModel {
            engine,
            network,
            batches,
        }
    }

    /// Runs one window at a time of a network that is described only by its sizes.
    pub(crate) fn one_by_one(engine: &'a mut dyn Engine, network: &'a Network) -> WholeModel<'a> {
        WholeModel::of(engine, network, false)
    }
}

impl Predictor for WholeModel<'_> {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn computed_on(&self) -> ComputedOn {
        self.engine.computed_on()
    }

    fn batches(&self) -> bool {
        self.batches && self.engine.batches()
    }

    fn logits(
        &mut self,
        image: ArrayView5<'_, f32>,
        tasks: &[u32],
        each: &mut EachTask<'_>,
    ) -> Result<(), RuntimeError> {
        for (index, task) in tasks.iter().enumerate() {
            let each = &mut |_, logits: Logits<'_>| each(index, logits);
            forward_each(self.engine, self.network, image, &[*task], each)?;
        }
        Ok(())
    }

    fn sums(&mut self, of: &SumsOf<'_>) -> Result<Option<Box<dyn Sums>>, RuntimeError> {
        self.engine.sums(of)
    }
}
