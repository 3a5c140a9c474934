use ndarray::{Axis, Zip, s};

use super::*;
use crate::data::cache::OUTSIDE;

/// A block without any symmetry; the last column is outside the case.
fn block(channels: usize, size: [usize; 3]) -> Block {
    let [z, y, x] = size;
    Block {
        image: Array4::from_shape_fn((channels, z, y, x), |(c, z, y, x)| {
            let wave = (0.3 * z as f32).sin() + (0.2 * y as f32 + c as f32).cos();
            wave + 0.05 * x as f32 * (c + 1) as f32
        }),
        label: Array3::from_shape_fn(size, |(z, y, x)| match (z + 2 * y + 3 * x) / 9 % 3 {
            _ if x + 1 == size[2] => OUTSIDE,
            0 => 0,
            1 => 2,
            _ => 5,
        }),
    }
}

/// Everything happens to every sample.
fn always() -> Augmentation {
    let mut all = Augmentation::default();
    for probability in all.probabilities() {
        *probability = 1.0;
    }
    all.blur.channel_probability = 1.0;
    all.low_resolution.channel_probability = 1.0;
    all.elastic.alpha = [0.0, 50.0];
    all.elastic.sigma = [2.0, 3.0];
    all.mirror.probability = 0.5;
    all
}

fn sample(settings: &Augmentation, channels: usize, patch: [usize; 3], seed: u64) -> Sample {
    let block = block(channels, settings.block_size(patch));
    settings.apply(block, patch, &mut Random::new(seed))
}

#[test]
fn the_seed_decides_and_shapes_are_as_asked() {
    let patch = [6, 11, 8];
    for settings in [Augmentation::default(), always(), Augmentation::none()] {
        for channels in [1, 4] {
            let first = sample(&settings, channels, patch, 3);
            assert_eq!(first.image.dim(), (channels, 6, 11, 8));
            assert_eq!(first.label.dim(), (6, 11, 8));
            assert!(first.image.is_standard_layout() && first.label.is_standard_layout());
            assert!(first.image.iter().all(|v| v.is_finite()));
            assert!(first.label.iter().all(|label| [0, 2, 5].contains(label)));
            assert_eq!(first, sample(&settings, channels, patch, 3));
        }
    }
    assert_ne!(
        sample(&always(), 1, patch, 3),
        sample(&always(), 1, patch, 4)
    );
}

#[test]
fn nothing_happens_to_none() {
    let patch = [4, 5, 6];
    let settings = Augmentation::none();
    let Block { image, label } = block(2, patch);
    let found = sample(&settings, 2, patch, 9);
    assert_eq!(found.image, image);
    assert_eq!(found.label, label.mapv(|label| label.max(0) as u8));
}

/// The image shows nothing but itself: what is drawn does not depend on it, and one draw of the
/// caller's numbers is one sample, whatever happens to it.
#[test]
fn draws_do_not_depend_on_what_the_image_shows() {
    let patch = [5, 6, 7];
    let settings = always();
    let size = settings.block_size(patch);
    let flat = Block {
        image: Array4::from_elem((1, size[0], size[1], size[2]), 0.0),
        label: block(1, size).label,
    };
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let first = settings.apply(block(1, size), patch, &mut random);
        let mut other = Random::new(seed);
        let second = settings.apply(flat.clone(), patch, &mut other);
        assert_eq!(first.label, second.label);
        let mut none = Random::new(seed);
        Augmentation::none().apply(block(1, size), patch, &mut none);
        let next = random.next();
        assert_eq!([other.next(), none.next()], [next, next]);
    }
}

#[test]
fn constant_images_stay_finite() {
    let patch = [4, 6, 5];
    let mut settings = always();
    settings.noise.probability = 0.0;
    let size = settings.block_size(patch);
    for value in [0.0, 1.0, -7.5e3] {
        for seed in 0..10 {
            let flat = Block {
                image: Array4::from_elem((2, size[0], size[1], size[2]), value),
                label: Array3::from_elem(size, OUTSIDE),
            };
            let sample = settings.apply(flat, patch, &mut Random::new(seed));
            assert!(sample.image.iter().all(|v| v.is_finite()), "{value}");
            assert!(sample.label.iter().all(|label| *label == 0));
        }
    }
}

