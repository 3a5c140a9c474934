#![doc = include_str!("../README.md")]

mod capture;
mod cost;
mod emit;
mod ends;
mod error;
mod graph;
mod lean;
mod lend;
mod lower;
mod opset;
mod pass;
mod precision;
mod split;
mod symbolic;
mod types;
mod verify;

#[cfg(test)]
mod testing;

pub use capture::Tracer;
pub use cost::Cost;
pub use ends::Handover;
pub use error::{ExportError, Unsupported};
pub use graph::{Attribute, Graph, Node, Value, ValueId};
pub use opset::Opset;
pub use pass::PassReport;
pub use precision::{CalibrationError, Calibrator, Int8, Precision, Range, Readings};
pub use split::{Feature, Split};
pub use types::{Constant, Dtype};

use capture::{InputSpec, Kind};
use pass::merge_upsampling::{self, merge_upsampling};
use pass::winograd::{self, winograd};
use precision::Ends;
use symbolic::Symbol;

/// Declares the inputs of a computation and exports it.
#[derive(Debug, Default)]
pub struct Exporter {
    opset: Opset,
    inputs: Vec<InputSpec>,
    symbolic: Vec<SymbolicAxis>,
}

/// An axis of an input that is to have a name instead of a size.
#[derive(Debug, Clone)]
struct SymbolicAxis {
    input: String,
    axis: usize,
    name: String,
    other: usize,
}

impl Exporter {
    /// An exporter without inputs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the model use the operators of `opset`, [`Opset::DEFAULT`] unless this is called. It is
    /// written in that version even if it needs an older one only; in bfloat16, at least in 22.
    pub fn opset(mut self, opset: Opset) -> Self {
        self.opset = opset;
        self
    }

    /// Adds an f32 input of fixed shape, which [`Tracer::float`] reads.
    ///
    /// Errors, from [`Exporter::export`]: [`ExportError::DuplicateName`],
    /// [`ExportError::UnusedInput`].
    pub fn float_input(self, name: &str, shape: &[usize]) -> Self {
        self.input(name, shape, Kind::Float)
    }

    /// Adds an i64 input of fixed shape, which [`Tracer::int`] reads.
    ///
    /// Errors, from [`Exporter::export`]: as for [`Exporter::float_input`].
    pub fn int_input(self, name: &str, shape: &[usize]) -> Self {
        self.input(name, shape, Kind::Int)
    }

    /// Leaves the size of an input's axis open under `name`, such as `batch`.
    ///
    /// The computation is recorded at the declared size and once more at `other`, and what differs
    /// tells what depends on it. Both must be sizes that the computation takes, and larger than 1,
    /// which would look like an axis to broadcast. Axes of several inputs may share a name; then
    /// they share their sizes as well.
    ///
    /// Errors, from [`Exporter::export`]: [`ExportError::BadSymbol`], [`ExportError::SizeDependent`].
    pub fn symbolic(mut self, input: &str, axis: usize, name: &str, other: usize) -> Self {
        self.symbolic.push(SymbolicAxis {
            input: input.to_owned(),
            axis,
            name: name.to_owned(),
            other,
        });
        self
    }

    fn input(mut self, name: &str, shape: &[usize], kind: Kind) -> Self {
        self.inputs.push(InputSpec {
            name: name.to_owned(),
            shape: shape.to_vec(),
            kind,
        });
        self
    }

    /// Records `forward`, lowers it and cleans the graph up.
    ///
    /// `forward` reads its inputs from the [`Tracer`] and declares its outputs there. It computes
    /// nothing, so it cannot look at a tensor's elements. It runs once, and once more for each
    /// symbolic axis.
    ///
    /// Errors: what `forward` returns; [`ExportError::Unsupported`] and
    /// [`ExportError::UnsupportedUse`] for what ONNX cannot express; [`ExportError::Panicked`] if
    /// `forward` panics, as burn does about wrong shapes; [`ExportError::NoOutput`],
    /// [`ExportError::NotCaptured`], and what the inputs and axes were declared wrong in.
    pub fn export(
        self,
        forward: impl Fn(&mut Tracer) -> Result<(), ExportError>,
    ) -> Result<Exported, ExportError> {
        let symbols = self.symbols()?;
        let mut exported = compile(self.inputs.clone(), self.opset, &forward)?;
        if symbols.is_empty() {
            return Ok(exported);
        }
        let mut others = Vec::with_capacity(symbols.len());
        for symbol in &symbols {
            let inputs = self.inputs_at(symbol);
            others.push(compile(inputs, self.opset, &forward)?.graph);
        }
        symbolic::unify(&mut exported.graph, &symbols, &others)?;
        verify::verify(&exported.graph, "symbolic axes")?;
        Ok(exported)
    }

