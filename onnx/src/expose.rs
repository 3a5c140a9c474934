//! Intermediate values as outputs: how one looks inside a model that an engine runs whole.

use std::ops::Range;

use crate::proto::{
    AttributeProto, AttributeType, DataType, ModelProto, NodeProto, ValueInfoProto,
};

/// One node whose first result became an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// Name of the node, or of what it makes if it has none.
    pub node: String,
    /// Its operator.
    pub op: String,
    /// Name of the output that carries the result, cast to f32 whatever its type is.
    pub output: String,
}

/// A model whose only outputs are what `nodes` (indices into the graph) make, as f32.
///
/// Nodes that these do not need are left out. Shapes are not said: engines infer them. A model
/// without a graph, or an empty range, gives a model without outputs.
pub fn expose(model: &ModelProto, nodes: Range<usize>) -> (ModelProto, Vec<Exposed>) {
    let mut model = model.clone();
    let mut exposed = Vec::new();
    if let Some(graph) = &mut model.graph {
        graph.output.clear();
        // Execution order: nothing before a node needs what comes after it.
        graph.node.truncate(nodes.end);
        let mut casts = Vec::new();
        for (index, node) in graph.node.iter().enumerate().skip(nodes.start) {
            let Some(value) = node.output.first() else {
                continue;
            };
            let output = format!("exposed.{index}");
            casts.push(
                NodeProto::new("Cast", [value.as_str()], [output.as_str()])
                    .named(output.as_str())
                    .attr(AttributeProto {
                        name: "to".to_owned(),
                        i: Some(DataType::Float as i64),
                        r#type: AttributeType::Int as i32,
                        ..AttributeProto::default()
                    }),
            );
            exposed.push(Exposed {
                node: if node.name.is_empty() {
                    value.clone()
                } else {
                    node.name.clone()
                },
                op: node.op_type.clone(),
                output: output.clone(),
            });
            graph.output.push(ValueInfoProto {
                name: output,
                ..ValueInfoProto::default()
            });
        }
        graph.node.extend(casts);
    }
    (model, exposed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{check, sample};

    #[test]
    fn every_node_can_be_seen_and_the_graph_stays_whole() {
        let model = sample::tiny_model();
        let nodes = model.graph.as_ref().unwrap().node.len();
        let (all, exposed) = expose(&model, 0..nodes);
        assert_eq!(exposed.len(), nodes);
        assert!(check(&all).is_empty(), "{:?}", check(&all));
        let (first, exposed) = expose(&model, 0..1);
        assert_eq!((exposed.len(), first.graph.unwrap().node.len()), (1, 2));
        assert_eq!(exposed[0].output, "exposed.0");
    }
}
