//! THE table: every burn operation that can be exported.

use std::collections::BTreeMap;

use burn::backend::ir::OperationIr;

use super::key::key;
use super::{Context, Lowering};
use super::{
    activation, arithmetic, cast, constant, conv, index, join, linear, math, norm, reduce, shape,
};
use crate::capture::{Captured, Kind};
use crate::error::{ExportError, Unsupported};
use crate::graph::Graph;
use crate::types::Dtype;

/// All rows, by family.
pub(crate) const TABLE: &[Lowering] = &[
    activation::GELU,
    activation::LEAKY_RELU,
    activation::LOG_SOFTMAX,
    activation::RELU,
    activation::SIGMOID,
    activation::SOFTMAX,
    arithmetic::ABS,
    arithmetic::ADD,
    arithmetic::ADD_SCALAR,
    arithmetic::CLAMP,
    arithmetic::CLAMP_MAX,
    arithmetic::CLAMP_MIN,
    arithmetic::DIV,
    arithmetic::DIV_SCALAR,
    arithmetic::MUL,
    arithmetic::MUL_SCALAR,
    arithmetic::NEG,
    arithmetic::POWF_SCALAR,
    arithmetic::POWI_SCALAR,
    arithmetic::SUB,
    arithmetic::SUB_SCALAR,
    cast::CAST,
    cast::FLOAT_INTO_INT,
    cast::INT_INTO_FLOAT,
    constant::FULL,
    constant::ONES,
    constant::ZEROS,
    conv::CONV1D,
    conv::CONV2D,
    conv::CONV3D,
    conv::CONV_TRANSPOSE1D,
    conv::CONV_TRANSPOSE2D,
    conv::CONV_TRANSPOSE3D,
    index::SELECT,
    index::SLICE,
    join::CAT,
    linear::MATMUL,
    math::CEIL,
    math::COS,
    math::ERF,
    math::EXP,
    math::FLOOR,
    math::LOG,
    math::RECIP,
    math::SIN,
    math::SQRT,
    math::TANH,
    norm::BATCH_NORM,
    norm::LAYER_NORM,
    reduce::MAX,
    reduce::MAX_DIM,
    reduce::MEAN,
    reduce::MEAN_DIM,
    reduce::MIN,
    reduce::MIN_DIM,
    reduce::SUM,
    reduce::SUM_DIM,
    shape::EXPAND,
    shape::PERMUTE,
    shape::RESHAPE,
    shape::SWAP_DIMS,
];

fn row(op: &OperationIr) -> Option<&'static Lowering> {
    let key = key(op);
    TABLE.iter().find(|row| row.key == key)
}

/// Lowers a recorded computation, or reports every operation that has no row.
pub(crate) fn lower(captured: Captured) -> Result<Graph, ExportError> {
    let Captured {
        graph,
        mut values,
        inputs,
        outputs,
    } = captured;
    let mut cx = Context::new(&mut values);
    for (spec, id) in inputs {
        let dtype = match spec.kind {
            Kind::Float => Dtype::F32,
            Kind::Int => Dtype::I64,
        };
        cx.add_input(spec.name, id, dtype, &spec.shape);
    }
    let operations: Vec<&OperationIr> = graph
        .operations
        .iter()
        .filter(|op| !cx.is_source(op))
        .collect();
    refuse_unsupported(&operations)?;
    for op in operations {
        cx.enter(op);
        if let Some(row) = row(op) {
            (row.lower)(&mut cx, op)?;
        }
    }
    cx.finish(outputs)
}

fn refuse_unsupported(operations: &[&OperationIr]) -> Result<(), ExportError> {
    let mut unsupported: BTreeMap<&'static str, Unsupported> = BTreeMap::new();
    for op in operations.iter().filter(|op| row(op).is_none()) {
        let op_key = key(op);
        let result = op.outputs().next().map_or_else(
            || "nothing".to_owned(),
            |out| {
                let dtype = Dtype::from_burn(out.dtype).map_or("quantised", Dtype::name);
                format!("{dtype}{:?}", out.shape.to_vec())
            },
        );
        unsupported
            .entry(op_key)
            .and_modify(|item| item.count += 1)
            .or_insert(Unsupported {
                op: op_key,
                result,
                count: 1,
            });
    }
    match unsupported.is_empty() {
        true => Ok(()),
        false => Err(ExportError::Unsupported(
            unsupported.into_values().collect(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_unique_and_sorted_into_families() {
        let mut keys: Vec<_> = TABLE.iter().map(|row| row.key).collect();
        keys.sort_unstable();
        let count = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), count, "an operation has two rows");
        assert!(TABLE.iter().all(|row| !row.onnx.is_empty()));
    }
}
