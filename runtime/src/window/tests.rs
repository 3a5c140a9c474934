//! The window as a whole, with engines simple enough to know the answer.

mod on_device;
mod streaming;

use ndarray::{Array4, Array5, Axis, s};
use proptest::prelude::*;

use super::*;
use crate::testing::{self, Toy};

fn run(engine: &mut Toy, channels: &Array4<f32>, task: usize, mirror: bool) -> Array4<f32> {
    let manifest = testing::manifest();
    let options = WindowOptions {
        step: 0.5,
        mirror,
        ..WindowOptions::of(&manifest)
    };
    predict(
        engine,
        &manifest,
        &manifest.tasks[task],
        channels.view(),
        &options,
        &mut |_| (),
    )
    .unwrap()
}

/// Channels without any symmetry.
fn ramp(channels: usize, [z, y, x]: [usize; 3]) -> Array4<f32> {
    Array4::from_shape_fn((channels, z, y, x), |(c, i, j, k)| {
        ((c * 7 + i * 13 + j * 5 + k * 3) % 11) as f32 / 11.0 - 0.3 * c as f32
    })
}

/// Soft-max of logits 0, v, 2v, 3v (and the task on class 1) at one voxel.
fn expected(v: f32, task: f32, class: usize) -> f32 {
    let logits = [0.0, v + task, 2.0 * v, 3.0 * v];
    logits[class].exp() / logits.iter().map(|l| l.exp()).sum::<f32>()
}

#[test]
fn a_pointwise_network_gives_the_same_voxels_however_the_windows_fall() {
    for extent in [[4, 6, 8], [9, 13, 11], [3, 6, 20], [1, 1, 1]] {
        for mirror in [false, true] {
            let channels = ramp(2, extent);
            let found = run(&mut Toy::sum(), &channels, 1, mirror);
            assert_eq!(found.shape(), [2, extent[0], extent[1], extent[2]]);
            for ((class, z, y, x), &probability) in found.indexed_iter() {
                let v = channels[[0, z, y, x]] + channels[[1, z, y, x]];
                let wanted = expected(v, 1.0, class);
                assert!(
                    (probability - wanted).abs() < 1e-5,
                    "{extent:?} {mirror} {z} {y} {x}"
                );
            }
        }
    }
}

#[test]
fn mirroring_averages_eight_views_and_undoes_each() {
    // The logit of class 1 is the image one voxel further along x, so a view that is not flipped
    // back, or flipped along the wrong axis, gives another mean.
    let shift = |image: ndarray::ArrayView5<'_, f32>, _| {
        let (_, _, d, h, w) = image.dim();
        let mut logits = Array5::zeros((1, 4, d, h, w));
        logits
            .slice_mut(s![.., 1, .., .., ..-1])
            .assign(&image.slice(s![.., 0, .., .., 1..]));
        logits
    };
    let channels = ramp(1, [4, 6, 8]);
    let mut engine = Toy::new(shift);
    let found = run(&mut engine, &channels, 0, true);
    assert_eq!(engine.runs, 8);
    let value = |z: usize, y: usize, x: isize| {
        let inside = (0..8).contains(&x);
        if inside {
            channels[[0, z, y, x as usize]]
        } else {
            0.0
        }
    };
    for ((z, y, x), &probability) in found.index_axis(Axis(0), 1).indexed_iter() {
        // Four views look ahead along x, four behind.
        let softmax = |v: f32| v.exp() / (3.0 + v.exp());
        let x = x as isize;
        let wanted = (softmax(value(z, y, x + 1)) + softmax(value(z, y, x - 1))) / 2.0;
        assert!((probability - wanted).abs() < 1e-6, "{z} {y} {x}");
    }
}

#[test]
fn padding_is_zero_and_centred() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Array5::zeros((1, 3, 4, 6, 8))));
    let copy = seen.clone();
    let mut engine = Toy::new(move |image, _| {
        *copy.lock().unwrap() = image.to_owned();
        Array5::zeros((1, 4, 4, 6, 8))
    });
    run(&mut engine, &Array4::ones((1, 1, 6, 5)), 0, false);
    let image = seen.lock().unwrap();
    assert_eq!(image.sum(), 30.0);
    assert_eq!(image.slice(s![0, 0, 1, .., 1..6]).sum(), 30.0);
}

