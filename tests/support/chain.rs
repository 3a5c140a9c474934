//! Networks made for a purpose: one that takes long for a window, one that takes next to nothing.

use std::path::PathBuf;

use uniseg_onnx::proto::{
    DataType, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto,
};
use uniseg_onnx::{Artefact, Dim, IMAGE, LOGITS, TASK, sample};

use super::kept;

/// Channels between the convolutions of a long chain.
const CHANNELS: i64 = 16;

/// A network for the task `blob`, which takes one CT and has two labels: `convolutions` of 3 x 3 x 3
/// on 16 channels, one after another, then the label.
pub fn chain(name: &str, convolutions: usize, patch: [usize; 3]) -> PathBuf {
    chain_of(name, convolutions, patch, || Dim::from(1))
}

/// The same, which takes as many windows in a call as there are.
pub fn open_chain(name: &str, convolutions: usize, patch: [usize; 3]) -> PathBuf {
    chain_of(name, convolutions, patch, || Dim::from("batch"))
}

fn chain_of(
    name: &str,
    convolutions: usize,
    patch: [usize; 3],
    batch: impl Fn() -> Dim,
) -> PathBuf {
    let [d, h, w] = patch.map(|size| Dim::from(size as i64));
    let tensor = |channels: i64| {
        let channels = Dim::from(channels);
        [batch(), channels, d.clone(), h.clone(), w.clone()]
    };
    let convolution = |from: &str, weight: &str, to: &str| {
        NodeProto::new("Conv", [from, weight], [to])
            .attr_ints("kernel_shape", &[3, 3, 3])
            .attr_ints("pads", &[1, 1, 1, 1, 1, 1])
    };
    let mut nodes = Vec::new();
    let (mut last, mut channels) = (IMAGE.to_owned(), 1);
    for index in 0..convolutions {
        let weight = if index == 0 { "first" } else { "middle" };
        let next = format!("step{index}");
        nodes.push(convolution(&last, weight, &next));
        (last, channels) = (next, CHANNELS);
    }
    nodes.push(
        NodeProto::new("Conv", [last.as_str(), "head"], ["scored"])
            .attr_ints("kernel_shape", &[1, 1, 1]),
    );
    nodes.push(NodeProto::new("Gather", ["biases", TASK], ["bias"]).attr_int("axis", 0));
    nodes.push(NodeProto::new("Add", ["scored", "bias"], [LOGITS]));
    // Means of what is around, so that nothing grows or vanishes.
    let mean = |from: i64| vec![1.0 / (27 * from) as f32; (27 * from * CHANNELS) as usize];
    let head: Vec<f32> = [-1.0, 1.0]
        .iter()
        .flat_map(|sign| vec![sign / channels as f32; channels as usize])
        .collect();
    let mut weights = vec![
        TensorProto::from_f32("head", &[2, channels, 1, 1, 1], &head),
        TensorProto::from_f32("biases", &[1, 2, 1, 1, 1], &[0.5, -0.5]),
    ];
    if convolutions > 0 {
        weights.push(TensorProto::from_f32(
            "first",
            &[CHANNELS, 1, 3, 3, 3],
            &mean(1),
        ));
    }
    if convolutions > 1 {
        let dims = [CHANNELS, CHANNELS, 3, 3, 3];
        weights.push(TensorProto::from_f32("middle", &dims, &mean(CHANNELS)));
    }
    let graph = GraphProto {
        name: name.to_owned(),
        node: nodes,
        initializer: weights,
        input: vec![
            ValueInfoProto::tensor(IMAGE, DataType::Float, tensor(1)),
            ValueInfoProto::tensor(TASK, DataType::Int64, [1]),
        ],
        output: vec![ValueInfoProto::tensor(LOGITS, DataType::Float, tensor(2))],
        ..GraphProto::default()
    };
    let mut manifest = sample::tiny_manifest();
    manifest.tasks.truncate(1);
    manifest.network.patch_zyx = patch;
    manifest.network.slots = 1;
    manifest.network.classes = 2;
    let path = kept("artefacts").join(format!("{name}.onnx"));
    let artefact = Artefact::new(ModelProto::new(graph), manifest).unwrap();
    artefact.save(&path).unwrap();
    path
}
