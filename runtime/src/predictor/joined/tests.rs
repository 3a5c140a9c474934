//! Several tasks in one call give what each gives alone.

use ndarray::Array5;
use uniseg_onnx::sample;

use super::*;
use crate::{
    EngineKind, Tensor, TensorView, WholeModel,
    engine::open_bound,
    testing::graphs::{encoder, whole_artefact, windows},
};

/// The logits of `tasks`, which come in their order.
fn logits(predictor: &mut dyn Predictor, image: &Array5<f32>, tasks: &[u32]) -> Vec<Array5<f32>> {
    let mut found: Vec<Array5<f32>> = Vec::new();
    let mut each = |index: usize, mut logits: Logits<'_>| {
        assert_eq!(index, found.len());
        found.push(logits.view()?.to_owned());
        Ok(())
    };
    predictor.logits(image.view(), tasks, &mut each).unwrap();
    found
}

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
        assert_eq!(joined.batches(), kind == EngineKind::Ort, "tract takes one");
        // More than fit into a call, fewer, and as many: it is opened again in between.
        for (count, tasks) in [(1, &[0, 1][..]), (1, &[1, 0, 1]), (1, &[1]), (2, &[1, 0])] {
            if count > 1 && !joined.batches() {
                continue;
            }
            let image = windows(count, tasks.len());
            let expected = logits(&mut alone, &image, tasks);
            assert_eq!(
                logits(&mut joined, &image, tasks),
                expected,
                "{kind} {tasks:?}"
            );
        }
    }
}

/// An engine without the memory for more than `room` tasks.
struct Cramped {
    engine: Box<dyn Engine>,
    room: usize,
}

impl Engine for Cramped {
    fn name(&self) -> &str {
        "cramped"
    }

    fn run(
        &mut self,
        inputs: &[(&str, TensorView<'_>)],
    ) -> Result<Vec<(String, Tensor)>, RuntimeError> {
        // One of them is the image.
        match inputs.len() - 1 > self.room {
            true => Err(RuntimeError::Run {
                engine: "cramped".to_owned(),
                source: "CUDA failure 2: out of memory".into(),
            }),
            false => self.engine.run(inputs),
        }
    }
}

#[test]
fn a_session_bound_to_buffers_gives_the_same_bits() {
    let options = EngineOptions::default();
    let opener = move |graph: &Model| {
        Ok(OpenedEngine {
            engine: open_bound(graph, &options),
            note: None,
        })
    };
    let model = || Model::from(whole_artefact());
    let (mut bound, _) = JoinedModel::opened(model(), 2, Box::new(opener)).unwrap();
    let (mut plain, _) = JoinedModel::open(model(), &EngineOptions::default(), 2).unwrap();
    for (seed, tasks) in [(0, &[0, 1][..]), (1, &[1]), (2, &[1, 0]), (3, &[1, 1])] {
        let image = windows(1, seed);
        let expected = logits(&mut plain, &image, tasks);
        assert_eq!(logits(&mut bound, &image, tasks), expected, "{seed}");
    }
}

#[test]
fn calls_are_equal() {
    for (tasks, most, expected) in [
        (4, 4, 4),
        (3, 2, 1),
        (4, 3, 2),
        (6, 4, 3),
        (7, 2, 1),
        (1, 8, 1),
    ] {
        assert_eq!(equal_calls(tasks, most), expected, "{tasks} {most}");
    }
}

#[test]
fn fewer_tasks_run_at_once_when_memory_runs_out() {
    let run = |windows_in_a_call, room| {
        let opener = move |graph: &Model| {
            let opened = open_engine(graph, &EngineOptions::default())?;
            let engine = opened.engine;
            Ok(OpenedEngine {
                engine: Box::new(Cramped { engine, room }),
                note: None,
            })
        };
        let model = Model::from(whole_artefact());
        let (mut joined, _) = JoinedModel::opened(model, 2, Box::new(opener)).unwrap();
        let mut served = Vec::new();
        let image = windows(windows_in_a_call, 0);
        let result = joined.logits(image.view(), &[1, 0, 1, 0], &mut |index, _| {
            served.push(index);
            Ok(())
        });
        (result.map(|()| served), joined.tasks_in_a_call())
    };
    let (served, at_once) = run(1, 2);
    assert_eq!((served.unwrap(), at_once), (vec![0, 1, 2, 3], 2));
    let (served, at_once) = run(1, 1);
    assert_eq!((served.unwrap(), at_once), (vec![0, 1, 2, 3], 1));
    let (served, at_once) = run(1, 0);
    assert!(served.unwrap_err().is_out_of_memory());
    assert_eq!(at_once, 1);
    // Who asked for several windows has them to give first.
    let (served, at_once) = run(2, 1);
    assert!(served.unwrap_err().is_out_of_memory());
    assert_eq!(at_once, 2);
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
