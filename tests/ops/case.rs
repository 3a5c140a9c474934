//! One case: a function over tensors that burn, ONNX Runtime and tract compute.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::module::Module;
use burn::prelude::*;
use burn::tensor::{DType, TensorData};
use prost::Message;
use uniseg_export::{ExportError, Exporter, Opset, Tracer};
use uniseg_imaging::ndarray::{ArrayD, IxDyn};
use uniseg_runtime::{EngineKind, EngineOptions, Model, Tensor as Found, open_engine};

use super::random::Random;
use crate::support::ort;

/// Layout, integers and comparisons: the same bits.
pub const EXACT: f32 = 0.0;
/// Elementary functions differ in their last bits between implementations.
pub const ROUNDING: f32 = 5e-6;
/// Sums of products are taken in another order.
pub const SUMS: f32 = 2e-5;

/// The body of a case.
pub type Body = Box<dyn Fn(&mut Given<'_>) + Send + Sync>;

/// A case before and while it is run.
pub struct Case {
    /// The burn operations that it is about.
    pub subjects: Vec<&'static str>,
    /// What is special about it.
    pub name: String,
    inputs: Vec<Found>,
    /// Allowed difference of a float, relative to 1 + its size.
    tolerance: f32,
    /// The first opset that has what it becomes.
    opset: Opset,
    /// Why an engine cannot run it, where that is so.
    pub cannot: Vec<(EngineKind, &'static str)>,
    body: Option<Body>,
    random: Random,
}

/// Begins a case about one operation.
pub fn case(subject: &'static str, name: impl Into<String>) -> Case {
    let name = name.into();
    Case {
        subjects: vec![subject],
        random: Random::seeded(&format!("{subject} {name}")),
        name,
        inputs: Vec::new(),
        tolerance: EXACT,
        opset: Opset::DEFAULT,
        cannot: Vec::new(),
        body: None,
    }
}

impl Case {
    /// Also about another operation.
    pub fn and(mut self, subject: &'static str) -> Self {
        self.subjects.push(subject);
        self
    }

    /// A float input between `low` and `high`.
    pub fn float(mut self, shape: &[usize], low: f32, high: f32) -> Self {
        let random = &mut self.random;
        let array = ArrayD::from_shape_simple_fn(IxDyn(shape), || random.float(low, high));
        self.inputs.push(Found::F32(array));
        self
    }

    /// A float input of these numbers.
    pub fn floats(mut self, values: &[f32]) -> Self {
        let array = ArrayD::from_shape_vec(IxDyn(&[values.len()]), values.to_vec());
        self.inputs.push(Found::F32(array.expect("a vector")));
        self
    }

    /// An integer input from `low` up to, not including, `high`.
    pub fn int(mut self, shape: &[usize], low: i64, high: i64) -> Self {
        let random = &mut self.random;
        let array = ArrayD::from_shape_simple_fn(IxDyn(shape), || random.int(low, high));
        self.inputs.push(Found::I64(array));
        self
    }

    /// An integer input of these numbers.
    pub fn ints(mut self, shape: &[usize], values: &[i64]) -> Self {
        let array = ArrayD::from_shape_vec(IxDyn(shape), values.to_vec());
        self.inputs.push(Found::I64(
            array.expect("as many numbers as the shape says"),
        ));
        self
    }

    /// Allows floats to differ.
    pub fn within(mut self, tolerance: f32) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// ONNX has no operator for it before this opset.
    pub fn since(mut self, version: i64) -> Self {
        self.opset = Opset::new(version).expect("a known opset");
        self
    }

    /// tract fails it, which is checked.
    pub fn tract_cannot(self, reason: &'static str) -> Self {
        self.cannot(EngineKind::Tract, reason)
    }

    /// An engine fails it, which is checked.
    pub fn cannot(mut self, kind: EngineKind, reason: &'static str) -> Self {
        self.cannot.push((kind, reason));
        self
    }

    /// What is computed.
    pub fn body(mut self, body: impl Fn(&mut Given<'_>) + Send + Sync + 'static) -> Self {
        self.body = Some(Box::new(body));
        self
    }
}

/// What came of a case.
pub struct Outcome {
    /// The operations of burn that left a node.
    pub origins: BTreeSet<&'static str>,
    /// The operators of ONNX in the graph.
    pub operators: Vec<&'static str>,
    /// The file.
    pub bytes: Vec<u8>,
    /// How each engine fared.
    pub engines: Vec<(EngineKind, Result<(), String>)>,
}

impl Case {
    /// Computes the case three times and compares.
    pub fn run(&self) -> Result<Outcome, String> {
        self.run_in(self.opset)
    }

    /// [`Case::run`] with the file in another opset.
    pub fn run_in(&self, opset: Opset) -> Result<Outcome, String> {
        let body = self.body.as_ref().ok_or("the case has no body")?;
        let expected = catch_unwind(AssertUnwindSafe(|| self.eager(body)))
            .map_err(|_| "burn panicked".to_owned())?;
        let exported = self
            .export(body, opset)
            .map_err(|error| error.to_string())?;
        let nodes = exported.graph().nodes();
        let origins = nodes.iter().map(|node| node.origin).collect();
        let operators = nodes.iter().map(|node| node.op).collect();
        let model = exported.into_model("case");
        let faults = uniseg_onnx::check(&model);
        if !faults.is_empty() {
            return Err(format!("{faults:?}"));
        }
        let bytes = model.encode_to_vec();
        let engines = ort::ENGINES
            .into_iter()
            .map(|kind| (kind, self.compare(kind, &bytes, &expected)))
            .collect();
        Ok(Outcome {
            origins,
            operators,
            bytes,
            engines,
        })
    }

    fn eager(&self, body: &Body) -> Vec<Found> {
        let device = Device::flex();
        let mut given = Given {
            device: device.clone(),
            inputs: &self.inputs,
            random: self.random.clone(),
            read: 0,
            mode: Mode::Eager(Vec::new()),
        };
        body(&mut given);
        match given.mode {
            Mode::Eager(outputs) => outputs,
            Mode::Traced(..) => Vec::new(),
        }
    }

    fn export(&self, body: &Body, opset: Opset) -> Result<uniseg_export::Exported, ExportError> {
        let mut exporter = Exporter::new().opset(opset);
        for (index, input) in self.inputs.iter().enumerate() {
            let name = format!("x{index}");
            exporter = match input {
                Found::F32(array) => exporter.float_input(&name, array.shape()),
                Found::I64(array) => exporter.int_input(&name, array.shape()),
            };
        }
        exporter.export(|tracer| {
            let mut given = Given {
                device: tracer.device().clone(),
                inputs: &self.inputs,
                random: self.random.clone(),
                read: 0,
                mode: Mode::Traced(tracer, 0),
            };
            body(&mut given);
            Ok(())
        })
    }

    fn compare(&self, kind: EngineKind, bytes: &[u8], expected: &[Found]) -> Result<(), String> {
        let model = Model::unchecked(bytes.to_vec().into(), uniseg_onnx::sample::tiny_manifest());
        let options = EngineOptions {
            kind,
            threads: std::num::NonZeroUsize::new(1),
            ort_lib: Some(ort::library().to_owned()),
            ..EngineOptions::default()
        };
        let names: Vec<String> = (0..self.inputs.len())
            .map(|index| format!("x{index}"))
            .collect();
        let inputs: Vec<_> = names
            .iter()
            .zip(&self.inputs)
            .map(|(name, input)| (name.as_str(), input.view()))
            .collect();
        let found = open_engine(&model, &options)
            .and_then(|mut opened| opened.engine.run(&inputs))
            .map_err(|error| chain(&error))?;
        if found.len() != expected.len() {
            return Err(format!("{} outputs, not {}", found.len(), expected.len()));
        }
        for ((name, found), expected) in found.iter().zip(expected) {
            self.same(found, expected)
                .map_err(|text| format!("{name}: {text}"))?;
        }
        Ok(())
    }

    fn same(&self, found: &Found, expected: &Found) -> Result<(), String> {
        if found.shape() != expected.shape() {
            return Err(format!("{found} where burn has {expected}"));
        }
        match (found, expected) {
            (Found::F32(found), Found::F32(expected)) => {
                let far = |a: f32, b: f32| {
                    let same = a == b || a.is_nan() && b.is_nan();
                    let near = (a - b).abs() <= self.tolerance * (1.0 + b.abs());
                    !same && !near
                };
                match found.iter().zip(expected).find(|(a, b)| far(**a, **b)) {
                    Some((a, b)) => Err(format!("{a} where burn has {b}")),
                    None => Ok(()),
                }
            }
            (Found::I64(found), Found::I64(expected)) => {
                match found.iter().zip(expected).find(|(a, b)| a != b) {
                    Some((a, b)) => Err(format!("{a} where burn has {b}")),
                    None => Ok(()),
                }
            }
            _ => Err(format!("{found} where burn has {expected}")),
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

/// A case's inputs and outputs, on whichever device it runs.
pub struct Given<'a> {
    device: Device,
    inputs: &'a [Found],
    random: Random,
    read: usize,
    mode: Mode<'a>,
}

enum Mode<'a> {
    Eager(Vec<Found>),
    Traced(&'a mut Tracer, usize),
}

impl Given<'_> {
    /// The next input.
    pub fn float<const D: usize>(&mut self) -> Tensor<D> {
        let index = self.next();
        match (&mut self.mode, &self.inputs[index]) {
            (Mode::Traced(tracer, _), _) => tracer
                .float(&format!("x{index}"))
                .unwrap_or_else(|error| panic!("{error}")),
            (Mode::Eager(_), Found::F32(array)) => {
                let values: Vec<f32> = array.iter().copied().collect();
                Tensor::from_data(
                    TensorData::new(values, array.shape().to_vec()),
                    &self.device,
                )
            }
            _ => panic!("input {index} is of integers"),
        }
    }

    /// The next input.
    pub fn int<const D: usize>(&mut self) -> Tensor<D, Int> {
        let index = self.next();
        match (&mut self.mode, &self.inputs[index]) {
            (Mode::Traced(tracer, _), _) => tracer
                .int(&format!("x{index}"))
                .unwrap_or_else(|error| panic!("{error}")),
            (Mode::Eager(_), Found::I64(array)) => {
                let values: Vec<i64> = array.iter().copied().collect();
                let data = TensorData::new(values, array.shape().to_vec());
                Tensor::from_data(data, (&self.device, DType::I64))
            }
            _ => panic!("input {index} is of floats"),
        }
    }

    /// Weights, the same ones each time the case runs.
    pub fn weights<const D: usize>(&mut self, shape: [usize; D]) -> Tensor<D> {
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|_| self.random.float(-1.0, 1.0)).collect();
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }

    /// A module's weights where the case runs; it must have drawn them already.
    pub fn load<M: Module>(&self, module: &M) -> M {
        match &self.mode {
            Mode::Eager(_) => module.clone(),
            Mode::Traced(tracer, _) => tracer.load(module),
        }
    }

    /// Known integers.
    pub fn known<const D: usize>(&self, shape: [usize; D], values: &[i64]) -> Tensor<D, Int> {
        let data = TensorData::new(values.to_vec(), shape);
        Tensor::from_data(data, (&self.device, DType::I64))
    }

    /// Where the case runs.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether the case is recorded.
    pub fn is_traced(&self) -> bool {
        matches!(self.mode, Mode::Traced(..))
    }

    /// The next output.
    pub fn output<const D: usize>(&mut self, tensor: Tensor<D>) {
        match &mut self.mode {
            Mode::Eager(outputs) => {
                let shape = tensor.dims();
                let values = tensor.into_data().iter::<f32>().collect();
                let array = ArrayD::from_shape_vec(IxDyn(&shape), values);
                outputs.push(Found::F32(array.expect("a tensor of its own shape")));
            }
            Mode::Traced(tracer, made) => {
                *made += 1;
                let result = tracer.output(&format!("y{made}"), tensor);
                result.unwrap_or_else(|error| panic!("{error}"));
            }
        }
    }

    /// The next output.
    pub fn output_int<const D: usize>(&mut self, tensor: Tensor<D, Int>) {
        let tensor = tensor.cast(DType::I64);
        match &mut self.mode {
            Mode::Eager(outputs) => {
                let shape = tensor.dims();
                let values = tensor.into_data().iter::<i64>().collect();
                let array = ArrayD::from_shape_vec(IxDyn(&shape), values);
                outputs.push(Found::I64(array.expect("a tensor of its own shape")));
            }
            Mode::Traced(tracer, made) => {
                *made += 1;
                let result = tracer.output_int(&format!("y{made}"), tensor);
                result.unwrap_or_else(|error| panic!("{error}"));
            }
        }
    }

    /// The next output, as zeros and ones: engines hand out floats and integers.
    pub fn output_bool<const D: usize>(&mut self, tensor: Tensor<D, Bool>) {
        self.output_int(tensor.int());
    }

    fn next(&mut self) -> usize {
        self.read += 1;
        self.read - 1
    }
}
