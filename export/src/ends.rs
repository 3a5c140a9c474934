//! Inputs and outputs in other floats, or in another order, than the graph computes in: for tensors
//! that wait between two graphs.

use crate::Exported;
use crate::error::ExportError;
use crate::graph::{Attribute, Graph, Node, ValueId};
use crate::types::Dtype;
use crate::verify::verify;

/// Name of the rewrite, for errors and for the nodes that it makes.
const ORIGIN: &str = "ends";

/// How a tensor waits between two graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handover {
    /// Its floats. In 16 bits it takes half the memory; numbers beyond their range become infinite.
    pub dtype: Dtype,
    /// Whether the second axis comes last: an engine that computes in that order need not reorder
    /// what it hands over.
    pub channels_last: bool,
}

impl Default for Handover {
    /// As it is computed.
    fn default() -> Self {
        Self {
            dtype: Dtype::F32,
            channels_last: false,
        }
    }
}

impl Handover {
    /// For each axis of what waits, the axis of what is computed.
    fn order(self, rank: usize) -> Vec<usize> {
        match self.channels_last && rank > 2 {
            true => std::iter::once(0).chain(2..rank).chain([1]).collect(),
            false => (0..rank).collect(),
        }
    }

    /// The shape in which a tensor of this `shape` waits.
    pub fn shape(self, shape: &[usize]) -> Vec<usize> {
        permuted(shape, &self.order(shape.len()))
    }
}

impl Exported {
    /// Hands every f32 output over as `handover` says.
    ///
    /// ```text
    /// x -> Conv -> y             ->   x -> Conv -> Transpose -> Cast -> y
    /// x -> Conv16 -> Cast -> y   ->   x -> Conv16 -> Transpose -> y
    /// ```
    ///
    /// Errors: [`ExportError::BrokenGraph`], a bug of this crate.
    pub fn outputs_as(mut self, handover: Handover) -> Result<Self, ExportError> {
        self.graph = outputs_as(self.graph, handover);
        verify(&self.graph, ORIGIN)?;
        Ok(self)
    }

    /// Takes the f32 inputs of these `names` as `handover` says: the other end of
    /// [`Exported::outputs_as`].
    ///
    /// Errors: [`ExportError::BrokenGraph`], a bug of this crate.
    pub fn inputs_as(mut self, names: &[String], handover: Handover) -> Result<Self, ExportError> {
        self.graph = inputs_as(self.graph, names, handover);
        verify(&self.graph, ORIGIN)?;
        Ok(self)
    }
}

fn outputs_as(mut graph: Graph, handover: Handover) -> Graph {
    let mut outputs = graph.outputs().to_vec();
    for (_, id) in &mut outputs {
        let made = *id;
        if graph.value(made).dtype != Dtype::F32 {
            continue;
        }
        let order = handover.order(graph.value(made).shape.len());
        // What was computed in these floats is not rounded again.
        let maker = graph.nodes().iter().find(|n| n.outputs.contains(&made));
        let mut given = maker
            .and_then(cast_from)
            .filter(|source| graph.value(*source).dtype == handover.dtype)
            .unwrap_or(made);
        if !order.is_sorted() {
            let node = transposed(&mut graph, given, &order);
            given = node.outputs[0];
            graph.push_node(node);
        }
        if graph.value(given).dtype != handover.dtype {
            let shape = graph.value(given).shape.clone();
            let to = graph.add_value(handover.dtype, shape);
            graph.push_node(cast(given, to, handover.dtype));
            given = to;
        }
        name_axes(&mut graph, made, given, &order);
        *id = given;
    }
    without_dead_casts(graph.part(|_| true, graph.inputs().to_vec(), outputs))
}

