//! conv, norm, activation, conv, norm, activation, conv: the pattern of the networks we export.

use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2dConfig};
use burn::nn::{InstanceNorm, InstanceNormConfig};
use burn::prelude::*;
use burn::tensor::activation::leaky_relu;

use super::*;
use crate::Exporter;

fn filled(channels: [usize; 2], weight: f32) -> Conv2d {
    let device = Device::flex();
    let mut conv = Conv2dConfig::new(channels, [1, 1]).init(&device);
    let weights = Tensor::<4>::full([channels[1], channels[0], 1, 1], weight, &device);
    conv.weight = burn::module::Param::from_tensor(weights);
    conv.bias = conv
        .bias
        .map(|bias| burn::module::Param::from_tensor(bias.val().zeros_like()));
    conv
}

fn network(weight: f32) -> Exported {
    network_with([0.5, weight, 0.25])
}

/// Every weight of stem, body and head.
fn network_with(weights: [f32; 3]) -> Exported {
    network_of(Exporter::new().float_input("x", &[1, 1, 4, 4]), weights)
}

fn network_of(exporter: Exporter, [stem, body, head]: [f32; 3]) -> Exported {
    let convs = [
        filled([1, 2], stem),
        filled([2, 2], body),
        filled([2, 1], head),
    ];
    let norm: InstanceNorm = InstanceNormConfig::new(2).init(&Device::flex());
    exporter
        .export(|tracer| {
            let norm = tracer.load(&norm);
            let [stem, body, head] = convs.each_ref().map(|conv| tracer.load(conv));
            let x = tracer.float::<4>("x")?;
            let x = leaky_relu(norm.forward(stem.forward(x)), 0.01);
            let x = leaky_relu(norm.forward(body.forward(x)), 0.01);
            tracer.output("y", head.forward(x))
        })
        .unwrap()
}

/// A calibrator without an engine: channels of magnitude 1 and 4, `extremes`, then the same count in
/// every bin.
struct Made {
    batch: usize,
    extremes: [f32; 2],
    runs: usize,
    probed: usize,
}

impl Calibrator for Made {
    fn run(
        &mut self,
        probe: &ModelProto,
        take: &mut dyn FnMut(Readings),
    ) -> Result<(), CalibrationError> {
        let graph = probe.graph.as_ref().unwrap();
        assert!(uniseg_onnx::check(probe).is_empty());
        let has = |op: &str| graph.node.iter().any(|node| node.op_type == op);
        for _ in 0..self.runs {
            take(
                graph
                    .output
                    .iter()
                    .map(|output| {
                        let values = match output.name.as_str() {
                            "y" => vec![0.0; 16],
                            _ if has("GlobalMaxPool") => [1.0, 4.0].repeat(self.batch),
                            _ if has("ReduceMin") => self.extremes.to_vec(),
                            _ => vec![1.0; 2048],
                        };
                        (output.name.clone(), values)
                    })
                    .collect(),
            );
        }
        Ok(())
    }

    fn disturbance(&mut self, model: &ModelProto) -> Result<f64, CalibrationError> {
        let graph = model.graph.as_ref().unwrap();
        assert!(uniseg_onnx::check(model).is_empty());
        // One layer alone, and it is in bytes.
        let rounds = |op: &str| graph.node.iter().filter(|node| node.op_type == op).count();
        assert_eq!(rounds("QuantizeLinear"), 1);
        self.probed += 1;
        Ok(1.0)
    }
}

fn int8(calibrator: &mut Made) -> Result<Exported, ExportError> {
    let int8 = Int8 {
        float_share: 0.05,
        ..Int8::default()
    };
    network(0.5).with_precision(Precision::Int8(int8), Some(calibrator))
}

#[test]
fn f16_keeps_norms_and_head_and_casts_at_borders_only() {
    let exported = network(0.5).with_precision(Precision::F16, None).unwrap();
    insta::assert_snapshot!(exported.graph().to_string());
}

#[test]
fn bf16_is_the_same_graph_in_the_other_type() {
    let text = |precision| {
        let exported = network(0.5).with_precision(precision, None).unwrap();
        exported.graph().to_string()
    };
    assert_eq!(
        text(Precision::BF16).replace("bf16", "f16"),
        text(Precision::F16)
    );
}

