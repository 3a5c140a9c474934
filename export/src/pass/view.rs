use crate::graph::{Graph, Node, ValueId};

/// A graph with an index of who makes and who reads each value.
pub(super) struct View<'a> {
    pub(super) graph: &'a Graph,
    producers: Vec<Option<usize>>,
    /// The only reader of a value, if it has exactly one.
    reader: Vec<Option<usize>>,
}

impl<'a> View<'a> {
    pub(super) fn new(graph: &'a Graph) -> Self {
        let uses = graph.uses();
        let mut reader = vec![None; graph.value_count()];
        for (index, node) in graph.nodes().iter().enumerate() {
            for id in &node.inputs {
                if uses[id.0 as usize] == 1 {
                    reader[id.0 as usize] = Some(index);
                }
            }
        }
        Self {
            graph,
            producers: graph.producers(),
            reader,
        }
    }

    /// The node that makes `id`, and its index.
    pub(super) fn producer(&self, id: ValueId) -> Option<(usize, &'a Node)> {
        let index = self.producers[id.0 as usize]?;
        Some((index, &self.graph.nodes()[index]))
    }

    /// The node that makes `id`, if it is an `op`.
    pub(super) fn made_by(&self, id: ValueId, op: &str) -> Option<&'a Node> {
        let (_, node) = self.producer(id)?;
        (node.op == op).then_some(node)
    }

    /// The node that makes `id`, if nothing else than one reader reads it: what may be rewritten
    /// together with that reader.
    pub(super) fn made_for_one(&self, id: ValueId) -> Option<(usize, &'a Node)> {
        self.reader[id.0 as usize]?;
        self.producer(id)
    }

    /// The only reader of `id` and its index, if it is an `op`.
    pub(super) fn read_by(&self, id: ValueId, op: &str) -> Option<(usize, &'a Node)> {
        let index = self.reader[id.0 as usize]?;
        Some((index, &self.graph.nodes()[index])).filter(|(_, node)| node.op == op)
    }

    /// The one number that a value is known to be.
    pub(super) fn number(&self, id: ValueId) -> Option<f32> {
        self.graph.constant(id)?.scalar_f32()
    }

    /// Size of each axis of a value.
    pub(super) fn shape(&self, id: ValueId) -> &'a [usize] {
        &self.graph.value(id).shape
    }
}
