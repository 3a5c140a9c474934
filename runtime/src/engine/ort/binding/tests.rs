//! The steps of a GPU on the processor: the same calls, with the host's memory in place of the
//! device's.

use ndarray::{Array1, Axis};
use uniseg_onnx::{
    IMAGE, TASK,
    proto::{DataType, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto},
    sample,
};

use super::super::bound_engine;
use crate::{
    Engine, EngineKind, EngineOptions, Held, Model, RuntimeError, TensorView, open_engine,
    testing::graphs::{decoder, encoder, held, run, whole, windows},
};

fn options() -> EngineOptions {
    EngineOptions {
        kind: EngineKind::Ort,
        threads: std::num::NonZeroUsize::new(2),
        ..EngineOptions::default()
    }
}

fn bound(model: &Model) -> Box<dyn Engine> {
    Box::new(bound_engine(model, &options()))
}

fn unbound(model: &Model) -> Box<dyn Engine> {
    open_engine(model, &options()).unwrap().engine
}

#[test]
fn a_bound_session_gives_the_same_bits_whatever_ran_before() {
    let model = whole();
    let (mut plain, mut bound) = (unbound(&model), bound(&model));
    // One thing changes at a time: an input that is left as it was would show.
    for (count, seed, task) in [
        (1, 0, 0),
        (1, 0, 1),
        (1, 1, 1),
        (2, 1, 1),
        (2, 2, 0),
        (1, 2, 0),
    ] {
        let mut image = windows(count, seed);
        let expected = run(plain.as_mut(), &image, task).unwrap();
        assert_eq!(run(bound.as_mut(), &image, task).unwrap(), expected);
        image.invert_axis(Axis(4));
        let expected = run(plain.as_mut(), &image, task).unwrap();
        assert_eq!(run(bound.as_mut(), &image, task).unwrap(), expected);
    }
}

#[test]
fn what_is_held_goes_into_any_engine() {
    let (first, second) = (encoder(), decoder());
    let mut joined = unbound(&whole());
    let open = |model: &Model, on_buffers| match on_buffers {
        true => bound(model),
        false => unbound(model),
    };
    for (from, to) in [(false, false), (false, true), (true, false), (true, true)] {
        let (mut encoder, mut decoder) = (open(&first, from), open(&second, to));
        for (count, seed) in [(1, 0), (1, 1), (2, 1), (2, 2), (1, 2)] {
            let image = windows(count, seed);
            let found = held(encoder.as_mut(), decoder.as_mut(), &image, &[1, 0, 1]).unwrap();
            for (found, task) in found.into_iter().zip([1, 0, 1]) {
                let expected = run(joined.as_mut(), &image, task).unwrap();
                assert_eq!(found, expected, "{from} {to} {count} {seed} {task}");
            }
        }
    }
}

#[test]
fn outputs_stay_at_their_addresses() {
    let mut engine = bound_engine(&encoder(), &options());
    let mut addresses = |seed| -> Vec<usize> {
        let image = windows(1, seed);
        let image = TensorView::F32(image.view().into_dyn());
        let held = engine.hold(&[(IMAGE, image)]).unwrap();
        let outputs = Held::of_ort(&held).unwrap();
        outputs
            .values
            .iter()
            .map(|(_, value)| value.data_ptr().addr())
            .collect()
    };
    let first = addresses(0);
    assert_eq!(first.len(), 2);
    assert_eq!(addresses(1), first);
}

#[test]
fn a_recorded_graph_refuses_what_it_would_not_read() {
    let mut options = options();
    options.cuda.graph = Some(true);
    let mut engine = bound_engine(&whole(), &options);
    let expected = run(&mut engine, &windows(1, 0), 1).unwrap();
    let error = run(&mut engine, &windows(2, 0), 1).unwrap_err();
    assert_eq!(
        error.with_causes(),
        "bound failed to run the model: a recorded CUDA graph runs on inputs of one shape and at \
         one place only"
    );
    assert_eq!(run(&mut engine, &windows(1, 0), 1).unwrap(), expected);

    let mut decoder = bound_engine(&decoder(), &options);
    let image = windows(1, 0);
    let mut encoders = [encoder(), encoder()].map(|model| bound_engine(&model, &options));
    let [one, other] = &mut encoders;
    held(one, &mut decoder, &image, &[0, 1]).unwrap();
    held(other, &mut decoder, &image, &[0]).unwrap_err();
    held(one, &mut decoder, &image, &[1]).unwrap();
}

#[test]
fn an_input_that_is_missing_is_not_taken_from_the_last_run() {
    let mut engine = bound(&whole());
    let image = windows(1, 0);
    run(engine.as_mut(), &image, 1).unwrap();
    let error = engine
        .run(&[(IMAGE, TensorView::F32(image.view().into_dyn()))])
        .unwrap_err();
    assert!(error.with_causes().contains(TASK), "{error:?}");
    run(engine.as_mut(), &image, 9).unwrap_err();
    run(engine.as_mut(), &image, 1).unwrap();
}

#[test]
fn memory_that_runs_out_is_told_from_other_failures() {
    // More than any machine's addresses reach.
    let graph = ModelProto::new(GraphProto {
        name: "vast".to_owned(),
        node: vec![NodeProto::new("Expand", ["number", "shape"], ["numbers"])],
        initializer: vec![TensorProto::from_i64("shape", &[1], &[1 << 55])],
        input: vec![ValueInfoProto::tensor("number", DataType::Float, [1])],
        output: vec![ValueInfoProto::tensor(
            "numbers",
            DataType::Float,
            [1_i64 << 55],
        )],
        ..GraphProto::default()
    });
    let model = Model::unchecked(uniseg_onnx::encode(&graph), sample::tiny_manifest());
    let number = Array1::<f32>::ones(1);
    for mut engine in [unbound(&model), bound(&model)] {
        let error = engine
            .run(&[("number", TensorView::F32(number.view().into_dyn()))])
            .unwrap_err();
        let told = matches!(error, RuntimeError::OutOfMemory { .. });
        assert!(told, "{}", error.with_causes());
    }
}