#[test]
fn int8_quantises_between_stem_and_head() {
    let mut calibrator = Made {
        batch: 1,
        extremes: [-1.0, 4.0],
        runs: 2,
        probed: 0,
    };
    let exported = int8(&mut calibrator).unwrap();
    insta::assert_snapshot!(exported.graph().to_string());
}

#[test]
fn channels_are_balanced_where_that_changes_nothing() {
    let network = network(0.25);
    let before = &network.graph;
    let mut calibrator = Made {
        batch: 1,
        extremes: [-1.0, 4.0],
        runs: 1,
        probed: 0,
    };
    let after = equalise::equalise(
        before,
        &quantise::sites(before, Ends::WHOLE),
        &mut calibrator,
    )
    .unwrap();
    let constants = |graph: &Graph, op: &str, slot: usize| -> Vec<Vec<f32>> {
        let nodes = graph.nodes().iter().filter(|node| node.op == op);
        nodes
            .map(|node| {
                let constant = graph.constant(node.inputs[slot]).unwrap();
                constant.as_f32().unwrap()
            })
            .collect()
    };
    let norm = "InstanceNormalization";
    // Magnitudes 1 and 4: the first channel is scaled up to the second. The last norm feeds the
    // head, which stays as it is.
    assert_eq!(constants(before, norm, 1), [[1.0; 2]; 2]);
    assert_eq!(constants(&after, norm, 1), [[4.0, 1.0], [1.0, 1.0]]);
    assert_eq!(constants(before, "Conv", 1)[1], [0.25; 4]);
    assert_eq!(
        constants(&after, "Conv", 1)[1],
        [0.0625, 0.25, 0.0625, 0.25]
    );
    assert_eq!(
        constants(&after, "Conv", 1)[2],
        constants(before, "Conv", 1)[2]
    );
    // Both norms share a constant, of which each has its own now.
    assert_eq!(before.nodes().len(), after.nodes().len());
}

#[test]
fn ends_are_made_for_bf16_and_the_head_changes_nothing() {
    let before = network_with([0.3, 0.25, 0.3337]).graph;
    let settle = |ends| bf16_ends::round_stems(&bf16_ends::fit_heads(&before, ends), ends);
    let after = settle(Ends::WHOLE);
    let constants = |graph: &Graph, node: usize, slot: usize| {
        let constant = graph.constant(graph.nodes()[node].inputs[slot]);
        constant.unwrap().as_f32().unwrap()
    };
    let [stem, body, norm, head] = [0, 3, 4, 6];
    assert_eq!(before.nodes()[norm].op, "InstanceNormalization");
    assert_eq!(
        constants(&after, stem, 1),
        [::half::bf16::from_f32(0.3).to_f32(); 2]
    );
    assert_eq!(constants(&after, body, 1), constants(&before, body, 1));
    let error = |weight: f32| (::half::bf16::from_f32(weight).to_f32() - weight).abs() / weight;
    let [gamma, weights] = [(norm, 1), (head, 1)].map(|(node, slot)| constants(&after, node, slot));
    for (gamma, weight) in gamma.iter().zip(weights) {
        assert!((gamma * weight - 0.3337).abs() < 1e-7, "{gamma} {weight}");
        assert!(error(weight) < 0.1 * error(0.3337), "{weight}");
    }
    // Where the graph was cut there are no ends.
    let cut = Ends {
        inputs: false,
        outputs: false,
    };
    assert_eq!(settle(cut).to_string(), before.to_string());
}

