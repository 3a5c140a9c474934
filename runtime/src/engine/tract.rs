//! tract: pure Rust, always there. The only file that names it.

use std::io::Cursor;

use ndarray::ArrayD;
use tract_linalg::multithread::Executor;
use tract_onnx::prelude::{
    Arc, Datum, DatumType, Framework, InferenceFact, InferenceModel, InferenceModelExt, IntoTensor,
    RunOptions, TValue, TVec, Tensor as TractTensor, TractError, TractResult, TypedRunnableModel,
};

use super::{ComputedOn, Engine, EngineOptions, guard::guard, table::Opened};
use crate::{Device, Model, Precision, RuntimeError, Tensor, TensorView, threads::thread_count};

/// tract's version, as pinned in this workspace's lock file.
const VERSION: &str = "0.23.9";

/// The artefact, optimised by tract.
struct TractEngine {
    name: String,
    precision: Precision,
    inputs: Vec<String>,
    outputs: Vec<String>,
    plan: Arc<TypedRunnableModel>,
}

/// What it computes on whatever is asked for; what it cannot is an error when it is opened.
pub(super) fn planned(
    model: &Model,
    _: &EngineOptions,
) -> Result<Option<ComputedOn>, RuntimeError> {
    Ok(Some(ComputedOn {
        device: Device::Cpu,
        precision: model.stored_precision(),
    }))
}

/// Opens `model`; tract is always available, on the processor and in f32.
pub(super) fn open(model: &Model, options: &EngineOptions) -> Result<Opened, RuntimeError> {
    let name = format!("tract {VERSION} (cpu)");
    if !matches!(options.device, Device::Auto | Device::Cpu) {
        return Err(RuntimeError::DeviceUnavailable {
            device: options.device,
            reason: "tract computes on the cpu only: leave out --engine tract".to_owned(),
        });
    }
    if !matches!(options.precision, Precision::Auto | Precision::F32) {
        return Err(RuntimeError::NoPrecision {
            device: Device::Cpu,
            precision: options.precision,
            reason: "tract computes in f32 only".to_owned(),
        });
    }
    let engine = guard(&name, || {
        compile(&name, model, thread_count(options.threads)).map_err(|source| {
            RuntimeError::OpenSession {
                engine: name.clone(),
                source: source.into(),
            }
        })
    })?;
    Ok(Opened::Ready(Box::new(engine), None))
}

fn compile(name: &str, model: &Model, threads: usize) -> TractResult<TractEngine> {
    let mut graph = tract_onnx::onnx().model_for_read(&mut Cursor::new(model.bytes()))?;
    let inputs = input_names(&graph)?;
    let outputs = output_names(&graph)?;
    fix_shapes(&mut graph, &inputs, model)?;
    let options = RunOptions {
        executor: Some(Executor::multithread(threads)),
        ..RunOptions::default()
    };
    let plan = graph
        .into_optimized()?
        .into_runnable_with_options(&options)?;
    Ok(TractEngine {
        name: name.to_owned(),
        precision: model.stored_precision(),
        inputs,
        outputs,
        plan,
    })
}

fn input_names(graph: &InferenceModel) -> TractResult<Vec<String>> {
    Ok(graph
        .input_outlets()?
        .iter()
        .map(|outlet| graph.node(outlet.node).name.clone())
        .collect())
}

fn output_names(graph: &InferenceModel) -> TractResult<Vec<String>> {
    let name = |outlet| graph.outlet_label(outlet).unwrap_or_default().to_owned();
    Ok(graph
        .output_outlets()?
        .iter()
        .map(|&outlet| name(outlet))
        .collect())
}

/// Gives tract the sizes that the manifest promises: it optimises best when nothing is symbolic.
fn fix_shapes(graph: &mut InferenceModel, inputs: &[String], model: &Model) -> TractResult<()> {
    let network = &model.manifest().network;
    let [d, h, w] = network.patch_zyx;
    for (index, name) in inputs.iter().enumerate() {
        let fact = match name.as_str() {
            uniseg_onnx::IMAGE => {
                InferenceFact::dt_shape(f32::datum_type(), [1, network.slots, d, h, w])
            }
            uniseg_onnx::TASK => InferenceFact::dt_shape(i64::datum_type(), [1]),
            _ => continue,
        };
        graph.set_input_fact(index, fact)?;
    }
    Ok(())
}

impl Engine for TractEngine {
    fn name(&self) -> &str {
        &self.name
    }

    fn computed_on(&self) -> ComputedOn {
        ComputedOn {
            device: Device::Cpu,
            precision: self.precision,
        }
    }

    /// Sizes are fixed when it is opened, for one window.
    fn batches(&self) -> bool {
        false
    }

    fn run(
        &mut self,
        inputs: &[(&str, TensorView<'_>)],
    ) -> Result<Vec<(String, Tensor)>, RuntimeError> {
        let ordered: Vec<&TensorView<'_>> = self
            .inputs
            .iter()
            .map(|name| {
                inputs
                    .iter()
                    .find(|(given, _)| given == name)
                    .map(|(_, tensor)| tensor)
                    .ok_or_else(|| RuntimeError::MissingInput {
                        engine: self.name.clone(),
                        input: name.clone(),
                    })
            })
            .collect::<Result<_, _>>()?;
        guard(&self.name, || {
            self.compute(&ordered).map_err(|source| RuntimeError::Run {
                engine: self.name.clone(),
                source: source.into(),
            })
        })
    }
}

impl TractEngine {
    fn compute(&self, inputs: &[&TensorView<'_>]) -> TractResult<Vec<(String, Tensor)>> {
        let inputs: TVec<TValue> = inputs
            .iter()
            .map(|tensor| Ok(into_tract(tensor)?.into()))
            .collect::<TractResult<_>>()?;
        let outputs = self.plan.run(inputs)?;
        self.outputs
            .iter()
            .zip(outputs)
            .map(|(name, value)| Ok((name.clone(), from_tract(value)?)))
            .collect()
    }
}

fn into_tract(view: &TensorView<'_>) -> TractResult<TractTensor> {
    match view {
        TensorView::F32(array) => copied(array.shape(), array.as_standard_layout().as_slice()),
        TensorView::I64(array) => copied(array.shape(), array.as_standard_layout().as_slice()),
    }
}

fn copied<T: Datum + Copy>(shape: &[usize], voxels: Option<&[T]>) -> TractResult<TractTensor> {
    TractTensor::from_shape(shape, voxels.unwrap_or_default())
}

fn from_tract(value: TValue) -> TractResult<Tensor> {
    // Both outputs are moved out where tract no longer needs them; integers of any width (task
    // indices and shapes) are widened.
    let tensor = value.into_tensor();
    Ok(match tensor.datum_type() {
        DatumType::F32 => Tensor::F32(plain(tensor)?),
        // Integers they would become zeros.
        kind if kind.is_float() => {
            let said = format!("an output is of type {kind:?}, which this engine does not hand on");
            return Err(TractError::msg(said));
        }
        _ => Tensor::I64(plain(tensor.cast_to::<i64>()?.into_owned())?),
    })
}

fn plain<T: Datum>(tensor: TractTensor) -> TractResult<ArrayD<T>> {
    tensor.into_plain_array::<T>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_named_is_the_version_locked() {
        let lock = include_str!("../../../Cargo.lock").replace("\r\n", "\n");
        let locked = format!("name = \"tract-onnx\"\nversion = \"{VERSION}\"\n");
        assert!(lock.contains(&locked), "tract-onnx is no longer {VERSION}");
    }
}
