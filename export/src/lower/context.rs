use std::collections::{BTreeMap, HashMap};

use burn::backend::ir::{
    BinaryOpIr, InitOperationIr, OperationIr, ScalarIr, ScalarOpIr, TensorId, TensorIr, UnaryOpIr,
};
use burn::tensor::TensorData;

use super::key::key;
use crate::error::ExportError;
use crate::graph::{Attribute, Graph, Node, ValueId, broadcast};
use crate::opset::Opset;
use crate::types::{Constant, Dtype};

/// The graph under construction, as a lowering sees it.
pub(crate) struct Context<'a> {
    graph: Graph,
    ids: HashMap<TensorId, ValueId>,
    /// Elements of tensors that were initialised, until they are first read.
    values: &'a mut BTreeMap<TensorId, TensorData>,
    /// The operation being lowered.
    op: &'static str,
}

impl<'a> Context<'a> {
    pub(crate) fn new(values: &'a mut BTreeMap<TensorId, TensorData>, opset: Opset) -> Self {
        Self {
            graph: Graph::new(opset),
            ids: HashMap::new(),
            values,
            op: "Init",
        }
    }

    pub(crate) fn add_input(&mut self, name: String, id: TensorId, dtype: Dtype, shape: &[usize]) {
        let value = self.graph.add_value(dtype, shape.to_vec());
        self.ids.insert(id, value);
        self.graph.add_input(name, value);
    }

    /// Whether the operation makes a tensor that is already there: a graph input, or one whose
    /// elements were captured.
    pub(crate) fn is_source(&self, op: &OperationIr) -> bool {
        match op {
            OperationIr::Init(InitOperationIr { out }) => self.values.contains_key(&out.id),
            _ => op.outputs().any(|out| self.ids.contains_key(&out.id)),
        }
    }

    /// The version of ONNX's operators that there are.
    pub(crate) fn opset(&self) -> Opset {
        self.graph.opset()
    }

    pub(crate) fn enter(&mut self, op: &OperationIr) {
        self.op = key(op);
    }

    pub(crate) fn finish(mut self, outputs: Vec<(String, TensorId)>) -> Result<Graph, ExportError> {
        self.op = "output";
        for (name, id) in outputs {
            let value = self.lookup(id)?;
            self.graph.add_output(name, value);
        }
        Ok(self.graph)
    }

    pub(crate) fn unsupported(&self, reason: impl Into<String>) -> ExportError {
        ExportError::UnsupportedUse {
            op: self.op,
            reason: reason.into(),
        }
    }

    /// The value of a tensor that the operation reads.
    pub(crate) fn read(&mut self, tensor: &TensorIr) -> Result<ValueId, ExportError> {
        self.lookup(tensor.id)
    }

    fn lookup(&mut self, id: TensorId) -> Result<ValueId, ExportError> {
        if let Some(&value) = self.ids.get(&id) {
            return Ok(value);
        }
        let data = self
            .values
            .remove(&id)
            .ok_or_else(|| self.unsupported(format!("{id} is read before it is made")))?;
        let dtype = self.dtype(data.dtype())?;
        let shape = data.shape().to_vec();
        let bytes = match dtype {
            // A device may keep truth values in more than the one byte that ONNX has for them.
            Dtype::Bool => data.iter::<bool>().map(u8::from).collect::<Vec<_>>().into(),
            _ => bytes::Bytes::from_owner(Elements(data.into_bytes())),
        };
        let value = self.graph.add_constant(Constant {
            dtype,
            shape,
            bytes,
        });
        self.ids.insert(id, value);
        Ok(value)
    }

    /// Size of each axis of a value.
    pub(crate) fn shape(&self, value: ValueId) -> &[usize] {
        &self.graph.value(value).shape
    }

    fn dtype(&self, dtype: burn::tensor::DType) -> Result<Dtype, ExportError> {
        Dtype::from_burn(dtype)
            .ok_or_else(|| self.unsupported(format!("ONNX has no element type {dtype:?}")))
    }

    /// The ONNX element type of a tensor.
    pub(crate) fn dtype_of(&self, tensor: &TensorIr) -> Result<Dtype, ExportError> {
        self.dtype(tensor.dtype)
    }

    /// A vector of integers, as ONNX takes shapes and axes.
    pub(crate) fn ints(&mut self, values: &[i64]) -> ValueId {
        self.graph.add_constant(Constant::i64s(values))
    }

    /// A number of a tensor's type.
    pub(crate) fn scalar(&mut self, like: &TensorIr, value: f64) -> Result<ValueId, ExportError> {
        let dtype = self.dtype_of(like)?;
        Ok(self.constant(Constant::scalar(dtype, value)))
    }

    /// An operation's scalar in a tensor's type.
    pub(crate) fn operand(
        &mut self,
        like: &TensorIr,
        value: ScalarIr,
    ) -> Result<ValueId, ExportError> {
        let constant = constant(self.dtype_of(like)?, value);
        Ok(self.constant(constant))
    }

