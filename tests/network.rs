//! The network: burn against the official PyTorch code, and both engines against burn.

use std::collections::BTreeMap;

use burn::prelude::*;
use burn::tensor::TensorData;
use uniseg::bridge;
use uniseg_export::Exporter;
use uniseg_imaging::ndarray::{Array5, ArrayD, Axis, Ix5, s};
use uniseg_onnx::{Artefact, Channel, IMAGE, LOGITS, Manifest, Normalization, TASK};
use uniseg_runtime::{Model, forward};
use uniseg_train::{Checkpoint, Deploy, Plan};

use crate::support::{
    Golden,
    compare::same_math,
    golden,
    golden::Tensors,
    ort::{ENGINES, engine},
};

/// Image, channels, task, logits.
const CASES: [(&str, usize, i64, &str); 5] = [
    ("image_c1", 1, 0, "logits_c1_task0"),
    ("image_c1", 1, 7, "logits_c1_task7"),
    ("image_c2", 2, 10, "logits_c2_task10"),
    ("image_c4", 4, 9, "logits_c4_task9"),
    ("image_batch2", 1, 6, "logits_batch2_task6"),
];

struct Reference {
    checkpoint: Checkpoint,
    tensors: Tensors,
    device: Device,
}

impl Reference {
    fn open(golden: &Golden) -> Self {
        let device = Device::flex();
        let plan = Plan::read(&golden.path("uniseg-small/model.json")).unwrap();
        let official = golden.path("uniseg-small/model_final_checkpoint.model");
        let checkpoint = Checkpoint::import(&official, plan, &device).unwrap();
        let tensors = golden.tensors("uniseg-small/forward.safetensors");
        Self {
            checkpoint,
            tensors,
            device,
        }
    }

    fn image(&self, name: &str) -> Tensor<5> {
        let array = self.tensors.get(name);
        let shape = array.shape().to_vec();
        let (elements, _) = array.into_raw_vec_and_offset();
        Tensor::from_data(TensorData::new(elements, shape), &self.device)
    }

    fn task(&self, task: i64) -> Tensor<1, Int> {
        Tensor::from_ints([task], &self.device)
    }

    #[track_caller]
    fn check(&self, name: &str, found: Tensor<5>) {
        same_math(name, array(found).view(), self.tensors.get(name).view());
    }

    /// A batch of golden images in the slots of their stem, one image at a time.
    fn in_slots(&self, name: &str, channels: usize) -> Vec<Array5<f32>> {
        let network = &self.checkpoint.plan.network;
        let slots = network.slots_for(channels).unwrap();
        let images = self.tensors.get(name).into_dimensionality::<Ix5>().unwrap();
        let (batch, _, d, h, w) = images.dim();
        (0..batch)
            .map(|index| {
                let mut image = Array5::zeros((1, network.stem_slots(), d, h, w));
                let filled = s![0, slots[0]..slots[0] + channels, .., .., ..];
                image
                    .slice_mut(filled)
                    .assign(&images.index_axis(Axis(0), index));
                image
            })
            .collect()
    }
}

fn array<const D: usize>(tensor: Tensor<D>) -> ArrayD<f32> {
    let shape = tensor.dims();
    let elements = tensor.into_data().try_into_vec::<f32>().unwrap();
    ArrayD::from_shape_vec(shape.as_slice(), elements).unwrap()
}

#[test]
fn burn_computes_the_official_forward_pass() {
    let Some(golden) = golden("burn_computes_the_official_forward_pass") else {
        return;
    };
    let reference = Reference::open(&golden);
    let network = &reference.checkpoint.network;
    let official: serde_json::Value = golden.json("uniseg-small/model.json");
    assert_eq!(
        network.num_params() as u64,
        official["parameters"].as_u64().unwrap()
    );
    for (image, _, task, logits) in CASES {
        let prediction = network.forward(reference.image(image), reference.task(task));
        reference.check(logits, prediction.logits);
        if logits == "logits_c1_task0" {
            assert_eq!(prediction.deep.len(), 4);
            for (level, deep) in prediction.deep.into_iter().enumerate() {
                reference.check(&format!("deep{}_c1_task0", level + 1), deep);
            }
        }
    }
    let bottleneck = network
        .encoder
        .forward(reference.image("image_c1"))
        .bottleneck;
    reference.check("bottleneck_c1", bottleneck.clone());
    let prompt = network.prompt.as_ref().unwrap();
    reference.check("dynamic_prompt_c1", prompt.forward(bottleneck));
}

