//! A network of one input and one output, and how it is compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use burn::module::Module;
use burn::prelude::*;
use burn::tensor::{DType, TensorData};
use prost::Message;
use uniseg_export::{ExportError, Exported, Exporter, Tracer};
use uniseg_imaging::ndarray::{ArrayD, IxDyn};
use uniseg_runtime::{EngineKind, Model, Tensor as Found};

use super::weights::seeded;
use crate::ops::random::Random;
use crate::support::{compare::max_abs, ort, python::passes_the_checker};

/// Largest difference between two implementations of a network, relative to its largest output:
/// dozens of layers of f32 sums, each taken in another order.
pub const CLOSE: f32 = 2e-5;
/// How much of it the output of another input differs at least; otherwise a comparison says
/// nothing.
const APART: f32 = 1e-2;
/// Names of the two ends.
pub const INPUT: &str = "x";
const OUTPUT: &str = "y";
/// The second size of an open batch.
const OTHER_BATCH: usize = 3;

/// The network as burn runs it, and as it is recorded.
type Eager = Box<dyn Fn(&Found) -> ArrayD<f32>>;
type Traced = Box<dyn Fn(&mut Tracer) -> Result<(), ExportError>>;

/// A network with all it takes to run it.
pub struct Subject {
    name: &'static str,
    shape: Vec<usize>,
    /// How many different tokens there are, where the input is of tokens.
    vocabulary: Option<i64>,
    eager: Eager,
    traced: Traced,
    cannot: Vec<(EngineKind, &'static str)>,
}

impl Subject {
    /// A network of floats. `shape` begins with the batch, which must be 2.
    pub fn of_floats<M: Module + 'static, const I: usize, const O: usize>(
        name: &'static str,
        shape: [usize; I],
        network: M,
        forward: fn(&M, Tensor<I>) -> Tensor<O>,
    ) -> Self {
        let network = seeded(network, name);
        let copy = network.clone();
        Self {
            name,
            shape: shape.to_vec(),
            vocabulary: None,
            eager: Box::new(move |input| array(forward(&copy, floats(input)))),
            traced: Box::new(move |tracer| {
                let network = tracer.load(&network);
                let x = tracer.float::<I>(INPUT)?;
                tracer.output(OUTPUT, forward(&network, x))
            }),
            cannot: Vec::new(),
        }
    }