    /// The symbols by name, each with the first axis that has it.
    fn symbols(&self) -> Result<Vec<Symbol>, ExportError> {
        let mut symbols: Vec<Symbol> = Vec::new();
        for wanted in &self.symbolic {
            let bad = |reason| ExportError::BadSymbol {
                input: wanted.input.clone(),
                axis: wanted.axis,
                name: wanted.name.clone(),
                reason,
            };
            let size = self
                .inputs
                .iter()
                .find(|input| input.name == wanted.input)
                .ok_or_else(|| bad("no such input is declared"))?
                .shape
                .get(wanted.axis)
                .copied()
                .ok_or_else(|| bad("the input has no such axis"))?;
            let sizes = [size, wanted.other];
            if size == wanted.other {
                return Err(bad(
                    "it takes two different sizes to tell what depends on them",
                ));
            }
            if sizes.iter().any(|&size| size < 2) {
                return Err(bad("both sizes must be larger than 1"));
            }
            match symbols.iter().find(|symbol| symbol.name == wanted.name) {
                Some(known) if known.sizes != sizes => {
                    return Err(bad("another axis of this name has other sizes"));
                }
                Some(_) => {}
                None => symbols.push(Symbol {
                    name: wanted.name.clone(),
                    input: wanted.input.clone(),
                    axis: wanted.axis,
                    sizes,
                }),
            }
        }
        Ok(symbols)
    }

    /// The inputs with `symbol` at its second size.
    fn inputs_at(&self, symbol: &Symbol) -> Vec<InputSpec> {
        let mut inputs = self.inputs.clone();
        for axis in self.symbolic.iter().filter(|axis| axis.name == symbol.name) {
            let input = inputs.iter_mut().find(|input| input.name == axis.input);
            if let Some(size) = input.and_then(|input| input.shape.get_mut(axis.axis)) {
                *size = symbol.sizes[1];
            }
        }
        inputs
    }
}

/// Capture -> lower -> passes, each with a check of the graph behind it.
fn compile(
    inputs: Vec<InputSpec>,
    opset: Opset,
    forward: &impl Fn(&mut Tracer) -> Result<(), ExportError>,
) -> Result<Exported, ExportError> {
    let captured = capture::capture(inputs, forward)?;
    let recorded_operations = captured.graph.operations.len();
    let mut graph = lower::table::lower(captured, opset)?;
    verify::verify(&graph, "lowering")?;
    let before = Cost::of(&graph);
    let passes = pass::table::optimise(&mut graph)?;
    Ok(Exported {
        graph,
        passes,
        recorded_operations,
        before,
        ends: Ends::WHOLE,
    })
}

/// An exported computation.
#[derive(Debug)]
pub struct Exported {
    graph: Graph,
    passes: Vec<PassReport>,
    recorded_operations: usize,
    before: Cost,
    ends: Ends,
}

impl Exported {
    /// The optimised graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What each pass did.
    pub fn passes(&self) -> &[PassReport] {
        &self.passes
    }

    /// How many operations burn recorded, before any of them was lowered.
    pub fn recorded_operations(&self) -> usize {
        self.recorded_operations
    }

    /// What the graph cost before the passes, and what it costs now.
    pub fn costs(&self) -> [Cost; 2] {
        [self.before, Cost::of(&self.graph)]
    }

    /// Splits the computation into what does not depend on `input` and what does, so that the
    /// first part can be computed once for many values of `input`. Convolutions over a
    /// concatenation of both are divided between them.
    ///
    /// Errors: [`ExportError::NothingToSplit`].
    pub fn split(self, input: &str) -> Result<Split, ExportError> {
        split::split(self, input)
    }

