//! What a run left where it was computed, on its way into another engine.

use super::ort;
use crate::{RuntimeError, Tensor, TensorView};

/// Every output of [`super::Engine::hold`], in the graph's order.
///
/// They lie in the engine's own buffers, which its next run writes again: it cannot run while they
/// are held.
pub struct Held<'a>(Kept<'a>);

enum Kept<'a> {
    Host(Vec<(String, Tensor)>),
    Ort(ort::Outputs<'a>),
}

impl<'a> Held<'a> {
    /// Outputs in the host's memory, where every engine can take them from.
    pub fn on_host(outputs: Vec<(String, Tensor)>) -> Held<'static> {
        Held(Kept::Host(outputs))
    }

    pub(super) fn by_ort(outputs: ort::Outputs<'a>) -> Held<'a> {
        Held(Kept::Ort(outputs))
    }

    /// The outputs as ONNX Runtime holds them, wherever that is.
    pub(super) fn of_ort(&self) -> Option<&ort::Outputs<'a>> {
        match &self.0 {
            Kept::Host(_) => None,
            Kept::Ort(outputs) => Some(outputs),
        }
    }

    /// The outputs, lent without a copy.
    ///
    /// Errors: [`RuntimeError::Run`] if they lie on a device that the host cannot read.
    pub fn views(&self) -> Result<Vec<(&str, TensorView<'_>)>, RuntimeError> {
        match &self.0 {
            Kept::Host(outputs) => Ok(outputs
                .iter()
                .map(|(name, tensor)| (name.as_str(), tensor.view()))
                .collect()),
            Kept::Ort(outputs) => outputs.views(),
        }
    }

    /// The outputs and `inputs`, all lent as inputs of one run.
    ///
    /// Errors: those of [`Held::views`].
    pub(super) fn beside<'b>(
        &'b self,
        inputs: &'b [(&str, TensorView<'_>)],
    ) -> Result<Vec<(&'b str, TensorView<'b>)>, RuntimeError> {
        let mut all = self.views()?;
        all.extend(inputs.iter().map(|(name, tensor)| (*name, tensor.view())));
        Ok(all)
    }
}
