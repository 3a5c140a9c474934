//! Which nodes gain from fewer bits, and which must not lose any.

use crate::graph::{Graph, Node, ValueId};

/// Operators in which nearly all arithmetic and all weights are.
pub(super) fn is_heavy(node: &Node) -> bool {
    matches!(node.op, "Conv" | "ConvTranspose" | "MatMul" | "Gemm")
}

/// Operators that move numbers or change each by itself without enlarging its rounding error:
/// they compute in whatever precision their readers want.
pub(super) fn is_light(node: &Node) -> bool {
    matches!(
        node.op,
        "Abs"
            | "Add"
            | "AveragePool"
            | "Cast"
            | "Clip"
            | "Concat"
            | "Elu"
            | "Expand"
            | "Flatten"
            | "Gather"
            | "GatherElements"
            | "HardSigmoid"
            | "Identity"
            | "LeakyRelu"
            | "Max"
            | "MaxPool"
            | "Min"
            | "Mul"
            | "Neg"
            | "PRelu"
            | "Pad"
            | "Relu"
            | "Reshape"
            | "Resize"
            | "Sigmoid"
            | "Slice"
            | "Split"
            | "Squeeze"
            | "Sub"
            | "Tanh"
            | "Tile"
            | "Transpose"
            | "Unsqueeze"
            | "Where"
    )
}

/// Which ends of a graph are the whole computation's; at the others it was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) inputs: bool,
    pub(crate) outputs: bool,
}

impl Ends {
    /// A computation in one piece.
    pub(crate) const WHOLE: Self = Self {
        inputs: true,
        outputs: true,
    };
}

/// The heads: for each node, whether only light nodes, or nothing, stand between it and an output
/// of the computation. These numbers are what the user gets.
pub(super) fn heads(graph: &Graph, ends: Ends) -> Vec<bool> {
    let producers = graph.producers();
    let mut heads = vec![false; graph.nodes().len()];
    if !ends.outputs {
        return heads;
    }
    let mut open: Vec<ValueId> = graph.outputs().iter().map(|(_, id)| *id).collect();
    while let Some(id) = open.pop() {
        let Some(index) = producers[id.0 as usize].filter(|&index| !heads[index]) else {
            continue;
        };
        heads[index] = true;
        let node = &graph.nodes()[index];
        if is_light(node) {
            open.extend(&node.inputs);
        }
    }
    heads
}

/// The stems: for each node, whether it is heavy and no heavy node stands between it and the
/// inputs of the computation. They see raw intensities and are cheap.
pub(super) fn stems(graph: &Graph, ends: Ends) -> Vec<bool> {
    if !ends.inputs {
        return vec![false; graph.nodes().len()];
    }
    let mut behind_heavy = vec![false; graph.value_count()];
    let mut from_input = vec![false; graph.value_count()];
    for (_, id) in graph.inputs() {
        from_input[id.0 as usize] = true;
    }
    graph
        .nodes()
        .iter()
        .map(|node| {
            let any = |known: &[bool]| node.inputs.iter().any(|id| known[id.0 as usize]);
            let (input, heavy) = (any(&from_input), any(&behind_heavy));
            for id in &node.outputs {
                from_input[id.0 as usize] = input;
                behind_heavy[id.0 as usize] = heavy || is_heavy(node);
            }
            is_heavy(node) && input && !heavy
        })
        .collect()
}
