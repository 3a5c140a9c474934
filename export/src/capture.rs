//! Recording a burn computation: the only file that names burn's capture API.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::backend::Capture;
use burn::backend::ir::{GraphIr, TensorId};
use burn::module::Module;
use burn::prelude::*;
use burn::tensor::{DType, TensorData};

use crate::error::ExportError;
use crate::lend::Lender;

/// A declared runtime input.
#[derive(Debug, Clone)]
pub(crate) struct InputSpec {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) kind: Kind,
}

/// What an input holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Float,
    Int,
}

/// A recorded computation.
pub(crate) struct Captured {
    pub(crate) graph: GraphIr,
    /// Elements of weights and of constants made while recording.
    pub(crate) values: BTreeMap<TensorId, TensorData>,
    pub(crate) inputs: Vec<(InputSpec, TensorId)>,
    pub(crate) outputs: Vec<(String, TensorId)>,
}

/// The recorded id of a tensor of any kind, which burn's types do not let a function take.
macro_rules! id {
    ($tensor:expr, $name:expr) => {
        $tensor
            .try_into_primitive::<Capture>()
            .map_err(foreign($name))?
            .id()
    };
}

/// Hands a computation its inputs on the recording device and takes its outputs.
pub struct Tracer {
    device: Device,
    declared: Vec<InputSpec>,
    bound: HashMap<String, TensorId>,
    outputs: Vec<(String, TensorId)>,
}

impl Tracer {
    /// The recording device. Tensors made on it become constants of the graph.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// A copy of a module on the recording device, as it infers: its weights become constants of the
    /// graph. Floats that are in main memory already are lent to the recording, not copied.
    pub fn load<M: Module>(&self, module: &M) -> M {
        let mut lender = Lender {
            device: self.device.clone(),
        };
        // Clones of a BatchNorm share its running statistics, and moving one of them would move
        // those of all. What is no parameter, and what does not hold floats, moves as burn moves it.
        module.valid().map(&mut lender).to_device(&self.device)
    }

    /// The f32 input `name`, of the shape that was declared. It may be read once; clone the tensor to
    /// use it more often.
    ///
    /// Errors: [`ExportError::UnknownInput`], [`ExportError::InputMismatch`] for another rank or
    /// type, [`ExportError::DuplicateName`] if it is read again.
    pub fn float<const D: usize>(&mut self, name: &str) -> Result<Tensor<D>, ExportError> {
        let shape = self.shape(name, Kind::Float, D)?;
        let tensor = Tensor::<D>::empty(shape, (&self.device, DType::F32));
        self.bind(name, id!(tensor.clone(), name))?;
        Ok(tensor)
    }

    /// The i64 input `name`, of the shape that was declared. It may be read once; clone the tensor to
    /// use it more often.
    ///
    /// Errors: [`ExportError::UnknownInput`], [`ExportError::InputMismatch`] for another rank or
    /// type, [`ExportError::DuplicateName`] if it is read again.
    pub fn int<const D: usize>(&mut self, name: &str) -> Result<Tensor<D, Int>, ExportError> {
        let shape = self.shape(name, Kind::Int, D)?;
        let tensor = Tensor::<D, Int>::empty(shape, (&self.device, DType::I64));
        self.bind(name, id!(tensor.clone(), name))?;
        Ok(tensor)
    }

    /// Declares a float output; outputs have the order in which they are declared.
    ///
    /// Errors: [`ExportError::NotCaptured`] if `tensor` is on another device. A name that is used
    /// twice is an error of [`Exporter::export`](crate::Exporter::export).
    pub fn output<const D: usize>(
        &mut self,
        name: &str,
        tensor: Tensor<D>,
    ) -> Result<(), ExportError> {
        self.outputs.push((name.to_owned(), id!(tensor, name)));
        Ok(())
    }

    /// Declares an integer output, in the type that it has in burn.
    ///
    /// Errors: as for [`Tracer::output`].
    pub fn output_int<const D: usize>(
        &mut self,
        name: &str,
        tensor: Tensor<D, Int>,
    ) -> Result<(), ExportError> {
        self.outputs.push((name.to_owned(), id!(tensor, name)));
        Ok(())
    }

    /// Declares an output of truth values.
    ///
    /// Errors: as for [`Tracer::output`].
    pub fn output_bool<const D: usize>(
        &mut self,
        name: &str,
        tensor: Tensor<D, Bool>,
    ) -> Result<(), ExportError> {
        self.outputs.push((name.to_owned(), id!(tensor, name)));
        Ok(())
    }

