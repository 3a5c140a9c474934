//! The network as it was trained, behind the engines' contract: what artefacts are held against.

use burn::prelude::*;
use burn::tensor::TensorData;
use uniseg_imaging::ndarray::{ArrayD, IxDyn};
use uniseg_onnx::{IMAGE, LOGITS, TASK};
use uniseg_runtime::{Engine, RuntimeError, Tensor as Value, TensorView};
use uniseg_train::{Checkpoint, Deploy};

const NAME: &str = "burn (cpu)";

/// A checkpoint's network on burn's CPU back end.
pub struct BurnEngine {
    network: Deploy,
    device: Device,
}

impl BurnEngine {
    /// The network of `checkpoint`, its stems joined as in an artefact.
    pub fn new(checkpoint: &Checkpoint) -> Self {
        Self {
            network: Deploy::new(checkpoint.network.clone()),
            device: Device::flex(),
        }
    }
}

impl Engine for BurnEngine {
    fn name(&self) -> &str {
        NAME
    }

    fn run(
        &mut self,
        inputs: &[(&str, TensorView<'_>)],
    ) -> Result<Vec<(String, Value)>, RuntimeError> {
        let missing = |input: &str| RuntimeError::MissingInput {
            engine: NAME.to_owned(),
            input: input.to_owned(),
        };
        let (mut image, mut task) = (None, None);
        for (name, view) in inputs {
            match view {
                TensorView::F32(array) if *name == IMAGE && array.ndim() == 5 => {
                    let values: Vec<f32> = array.iter().copied().collect();
                    image = Some(TensorData::new(values, array.shape().to_vec()));
                }
                TensorView::I64(array) if *name == TASK && array.len() == 1 => {
                    let values: Vec<i64> = array.iter().copied().collect();
                    task = Some(TensorData::new(values, [1]));
                }
                _ => {}
            }
        }
        let image = image.ok_or_else(|| missing(IMAGE))?;
        let task = task.ok_or_else(|| missing(TASK))?;
        let logits = self.network.forward(
            Tensor::<5>::from_data(image, &self.device),
            Tensor::<1, Int>::from_data(task, &self.device),
        );
        let shape = logits.dims();
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| RuntimeError::Run {
            engine: NAME.to_owned(),
            source,
        };
        let values = logits
            .into_data()
            .try_to_vec::<f32>()
            .map_err(|error| failed(format!("{error:?}").into()))?;
        let logits =
            ArrayD::from_shape_vec(IxDyn(&shape), values).map_err(|error| failed(error.into()))?;
        Ok(vec![(LOGITS.to_owned(), Value::F32(logits))])
    }
}
