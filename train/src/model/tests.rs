use burn::module::Param;
use burn::tensor::Tolerance;

use super::resize::trilinear;
use super::*;
use crate::data::random::Random;
use crate::plan::{Variant, paper};
use crate::testing::uniform;

/// A network of three levels with a 4 x 4 x 4 bottleneck of 16 features.
fn tiny(variant: Variant, num_tasks: usize) -> NetworkConfig {
    NetworkConfig {
        variant,
        patch_size: [8, 16, 16],
        strides_between_stages: vec![[1, 2, 2], [2; 3]],
        kernel_sizes: vec![[1, 3, 3], [3; 3], [3; 3]],
        base_num_features: 4,
        num_tasks,
        num_classes: 3,
        input_channel_variants: vec![1, 2],
        ..paper().network
    }
}

fn image(batch: usize, device: &Device) -> Tensor<5> {
    uniform([batch, 2, 8, 16, 16], &mut Random::new(1), device)
}

fn task(id: i32, device: &Device) -> Tensor<1, Int> {
    Tensor::from_ints([id], device)
}

/// All levels agree, in f32 and with the sums in another order.
#[track_caller]
fn same(found: Prediction, expected: Prediction) {
    assert_eq!(found.deep.len(), expected.deep.len());
    same_map(found.logits, expected.logits);
    for (found, expected) in found.deep.into_iter().zip(expected.deep) {
        same_map(found, expected);
    }
}

#[track_caller]
fn same_map(found: Tensor<5>, expected: Tensor<5>) {
    found
        .into_data()
        .assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-4));
}

fn change<const D: usize>(param: &mut Param<Tensor<D>>, to: impl Fn(Tensor<D>) -> Tensor<D>) {
    *param = Param::from_tensor(to(param.val()));
}

#[test]
fn the_papers_networks_have_the_papers_parameters() {
    // uniseg spec, sections 6 and 8; `num_params` does not initialise lazily created weights.
    for (variant, parameters) in [
        (Variant::FixedPrompt, 32_112_797),
        (Variant::MultiplePrompts, 31_175_120),
        (Variant::UnisegT, 32_111_841),
        (Variant::Uniseg, 32_114_381),
    ] {
        let config = NetworkConfig {
            variant,
            ..paper().network
        };
        assert_eq!(
            UniSeg::new(&config, &Device::flex()).num_params(),
            parameters,
            "{variant}"
        );
    }
}

#[test]
fn the_papers_baselines_have_nnu_nets_parameters() {
    // nnunet-baseline spec, section 1: by stem channels and classes.
    let parameters = |channels, classes| match (channels, classes) {
        (1, 2) => 31_167_584,
        (1, 3) => 31_168_384,
        (2, 2) => 31_167_872,
        (4, 4) => 31_170_048,
        other => panic!("no task of the paper has {other:?}"),
    };
    let count = |config: &NetworkConfig| UniSeg::new(config, &Device::flex()).num_params();
    for task in &paper().tasks {
        let plan = paper().baseline_of(task.id).unwrap();
        let expected = parameters(task.channels.len(), task.labels.len());
        assert_eq!(count(&plan.network), expected, "{}", task.name);
    }
    let liver = paper().baseline_of(0).unwrap().network;
    assert_eq!(
        count(&NetworkConfig {
            num_classes: 4,
            ..liver.clone()
        }),
        31_169_184
    );
    // Stems of other channel counts cost the baseline what they cost the universal network.
    let stems = NetworkConfig {
        input_channel_variants: vec![1, 2, 4],
        ..liver
    };
    assert_eq!(count(&stems), 31_168_384 + 1_792);
}