    /// A network of tokens, integers from 0 up to, not including, `vocabulary`.
    pub fn of_tokens<M: Module + 'static, const I: usize, const O: usize>(
        name: &'static str,
        shape: [usize; I],
        vocabulary: i64,
        network: M,
        forward: fn(&M, Tensor<I, Int>) -> Tensor<O>,
    ) -> Self {
        let network = seeded(network, name);
        let copy = network.clone();
        Self {
            name,
            shape: shape.to_vec(),
            vocabulary: Some(vocabulary),
            eager: Box::new(move |input| array(forward(&copy, tokens(input)))),
            traced: Box::new(move |tracer| {
                let network = tracer.load(&network);
                let x = tracer.int::<I>(INPUT)?;
                tracer.output(OUTPUT, forward(&network, x))
            }),
            cannot: Vec::new(),
        }
    }

    /// An engine fails on it where the batch is open, which is checked.
    pub fn cannot_open(mut self, kind: EngineKind, reason: &'static str) -> Self {
        self.cannot.push((kind, reason));
        self
    }

    /// The same numbers each time, for another seed others.
    pub fn input(&self, batch: usize, seed: usize) -> Found {
        let mut random = Random::seeded(&format!("{} {seed}", self.name));
        let mut shape = self.shape.clone();
        shape[0] = batch;
        match self.vocabulary {
            None => Found::F32(ArrayD::from_shape_simple_fn(IxDyn(&shape), || {
                random.float(-1.5, 2.0)
            })),
            Some(vocabulary) => Found::I64(ArrayD::from_shape_simple_fn(IxDyn(&shape), || {
                random.int(0, vocabulary)
            })),
        }
    }

    /// What burn computes on its own.
    pub fn expected(&self, input: &Found) -> ArrayD<f32> {
        (self.eager)(input)
    }

    /// The network exported, for its batch or for any.
    pub fn export(&self, open: bool) -> Exported {
        let exporter = Exporter::new();
        let exporter = match self.vocabulary {
            None => exporter.float_input(INPUT, &self.shape),
            Some(_) => exporter.int_input(INPUT, &self.shape),
        };
        let exporter = match open {
            true => exporter.symbolic(INPUT, 0, "batch", OTHER_BATCH),
            false => exporter,
        };
        exporter
            .export(&self.traced)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Exports the network twice, for its batch and for any, shows both files to ONNX's checker,
    /// runs both in both engines, and says which operators the first has.
    #[track_caller]
    pub fn check(&self) -> String {
        let fixed = self.export(false);
        let counts = operators(&fixed);
        self.compare(&checked(self.name, fixed), &[2, 2, 2], &[]);
        let open = checked(self.name, self.export(true));
        self.compare(&open, &[1, OTHER_BATCH, 5], &self.cannot);
        counts
    }

    #[track_caller]
    fn compare(&self, model: &Model, batches: &[usize], cannot: &[(EngineKind, &str)]) {
        let inputs: Vec<Found> = batches
            .iter()
            .enumerate()
            .map(|(seed, &batch)| self.input(batch, seed))
            .collect();
        let expected: Vec<ArrayD<f32>> = inputs.iter().map(|input| self.expected(input)).collect();
        let size = |array: &ArrayD<f32>| array.iter().fold(0.0f32, |worst, v| worst.max(v.abs()));
        if let [first, second, ..] = expected.as_slice()
            && first.shape() == second.shape()
        {
            let apart = max_abs(first.view(), second.view()) / size(first);
            assert!(apart >= APART, "{}: {apart:.1e} apart", self.name);
        }
        for kind in ort::ENGINES {
            if let Some((_, reason)) = cannot.iter().find(|(engine, _)| *engine == kind) {
                let options = ort::options(kind);
                let input = [(INPUT, inputs[1].view())];
                let works = uniseg_runtime::open_engine(model, &options)
                    .and_then(|mut opened| opened.engine.run(&input));
                assert!(works.is_err(), "{kind} runs {}, though {reason}", self.name);
                continue;
            }
            let mut engine = ort::engine(model, kind);
            for (input, expected) in inputs.iter().zip(&expected) {
                let outputs = engine
                    .run(&[(INPUT, input.view())])
                    .unwrap_or_else(|error| panic!("{}, {kind}: {error:?}", self.name));
                let [(_, Found::F32(found))] = outputs.as_slice() else {
                    panic!("{}, {kind}: not one output of floats", self.name)
                };
                self.close(&kind.to_string(), found, expected);
            }
        }
    }

    /// Compares with what burn computed, relative to its largest number.
    #[track_caller]
    pub fn close(&self, who: &str, found: &ArrayD<f32>, expected: &ArrayD<f32>) {
        let size = expected.iter().fold(0.0f32, |worst, v| worst.max(v.abs()));
        let worst = max_abs(found.view(), expected.view()) / size;
        println!("{}, {who}: {worst:.1e} of {size:.2}", self.name);
        assert!(worst <= CLOSE, "{}, {who}: {worst:.1e}", self.name);
    }
}

/// The file, after our checks and those of ONNX.
#[track_caller]
pub fn checked(name: &str, exported: Exported) -> Model {
    let model = exported.into_model(name);
    let faults = uniseg_onnx::check(&model);
    assert!(faults.is_empty(), "{name}: {faults:?}");
    let bytes = model.encode_to_vec();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.onnx");
    fs::write(&path, &bytes).expect("a disk");
    passes_the_checker(&path);
    // The runtime asks for a manifest; these inputs are none of those it describes.
    Model::unchecked(bytes.into(), uniseg_onnx::sample::tiny_manifest())
}

/// One operator a line with how many there are of it, by name.
fn operators(exported: &Exported) -> String {
    let mut counts = BTreeMap::new();
    for node in exported.graph().nodes() {
        *counts.entry(node.op).or_insert(0) += 1;
    }
    counts.iter().fold(String::new(), |mut text, (op, count)| {
        writeln!(text, "{count:3} {op}").expect("a string");
        text
    })
}

/// A tensor of burn's, elsewhere.
pub fn array<const D: usize>(tensor: Tensor<D>) -> ArrayD<f32> {
    let shape = tensor.dims();
    let elements = tensor.into_data().iter::<f32>().collect();
    ArrayD::from_shape_vec(IxDyn(&shape), elements).expect("a tensor of its own shape")
}

/// Numbers for burn.
pub fn floats<const D: usize>(input: &Found) -> Tensor<D> {
    let Found::F32(values) = input else {
        panic!("the network takes floats")
    };
    let data = TensorData::new(values.iter().copied().collect::<Vec<f32>>(), values.shape());
    Tensor::from_data(data, &Device::flex())
}

/// Tokens for burn.
pub fn tokens<const D: usize>(input: &Found) -> Tensor<D, Int> {
    let Found::I64(values) = input else {
        panic!("the network takes tokens")
    };
    let data = TensorData::new(values.iter().copied().collect::<Vec<i64>>(), values.shape());
    Tensor::from_data(data, (&Device::flex(), DType::I64))
}
