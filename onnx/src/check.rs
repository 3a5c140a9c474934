//! The structural checker: what must hold of any graph before an engine sees it.
//!
//! Names are defined once and before use, outputs are produced, operators exist in the imported
//! version and have the right numbers of inputs and outputs, constants fit their shapes. Types and
//! attributes are not inferred: engines and ONNX's own checker do that.

use std::collections::HashSet;

use crate::{
    construct::is_standard_domain,
    proto::{AttributeProto, GraphProto, ModelProto, NodeProto},
    schema,
    tensor::TensorError,
    walk::{Sites, node_name},
};

/// What is wrong with a graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphFault {
    /// There is nothing to check.
    #[error("the model has no graph")]
    NoGraph,
    /// The version of the standard operators is not said, or said more than once.
    #[error("the model imports the standard operators {count} times")]
    Opset {
        /// Number of imports.
        count: usize,
    },
    /// A name is defined a second time.
    #[error("{value:?} is defined again by {by}")]
    DefinedTwice {
        /// The name.
        value: String,
        /// What defines it again.
        by: String,
    },
    /// A constant or an end of the graph without a name.
    #[error("{what} has no name")]
    Unnamed {
        /// What it is.
        what: &'static str,
    },
    /// A name is used where it is not defined, or not yet.
    #[error("{by} uses {value:?} before it is defined")]
    Undefined {
        /// The name.
        value: String,
        /// What uses it.
        by: String,
    },
    /// An output nothing produces.
    #[error("no node produces the output {value:?}")]
    NotProduced {
        /// The output.
        value: String,
    },
    /// No such operator in the imported version.
    #[error("{node} is no operator of opset {opset}")]
    UnknownOperator {
        /// The node.
        node: String,
        /// Version imported.
        opset: i64,
    },
    /// Too few or too many inputs or outputs.
    #[error("{node} has {found} {what}, it takes {}", range(*expected))]
    Arity {
        /// The node.
        node: String,
        /// Inputs or outputs.
        what: &'static str,
        /// Number found.
        found: usize,
        /// Smallest and largest number.
        expected: (usize, usize),
    },
    /// An attribute given twice.
    #[error("{node} has the attribute {attribute:?} twice")]
    AttributeTwice {
        /// The node.
        node: String,
        /// The attribute.
        attribute: String,
    },
    /// A broken constant.
    #[error("the tensor {place} is broken: {fault}")]
    Tensor {
        /// Where it is.
        place: String,
        /// What is wrong.
        fault: TensorError,
    },
    /// Names so long that places cannot be told.
    #[error("the names in nested graphs are absurdly long")]
    Names,
}

/// Everything that is wrong with the model's graph, in the order of the file; empty if it is
/// well-formed.
pub fn check(model: &ModelProto) -> Vec<GraphFault> {
    let Some(graph) = &model.graph else {
        return vec![GraphFault::NoGraph];
    };
    let mut check = Check {
        findings: Vec::new(),
        opset: None,
        scopes: Vec::new(),
    };
    let imports: Vec<i64> = model
        .opset_import
        .iter()
        .filter(|set| is_standard_domain(&set.domain))
        .map(|set| set.version)
        .collect();
    match imports[..] {
        [version] => check.opset = Some(version),
        _ => check.findings.push(GraphFault::Opset {
            count: imports.len(),
        }),
    }
    check.graph(graph);
    match Sites::of(model) {
        Ok(sites) => check
            .findings
            .extend(sites.tensors.into_iter().filter_map(|site| {
                let fault = site.tensor.payload().err()?;
                Some(GraphFault::Tensor {
                    place: site.place,
                    fault,
                })
            })),
        Err(_) => check.findings.push(GraphFault::Names),
    }
    check.findings
}

struct Check<'a> {
    findings: Vec<GraphFault>,
    opset: Option<i64>,
    /// Names defined so far, innermost graph last.
    scopes: Vec<HashSet<&'a str>>,
}

impl<'a> Check<'a> {
    fn graph(&mut self, graph: &'a GraphProto) {
        self.scopes.push(HashSet::new());
        for input in &graph.input {
            self.define(&input.name, || "the graph's inputs".to_owned());
            self.named(&input.name, "an input");
        }
        let sparse = graph
            .sparse_initializer
            .iter()
            .filter_map(|sparse| sparse.values.as_ref());
        let mut constants = HashSet::new();
        for tensor in graph.initializer.iter().chain(sparse) {
            // A constant may give the default of an input, hence the set of their own.
            if !constants.insert(tensor.name.as_str()) {
                let (value, by) = (tensor.name.clone(), "the constants".to_owned());
                self.findings.push(GraphFault::DefinedTwice { value, by });
            }
            self.named(&tensor.name, "a constant");
        }
        if let Some(scope) = self.scopes.last_mut() {
            scope.extend(constants);
        }
        for (index, node) in graph.node.iter().enumerate() {
            self.node(index, node);
        }
        let mut outputs = HashSet::new();
        for output in &graph.output {
            self.named(&output.name, "an output");
            if !self.defined(&output.name) {
                self.findings.push(GraphFault::NotProduced {
                    value: output.name.clone(),
                });
            }
            if !outputs.insert(&output.name) {
                let (value, by) = (output.name.clone(), "the graph's outputs".to_owned());
                self.findings.push(GraphFault::DefinedTwice { value, by });
            }
        }
        self.scopes.pop();
    }

