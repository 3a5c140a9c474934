//! An artefact in two pieces: what tasks share runs once for all of them.

use ndarray::{Array1, ArrayView5};
use uniseg_onnx::{IMAGE, Network, TASK};

use crate::{
    ComputedOn, EachTask, Engine, Held, Logits, Predictor, RuntimeError, Sums, SumsOf, TensorView,
    forward::lend_logits,
};

/// An encoder that runs once for each window, and a decoder that runs for each task.
pub(crate) struct PairedModel {
    pub(crate) encoder: Box<dyn Engine>,
    pub(crate) decoder: Box<dyn Engine>,
    pub(crate) network: Network,
    pub(crate) batches: bool,
}

impl Predictor for PairedModel {
    fn name(&self) -> &str {
        self.decoder.name()
    }

    fn computed_on(&self) -> ComputedOn {
        self.decoder.computed_on()
    }

    fn batches(&self) -> bool {
        self.batches && self.encoder.batches() && self.decoder.batches()
    }

    fn logits(
        &mut self,
        image: ArrayView5<'_, f32>,
        tasks: &[u32],
        each: &mut EachTask<'_>,
    ) -> Result<(), RuntimeError> {
        let windows = image.dim().0;
        let image = (IMAGE, TensorView::F32(image.into_dyn()));
        // The decoder may have been opened elsewhere, where it cannot take what a device holds.
        let on = self.encoder.computed_on().device;
        let held = match on == self.decoder.computed_on().device {
            true => self.encoder.hold(&[image])?,
            false => Held::on_host(self.encoder.run(&[image])?),
        };
        for (index, task) in tasks.iter().enumerate() {
            let task = Array1::from_elem(1, i64::from(*task));
            let task = TensorView::I64(task.view().into_dyn());
            let inputs = [(TASK, task)];
            let each = &mut |_, logits: Logits<'_>| each(index, logits);
            let (decoder, network) = (self.decoder.as_mut(), &self.network);
            lend_logits(decoder, Some(&held), &inputs, network, windows, 1, each)?;
        }
        Ok(())
    }

    fn sums(&mut self, of: &SumsOf<'_>) -> Result<Option<Box<dyn Sums>>, RuntimeError> {
        self.decoder.sums(of)
    }
}

#[cfg(test)]
mod tests;