/// 4 standard deviations of a binomial over 2,000 samples.
#[track_caller]
fn assert_rate(what: &str, hits: usize, probability: f64) {
    const SAMPLES: f64 = 2000.0;
    let deviation = (SAMPLES * probability * (1.0 - probability)).sqrt();
    let off = hits as f64 - SAMPLES * probability;
    assert!(off.abs() < 4.0 * deviation, "{what}: {hits} of 2000");
}

#[test]
fn everything_happens_as_often_as_the_paper_says() {
    let paper = Augmentation::default();
    let with = |set: fn(&mut Augmentation, &Augmentation)| {
        let mut settings = Augmentation::none();
        set(&mut settings, &paper);
        settings
    };
    // Of one channel, half the samples that are chosen for blur or low resolution. Of 64 voxels,
    // some are lost unless at least 63.5 are to be left.
    let lossy = 1.0 - (1.0 - 63.5 / 64.0) / 0.5;
    for (what, settings, probability) in [
        (
            "rotation",
            with(|to, from| to.rotation = from.rotation.clone()),
            0.2,
        ),
        (
            "scaling",
            with(|to, from| to.scaling = from.scaling.clone()),
            0.2,
        ),
        (
            "elastic",
            with(|to, from| to.elastic = from.elastic.clone()),
            0.0,
        ),
        ("noise", with(|to, from| to.noise = from.noise.clone()), 0.1),
        ("blur", with(|to, from| to.blur = from.blur.clone()), 0.1),
        (
            "brightness",
            with(|to, from| to.brightness = from.brightness.clone()),
            0.15,
        ),
        (
            "contrast",
            with(|to, from| to.contrast = from.contrast.clone()),
            0.15,
        ),
        (
            "low resolution",
            with(|to, from| to.low_resolution = from.low_resolution.clone()),
            0.125 * lossy,
        ),
        (
            "inverted gamma",
            with(|to, from| to.gamma.inverted_probability = from.gamma.inverted_probability),
            0.1,
        ),
        (
            "gamma",
            with(|to, from| to.gamma.probability = from.gamma.probability),
            0.3,
        ),
        (
            "mirror",
            with(|to, from| to.mirror = from.mirror.clone()),
            0.875,
        ),
        ("any", paper.clone(), 1.0 - untouched(lossy)),
    ] {
        let patch = [2, 3, 64];
        let block = block(1, settings.block_size(patch));
        let plain = spatial::centre_crop(&block, patch);
        let mut random = Random::new(17);
        let changed = (0..2000)
            .filter(|_| settings.apply(block.clone(), patch, &mut random) != plain)
            .count();
        if probability == 0.0 {
            assert_eq!(changed, 0, "{what}");
        } else {
            assert_rate(what, changed, probability);
        }
    }
}

/// How likely nothing at all happens to a sample of one channel.
fn untouched(lossy: f64) -> f64 {
    let likely = [
        0.2,
        0.2,
        0.1,
        0.1,
        0.15,
        0.15,
        0.125 * lossy,
        0.1,
        0.3,
        0.875,
    ];
    likely.into_iter().map(|p| 1.0 - p).product()
}

