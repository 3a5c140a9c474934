use super::View;
use crate::graph::{Attribute, Graph, Node, Patch, ValueId};
use crate::types::Constant;

/// A convolution over a concatenation of channels that nothing else reads.
///
/// It is linear in its channels, so that each part of the concatenation has weights of its own.
pub(super) struct JoinedConv<'a> {
    /// What is concatenated, each with the number of its channels.
    inputs: Vec<(ValueId, usize)>,
    weight: &'a Constant,
    /// Where the input channels are in the weights.
    axis: usize,
}

/// Some of what a convolution reads, and the weights for it.
pub(super) struct Part {
    pub(super) inputs: Vec<ValueId>,
    pub(super) weight: Constant,
}

impl<'a> JoinedConv<'a> {
    /// `None` for any other node; grouped convolutions, whose weights have the channels of one
    /// group only, are declined too.
    pub(super) fn of(view: &View<'a>, conv: &Node) -> Option<Self> {
        // The second axis of a convolution's weights, the first of a transposed one's.
        let axis = match conv.op {
            "Conv" => 1,
            "ConvTranspose" => 0,
            _ => return None,
        };
        let &[joined, weight] = conv.inputs.get(..2)? else {
            return None;
        };
        let (_, concat) = view.made_for_one(joined)?;
        let by_channel = concat.op == "Concat" && concat.int("axis") == Some(1);
        if !by_channel || conv.int("group") != Some(1) {
            return None;
        }
        let sized = |&input: &ValueId| Some((input, *view.shape(input).get(1)?));
        Some(Self {
            inputs: concat.inputs.iter().map(sized).collect::<Option<_>>()?,
            weight: view.graph.constant(weight)?,
            axis,
        })
    }

    /// The wanted inputs, in their order; `None` if that is none or all of them.
    pub(super) fn part(&self, wanted: impl Fn(ValueId) -> bool) -> Option<Part> {
        let mut inputs = Vec::new();
        let mut channels = Vec::new();
        let mut at = 0;
        for &(input, count) in &self.inputs {
            if wanted(input) {
                inputs.push(input);
                channels.extend(at..at + count);
            }
            at += count;
        }
        if inputs.is_empty() || inputs.len() == self.inputs.len() {
            return None;
        }
        let weight = self.weight.take(self.axis, &channels)?;
        Some(Part { inputs, weight })
    }
}

/// Joins values on the channel axis before the node at `index`; one alone is itself.
pub(super) fn join(
    graph: &mut Graph,
    patch: &mut Patch,
    index: usize,
    inputs: Vec<ValueId>,
    origin: &'static str,
) -> ValueId {
    if let &[one] = inputs.as_slice() {
        return one;
    }
    let first = graph.value(inputs[0]);
    let (dtype, mut shape) = (first.dtype, first.shape.clone());
    shape[1] = inputs.iter().map(|&id| graph.value(id).shape[1]).sum();
    let node = Node {
        op: "Concat",
        inputs,
        outputs: Vec::new(),
        attributes: vec![("axis", Attribute::Int(1))],
        origin,
    };
    patch.insert_new(graph, index, node, dtype, shape)
}

/// Picks channels of `x`, those of the vector `indices`, before the node at `index`.
pub(super) fn pick(
    graph: &mut Graph,
    patch: &mut Patch,
    index: usize,
    [x, indices]: [ValueId; 2],
    origin: &'static str,
) -> ValueId {
    let value = graph.value(x);
    let (dtype, mut shape) = (value.dtype, value.shape.clone());
    shape[1] = graph.value(indices).shape[0];
    let node = Node {
        op: "Gather",
        inputs: vec![x, indices],
        outputs: Vec::new(),
        attributes: vec![("axis", Attribute::Int(1))],
        origin,
    };
    patch.insert_new(graph, index, node, dtype, shape)
}
