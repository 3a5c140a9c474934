//! Picking parts of a tensor.

use super::row::row;

row!(SELECT: Base::Select(op) => ["Gather"], |cx| {
    let (tensor, indices) = (cx.read(&op.tensor)?, cx.read(&op.indices)?);
    cx.node("Gather", &[tensor, indices]).int("axis", op.dim).makes(&op.out)
});
row!(SLICE: Base::Slice(op) => ["Slice"], |cx| {
    let tensor = cx.read(&op.tensor)?;
    let mut starts = Vec::new();
    let mut ends = Vec::new();
    let mut steps = Vec::new();
    for (range, &size) in op.ranges.iter().zip(op.tensor.shape.iter()) {
        if range.step <= 0 {
            return Err(cx.unsupported("slices with a negative step are not lowered yet"));
        }
        starts.push(range.start as i64);
        ends.push(range.end.map_or(size as i64, |end| end as i64));
        steps.push(range.step as i64);
    }
    let axes: Vec<i64> = (0..starts.len() as i64).collect();
    let inputs = [tensor, cx.ints(&starts), cx.ints(&ends), cx.ints(&axes), cx.ints(&steps)];
    cx.node("Slice", &inputs).makes(&op.out)
});
