//! What must hold of every graph, after every step.

use crate::error::ExportError;
use crate::graph::Graph;
use crate::types::Dtype;

/// Checks that every value is made once and before it is read, that constants have as many bytes
/// as their shape says, and that inputs and outputs are what they claim.
pub(crate) fn verify(graph: &Graph, step: &'static str) -> Result<(), ExportError> {
    let broken = |finding: String| Err(ExportError::BrokenGraph { step, finding });
    let mut known = vec![false; graph.value_count()];
    for (index, known) in known.iter_mut().enumerate() {
        let id = crate::graph::ValueId(index as u32);
        if let Some(constant) = graph.constant(id) {
            let size = constant.shape.iter().product::<usize>() * constant.dtype.size();
            let value = graph.value(id);
            if size != constant.bytes.len() {
                return broken(format!(
                    "constant {index} has {} bytes",
                    constant.bytes.len()
                ));
            }
            if value.dtype != constant.dtype || value.shape != constant.shape {
                return broken(format!("constant {index} is not what its value says"));
            }
            *known = true;
        }
    }
    for (name, id) in graph.inputs() {
        if std::mem::replace(&mut known[id.0 as usize], true) {
            return broken(format!("input '{name}' is a constant or another input"));
        }
    }
    for node in graph.nodes() {
        if node.inputs.iter().any(|id| !known[id.0 as usize]) {
            return broken(format!(
                "{} ({}) reads an unknown value",
                node.op, node.origin
            ));
        }
        for id in &node.outputs {
            if std::mem::replace(&mut known[id.0 as usize], true) {
                return broken(format!("{} ({}) makes a value again", node.op, node.origin));
            }
        }
    }
    match graph.outputs().iter().find(|(_, id)| !known[id.0 as usize]) {
        Some((name, _)) => broken(format!("output '{name}' is made by nothing")),
        None => Ok(()),
    }
}

/// Name, type and shape of every input and output: what no pass may change.
pub(crate) fn signature(graph: &Graph) -> Vec<(String, Dtype, Vec<usize>)> {
    graph
        .inputs()
        .iter()
        .chain(graph.outputs())
        .map(|(name, id)| {
            let value = graph.value(*id);
            (name.clone(), value.dtype, value.shape.clone())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Node;

    #[test]
    fn a_value_read_before_it_is_made_is_found() {
        let mut graph = Graph::default();
        let [a, b] = [0; 2].map(|_| graph.add_value(Dtype::F32, vec![1]));
        graph.push_node(Node {
            op: "Neg",
            inputs: vec![a],
            outputs: vec![b],
            attributes: Vec::new(),
            origin: "test",
        });
        let error = verify(&graph, "a test").unwrap_err().to_string();
        assert!(
            error.contains("after a test") && error.contains("Neg"),
            "{error}"
        );
    }
}
