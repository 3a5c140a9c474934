//! Channels that can be scaled where they are made and back where they are read.
//!
//! ```text
//! norm(gamma, beta)         -> leaky ReLU -> conv(w)
//! norm(gamma / s, beta / s) -> leaky ReLU -> conv(w * s)
//! ```
//!
//! computes the same, but for rounding, for any positive `s` by channel: scaling passes through a
//! ReLU, and a convolution is linear.

use std::collections::{HashMap, HashSet};

use super::quantise::channels;
use crate::graph::{Graph, Node, ValueId};
use crate::types::Constant;

/// Channels, from the node that makes them to those that read them.
pub(super) struct Chain {
    /// The node whose constants scale them.
    maker: usize,
    /// What is read in the end, or one of its like: its channels are measured.
    pub(super) read: ValueId,
    /// Convolutions that read them, each with the first of its input channels that is theirs.
    pub(super) readers: Vec<(usize, usize)>,
}

impl Chain {
    /// All chains of a graph.
    pub(super) fn all(graph: &Graph) -> Vec<Self> {
        let walk = Walk::of(graph);
        let mut chains = Vec::new();
        for (index, node) in graph.nodes().iter().enumerate() {
            if maker(graph, node).is_none() {
                continue;
            }
            let mut readers = Vec::new();
            let made = node.outputs[0];
            if walk.readers(made, 0, &mut readers) && !readers.is_empty() {
                chains.push(Self {
                    maker: index,
                    read: walk.activated(made),
                    readers,
                });
            }
        }
        chains
    }
}

/// `graph` with the channels of each chain divided by its scales where they are made, and
/// multiplied by them where they are read.
pub(super) fn rescaled<'a>(
    graph: &Graph,
    chains: impl IntoIterator<Item = (&'a Chain, Vec<f32>)>,
) -> Graph {
    let mut constants: HashMap<(usize, usize), Constant> = HashMap::new();
    for (chain, scales) in chains {
        let inverse: Vec<f32> = scales.iter().map(|scale| 1.0 / scale).collect();
        for (slot, axis) in maker(graph, &graph.nodes()[chain.maker]).unwrap_or_default() {
            let place = (chain.maker, slot);
            scale(graph, &mut constants, place, axis, 0, &inverse);
        }
        for &(reader, first) in &chain.readers {
            if let Some(axis) = input_axis(&graph.nodes()[reader]) {
                scale(graph, &mut constants, (reader, 1), axis, first, &scales);
            }
        }
    }
    replaced(graph, constants)
}

/// `graph` with other constants in slots of its nodes.
pub(super) fn replaced(graph: &Graph, constants: HashMap<(usize, usize), Constant>) -> Graph {
    let mut changed = graph.clone();
    let mut constants: Vec<_> = constants.into_iter().collect();
    constants.sort_by_key(|(place, _)| *place);
    let mut inputs: Vec<(usize, usize, ValueId)> = Vec::with_capacity(constants.len());
    for ((node, slot), constant) in constants {
        inputs.push((node, slot, changed.add_constant(constant)));
    }
    changed.set_inputs(inputs);
    changed
}

/// Multiplies the channels from `first` on of the constant in a node's slot.
fn scale(
    graph: &Graph,
    constants: &mut HashMap<(usize, usize), Constant>,
    place: (usize, usize),
    axis: usize,
    first: usize,
    scales: &[f32],
) {
    let old = graph.constant(graph.nodes()[place.0].inputs[place.1]);
    let constant = constants.get(&place).or(old);
    let Some((constant, mut values)) =
        constant.and_then(|constant| Some((constant, constant.as_f32()?)))
    else {
        return;
    };
    for (value, channel) in values.iter_mut().zip(channels(&constant.shape, axis)) {
        if let Some(scale) = channel
            .checked_sub(first)
            .and_then(|channel| scales.get(channel))
        {
            *value *= scale;
        }
    }
    let scaled = Constant::f32(&constant.shape, &values);
    constants.insert(place, scaled);
}

/// The slots of a node's constants that scale the channels it makes, each with its channel axis;
/// `None` if there are none.
fn maker(graph: &Graph, node: &Node) -> Option<Vec<(usize, usize)>> {
    let axis = match node.op {
        "InstanceNormalization" => 0,
        "Conv" => 0,
        "ConvTranspose" if node.int("group").unwrap_or(1) == 1 => 1,
        _ => return None,
    };
    let slots: Vec<(usize, usize)> = (1..node.inputs.len())
        .map(|slot| (slot, if slot == 1 { axis } else { 0 }))
        .collect();
    let known = |&(slot, _): &(usize, usize)| {
        let constant = graph.constant(node.inputs[slot]);
        constant.is_some_and(|constant| constant.as_f32().is_some())
    };
    slots.iter().all(known).then_some(slots)
}

/// The axis of a convolution's weights that counts its input channels.
pub(super) fn input_axis(node: &Node) -> Option<usize> {
    match node.op {
        _ if node.int("group").unwrap_or(1) != 1 => None,
        "Conv" => Some(1),
        "ConvTranspose" => Some(0),
        _ => None,
    }
}

/// Who reads what.
struct Walk<'a> {
    graph: &'a Graph,
    readers: HashMap<ValueId, Vec<(usize, usize)>>,
    outputs: HashSet<ValueId>,
}

impl<'a> Walk<'a> {
    fn of(graph: &'a Graph) -> Self {
        let mut readers: HashMap<ValueId, Vec<(usize, usize)>> = HashMap::new();
        for (index, node) in graph.nodes().iter().enumerate() {
            for (slot, &id) in node.inputs.iter().enumerate() {
                readers.entry(id).or_default().push((index, slot));
            }
        }
        Self {
            graph,
            readers,
            outputs: graph.outputs().iter().map(|(_, id)| *id).collect(),
        }
    }

    /// Collects the convolutions that read the channels of `value`, which begin at `first` there;
    /// false if anything else does.
    fn readers(&self, value: ValueId, first: usize, found: &mut Vec<(usize, usize)>) -> bool {
        if self.outputs.contains(&value) {
            return false;
        }
        let readers = self.readers.get(&value).map_or(&[][..], Vec::as_slice);
        readers.iter().all(|&(index, slot)| {
            let node = &self.graph.nodes()[index];
            match node.op {
                "LeakyRelu" | "Relu" => self.readers(node.outputs[0], first, found),
                "Concat" if node.int("axis") == Some(1) => {
                    let before = node.inputs[..slot].iter();
                    let before: usize = before
                        .map(|&id| self.graph.value(id).shape.get(1).copied().unwrap_or(0))
                        .sum();
                    self.readers(node.outputs[0], first + before, found)
                }
                _ if slot == 0
                    && input_axis(node).is_some()
                    && self.graph.constant(node.inputs[1]).is_some() =>
                {
                    found.push((index, first));
                    true
                }
                _ => false,
            }
        })
    }

    /// What the one reader of `value` makes of it, if that is an activation; else `value`.
    fn activated(&self, value: ValueId) -> ValueId {
        match self.readers.get(&value).map(Vec::as_slice) {
            Some(&[(index, _)]) if matches!(self.graph.nodes()[index].op, "LeakyRelu" | "Relu") => {
                self.graph.nodes()[index].outputs[0]
            }
            _ => value,
        }
    }
}
