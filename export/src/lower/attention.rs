//! Scaled dot-product attention; ONNX has an operator for it from opset 23 only.

use burn::backend::ir::AttentionOpIr;

use super::Context;
use super::context::number;
use super::row::row;
use crate::error::ExportError;
use crate::graph::ValueId;
use crate::types::{Constant, Dtype};

row!(ATTENTION: Module::Attention(op) => [
    "Transpose", "MatMul", "Mul", "Div", "Tanh", "Where", "Add", "Softmax"
], |cx| attention(cx, op));

/// In burn's order: scale, soft cap, mask, causality, bias.
fn attention(cx: &mut Context<'_>, op: &AttentionOpIr) -> Result<(), ExportError> {
    let (query, key, value) = (cx.read(&op.query)?, cx.read(&op.key)?, cx.read(&op.value)?);
    let (queries, keys) = (cx.shape(query).to_vec(), cx.shape(key).to_vec());
    let (&[batch, heads, rows, width], &[_, _, columns, _]) = (queries.as_slice(), keys.as_slice())
    else {
        return Err(cx.unsupported("queries and keys have rank 4"));
    };
    let dtype = cx.dtype_of(&op.query)?;
    let shape = vec![batch, heads, rows, columns];
    let mut turned = keys.clone();
    turned.swap(2, 3);
    let key = cx
        .node("Transpose", &[key])
        .ints("perm", [0, 1, 3, 2])
        .temporary(dtype, turned);
    let scores = cx
        .node("MatMul", &[query, key])
        .temporary(dtype, shape.clone());
    let scale = op.options.scale.map_or(1.0 / (width as f64).sqrt(), number);
    let scale = cx.number_like(scores, scale);
    let mut scores = cx.join("Mul", scores, scale);
    if let Some(cap) = op.options.softcap {
        let cap = cx.number_like(scores, number(cap));
        let part = cx.join("Div", scores, cap);
        let bent = cx.map("Tanh", part);
        scores = cx.join("Mul", bent, cap);
    }
    if let Some(mask) = &op.mask {
        let mask = cx.read(mask)?;
        scores = hide(cx, mask, scores);
    }
    if op.options.is_causal {
        // With fewer queries than keys, the last query sees all keys.
        let later = (0..rows).flat_map(|row| {
            (0..columns).map(move |column| u8::from(column + rows > row + columns))
        });
        let later = Constant {
            dtype: Dtype::Bool,
            shape: vec![rows, columns],
            bytes: later.collect::<Vec<_>>().into(),
        };
        let later = cx.constant(later);
        scores = hide(cx, later, scores);
    }
    if let Some(bias) = &op.attn_bias {
        let bias = cx.read(bias)?;
        scores = cx.join("Add", scores, bias);
    }
    let weights = cx
        .node("Softmax", &[scores])
        .int("axis", 3)
        .temporary(dtype, shape);
    cx.node("MatMul", &[weights, value]).makes(&op.out)
}

fn hide(cx: &mut Context<'_>, mask: ValueId, scores: ValueId) -> ValueId {
    let never = cx.number_like(scores, f64::NEG_INFINITY);
    cx.choose(mask, never, scores)
}
