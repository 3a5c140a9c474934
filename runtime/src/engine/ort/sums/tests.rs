//! Sums by graphs are those of the host: with the host's memory in place of a GPU's, the same steps.

use ndarray::{Array4, ArrayView4, s};
use uniseg_onnx::{Manifest, Task, sample};

use super::*;
use crate::{
    CancelToken, EngineKind, EngineOptions, Model, Predictor, Slab, WholeModel, WindowOptions,
    WindowReport, WindowRun,
    engine::{Engine, open_bound, open_engine},
    predict_slabs,
    predictor::{JoinedModel, PairedModel},
    testing::graphs::{decoder, encoder, whole, whole_artefact},
};

fn options(device_sums: bool) -> EngineOptions {
    EngineOptions {
        kind: EngineKind::Ort,
        cuda: CudaOptions {
            device_sums,
            ..CudaOptions::default()
        },
        ..EngineOptions::default()
    }
}

fn bound(model: &Model) -> Box<dyn Engine> {
    open_bound(model, &options(true))
}

/// Two tasks that see the same image: one keeps three classes, one two.
fn tasks(manifest: &Manifest) -> [Task; 2] {
    let three = manifest.tasks[1].clone();
    let mut two = three.clone();
    (two.id, two.name) = (0, "fewer".to_owned());
    two.labels.truncate(2);
    [three, two]
}

/// The slabs of both tasks, joined along z.
fn averaged(
    predictor: &mut dyn Predictor,
    manifest: &Manifest,
    channels: ArrayView4<'_, f32>,
    options: &WindowOptions,
) -> Result<(Vec<Array4<f32>>, WindowReport), RuntimeError> {
    let tasks = tasks(manifest);
    let (_, z, y, x) = channels.dim();
    let empty = |task: &Task| Array4::zeros((task.labels.len(), z, y, x));
    let mut found: Vec<Array4<f32>> = tasks.iter().map(empty).collect();
    let run = WindowRun {
        manifest,
        tasks: &tasks.each_ref(),
        channels,
        region: None,
        options,
        cancel: &CancelToken::new(),
    };
    let report = predict_slabs(predictor, run, &mut |_| (), &mut |slab: Slab| {
        let end = slab.first + slab.probabilities.dim().1;
        let mut planes = found[slab.task].slice_mut(s![.., slab.first..end, .., ..]);
        planes.assign(&slab.probabilities);
        Ok(())
    })?;
    Ok((found, report))
}

/// Half a patch at a time, without windows of air.
fn sliding(manifest: &Manifest, mirror: bool, batch: usize) -> WindowOptions {
    WindowOptions {
        step: 0.5,
        mirror,
        skip: true,
        batch: batch.try_into().unwrap(),
        ..WindowOptions::of(manifest)
    }
}

/// Channels without any symmetry; air where `air` says so.
fn image([z, y, x]: [usize; 3], air: bool) -> Array4<f32> {
    let mut image = Array4::from_shape_fn((2, z, y, x), |(c, i, j, k)| {
        ((c * 7 + i * 13 + j * 5 + k * 3) % 11) as f32 / 11.0 - 0.3 * c as f32 - 0.05
    });
    if air {
        image.slice_mut(s![.., .., .., x / 2..]).fill(0.0);
    }
    image
}

#[test]
fn sums_on_a_device_are_those_of_the_host() {
    let manifest = sample::tiny_manifest();
    let network = &manifest.network;
    let mut plain = open_engine(&whole(), &options(false)).unwrap().engine;
    let mut on_device = bound(&whole());
    let mut halves = PairedModel {
        encoder: bound(&encoder()),
        decoder: bound(&decoder()),
        network: network.clone(),
        batches: true,
    };
    let mut skipped = 0;
    // As large as the patch, smaller, and larger along some and all axes.
    for extent in [[2, 3, 4], [1, 2, 3], [5, 3, 2], [7, 8, 12], [2, 4, 9]] {
        for (mirror, batch, air) in [
            (false, 1, false),
            (false, 3, true),
            (true, 1, true),
            (true, 4, false),
        ] {
            let options = sliding(&manifest, mirror, batch);
            let image = image(extent, air);
            let run = |predictor: &mut dyn Predictor| {
                averaged(predictor, &manifest, image.view(), &options).unwrap()
            };
            let (expected, report) = run(&mut WholeModel::of(plain.as_mut(), network, true));
            skipped += report.skipped;
            let whole = run(&mut WholeModel::of(on_device.as_mut(), network, true));
            let pair = run(&mut halves);
            for (found, counted) in [whole, pair] {
                assert_eq!(counted.skipped, report.skipped);
                for (found, expected) in found.iter().zip(&expected) {
                    let gap = (found - expected).mapv(f32::abs);
                    let most = gap.iter().copied().fold(0.0, f32::max);
                    assert!(most < 2e-6, "{most} {extent:?} {mirror} {batch}");
                }
            }
        }
    }
    assert!(skipped > 0, "no window was left out");
}

