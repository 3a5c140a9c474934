//! Networks for some of the tasks, in two parts, and for any batch: the same numbers as the whole.

use burn::prelude::*;
use uniseg::bridge::{self, Batch, BridgeError, Compiled, Pair, Request};
use uniseg_export::{Cost, Dtype, Handover, Opset, Precision};
use uniseg_imaging::ndarray::{ArrayD, Axis, concatenate};
use uniseg_onnx::{IMAGE, Part, TASK};
use uniseg_runtime::{
    EngineKind, EngineOptions, Logits, Model, Pieces, RuntimeError, Tensor as RuntimeTensor,
    TensorView, random_patch,
};
use uniseg_train::Checkpoint;
use uniseg_train::plan::{Plan, Variant, paper};

use crate::support::{
    artefacts,
    compare::{read_labels, same_math},
    golden, kept, ort,
    python::passes_the_checker,
    uniseg,
};

/// The paper's tasks and stems, few channels and a small patch.
fn checkpoint(variant: Variant) -> Checkpoint {
    let mut plan: Plan = paper();
    plan.network.variant = variant;
    plan.network.patch_size = [32, 64, 64];
    plan.network.base_num_features = 4;
    Checkpoint::random(plan, 5, &Device::flex())
}

fn model(compiled: &Compiled) -> Model {
    Model::from(compiled.artefact.clone())
}

/// The logits of a whole network; `image` may hold several windows.
fn logits(model: &Model, kind: EngineKind, image: &ArrayD<f32>, task: u32) -> ArrayD<f32> {
    let task = ArrayD::from_elem(vec![1], i64::from(task));
    let inputs = [
        (IMAGE, TensorView::F32(image.view())),
        (TASK, TensorView::I64(task.view())),
    ];
    floats(ort::engine(model, kind).run(&inputs).unwrap()).remove(0)
}

fn floats(outputs: Vec<(String, RuntimeTensor)>) -> Vec<ArrayD<f32>> {
    outputs
        .into_iter()
        .map(|(name, tensor)| match tensor {
            RuntimeTensor::F32(values) => values,
            RuntimeTensor::I64(_) => panic!("{name} is an integer"),
        })
        .collect()
}

#[test]
fn a_network_for_some_tasks_gives_their_logits_and_is_smaller() {
    for variant in [
        Variant::Uniseg,
        Variant::FixedPrompt,
        Variant::MultiplePrompts,
        Variant::UnisegT,
    ] {
        let checkpoint = checkpoint(variant);
        let whole = bridge::compile(&checkpoint).unwrap();
        let universal = model(&whole);
        for (tasks, modality, slots) in [
            (vec!["liver"], None, 1),
            (vec!["prostate", "whole_body"], None, 3),
            (vec![], Some("CT"), 1),
        ] {
            let request = Request {
                tasks: tasks.iter().map(|&task| task.to_owned()).collect(),
                modality: modality.map(str::to_owned),
                ..Request::default()
            };
            let special = bridge::compile_for(&checkpoint, &request).unwrap();
            let what = format!("{variant}: {tasks:?} {modality:?}");
            assert!(special.costs[1].flops < whole.costs[1].flops, "{what}");
            assert!(
                special.artefact.bytes().len() < whole.artefact.bytes().len(),
                "{what}"
            );
            let alone = model(&special);
            assert_eq!(alone.manifest().network.slots, slots, "{what}");
            for task in &alone.manifest().tasks {
                let own = universal.manifest().task(&task.name).unwrap();
                // The same image, once in the slots of each network.
                let image = random_patch(alone.manifest(), task, 3).into_dyn();
                let mut shape = image.shape().to_vec();
                shape[1] = universal.manifest().network.slots;
                let mut full = ArrayD::zeros(shape);
                for (from, to) in task.channels.iter().zip(&own.channels) {
                    let channel = image.index_axis(Axis(1), from.slot);
                    full.index_axis_mut(Axis(1), to.slot).assign(&channel);
                }
                for kind in ort::ENGINES {
                    let expected = logits(&universal, kind, &full, own.id);
                    let found = logits(&alone, kind, &image, task.id);
                    same_math(&format!("{what}, {kind}"), found.view(), expected.view());
                }
            }
        }
    }
}

