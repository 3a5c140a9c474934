//! Sums of windows as graphs, so that whichever provider computes a network computes them, too.

use ndarray::ArrayView3;
use uniseg_onnx::{
    Bytes, Dim, encode,
    proto::{DataType, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto},
};

/// Names of inputs and outputs.
pub(super) const SUMS: &str = "sums";
pub(super) const LOGITS: &str = "logits";
pub(super) const MORE: &str = "more";
pub(super) const DONE: &str = "done";
pub(super) const REST: &str = "rest";

/// Adds a window of logits to sums, [1, class, z, y, x] both:
///
/// ```text
/// logits [n, class, d, h, w] ─ Slice ─ Softmax ─ Slice ─ Mul ─ Pad ─ Add ─ more
///          one item, in the volume,    all     the task's │          │
///          mirrored back                  importance ─ Slice       sums
/// ```
/// Where things lie is said by inputs of integers: `starts`, `ends` and `steps` of (item, z, y, x) in
/// the logits, `from` and `to` of (z, y, x) in the importance, how many `classes`, and the `pads`
/// around the window in the sums.
pub(super) fn add(importance: ArrayView3<'_, f32>, views: usize) -> Bytes {
    let (d, h, w) = importance.dim();
    let shape = [1, 1, d as i64, h as i64, w as i64];
    let share = |weight: &f32| weight / views as f32;
    let values: Vec<f32> = importance.iter().map(share).collect();
    let nodes = vec![
        NodeProto::new(
            "Slice",
            [LOGITS, "starts", "ends", "item_zyx", "steps"],
            ["part"],
        ),
        NodeProto::new("Softmax", ["part"], ["all"]).attr_int("axis", 1),
        NodeProto::new("Slice", ["all", "none", "classes", "class"], ["found"]),
        NodeProto::new("Slice", ["importance", "from", "to", "zyx"], ["weights"]),
        NodeProto::new("Mul", ["found", "weights"], ["weighted"]),
        NodeProto::new("Pad", ["weighted", "pads"], ["placed"]),
        NodeProto::new("Add", [SUMS, "placed"], [MORE]),
    ];
    let initializers = vec![
        TensorProto::from_f32("importance", &shape, &values),
        integers("item_zyx", &[0, 2, 3, 4]),
        integers("zyx", &[2, 3, 4]),
        integers("class", &[1]),
        integers("none", &[0]),
    ];
    let inputs = [
        tensor(LOGITS, ["n", "k", "d", "h", "w"]),
        tensor(SUMS, ["one", "c", "z", "y", "x"]),
    ];
    let lengths = [
        ("starts", 4),
        ("ends", 4),
        ("steps", 4),
        ("from", 3),
        ("to", 3),
        ("classes", 1),
        ("pads", 10),
    ];
    let numbers =
        lengths.map(|(name, length)| ValueInfoProto::tensor(name, DataType::Int64, [length]));
    model(GraphProto {
        name: "add".to_owned(),
        node: nodes,
        initializer: initializers,
        input: inputs.into_iter().chain(numbers).collect(),
        output: vec![tensor(MORE, ["one", "c", "z", "y", "x"])],
        ..GraphProto::default()
    })
}

/// Divides sums into the first `planes` planes and what is left, behind which `pads` empty ones come:
///
/// ```text
/// sums ─┬─ Slice ─ done
///       └─ Slice ─ Pad ─ rest
/// ```
pub(super) fn take() -> Bytes {
    let nodes = vec![
        NodeProto::new("Slice", [SUMS, "none", "planes", "z"], [DONE]),
        NodeProto::new("Slice", [SUMS, "planes", "all", "z"], ["left"]),
        NodeProto::new("Pad", ["left", "pads"], [REST]),
    ];
    model(GraphProto {
        name: "take".to_owned(),
        node: nodes,
        initializer: vec![
            integers("none", &[0]),
            integers("all", &[i64::MAX]),
            integers("z", &[2]),
        ],
        input: vec![
            tensor(SUMS, ["one", "c", "z", "y", "x"]),
            ValueInfoProto::tensor("planes", DataType::Int64, [1]),
            ValueInfoProto::tensor("pads", DataType::Int64, [10]),
        ],
        output: vec![
            tensor(DONE, ["one", "c", "planes", "y", "x"]),
            tensor(REST, ["one", "c", "z", "y", "x"]),
        ],
        ..GraphProto::default()
    })
}

fn model(graph: GraphProto) -> Bytes {
    encode(&ModelProto::new(graph))
}

fn tensor(name: &str, axes: [&'static str; 5]) -> ValueInfoProto {
    ValueInfoProto::tensor(name, DataType::Float, axes.map(Dim::from))
}

fn integers(name: &str, values: &[i64]) -> TensorProto {
    TensorProto::from_i64(name, &[values.len() as i64], values)
}
