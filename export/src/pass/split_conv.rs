use crate::graph::{Attribute, Graph, Node, Patch, ValueId};
use crate::types::Constant;

use super::View;

/// Divides convolutions over a concatenation of what varies and what does not.
///
/// ```text
/// Conv(Concat(varying, fixed), w, b)   ->   Conv(varying, w[varying]) + Conv(fixed, w[fixed], b)
/// ```
/// A convolution is linear, so this is exact but for the order of a sum. It costs an addition, and
/// pays where the fixed half is computed once for many runs of the other: so it is not in the
/// pipeline, but run before a graph is split. Declines grouped convolutions and a concatenation
/// that something else reads too. Returns the number of convolutions divided.
pub(crate) fn split_convolutions(graph: &mut Graph, varying: &[bool]) -> usize {
    let found: Vec<(usize, [Half; 2])> = {
        let view = View::new(graph);
        let varies = |id: ValueId| varying.get(id.0 as usize).copied().unwrap_or(false);
        graph
            .nodes()
            .iter()
            .enumerate()
            .filter_map(|(index, conv)| Some((index, halves(&view, conv, &varies)?)))
            .collect()
    };
    let mut patch = Patch::default();
    for (index, halves) in found {
        let conv = graph.nodes()[index].clone();
        let made = graph.value(conv.outputs[0]);
        let (dtype, shape) = (made.dtype, made.shape.clone());
        let mut sums = Vec::with_capacity(2);
        for (half, with_bias) in halves.into_iter().zip([false, true]) {
            let weight = graph.add_constant(half.weight);
            let x = join(graph, &mut patch, index, half.inputs);
            let bias = conv.inputs.get(2).copied().filter(|_| with_bias);
            let sum = graph.add_value(dtype, shape.clone());
            let node = Node {
                inputs: [x, weight].into_iter().chain(bias).collect(),
                outputs: vec![sum],
                ..conv.clone()
            };
            patch.insert_before(index, node);
            sums.push(sum);
        }
        let add = Node {
            op: "Add",
            inputs: sums,
            outputs: Vec::new(),
            attributes: Vec::new(),
            origin: "split-convolutions",
        };
        patch.replace(graph, index, add);
    }
    patch.finish(graph)
}

struct Half {
    inputs: Vec<ValueId>,
    weight: Constant,
}

/// What varies, then what does not; `None` unless there is something of both.
fn halves(view: &View<'_>, conv: &Node, varies: &impl Fn(ValueId) -> bool) -> Option<[Half; 2]> {
    if !matches!(conv.op, "Conv" | "ConvTranspose") || conv.int("group") != Some(1) {
        return None;
    }
    let &[joined, weight] = conv.inputs.get(..2)? else {
        return None;
    };
    let (_, concat) = view.made_for_one(joined)?;
    if concat.op != "Concat" || concat.int("axis") != Some(1) {
        return None;
    }
    let weight = view.graph.constant(weight)?;
    // Input channels: the second axis of a convolution's weights, the first of a transposed one's.
    let axis = if conv.op == "Conv" { 1 } else { 0 };
    let half = |wanted: bool| {
        let mut inputs = Vec::new();
        let mut channels = Vec::new();
        let mut at = 0;
        for &input in &concat.inputs {
            let count = *view.shape(input).get(1)?;
            if varies(input) == wanted {
                inputs.push(input);
                channels.extend(at..at + count);
            }
            at += count;
        }
        let weight = (!inputs.is_empty()).then(|| weight.take(axis, &channels))??;
        Some(Half { inputs, weight })
    };
    Some([half(true)?, half(false)?])
}

fn join(graph: &mut Graph, patch: &mut Patch, index: usize, inputs: Vec<ValueId>) -> ValueId {
    if let &[one] = inputs.as_slice() {
        return one;
    }
    let first = graph.value(inputs[0]);
    let (dtype, mut shape) = (first.dtype, first.shape.clone());
    shape[1] = inputs.iter().map(|&id| graph.value(id).shape[1]).sum();
    let joined = graph.add_value(dtype, shape);
    patch.insert_before(
        index,
        Node {
            op: "Concat",
            inputs,
            outputs: vec![joined],
            attributes: vec![("axis", Attribute::Int(1))],
            origin: "split-convolutions",
        },
    );
    joined
}
