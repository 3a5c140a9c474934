//! Matrix products. burn 0.22 records a linear layer as one of these and a sum; its own operation
//! for it cannot be reached yet.

use super::row::row;

row!(MATMUL: Float::Matmul(op) => ["MatMul"], |cx| {
    let (lhs, rhs) = (cx.read(&op.lhs)?, cx.read(&op.rhs)?);
    cx.node("MatMul", &[lhs, rhs]).makes(&op.out)
});
