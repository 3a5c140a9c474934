//! One graph for several values of an input: what does not depend on the input is computed once.

use std::collections::HashSet;

use crate::proto::{GraphProto, ModelProto, NodeProto, ValueInfoProto};

/// Why a graph cannot be repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RepeatError {
    /// Nothing to repeat for.
    #[error("the graph has no input {input:?}")]
    NoInput {
        /// Name that was asked for.
        input: String,
    },
    /// All copies would be the same.
    #[error("no output depends on the input {input:?}")]
    NothingDepends {
        /// Name of the input.
        input: String,
    },
    /// A graph inside a node may read any value of the graph around it.
    #[error("node {node:?} holds a graph of its own")]
    Subgraph {
        /// Name of the node.
        node: String,
    },
    /// A copy's name is there already.
    #[error("the graph has a value {name:?} already")]
    NameTaken {
        /// The name.
        name: String,
    },
}

/// Name of an input, value or output in the copy `copy`; the first copy keeps the graph's names.
pub fn repeated_name(name: &str, copy: usize) -> String {
    match copy {
        0 => name.to_owned(),
        _ => format!("{name}.{copy}"),
    }
}

/// The same model with all that depends on `input` there `times` times, each with an input of its
/// own, named by [`repeated_name`]; what does not depend on it, weights too, is shared.
///
/// ```text
/// image ─ A ─┬─ B ─ logits        image ─ A ─┬─ B ─ logits
///      task ─┘               ->        task ─┤
///                                            └─ B ─ logits.1
///                                    task.1 ─┘
/// ```
/// The copies come one after another, so that an engine that follows the graph's order holds the
/// values of one at a time. Nothing else of the model changes.
///
/// Errors: [`RepeatError`].
pub fn repeat(model: &ModelProto, input: &str, times: usize) -> Result<ModelProto, RepeatError> {
    let mut model = model.clone();
    let no_input = || RepeatError::NoInput {
        input: input.to_owned(),
    };
    let graph = model.graph.as_mut().ok_or_else(no_input)?;
    if !graph.input.iter().any(|given| given.name == input) {
        return Err(no_input());
    }
    let (names, nodes) = dependents(graph, input)?;
    let depends = |info: &&ValueInfoProto| names.contains(&info.name);
    let chosen = |infos: &[ValueInfoProto]| infos.iter().filter(depends).cloned().collect();
    let inputs: Vec<ValueInfoProto> = chosen(&graph.input);
    let values: Vec<ValueInfoProto> = chosen(&graph.value_info);
    let outputs: Vec<ValueInfoProto> = chosen(&graph.output);
    if outputs.is_empty() {
        return Err(RepeatError::NothingDepends {
            input: input.to_owned(),
        });
    }
    let taken = all_names(graph);
    for copy in 1..times {
        for name in &names {
            let name = repeated_name(name, copy);
            if taken.contains(&name) {
                return Err(RepeatError::NameTaken { name });
            }
        }
        let rename = |name: &mut String| {
            if names.contains(name) {
                *name = repeated_name(name, copy);
            }
        };
        for (from, to) in [
            (&inputs, &mut graph.input),
            (&values, &mut graph.value_info),
            (&outputs, &mut graph.output),
        ] {
            to.extend(from.iter().cloned().map(|mut info| {
                rename(&mut info.name);
                info
            }));
        }
        graph.node.extend(nodes.iter().cloned().map(|mut node| {
            if !node.name.is_empty() {
                node.name = repeated_name(&node.name, copy);
            }
            node.input.iter_mut().for_each(rename);
            node.output.iter_mut().for_each(rename);
            node
        }));
    }
    Ok(model)
}

/// The values that depend on `input`, itself included, and the nodes that make them.
fn dependents(
    graph: &GraphProto,
    input: &str,
) -> Result<(HashSet<String>, Vec<NodeProto>), RepeatError> {
    let mut names = HashSet::from([input.to_owned()]);
    let mut nodes = Vec::new();
    for node in &graph.node {
        if node.has_subgraph() {
            return Err(RepeatError::Subgraph {
                node: node.name.clone(),
            });
        }
        if node.input.iter().any(|name| names.contains(name)) {
            let made = node.output.iter().filter(|name| !name.is_empty());
            names.extend(made.cloned());
            nodes.push(node.clone());
        }
    }
    Ok((names, nodes))
}

/// Names of everything that a node can read.
fn all_names(graph: &GraphProto) -> HashSet<String> {
    let inputs = graph.input.iter().map(|input| &input.name);
    let weights = graph.initializer.iter().map(|weight| &weight.name);
    let made = graph.node.iter().flat_map(|node| &node.output);
    inputs.chain(weights).chain(made).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{DataType, TensorProto};
    use crate::{check, text};

    /// Two nodes that do not depend on `t`, two that do, and one behind them that does not.
    fn model() -> ModelProto {
        let info = |name: &str| ValueInfoProto::tensor(name, DataType::Float, [2]);
        ModelProto::new(GraphProto {
            name: "small".to_owned(),
            input: ["x", "t"].map(info).into(),
            initializer: vec![TensorProto::from_f32("w", &[2], &[1.0, 2.0])],
            node: vec![
                NodeProto::new("Exp", ["x"], ["a"]).named("exp"),
                NodeProto::new("Mul", ["t", "w"], ["b"]),
                NodeProto::new("Clip", ["b", "", "w"], ["c"]).named("clip"),
                NodeProto::new("Add", ["a", "c"], ["y"]),
                NodeProto::new("Neg", ["a"], ["z"]),
            ],
            value_info: ["a", "b", "c"].map(info).into(),
            output: ["y", "z"].map(info).into(),
            ..GraphProto::default()
        })
    }

    #[test]
    fn what_depends_on_an_input_is_there_several_times() {
        let repeated = repeat(&model(), "t", 3).unwrap();
        assert!(check(&repeated).is_empty(), "{:?}", check(&repeated));
        insta::assert_snapshot!(text(&repeated));
        assert_eq!(repeat(&model(), "t", 1).unwrap(), model());
    }

    #[test]
    fn what_cannot_be_repeated_says_why() {
        let why = |model: &ModelProto, input| repeat(model, input, 2).unwrap_err().to_string();
        assert_eq!(why(&model(), "u"), r#"the graph has no input "u""#);
        assert_eq!(
            why(&ModelProto::default(), "t"),
            r#"the graph has no input "t""#
        );
        let mut apart = model();
        apart.graph.as_mut().unwrap().output.remove(0);
        assert_eq!(why(&apart, "t"), r#"no output depends on the input "t""#);
        let mut taken = model();
        let graph = taken.graph.as_mut().unwrap();
        graph.node.push(NodeProto::new("Exp", ["x"], ["c.1"]));
        assert_eq!(why(&taken, "t"), r#"the graph has a value "c.1" already"#);
        let mut nested = model();
        let graph = nested.graph.as_mut().unwrap();
        let inner = NodeProto::new("If", ["a"], ["d"]).named("inner");
        let inner = inner.attr_graph("then_branch", GraphProto::default());
        graph.node.push(inner);
        assert_eq!(
            why(&nested, "t"),
            r#"node "inner" holds a graph of its own"#
        );
    }
}
