//! One stable text form of a model, for people, snapshots and diffs.
//!
//! Weights are shown by type and shape; short integer and float constants by value, as they steer
//! reshapes and the like. The same model always gives the same text.

use std::fmt::{self, Display, Formatter, Write};

use crate::{
    construct::is_standard_domain,
    proto::{
        AttributeProto, AttributeType, DataType, GraphProto, ModelProto, NodeProto, TensorProto,
        ValueInfoProto,
    },
    signature::type_text,
};

/// Most elements of a constant that are shown by value.
const SHOWN: usize = 8;

/// The model as text.
///
/// ```
/// let text = uniseg_onnx::text(&uniseg_onnx::sample::tiny_model());
/// assert!(text.contains("logits = Add(scored, bias)"));
/// ```
pub fn text(model: &ModelProto) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_model(&mut text, model);
    text
}

fn write_model(out: &mut String, model: &ModelProto) -> fmt::Result {
    write!(out, "onnx format {}", model.ir_version)?;
    for set in &model.opset_import {
        match is_standard_domain(&set.domain) {
            true => write!(out, ", opset {}", set.version)?,
            false => write!(out, ", {} {}", Name(&set.domain), set.version)?,
        }
    }
    writeln!(out)?;
    match &model.graph {
        Some(graph) => write_graph(out, graph, 0)?,
        None => writeln!(out, "no graph")?,
    }
    for function in &model.functions {
        writeln!(out, "function {}", Name(&function.name))?;
        for node in &function.node {
            write_node(out, node, 1)?;
        }
    }
    Ok(())
}

fn write_graph(out: &mut String, graph: &GraphProto, depth: usize) -> fmt::Result {
    let indent = "  ".repeat(depth);
    writeln!(out, "{indent}graph {}", Name(&graph.name))?;
    let values = |out: &mut String, title: &str, values: &[ValueInfoProto]| {
        for value in values {
            writeln!(
                out,
                "{indent}  {title} {}: {}",
                Name(&value.name),
                type_text(value)
            )?;
        }
        Ok(())
    };
    values(out, "input", &graph.input)?;
    for tensor in &graph.initializer {
        writeln!(
            out,
            "{indent}  constant {}: {}",
            Name(&tensor.name),
            Constant(tensor)
        )?;
    }
    for sparse in &graph.sparse_initializer {
        let name = sparse.values.as_ref().map_or("", |values| &values.name);
        writeln!(
            out,
            "{indent}  constant {}: sparse {:?}",
            Name(name),
            sparse.dims
        )?;
    }
    for node in &graph.node {
        write_node(out, node, depth + 1)?;
    }
    values(out, "output", &graph.output)
}

fn write_node(out: &mut String, node: &NodeProto, depth: usize) -> fmt::Result {
    let names = |names: &[String]| {
        names
            .iter()
            .map(|name| Name(name).to_string())
            .collect::<Vec<_>>()
            .join(", ")
    };
    write!(out, "{}{} = ", "  ".repeat(depth), names(&node.output))?;
    if !is_standard_domain(&node.domain) {
        write!(out, "{}::", Name(&node.domain))?;
    }
    write!(out, "{}({})", Name(&node.op_type), names(&node.input))?;
    let mut attributes: Vec<&AttributeProto> = node.attribute.iter().collect();
    attributes.sort_by(|a, b| a.name.cmp(&b.name));
    let (graphs, plain): (Vec<_>, Vec<_>) = attributes
        .into_iter()
        .partition(|attribute| attribute.g.is_some() || !attribute.graphs.is_empty());
    if !plain.is_empty() {
        let plain: Vec<String> = plain
            .iter()
            .map(|a| format!("{}={}", Name(&a.name), Value(a)))
            .collect();
        write!(out, " {{{}}}", plain.join(", "))?;
    }
    writeln!(out)?;
    for attribute in graphs {
        for graph in attribute.g.as_deref().into_iter().chain(&attribute.graphs) {
            writeln!(out, "{}{}:", "  ".repeat(depth + 1), Name(&attribute.name))?;
            write_graph(out, graph, depth + 2)?;
        }
    }
    Ok(())
}