    fn node(&mut self, index: usize, node: &'a NodeProto) {
        for input in node.input.iter().filter(|input| !input.is_empty()) {
            if !self.defined(input) {
                let (value, by) = (input.clone(), node_name(index, node));
                self.findings.push(GraphFault::Undefined { value, by });
            }
        }
        self.operator(index, node);
        let mut attributes = HashSet::new();
        for attribute in &node.attribute {
            if !attributes.insert(&attribute.name) {
                self.findings.push(GraphFault::AttributeTwice {
                    node: node_name(index, node),
                    attribute: attribute.name.clone(),
                });
            }
            let AttributeProto { g, graphs, .. } = attribute;
            for graph in g.as_deref().into_iter().chain(graphs) {
                self.graph(graph);
            }
        }
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            self.define(output, || node_name(index, node));
        }
    }

    fn operator(&mut self, index: usize, node: &NodeProto) {
        let Some(opset) = self.opset.filter(|_| is_standard_domain(&node.domain)) else {
            return;
        };
        let Some(arity) = schema::arity(&node.op_type, opset) else {
            let node = node_name(index, node);
            self.findings
                .push(GraphFault::UnknownOperator { node, opset });
            return;
        };
        for (what, found, expected) in [
            ("inputs", node.input.len(), arity.inputs),
            ("outputs", node.output.len(), arity.outputs),
        ] {
            if found < expected.0 || found > expected.1 {
                let node = node_name(index, node);
                self.findings.push(GraphFault::Arity {
                    node,
                    what,
                    found,
                    expected,
                });
            }
        }
    }

    fn define(&mut self, name: &'a str, by: impl FnOnce() -> String) {
        let known = self.defined(name);
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name);
        }
        if known {
            self.findings.push(GraphFault::DefinedTwice {
                value: name.to_owned(),
                by: by(),
            });
        }
    }

    fn defined(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope.contains(name))
    }

    fn named(&mut self, name: &str, what: &'static str) {
        if name.is_empty() {
            self.findings.push(GraphFault::Unnamed { what });
        }
    }
}

fn range((least, most): (usize, usize)) -> String {
    match (least, most) {
        (least, most) if least == most => least.to_string(),
        (least, usize::MAX) => format!("{least} or more"),
        (least, most) => format!("{least} to {most}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        proto::{DataType, OperatorSetIdProto, ValueInfoProto},
        sample,
    };

    fn broken(edit: impl FnOnce(&mut ModelProto, &mut GraphProto)) -> String {
        let mut model = sample::tiny_model();
        let mut graph = model.graph.take().unwrap();
        edit(&mut model, &mut graph);
        model.graph = Some(graph);
        check(&model)
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; ")
    }

    #[test]
    fn a_well_formed_graph_passes() {
        assert_eq!(broken(|_, _| ()), "");
    }

    #[test]
    fn each_fault_is_named() {
        let cases = [
            ("no opset", broken(|model, _| model.opset_import.clear())),
            (
                "two opsets",
                broken(|model, _| {
                    model.opset_import.push(OperatorSetIdProto {
                        domain: "ai.onnx".into(),
                        version: 9,
                    });
                }),
            ),
            ("order", broken(|_, graph| graph.node.reverse())),
            (
                "twice",
                broken(|_, graph| {
                    let again = graph.node[0].clone();
                    graph.node.push(again);
                }),
            ),
            (
                "constant twice",
                broken(|_, graph| {
                    let again = graph.initializer[0].clone();
                    graph.initializer.push(again);
                }),
            ),
            (
                "missing",
                broken(|_, graph| graph.node[0].input[0] = "nobody".into()),
            ),
            (
                "output",
                broken(|_, graph| {
                    graph
                        .output
                        .push(ValueInfoProto::tensor("extra", DataType::Float, [1]));
                }),
            ),
            (
                "same output",
                broken(|_, graph| {
                    let again = graph.output[0].clone();
                    graph.output.push(again);
                }),
            ),
            ("unnamed", broken(|_, graph| graph.output[0].name.clear())),
            (
                "operator",
                broken(|_, graph| graph.node[0].op_type = "Deform".into()),
            ),
            ("inputs", broken(|_, graph| graph.node[0].input.truncate(1))),
            (
                "attribute",
                broken(|_, graph| {
                    let again = graph.node[0].attribute[0].clone();
                    graph.node[0].attribute.push(again);
                }),
            ),
            (
                "length",
                broken(|_, graph| graph.initializer[0].dims[0] += 1),
            ),
        ];
        let text: Vec<String> = cases
            .iter()
            .map(|(case, text)| format!("{case}: {text}"))
            .collect();
        insta::assert_snapshot!(text.join("\n"));
    }

    #[test]
    fn subgraphs_see_outer_names_and_may_not_shadow_them() {
        let branch = |reads: &str, writes: &str| GraphProto {
            node: vec![NodeProto::new("Identity", [reads], [writes])],
            output: vec![ValueInfoProto::tensor(writes, DataType::Float, [0i64; 0])],
            ..Default::default()
        };
        let with = |then_branch, else_branch| {
            broken(|_, graph| {
                let node = NodeProto::new("If", ["task"], ["if_out"])
                    .attr_graph("then_branch", then_branch)
                    .attr_graph("else_branch", else_branch);
                graph.node.push(node);
            })
        };
        assert_eq!(
            with(branch("image", "inner"), branch("logits", "inner")),
            ""
        );
        insta::assert_snapshot!(
            with(branch("nobody", "a"), branch("image", "task")),
            @r#"Identity "a" uses "nobody" before it is defined; "task" is defined again by Identity "task""#
        );
    }
}
