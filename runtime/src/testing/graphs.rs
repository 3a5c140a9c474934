//! One small network as one graph and as two, for tests in real engines: the operations of a real
//! one, on windows of [2, 3, 4] voxels with two slots, three classes and two tasks.

use ndarray::{Array1, Array5, s};
use uniseg_onnx::{
    Artefact, Dim, IMAGE, LOGITS, TASK,
    proto::{DataType, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto},
    sample,
};

use crate::{Engine, Model, RuntimeError, Tensor, TensorView};

/// What the halves hand over: half of what enters, and what it was made from.
const FEATURES: [(&str, [i64; 4]); 2] = [("deep", [4, 1, 3, 2]), ("skip", [5, 2, 3, 4])];

/// The whole network; it takes any number of windows, as its halves do.
pub(crate) fn whole() -> Model {
    let nodes = encoder_nodes().into_iter().chain(decoder_nodes());
    model(nodes, [image(), task()], [logits()])
}

/// The same, with the tiny manifest, which it keeps.
pub(crate) fn whole_artefact() -> Artefact {
    let graph = uniseg_onnx::decode(whole().bytes().to_vec().into()).unwrap();
    Artefact::new(graph, sample::tiny_manifest()).unwrap()
}

/// From the image to features.
pub(crate) fn encoder() -> Model {
    model(encoder_nodes(), [image()], features())
}

/// From features and a task to logits.
pub(crate) fn decoder() -> Model {
    model(
        decoder_nodes(),
        features().into_iter().chain([task()]),
        [logits()],
    )
}

/// Windows that differ in every voxel, and from those of another seed.
pub(crate) fn windows(count: usize, seed: usize) -> Array5<f32> {
    let mut windows = Array5::from_shape_fn((count, 2, 2, 3, 4), |(n, c, z, y, x)| {
        (((n * 5 + c) * 7 + z * 3 + y) * 11 + x + seed * 13) as f32 % 17.0 / 17.0 - 0.3
    });
    windows
        .slice_mut(s![.., .., .., .., 0])
        .mapv_inplace(|v| v * v);
    windows
}

/// What a run gives.
pub(crate) type Outputs = Vec<(String, Tensor)>;

/// Runs the whole network for a task.
pub(crate) fn run(
    engine: &mut dyn Engine,
    image: &Array5<f32>,
    task: i64,
) -> Result<Outputs, RuntimeError> {
    let task = Array1::from_elem(1, task);
    engine.run(&[
        (IMAGE, TensorView::F32(image.view().into_dyn())),
        (TASK, TensorView::I64(task.view().into_dyn())),
    ])
}

/// Runs the first half, and on what it holds the second for each task.
pub(crate) fn held(
    encoder: &mut dyn Engine,
    decoder: &mut dyn Engine,
    image: &Array5<f32>,
    tasks: &[i64],
) -> Result<Vec<Outputs>, RuntimeError> {
    let held = encoder.hold(&[(IMAGE, TensorView::F32(image.view().into_dyn()))])?;
    tasks
        .iter()
        .map(|task| {
            let task = Array1::from_elem(1, *task);
            let inputs = [(TASK, TensorView::I64(task.view().into_dyn()))];
            let mut outputs = Outputs::new();
            decoder.lend(Some(&held), &inputs, &mut |name, mut output| {
                outputs.push((name.to_owned(), output.view()?.to_tensor()));
                Ok(())
            })?;
            Ok(outputs)
        })
        .collect()
}

/// Every number is less than `bound` away from what is expected; what is not a number is not.
#[track_caller]
pub(crate) fn close(found: &Tensor, expected: &Tensor, bound: f32) {
    let (Tensor::F32(found), Tensor::F32(expected)) = (found, expected) else {
        panic!("{found} and {expected}");
    };
    assert_eq!(found.shape(), expected.shape());
    let mut pairs = found.iter().zip(expected);
    assert!(pairs.all(|(a, b)| (a - b).abs() < bound));
}

fn encoder_nodes() -> Vec<NodeProto> {
    vec![
        NodeProto::new("Conv", [IMAGE, "w1"], ["a"])
            .attr_ints("kernel_shape", &[1, 3, 3])
            .attr_ints("pads", &[0, 1, 1, 0, 1, 1]),
        NodeProto::new("InstanceNormalization", ["a", "scale", "shift"], ["b"])
            .attr_float("epsilon", 1e-5),
        NodeProto::new("LeakyRelu", ["b"], ["skip"]).attr_float("alpha", 0.01),
        NodeProto::new("Conv", ["skip", "w2"], ["deep"])
            .attr_ints("kernel_shape", &[2, 1, 2])
            .attr_ints("strides", &[2, 1, 2]),
    ]
}

fn decoder_nodes() -> Vec<NodeProto> {
    vec![
        NodeProto::new("ConvTranspose", ["deep", "w3"], ["c"])
            .attr_ints("kernel_shape", &[2, 1, 2])
            .attr_ints("strides", &[2, 1, 2]),
        NodeProto::new("Conv", ["skip", "w4"], ["d"]).attr_ints("kernel_shape", &[1, 1, 1]),
        NodeProto::new("Gather", ["prompts", TASK], ["prompt"]).attr_int("axis", 0),
        NodeProto::new("Add", ["c", "prompt"], ["e"]),
        NodeProto::new("Add", ["d", "e"], [LOGITS]),
    ]
}

fn model(
    nodes: impl IntoIterator<Item = NodeProto>,
    inputs: impl IntoIterator<Item = ValueInfoProto>,
    outputs: impl IntoIterator<Item = ValueInfoProto>,
) -> Model {
    let node: Vec<NodeProto> = nodes.into_iter().collect();
    let weights: [(&str, &[i64]); 7] = [
        ("w1", &[5, 2, 1, 3, 3]),
        ("scale", &[5]),
        ("shift", &[5]),
        ("w2", &[4, 5, 2, 1, 2]),
        ("w3", &[4, 3, 2, 1, 2]),
        ("w4", &[3, 5, 1, 1, 1]),
        ("prompts", &[2, 3, 1, 1, 1]),
    ];
    let used = |name: &str| node.iter().any(|node| node.input.iter().any(|i| i == name));
    let initializer = weights
        .into_iter()
        .filter(|(name, _)| used(name))
        .map(|(name, dims)| {
            let numbers: Vec<f32> = (0..dims.iter().product::<i64>())
                .map(|i| ((i * 37 + 11) % 29) as f32 / 29.0 - 0.45)
                .collect();
            TensorProto::from_f32(name, dims, &numbers)
        })
        .collect();
    let graph = ModelProto::new(GraphProto {
        name: "small".to_owned(),
        initializer,
        node,
        input: inputs.into_iter().collect(),
        output: outputs.into_iter().collect(),
        ..GraphProto::default()
    });
    Model::unchecked(uniseg_onnx::encode(&graph), sample::tiny_manifest())
}

fn windowed(name: &str, sizes: [i64; 4]) -> ValueInfoProto {
    let dims = [Dim::from("batch")].into_iter().chain(sizes.map(Dim::from));
    ValueInfoProto::tensor(name, DataType::Float, dims)
}

fn image() -> ValueInfoProto {
    windowed(IMAGE, [2, 2, 3, 4])
}

fn task() -> ValueInfoProto {
    ValueInfoProto::tensor(TASK, DataType::Int64, [1])
}

fn features() -> Vec<ValueInfoProto> {
    FEATURES.map(|(name, sizes)| windowed(name, sizes)).into()
}

fn logits() -> ValueInfoProto {
    windowed(LOGITS, [3, 2, 3, 4])
}
