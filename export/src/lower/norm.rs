//! Normalisations that burn has as one operation; composed ones are found again by passes.

use super::context::number;
use super::row::row;

row!(BATCH_NORM: Module::BatchNorm(op) => ["BatchNormalization"], |cx| {
    let inputs = [&op.x, &op.gamma, &op.beta, &op.mean, &op.variance];
    let mut values = Vec::with_capacity(inputs.len());
    for tensor in inputs {
        values.push(cx.read(tensor)?);
    }
    cx.node("BatchNormalization", &values).float("epsilon", number(op.epsilon)).makes(&op.out)
});
row!(LAYER_NORM: Module::LayerNorm(op) => ["LayerNormalization"], |cx| {
    let mut inputs = vec![cx.read(&op.input)?, cx.read(&op.gamma)?];
    if let Some(beta) = &op.beta {
        inputs.push(cx.read(beta)?);
    }
    cx.node("LayerNormalization", &inputs)
        .int("axis", op.input.shape.len().saturating_sub(1))
        .float("epsilon", number(op.epsilon))
        .makes(&op.out)
});