#[test]
fn one_artefact_serves_every_channel_count_in_both_engines() {
    let test = "one_artefact_serves_every_channel_count_in_both_engines";
    let Some(golden) = golden(test) else { return };
    let reference = Reference::open(&golden);
    let network = &reference.checkpoint.network;
    let deploy = Deploy::new(network.clone());
    let model = Model::from(bridge::artefact(&reference.checkpoint).unwrap());
    let mut engines = ENGINES.map(|kind| engine(&model, kind));
    for (name, channels, task, logits) in CASES {
        let through_stem = network
            .forward(reference.image(name), reference.task(task))
            .logits;
        let through_stem = array(through_stem);
        let official = reference.tensors.get(logits);
        for (index, image) in reference.in_slots(name, channels).into_iter().enumerate() {
            let expected = through_stem
                .slice_axis(Axis(0), (index..index + 1).into())
                .to_owned();
            let what = format!("{logits} [{index}]");
            let shape = image.shape().to_vec();
            let slots = TensorData::new(image.iter().copied().collect(), shape);
            let slots = Tensor::from_data(slots, &reference.device);
            let through_slots = array(deploy.forward(slots, reference.task(task)));
            same_math(
                &format!("{what}, burn with slots"),
                through_slots.view(),
                expected.view(),
            );
            for engine in &mut engines {
                let manifest = model.manifest();
                let found = forward(
                    engine.as_mut(),
                    &manifest.network,
                    image.view(),
                    task as u32,
                )
                .unwrap();
                let what = format!("{what}, {}", engine.name());
                let found = found.view().into_dyn();
                same_math(&what, found.clone(), expected.view());
                let official = official.slice_axis(Axis(0), (index..index + 1).into());
                same_math(&format!("{what} and PyTorch"), found, official);
            }
        }
    }
}

/// The artefact of a single stem, without slots of the others.
fn with_one_stem(checkpoint: &Checkpoint, universal: &Manifest, channels: usize) -> Artefact {
    let [d, h, w] = checkpoint.plan.network.patch_size;
    let exported = Exporter::new()
        .float_input(IMAGE, &[1, channels, d, h, w])
        .int_input(TASK, &[1])
        .export(|tracer| {
            let network = tracer.load(&checkpoint.network);
            let image = tracer.float::<5>(IMAGE)?;
            let task = tracer.int::<1>(TASK)?;
            tracer.output(LOGITS, network.forward(image, task).logits)
        })
        .unwrap();
    let mut manifest = universal.clone();
    manifest.network.slots = channels;
    for task in &mut manifest.tasks {
        let channel = |slot| Channel {
            modality: "CT".into(),
            slot,
            normalization: Normalization::None,
        };
        task.channels = (0..channels).map(channel).collect();
    }
    Artefact::new(exported.into_model("one stem"), manifest).unwrap()
}

#[test]
fn the_universal_artefact_equals_those_of_a_single_channel_count() {
    let test = "the_universal_artefact_equals_those_of_a_single_channel_count";
    let Some(golden) = golden(test) else { return };
    let reference = Reference::open(&golden);
    let universal = Model::from(bridge::artefact(&reference.checkpoint).unwrap());
    for (name, channels, task, logits) in CASES {
        let single = with_one_stem(&reference.checkpoint, universal.manifest(), channels);
        let single = Model::from(single);
        let images = reference
            .tensors
            .get(name)
            .into_dimensionality::<Ix5>()
            .unwrap();
        let alone = images.slice(s![..1, .., .., .., ..]);
        let in_slots = &reference.in_slots(name, channels)[0];
        for kind in ENGINES {
            let run = |model: &Model, image| {
                let network = &model.manifest().network;
                forward(engine(model, kind).as_mut(), network, image, task as u32).unwrap()
            };
            let expected = run(&universal, in_slots.view());
            let found = run(&single, alone);
            let what = format!("{logits}, {kind}, {channels} channel(s) alone");
            same_math(&what, found.view().into_dyn(), expected.view().into_dyn());
        }
    }
}

#[test]
fn the_same_checkpoint_gives_the_same_bytes() {
    let device = Device::flex();
    let folder = tempfile::tempdir().unwrap();
    let made = Checkpoint::random(small_plan(), 5, &device);
    made.save(folder.path()).unwrap();
    let bytes = |checkpoint: &Checkpoint| bridge::artefact(checkpoint).unwrap().bytes().clone();
    let first = bytes(&made);
    // Read anew, its parameters have other identifiers.
    let read = Checkpoint::open(folder.path(), &device).unwrap();
    assert!(
        first == bytes(&read),
        "two exports of one checkpoint differ"
    );
    let other = Checkpoint::random(small_plan(), 6, &device);
    assert!(
        first != bytes(&other),
        "the seed does not reach the weights"
    );
}

#[test]
fn the_graph_has_few_operators_and_every_norm_is_one_node() {
    let checkpoint = Checkpoint::random(small_plan(), 5, &Device::flex());
    let artefact = bridge::artefact(&checkpoint).unwrap();
    let mut counts = BTreeMap::new();
    for node in &artefact.model().graph.as_ref().unwrap().node {
        *counts.entry(node.op_type.as_str()).or_insert(0) += 1;
    }
    // Two blocks a stage on the way down and up, and three of the prompt, each one norm.
    let stages = checkpoint.plan.network.stages();
    assert_eq!(
        counts["InstanceNormalization"],
        2 * stages + 2 * (stages - 1) + 3
    );
    assert!(
        !counts.contains_key("ReduceMean"),
        "a norm was left in pieces"
    );
    insta::assert_debug_snapshot!(counts);
}

/// The paper's network with few channels and a small patch.
fn small_plan() -> Plan {
    let mut plan = uniseg_train::plan::paper();
    plan.network.patch_size = [32, 64, 64];
    plan.network.base_num_features = 4;
    plan
}
