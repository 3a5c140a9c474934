//! Several tasks in one call give what each gives alone.

use ndarray::Array5;
use uniseg_onnx::sample;

use super::*;
use crate::{
    EngineKind, WholeModel,
    testing::graphs::{encoder, whole_artefact, windows},
};

#[test]
fn tasks_in_one_call_give_what_each_gives_alone() {
    let manifest = sample::tiny_manifest();
    for kind in [EngineKind::Ort, EngineKind::Tract] {
        let options = EngineOptions {
            kind,
            ..EngineOptions::default()
        };
        let model = Model::from(whole_artefact());
        assert_eq!(model.tasks_at_once(), 2, "it has two tasks");
        let mut alone = open_engine(&model, &options).unwrap().engine;
        let mut alone = WholeModel::of(alone.as_mut(), &manifest.network, true);
        let (mut joined, _) = JoinedModel::open(model, &options, 2).unwrap();
        assert!(joined.shares_work() && joined.batches());
        // More than fit into a call, fewer, and as many: it is opened again in between.
        for (count, tasks) in [(1, &[0, 1][..]), (1, &[1, 0, 1]), (1, &[1]), (2, &[1, 0])] {
            if count > 1 && kind == EngineKind::Tract {
                continue; // It takes one window at a time.
            }
            let image = windows(count, tasks.len());
            let logits = |predictor: &mut dyn Predictor| {
                let mut found: Vec<Array5<f32>> = Vec::new();
                let mut each = |index: usize, logits: ndarray::ArrayViewMut5<'_, f32>| {
                    assert_eq!(index, found.len());
                    found.push(logits.to_owned());
                    Ok(())
                };
                predictor.logits(image.view(), tasks, &mut each).unwrap();
                found
            };
            assert_eq!(logits(&mut joined), logits(&mut alone), "{kind} {tasks:?}");
        }
    }
}

#[test]
fn half_of_a_pair_is_refused() {
    let mut manifest = sample::tiny_manifest();
    manifest.network.part = uniseg_onnx::Part::Encoder {
        features: Vec::new(),
    };
    let half = Model::unchecked(encoder().bytes().to_vec().into(), manifest);
    let error = JoinedModel::open(half, &EngineOptions::default(), 1).err();
    assert!(
        matches!(error, Some(RuntimeError::HalfOfAPair)),
        "{error:?}"
    );
}
