use super::*;
use crate::UniSeg;
use crate::data::{CaseFingerprint, Tasks, recipes};
use burn::module::Module;
use burn::prelude::*;
use std::path::Path;

fn tasks(recipe: &str) -> Vec<ResolvedTask> {
    let text = recipes::text(recipe).unwrap();
    let tasks = Tasks::parse(text, Path::new("tasks.toml"), None).unwrap();
    let tasks = tasks.tasks.iter();
    tasks.map(|task| task.resolve(None).unwrap()).collect()
}

fn budget(text: &str) -> PlanOptions {
    PlanOptions {
        budget: Some(text.parse().unwrap()),
        ..PlanOptions::default()
    }
}

/// All cases of a task alike.
fn fingerprint(task: &str, spacing_zyx_mm: [f64; 3], size: [usize; 3]) -> Fingerprint {
    Fingerprint {
        task: task.into(),
        cases: vec![CaseFingerprint {
            name: "a".into(),
            spacing_zyx_mm,
            extent_zyx: size,
            cropped_zyx: size,
            label_voxels: vec![1, 1],
        }],
        intensities: Vec::new(),
    }
}

#[test]
fn the_default_is_the_papers_plan() {
    for recipe in ["upstream", "phantom"] {
        let plan = make_plan(&tasks(recipe), &[], &PlanOptions::default()).unwrap();
        assert_eq!(plan, paper(), "{recipe}");
    }
}

#[test]
fn tasks_decide_classes_and_stems() {
    let all = tasks("phantom");
    let some = [all[0].clone(), all[10].clone()];
    let plan = make_plan(&some, &[], &PlanOptions::default()).unwrap();
    let network = &plan.network;
    assert_eq!((network.num_tasks, network.num_classes), (2, 3));
    assert_eq!(network.input_channel_variants, [1, 2]);
    assert_eq!(plan.tasks[1].id, 1);
    let baseline = PlanOptions {
        variant: Variant::Baseline,
        ..PlanOptions::default()
    };
    let error = make_plan(&some, &[], &baseline).unwrap_err().to_string();
    assert!(error.contains("make one plan for each"), "{error}");
    assert!(make_plan(&some[..1], &[], &baseline).is_ok());
}

#[test]
fn a_budget_is_kept_and_used() {
    let all = tasks("phantom");
    let mut before: Option<(f64, usize)> = None;
    for text in ["300M", "512M", "1G", "2G", "4G", "8G", "16G", "64G"] {
        let options = budget(text);
        let plan = make_plan(&all, &[], &options).unwrap();
        let cost = Cost::of(&plan.network, plan.batch_size);
        assert!(Some(cost.step) <= options.budget, "{text}: {}", cost.step);
        let bottleneck = plan.network.bottleneck_size();
        assert!(
            bottleneck.iter().all(|size| (4..8).contains(size)),
            "{text}: {bottleneck:?}"
        );
        let size = layers::product(plan.network.patch_size);
        let features = plan.network.base_num_features;
        println!(
            "{text}: {:?}, {features} features, {}",
            plan.network.patch_size, cost.step
        );
        // More memory never gives fewer features, nor with the same ones a smaller patch.
        if let Some((size_before, features_before)) = before {
            assert!(features >= features_before, "{text}");
            assert!(features > features_before || size >= size_before, "{text}");
        }
        before = Some((size, features));
    }
    // What the paper has is enough for everyone.
    assert_eq!(make_plan(&all, &[], &budget("64G")).unwrap(), paper());
}

#[test]
fn a_small_plan_can_be_built() {
    let plan = make_plan(&tasks("phantom"), &[], &budget("400M")).unwrap();
    let network = UniSeg::new(&plan.network, &Device::flex());
    let cost = Cost::of(&plan.network, plan.batch_size);
    assert_eq!(network.num_params() as u64, cost.parameters);
}

#[test]
fn the_patch_has_the_proportions_of_the_usual_volume() {
    let mut task = tasks("phantom").remove(0);
    let options = budget("2G");
    let mut plan = |spacing: [f64; 3], size: [usize; 3]| {
        task.spacing_zyx_mm = spacing;
        let print = fingerprint("liver", spacing, size);
        let plan = make_plan(std::slice::from_ref(&task), &[print], &options).unwrap();
        plan.network
    };
    let flat = plan([5.0, 1.0, 1.0], [24, 256, 256]);
    assert!(flat.patch_size[0] * 4 <= flat.patch_size[1], "{flat:?}");
    assert_eq!(flat.kernel_sizes[..2], [[1, 3, 3], [1, 3, 3]]);
    assert_eq!(flat.strides_between_stages[..2], [[1, 2, 2], [1, 2, 2]]);
    let long = plan([1.0; 3], [400, 100, 100]);
    assert!(long.patch_size[0] > 2 * long.patch_size[1], "{long:?}");
    assert_eq!(long.kernel_sizes[0], [3; 3]);
    // No larger than what there is to see.
    assert_eq!(plan([1.0; 3], [33, 60, 61]).patch_size, [40, 64, 64]);
    // The volume is measured in voxels of the target spacing.
    let print = fingerprint("liver", [2.0; 3], [66, 120, 122]);
    assert_eq!(print.median_size_at([4.0; 3]), Some([33.0, 60.0, 61.0]));
}

#[test]
fn what_is_stated_is_kept() {
    let all = tasks("phantom");
    let stated = PlanOptions {
        patch_size: Some([32, 96, 96]),
        base_num_features: Some(8),
        ..PlanOptions::default()
    };
    let plan = make_plan(&all, &[], &stated).unwrap();
    assert_eq!(plan.network.patch_size, [32, 96, 96]);
    assert_eq!(plan.network.base_num_features, 8);
    assert_eq!(plan.network.bottleneck_size(), [4, 6, 6]);

    let patch_only = PlanOptions {
        base_num_features: None,
        budget: "1G".parse().ok(),
        ..stated.clone()
    };
    let plan = make_plan(&all, &[], &patch_only).unwrap();
    assert_eq!(plan.network.patch_size, [32, 96, 96]);
    assert!(plan.network.base_num_features < 32);

    let impossible = PlanOptions {
        budget: "200M".parse().ok(),
        ..stated
    };
    let error = make_plan(&all, &[], &impossible).unwrap_err().to_string();
    assert!(
        error.starts_with(
            "no plan fits a budget of 200 MiB: even patches of 32 x 96 x 96 with 8 base features \
             need "
        ),
        "{error}"
    );
}