#[test]
fn mirroring_moves_image_and_label_together_along_each_axis_half_the_time() {
    let mut settings = Augmentation::none();
    settings.mirror.probability = 0.5;
    let patch = [2, 3, 4];
    let voxel = |z: usize, y: usize, x: usize| (12 * z + 4 * y + x) as i16;
    let label = Array3::from_shape_fn(patch, |(z, y, x)| voxel(z, y, x));
    let block = Block {
        image: label.mapv(f32::from).insert_axis(Axis(0)),
        label,
    };
    let mut flips = [0; 3];
    let mut random = Random::new(5);
    for _ in 0..2000 {
        let sample = settings.apply(block.clone(), patch, &mut random);
        Zip::from(&sample.label)
            .and(sample.image.index_axis(Axis(0), 0))
            .for_each(|label, value| assert_eq!(f32::from(*label), *value));
        let first = sample.label[[0, 0, 0]];
        let flipped = [first >= 12, first % 12 >= 4 + 4, first % 4 == 3];
        for (count, flipped) in flips.iter_mut().zip(flipped) {
            *count += usize::from(flipped);
        }
    }
    for (axis, hits) in flips.into_iter().enumerate() {
        assert_rate(&format!("axis {axis}"), hits, 0.5);
    }
    settings.mirror.axes = [false, true, false];
    for seed in 0..20 {
        let sample = settings.apply(block.clone(), patch, &mut Random::new(seed));
        assert!([0, 8].contains(&sample.label[[0, 0, 0]]));
    }
}

#[test]
fn channels_share_the_spatial_transform() {
    let mut settings = Augmentation::none();
    settings.rotation.probability = 1.0;
    settings.scaling.probability = 1.0;
    settings.elastic = always().elastic;
    let patch = [7, 8, 9];
    let mut block = block(3, settings.block_size(patch));
    let first = block.image.index_axis(Axis(0), 0).to_owned();
    block.image.index_axis_mut(Axis(0), 2).assign(&first);
    let sample = settings.apply(block, patch, &mut Random::new(8));
    assert_eq!(
        sample.image.slice(s![0, .., .., ..]),
        sample.image.slice(s![2, .., .., ..])
    );
    assert_ne!(
        sample.image.slice(s![0, .., .., ..]),
        sample.image.slice(s![1, .., .., ..])
    );
}

/// A ball whose intensity falls off smoothly through one half at its surface: wherever image and
/// label are carried, the surface is in the same place.
#[test]
fn intensities_stay_on_their_labels_when_turned_and_scaled() {
    let mut settings = Augmentation::none();
    settings.rotation.probability = 1.0;
    settings.scaling.probability = 1.0;
    settings.mirror.probability = 0.5;
    let patch = [24, 32, 28];
    let size = settings.block_size(patch);
    let distance = |z: usize, y: usize, x: usize| {
        // Off the centre, and longer along y.
        let [z, y, x] = [(z, 0, 3.0), (y, 1, -4.0), (x, 2, 2.0)]
            .map(|(at, axis, off)| at as f32 - size[axis] as f32 / 2.0 + off);
        (z * z + y * y / 2.0 + x * x).sqrt() - 7.0
    };
    let block = Block {
        image: Array4::from_shape_fn((1, size[0], size[1], size[2]), |(_, z, y, x)| {
            1.0 / (1.0 + distance(z, y, x).exp())
        }),
        label: Array3::from_shape_fn(size, |(z, y, x)| i16::from(distance(z, y, x) <= 0.0)),
    };
    for seed in 0..10 {
        let sample = settings.apply(block.clone(), patch, &mut Random::new(seed));
        let bright = sample.image.index_axis(Axis(0), 0).mapv(|v| v >= 0.5);
        let (mut both, mut sum) = (0, 0);
        Zip::from(&bright)
            .and(&sample.label)
            .for_each(|bright, label| {
                both += usize::from(*bright && *label == 1);
                sum += usize::from(*bright) + usize::from(*label == 1);
            });
        let dice = 2.0 * both as f64 / sum as f64;
        assert!(sum > 1000 && dice > 0.95, "{seed}: {dice} of {sum}");
    }
}

#[test]
fn settings_survive_a_file_and_may_be_left_out() {
    let text = serde_json::to_string(&always()).unwrap();
    assert_eq!(
        serde_json::from_str::<Augmentation>(&text).unwrap(),
        always()
    );
    let text = "[rotation]\nprobability = 0\n[gamma]\npower = [0.9, 1.1]\n";
    let read: Augmentation = toml::from_str(text).unwrap();
    let mut expected = Augmentation::default();
    expected.rotation.probability = 0.0;
    expected.gamma.power = [0.9, 1.1];
    assert_eq!(read, expected);
    assert!(toml::from_str::<Augmentation>("[rotation]\nangle = 3\n").is_err());
    assert!(toml::from_str::<Augmentation>("[rotations]\n").is_err());
}