/// burn has one generator for all threads.
#[test]
fn networks_made_at_once_are_those_of_their_seeds() {
    let device = Device::flex();
    // The first weight that is drawn and the last.
    let weights = |seed| {
        let network = UniSeg::random(&tiny(Variant::Uniseg, 3), seed, &device);
        let last = network.decoder.levels.last().unwrap().head.weight.val();
        let first = network.encoder.stem.convs[0].weight.val();
        [first, last].map(|weight| weight.into_data())
    };
    let alone = [1, 2].map(weights);
    assert_ne!(alone[0], alone[1]);
    std::thread::scope(|scope| {
        for (seed, alone) in [1, 2, 1, 2].into_iter().zip(alone.iter().cycle()) {
            let weights = &weights;
            scope.spawn(move || {
                for _ in 0..10 {
                    assert_eq!(weights(seed), *alone);
                }
            });
        }
    });
}

#[test]
fn outputs_have_the_shapes_of_their_levels() {
    let device = Device::flex();
    for (variant, tasks) in Variant::ALL.map(|variant| (variant, 3)) {
        let tasks = if variant.has_prompt() { tasks } else { 1 };
        let config = tiny(variant, tasks);
        config.check().unwrap();
        let model = UniSeg::random(&config, 1, &device);
        let last = task(tasks as i32 - 1, &device);
        let prediction = model.forward(image(2, &device), last);
        assert_eq!(prediction.logits.dims(), [2, 3, 8, 16, 16], "{variant}");
        let deep: Vec<_> = prediction.deep.iter().map(|level| level.dims()).collect();
        assert_eq!(deep, [[2, 3, 8, 8, 8]], "{variant}");
    }
}

#[test]
fn the_task_changes_every_level_of_all_but_the_baseline() {
    let device = Device::flex();
    for variant in Variant::ALL {
        let tasks = if variant.has_prompt() { 2 } else { 1 };
        let model = UniSeg::random(&tiny(variant, tasks), 1, &device);
        let image = image(1, &device);
        let levels = |id| {
            let Prediction { logits, deep } = model.forward(image.clone(), task(id, &device));
            [vec![logits], deep].concat()
        };
        for (first, second) in levels(0).into_iter().zip(levels(1)) {
            let gap = (first - second).abs().max().into_scalar::<f32>();
            assert_eq!(gap > 1e-3, variant.has_prompt(), "{variant}: {gap}");
        }
    }
}

#[test]
fn a_fixed_prompt_is_unisegs_at_zero() {
    let device = Device::flex();
    let mut uniseg = UniSeg::random(&tiny(Variant::Uniseg, 3), 1, &device);
    let mut fixed = uniseg.clone();
    let universal = |network: &mut UniSeg, prompt: Option<Param<Tensor<5>>>| {
        network.prompt.as_mut().unwrap().universal = prompt;
    };
    let zeros = Tensor::zeros([1, 3, 4, 4, 4], &device);
    universal(&mut uniseg, Some(Param::from_tensor(zeros)));
    universal(&mut fixed, None);
    let made = UniSeg::new(&tiny(Variant::FixedPrompt, 3), &device);
    assert_eq!(made.num_params(), fixed.num_params());
    let image = image(2, &device);
    for id in 0..3 {
        let expected = uniseg.forward(image.clone(), task(id, &device));
        same(fixed.forward(image.clone(), task(id, &device)), expected);
    }
}

#[test]
fn multiple_prompts_are_the_maps_themselves() {
    let device = Device::flex();
    let model = UniSeg::random(&tiny(Variant::MultiplePrompts, 3), 1, &device);
    let prompt = model.prompt.unwrap();
    let bottleneck = uniform([2, 16, 4, 4, 4], &mut Random::new(1), &device);
    let maps = prompt.forward(bottleneck);
    let own = prompt.universal.unwrap().val();
    same_map(maps, Tensor::cat(vec![own.clone(), own], 0));
}

