//! Layout: the elements stay, their arrangement changes.

use super::row::row;

row!(RESHAPE: Base::Reshape(op) => ["Reshape"], |cx| {
    let shape: Vec<i64> = op.out.shape.iter().map(|&size| size as i64).collect();
    let inputs = [cx.read(&op.input)?, cx.ints(&shape)];
    cx.node("Reshape", &inputs).makes(&op.out)
});
row!(EXPAND: Base::Expand(op) => ["Expand"], |cx| {
    let shape: Vec<i64> = op.out.shape.iter().map(|&size| size as i64).collect();
    let inputs = [cx.read(&op.input)?, cx.ints(&shape)];
    cx.node("Expand", &inputs).makes(&op.out)
});
row!(PERMUTE: Base::Permute(op) => ["Transpose"], |cx| {
    let input = cx.read(&op.input)?;
    cx.node("Transpose", &[input]).ints("perm", op.axes.iter().copied()).makes(&op.out)
});
row!(SWAP_DIMS: Base::SwapDims(op) => ["Transpose"], |cx| {
    let input = cx.read(&op.input)?;
    let mut axes: Vec<usize> = (0..cx.shape(input).len()).collect();
    if op.dim1.max(op.dim2) >= axes.len() {
        return Err(cx.unsupported("an axis to swap does not exist"));
    }
    axes.swap(op.dim1, op.dim2);
    cx.node("Transpose", &[input]).ints("perm", axes).makes(&op.out)
});
