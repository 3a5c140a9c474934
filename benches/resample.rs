//! How fast do volumes change their grid: an image before the network, probabilities after it?

use std::hint::black_box;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use uniseg_imaging::ndarray::{Array3, Array4};
use uniseg_imaging::{Extent, Geometry, Normalization, Recipe, SpacingMm, Volume};

/// A CT of 5 mm slices and of isotropic voxels: the first is resampled with separate z.
const CASES: [(&str, [usize; 3], [f64; 3]); 2] = [
    (
        "5 mm slices, 48 x 256 x 256",
        [48, 256, 256],
        [5.0, 0.8, 0.8],
    ),
    (
        "isotropic, 128 x 128 x 128",
        [128, 128, 128],
        [1.5, 1.5, 1.5],
    ),
];
const TARGET: [f64; 3] = [3.0, 1.2, 1.2];

fn volume(extent: [usize; 3], spacing: [f64; 3]) -> Volume<f32> {
    let spacing = SpacingMm::from_zyx(spacing).expect("positive spacing");
    let geometry = Geometry::axis_aligned(Extent::from_zyx(extent), spacing);
    let wave = |(z, y, x): (usize, usize, usize)| {
        300.0 * ((z as f32 * 0.31).sin() + (y as f32 * 0.07).cos() * (x as f32 * 0.11).sin()) + 1.0
    };
    Volume::new(Array3::from_shape_fn(extent, wave), geometry).expect("its own extent")
}

fn resampling(criterion: &mut Criterion) {
    let spacing = SpacingMm::from_zyx(TARGET).expect("positive spacing");
    let window = Normalization::ClipRescale {
        lower: -325.0,
        upper: 325.0,
    };
    let recipe = Recipe {
        spacing,
        normalizations: vec![window],
    };
    for (name, extent, found) in CASES {
        let image = volume(extent, found);
        let ready = recipe.apply(&[&image]).expect("an image to resample");
        assert!(
            ready
                .channels
                .iter()
                .all(|value| (0.0..=1.0).contains(value))
        );
        let mut group = criterion.benchmark_group("resample");
        group.sample_size(10).sampling_mode(SamplingMode::Flat);
        group.throughput(Throughput::Elements(ready.channels.len() as u64));
        group.bench_function(format!("preprocess {name} (voxels made)"), |bencher| {
            bencher.iter(|| black_box(recipe.apply(&[&image]).expect("an image to resample")));
        });
        let (_, z, y, x) = ready.channels.dim();
        let probabilities = Array4::from_shape_fn((3, z, y, x), |(class, z, y, x)| {
            if (z + y + x) / 40 % 3 == class {
                0.8
            } else {
                0.1
            }
        });
        let restore = || {
            ready
                .restore
                .labels(probabilities.view())
                .expect("its own grid")
        };
        assert_eq!(restore().dim(), extent.into());
        group.throughput(Throughput::Elements(extent.iter().product::<usize>() as u64));
        group.bench_function(
            format!("restore 3 classes to {name} (voxels made)"),
            |bencher| {
                bencher.iter(|| black_box(restore()));
            },
        );
        group.finish();
    }
}

criterion_group!(benches, resampling);
criterion_main!(benches);
