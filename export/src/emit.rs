//! Graph -> ONNX protobuf: the only file that knows both.

use std::collections::{HashMap, HashSet};

use uniseg_onnx::proto::{
    AttributeProto, AttributeType, DataType, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, tensor_shape_proto, type_proto,
};

use crate::graph::{Attribute, Graph, ValueId};
use crate::opset::legalise::legalise;
use crate::types::{Constant, Dtype};

/// Writes a graph as an ONNX model named `name`. The same graph always gives the same model.
pub(crate) fn emit(graph: &Graph, name: &str) -> ModelProto {
    let graph = &*legalise(graph);
    let names = Names::new(graph);
    let mut initializer = Vec::new();
    let mut stored = HashSet::new();
    let outputs = graph.outputs().iter().map(|(_, id)| id);
    for &id in graph
        .nodes()
        .iter()
        .flat_map(|node| &node.inputs)
        .chain(outputs)
    {
        if let Some(constant) = graph.constant(id).filter(|_| stored.insert(id)) {
            initializer.push(tensor(names.of(id), constant));
        }
    }
    let mut node: Vec<NodeProto> = graph
        .nodes()
        .iter()
        .enumerate()
        .map(|(index, node)| NodeProto {
            name: names.nodes[index].clone(),
            op_type: node.op.to_owned(),
            input: node.inputs.iter().map(|&id| names.of(id)).collect(),
            output: node.outputs.iter().map(|&id| names.of(id)).collect(),
            attribute: node
                .attributes
                .iter()
                .map(|(key, value)| attribute(key, value))
                .collect(),
            ..Default::default()
        })
        .collect();
    // An output that is also an input, a constant or another output has a name of its own.
    for (output, id) in graph.outputs() {
        let value = names.of(*id);
        if value != *output {
            node.push(NodeProto {
                name: format!("Identity_{output}"),
                op_type: "Identity".to_owned(),
                input: vec![value],
                output: vec![output.clone()],
                ..Default::default()
            });
        }
    }
    let boundary = |ends: &[(String, ValueId)]| {
        ends.iter()
            .map(|(name, id)| value_info(graph, name, *id))
            .collect()
    };
    // Where all sizes are known, readers need not infer them.
    let inner = graph.nodes().iter().flat_map(|node| &node.outputs);
    let inner = inner.filter(|&id| graph.outputs().iter().all(|(_, output)| output != id));
    let inner = match graph.has_open_axes() {
        true => Vec::new(),
        false => inner
            .map(|&id| value_info(graph, &names.of(id), id))
            .collect(),
    };
    ModelProto {
        ir_version: graph.opset().ir_version(),
        producer_name: env!("CARGO_PKG_NAME").into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: graph.opset().version(),
        }],
        graph: Some(GraphProto {
            name: name.to_owned(),
            node,
            initializer,
            input: boundary(graph.inputs()),
            output: boundary(graph.outputs()),
            value_info: inner,
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Readable names: `Conv_3` for the third convolution and its result, `Conv_3.weight` for what it
/// reads.
pub(crate) struct Names {
    values: HashMap<ValueId, String>,
    nodes: Vec<String>,
}

impl Names {
    pub(crate) fn new(graph: &Graph) -> Self {
        let mut values: HashMap<ValueId, String> = graph
            .inputs()
            .iter()
            .map(|(name, id)| (*id, name.clone()))
            .collect();
        let mut taken: HashSet<String> = values.values().cloned().collect();
        for (name, id) in graph.outputs() {
            values.entry(*id).or_insert_with(|| name.clone());
            taken.insert(name.clone());
        }
        let mut counts: HashMap<&str, usize> = HashMap::new();
        let mut nodes = Vec::with_capacity(graph.nodes().len());
        for node in graph.nodes() {
            let count = counts.entry(node.op).or_default();
            let name = loop {
                let name = format!("{}_{count}", node.op);
                *count += 1;
                if taken.insert(name.clone()) {
                    break name;
                }
            };
            for (slot, id) in node.inputs.iter().enumerate() {
                if graph.constant(*id).is_some() {
                    values
                        .entry(*id)
                        .or_insert_with(|| format!("{name}.{}", role(node.op, slot)));
                }
            }
            for (slot, id) in node.outputs.iter().enumerate() {
                let result = if slot == 0 {
                    name.clone()
                } else {
                    format!("{name}.{slot}")
                };
                values.entry(*id).or_insert(result);
            }
            nodes.push(name);
        }
        Self { values, nodes }
    }

    pub(crate) fn of(&self, id: ValueId) -> String {
        self.values.get(&id).cloned().unwrap_or_default()
    }
}

/// What an operator's input is for, where that has a name.
fn role(op: &str, slot: usize) -> String {
    match (op, slot) {
        ("Conv" | "ConvTranspose", 1) => "weight".into(),
        ("InstanceNormalization" | "BatchNormalization" | "LayerNormalization", 1) => {
            "scale".into()
        }
        ("Conv" | "ConvTranspose" | "InstanceNormalization", 2) => "bias".into(),
        ("BatchNormalization" | "LayerNormalization", 2) => "bias".into(),
        ("Reshape" | "Expand", 1) => "shape".into(),
        ("Attention", 3) => "mask".into(),
        (op, 1) if op.starts_with("Reduce") => "axes".into(),
        _ => format!("input{slot}"),
    }
}

fn data_type(dtype: Dtype) -> DataType {
    match dtype {
        Dtype::F64 => DataType::Double,
        Dtype::F32 => DataType::Float,
        Dtype::F16 => DataType::Float16,
        Dtype::BF16 => DataType::Bfloat16,
        Dtype::I64 => DataType::Int64,
        Dtype::I32 => DataType::Int32,
        Dtype::I16 => DataType::Int16,
        Dtype::I8 => DataType::Int8,
        Dtype::U64 => DataType::Uint64,
        Dtype::U32 => DataType::Uint32,
        Dtype::U16 => DataType::Uint16,
        Dtype::U8 => DataType::Uint8,
        Dtype::Bool => DataType::Bool,
    }
}

fn tensor(name: String, constant: &Constant) -> TensorProto {
    TensorProto {
        name,
        dims: constant.shape.iter().map(|&size| size as i64).collect(),
        data_type: data_type(constant.dtype) as i32,
        raw_data: constant.bytes.clone(),
        ..Default::default()
    }
}

fn attribute(name: &str, attribute: &Attribute) -> AttributeProto {
    let mut proto = AttributeProto {
        name: name.to_owned(),
        ..Default::default()
    };
    match attribute {
        Attribute::Int(value) => {
            proto.i = Some(*value);
            proto.r#type = AttributeType::Int as i32;
        }
        Attribute::Ints(values) => {
            proto.ints = values.clone();
            proto.r#type = AttributeType::Ints as i32;
        }
        Attribute::Float(value) => {
            proto.f = Some(*value);
            proto.r#type = AttributeType::Float as i32;
        }
        Attribute::Dtype(dtype) => {
            proto.i = Some(data_type(*dtype) as i64);
            proto.r#type = AttributeType::Int as i32;
        }
        Attribute::Text(value) => {
            proto.s = Some(value.as_bytes().into());
            proto.r#type = AttributeType::String as i32;
        }
    }
    proto
}

fn value_info(graph: &Graph, name: &str, id: ValueId) -> ValueInfoProto {
    let value = graph.value(id);
    let dim = value
        .shape
        .iter()
        .enumerate()
        .map(|(axis, &size)| tensor_shape_proto::Dimension {
            value: Some(match graph.axis_name(id, axis) {
                Some(name) => tensor_shape_proto::dimension::Value::DimParam(name.to_owned()),
                None => tensor_shape_proto::dimension::Value::DimValue(size as i64),
            }),
            ..Default::default()
        })
        .collect();
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(type_proto::Tensor {
                elem_type: data_type(value.dtype) as i32,
                shape: Some(TensorShapeProto { dim }),
            })),
            ..Default::default()
        }),
        ..Default::default()
    }
}