/// A request that rewrites convolutions, and what it is to save.
type Rewrite = (&'static str, Request, fn(Cost) -> u64);

fn rewrites() -> [Rewrite; 4] {
    let plain = Request::default;
    let lean = Request {
        lean: true,
        ..plain()
    };
    let merged = Request {
        merge_upsampling: true,
        ..plain()
    };
    let winograd = Request {
        winograd: true,
        ..plain()
    };
    let all = Request {
        lean: true,
        merge_upsampling: true,
        winograd: true,
        ..plain()
    };
    [
        ("lean", lean, |cost| cost.activation_bytes),
        ("merged upsampling", merged, |cost| cost.flops),
        ("winograd", winograd, |cost| cost.flops),
        ("all three", all, |cost| cost.flops),
    ]
}

#[test]
fn a_network_with_other_convolutions_gives_the_same_logits_for_less() {
    let folder = tempfile::tempdir().unwrap();
    for variant in Variant::ALL {
        let checkpoint = checkpoint(variant);
        let plain = bridge::compile(&checkpoint).unwrap();
        let whole = model(&plain);
        for (name, request, saved) in rewrites() {
            let compiled = bridge::compile_for(&checkpoint, &request).unwrap();
            let [before, after] = [&plain, &compiled].map(|compiled| saved(compiled.costs[1]));
            let share = after as f64 / before as f64;
            println!("{variant}, {name}: {share:.3} of what is to be saved");
            assert!(share < 0.97, "{variant}, {name}: {share}");
            let file = folder.path().join("model.onnx");
            compiled.artefact.save(&file).unwrap();
            passes_the_checker(&file);
            let rewritten = model(&compiled);
            // The runtime counts convolutions alone, by the shapes in the file.
            let [runtime, compiler] = [rewritten.footprint().flops, compiled.costs[1].flops];
            let share = runtime as f64 / compiler as f64;
            assert!((0.75..=1.0).contains(&share), "{variant}, {name}: {share}");
            for task in [&whole.manifest().tasks[0], &whole.manifest().tasks[9]] {
                let image = random_patch(whole.manifest(), task, 3).into_dyn();
                for kind in ort::ENGINES {
                    let expected = logits(&whole, kind, &image, task.id);
                    let found = logits(&rewritten, kind, &image, task.id);
                    let what = format!("{variant}, {name}, {}, {kind}", task.name);
                    same_math(&what, found.view(), expected.view());
                }
            }
        }
    }
}

#[test]
fn winograd_in_16_bits_is_refused() {
    let request = Request {
        winograd: true,
        precision: Precision::BF16,
        ..Request::default()
    };
    let error = bridge::compile_for(&checkpoint(Variant::Uniseg), &request).err();
    let error = error.expect("an error").to_string();
    assert!(error.contains("bf16 was asked for"), "{error}");
}

#[test]
fn one_task_gives_the_labels_of_the_whole_network() {
    let Some(golden) = golden("one_task_gives_the_labels_of_the_whole_network") else {
        return;
    };
    let folder = kept("one-task");
    let whole = artefacts::trained(&golden);
    let checkpoint = kept("artefacts").join("uniseg-trained");
    let alone = folder.join("kidney.onnx");
    let [checkpoint, to] = [&checkpoint, &alone].map(|path| path.to_str().unwrap());
    uniseg(["export", checkpoint, "--task", "kidney", "-o", to]).succeeds();
    let volume = golden.path("data/ct_small.nii.gz");
    // Windows overlap: it takes the same soft-max, not only the same logits of the task.
    let [expected, found] = [whole, &alone].map(|model| {
        let labels = folder.join("labels.nii.gz");
        let [model, volume, to] = [model, &volume, &labels].map(|path| path.to_str().unwrap());
        uniseg(["segment", model, volume, "--task", "kidney", "-o", to]).succeeds();
        read_labels(&labels)
    });
    let differ = expected.iter().zip(&found).filter(|(a, b)| a != b).count();
    println!("{differ} of {} voxels differ", found.len());
    assert!(differ <= 2, "{differ} voxels differ");
}

#[test]
fn one_task_leaves_one_map_of_the_prompt_and_all_classes_of_the_soft_max() {
    let request = Request {
        tasks: vec!["spleen".into()],
        ..Request::default()
    };
    let compiled = bridge::compile_for(&checkpoint(Variant::Uniseg), &request).unwrap();
    let graph = compiled.artefact.model().graph.clone().unwrap();
    assert!(
        graph
            .node
            .iter()
            .all(|node| !matches!(node.op_type.as_str(), "Gather" | "Slice"))
    );
    let outputs: Vec<i64> = graph
        .initializer
        .iter()
        .filter(|weight| weight.name.ends_with(".weight") && weight.dims[0] <= 4)
        .map(|weight| weight.dims[0])
        .collect();
    // The map of the one task, and the head; the first blocks have as many, base 4.
    assert_eq!(outputs.iter().filter(|&&count| count == 1).count(), 1);
    assert_eq!(outputs.last(), Some(&4));
    assert_eq!(compiled.artefact.manifest().network.classes, 4);
}

#[test]
fn encoder_and_decoder_together_are_the_network() {
    for variant in [Variant::Uniseg, Variant::UnisegT] {
        let checkpoint = checkpoint(variant);
        let whole = bridge::compile(&checkpoint).unwrap();
        let plain = ("as it is", Request::default());
        let rewrites = rewrites().map(|(name, request, _)| (name, request));
        for (name, request) in [plain].into_iter().chain(rewrites) {
            let pair = bridge::compile_pair(&checkpoint, &request).unwrap();
            let what = format!("{variant}, {name}");
            the_pair_is_the_network(&what, &pair, &model(&whole));
            let work = |compiled: &Compiled| compiled.costs[1].flops as f64;
            let decoding = work(&pair.decoder) / work(&whole);
            println!("{what}: a decoding is {decoding:.2} of the network");
            assert!(decoding < 0.6, "{what}: {decoding}");
        }
    }
}

fn the_pair_is_the_network(what: &str, pair: &Pair, universal: &Model) {
    let (encoder, decoder) = (model(&pair.encoder), model(&pair.decoder));
    let Part::Decoder { encoder_sha256, .. } = &decoder.manifest().network.part else {
        panic!("{:?}", decoder.manifest().network.part)
    };
    assert_eq!(*encoder_sha256, encoder.manifest().weights_sha256);
    let task = &universal.manifest().tasks[0];
    let image = random_patch(universal.manifest(), task, 3).into_dyn();
    for kind in ort::ENGINES {
        let features = ort::engine(&encoder, kind)
            .run(&[(IMAGE, TensorView::F32(image.view()))])
            .unwrap();
        let mut engine = ort::engine(&decoder, kind);
        for id in [0u32, 1, 7] {
            let task = ArrayD::from_elem(vec![1], i64::from(id));
            let mut inputs: Vec<(&str, TensorView<'_>)> = features
                .iter()
                .map(|(name, tensor)| (name.as_str(), tensor.view()))
                .collect();
            inputs.push((TASK, TensorView::I64(task.view())));
            let found = floats(engine.run(&inputs).unwrap()).remove(0);
            let expected = logits(universal, kind, &image, id);
            let what = format!("{what}, {kind}, task {id}");
            same_math(&what, found.view(), expected.view());
        }
    }
}

#[test]
fn features_in_16_bits_and_another_order_make_the_same_logits_to_rounding() {
    let checkpoint = checkpoint(Variant::Uniseg);
    let planar = bridge::compile_pair(&checkpoint, &Request::default()).unwrap();
    let manifest = planar.decoder.artefact.manifest();
    let task = &manifest.tasks[0];
    let image = random_patch(manifest, task, 3);
    let logits = |pair: &Pair| {
        let pieces = Pieces::of(model(&pair.decoder), Some(model(&pair.encoder)));
        let options = EngineOptions {
            kind: EngineKind::Ort,
            ort_lib: Some(ort::library().to_owned()),
            ..EngineOptions::default()
        };
        let mut engines = pieces.open_engines(&options, 1).unwrap();
        let mut found = Vec::new();
        let mut each = |_, mut logits: Logits<'_>| {
            found.push(logits.view()?.to_owned().into_dyn());
            Ok(())
        };
        let predictor = engines.predictor();
        predictor.logits(image.view(), &[0, 7], &mut each).unwrap();
        found
    };
    let expected = logits(&planar);
    for (dtype, channels_last, share) in [
        (Dtype::F32, true, 1e-5),
        (Dtype::F16, false, 2e-3),
        (Dtype::F16, true, 2e-3),
        (Dtype::BF16, true, 2e-2),
    ] {
        let features = Handover {
            dtype,
            channels_last,
        };
        let request = Request {
            features,
            ..Request::default()
        };
        let pair = bridge::compile_pair(&checkpoint, &request).unwrap();
        for (name, compiled) in [("encoder", &pair.encoder), ("decoder", &pair.decoder)] {
            let kind = format!("features-{}-{channels_last}.{name}.onnx", dtype.name());
            let path = kept("artefacts").join(kind);
            compiled.artefact.save(&path).unwrap();
            passes_the_checker(&path);
        }
        for (found, expected) in logits(&pair).iter().zip(&expected) {
            let largest = expected.iter().fold(0f32, |most, v| most.max(v.abs()));
            let apart = (found - expected).mapv(f32::abs);
            let most = apart.iter().fold(0f32, |most, v| most.max(*v)) / largest;
            println!("{features:?}: {most} of the largest logit");
            assert!(most <= share, "{features:?}: {most}");
            assert!(most > 0.0 || dtype == Dtype::F32, "nothing was rounded");
        }
    }
}

#[test]
fn an_open_batch_takes_one_window_or_more() {
    let request = Request {
        batch: Batch::Open,
        ..Request::default()
    };
    let checkpoint = checkpoint(Variant::Uniseg);
    let compiled = bridge::compile_for(&checkpoint, &request).unwrap();
    let open = model(&compiled);
    let fixed = model(&bridge::compile(&checkpoint).unwrap());
    let task = &fixed.manifest().tasks[0];
    let [a, b] = [3, 4].map(|seed| random_patch(fixed.manifest(), task, seed).into_dyn());
    let [one, two] = [&a, &b].map(|image| logits(&fixed, EngineKind::Ort, image, task.id));
    let alone = logits(&open, EngineKind::Ort, &a, task.id);
    same_math("a batch of one", alone.view(), one.view());
    let both = concatenate(Axis(0), &[a.view(), b.view()]).unwrap();
    let found = logits(&open, EngineKind::Ort, &both, task.id);
    let expected = concatenate(Axis(0), &[one.view(), two.view()]).unwrap();
    same_math("a batch of two", found.view(), expected.view());
}

#[test]
fn a_request_that_cannot_be_met_says_what_there_is() {
    let uniseg = checkpoint(Variant::Uniseg);
    let request = |tasks: &[&str], modality: Option<&str>| Request {
        tasks: tasks.iter().map(|&task| task.to_owned()).collect(),
        modality: modality.map(str::to_owned),
        ..Request::default()
    };
    let fails = |request: &Request| {
        let error = bridge::compile_for(&uniseg, request)
            .err()
            .expect("an error");
        error.to_string()
    };
    let error = fails(&request(&["livr"], None));
    assert!(error.contains("did you mean \"liver\"?"), "{error}");
    let error = fails(&request(&[], Some("US")));
    assert!(
        error.contains("US") && error.contains("CT, CT+PET"),
        "{error}"
    );
    // One task is known when the network is compiled: nothing depends on it any more.
    let error = bridge::compile_pair(&uniseg, &request(&["liver"], None))
        .err()
        .unwrap();
    assert!(matches!(error, BridgeError::Export(_)), "{error}");
}

#[test]
fn a_pair_of_files_predicts_as_one_and_both_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let checkpoint = checkpoint(Variant::Uniseg);
    let universal = model(&bridge::compile(&checkpoint).unwrap());
    let pair = bridge::compile_pair(&checkpoint, &Request::default()).unwrap();
    pair.encoder.artefact.save(path("a.encoder.onnx")).unwrap();
    let alone = Pieces::open(&path("a.encoder.onnx")).unwrap_err();
    assert!(matches!(alone, RuntimeError::OpenModel { .. }), "{alone}");
    pair.decoder.artefact.save(path("a.decoder.onnx")).unwrap();
    let task = &universal.manifest().tasks[0];
    let image = random_patch(universal.manifest(), task, 3);
    let options = EngineOptions {
        kind: EngineKind::Ort,
        ort_lib: Some(ort::library().to_owned()),
        ..EngineOptions::default()
    };
    for half in ["a.encoder.onnx", "a.decoder.onnx"] {
        let pieces = Pieces::open(&path(half)).unwrap();
        let mut engines = pieces.open_engines(&options, 1).unwrap();
        let predictor = engines.predictor();
        let ids = [0, 1, 7];
        let mut seen = Vec::new();
        let mut each = |index: usize, mut found: Logits<'_>| {
            let whole = image.clone().into_dyn();
            let expected = logits(&universal, EngineKind::Ort, &whole, ids[index]);
            same_math(half, found.view()?.view().into_dyn(), expected.view());
            seen.push(index);
            Ok(())
        };
        predictor.logits(image.view(), &ids, &mut each).unwrap();
        assert_eq!(seen, [0, 1, 2]);
    }
    // Names that tell no partner, and halves of two networks.
    pair.decoder.artefact.save(path("b.onnx")).unwrap();
    let error = Pieces::open(&path("b.onnx")).unwrap_err();
    assert!(matches!(error, RuntimeError::NoPartner { .. }), "{error}");
    let other = Checkpoint::random(checkpoint.plan.clone(), 6, &Device::flex());
    let other = bridge::compile_pair(&other, &Request::default()).unwrap();
    other.encoder.artefact.save(path("a.encoder.onnx")).unwrap();
    let error = Pieces::open(&path("a.decoder.onnx")).unwrap_err();
    assert!(
        matches!(error, RuntimeError::OtherPartner { .. }),
        "{error}"
    );
}

#[test]
fn a_network_in_the_newest_opset_gives_the_same_logits() {
    for variant in [Variant::Uniseg, Variant::UnisegT] {
        let checkpoint = checkpoint(variant);
        let request = Request {
            opset: Opset::NEWEST,
            ..Request::default()
        };
        let newest = bridge::compile_for(&checkpoint, &request).unwrap();
        let opset = Opset::NEWEST;
        let written = newest.artefact.model();
        assert_eq!(written.opset(), Some(opset.version()));
        assert_eq!(written.ir_version, opset.ir_version());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("newest.onnx");
        newest.artefact.save(&path).unwrap();
        passes_the_checker(&path);

        let [usual, newest] = [bridge::compile(&checkpoint).unwrap(), newest].map(|c| model(&c));
        let task = usual.manifest().task("liver").unwrap();
        let image = random_patch(usual.manifest(), task, 3).into_dyn();
        for kind in ort::ENGINES {
            let expected = logits(&usual, kind, &image, task.id);
            let found = logits(&newest, kind, &image, task.id);
            let what = format!("{variant} in opset {opset}, {kind}");
            same_math(&what, found.view(), expected.view());
        }
    }
}
