//! A graph compiler from burn to ONNX.
//!
//! ```
//! use burn::nn::conv::Conv3dConfig;
//! use burn::prelude::*;
//! use burn::tensor::activation::leaky_relu;
//! use uniseg_export::Exporter;
//!
//! let conv = Conv3dConfig::new([1, 8], [3, 3, 3]).init(&Device::flex());
//! let exported = Exporter::new()
//!     .float_input("image", &[1, 1, 16, 16, 16])
//!     .export(|tracer| {
//!         let conv = tracer.load(&conv);
//!         let image = tracer.float::<5>("image")?;
//!         tracer.output("features", leaky_relu(conv.forward(image), 0.01))
//!     })?;
//! assert_eq!(exported.graph().nodes().len(), 2);
//! let model = exported.into_model("example");
//! # assert_eq!(model.graph.unwrap().initializer.len(), 2);
//! # Ok::<(), uniseg_export::ExportError>(())
//! ```
//!
//! The computation is recorded, not run: capture -> lower -> passes -> emit, each with a check of
//! the graph behind it. An operation that ONNX cannot express is an [`ExportError`] that names
//! it. What is deliberately absent: any knowledge of a particular network, and any engine.

mod capture;
mod emit;
mod error;
mod graph;
mod lower;
mod pass;
mod precision;
mod types;
mod verify;

#[cfg(test)]
mod testing;

pub use capture::Tracer;
pub use error::{ExportError, Unsupported};
pub use graph::{Attribute, Graph, Node, Value, ValueId};
pub use pass::PassReport;
pub use precision::{CalibrationError, Calibrator, Precision, Range, Readings};
pub use types::{Constant, Dtype, OPSET};

use capture::{InputSpec, Kind};

/// Declares the inputs of a computation and exports it.
#[derive(Debug, Default)]
pub struct Exporter {
    inputs: Vec<InputSpec>,
}

impl Exporter {
    /// An exporter without inputs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an f32 input of fixed shape.
    pub fn float_input(self, name: &str, shape: &[usize]) -> Self {
        self.input(name, shape, Kind::Float)
    }

    /// Adds an i64 input of fixed shape.
    pub fn int_input(self, name: &str, shape: &[usize]) -> Self {
        self.input(name, shape, Kind::Int)
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
    /// `forward` reads its inputs from the [`Tracer`] and declares its outputs there. It runs once
    /// and computes nothing, so it cannot look at a tensor's elements.
    pub fn export(
        self,
        forward: impl FnOnce(&mut Tracer) -> Result<(), ExportError>,
    ) -> Result<Exported, ExportError> {
        let captured = capture::capture(self.inputs, forward)?;
        let recorded_operations = captured.graph.operations.len();
        let mut graph = lower::table::lower(captured)?;
        verify::verify(&graph, "lowering")?;
        let passes = pass::table::optimise(&mut graph)?;
        Ok(Exported {
            graph,
            passes,
            recorded_operations,
        })
    }
}

/// An exported computation.
#[derive(Debug)]
pub struct Exported {
    graph: Graph,
    passes: Vec<PassReport>,
    recorded_operations: usize,
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

    /// How many operations burn recorded.
    pub fn recorded_operations(&self) -> usize {
        self.recorded_operations
    }

    /// The graph as an ONNX model; `name` is the graph's name in it.
    pub fn into_model(self, name: &str) -> uniseg_onnx::proto::ModelProto {
        emit::emit(&self.graph, name)
    }
}

/// The burn operations that can be exported and the ONNX operators they become.
pub fn supported_operations() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    lower::table::TABLE.iter().map(|row| (row.key, row.onnx))
}