#[test]
fn progress_counts_every_window() {
    let manifest = testing::manifest();
    let options = WindowOptions::of(&manifest);
    let channels = ramp(1, [4, 6, 12]);
    let mut seen = Vec::new();
    let task = &manifest.tasks[0];
    predict(
        &mut Toy::sum(),
        &manifest,
        task,
        channels.view(),
        &options,
        &mut |p| {
            seen.push((p.done, p.total));
        },
    )
    .unwrap();
    assert_eq!(seen, [(0, 2), (1, 2), (2, 2)]);
}

#[test]
fn wrong_channels_and_wrong_outputs_are_errors() {
    let manifest = testing::manifest();
    let task = &manifest.tasks[0];
    let options = WindowOptions::of(&manifest);
    let attempt = |mut engine: Toy, channels: usize| {
        let volume = ramp(channels, [4, 6, 8]);
        predict(
            &mut engine,
            &manifest,
            task,
            volume.view(),
            &options,
            &mut |_| (),
        )
        .unwrap_err()
        .to_string()
    };
    assert_eq!(
        attempt(Toy::sum(), 2),
        "task \"liver\" takes 1 image file(s), in this order: CT; found 2"
    );
    assert_eq!(
        attempt(Toy::new(|_, _| Array5::zeros((1, 4, 4, 6, 9))), 1),
        "toy returned logits f32 [1, 4, 4, 6, 9] where logits f32 [1, 4, 4, 6, 8] were expected"
    );
    assert_eq!(
        attempt(
            Toy::new(|_, _| Array5::from_elem((1, 4, 4, 6, 8), f32::NAN)),
            1
        ),
        "toy returned values that are not finite; is the input corrupt?"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_constant_volume_gives_a_constant_result(
        extent in [1usize..14, 1usize..14, 1usize..14],
        value in -2.0f32..2.0,
        step in 0.3f64..=1.0,
        mirror: bool,
    ) {
        let manifest = testing::manifest();
        let [z, y, x] = extent;
        let channels = Array4::from_elem((1, z, y, x), value);
        let options = WindowOptions { step, mirror, ..WindowOptions::of(&manifest) };
        let task = &manifest.tasks[2];
        let found =
            predict(&mut Toy::sum(), &manifest, task, channels.view(), &options, &mut |_| ())
                .unwrap();
        for (class, plane) in found.outer_iter().enumerate() {
            let wanted = expected(value, 2.0, class);
            prop_assert!(plane.iter().all(|&p| (p - wanted).abs() < 1e-5));
        }
    }

    #[test]
    fn a_window_misses_a_region_if_none_of_it_is_within_the_margin(
        extent in [1usize..9, 1usize..9, 1usize..9],
        from in [0usize..9, 0usize..9, 0usize..9],
        size in [1usize..4, 1usize..4, 1usize..4],
        at in [0usize..9, 0usize..9, 0usize..9],
        scale in 1usize..3,
        margin in 0usize..4,
    ) {
        let start: [usize; 3] = std::array::from_fn(|axis| from[axis] % extent[axis]);
        let volume: [Range<usize>; 3] =
            std::array::from_fn(|axis| start[axis]..(start[axis] + size[axis]).min(extent[axis]));
        let window = Window { patch: volume.clone(), volume };
        let mut seen = Array3::from_elem(extent.map(|size| size.div_ceil(scale)), false);
        let at: [usize; 3] = std::array::from_fn(|axis| at[axis] % extent[axis]);
        seen[at.map(|at| at / scale)] = true;
        // Along each axis, voxels of the volume that the one that was seen spans.
        let near = (0..3).all(|axis| {
            let spans = |voxel: usize| voxel / scale == at[axis] / scale;
            let mut seen = (0..extent[axis] + scale).filter(|voxel| spans(*voxel));
            seen.any(|seen| {
                let mut window = window.volume[axis].clone();
                window.any(|voxel| voxel.abs_diff(seen) <= margin)
            })
        });
        let region = Region { seen, scale, margin };
        prop_assert_eq!(region.misses(&window), !near);
    }
}