fn inputs_as(mut graph: Graph, names: &[String], handover: Handover) -> Graph {
    let mut inputs = graph.inputs().to_vec();
    let mut first = Vec::new();
    for (_, id) in inputs.iter_mut().filter(|(name, _)| names.contains(name)) {
        let read = *id;
        if graph.value(read).dtype != Dtype::F32 {
            continue;
        }
        let shape = graph.value(read).shape.clone();
        let order = handover.order(shape.len());
        if order.is_sorted() && handover.dtype == Dtype::F32 {
            continue;
        }
        let given = graph.add_value(handover.dtype, permuted(&shape, &order));
        name_axes(&mut graph, read, given, &order);
        let mut back = vec![0; order.len()];
        for (to, &from) in order.iter().enumerate() {
            back[from] = to;
        }
        let mut planar = given;
        if !order.is_sorted() {
            let node = transposed(&mut graph, given, &back);
            planar = node.outputs[0];
            first.push(node);
        }
        let readers: Vec<ValueId> = match handover.dtype {
            Dtype::F32 => vec![read],
            // What computes in these floats reads them without a cast there and back.
            dtype => {
                first.push(cast(planar, read, Dtype::F32));
                let casts = graph.nodes().iter();
                let casts = casts.filter(|node| cast_from(node) == Some(read));
                let made = casts.flat_map(|node| node.outputs.iter().copied());
                made.filter(|id| graph.value(*id).dtype == dtype).collect()
            }
        };
        let mut reads = Vec::new();
        for (index, node) in graph.nodes().iter().enumerate() {
            for (slot, input) in node.inputs.iter().enumerate() {
                if readers.contains(input) {
                    reads.push((index, slot, planar));
                }
            }
        }
        graph.set_inputs(reads);
        *id = given;
    }
    graph.prepend_nodes(first);
    without_dead_casts(graph.part(|_| true, inputs, graph.outputs().to_vec()))
}

fn permuted(shape: &[usize], order: &[usize]) -> Vec<usize> {
    order.iter().map(|&axis| shape[axis]).collect()
}

/// Names the axes of `to`, which are those of `from` in this `order`.
fn name_axes(graph: &mut Graph, from: ValueId, to: ValueId, order: &[usize]) {
    for (axis, &named) in order.iter().enumerate() {
        if from != to
            && let Some(name) = graph.axis_name(from, named).map(str::to_owned)
        {
            graph.name_axis(to, axis, name);
        }
    }
}

/// What the node casts, if it is a cast.
fn cast_from(node: &Node) -> Option<ValueId> {
    let input = node.inputs.first().copied();
    input.filter(|_| node.op == "Cast")
}

fn cast(from: ValueId, to: ValueId, dtype: Dtype) -> Node {
    Node {
        op: "Cast",
        inputs: vec![from],
        outputs: vec![to],
        attributes: vec![("to", Attribute::Dtype(dtype))],
        origin: ORIGIN,
    }
}

fn transposed(graph: &mut Graph, from: ValueId, order: &[usize]) -> Node {
    let value = graph.value(from);
    let (dtype, shape) = (value.dtype, permuted(&value.shape, order));
    let order = order.iter().map(|&axis| axis as i64).collect();
    Node {
        op: "Transpose",
        inputs: vec![from],
        outputs: vec![graph.add_value(dtype, shape)],
        attributes: vec![("perm", Attribute::Ints(order))],
        origin: ORIGIN,
    }
}

