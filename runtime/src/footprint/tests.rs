//! Small graphs whose memory can be counted by hand.

use uniseg_onnx::{
    IMAGE, LOGITS,
    proto::{DataType, GraphProto, NodeProto, TensorProto, ValueInfoProto},
    sample,
};

use super::*;
use crate::{ComputedOn, Device, Precision};

/// Voxels of a window of the sample, [2, 3, 4].
const VOXELS: u64 = 24;

const APART: Keeping = Keeping::Apart;
const F32_JOINED: Keeping = Keeping::Joined { float: 4 };
const BF16_JOINED: Keeping = Keeping::Joined { float: 2 };

#[test]
fn the_sample_costs_what_its_one_convolution_costs() {
    let graph = sample::tiny_model().graph.unwrap();
    let found = Footprint::of(&graph, &sample::tiny_manifest().network);
    // 3 x 2 weights on 24 voxels, two operations each.
    assert_eq!(found.flops, 288);
    assert_eq!(found.weight_bytes, 12 * 4);
    assert_eq!(found.output_bytes, VOXELS * 3 * 4);
    // Image, scores and logits: 2, 3 and 3 channels.
    assert_eq!(found.alive(APART), VOXELS * (2 + 3 + 3) * 4);
}

/// A graph from an image of one channel to `logits` of `channels`.
fn graph(nodes: Vec<NodeProto>, weights: &[(&str, &[i64])], channels: i64) -> Footprint {
    let weight = |(name, dims): &(&str, &[i64])| {
        let count = dims.iter().product::<i64>();
        let mut tensor = TensorProto::from_f32(*name, dims, &vec![0.0; count as usize]);
        if name.ends_with("bytes") {
            tensor.data_type = DataType::Int8 as i32;
        }
        tensor
    };
    let volume =
        |name, channels| ValueInfoProto::tensor(name, DataType::Float, [1, channels, 2, 3, 4]);
    let graph = GraphProto {
        node: nodes,
        initializer: weights.iter().map(weight).collect(),
        input: vec![volume(IMAGE, 1)],
        output: vec![volume(LOGITS, channels)],
        ..GraphProto::default()
    };
    let mut network = sample::tiny_manifest().network;
    network.slots = 1;
    Footprint::of(&graph, &network)
}

fn conv(from: &str, weight: &str, to: &str) -> NodeProto {
    NodeProto::new("Conv", [from, weight], [to])
}

fn unary(operator: &str, from: &str, to: &str) -> NodeProto {
    NodeProto::new(operator, [from], [to])
}

/// `y = leaky(norm(conv(x)))`, eight channels.
fn block(from: &str, weight: &str, to: &str) -> Vec<NodeProto> {
    let [made, normed] = ["conv", "norm"].map(|what| format!("{to}.{what}"));
    vec![
        conv(from, weight, &made),
        NodeProto::new(
            "InstanceNormalization",
            [&made, "scale", "shift"],
            [&normed],
        ),
        unary("LeakyRelu", &normed, to),
    ]
}

const NORM: [(&str, &[i64]); 2] = [("scale", &[8]), ("shift", &[8])];

/// How many channels of floats, of how many bytes, and how many channels of bytes there are.
struct Expected {
    keeping: Keeping,
    /// Channels of the graph's own floats: image and logits.
    ends: u64,
    floats: u64,
    bytes: u64,
    /// Bytes of what is no window.
    small: u64,
}

impl Expected {
    /// Floats alone.
    fn floats(keeping: Keeping, ends: u64, floats: u64) -> Self {
        Self {
            keeping,
            ends,
            floats,
            bytes: 0,
            small: 0,
        }
    }
}

#[track_caller]
fn check(found: &Footprint, rows: &[Expected]) {
    for row in rows {
        let float = match row.keeping {
            Keeping::Apart => 4,
            Keeping::Joined { float } => float,
        };
        let expected = VOXELS * (4 * row.ends + float * row.floats + row.bytes) + row.small;
        assert_eq!(found.alive(row.keeping), expected, "{:?}", row.keeping);
    }
}

