//! THE table: every burn operation that can be exported.

use std::collections::BTreeMap;

use burn::backend::ir::OperationIr;

use super::key::key;
use super::refused::refusal;
use super::{Context, Lowering};
use super::{
    activation, arithmetic, assign, attention, bitwise, cast, compare, constant, conv, deform,
    index, join, linear, logic, math, norm, order, pad, pool, reduce, resample, scan, shape,
};
use crate::capture::{Captured, Kind};
use crate::error::{ExportError, Unsupported};
use crate::graph::Graph;
use crate::opset::Opset;
use crate::types::Dtype;

/// All rows, by family.
pub(crate) const TABLE: &[Lowering] = &[
    activation::GELU,
    activation::HARD_SIGMOID,
    activation::LEAKY_RELU,
    activation::LOG_SIGMOID,
    activation::LOG_SOFTMAX,
    activation::PRELU,
    activation::RELU,
    activation::SIGMOID,
    activation::SOFTMAX,
    activation::SOFTMIN,
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
    arithmetic::POWF,
    arithmetic::POWF_SCALAR,
    arithmetic::POWI,
    arithmetic::POWI_SCALAR,
    arithmetic::REM,
    arithmetic::REM_SCALAR,
    arithmetic::SIGN,
    arithmetic::SUB,
    arithmetic::SUB_SCALAR,
    assign::MASK_FILL,
    assign::MASK_WHERE,
    assign::SCATTER,
    assign::SCATTER_ND,
    assign::SELECT_ASSIGN,
    assign::SLICE_ASSIGN,
    attention::ATTENTION,
    bitwise::BITWISE_AND,
    bitwise::BITWISE_AND_SCALAR,
    bitwise::BITWISE_NOT,
    bitwise::BITWISE_OR,
    bitwise::BITWISE_OR_SCALAR,
    bitwise::BITWISE_XOR,
    bitwise::BITWISE_XOR_SCALAR,
    bitwise::LEFT_SHIFT,
    bitwise::LEFT_SHIFT_SCALAR,
    bitwise::RIGHT_SHIFT,
    bitwise::RIGHT_SHIFT_SCALAR,
    cast::BOOL_INTO_FLOAT,
    cast::BOOL_INTO_INT,
    cast::CAST,
    cast::FLOAT_INTO_INT,
    cast::INT_INTO_FLOAT,
    compare::EQUAL,
    compare::EQUAL_ELEM,
    compare::GREATER,
    compare::GREATER_ELEM,
    compare::GREATER_EQUAL,
    compare::GREATER_EQUAL_ELEM,
    compare::LOWER,
    compare::LOWER_ELEM,
    compare::LOWER_EQUAL,
    compare::LOWER_EQUAL_ELEM,
    compare::NOT_EQUAL,
    compare::NOT_EQUAL_ELEM,
    constant::EMPTY,
    constant::FULL,
    constant::ONES,
    constant::ZEROS,
    conv::CONV1D,
    conv::CONV2D,
    conv::CONV3D,
    conv::CONV_TRANSPOSE1D,
    conv::CONV_TRANSPOSE2D,
    conv::CONV_TRANSPOSE3D,
    deform::DEFORM_CONV2D,
    index::EMBEDDING,
    index::GATHER,
    index::GATHER_ND,
    index::SELECT,
    index::SLICE,
    join::CAT,
    linear::INT_MATMUL,
    linear::LINEAR,
    linear::MATMUL,
    logic::ALL,
    logic::ALL_DIM,
    logic::AND,
    logic::ANY,
    logic::ANY_DIM,
    logic::NOT,
    logic::OR,
    logic::XOR,
    math::ARC_COS,
    math::ARC_COSH,
    math::ARC_SIN,
    math::ARC_SINH,
    math::ARC_TAN,
    math::ARC_TAN2,
    math::ARC_TANH,
    math::CEIL,
    math::COS,
    math::COSH,
    math::CROSS,
    math::ERF,
    math::EXP,
    math::FLOOR,
    math::HYPOT,
    math::IS_INF,
    math::IS_NAN,
    math::LOG,
    math::LOG1P,
    math::RECIP,
    math::ROUND,
    math::SIN,
    math::SINH,
    math::SQRT,
    math::TAN,
    math::TANH,
    math::TRUNC,
    norm::BATCH_NORM,
    norm::LAYER_NORM,
    order::ARG_MAX,
    order::ARG_MIN,
    order::ARG_SORT,
    order::ARG_TOP_K,
    order::MAX_DIM_WITH_INDICES,
    order::MIN_DIM_WITH_INDICES,
    order::SORT,
    order::SORT_WITH_INDICES,
    order::TOP_K,
    order::TOP_K_WITH_INDICES,
    pad::PAD,
    pool::AVG_POOL1D,
    pool::AVG_POOL2D,
    pool::MAX_POOL1D,
    pool::MAX_POOL1D_WITH_INDICES,
    pool::MAX_POOL2D,
    pool::MAX_POOL2D_WITH_INDICES,
    reduce::MAX,
    reduce::MAX_ABS,
    reduce::MAX_ABS_DIM,
    reduce::MAX_DIM,
    reduce::MEAN,
    reduce::MEAN_DIM,
    reduce::MIN,
    reduce::MIN_DIM,
    reduce::PROD,
    reduce::PROD_DIM,
    reduce::SUM,
    reduce::SUM_DIM,
    reduce::SUM_DIMS,
    resample::ADAPTIVE_AVG_POOL1D,
    resample::ADAPTIVE_AVG_POOL2D,
    resample::ADAPTIVE_AVG_POOL3D,
    resample::GRID_SAMPLE2D,
    resample::INTERPOLATE,
    resample::UNFOLD4D,
    scan::CUM_MAX,
    scan::CUM_MIN,
    scan::CUM_PROD,
    scan::CUM_SUM,
    shape::EXPAND,
    shape::FLIP,
    shape::PERMUTE,
    shape::REPEAT_DIM,
    shape::RESHAPE,
    shape::SWAP_DIMS,
    shape::UNFOLD,
];