    /// Divides convolutions over a concatenation of what depends on `input` and what does not, so
    /// that only one half is computed again for another value of `input`: a runtime that repeats
    /// what depends on it shares more. Exact but for the order of sums.
    ///
    /// Errors: [`ExportError::BrokenGraph`], a bug of this crate.
    pub fn divide_at(self, input: &str) -> Result<Exported, ExportError> {
        self.rewritten(pass::split_conv::ORIGIN, |graph| {
            split::divide(graph, input)
        })
    }

    /// Takes less memory to run: convolutions over a concatenation are divided where the most is
    /// alive together, see [`Cost::activation_bytes`]. Exact but for the order of sums.
    ///
    /// An engine that adds in place loses no time (OpenVINO); ONNX Runtime's own processor provider
    /// reads and writes the sum once more, a tenth of its time on a U-Net.
    ///
    /// Errors: [`ExportError::BrokenGraph`], a bug of this crate.
    pub fn lean(self) -> Result<Exported, ExportError> {
        self.rewritten(lean::ORIGIN, lean::lean)
    }

    /// Needs fewer operations: transposed convolutions are merged with the convolution behind them,
    /// where both are linear in the same features. Exact but for the order of sums.
    ///
    /// OpenVINO computes such convolutions fast in f32, and a U-Net then keeps no upsampled
    /// features; ONNX Runtime's own processor provider takes a multiple of the memory for them.
    ///
    /// Errors: [`ExportError::BrokenGraph`], a bug of this crate.
    pub fn merge_upsampling(self) -> Result<Exported, ExportError> {
        self.rewritten(merge_upsampling::ORIGIN, merge_upsampling)
    }

    /// Needs fewer operations: convolutions with a kernel of 3 take half their products, by
    /// Winograd's F(4, 3) along the first spatial axis, where tensors are small beside the peak.
    /// Weights double there. Exact but for rounding, which grows tenfold: for f32 only.
    ///
    /// Errors: [`ExportError::BrokenGraph`], a bug of this crate.
    pub fn winograd(self) -> Result<Exported, ExportError> {
        self.rewritten(winograd::ORIGIN, winograd)
    }

    /// Changes the graph, and reports and checks it; `change` says how many places it changed.
    fn rewritten(
        mut self,
        origin: &'static str,
        change: impl FnOnce(&mut Graph) -> usize,
    ) -> Result<Exported, ExportError> {
        let before = Cost::of(&self.graph);
        let changes = change(&mut self.graph);
        verify::verify(&self.graph, origin)?;
        self.graph.drop_unused_constants();
        let mut report = PassReport::new(origin);
        report.add(changes, before, Cost::of(&self.graph));
        self.passes.push(report);
        Ok(self)
    }

    /// The graph as an ONNX model; `name` is the graph's name in it. Encode it with
    /// [`uniseg_onnx::proto::Message`] for a file.
    pub fn into_model(self, name: &str) -> uniseg_onnx::proto::ModelProto {
        emit::emit(&self.graph, name)
    }
}

/// One burn operation of inference, and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Its name, such as `Module::Conv3d`; float, int and bool variants share it.
    pub name: &'static str,
    /// The ONNX operators that it may become, or why ONNX cannot express it.
    pub onnx: Result<&'static [&'static str], &'static str>,
    /// The first opset that has these operators, as far as models are written in it.
    pub since: Opset,
}

/// Every operation of inference that burn can record, family by family. What computes gradients or
/// is about several devices is none.
pub fn operations() -> impl Iterator<Item = Operation> {
    lower::key::keys()
        .filter(|name| lower::refused::not_inference(name).is_none())
        .map(|name| {
            let row = lower::table::TABLE.iter().find(|row| row.key == name);
            let reason = lower::refused::refusal(name).unwrap_or("it has no lowering yet");
            Operation {
                name,
                onnx: row.map(|row| row.onnx).ok_or(reason),
                since: row.map_or(Opset::DEFAULT, |row| row.since),
            }
        })
}