    fn shape(&self, name: &str, kind: Kind, rank: usize) -> Result<Vec<usize>, ExportError> {
        let describe = |kind: Kind, rank: usize| match kind {
            Kind::Float => format!("f32 of rank {rank}"),
            Kind::Int => format!("i64 of rank {rank}"),
        };
        let spec = self
            .declared
            .iter()
            .find(|spec| spec.name == name)
            .ok_or_else(|| ExportError::UnknownInput {
                name: name.to_owned(),
            })?;
        if spec.kind != kind || spec.shape.len() != rank {
            return Err(ExportError::InputMismatch {
                name: name.to_owned(),
                declared: describe(spec.kind, spec.shape.len()),
                read: describe(kind, rank),
            });
        }
        Ok(spec.shape.clone())
    }

    fn bind(&mut self, name: &str, id: TensorId) -> Result<(), ExportError> {
        match self.bound.insert(name.to_owned(), id) {
            None => Ok(()),
            Some(_) => Err(ExportError::DuplicateName {
                name: name.to_owned(),
            }),
        }
    }
}

fn foreign<E>(name: &str) -> impl FnOnce(E) -> ExportError {
    let name = name.to_owned();
    move |_| ExportError::NotCaptured { name }
}

/// Records what `forward` does.
///
/// Inputs are made as uninitialised tensors inside the scope, so that no memory is spent on them:
/// the operation that makes one is recognised by its tensor and becomes a graph input.
pub(crate) fn capture(
    inputs: Vec<InputSpec>,
    forward: impl FnOnce(&mut Tracer) -> Result<(), ExportError>,
) -> Result<Captured, ExportError> {
    let device = Device::capture();
    let mut outcome = Err(ExportError::NoOutput);
    let captured = device
        .capture_scope(|scope| {
            let mut tracer = Tracer {
                device: device.clone(),
                declared: inputs,
                bound: HashMap::new(),
                outputs: Vec::new(),
            };
            // burn reports wrong shapes by panicking; an exporter must not.
            outcome = catch_unwind(AssertUnwindSafe(|| forward(&mut tracer)))
                .unwrap_or_else(|panic| {
                    Err(ExportError::Panicked {
                        message: message(&*panic),
                    })
                })
                .and_then(|()| boundary(tracer));
            let ids: Vec<TensorId> = match &outcome {
                Ok((_, outputs)) => outputs.iter().map(|(_, id)| *id).collect(),
                Err(_) => Vec::new(),
            };
            scope.complete([], ids)
        })
        .map_err(|error| ExportError::Capture {
            reason: error.to_string(),
        });
    // What went wrong inside the closure explains more than what that did to the scope.
    let (inputs, outputs) = outcome?;
    let captured = captured?;
    let outputs = outputs
        .into_iter()
        .zip(&captured.graph.outputs)
        .map(|((name, _), resolved)| (name, *resolved))
        .collect();
    Ok(Captured {
        graph: captured.graph,
        values: captured.values,
        inputs,
        outputs,
    })
}

type Boundary = (Vec<(InputSpec, TensorId)>, Vec<(String, TensorId)>);

/// Inputs that the computation read, in the order they were declared, and its outputs.
fn boundary(tracer: Tracer) -> Result<Boundary, ExportError> {
    let Tracer {
        declared,
        mut bound,
        outputs,
        ..
    } = tracer;
    if outputs.is_empty() {
        return Err(ExportError::NoOutput);
    }
    let mut names = HashSet::new();
    for name in declared
        .iter()
        .map(|spec| &spec.name)
        .chain(outputs.iter().map(|(name, _)| name))
    {
        if !names.insert(name.clone()) {
            return Err(ExportError::DuplicateName { name: name.clone() });
        }
    }
    let inputs = declared
        .into_iter()
        .map(|spec| match bound.remove(&spec.name) {
            Some(id) => Ok((spec, id)),
            None => Err(ExportError::UnusedInput { name: spec.name }),
        })
        .collect::<Result<_, _>>()?;
    Ok((inputs, outputs))
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use burn::nn::BatchNormConfig;
    use burn::prelude::*;

    use crate::Exporter;

    #[test]
    fn a_module_with_running_statistics_stays_where_it_is() {
        let norm = BatchNormConfig::new(2).init(&Device::flex());
        // Recorded twice, since the batch is open.
        let exported = Exporter::new()
            .float_input("x", &[2, 2, 4])
            .symbolic("x", 0, "batch", 3)
            .export(|tracer| {
                let x = tracer.float::<3>("x")?;
                tracer.output("y", tracer.load(&norm).forward(x))
            })
            .unwrap();
        assert_eq!(exported.graph().nodes().len(), 1);
        let x = Tensor::<3>::ones([1, 2, 4], &Device::flex());
        let y: Vec<f32> = norm.forward(x).into_data().iter().collect();
        assert!(y.iter().all(|y| (y - 1.0).abs() < 1e-4), "{y:?}");
    }
}