#[test]
fn activations_happen_in_place_where_the_engine_joins_them() {
    let mut nodes = block(IMAGE, "first", "a");
    nodes.push(conv("a", "head", LOGITS));
    let weights = [
        NORM[0],
        NORM[1],
        ("first", &[8, 1, 1, 1, 1]),
        ("head", &[2, 8, 1, 1, 1]),
    ];
    let found = graph(nodes, &weights, 2);
    check(
        &found,
        &[
            // Before and behind the norm, or behind it and behind the activation.
            Expected::floats(APART, 1, 16),
            // The same; logits are there from the start.
            Expected::floats(F32_JOINED, 3, 16),
            Expected::floats(BF16_JOINED, 3, 16),
        ],
    );
}

#[test]
fn a_sum_takes_the_place_of_a_summand() {
    let nodes = vec![
        conv(IMAGE, "first", "a"),
        conv("a", "second", "b"),
        conv("a", "second", "c"),
        NodeProto::new("Add", ["b", "c"], ["d"]),
        unary("Relu", "d", "e"),
        NodeProto::new("Mul", ["e", "b"], ["f"]),
        conv("f", "head", LOGITS),
    ];
    let weights: [(&str, &[i64]); 3] = [
        ("first", &[8, 1, 1, 1, 1]),
        ("second", &[8, 8, 1, 1, 1]),
        ("head", &[2, 8, 1, 1, 1]),
    ];
    let found = graph(nodes, &weights, 2);
    check(
        &found,
        &[
            // Two summands and their sum; two factors, of which one is a summand, and a product.
            Expected::floats(APART, 1, 24),
            // What both convolutions read, and the summands.
            Expected::floats(F32_JOINED, 3, 24),
            Expected::floats(BF16_JOINED, 3, 24),
        ],
    );
    assert_eq!(found.flops, 2 * VOXELS * (8 + 2 * 64 + 16));
}

#[test]
fn what_is_quantised_counts_as_bytes_where_bytes_are_convolved() {
    let mut nodes = block(IMAGE, "first", "a");
    nodes.extend([
        NodeProto::new("QuantizeLinear", ["a", "scale1"], ["q"]),
        NodeProto::new("DequantizeLinear", ["q", "scale1"], ["dq"]),
        NodeProto::new("DequantizeLinear", ["second.bytes", "scales"], ["w"]),
        NodeProto::new("Conv", ["dq", "w"], ["b"]).attr_ints("strides", &[1, 3, 4]),
        conv("b", "head", LOGITS),
    ]);
    let weights = [
        NORM[0],
        NORM[1],
        ("first", &[8, 1, 1, 1, 1][..]),
        ("scale1", &[]),
        ("scales", &[64]),
        ("second.bytes", &[64, 8, 1, 1, 1]),
        ("head", &[2, 64, 1, 1, 1]),
    ];
    let found = graph(nodes, &weights, 2);
    // The second convolution looks at two voxels.
    assert_eq!(found.flops, 2 * (VOXELS * 8 + 2 * 8 * 64 + 2 * 64 * 2));
    check(
        &found,
        &[
            // Floats made of the bytes and of the weights, and what the second convolution gives.
            Expected {
                keeping: APART,
                ends: 1,
                floats: 8,
                bytes: 0,
                small: 4 * (64 * 8 + 64 * 2),
            },
            // Floats before the norm, bytes behind it.
            Expected {
                keeping: F32_JOINED,
                ends: 3,
                floats: 8,
                bytes: 8,
                small: 0,
            },
            Expected {
                keeping: BF16_JOINED,
                ends: 3,
                floats: 8,
                bytes: 8,
                small: 0,
            },
        ],
    );
}

#[test]
fn only_openvino_joins_and_halves_floats_where_the_processor_does() {
    let on = |device, precision| Keeping::on(ComputedOn { device, precision });
    for device in [Device::Cpu, Device::Cuda(0), Device::TensorRt(1)] {
        for precision in [Precision::F32, Precision::Bf16, Precision::Int8] {
            assert_eq!(on(device, precision), APART);
        }
    }
    for precision in [Precision::F32, Precision::F16, Precision::Int8] {
        assert_eq!(on(Device::OpenVino, precision), F32_JOINED);
    }
    let bf16 = on(Device::OpenVino, Precision::Bf16);
    assert!([F32_JOINED, BF16_JOINED].contains(&bf16));
}