    /// A value whose elements are known.
    pub(crate) fn constant(&mut self, constant: Constant) -> ValueId {
        self.graph.add_constant(constant)
    }

    /// A tensor that the operation indexes with, as i64 if it is of a type that ONNX does not
    /// index with.
    pub(crate) fn read_indices(&mut self, tensor: &TensorIr) -> Result<ValueId, ExportError> {
        let indices = self.read(tensor)?;
        match self.dtype_of(tensor)? {
            Dtype::I64 | Dtype::I32 => Ok(indices),
            _ => Ok(self.cast(indices, Dtype::I64)),
        }
    }

    /// The same numbers in another type.
    pub(crate) fn cast(&mut self, value: ValueId, to: Dtype) -> ValueId {
        if self.graph.value(value).dtype == to {
            return value;
        }
        let shape = self.shape(value).to_vec();
        self.node("Cast", &[value])
            .attribute("to", Attribute::Dtype(to))
            .temporary(to, shape)
    }

    /// An operator of one input, whose result is of the same type and shape.
    pub(crate) fn map(&mut self, op: &'static str, input: ValueId) -> ValueId {
        let (dtype, shape) = self.kind(input);
        self.node(op, &[input]).temporary(dtype, shape)
    }

    /// An operator of two inputs, whose result is of the first one's type.
    pub(crate) fn join(&mut self, op: &'static str, lhs: ValueId, rhs: ValueId) -> ValueId {
        let dtype = self.kind(lhs).0;
        let shape = self.broadcast(lhs, rhs);
        self.node(op, &[lhs, rhs]).temporary(dtype, shape)
    }

    /// A comparison of two values.
    pub(crate) fn compare(&mut self, op: &'static str, lhs: ValueId, rhs: ValueId) -> ValueId {
        let shape = self.broadcast(lhs, rhs);
        self.node(op, &[lhs, rhs]).temporary(Dtype::Bool, shape)
    }

    /// `yes` where `condition` holds, else `no`.
    pub(crate) fn choose(&mut self, condition: ValueId, yes: ValueId, no: ValueId) -> ValueId {
        let dtype = self.kind(yes).0;
        let sides = self.broadcast(yes, no);
        let shape = broadcast(self.shape(condition), &sides);
        self.node("Where", &[condition, yes, no])
            .temporary(dtype, shape)
    }

    /// A number of a value's type.
    pub(crate) fn number_like(&mut self, value: ValueId, number: f64) -> ValueId {
        let dtype = self.kind(value).0;
        self.constant(Constant::scalar(dtype, number))
    }

    /// A value under another shape of the same size.
    pub(crate) fn reshape(&mut self, value: ValueId, shape: &[usize]) -> ValueId {
        let dtype = self.kind(value).0;
        let sizes = self.sizes(shape);
        self.node("Reshape", &[value, sizes])
            .temporary(dtype, shape.to_vec())
    }

    /// A shape, as ONNX takes it.
    pub(crate) fn sizes(&mut self, shape: &[usize]) -> ValueId {
        let sizes: Vec<i64> = shape.iter().map(|&size| size as i64).collect();
        self.ints(&sizes)
    }

    /// Element type and shape of a value.
    pub(crate) fn kind(&self, value: ValueId) -> (Dtype, Vec<usize>) {
        let value = self.graph.value(value);
        (value.dtype, value.shape.clone())
    }

    fn broadcast(&self, lhs: ValueId, rhs: ValueId) -> Vec<usize> {
        broadcast(self.shape(lhs), self.shape(rhs))
    }

    /// Lets the operation's `out` be a value that is already there, in the type that `out` has.
    pub(crate) fn is(&mut self, out: &TensorIr, value: ValueId) -> Result<(), ExportError> {
        let to = self.dtype_of(out)?;
        let value = self.cast(value, to);
        if self.shape(value) != out.shape.to_vec() {
            let message = format!(
                "its result has shape {:?} where burn has {:?}",
                self.shape(value),
                out.shape.to_vec()
            );
            return Err(self.unsupported(message));
        }
        self.ids.insert(out.id, value);
        Ok(())
    }

    /// Lets the operation's `out` be known elements.
    pub(crate) fn known(&mut self, out: &TensorIr, bytes: Vec<u8>) -> Result<(), ExportError> {
        let dtype = self.dtype_of(out)?;
        let shape = out.shape.to_vec();
        let value = self.graph.add_constant(Constant {
            dtype,
            shape,
            bytes: bytes.into(),
        });
        self.ids.insert(out.id, value);
        Ok(())
    }

