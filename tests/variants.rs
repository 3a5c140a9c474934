//! The paper's variants: each becomes an artefact that both engines run as burn does.

use burn::prelude::*;
use burn::tensor::TensorData;
use uniseg::bridge;
use uniseg_imaging::ndarray::{Array5, ArrayD, ArrayView5, s};
use uniseg_runtime::{Model, forward, random_patch};
use uniseg_train::plan::{Variant, paper};
use uniseg_train::{Checkpoint, NetworkConfig, Plan, TaskPlan, UniSeg};

use crate::support::{
    compare::{max_abs, same_math},
    ort::{ENGINES, engine},
};

const SEED: u64 = 11;

/// Four tasks of the paper, two of them with the same images, on a network of four small stages.
fn universal(variant: Variant) -> Plan {
    let paper = paper();
    let task = |(id, of): (usize, usize)| TaskPlan {
        id,
        ..paper.tasks[of].clone()
    };
    let tasks: Vec<TaskPlan> = [0, 3, 9, 10].into_iter().enumerate().map(task).collect();
    let network = NetworkConfig {
        variant,
        patch_size: [16, 32, 32],
        strides_between_stages: vec![[1, 2, 2], [2; 3], [2; 3]],
        kernel_sizes: vec![[1, 3, 3], [3; 3], [3; 3], [3; 3]],
        base_num_features: 4,
        num_tasks: tasks.len(),
        ..paper.network
    };
    Plan {
        network,
        batch_size: paper.batch_size,
        tasks,
    }
}

/// The plans of a variant: one, or for the baseline one for each task.
pub fn plans(variant: Variant) -> Vec<Plan> {
    let plan = universal(variant);
    match variant {
        Variant::Baseline => (0..plan.tasks.len())
            .map(|task| plan.baseline_of(task).unwrap())
            .collect(),
        _ => vec![plan],
    }
}

/// What burn says of the slots that a task fills.
fn through_stem(
    network: &UniSeg,
    task: &uniseg_onnx::Task,
    image: &Array5<f32>,
    device: &Device,
) -> ArrayD<f32> {
    let slots = task.channels.iter().map(|channel| channel.slot);
    let (first, last) = (slots.clone().min().unwrap(), slots.max().unwrap());
    let image = image.slice(s![.., first..=last, .., .., ..]);
    let shape = image.shape().to_vec();
    let data = TensorData::new(image.iter().copied().collect::<Vec<f32>>(), shape);
    let id = Tensor::<1, Int>::from_ints([task.id as i32], device);
    let logits = network.forward(Tensor::from_data(data, device), id).logits;
    let shape = logits.dims();
    let elements = logits.into_data().try_into_vec::<f32>().unwrap();
    ArrayD::from_shape_vec(shape.as_slice(), elements).unwrap()
}

/// Exports a checkpoint and holds both engines against burn for every task.
fn check(checkpoint: &Checkpoint, device: &Device) {
    let variant = checkpoint.plan.network.variant;
    let model = Model::from(bridge::artefact(checkpoint).unwrap());
    let manifest = model.manifest();
    assert_eq!(manifest.network.name, variant.title());
    assert_eq!(manifest.tasks.len(), checkpoint.plan.tasks.len());
    let mut engines = ENGINES.map(|kind| engine(&model, kind));
    for task in &manifest.tasks {
        let image = random_patch(manifest, task, SEED);
        let expected = through_stem(&checkpoint.network, task, &image, device);
        for engine in &mut engines {
            let what = format!("{variant}, {}, {}", task.name, engine.name());
            let found = forward(engine.as_mut(), &manifest.network, image.view(), task.id);
            let found = found.unwrap_or_else(|error| panic!("{what}: {error}"));
            same_math(&what, found.view().into_dyn(), expected.view());
        }
    }
}

#[track_caller]
fn check_variant(variant: Variant) {
    let device = Device::flex();
    for plan in plans(variant) {
        let folder = tempfile::tempdir().unwrap();
        let made = Checkpoint::random(plan.complete().unwrap(), SEED, &device);
        made.save(folder.path()).unwrap();
        let read = Checkpoint::open(folder.path(), &device).unwrap();
        assert_eq!(read.plan, made.plan);
        assert_eq!(read.network.num_params(), made.network.num_params());
        check(&read, &device);
    }
}

#[test]
fn the_baseline_of_every_task_runs_as_in_burn() {
    check_variant(Variant::Baseline);
}

#[test]
fn the_fixed_prompt_runs_as_in_burn() {
    check_variant(Variant::FixedPrompt);
}

#[test]
fn multiple_prompts_run_as_in_burn() {
    check_variant(Variant::MultiplePrompts);
}

#[test]
fn uniseg_t_runs_as_in_burn() {
    check_variant(Variant::UnisegT);
}

#[test]
fn uniseg_runs_as_in_burn() {
    check_variant(Variant::Uniseg);
}

/// The same image under two tasks: the engines read the task wherever there is a prompt.
#[test]
fn the_task_reaches_the_logits_of_every_universal_variant() {
    let device = Device::flex();
    let all = Variant::ALL.into_iter();
    for variant in all.filter(|variant| *variant != Variant::Baseline) {
        let checkpoint = Checkpoint::random(universal(variant), SEED, &device);
        let model = Model::from(bridge::artefact(&checkpoint).unwrap());
        let manifest = model.manifest();
        let image = random_patch(manifest, &manifest.tasks[0], SEED);
        for kind in ENGINES {
            let mut engine = engine(&model, kind);
            let mut run = |image: ArrayView5<'_, f32>, task| {
                forward(engine.as_mut(), &manifest.network, image, task).unwrap()
            };
            let (first, second) = (run(image.view(), 0), run(image.view(), 1));
            let gap = max_abs(first.view().into_dyn(), second.view().into_dyn());
            assert!(gap > 1e-2, "{variant} with {kind}: {gap}");
        }
    }
}
