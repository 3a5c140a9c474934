//! Matrix products.

use super::row::row;

row!(MATMUL: Float::Matmul(op) => ["MatMul"], |cx| {
    let (lhs, rhs) = (cx.read(&op.lhs)?, cx.read(&op.rhs)?);
    cx.node("MatMul", &[lhs, rhs]).makes(&op.out)
});
// burn keeps a linear layer's weight as [in, out], so no transposition is needed.
row!(LINEAR: Module::Linear(op) => ["MatMul", "Add"], |cx| {
    let (x, weight) = (cx.read(&op.x)?, cx.read(&op.weight)?);
    let Some(bias) = &op.bias else {
        return cx.node("MatMul", &[x, weight]).makes(&op.out);
    };
    let bias = cx.read(bias)?;
    let (dtype, shape) = (cx.dtype_of(&op.out)?, op.out.shape.to_vec());
    let product = cx.node("MatMul", &[x, weight]).temporary(dtype, shape);
    cx.node("Add", &[product, bias]).makes(&op.out)
});