#[test]
fn what_a_transposed_convolution_makes_is_quantised_behind_an_activation() {
    let convs = [
        filled([1, 2], 0.5),
        filled([2, 2], 0.5),
        filled([2, 1], 0.25),
    ];
    let up = ConvTranspose2dConfig::new([2, 2], [2, 2]).with_stride([2, 2]);
    let up = up.init(&Device::flex());
    let mut made = Made {
        batch: 1,
        extremes: [0.0, 1.0],
        runs: 1,
        probed: 0,
    };
    let exported = Exporter::new()
        .float_input("x", &[1, 1, 4, 4])
        .export(|tracer| {
            let [stem, body, head] = convs.each_ref().map(|conv| tracer.load(conv));
            let x = stem.forward(tracer.float::<4>("x")?);
            let x = body.forward(tracer.load(&up).forward(x));
            tracer.output("y", head.forward(leaky_relu(x, 0.01)))
        })
        .unwrap()
        .with_precision(Precision::Int8(Int8::default()), Some(&mut made))
        .unwrap();
    let ops: Vec<&str> = exported
        .graph()
        .nodes()
        .iter()
        .map(|node| node.op)
        .collect();
    let up = ops.iter().position(|op| *op == "ConvTranspose").unwrap();
    assert_eq!(ops[up + 1..up + 3], ["LeakyRelu", "QuantizeLinear"]);
    assert_eq!(exported.graph().nodes()[up + 1].float("alpha"), Some(1.0));
    assert_eq!(ops.iter().filter(|op| **op == "LeakyRelu").count(), 2);
}

#[test]
fn a_weight_beyond_f16_is_named() {
    let error = network(1e5)
        .with_precision(Precision::F16, None)
        .unwrap_err();
    insta::assert_snapshot!(
        error,
        @"the constant 'Conv_1.weight' holds 100000, which is infinite in f16: export in bf16 or f32"
    );
    network(1e5).with_precision(Precision::BF16, None).unwrap();
}

#[test]
fn useless_calibration_is_an_error() {
    let error = network(0.5)
        .with_precision(Precision::Int8(Int8::default()), None)
        .unwrap_err();
    assert!(matches!(error, ExportError::NoCalibrator), "{error}");
    let mut none = Made {
        batch: 1,
        extremes: [0.0, 1.0],
        runs: 0,
        probed: 0,
    };
    let error = int8(&mut none).unwrap_err();
    assert!(matches!(error, ExportError::Calibration { .. }), "{error}");
    let mut endless = Made {
        batch: 1,
        extremes: [0.0, f32::INFINITY],
        runs: 1,
        probed: 0,
    };
    let error = int8(&mut endless).unwrap_err();
    insta::assert_snapshot!(
        error,
        @"calibration returned no finite measurement of 'LeakyRelu_0'"
    );
}

#[test]
fn axes_keep_their_names_and_bf16_needs_opset_22() {
    for (precision, opset) in [(Precision::F16, 17), (Precision::BF16, 22)] {
        let exported = Exporter::new()
            .float_input("x", &[2, 1, 4, 4])
            .symbolic("x", 0, "batch", 3)
            .export(|tracer| {
                let convs = [filled([1, 2], 0.5), filled([2, 2], 0.25)];
                let [stem, body] = convs.each_ref().map(|conv| tracer.load(conv));
                let x = tracer.float::<4>("x")?;
                tracer.output("y", body.forward(stem.forward(x)).mean_dim(1))
            })
            .unwrap();
        let reduced = exported.with_precision(precision, None).unwrap();
        let graph = reduced.graph();
        for (name, id) in graph.inputs().iter().chain(graph.outputs()) {
            assert_eq!(graph.axis_name(*id, 0), Some("batch"), "{name}");
        }
        let model = reduced.into_model("reduced");
        assert_eq!(model.opset(), Some(opset));
        assert_eq!(uniseg_onnx::check(&model), []);
    }
}

#[test]
fn an_open_axis_stays_open_in_every_precision() {
    let open = || {
        let exporter = Exporter::new().float_input("x", &[2, 1, 4, 4]);
        network_of(exporter.symbolic("x", 0, "batch", 3), [0.5, 0.5, 0.25])
    };
    let mut made = Made {
        batch: 2,
        extremes: [0.0, 1.0],
        runs: 1,
        probed: 0,
    };
    let exported = [
        open().with_precision(Precision::F16, None),
        open().with_precision(Precision::BF16, None),
        open().with_precision(Precision::Int8(Int8::default()), Some(&mut made)),
    ];
    for exported in exported {
        let exported = exported.unwrap();
        let graph = exported.graph();
        for (name, id) in graph.inputs().iter().chain(graph.outputs()) {
            assert_eq!(graph.axis_name(*id, 0), Some("batch"), "{name}");
        }
    }
}