/// A name, in quotes if it could be misread or would disturb a terminal.
struct Name<'a>(&'a str);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_./:-".contains(c);
        match !self.0.is_empty() && self.0.chars().all(plain) {
            true => f.write_str(self.0),
            false => write!(f, "{:?}", self.0),
        }
    }
}

/// Type, shape and, if short, elements of a constant.
struct Constant<'a>(&'a TensorProto);

impl Display for Constant<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let tensor = self.0;
        let data_type = DataType::try_from(tensor.data_type).unwrap_or(DataType::Undefined);
        write!(f, "{} {:?}", data_type.short_name(), tensor.dims)?;
        if tensor.is_external() {
            return f.write_str(" in another file");
        }
        if !tensor.element_count().is_ok_and(|count| count <= SHOWN) {
            return Ok(());
        }
        match data_type {
            DataType::Float => shown(f, tensor.to_f32().ok()),
            DataType::Int64 => shown(f, tensor.to_i64().ok()),
            DataType::Int32 => shown(f, tensor.to_i32().ok()),
            DataType::Uint8 => shown(f, tensor.to_u8().ok()),
            DataType::Bool => shown(f, tensor.to_bool().ok()),
            _ => Ok(()),
        }
    }
}

fn shown<T: fmt::Debug>(f: &mut Formatter<'_>, elements: Option<Vec<T>>) -> fmt::Result {
    match elements {
        Some(elements) => write!(f, " = {elements:?}"),
        None => f.write_str(" (broken)"),
    }
}

/// The value of an attribute that is no graph.
struct Value<'a>(&'a AttributeProto);

impl Display for Value<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let attribute = self.0;
        if !attribute.ref_attr_name.is_empty() {
            return write!(f, "@{}", Name(&attribute.ref_attr_name));
        }
        let string = |bytes: &[u8]| format!("{:?}", String::from_utf8_lossy(bytes));
        match AttributeType::try_from(attribute.r#type) {
            Ok(AttributeType::Float) => write!(f, "{:?}", attribute.f.unwrap_or_default()),
            Ok(AttributeType::Int) => write!(f, "{}", attribute.i.unwrap_or_default()),
            Ok(AttributeType::String) => {
                f.write_str(&string(attribute.s.as_deref().unwrap_or_default()))
            }
            Ok(AttributeType::Floats) => write!(f, "{:?}", attribute.floats),
            Ok(AttributeType::Ints) => write!(f, "{:?}", attribute.ints),
            Ok(AttributeType::Strings) => {
                let strings: Vec<String> = attribute.strings.iter().map(|s| string(s)).collect();
                write!(f, "[{}]", strings.join(", "))
            }
            Ok(AttributeType::Tensor) => match &attribute.t {
                Some(tensor) => write!(f, "{}", Constant(tensor)),
                None => f.write_str("nothing"),
            },
            Ok(kind) => write!(f, "({})", format!("{kind:?}").to_lowercase()),
            Err(_) => write!(f, "(type {})", attribute.r#type),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn the_sample_reads_well() {
        insta::assert_snapshot!(text(&sample::tiny_model()));
    }

    #[test]
    fn subgraphs_are_indented_and_odd_names_quoted() {
        let branch = |name: &str| GraphProto {
            name: name.into(),
            node: vec![
                NodeProto::new("Constant", [""; 0], ["k"])
                    .attr_tensor("value", TensorProto::from_i64("", &[2], &[1, -1])),
                NodeProto::new("Odd", ["", "a\u{1b}[31m"], ["r"])
                    .attr_string("mode", "line\nar")
                    .attr_floats("alpha", &[0.5])
                    .attr_ints("axes", &[2, 3]),
            ],
            ..Default::default()
        };
        let node = NodeProto::new("If", ["c"], ["o"])
            .attr_graph("then_branch", branch("yes"))
            .attr_graph("else_branch", branch("no"))
            .attr_int("depth", 1);
        let model = ModelProto::new(GraphProto {
            name: "outer".into(),
            node: vec![node],
            ..Default::default()
        });
        insta::assert_snapshot!(text(&model));
    }
}
