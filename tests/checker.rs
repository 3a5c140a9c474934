//! Artefacts before ONNX's own checker, and the paper's network through both engines.

pub mod kinds;

use std::path::Path;
use std::time::Instant;

use serde::Deserialize;
use uniseg_runtime::{Model, forward, random_patch};

use crate::support::{
    artefacts,
    compare::same_math,
    golden, kept,
    ort::{ENGINES, engine},
    python::python,
    uniseg,
};

/// Parameters of the paper's network, heads of the deep supervision and biases of all stems
/// included (uniseg spec, section 6).
const PAPER_PARAMETERS: u64 = 32_114_381;

/// Full check, then strict shape inference of every value from the inputs alone.
const CHECK: &str = r#"
import json, sys, onnx
path = sys.argv[1]
onnx.checker.check_model(path, full_check=True)
model = onnx.load(path)
del model.graph.value_info[:]
inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
def shape(value):
    return [d.dim_value if d.HasField("dim_value") else None for d in value.type.tensor_type.shape.dim]
known = {v.name: shape(v) for v in [*inferred.graph.value_info, *inferred.graph.output]}
dims = {w.name: list(w.dims) for w in inferred.graph.initializer}
made = [name for node in inferred.graph.node for name in node.output]
print(json.dumps({
    "open": [name for name in made if None in known.get(name, [None])],
    "inputs": {v.name: shape(v) for v in inferred.graph.input},
    "outputs": {v.name: shape(v) for v in inferred.graph.output},
    "normed": sum(dims[node.input[1]][0] for node in inferred.graph.node if node.op_type == "InstanceNormalization"),
    "elements": sum(onnx.numpy_helper.to_array(w).size for w in inferred.graph.initializer),
}))
"#;

#[derive(Deserialize)]
struct Findings {
    /// Values whose shape cannot be told before running.
    open: Vec<String>,
    inputs: serde_json::Value,
    outputs: serde_json::Value,
    /// Channels of all InstanceNorms.
    normed: u64,
    /// Numbers in all initialisers.
    elements: u64,
}

#[track_caller]
fn check(path: &Path) -> Findings {
    let findings: Findings = serde_json::from_str(&python(CHECK, &[path])).unwrap();
    let model = Model::open(path).unwrap();
    let network = &model.manifest().network;
    let [d, h, w] = network.patch_zyx;
    assert_eq!(findings.open, [] as [String; 0]);
    let image = [1, network.slots, d, h, w];
    assert_eq!(
        findings.inputs,
        serde_json::json!({ "image": image, "task": [1] })
    );
    let logits = [1, network.classes, d, h, w];
    assert_eq!(findings.outputs, serde_json::json!({ "logits": logits }));
    findings
}

#[test]
fn the_tiny_artefact_passes_the_onnx_checker() {
    check(artefacts::tiny());
}

#[test]
fn imported_artefacts_pass_the_onnx_checker() {
    let Some(golden) = golden("imported_artefacts_pass_the_onnx_checker") else {
        return;
    };
    // What only training needs is left out: the heads of the coarser levels and the biases, which
    // the norms behind them remove; of stems there are three before one norm.
    let heads = |coarser: [u64; 4]| 4 * coarser.iter().sum::<u64>();
    for (path, heads, stem) in [
        (artefacts::trained(&golden), heads([96, 64, 32, 16]), 8),
        (artefacts::small(&golden), heads([64, 32, 16, 8]), 4),
    ] {
        let findings = check(path);
        let left_out = heads + 2 * stem + findings.normed;
        let parameters = Model::open(path).unwrap().manifest().network.parameters;
        println!("{} numbers for {parameters} parameters", findings.elements);
        let constants = findings.elements.checked_sub(parameters - left_out);
        assert!(
            constants.is_some_and(|constants| constants < 100),
            "{constants:?}"
        );
    }
}

#[test]
fn the_papers_network_passes_the_checker_and_runs_in_both_engines() {
    let path = kept("artefacts").join("paper.onnx");
    uniseg([
        "export",
        "--plan",
        "paper",
        "--seed",
        "0",
        "-o",
        path.to_str().unwrap(),
    ])
    .succeeds();
    let findings = check(&path);
    let model = Model::open(&path).unwrap();
    let network = &model.manifest().network;
    assert_eq!((network.parameters, network.slots), (PAPER_PARAMETERS, 7));
    assert_eq!(network.patch_zyx, [64, 192, 192]);
    // Fresh biases are all zero and stored once, so the file holds less.
    assert!(findings.elements < PAPER_PARAMETERS);

    let task = model.manifest().task("whole_body").unwrap();
    let image = random_patch(model.manifest(), task, 1);
    let [ort, tract] = ENGINES.map(|kind| {
        let start = Instant::now();
        let mut engine = engine(&model, kind);
        let opened = start.elapsed();
        let logits = forward(engine.as_mut(), network, image.view(), task.id).unwrap();
        println!(
            "{}: opened in {opened:.1?}, one window in {:.1?}",
            engine.name(),
            start.elapsed() - opened
        );
        logits.into_dyn()
    });
    assert!(
        ort.iter().any(|logit| logit.abs() > 0.01),
        "the logits say nothing"
    );
    same_math(
        "the paper's network, ort against tract",
        tract.view(),
        ort.view(),
    );
}
