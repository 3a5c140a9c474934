//! f32 -> 16-bit floats where they do no harm.

use std::collections::HashMap;

use half::{bf16, f16};

use super::roles::{Ends, heads, is_heavy, is_light};
use crate::emit::Names;
use crate::error::ExportError;
use crate::graph::{Attribute, Graph, Node, ValueId};
use crate::opset::Opset;
use crate::types::{Constant, Dtype};

/// A 16-bit float.
#[derive(Debug, Clone, Copy)]
pub(super) enum Format {
    /// 5 bits of exponent, 10 of mantissa: up to 65504.
    F16,
    /// 8 bits of exponent, 7 of mantissa.
    BF16,
}

impl Format {
    fn dtype(self) -> Dtype {
        match self {
            Self::F16 => Dtype::F16,
            Self::BF16 => Dtype::BF16,
        }
    }

    /// The first version of the operators in which a convolution takes it.
    fn opset(self) -> Opset {
        match self {
            Self::F16 => Opset::DEFAULT,
            Self::BF16 => Opset::known(22),
        }
    }

    /// The nearest number of the format, or `None` if a finite one becomes infinite.
    fn round(self, value: f32) -> Option<[u8; 2]> {
        let (bytes, infinite) = match self {
            Self::F16 => {
                let rounded = f16::from_f32(value);
                (rounded.to_le_bytes(), rounded.is_infinite())
            }
            Self::BF16 => {
                let rounded = bf16::from_f32(value);
                (rounded.to_le_bytes(), rounded.is_infinite())
            }
        };
        (!infinite || value.is_infinite()).then_some(bytes)
    }
}

/// Rewrites `graph` so that heavy nodes, and the light ones whose results they read, compute in
/// `format`; weights are stored in it.
///
/// ```text
/// x -> Conv -> InstanceNorm -> LeakyRelu -> Conv
/// x -> Cast -> Conv16 -> Cast -> InstanceNorm -> Cast -> LeakyRelu16 -> Conv16
/// ```
/// What a node reads is cast from the type it was computed in, once for all its readers, so that
/// no cast follows another. Nodes between the last heavy one and an output, that one included,
/// stay as they are.
pub(super) fn convert(graph: &Graph, ends: Ends, format: Format) -> Result<Graph, ExportError> {
    let in_half = in_half(graph, ends);
    let mut rewriter = Rewriter {
        from: graph,
        to: Graph::new(graph.opset().max(format.opset())),
        format,
        made: HashMap::new(),
        casts: HashMap::new(),
        names: Names::new(graph),
    };
    for (name, id) in graph.inputs() {
        let value = graph.value(*id);
        let new = rewriter.to.add_value(value.dtype, value.shape.clone());
        rewriter.to.add_input(name.clone(), new);
        rewriter.made.insert(*id, new);
    }
    for (node, half) in graph.nodes().iter().zip(in_half) {
        rewriter.node(node, half)?;
    }
    for (name, id) in graph.outputs() {
        let new = rewriter.read(*id, graph.value(*id).dtype)?;
        rewriter.to.add_output(name.clone(), new);
    }
    Ok(rewriter.to)
}

/// For each node, whether it computes in 16 bits.
fn in_half(graph: &Graph, ends: Ends) -> Vec<bool> {
    let heads = heads(graph, ends);
    let mut wanted = vec![false; graph.value_count()];
    let mut half = vec![false; graph.nodes().len()];
    // Backwards: a node's readers are decided before it is.
    for (index, node) in graph.nodes().iter().enumerate().rev() {
        let floats = |ids: &[ValueId]| ids.iter().any(|&id| graph.value(id).dtype == Dtype::F32);
        let read_in_half = node.outputs.iter().any(|id| wanted[id.0 as usize]);
        half[index] = !heads[index]
            && floats(&node.outputs)
            && (is_heavy(node) || (is_light(node) && read_in_half));
        if half[index] {
            for id in &node.inputs {
                wanted[id.0 as usize] = true;
            }
        }
    }
    half
}

