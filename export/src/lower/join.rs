//! Joining tensors.

use super::row::row;

row!(CAT: Base::Cat(op) => ["Concat"], |cx| {
    let inputs = op.tensors.iter().map(|tensor| cx.read(tensor)).collect::<Result<Vec<_>, _>>()?;
    cx.node("Concat", &inputs).int("axis", op.dim).makes(&op.out)
});
