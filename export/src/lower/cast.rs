//! Changes of element type.

use burn::backend::ir::CastOpIr;

use super::Context;
use super::row::row;
use crate::error::ExportError;
use crate::graph::Attribute;

row!(INT_INTO_FLOAT: Int::IntoFloat(op) => ["Cast"], |cx| cast(cx, op));
row!(FLOAT_INTO_INT: Float::IntoInt(op) => ["Cast"], |cx| cast(cx, op));
row!(BOOL_INTO_FLOAT: Bool::IntoFloat(op) => ["Cast"], |cx| cast(cx, op));
row!(BOOL_INTO_INT: Bool::IntoInt(op) => ["Cast"], |cx| cast(cx, op));
row!(CAST: Base::Cast(op) => ["Cast"], |cx| cast(cx, op));

fn cast(cx: &mut Context<'_>, op: &CastOpIr) -> Result<(), ExportError> {
    let input = cx.read(&op.input)?;
    let to = cx.dtype_of(&op.out)?;
    cx.node("Cast", &[input])
        .attribute("to", Attribute::Dtype(to))
        .makes(&op.out)
}
