//! What a graph costs to run, as far as its shapes tell.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::graph::{Graph, Node, ValueId};

/// Work and traffic of one run of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Floating-point operations; a multiplication with its addition counts as two. Elementwise
    /// operators count one for each element, norms and soft-max eight, layout none.
    pub flops: u64,
    /// Bytes that nodes read and write, each node for itself.
    pub traffic_bytes: u64,
    /// Bytes of all initializers.
    pub weight_bytes: u64,
    /// Bytes of inputs and results that are alive together, at the most, if nodes run in their
    /// order and each value is kept until its last use. Engines may compute in place, or keep
    /// more.
    pub activation_bytes: u64,
    /// Number of nodes.
    pub nodes: u64,
}

impl Cost {
    /// That of `graph`.
    pub fn of(graph: &Graph) -> Self {
        let bytes = |id: &ValueId| graph.value(*id).bytes();
        let mut cost = Self {
            activation_bytes: activation_bytes(graph),
            nodes: graph.nodes().len() as u64,
            ..Self::default()
        };
        let mut stored = HashSet::new();
        for node in graph.nodes() {
            cost.flops += flops(graph, node);
            cost.traffic_bytes += node
                .inputs
                .iter()
                .chain(&node.outputs)
                .map(bytes)
                .sum::<u64>();
            for id in &node.inputs {
                if graph.constant(*id).is_some() && stored.insert(*id) {
                    cost.weight_bytes += bytes(id);
                }
            }
        }
        cost
    }
}

/// See [`Cost::activation_bytes`].
fn activation_bytes(graph: &Graph) -> u64 {
    let outputs = graph.outputs().iter().map(|(_, id)| *id);
    let mut last_use: HashMap<ValueId, usize> = outputs.map(|id| (id, usize::MAX)).collect();
    for (index, node) in graph.nodes().iter().enumerate() {
        for id in &node.inputs {
            let last = last_use.entry(*id).or_insert(index);
            *last = index.max(*last);
        }
    }
    let bytes = |id: ValueId| graph.value(id).bytes();
    let mut alive: u64 = graph.inputs().iter().map(|(_, id)| bytes(*id)).sum();
    let mut most = alive;
    for (index, node) in graph.nodes().iter().enumerate() {
        alive += node.outputs.iter().map(|id| bytes(*id)).sum::<u64>();
        most = most.max(alive);
        let read: BTreeSet<ValueId> = node.inputs.iter().copied().collect();
        let unread = node
            .outputs
            .iter()
            .copied()
            .filter(|id| !last_use.contains_key(id));
        let done = read
            .into_iter()
            .filter(|id| last_use.get(id) == Some(&index) && graph.constant(*id).is_none())
            .chain(unread);
        alive = done.fold(alive, |alive, id| alive.saturating_sub(bytes(id)));
    }
    most
}

fn elements(shape: &[usize]) -> u64 {
    shape.iter().map(|&size| size as u64).product()
}

/// Bytes of the weight of one node of `graph`: its second input, if that is constant.
pub(crate) fn weight_bytes(graph: &Graph, node: &Node) -> u64 {
    let weight = node.inputs.get(1).and_then(|id| graph.constant(*id));
    weight.map_or(0, |weight| weight.bytes.len() as u64)
}

/// Floating-point operations of one node of `graph`, as [`Cost::flops`] counts them.
pub(crate) fn flops(graph: &Graph, node: &Node) -> u64 {
    let size = |id: Option<&ValueId>| id.map_or(0, |id| elements(&graph.value(*id).shape));
    let made = size(node.outputs.first());
    let weights = |slot: usize| {
        node.inputs
            .get(slot)
            .map(|id| graph.value(*id).shape.as_slice())
    };
    match node.op {
        // Each result is the sum over one filter: [out, in / group, kernel..].
        "Conv" => 2 * made * weights(1).map_or(0, |shape| elements(shape.get(1..).unwrap_or(&[]))),
        // Each input is spread by one filter: [in, out / group, kernel..].
        "ConvTranspose" => {
            let read = size(node.inputs.first());
            2 * read * weights(1).map_or(0, |shape| elements(shape.get(1..).unwrap_or(&[])))
        }
        "MatMul" | "Gemm" => {
            let inner = weights(0)
                .and_then(|shape| shape.last().copied())
                .unwrap_or(0);
            2 * made * inner as u64
        }
        // Queries with keys, soft-max with its scale, weights with values.
        "Attention" => {
            let columns = weights(1)
                .and_then(|shape| shape.get(2).copied())
                .unwrap_or(0) as u64;
            let read = size(node.inputs.first());
            let width = weights(0)
                .and_then(|shape| shape.last().copied())
                .unwrap_or(1);
            let scores = read / (width as u64).max(1) * columns;
            2 * (read + made) * columns + 9 * scores
        }
        "InstanceNormalization"
        | "LayerNormalization"
        | "BatchNormalization"
        | "Softmax"
        | "LogSoftmax" => 8 * made,
        "Reshape" | "Transpose" | "Expand" | "Concat" | "Slice" | "Gather" | "Cast"
        | "Identity" | "Shape" | "Split" | "Pad" | "Tile" | "Unsqueeze" | "Squeeze" => 0,
        op if op.starts_with("Reduce") => size(node.inputs.first()),
        _ => made,
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::conv::{Conv2dConfig, ConvTranspose2dConfig};
    use burn::prelude::*;

    use super::*;
    use crate::Exporter;
    use crate::testing::placed;

    #[test]
    fn convolutions_count_as_their_products() {
        let exported = Exporter::new()
            .float_input("x", &[1, 2, 8, 8])
            .export(|tracer| {
                let x = tracer.float::<4>("x")?;
                let conv = Conv2dConfig::new([2, 4], [3; 2]).with_bias(false);
                let x = placed(conv.init(&Device::flex()), &x).forward(x);
                let up = ConvTranspose2dConfig::new([4, 2], [2; 2]).with_stride([2; 2]);
                let x = placed(up.with_bias(false).init(&Device::flex()), &x).forward(x);
                tracer.output("y", x)
            })
            .unwrap();
        let cost = Cost::of(exported.graph());
        // 4 x 6 x 6 results of 2 x 3 x 3 products; 4 x 6 x 6 inputs to 2 x 2 x 2 results.
        assert_eq!(cost.flops, 2 * (4 * 36 * 18 + 4 * 36 * 8));
        assert_eq!(cost.weight_bytes, 4 * (4 * 18 + 4 * 8));
        assert_eq!(cost.nodes, 2);
        // What the transposed convolution reads, 4 x 6 x 6, and makes, 2 x 12 x 12.
        assert_eq!(cost.activation_bytes, 4 * (4 * 36 + 2 * 144));
    }
}
