use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

use super::testing::Cache;
use super::*;
use crate::augment::Augmentation;
use crate::sampler::TaskSampler;

fn options(workers: usize, paired_tasks: bool) -> LoaderOptions {
    LoaderOptions {
        patch: [8; 3],
        batch_size: 2,
        foreground_share: 0.33,
        paired_tasks,
        augmentation: Augmentation::default(),
        seed: 5,
        workers: NonZeroUsize::new(workers).unwrap(),
        ahead: NonZeroUsize::new(3).unwrap(),
    }
}

fn sampler() -> TaskSampler {
    TaskSampler::new(
        NonZeroUsize::new(2).unwrap(),
        NonZeroU32::new(3).unwrap(),
        9,
    )
}

fn sources(cache: &Cache) -> Arc<Sources> {
    Arc::new(Sources::open(cache.path(), &cache.plan, Part::Train).unwrap())
}

#[test]
fn steps_do_not_depend_on_workers_and_continue_from_anywhere() {
    let cache = Cache::new(5);
    let sources = sources(&cache);
    let start = |workers, sampler, first| {
        Loader::start(
            Arc::clone(&sources),
            options(workers, false),
            sampler,
            first,
        )
    };
    let mut one = start(1, sampler(), 0);
    let steps: Vec<Step> = (0..12).map(|_| one.next_step()).collect();
    let mut three = start(3, sampler(), 0);
    for step in &steps {
        let same = three.next_step();
        assert_eq!((same.index, &same.batches), (step.index, &step.batches));
        assert_eq!(same.sampler, step.sampler);
    }
    let mut resumed = start(2, steps[4].sampler.clone(), 5);
    for step in &steps[5..] {
        assert_eq!(resumed.next_step().batches, step.batches);
    }
    // Every task as often, never the same patch twice in a row.
    let of_task = |task| {
        steps
            .iter()
            .filter(|step| step.batches[0].task == task)
            .count()
    };
    assert_eq!((of_task(0), of_task(1)), (6, 6));
    assert_ne!(steps[0].batches[0].image, steps[1].batches[0].image);
}

#[test]
fn a_batch_is_of_one_task_and_its_last_patch_has_foreground() {
    let cache = Cache::new(5);
    let mut loader = Loader::start(sources(&cache), options(2, false), sampler(), 0);
    for _ in 0..20 {
        let step = loader.next_step();
        let [batch] = step.batches.as_slice() else {
            panic!("one batch")
        };
        assert_eq!(batch.image.dim(), (2, 1, 8, 8, 8));
        assert_eq!(batch.label.dim(), (2, 8, 8, 8));
        let classes = cache.plan.tasks[batch.task].labels.len() as u8;
        assert!(batch.label.iter().all(|label| *label < classes));
    }
}

#[test]
fn paired_tasks_see_one_image_with_their_own_labels() {
    let cache = Cache::new(5);
    let paired = Sources::open(cache.path(), &cache.plan, Part::Train)
        .unwrap()
        .pair();
    let mut loader = Loader::start(Arc::new(paired), options(2, true), sampler(), 0);
    let mut seen = 0;
    for _ in 0..10 {
        let step = loader.next_step();
        let [one, other] = step.batches.as_slice() else {
            panic!("two batches")
        };
        assert_ne!(one.task, other.task);
        assert_eq!(one.image, other.image);
        let [liver, spleen] = if one.task == 0 {
            [one, other]
        } else {
            [other, one]
        };
        let pairs = liver.label.iter().zip(&spleen.label);
        assert!(pairs.clone().all(|(l, s)| (*l == 2) == (*s == 1)));
        seen += pairs.filter(|(_, spleen)| **spleen == 1).count();
    }
    assert!(seen > 0);
}

#[test]
fn without_pairing_nobody_has_a_partner() {
    let cache = Cache::new(4);
    let mut loader = Loader::start(sources(&cache), options(1, true), sampler(), 0);
    assert_eq!(loader.next_step().batches.len(), 1);
}

#[test]
fn a_cache_of_another_plan_is_refused_by_field() {
    let cache = Cache::new(3);
    let mut plan = cache.plan.clone();
    plan.tasks[1].spacing_zyx_mm = [4.0, 3.0, 2.0];
    let error = Sources::open(cache.path(), &plan, Part::Train)
        .unwrap_err()
        .to_string();
    for part in [
        "spacing_zyx_mm [4.0, 3.0, 3.0]",
        "[4.0, 3.0, 2.0]",
        "uniseg preprocess",
    ] {
        assert!(error.contains(part), "{error}");
    }
    plan.tasks[1].name = "kidney".into();
    let error = Sources::open(cache.path(), &plan, Part::Train)
        .unwrap_err()
        .to_string();
    assert!(error.contains("kidney"), "{error}");
}

#[test]
fn a_loader_that_is_dropped_early_leaves_no_thread_waiting() {
    let cache = Cache::new(3);
    let loader = Loader::start(sources(&cache), options(3, false), sampler(), 0);
    drop(loader);
}