#[test]
#[ignore = "needs an NVIDIA GPU"]
fn gpu_sums_what_it_computed() {
    let _alone = crate::engine::ort::gpu_tests::GPU.lock();
    let manifest = sample::tiny_manifest();
    let open = |model: &Model, device, graph| {
        let mut options = options(device != Device::Cpu);
        (options.device, options.cuda.graph) = (device, Some(graph));
        open_engine(model, &options).unwrap().engine
    };
    let image = image([7, 8, 12], true);
    let mut cpu = open(&whole(), Device::Cpu, false);
    for (mirror, batch, graph) in [(false, 1, false), (true, 4, false), (true, 1, true)] {
        let options = sliding(&manifest, mirror, batch);
        let run = |predictor: &mut dyn Predictor| {
            averaged(predictor, &manifest, image.view(), &options)
                .unwrap()
                .0
        };
        let expected = run(&mut WholeModel::of(cpu.as_mut(), &manifest.network, true));
        let mut gpu = open(&whole(), Device::Cuda(0), graph);
        let whole = run(&mut WholeModel::of(gpu.as_mut(), &manifest.network, true));
        let pair = run(&mut PairedModel {
            encoder: open(&encoder(), Device::Cuda(0), graph),
            decoder: open(&decoder(), Device::Cuda(0), graph),
            network: manifest.network.clone(),
            batches: true,
        });
        for (found, expected) in whole
            .iter()
            .zip(&expected)
            .chain(pair.iter().zip(&expected))
        {
            let gap = (found - expected).mapv(f32::abs);
            assert!(
                gap.iter().all(|gap| *gap < 1e-5),
                "{mirror} {batch} {graph}"
            );
        }
    }
}

#[test]
fn nothing_is_summed_on_a_device_unless_asked_for() {
    let importance = ndarray::Array3::ones((2, 3, 4));
    let of = SumsOf {
        classes: &[2],
        depth: 2,
        plane: [3, 4],
        importance: importance.view(),
        views: 1,
    };
    let sums = |mut engine: Box<dyn Engine>| engine.sums(&of).unwrap().is_some();
    assert!(sums(bound(&whole())));
    assert!(!sums(open_bound(&whole(), &options(false))));
    assert!(!sums(
        open_engine(&whole(), &options(false)).unwrap().engine
    ));
    let (mut joined, _) =
        JoinedModel::open(Model::from(whole_artefact()), &options(false), 2).unwrap();
    assert!(joined.sums(&of).unwrap().is_none());
}

/// Sums of one task over six planes of 1 x 1 voxel, by a network of 2 x 1 x 1.
fn small() -> Box<dyn Sums> {
    let importance = ndarray::Array3::ones((2, 1, 1));
    let of = SumsOf {
        classes: &[1],
        depth: 3,
        plane: [1, 1],
        importance: importance.view(),
        views: 1,
    };
    bound(&whole()).sums(&of).unwrap().unwrap()
}

#[test]
fn planes_leave_in_front_and_empty_ones_come_behind() {
    let mut sums = small();
    assert_eq!(sums.take(0, 2).unwrap(), Array4::<f32>::zeros((1, 2, 1, 1)));
    // The same engine computes logits in which everything is as likely.
    let mut constant = bound(&constant());
    let mut add = |sums: &mut dyn Sums, z: usize| {
        let placed = Placed {
            task: 0,
            item: 0,
            flips: [false; 3],
            patch: [0..2, 0..1, 0..1],
            sums: [z..z + 2, 0..1, 0..1],
        };
        let image = ndarray::ArrayD::<f32>::zeros(vec![1, 2, 2, 1, 1]);
        let image = crate::TensorView::F32(image.view());
        constant
            .lend(None, &[("image", image)], &mut |_, logits| {
                sums.add(&logits, &placed)
            })
            .unwrap();
    };
    add(sums.as_mut(), 0);
    add(sums.as_mut(), 1);
    let mut taken = |planes| -> Vec<f32> { sums.take(0, planes).unwrap().into_iter().collect() };
    assert_eq!(taken(1), [0.5]);
    assert_eq!(taken(1), [1.0]);
    assert_eq!(taken(3), [0.5, 0.0, 0.0]);
    assert_eq!(taken(3), [0.0, 0.0, 0.0]);
}

/// Two logits that are the same everywhere.
fn constant() -> Model {
    use uniseg_onnx::proto::{DataType, GraphProto, ModelProto, NodeProto, ValueInfoProto};
    let shape = [1, 2, 2, 1, 1];
    let graph = GraphProto {
        name: "constant".to_owned(),
        node: vec![NodeProto::new("Sub", ["image", "image"], ["logits"])],
        input: vec![ValueInfoProto::tensor("image", DataType::Float, shape)],
        output: vec![ValueInfoProto::tensor("logits", DataType::Float, shape)],
        ..GraphProto::default()
    };
    let bytes = uniseg_onnx::encode(&ModelProto::new(graph));
    Model::unchecked(bytes, sample::tiny_manifest())
}

#[test]
fn logits_that_are_elsewhere_are_an_error() {
    let mut logits = ndarray::ArrayD::<f32>::zeros(vec![1, 2, 2, 1, 1]);
    let lent = Lent::from(TensorViewMut::F32(logits.view_mut()));
    let placed = Placed {
        task: 0,
        item: 0,
        flips: [false; 3],
        patch: [0..2, 0..1, 0..1],
        sums: [0..2, 0..1, 0..1],
    };
    let error = small().add(&lent, &placed).unwrap_err().with_causes();
    assert!(error.contains("not where they are summed"), "{error}");
}

#[test]
fn what_is_not_finite_is_found_out() {
    let manifest = sample::tiny_manifest();
    let mut engine = bound(&whole());
    let mut predictor = WholeModel::of(engine.as_mut(), &manifest.network, true);
    let mut image = image([3, 4, 5], false);
    image[[0, 1, 1, 1]] = f32::NAN;
    let options = WindowOptions::of(&manifest);
    let error = averaged(&mut predictor, &manifest, image.view(), &options).unwrap_err();
    assert!(matches!(error, RuntimeError::NotFinite { .. }), "{error}");
}

#[test]
fn a_mirrored_part_is_read_backwards() {
    assert_eq!(along(5, &(1..3), false), (1, 3, 1));
    assert_eq!(along(5, &(1..3), true), (3, 1, -1));
    assert_eq!(along(5, &(0..5), true), (4, -6, -1));
}