fn row(op: &OperationIr) -> Option<&'static Lowering> {
    let key = key(op);
    TABLE.iter().find(|row| row.key == key)
}

/// Lowers a recorded computation to operators of `opset`, or reports every operation that has no
/// row, or only one of a later opset.
pub(crate) fn lower(captured: Captured, opset: Opset) -> Result<Graph, ExportError> {
    let Captured {
        graph,
        mut values,
        inputs,
        outputs,
    } = captured;
    let mut cx = Context::new(&mut values, opset);
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
    refuse_unsupported(&operations, opset)?;
    for op in operations {
        cx.enter(op);
        if let Some(row) = row(op) {
            (row.lower)(&mut cx, op)?;
        }
    }
    cx.finish(outputs)
}

/// Why something cannot be said yet.
pub(super) fn later(onnx: &[&str], since: Opset, opset: Opset) -> String {
    format!(
        "ONNX has {} from opset {since} on, and opset {opset} is written",
        onnx.join(", ")
    )
}

fn refuse_unsupported(operations: &[&OperationIr], opset: Opset) -> Result<(), ExportError> {
    let mut unsupported: BTreeMap<&'static str, Unsupported> = BTreeMap::new();
    for op in operations {
        let op_key = key(op);
        let reason = match row(op) {
            Some(row) if row.since <= opset => continue,
            Some(row) => Some(later(row.onnx, row.since, opset)),
            None => refusal(op_key).map(str::to_owned),
        };
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
                reason,
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
    use super::super::key::keys;
    use super::super::refused::{REFUSED, not_inference};
    use super::*;

    #[test]
    fn every_operation_has_one_row_or_one_reason() {
        for key in keys() {
            let rows = TABLE.iter().filter(|row| row.key == key).count();
            let reasons = REFUSED
                .iter()
                .filter(|(refused, _)| *refused == key)
                .count();
            let expected = usize::from(not_inference(key).is_none());
            assert_eq!(
                rows + reasons,
                expected,
                "{key}: {rows} rows, {reasons} reasons"
            );
        }
    }

    #[test]
    fn rows_and_reasons_are_for_operations_that_there_are() {
        let known: Vec<_> = keys().collect();
        let refused = REFUSED.iter().map(|(key, _)| *key);
        for key in TABLE.iter().map(|row| row.key).chain(refused) {
            assert!(known.contains(&key), "{key}");
        }
        assert!(TABLE.iter().all(|row| !row.onnx.is_empty()));
    }
}
