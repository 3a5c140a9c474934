//! What hides places from queries, as one mask that is added to the scores.

use super::Match;
use crate::graph::{Graph, Node, Patch, ValueId, broadcast};
use crate::pass::View;
use crate::types::{Constant, Dtype};

#[derive(Clone, Copy)]
pub(super) enum Mask {
    /// Minus infinity where it holds.
    Hidden(ValueId),
    /// Added to the scores.
    Bias(ValueId),
}

impl Mask {
    fn id(self) -> ValueId {
        match self {
            Self::Hidden(id) | Self::Bias(id) => id,
        }
    }

    /// Whether it can be a mask of scores with `rows` and `columns`; engines stretch one over batch
    /// and heads only, and tell those apart in rank 4 only.
    pub(super) fn fits(self, view: &View<'_>, [rows, columns]: [usize; 2]) -> bool {
        match *view.shape(self.id()) {
            [row, column] | [_, _, row, column] => (row == 1 || row == rows) && column == columns,
            _ => false,
        }
    }
}

/// All masks as one that has a row for each query, if there are any.
pub(super) fn as_one(found: &Match, graph: &mut Graph, patch: &mut Patch) -> Option<ValueId> {
    let mut sum: Option<ValueId> = None;
    for &mask in &found.masks {
        sum = Some(match (mask, sum) {
            (Mask::Bias(bias), None) => bias,
            (Mask::Bias(bias), Some(sum)) => join(found, graph, patch, "Add", &[sum, bias]),
            (Mask::Hidden(hidden), Some(sum)) => hide(found, graph, patch, hidden, sum),
            (Mask::Hidden(hidden), None) => match known(graph, hidden) {
                Some(known) => graph.add_constant(known),
                None => {
                    let zeros = zeros(found, graph);
                    hide(found, graph, patch, hidden, zeros)
                }
            },
        });
    }
    let sum = sum?;
    if graph.value(sum).shape.iter().rev().nth(1) == Some(&found.rows) {
        return Some(sum);
    }
    let zeros = zeros(found, graph);
    Some(join(found, graph, patch, "Add", &[sum, zeros]))
}

fn zeros(found: &Match, graph: &mut Graph) -> ValueId {
    graph.add_constant(Constant::f32(&[found.rows, 1], &vec![0.0; found.rows]))
}

/// What is added where a known mask hides.
fn known(graph: &Graph, hidden: ValueId) -> Option<Constant> {
    let hidden = graph.constant(hidden)?;
    let added = |&byte: &u8| match byte {
        0 => 0.0,
        _ => f32::NEG_INFINITY,
    };
    let values: Vec<f32> = hidden.bytes.iter().map(added).collect();
    Some(Constant::f32(&hidden.shape, &values))
}

fn hide(
    found: &Match,
    graph: &mut Graph,
    patch: &mut Patch,
    hidden: ValueId,
    seen: ValueId,
) -> ValueId {
    let never = graph.add_constant(Constant::f32(&[], &[f32::NEG_INFINITY]));
    join(found, graph, patch, "Where", &[hidden, never, seen])
}

/// An elementwise node over `inputs`.
fn join(
    found: &Match,
    graph: &mut Graph,
    patch: &mut Patch,
    op: &'static str,
    inputs: &[ValueId],
) -> ValueId {
    let shape = inputs.iter().fold(Vec::new(), |shape, &id| {
        broadcast(&shape, &graph.value(id).shape)
    });
    let node = Node {
        op,
        inputs: inputs.to_vec(),
        outputs: Vec::new(),
        attributes: Vec::new(),
        origin: "fuse-attention",
    };
    patch.insert_new(graph, found.last, node, Dtype::F32, shape)
}
