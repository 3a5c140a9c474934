//! Activation functions.

use super::context::number;
use super::row::row;
use crate::graph::Attribute;

row!(RELU: Activation::Relu(op) => ["Relu"], |cx| cx.unary("Relu", op));
row!(SIGMOID: Activation::Sigmoid(op) => ["Sigmoid"], |cx| cx.unary("Sigmoid", op));
row!(LEAKY_RELU: Activation::LeakyRelu(op) => ["LeakyRelu"], |cx| {
    let input = cx.read(&op.lhs)?;
    cx.node("LeakyRelu", &[input]).float("alpha", number(op.rhs)).makes(&op.out)
});
row!(SOFTMAX: Activation::Softmax(op) => ["Softmax"], |cx| {
    let input = cx.read(&op.input)?;
    cx.node("Softmax", &[input]).attribute("axis", Attribute::Int(op.axis as i64)).makes(&op.out)
});
row!(LOG_SOFTMAX: Activation::LogSoftmax(op) => ["LogSoftmax"], |cx| {
    let input = cx.read(&op.input)?;
    cx.node("LogSoftmax", &[input]).attribute("axis", Attribute::Int(op.axis as i64)).makes(&op.out)
});
// GELU is exact (erf) in burn; ONNX has an operator for it from opset 20 only.
row!(GELU: Activation::Gelu(op) => ["Div", "Erf", "Add", "Mul"], |cx| {
    let input = cx.read(&op.input)?;
    let (dtype, shape) = (cx.dtype_of(&op.out)?, op.out.shape.to_vec());
    let root = cx.scalar(&op.input, std::f64::consts::SQRT_2)?;
    let one = cx.scalar(&op.input, 1.0)?;
    let half = cx.scalar(&op.input, 0.5)?;
    let x = cx.node("Div", &[input, root]).temporary(dtype, shape.clone());
    let x = cx.node("Erf", &[x]).temporary(dtype, shape.clone());
    let x = cx.node("Add", &[x, one]).temporary(dtype, shape.clone());
    let x = cx.node("Mul", &[x, half]).temporary(dtype, shape);
    cx.node("Mul", &[input, x]).makes(&op.out)
});
// burn gives the slopes the rank of the input.
row!(PRELU: Activation::PRelu(op) => ["PRelu"], |cx| cx.binary("PRelu", op));
row!(HARD_SIGMOID: Activation::HardSigmoid(op) => ["HardSigmoid"], |cx| {
    let input = cx.read(&op.tensor)?;
    cx.node("HardSigmoid", &[input])
        .float("alpha", number(op.alpha))
        .float("beta", number(op.beta))
        .makes(&op.out)
});
row!(LOG_SIGMOID: Activation::LogSigmoid(op) => ["Neg", "Softplus"], |cx| {
    let input = cx.read(&op.input)?;
    let negated = cx.map("Neg", input);
    let soft = cx.map("Softplus", negated);
    cx.node("Neg", &[soft]).makes(&op.out)
});
row!(SOFTMIN: Activation::Softmin(op) => ["Neg", "Softmax"], |cx| {
    let input = cx.read(&op.input)?;
    let negated = cx.map("Neg", input);
    cx.node("Softmax", &[negated]).int("axis", op.axis).makes(&op.out)
});
