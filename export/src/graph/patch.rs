use std::collections::HashMap;

use super::{Graph, Node, ValueId};
use crate::types::Dtype;

/// A change to a graph, built beside it and then applied at once: passes look at a graph that does
/// not move under them.
#[derive(Debug, Default)]
pub struct Patch {
    /// New nodes, each before the node that stood at this index.
    insert: Vec<(usize, Node)>,
    /// Readers of the first value read the second instead.
    redirect: HashMap<ValueId, ValueId>,
}

impl Patch {
    /// Puts `node` before the node that stands at `index` now.
    pub(crate) fn insert_before(&mut self, index: usize, node: Node) {
        self.insert.push((index, node));
    }

    /// Lets everything that reads `old`, graph outputs included, read `new`. The node that made
    /// `old` stays until dead nodes are dropped.
    pub(crate) fn redirect(&mut self, old: ValueId, new: ValueId) {
        self.redirect.insert(old, new);
    }

    /// Puts `node` before the node that stands at `index` now, with one new result of this type
    /// and shape, and returns that.
    pub(crate) fn insert_new(
        &mut self,
        graph: &mut Graph,
        index: usize,
        mut node: Node,
        dtype: Dtype,
        shape: Vec<usize>,
    ) -> ValueId {
        let new = graph.add_value(dtype, shape);
        node.outputs = vec![new];
        self.insert_before(index, node);
        new
    }

    /// Puts `node` in the place of the node at `index`, with a new result of the same type and
    /// shape as the old one's first.
    pub(crate) fn replace(&mut self, graph: &mut Graph, index: usize, node: Node) {
        let Some(&old) = graph.nodes[index].outputs.first() else {
            return;
        };
        let value = graph.value(old);
        let (dtype, shape) = (value.dtype, value.shape.clone());
        let new = self.insert_new(graph, index, node, dtype, shape);
        graph.name_axes_of(old, new);
        self.redirect(old, new);
    }

    /// Applies the change, drops what nothing reads any more, and says how many values were
    /// replaced.
    pub(crate) fn finish(self, graph: &mut Graph) -> usize {
        let changes = self.redirect.len();
        if changes > 0 {
            self.apply(graph);
            graph.drop_dead_nodes();
        }
        changes
    }

    /// Applies the change.
    pub(crate) fn apply(self, graph: &mut Graph) {
        let resolve = |mut id: ValueId| {
            // Chains arise when a replacement is itself replaced in the same patch.
            while let Some(&next) = self.redirect.get(&id) {
                id = next;
            }
            id
        };
        let mut insert = self.insert;
        insert.sort_by_key(|(index, _)| *index);
        let mut insert = insert.into_iter().peekable();
        let old = std::mem::take(&mut graph.nodes);
        for (index, node) in old.into_iter().enumerate() {
            while let Some((_, node)) = insert.next_if(|(before, _)| *before <= index) {
                graph.nodes.push(node);
            }
            graph.nodes.push(node);
        }
        graph.nodes.extend(insert.map(|(_, node)| node));
        for node in &mut graph.nodes {
            for input in &mut node.inputs {
                *input = resolve(*input);
            }
        }
        for (_, output) in &mut graph.outputs {
            *output = resolve(*output);
        }
    }
}

impl Graph {
    /// Drops the nodes for which `keep` is false.
    pub(crate) fn retain_nodes(&mut self, mut keep: impl FnMut(usize) -> bool) -> usize {
        let before = self.nodes.len();
        let mut index = 0;
        self.nodes.retain(|_| {
            index += 1;
            keep(index - 1)
        });
        before - self.nodes.len()
    }

    /// Drops the nodes whose results nothing reads.
    pub(crate) fn drop_dead_nodes(&mut self) -> usize {
        let mut live = vec![false; self.values.len()];
        for (_, id) in &self.outputs {
            live[id.0 as usize] = true;
        }
        let mut keep = vec![false; self.nodes.len()];
        // Nodes stand in execution order, so one walk backwards sees every reader first.
        for (index, node) in self.nodes.iter().enumerate().rev() {
            if node.outputs.iter().any(|id| live[id.0 as usize]) {
                keep[index] = true;
                for id in &node.inputs {
                    live[id.0 as usize] = true;
                }
            }
        }
        self.retain_nodes(|index| keep[index])
    }

    /// Forgets the elements of values that nothing reads, to free their memory.
    pub(crate) fn drop_unused_constants(&mut self) {
        let uses = self.uses();
        for (value, uses) in self.values.iter_mut().zip(uses) {
            if uses == 0 {
                value.constant = None;
            }
        }
    }
}