struct Rewriter<'a> {
    from: &'a Graph,
    to: Graph,
    format: Format,
    /// Values as they were computed, or stored unchanged.
    made: HashMap<ValueId, ValueId>,
    /// Values in another type than they were computed in.
    casts: HashMap<(ValueId, Dtype), ValueId>,
    names: Names,
}

impl Rewriter<'_> {
    fn node(&mut self, node: &Node, half: bool) -> Result<(), ExportError> {
        let float = if half {
            self.format.dtype()
        } else {
            Dtype::F32
        };
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for (slot, &id) in node.inputs.iter().enumerate() {
            let dtype = self.from.value(id).dtype;
            let wanted = match (dtype, node.op) {
                // Takes any type: casting what it reads first would make two casts of one.
                (Dtype::F32, "Cast") => self.computed_as(id),
                // Its scales are f32 in every precision.
                (Dtype::F32, "Resize") if slot > 0 => Dtype::F32,
                (Dtype::F32, _) => float,
                (other, _) => other,
            };
            inputs.push(self.read(id, wanted)?);
        }
        let outputs = node
            .outputs
            .iter()
            .map(|&id| {
                let value = self.from.value(id);
                let dtype = match value.dtype {
                    Dtype::F32 => float,
                    other => other,
                };
                let new = self.to.add_value(dtype, value.shape.clone());
                self.made.insert(id, new);
                new
            })
            .collect();
        let attributes = node
            .attributes
            .iter()
            .map(|(name, attribute)| match attribute {
                Attribute::Dtype(Dtype::F32) => (*name, Attribute::Dtype(float)),
                other => (*name, other.clone()),
            })
            .collect();
        self.to.push_node(Node {
            inputs,
            outputs,
            attributes,
            ..node.clone()
        });
        Ok(())
    }

    fn computed_as(&self, id: ValueId) -> Dtype {
        let made = self.made.get(&id);
        made.map_or(self.from.value(id).dtype, |&id| self.to.value(id).dtype)
    }

    /// The new value that is `id` in the type `dtype`.
    fn read(&mut self, id: ValueId, dtype: Dtype) -> Result<ValueId, ExportError> {
        if let Some(constant) = self.from.constant(id) {
            if let Some(&new) = self.casts.get(&(id, dtype)) {
                return Ok(new);
            }
            let constant = match constant.dtype == dtype {
                true => constant.clone(),
                false => self.rounded(id, constant)?,
            };
            let new = self.to.add_constant(constant);
            self.casts.insert((id, dtype), new);
            return Ok(new);
        }
        let broken = || ExportError::BrokenGraph {
            step: "half",
            finding: "a node reads an unknown value".into(),
        };
        let made = *self.made.get(&id).ok_or_else(broken)?;
        if self.to.value(made).dtype == dtype {
            return Ok(made);
        }
        if let Some(&new) = self.casts.get(&(id, dtype)) {
            return Ok(new);
        }
        let new = self.to.add_value(dtype, self.to.value(made).shape.clone());
        self.to.push_node(Node {
            op: "Cast",
            inputs: vec![made],
            outputs: vec![new],
            attributes: vec![("to", Attribute::Dtype(dtype))],
            origin: "precision",
        });
        self.casts.insert((id, dtype), new);
        Ok(new)
    }

    fn rounded(&self, id: ValueId, constant: &Constant) -> Result<Constant, ExportError> {
        let values = constant.as_f32().unwrap_or_default();
        let mut bytes = Vec::with_capacity(2 * values.len());
        for value in values {
            let rounded = self
                .format
                .round(value)
                .ok_or_else(|| ExportError::WeightOverflow {
                    initializer: self.names.of(id),
                    value,
                    precision: self.format.dtype().name(),
                })?;
            bytes.extend(rounded);
        }
        Ok(Constant {
            dtype: self.format.dtype(),
            shape: constant.shape.clone(),
            bytes: bytes.into(),
        })
    }
}
