use burn::module::ModuleVisitor;
use burn::optim::GradientsParams;
use burn::tensor::DType;

use super::*;
use crate::UniSeg;
use crate::data::random::Random;
use crate::loss::{DiceOver, SegmentationLoss, downsample_labels};
use crate::plan::{NetworkConfig, Variant, paper};
use crate::testing::uniform;

fn tiny(variant: Variant) -> NetworkConfig {
    NetworkConfig {
        variant,
        patch_size: [8, 16, 16],
        strides_between_stages: vec![[1, 2, 2], [2; 3]],
        kernel_sizes: vec![[1, 3, 3], [3; 3], [3; 3]],
        base_num_features: 8,
        num_tasks: 2,
        num_classes: 3,
        input_channel_variants: vec![1, 2],
        ..paper().network
    }
}

/// Number format of every parameter, by path.
#[derive(Default)]
struct Formats {
    path: Vec<String>,
    found: Vec<(String, DType)>,
}

impl Formats {
    fn of(network: &UniSeg) -> Vec<(String, DType)> {
        let mut formats = Self::default();
        network.visit(&mut formats);
        formats.found
    }
}

impl ModuleVisitor for Formats {
    fn enter_module(&mut self, name: &str, _owner: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _owner: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.push((self.path.join("."), param.dtype()));
    }
}

/// The loss of a network's view, and the gradients of the network.
fn train(network: &UniSeg, precision: Precision) -> (f32, GradientsParams) {
    let device = Device::flex().autodiff();
    let image = Tensor::<1, Int>::arange(0..2 * 2 * 8 * 16 * 16, &device);
    let image = (image.float() * 0.7).sin().reshape([2, 2, 8, 16, 16]);
    let labels = image
        .clone()
        .narrow(1, 0, 1)
        .greater_elem(0.5)
        .int()
        .reshape([2, 1, 8, 16, 16]);
    let targets = downsample_labels(labels, &[[8, 16, 16], [8, 8, 8]]);
    let task = Tensor::<1, Int>::from_ints([1], &device);
    let prediction = precision.view(network).forward(image, task);
    let levels = [vec![prediction.logits], prediction.deep].concat();
    assert!(levels.iter().all(|level| level.dtype() == DType::F32));
    let loss = SegmentationLoss::new(2, DiceOver::Sample).forward(levels, targets, 2);
    let gradients = GradientsParams::from_grads(loss.backward(), network);
    (loss.into_scalar(), gradients)
}

/// Gradients as one list, each of them f32.
struct Flat<'a> {
    gradients: &'a GradientsParams,
    values: Vec<f32>,
}

impl ModuleVisitor for Flat<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            assert_eq!(gradient.dtype(), DType::F32);
            self.values.extend(gradient.into_data().iter::<f32>());
        }
    }
}

fn flat(network: &UniSeg, gradients: &GradientsParams) -> Vec<f32> {
    let mut flat = Flat {
        gradients,
        values: Vec::new(),
    };
    network.visit(&mut flat);
    flat.values
}

#[test]
fn names_are_read_and_written() {
    for precision in [Precision::F32, Precision::Bf16] {
        assert_eq!(precision.to_string().parse(), Ok(precision));
    }
    let error = "fp16".parse::<Precision>().unwrap_err().to_string();
    assert_eq!(error, "unknown precision 'fp16' (known: f32, bf16)");
}

#[test]
fn a_view_converts_convolutions_and_nothing_else() {
    let network = UniSeg::random(&tiny(Variant::Uniseg), 5, &Device::flex());
    let formats = Formats::of(&Precision::Bf16.view(&network));
    for (path, format) in &formats {
        let convolves = ["conv", "convs", "up", "head"]
            .iter()
            .any(|part| path.split('.').any(|name| name == *part));
        let expected = if convolves { DType::BF16 } else { DType::F32 };
        assert_eq!(*format, expected, "{path}");
    }
    let converted = formats.iter().filter(|(_, format)| *format == DType::BF16);
    // 2 stems, 5 + 3 + 4 blocks with a bias each, 2 x (up-sampling, head).
    assert_eq!(converted.count(), 2 * (2 + 5 + 3 + 4) + 2 * 2);
    let all = |network: &UniSeg| {
        Formats::of(network)
            .iter()
            .all(|(_, format)| *format == DType::F32)
    };
    assert!(all(&network));
    assert!(all(&Precision::F32.view(&network)));
}

/// As close as 8 significant bits allow, for every variant; the f32 weights learn, in f32.
#[test]
fn gradients_of_a_view_are_the_networks_own() {
    let device = Device::flex().autodiff();
    for variant in [Variant::FixedPrompt, Variant::UnisegT, Variant::Uniseg] {
        let network = UniSeg::random(&tiny(variant), 5, &device);
        let (exact, expected) = train(&network, Precision::F32);
        let (loss, found) = train(&network, Precision::Bf16);
        assert!(
            (loss - exact).abs() < 0.01 * exact.abs(),
            "{variant}: {loss} {exact}"
        );
        assert_ne!(loss, exact, "{variant}: nothing was rounded");
        assert_eq!(found.len(), expected.len());
        let [found, expected] = [&found, &expected].map(|gradients| flat(&network, gradients));
        assert!(found.iter().all(|value| value.is_finite()), "{variant}");
        let product = |a: &[f32], b: &[f32]| -> f64 {
            a.iter()
                .zip(b)
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum()
        };
        let lengths = product(&found, &found).sqrt() * product(&expected, &expected).sqrt();
        let cosine = product(&found, &expected) / lengths;
        assert!(cosine > 0.99, "{variant}: {cosine}");
    }
}

#[test]
fn whole_images_of_one_value_stay_finite() {
    let device = Device::flex().autodiff();
    let network = UniSeg::random(&tiny(Variant::Uniseg), 5, &device);
    let image = Tensor::full([1, 1, 8, 16, 16], 1e4, &device);
    let task = Tensor::<1, Int>::from_ints([0], &device);
    let logits = Precision::Bf16.view(&network).forward(image, task).logits;
    assert!(logits.abs().max().into_scalar::<f32>().is_finite());
    let noise = uniform([1, 2, 8, 16, 16], &mut Random::new(5), &device);
    let weight = &network.encoder.stem.convs[1].weight;
    let same = in_precision_of(weight, noise.clone(), |x| x);
    same.into_data().assert_eq(&noise.into_data(), true);
}
