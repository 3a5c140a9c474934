//! Which fields each ONNX message has and how each is stored: the table [`super::scan`] walks by.
//!
//! Derived from the public `onnx.proto` (IR version 14); a row per message, in the order of use.

use self::Kind::{Fixed32, Fixed32s, Fixed64s, Message, Text, Varint, Varints};

/// How a field is stored.
pub(super) enum Kind {
    /// One variable-length integer.
    Varint,
    /// Many of them, packed or not.
    Varints,
    /// One 32-bit float.
    Fixed32,
    /// Many of them, packed or not.
    Fixed32s,
    /// Many 64-bit floats, packed or not.
    Fixed64s,
    /// A string or byte string.
    Text,
    /// A message.
    Message(&'static Schema),
}

/// The fields of one message.
pub(super) struct Schema {
    pub(super) name: &'static str,
    fields: &'static [(u64, Kind)],
}

impl Schema {
    pub(super) fn field(&self, number: u64) -> Option<&Kind> {
        self.fields
            .iter()
            .find(|(known, _)| *known == number)
            .map(|(_, kind)| kind)
    }
}

pub(super) static MODEL: Schema = Schema {
    name: "ModelProto",
    fields: &[
        (1, Varint),
        (2, Text),
        (3, Text),
        (4, Text),
        (5, Varint),
        (6, Text),
        (7, Message(&GRAPH)),
        (8, Message(&OPERATOR_SET_ID)),
        (14, Message(&STRING_STRING_ENTRY)),
        (20, Message(&TRAINING_INFO)),
        (25, Message(&FUNCTION)),
        (26, Message(&DEVICE_CONFIGURATION)),
    ],
};

static GRAPH: Schema = Schema {
    name: "GraphProto",
    fields: &[
        (1, Message(&NODE)),
        (2, Text),
        (5, Message(&TENSOR)),
        (10, Text),
        (11, Message(&VALUE_INFO)),
        (12, Message(&VALUE_INFO)),
        (13, Message(&VALUE_INFO)),
        (14, Message(&TENSOR_ANNOTATION)),
        (15, Message(&SPARSE_TENSOR)),
        (16, Message(&STRING_STRING_ENTRY)),
    ],
};

static NODE: Schema = Schema {
    name: "NodeProto",
    fields: &[
        (1, Text),
        (2, Text),
        (3, Text),
        (4, Text),
        (5, Message(&ATTRIBUTE)),
        (6, Text),
        (7, Text),
        (8, Text),
        (9, Message(&STRING_STRING_ENTRY)),
        (10, Message(&NODE_DEVICE_CONFIGURATION)),
    ],
};

static ATTRIBUTE: Schema = Schema {
    name: "AttributeProto",
    fields: &[
        (1, Text),
        (2, Fixed32),
        (3, Varint),
        (4, Text),
        (5, Message(&TENSOR)),
        (6, Message(&GRAPH)),
        (7, Fixed32s),
        (8, Varints),
        (9, Text),
        (10, Message(&TENSOR)),
        (11, Message(&GRAPH)),
        (13, Text),
        (14, Message(&TYPE)),
        (15, Message(&TYPE)),
        (20, Varint),
        (21, Text),
        (22, Message(&SPARSE_TENSOR)),
        (23, Message(&SPARSE_TENSOR)),
    ],
};

static TENSOR: Schema = Schema {
    name: "TensorProto",
    fields: &[
        (1, Varints),
        (2, Varint),
        (3, Message(&TENSOR_SEGMENT)),
        (4, Fixed32s),
        (5, Varints),
        (6, Text),
        (7, Varints),
        (8, Text),
        (9, Text),
        (10, Fixed64s),
        (11, Varints),
        (12, Text),
        (13, Message(&STRING_STRING_ENTRY)),
        (14, Varint),
        (16, Message(&STRING_STRING_ENTRY)),
    ],
};

static DEVICE_CONFIGURATION: Schema = Schema {
    name: "DeviceConfigurationProto",
    fields: &[(1, Text), (2, Varint), (3, Text)],
};

static FUNCTION: Schema = Schema {
    name: "FunctionProto",
    fields: &[
        (1, Text),
        (4, Text),
        (5, Text),
        (6, Text),
        (7, Message(&NODE)),
        (8, Text),
        (9, Message(&OPERATOR_SET_ID)),
        (10, Text),
        (11, Message(&ATTRIBUTE)),
        (12, Message(&VALUE_INFO)),
        (13, Text),
        (14, Message(&STRING_STRING_ENTRY)),
    ],
};

static INT_INT_LIST_ENTRY: Schema = Schema {
    name: "IntIntListEntryProto",
    fields: &[(1, Varint), (2, Varints)],
};

static NODE_DEVICE_CONFIGURATION: Schema = Schema {
    name: "NodeDeviceConfigurationProto",
    fields: &[(1, Text), (2, Message(&SHARDING_SPEC)), (3, Varint)],
};

static OPERATOR_SET_ID: Schema = Schema {
    name: "OperatorSetIdProto",
    fields: &[(1, Text), (2, Varint)],
};

static SHARDED_DIM: Schema = Schema {
    name: "ShardedDimProto",
    fields: &[(1, Varint), (2, Message(&SIMPLE_SHARDED_DIM))],
};

static SHARDING_SPEC: Schema = Schema {
    name: "ShardingSpecProto",
    fields: &[
        (1, Text),
        (2, Varints),
        (3, Message(&INT_INT_LIST_ENTRY)),
        (4, Message(&SHARDED_DIM)),
    ],
};

static SIMPLE_SHARDED_DIM: Schema = Schema {
    name: "SimpleShardedDimProto",
    fields: &[(1, Varint), (2, Text), (3, Varint)],
};

static SPARSE_TENSOR: Schema = Schema {
    name: "SparseTensorProto",
    fields: &[(1, Message(&TENSOR)), (2, Message(&TENSOR)), (3, Varints)],
};

static STRING_STRING_ENTRY: Schema = Schema {
    name: "StringStringEntryProto",
    fields: &[(1, Text), (2, Text)],
};

static TENSOR_ANNOTATION: Schema = Schema {
    name: "TensorAnnotation",
    fields: &[(1, Text), (2, Message(&STRING_STRING_ENTRY))],
};

static TENSOR_SEGMENT: Schema = Schema {
    name: "TensorProto.Segment",
    fields: &[(1, Varint), (2, Varint)],
};

static TENSOR_SHAPE: Schema = Schema {
    name: "TensorShapeProto",
    fields: &[(1, Message(&TENSOR_SHAPE_DIMENSION))],
};

static TENSOR_SHAPE_DIMENSION: Schema = Schema {
    name: "TensorShapeProto.Dimension",
    fields: &[(1, Varint), (2, Text), (3, Text)],
};

static TRAINING_INFO: Schema = Schema {
    name: "TrainingInfoProto",
    fields: &[
        (1, Message(&GRAPH)),
        (2, Message(&GRAPH)),
        (3, Message(&STRING_STRING_ENTRY)),
        (4, Message(&STRING_STRING_ENTRY)),
    ],
};

static TYPE: Schema = Schema {
    name: "TypeProto",
    fields: &[
        (1, Message(&TYPE_TENSOR)),
        (4, Message(&TYPE_SEQUENCE)),
        (5, Message(&TYPE_MAP)),
        (6, Text),
        (7, Message(&TYPE_OPAQUE)),
        (8, Message(&TYPE_SPARSE_TENSOR)),
        (9, Message(&TYPE_OPTIONAL)),
    ],
};

static TYPE_MAP: Schema = Schema {
    name: "TypeProto.Map",
    fields: &[(1, Varint), (2, Message(&TYPE))],
};

static TYPE_OPAQUE: Schema = Schema {
    name: "TypeProto.Opaque",
    fields: &[(1, Text), (2, Text)],
};

static TYPE_OPTIONAL: Schema = Schema {
    name: "TypeProto.Optional",
    fields: &[(1, Message(&TYPE))],
};

static TYPE_SEQUENCE: Schema = Schema {
    name: "TypeProto.Sequence",
    fields: &[(1, Message(&TYPE))],
};

static TYPE_SPARSE_TENSOR: Schema = Schema {
    name: "TypeProto.SparseTensor",
    fields: &[(1, Varint), (2, Message(&TENSOR_SHAPE))],
};

static TYPE_TENSOR: Schema = Schema {
    name: "TypeProto.Tensor",
    fields: &[(1, Varint), (2, Message(&TENSOR_SHAPE))],
};

static VALUE_INFO: Schema = Schema {
    name: "ValueInfoProto",
    fields: &[
        (1, Text),
        (2, Message(&TYPE)),
        (3, Text),
        (4, Message(&STRING_STRING_ENTRY)),
    ],
};
