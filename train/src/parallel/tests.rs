use std::sync::{Arc, Mutex};

use burn::module::{ModuleVisitor, Param};
use burn::tensor::DType;

use super::*;
use crate::device::DeviceSpec;
use crate::loss::{DiceOver, SegmentationLoss, downsample_labels};
use crate::optim::Sgd;
use crate::plan::{NetworkConfig, paper};

const SIZE: [usize; 3] = [4, 8, 8];

fn network() -> UniSeg {
    let config = NetworkConfig {
        patch_size: SIZE,
        strides_between_stages: vec![[1, 2, 2]],
        kernel_sizes: vec![[1, 3, 3], [3; 3]],
        base_num_features: 4,
        num_tasks: 2,
        num_classes: 3,
        input_channel_variants: vec![1, 2],
        ..paper().network
    };
    UniSeg::random(&config, 11, &Device::flex().autodiff())
}

fn devices(name: &str) -> Vec<Device> {
    name.parse::<DeviceSpec>().unwrap().open().unwrap()
}

/// The loss of samples `first..first + count` of a fixed series.
fn loss_of(first: usize, count: usize) -> ShareLoss {
    Box::new(move |network, device| {
        let [z, y, x] = SIZE;
        let voxels = (z * y * x) as i64;
        let range = first as i64 * voxels..(first + count) as i64 * voxels;
        let image = (Tensor::<1, Int>::arange(range, device).float() * 0.37).sin();
        let image = image.reshape([count, 1, z, y, x]);
        let labels = image.clone().greater_elem(0.3).int();
        let targets = downsample_labels(labels, &[SIZE]);
        let task = Tensor::<1, Int>::from_ints([1], device);
        let logits = network.forward(image, task).logits;
        SegmentationLoss::new(1, DiceOver::Sample).forward(vec![logits], targets, 2)
    })
}

/// Every number of a network, or of its gradients where there are some.
struct Numbers<'a> {
    gradients: Option<&'a GradientsParams>,
    found: Vec<f32>,
}

impl ModuleVisitor for Numbers<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let values = match self.gradients {
            None => Some(param.val()),
            Some(gradients) => gradients.get(param.id),
        };
        if let Some(values) = values {
            assert_eq!(values.dtype(), DType::F32);
            self.found.extend(values.into_data().iter::<f32>());
        }
    }
}

fn numbers(network: &UniSeg, gradients: Option<&GradientsParams>) -> Vec<f32> {
    let found = Vec::new();
    let mut numbers = Numbers { gradients, found };
    network.visit(&mut numbers);
    numbers.found
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

#[test]
fn the_mean_over_devices_is_the_gradient_of_the_whole_batch() {
    let network = network();
    // The third case is two rounds, the second of them of one share.
    for (count, name) in [(2, "cpu:2"), (3, "cpu:3"), (3, "cpu:2")] {
        let one = DataParallel::new(devices("cpu"), Precision::F32);
        let whole = one.step(&network, vec![loss_of(0, count)]).unwrap();
        let several = DataParallel::new(devices(name), Precision::F32);
        let shares = || (0..count).map(|first| loss_of(first, 1)).collect();
        let mean = several.step(&network, shares()).unwrap();

        assert_eq!(mean.losses.len(), count);
        assert_ne!(mean.losses[0], mean.losses[1]);
        let loss = mean.losses.iter().sum::<f32>() / count as f32;
        assert!(
            (loss - whole.losses[0]).abs() < 1e-6,
            "{loss} {:?}",
            whole.losses
        );

        let [expected, found] =
            [&whole, &mean].map(|step| numbers(&network, Some(&step.gradients)));
        assert_eq!(mean.gradients.len(), whole.gradients.len());
        let largest = expected
            .iter()
            .fold(0.0_f32, |most, value| most.max(value.abs()));
        assert!(largest > 0.01, "{largest}");
        for (expected, found) in expected.iter().zip(&found) {
            assert!((expected - found).abs() < 1e-6, "{expected} {found}");
        }

        let again = several.step(&network, shares()).unwrap();
        let again = numbers(&network, Some(&again.gradients));
        assert_eq!(bits(&found), bits(&again), "the order of adding is fixed");
    }
}

#[test]
fn all_replicas_have_the_same_weights_after_a_step() {
    let mut network = network();
    let mut optimizer = Sgd::default().init();
    let parallel = DataParallel::new(devices("cpu:2"), Precision::F32);
    let mut before = numbers(&network, None);
    for _ in 0..3 {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shares = (0..2).map(|first| {
            let (seen, loss) = (seen.clone(), loss_of(first, 1));
            Box::new(move |network: &UniSeg, device: &Device| {
                seen.lock().unwrap().push(numbers(network, None));
                loss(network, device)
            }) as ShareLoss
        });
        let step = parallel.step(&network, shares.collect()).unwrap();
        for seen in seen.lock().unwrap().iter() {
            assert_eq!(bits(seen), bits(&before));
        }
        network = optimizer.step(0.01, network, step.gradients);
        let after = numbers(&network, None);
        assert_ne!(bits(&before), bits(&after));
        before = after;
    }
}

#[test]
fn bf16_gives_gradients_of_the_f32_weights() {
    let network = network();
    let step = |name, precision, shares| {
        let parallel = DataParallel::new(devices(name), precision);
        parallel.step(&network, shares).unwrap()
    };
    let exact = step("cpu", Precision::F32, vec![loss_of(0, 1)]);
    let shares = vec![loss_of(0, 1), loss_of(1, 1)];
    let rounded = step("cpu:2", Precision::Bf16, shares);
    assert_ne!(exact.losses[0], rounded.losses[0]);
    assert!((exact.losses[0] - rounded.losses[0]).abs() < 0.02);
    let values = numbers(&network, Some(&rounded.gradients));
    assert!(values.iter().all(|value| value.is_finite()));
    assert_eq!(rounded.gradients.len(), exact.gradients.len());
}

#[test]
fn a_loss_that_panics_is_an_error_that_names_the_device() {
    let network = network();
    let parallel = DataParallel::new(devices("cpu:2"), Precision::F32);
    let failing: ShareLoss = Box::new(|_, _| panic!("out of memory"));
    let error = parallel
        .step(&network, vec![loss_of(0, 1), failing])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the training step failed: training worker on device 1 failed: out of memory"
    );
    // The workers are there for the next step.
    let shares = vec![loss_of(0, 1), loss_of(1, 1)];
    assert!(parallel.step(&network, shares).is_ok());
}
