use crate::graph::Node;
use crate::types::Constant;

/// The result of a node whose inputs are all known, or `None` if this operator, element type or
/// shape is not one that folding knows.
pub(super) fn evaluate(node: &Node, inputs: &[&Constant], shape: &[usize]) -> Option<Constant> {
    match node.op {
        "Reshape" => Some(inputs.first()?.reshaped(shape)),
        "Transpose" => transpose(inputs.first()?, node.ints("perm")?, shape),
        "Concat" => concat(inputs, usize::try_from(node.int("axis")?).ok()?, shape),
        "Add" => binary(inputs, shape, |a, b| a + b),
        "Sub" => binary(inputs, shape, |a, b| a - b),
        "Mul" => binary(inputs, shape, |a, b| a * b),
        "Div" => binary(inputs, shape, |a, b| a / b),
        "Sqrt" => unary(inputs, f32::sqrt),
        "Neg" => unary(inputs, |a| -a),
        _ => None,
    }
}

fn unary(inputs: &[&Constant], function: impl Fn(f32) -> f32) -> Option<Constant> {
    let input = inputs.first()?;
    let values: Vec<f32> = input.as_f32()?.into_iter().map(function).collect();
    Some(Constant::f32(&input.shape, &values))
}

/// Two tensors of the result's shape, or one of them a single number.
fn binary(
    inputs: &[&Constant],
    shape: &[usize],
    function: impl Fn(f32, f32) -> f32,
) -> Option<Constant> {
    let &[lhs, rhs] = inputs else { return None };
    let size: usize = shape.iter().product();
    let (a, b) = (lhs.as_f32()?, rhs.as_f32()?);
    let fits = |values: &[f32], operand: &Constant| values.len() == 1 || operand.shape == shape;
    if !fits(&a, lhs) || !fits(&b, rhs) {
        return None;
    }
    let at = |values: &[f32], index: usize| values[if values.len() == 1 { 0 } else { index }];
    let values: Vec<f32> = (0..size)
        .map(|index| function(at(&a, index), at(&b, index)))
        .collect();
    Some(Constant::f32(shape, &values))
}

fn transpose(input: &Constant, perm: &[i64], shape: &[usize]) -> Option<Constant> {
    let size = input.dtype.size();
    let mut strides = vec![1; input.shape.len()];
    for axis in (0..strides.len().saturating_sub(1)).rev() {
        strides[axis] = strides[axis + 1] * input.shape[axis + 1];
    }
    let strides: Vec<usize> = perm
        .iter()
        .map(|&axis| strides.get(axis as usize).copied())
        .collect::<Option<_>>()?;
    let count: usize = shape.iter().product();
    let mut bytes = Vec::with_capacity(count * size);
    let mut index = vec![0; shape.len()];
    for _ in 0..count {
        let from: usize = index
            .iter()
            .zip(&strides)
            .map(|(i, stride)| i * stride)
            .sum();
        bytes.extend_from_slice(input.bytes.get(from * size..(from + 1) * size)?);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    Some(Constant {
        dtype: input.dtype,
        shape: shape.to_vec(),
        bytes: bytes.into(),
    })
}

fn concat(inputs: &[&Constant], axis: usize, shape: &[usize]) -> Option<Constant> {
    let dtype = inputs.first()?.dtype;
    let outer: usize = shape.get(..axis)?.iter().product();
    let mut bytes = Vec::with_capacity(shape.iter().product::<usize>() * dtype.size());
    for block in 0..outer {
        for input in inputs {
            let length = input.shape.get(axis..)?.iter().product::<usize>() * dtype.size();
            bytes.extend_from_slice(input.bytes.get(block * length..(block + 1) * length)?);
        }
    }
    Some(Constant {
        dtype,
        shape: shape.to_vec(),
        bytes: bytes.into(),
    })
}
