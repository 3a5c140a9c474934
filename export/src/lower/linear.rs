//! Matrix products. burn 0.22 records a linear layer as one of these and a sum; its own operation
//! for it is recorded where a backend is called without the tensor API.

use burn::backend::ir::MatmulOpIr;

use super::Context;
use super::row::row;
use crate::error::ExportError;

row!(MATMUL: Float::Matmul(op) => ["MatMul"], |cx| matmul(cx, op));
row!(INT_MATMUL: Int::Matmul(op) => ["MatMul"], |cx| matmul(cx, op));
row!(LINEAR: Module::Linear(op) => ["MatMul", "Add"], |cx| {
    let inputs = [cx.read(&op.x)?, cx.read(&op.weight)?];
    let Some(bias) = &op.bias else {
        return cx.node("MatMul", &inputs).makes(&op.out);
    };
    let bias = cx.read(bias)?;
    let (dtype, shape) = (cx.dtype_of(&op.out)?, op.out.shape.to_vec());
    let product = cx.node("MatMul", &inputs).temporary(dtype, shape);
    cx.node("Add", &[product, bias]).makes(&op.out)
});

fn matmul(cx: &mut Context<'_>, op: &MatmulOpIr) -> Result<(), ExportError> {
    let (lhs, rhs) = (cx.read(&op.lhs)?, cx.read(&op.rhs)?);
    cx.node("MatMul", &[lhs, rhs]).makes(&op.out)
}
