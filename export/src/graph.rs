//! The compiler's own graph: ONNX operators over values with known types and shapes.
//!
//! It is not protobuf: only [`crate::emit`] knows how a graph is written to a file.

mod patch;
mod text;

pub use patch::Patch;

use crate::opset::Opset;
use crate::types::{Constant, Dtype};

/// Names a value of one graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub(crate) u32);

/// What is known of a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// Element type.
    pub dtype: Dtype,
    /// Size of each axis.
    pub shape: Vec<usize>,
    /// Its elements, if they are known at compile time.
    pub constant: Option<Constant>,
}

impl Value {
    /// Bytes of all its elements.
    pub(crate) fn bytes(&self) -> u64 {
        let elements = self.shape.iter().map(|&size| size as u64);
        elements.product::<u64>() * self.dtype.size() as u64
    }
}

/// An attribute of a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    /// One integer.
    Int(i64),
    /// A list of integers.
    Ints(Vec<i64>),
    /// One float.
    Float(f32),
    /// An element type, as `Cast` takes it.
    Dtype(Dtype),
    /// A word, such as the mode of `Pad`.
    Text(&'static str),
}

/// One ONNX operator.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// ONNX operator name, such as `Conv`.
    pub op: &'static str,
    /// Inputs in ONNX order; all of them are given.
    pub inputs: Vec<ValueId>,
    /// Results.
    pub outputs: Vec<ValueId>,
    /// Attributes in a fixed order.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// The burn operation, or the pass, that it comes from.
    pub origin: &'static str,
}

impl Node {
    /// The integer attribute `name`, if the node has it.
    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        self.attributes
            .iter()
            .find_map(|(key, attribute)| match attribute {
                Attribute::Int(value) if *key == name => Some(*value),
                _ => None,
            })
    }

    /// The float attribute `name`, if the node has it.
    pub(crate) fn float(&self, name: &str) -> Option<f32> {
        self.attributes
            .iter()
            .find_map(|(key, attribute)| match attribute {
                Attribute::Float(value) if *key == name => Some(*value),
                _ => None,
            })
    }

    /// Whether every number of the integer-list attribute `name` is `value`; so is one that is left
    /// out, of those whose default that is.
    pub(crate) fn all_are(&self, name: &str, value: i64) -> bool {
        let mut values = self.ints(name).unwrap_or_default().iter();
        values.all(|&each| each == value)
    }

    /// The integer-list attribute `name`, if the node has it.
    pub(crate) fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attributes
            .iter()
            .find_map(|(key, attribute)| match attribute {
                Attribute::Ints(values) if *key == name => Some(values.as_slice()),
                _ => None,
            })
    }
}

/// A computation in single-assignment form; nodes stand in an order in which they can run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Graph {
    opset: Opset,
    values: Vec<Value>,
    nodes: Vec<Node>,
    inputs: Vec<(String, ValueId)>,
    outputs: Vec<(String, ValueId)>,
    /// Axes whose size is known at run time only, with their names: all of inputs and outputs, and
    /// those of other values whose size is a multiple.
    named_axes: Vec<(ValueId, usize, String)>,
}

/// The shape of what two shapes make together: missing axes and axes of size 1 are stretched.
pub(crate) fn broadcast(a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let size = |shape: &[usize], axis: usize| match (axis + shape.len()).checked_sub(rank) {
        Some(axis) => shape.get(axis).copied().unwrap_or(1),
        None => 1,
    };
    (0..rank)
        .map(|axis| match (size(a, axis), size(b, axis)) {
            (1, other) => other,
            (size, _) => size,
        })
        .collect()
}

impl Graph {
    /// An empty graph that may use the operators of `opset`.
    pub(crate) fn new(opset: Opset) -> Self {
        Self {
            opset,
            ..Self::default()
        }
    }

    /// The version of the standard operators that it may use and is written in. Nodes say what they
    /// do as [`Opset::DEFAULT`] has it, until the graph is written.
    pub fn opset(&self) -> Opset {
        self.opset
    }

    pub(crate) fn nodes_mut(&mut self) -> &mut [Node] {
        &mut self.nodes
    }

    /// The name of an axis whose size is known at run time only; every such axis of an input or
    /// output has one.
    pub fn axis_name(&self, id: ValueId, axis: usize) -> Option<&str> {
        self.named_axes
            .iter()
            .find(|(value, at, _)| *value == id && *at == axis)
            .map(|(_, _, name)| name.as_str())
    }

    /// Whether there is an axis whose size is known at run time only.
    pub(crate) fn has_open_axes(&self) -> bool {
        !self.named_axes.is_empty()
    }