/// The graph without casts that nothing reads, and without those that only they read.
fn without_dead_casts(mut graph: Graph) -> Graph {
    loop {
        let uses = graph.uses();
        let unread = |node: &Node| node.outputs.iter().all(|out| uses[out.0 as usize] == 0);
        let dead: Vec<bool> = graph
            .nodes()
            .iter()
            .map(|node| node.op == "Cast" && unread(node))
            .collect();
        if !dead.contains(&true) {
            return graph;
        }
        let (inputs, outputs) = (graph.inputs().to_vec(), graph.outputs().to_vec());
        graph = graph.part(|index| !dead[index], inputs, outputs);
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::conv::Conv2dConfig;
    use burn::prelude::*;

    use super::Handover;
    use crate::precision::Ends;
    use crate::{Dtype, Exported, Exporter, Precision};

    /// A convolution; what goes in and what comes out waits between graphs.
    fn exported() -> Exported {
        let conv = Conv2dConfig::new([3, 1], [1; 2])
            .with_bias(false)
            .with_initializer(burn::nn::Initializer::Constant { value: 0.5 })
            .init(&Device::flex());
        let exported = Exporter::new()
            .float_input("x", &[2, 3, 4, 5])
            .symbolic("x", 0, "batch", 3)
            .export(|tracer| {
                let x = tracer.float::<4>("x")?;
                tracer.output("y", tracer.load(&conv).forward(x))
            })
            .unwrap();
        let ends = Ends {
            inputs: false,
            outputs: false,
        };
        Exported { ends, ..exported }
    }

    fn at_both_ends(exported: Exported, dtype: Dtype, channels_last: bool) -> Exported {
        let handover = Handover {
            dtype,
            channels_last,
        };
        let exported = exported.outputs_as(handover).unwrap();
        let exported = exported.inputs_as(&["x".to_owned()], handover).unwrap();
        let graph = exported.graph();
        for (_, id) in graph.inputs().iter().chain(graph.outputs()) {
            assert_eq!(graph.axis_name(*id, 0), Some("batch"));
        }
        exported
    }

    #[test]
    fn what_is_computed_in_f32_is_cast_at_the_ends() {
        let found = at_both_ends(exported(), Dtype::F16, false);
        insta::assert_snapshot!(found.graph(), @"
        input x = v0:f16[batch, 3, 4, 5]
        v1:f32[batch, 3, 4, 5] = Cast(v0:f16[batch, 3, 4, 5]) to=f32
        v3:f32[batch, 1, 4, 5] = Conv(v1:f32[batch, 3, 4, 5], c2:f32[1, 3, 1, 1]{0.5, 0.5, 0.5}) dilations=[1, 1] group=1 kernel_shape=[1, 1] pads=[0, 0, 0, 0] strides=[1, 1]
        v4:f16[batch, 1, 4, 5] = Cast(v3:f32[batch, 1, 4, 5]) to=f16
        output y = v4:f16[batch, 1, 4, 5]
        ");
    }

    #[test]
    fn what_is_computed_in_the_same_floats_is_handed_on_as_it_is() {
        let half = exported().with_precision(Precision::F16, None).unwrap();
        let found = at_both_ends(half, Dtype::F16, true);
        insta::assert_snapshot!(found.graph(), @"
        input x = v0:f16[batch, 4, 5, 3]
        v1:f16[2, 3, 4, 5] = Transpose(v0:f16[batch, 4, 5, 3]) perm=[0, 3, 1, 2]
        v3:f16[2, 1, 4, 5] = Conv(v1:f16[2, 3, 4, 5], c2:f16[1, 3, 1, 1]) dilations=[1, 1] group=1 kernel_shape=[1, 1] pads=[0, 0, 0, 0] strides=[1, 1]
        v4:f16[batch, 4, 5, 1] = Transpose(v3:f16[2, 1, 4, 5]) perm=[0, 2, 3, 1]
        output y = v4:f16[batch, 4, 5, 1]
        ");
    }

    #[test]
    fn channels_last_is_a_transposition_at_each_end() {
        let found = at_both_ends(exported(), Dtype::F32, true);
        insta::assert_snapshot!(found.graph(), @"
        input x = v0:f32[batch, 4, 5, 3]
        v1:f32[2, 3, 4, 5] = Transpose(v0:f32[batch, 4, 5, 3]) perm=[0, 3, 1, 2]
        v3:f32[batch, 1, 4, 5] = Conv(v1:f32[2, 3, 4, 5], c2:f32[1, 3, 1, 1]{0.5, 0.5, 0.5}) dilations=[1, 1] group=1 kernel_shape=[1, 1] pads=[0, 0, 0, 0] strides=[1, 1]
        v4:f32[batch, 4, 5, 1] = Transpose(v3:f32[batch, 1, 4, 5]) perm=[0, 2, 3, 1]
        output y = v4:f32[batch, 4, 5, 1]
        ");
    }

    #[test]
    fn other_names_and_nothing_to_do_change_nothing() {
        let before = exported().graph().to_string();
        let planar = Handover {
            dtype: Dtype::F16,
            channels_last: false,
        };
        let found = exported().inputs_as(&["z".to_owned()], planar).unwrap();
        assert_eq!(found.graph().to_string(), before);
        let found = at_both_ends(exported(), Dtype::F32, false);
        assert_eq!(found.graph().to_string(), before);
    }
}
