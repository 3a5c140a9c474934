//! Short ways to write messages, for exporters and tests.

use bytes::Bytes;

use crate::proto::{
    AttributeProto, AttributeType, DataType, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto,
    tensor_shape_proto::{Dimension, dimension},
    type_proto,
};

/// Version of the standard operators that this project writes.
pub const OPSET: i64 = 17;
/// Version of the ONNX file format that came with [`OPSET`].
pub const IR_VERSION: i64 = 8;

/// The size of an axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dim {
    /// Known.
    Fixed(i64),
    /// Known at run time; equal names are equal sizes.
    Named(String),
    /// Not known.
    Unknown,
}

impl From<i64> for Dim {
    fn from(size: i64) -> Self {
        Self::Fixed(size)
    }
}

impl From<&str> for Dim {
    fn from(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

impl std::fmt::Display for Dim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Named(name) => f.write_str(name),
            Self::Unknown => f.write_str("?"),
        }
    }
}

impl ModelProto {
    /// A model of one graph in the standard operators of [`OPSET`].
    pub fn new(graph: GraphProto) -> Self {
        Self {
            ir_version: IR_VERSION,
            opset_import: vec![OperatorSetIdProto {
                domain: String::new(),
                version: OPSET,
            }],
            graph: Some(graph),
            ..Self::default()
        }
    }

    /// Version of the standard operators, if the model imports them.
    pub fn opset(&self) -> Option<i64> {
        let standard = |set: &&OperatorSetIdProto| is_standard_domain(&set.domain);
        self.opset_import
            .iter()
            .find(standard)
            .map(|set| set.version)
    }
}

/// Whether `domain` means the standard operators.
pub(crate) fn is_standard_domain(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

impl NodeProto {
    /// A node of a standard operator.
    pub fn new<I, O>(op_type: &str, inputs: I, outputs: O) -> Self
    where
        I: IntoIterator<Item: Into<String>>,
        O: IntoIterator<Item: Into<String>>,
    {
        Self {
            op_type: op_type.to_owned(),
            input: inputs.into_iter().map(Into::into).collect(),
            output: outputs.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Gives the node a name.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds an attribute.
    pub fn attr(mut self, attribute: AttributeProto) -> Self {
        self.attribute.push(attribute);
        self
    }

    /// Adds an integer.
    pub fn attr_int(self, name: &str, value: i64) -> Self {
        self.attr(AttributeProto {
            i: Some(value),
            ..empty(name, AttributeType::Int)
        })
    }

    /// Adds integers.
    pub fn attr_ints(self, name: &str, values: &[i64]) -> Self {
        self.attr(AttributeProto {
            ints: values.to_vec(),
            ..empty(name, AttributeType::Ints)
        })
    }

    /// Adds a float.
    pub fn attr_float(self, name: &str, value: f32) -> Self {
        self.attr(AttributeProto {
            f: Some(value),
            ..empty(name, AttributeType::Float)
        })
    }

    /// Adds floats.
    pub fn attr_floats(self, name: &str, values: &[f32]) -> Self {
        self.attr(AttributeProto {
            floats: values.to_vec(),
            ..empty(name, AttributeType::Floats)
        })
    }

    /// Adds a string.
    pub fn attr_string(self, name: &str, value: &str) -> Self {
        let s = Some(Bytes::copy_from_slice(value.as_bytes()));
        self.attr(AttributeProto {
            s,
            ..empty(name, AttributeType::String)
        })
    }

    /// Adds a tensor.
    pub fn attr_tensor(self, name: &str, value: TensorProto) -> Self {
        self.attr(AttributeProto {
            t: Some(value.into()),
            ..empty(name, AttributeType::Tensor)
        })
    }

    /// Adds a graph, as the body of a control-flow operator.
    pub fn attr_graph(self, name: &str, value: GraphProto) -> Self {
        self.attr(AttributeProto {
            g: Some(value.into()),
            ..empty(name, AttributeType::Graph)
        })
    }
}

fn empty(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: kind as i32,
        ..AttributeProto::default()
    }
}

impl ValueInfoProto {
    /// A tensor value.
    pub fn tensor(
        name: impl Into<String>,
        data_type: DataType,
        dims: impl IntoIterator<Item: Into<Dim>>,
    ) -> Self {
        let dim = dims.into_iter().map(|dim| dimension(dim.into())).collect();
        let tensor = type_proto::Tensor {
            elem_type: data_type as i32,
            shape: Some(TensorShapeProto { dim }),
        };
        let value = Some(type_proto::Value::TensorType(tensor));
        Self {
            name: name.into(),
            r#type: Some(TypeProto {
                value,
                ..TypeProto::default()
            }),
            ..Self::default()
        }
    }

    /// Element type and, if the rank is known, dimensions; `None` if the value is no tensor.
    pub fn tensor_type(&self) -> Option<(DataType, Option<Vec<Dim>>)> {
        let Some(type_proto::Value::TensorType(tensor)) = &self.r#type.as_ref()?.value else {
            return None;
        };
        let dims = tensor.shape.as_ref().map(|shape| {
            shape
                .dim
                .iter()
                .map(|dim| match &dim.value {
                    Some(dimension::Value::DimValue(size)) => Dim::Fixed(*size),
                    Some(dimension::Value::DimParam(name)) => Dim::Named(name.clone()),
                    None => Dim::Unknown,
                })
                .collect()
        });
        Some((DataType::try_from(tensor.elem_type).ok()?, dims))
    }
}

fn dimension(dim: Dim) -> Dimension {
    let value = match dim {
        Dim::Fixed(size) => Some(dimension::Value::DimValue(size)),
        Dim::Named(name) => Some(dimension::Value::DimParam(name)),
        Dim::Unknown => None,
    };
    Dimension {
        value,
        ..Dimension::default()
    }
}