#[test]
fn settings_without_sense_are_refused_by_name() {
    let message = |set: fn(&mut Augmentation)| {
        let mut settings = Augmentation::default();
        set(&mut settings);
        settings.check().unwrap_err().to_string()
    };
    for settings in [Augmentation::default(), Augmentation::none(), always()] {
        settings.check().unwrap();
    }
    assert_eq!(
        message(|to| to.rotation.degrees = [30.0, -30.0]),
        "the augmentation's rotation.degrees is [30, -30], but a range [low, high] within \
         [-180, 180] is needed"
    );
    assert_eq!(
        message(|to| to.mirror.probability = 1.5),
        "the augmentation's mirror.probability is 1.5, but a number from 0 to 1 is needed"
    );
    for (field, found) in [
        (
            "rotation.probability",
            message(|to| to.rotation.probability = f64::NAN),
        ),
        (
            "scaling.probability",
            message(|to| to.scaling.probability = -0.1),
        ),
        (
            "scaling.factor",
            message(|to| to.scaling.factor = [0.0, 1.0]),
        ),
        (
            "scaling.block_scale",
            message(|to| to.scaling.block_scale = 0.0),
        ),
        (
            "elastic.probability",
            message(|to| to.elastic.probability = 2.0),
        ),
        (
            "elastic.alpha",
            message(|to| to.elastic.alpha = [-1.0, 1.0]),
        ),
        ("elastic.sigma", message(|to| to.elastic.sigma = [0.0, 1.0])),
        (
            "noise.probability",
            message(|to| to.noise.probability = 2.0),
        ),
        (
            "noise.deviation",
            message(|to| to.noise.deviation = [-0.1, 0.1]),
        ),
        ("blur.probability", message(|to| to.blur.probability = 2.0)),
        (
            "blur.channel_probability",
            message(|to| to.blur.channel_probability = 2.0),
        ),
        ("blur.sigma", message(|to| to.blur.sigma = [0.0, 1.0])),
        (
            "brightness.probability",
            message(|to| to.brightness.probability = 2.0),
        ),
        (
            "brightness.factor",
            message(|to| to.brightness.factor = [f64::NAN, 1.0]),
        ),
        (
            "contrast.probability",
            message(|to| to.contrast.probability = 2.0),
        ),
        (
            "contrast.factor",
            message(|to| to.contrast.factor = [-1.0, 1.0]),
        ),
        (
            "low_resolution.probability",
            message(|to| to.low_resolution.probability = 2.0),
        ),
        (
            "low_resolution.channel_probability",
            message(|to| to.low_resolution.channel_probability = 2.0),
        ),
        (
            "low_resolution.zoom",
            message(|to| to.low_resolution.zoom = [0.5, 2.0]),
        ),
        (
            "gamma.inverted_probability",
            message(|to| to.gamma.inverted_probability = 2.0),
        ),
        (
            "gamma.probability",
            message(|to| to.gamma.probability = 2.0),
        ),
        ("gamma.power", message(|to| to.gamma.power = [0.0, 1.0])),
    ] {
        assert!(found.contains(&format!(" {field} is ")), "{found}");
    }
}

#[test]
fn patches_and_blocks_without_voxels_are_no_accident() {
    for (size, patch) in [
        ([0, 4, 4], [2, 3, 2]),
        ([4, 4, 4], [2, 0, 2]),
        ([1, 1, 1], [3, 3, 3]),
    ] {
        for seed in 0..5 {
            let sample = always().apply(block(1, size), patch, &mut Random::new(seed));
            assert_eq!(sample.label.dim(), (patch[0], patch[1], patch[2]));
            assert!(sample.image.iter().all(|v| v.is_finite()));
        }
    }
}
