use std::collections::{BTreeMap, HashMap};

use burn::backend::ir::{
    BinaryOpIr, InitOperationIr, OperationIr, ScalarIr, ScalarOpIr, TensorId, TensorIr, UnaryOpIr,
};
use burn::tensor::TensorData;

use super::key::key;
use crate::error::ExportError;
use crate::graph::{Attribute, Graph, Node, ValueId};
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
    pub(crate) fn new(values: &'a mut BTreeMap<TensorId, TensorData>) -> Self {
        Self {
            graph: Graph::default(),
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
        let bytes = bytes::Bytes::from_owner(Elements(data.into_bytes()));
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

    /// A scalar of a tensor's type, for the other side of a scalar operation.
    pub(crate) fn scalar(&mut self, like: &TensorIr, value: f64) -> Result<ValueId, ExportError> {
        let constant = self.scalar_constant(like, value)?;
        Ok(self.scalar_value(constant))
    }

    pub(crate) fn scalar_constant(
        &self,
        like: &TensorIr,
        value: f64,
    ) -> Result<Constant, ExportError> {
        let dtype = self.dtype_of(like)?;
        Constant::scalar(dtype, value).ok_or_else(|| {
            self.unsupported(format!(
                "scalars of type {} are not emitted yet",
                dtype.name()
            ))
        })
    }

    pub(crate) fn scalar_value(&mut self, constant: Constant) -> ValueId {
        self.graph.add_constant(constant)
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
        let rhs = self.scalar(&ir.lhs, number(ir.rhs))?;
        self.node(op, &[lhs, rhs]).makes(&ir.out)
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
}

impl Context<'_> {
    fn finish_node(&mut self, mut node: Node, dtype: Dtype, shape: Vec<usize>) -> ValueId {
        let value = self.graph.add_value(dtype, shape);
        node.outputs.push(value);
        self.graph.push_node(node);
        value
    }
}
