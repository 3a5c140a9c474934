//! ONNX protobuf messages, declared by hand so that a build needs no protoc.
//!
//! Field numbers and names are those of the public `onnx.proto` (IR version 14). Every field of that
//! file is declared, also the ones this project refuses, so that nothing in a model is dropped
//! unseen between reading and checking. Field docs say what a field is for here; the ONNX
//! specification says the rest.
//!
//! What is deliberately absent: any check. See [`crate::check()`] and [`crate::Artefact`].

mod graph;
mod model;
mod tensor;
mod types;

pub use graph::{
    AttributeProto, AttributeType, GraphProto, IntIntListEntryProto, NodeDeviceConfigurationProto,
    NodeProto, ShardedDimProto, ShardingSpecProto, SimpleShardedDimProto, TensorAnnotation,
    simple_sharded_dim_proto,
};
pub use model::{
    DeviceConfigurationProto, FunctionProto, ModelProto, OperatorSetIdProto,
    StringStringEntryProto, TrainingInfoProto,
};
pub use prost::Message;
pub use tensor::{DataLocation, DataType, Segment, SparseTensorProto, TensorProto};
pub use types::{TensorShapeProto, TypeProto, ValueInfoProto, tensor_shape_proto, type_proto};