    /// Starts a node; end it with [`NodeBuilder::makes`] or [`NodeBuilder::temporary`].
    pub(crate) fn node(&mut self, op: &'static str, inputs: &[ValueId]) -> NodeBuilder<'_, 'a> {
        let node = Node {
            op,
            inputs: inputs.to_vec(),
            outputs: Vec::new(),
            attributes: Vec::new(),
            origin: self.op,
        };
        NodeBuilder { cx: self, node }
    }

    /// An operator from one tensor to one tensor.
    pub(crate) fn unary(&mut self, op: &'static str, ir: &UnaryOpIr) -> Result<(), ExportError> {
        let input = self.read(&ir.input)?;
        self.node(op, &[input]).makes(&ir.out)
    }

    /// An operator from two tensors to one; ONNX broadcasts as burn does.
    pub(crate) fn binary(&mut self, op: &'static str, ir: &BinaryOpIr) -> Result<(), ExportError> {
        let (lhs, rhs) = (self.read(&ir.lhs)?, self.read(&ir.rhs)?);
        self.node(op, &[lhs, rhs]).makes(&ir.out)
    }

    /// A binary operator whose right side is a number.
    pub(crate) fn with_scalar(
        &mut self,
        op: &'static str,
        ir: &ScalarOpIr,
    ) -> Result<(), ExportError> {
        let lhs = self.read(&ir.lhs)?;
        let rhs = self.operand(&ir.lhs, ir.rhs)?;
        self.node(op, &[lhs, rhs]).makes(&ir.out)
    }
}

/// A scalar of an operation in an element type.
pub(crate) fn constant(dtype: Dtype, value: ScalarIr) -> Constant {
    match value {
        ScalarIr::Float(value) => Constant::scalar(dtype, value),
        ScalarIr::Int(value) => Constant::integer(dtype, value.into()),
        ScalarIr::UInt(value) => Constant::integer(dtype, value.into()),
        ScalarIr::Bool(value) => Constant::integer(dtype, value.into()),
    }
}

/// burn's own byte buffer, lent to the graph without a copy.
struct Elements(burn::tensor::Bytes);

impl AsRef<[u8]> for Elements {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// A scalar of any kind as a number.
pub(crate) fn number(scalar: ScalarIr) -> f64 {
    match scalar {
        ScalarIr::Float(value) => value,
        ScalarIr::Int(value) => value as f64,
        ScalarIr::UInt(value) => value as f64,
        ScalarIr::Bool(value) => f64::from(u8::from(value)),
    }
}

/// A node before it has a result.
pub(crate) struct NodeBuilder<'b, 'a> {
    cx: &'b mut Context<'a>,
    node: Node,
}

impl NodeBuilder<'_, '_> {
    pub(crate) fn attribute(mut self, name: &'static str, attribute: Attribute) -> Self {
        self.node.attributes.push((name, attribute));
        self
    }

    pub(crate) fn int(self, name: &'static str, value: usize) -> Self {
        self.attribute(name, Attribute::Int(value as i64))
    }

    pub(crate) fn ints(self, name: &'static str, values: impl IntoIterator<Item = usize>) -> Self {
        let values = values.into_iter().map(|value| value as i64).collect();
        self.attribute(name, Attribute::Ints(values))
    }

    pub(crate) fn float(self, name: &'static str, value: f64) -> Self {
        self.attribute(name, Attribute::Float(value as f32))
    }

    pub(crate) fn text(self, name: &'static str, value: &'static str) -> Self {
        self.attribute(name, Attribute::Text(value))
    }

    /// The ONNX element type of a tensor.
    pub(crate) fn dtype_of(&self, tensor: &TensorIr) -> Result<Dtype, ExportError> {
        self.cx.dtype_of(tensor)
    }

    /// Ends the node: its result is the operation's `out`.
    pub(crate) fn makes(self, out: &TensorIr) -> Result<(), ExportError> {
        let dtype = self.cx.dtype_of(out)?;
        let Self { cx, node } = self;
        let value = cx.finish_node(node, dtype, out.shape.to_vec());
        cx.ids.insert(out.id, value);
        Ok(())
    }

    /// Ends the node: its result is read by further nodes of the same lowering.
    pub(crate) fn temporary(self, dtype: Dtype, shape: Vec<usize>) -> ValueId {
        let Self { cx, node } = self;
        cx.finish_node(node, dtype, shape)
    }

    /// Ends a node of two results.
    pub(crate) fn two(
        mut self,
        first: (Dtype, Vec<usize>),
        second: (Dtype, Vec<usize>),
    ) -> [ValueId; 2] {
        let values = [first, second].map(|(dtype, shape)| self.cx.graph.add_value(dtype, shape));
        self.node.outputs.extend(values);
        self.cx.graph.push_node(self.node);
        values
    }
}

impl Context<'_> {
    fn finish_node(&mut self, mut node: Node, dtype: Dtype, shape: Vec<usize>) -> ValueId {
        let value = self.graph.add_value(dtype, shape);
        node.outputs.push(value);
        self.graph.push_node(node);
        value
    }
}
