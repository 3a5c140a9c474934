//! burn operations -> ONNX operators.
//!
//! Each operation is one [`Lowering`] row, in one file beside its relatives; [`table`] lists the
//! rows, [`refused`] what has none and why. To add an operation, write its row and name it in the
//! table.

pub(crate) mod key;
pub(crate) mod refused;
pub(crate) mod table;

mod activation;
mod arithmetic;
mod assign;
mod attention;
mod bitwise;
mod cast;
mod compare;
mod constant;
mod context;
mod conv;
mod deform;
mod index;
mod join;
mod linear;
mod logic;
mod math;
mod norm;
mod order;
mod pad;
mod pool;
mod reduce;
mod resample;
mod row;
mod scan;
mod shape;
mod weights;

pub(crate) use context::Context;

use burn::backend::ir::OperationIr;

use crate::error::ExportError;
use crate::opset::Opset;

/// How one burn operation becomes ONNX.
pub(crate) struct Lowering {
    /// The operation, as [`key::key`] names it.
    pub(crate) key: &'static str,
    /// The ONNX operators it becomes.
    pub(crate) onnx: &'static [&'static str],
    /// The first opset that has them.
    pub(crate) since: Opset,
    /// Adds those operators to the graph.
    pub(crate) lower: fn(&mut Context<'_>, &OperationIr) -> Result<(), ExportError>,
}