/// Deaf to the task's map, every variant is the baseline with the same trunk.
#[test]
fn without_its_map_a_network_is_the_baseline() {
    let device = Device::flex();
    for variant in Variant::ALL
        .into_iter()
        .filter(|variant| variant.has_prompt())
    {
        let mut deaf = UniSeg::random(&tiny(variant, 1), 1, &device);
        let mut baseline = deaf.clone();
        baseline.prompt = None;
        baseline.prompts_heads = false;
        // The map is the last input channel, wherever it is read.
        if variant.prompts_heads() {
            let levels = deaf
                .decoder
                .levels
                .iter_mut()
                .zip(&mut baseline.decoder.levels);
            for (deaf, baseline) in levels {
                let features = deaf.head.weight.dims()[1] - 1;
                change(&mut baseline.head.weight, |w| w.narrow(1, 0, features));
                change(&mut deaf.head.weight, |w| {
                    let map = w.clone().narrow(1, features, 1).zeros_like();
                    Tensor::cat(vec![w.narrow(1, 0, features), map], 1)
                });
            }
        } else {
            let [deaf, baseline] = [&mut deaf, &mut baseline].map(|n| &mut n.decoder.levels[0].up);
            change(&mut baseline.weight, |w| w.narrow(0, 0, 16));
            change(&mut deaf.weight, |w| {
                let map = w.clone().narrow(0, 16, 1).zeros_like();
                Tensor::cat(vec![w.narrow(0, 0, 16), map], 0)
            });
        }
        let made = UniSeg::new(&tiny(Variant::Baseline, 1), &device);
        assert_eq!(made.num_params(), baseline.num_params(), "{variant}");
        let image = image(2, &device);
        let expected = baseline.forward(image.clone(), task(0, &device));
        same(deaf.forward(image, task(0, &device)), expected);
    }
}

/// Deaf to the image's features, a head of UniSeg-T scores the resized map.
#[test]
fn uniseg_t_resizes_the_map_for_every_head() {
    let device = Device::flex();
    let mut model = UniSeg::random(&tiny(Variant::UnisegT, 2), 1, &device);
    for level in &mut model.decoder.levels {
        let features = level.head.weight.dims()[1] - 1;
        let ones = Tensor::ones([3, 1, 1, 1, 1], &device);
        let deaf = Tensor::zeros([3, features, 1, 1, 1], &device);
        change(&mut level.head.weight, |_| {
            Tensor::cat(vec![deaf.clone(), ones.clone()], 1)
        });
    }
    let image = image(2, &device);
    let bottleneck = model.encoder.forward(image.clone()).bottleneck;
    let map = model
        .prompt
        .as_ref()
        .unwrap()
        .forward(bottleneck)
        .narrow(1, 1, 1);
    let prediction = model.forward(image, task(1, &device));
    for level in [vec![prediction.logits], prediction.deep].concat() {
        let [batch, classes, z, y, x] = level.dims();
        let expected = trilinear(map.clone(), [z, y, x]).expand([batch, classes, z, y, x]);
        same_map(level, expected);
    }
}

#[test]
fn gradients_reach_the_prompt_of_the_task_alone_or_of_all_where_fused() {
    let device = Device::flex().autodiff();
    for variant in [Variant::MultiplePrompts, Variant::UnisegT, Variant::Uniseg] {
        let model = UniSeg::random(&tiny(variant, 2), 1, &device);
        let universal = model
            .prompt
            .as_ref()
            .unwrap()
            .universal
            .as_ref()
            .unwrap()
            .val();
        let prediction = model.forward(image(1, &device), task(1, &device));
        // The coarsest level alone: InstanceNorm leaves no gradient of a plain sum.
        let gradients = prediction.deep[0].clone().powi_scalar(3).sum().backward();
        let gradient = universal.grad(&gradients).unwrap();
        let largest = |task| {
            gradient
                .clone()
                .narrow(1, task, 1)
                .abs()
                .max()
                .into_scalar::<f32>()
        };
        assert!(largest(1) > 1e-4, "{variant}: {}", largest(1));
        assert_eq!(
            largest(0) > 1e-4,
            variant.fuses(),
            "{variant}: {}",
            largest(0)
        );
    }
}