    pub(crate) fn name_axis(&mut self, id: ValueId, axis: usize, name: String) {
        self.named_axes.push((id, axis, name));
    }

    /// Names the axes of `to` as those of `from`, which has the same shape.
    pub(crate) fn name_axes_of(&mut self, from: ValueId, to: ValueId) {
        let named = self.named_axes.iter().filter(|(id, _, _)| *id == from);
        let named: Vec<_> = named
            .map(|(_, axis, name)| (to, *axis, name.clone()))
            .collect();
        self.named_axes.extend(named);
    }

    /// Names the axes of inputs and outputs as they are named in `other`, which has the same ones.
    pub(crate) fn name_axes_like(&mut self, other: &Graph) {
        let mine = self.inputs.iter().chain(&self.outputs);
        let theirs = other.inputs.iter().chain(&other.outputs);
        for ((_, new), (_, old)) in mine.zip(theirs) {
            let named = other.named_axes.iter().filter(|(id, ..)| id == old);
            let named = named.map(|(_, axis, name)| (*new, *axis, name.clone()));
            self.named_axes.extend(named);
        }
    }

    /// Lets node `.0` read value `.2` as its input `.1`.
    pub(crate) fn set_inputs(&mut self, inputs: Vec<(usize, usize, ValueId)>) {
        for (node, slot, value) in inputs {
            self.nodes[node].inputs[slot] = value;
        }
    }

    /// Puts nodes, which read nothing that others make, in front of all others.
    pub(crate) fn prepend_nodes(&mut self, nodes: Vec<Node>) {
        self.nodes.splice(..0, nodes);
    }

    /// A graph of the same values with some of the nodes, and other ends.
    pub(crate) fn part(
        &self,
        keep: impl Fn(usize) -> bool,
        inputs: Vec<(String, ValueId)>,
        outputs: Vec<(String, ValueId)>,
    ) -> Graph {
        let nodes = self.nodes.iter().enumerate();
        let mut part = Graph {
            opset: self.opset,
            values: self.values.clone(),
            nodes: nodes
                .filter(|(index, _)| keep(*index))
                .map(|(_, node)| node.clone())
                .collect(),
            inputs,
            outputs,
            named_axes: self.named_axes.clone(),
        };
        part.drop_unused_constants();
        part
    }

    /// What is known of a value.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0 as usize]
    }

    /// The nodes in execution order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Runtime inputs by name.
    pub fn inputs(&self) -> &[(String, ValueId)] {
        &self.inputs
    }

    /// Results by name.
    pub fn outputs(&self) -> &[(String, ValueId)] {
        &self.outputs
    }

    /// Number of values ever made, dead ones included.
    pub(crate) fn value_count(&self) -> usize {
        self.values.len()
    }

    /// The elements of a value, if they are known.
    pub(crate) fn constant(&self, id: ValueId) -> Option<&Constant> {
        self.value(id).constant.as_ref()
    }

    /// The index of the node that makes a value, by value.
    pub(crate) fn producers(&self) -> Vec<Option<usize>> {
        let mut producers = vec![None; self.values.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            for output in &node.outputs {
                producers[output.0 as usize] = Some(index);
            }
        }
        producers
    }

    /// How often each value is read, being an output of the graph included.
    pub(crate) fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.values.len()];
        let outputs = self.outputs.iter().map(|(_, id)| id);
        for id in self
            .nodes
            .iter()
            .flat_map(|node| &node.inputs)
            .chain(outputs)
        {
            uses[id.0 as usize] += 1;
        }
        uses
    }

    pub(crate) fn add_value(&mut self, dtype: Dtype, shape: Vec<usize>) -> ValueId {
        self.push_value(Value {
            dtype,
            shape,
            constant: None,
        })
    }

    pub(crate) fn add_constant(&mut self, constant: Constant) -> ValueId {
        self.push_value(Value {
            dtype: constant.dtype,
            shape: constant.shape.clone(),
            constant: Some(constant),
        })
    }

    fn push_value(&mut self, value: Value) -> ValueId {
        let id = ValueId(u32::try_from(self.values.len()).expect("a graph fits in memory"));
        self.values.push(value);
        id
    }

    pub(crate) fn push_node(&mut self, node: Node) {
        self.nodes.push(node);
    }

    pub(crate) fn add_input(&mut self, name: String, id: ValueId) {
        self.inputs.push((name, id));
    }

    pub(crate) fn add_output(&mut self, name: String, id: ValueId) {
        self.outputs.push((name, id));
    }
}
