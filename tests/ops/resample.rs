//! Other numbers of elements: interpolation, sampling, patches.

use burn::tensor::module;
use burn::tensor::ops::{
    GridSampleOptions, GridSamplePaddingMode, InterpolateMode, InterpolateOptions, UnfoldOptions,
};
use proptest::prelude::*;

use super::case::{Case, SUMS, case};
use super::random::samples;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let sizes = (
        prop::array::uniform2(2usize..7),
        prop::array::uniform2(1usize..10),
    );
    for ([h, w], to) in samples(3, sizes).into_iter().chain([([4, 5], [8, 10])]) {
        // NearestExact, which the CPU back end does not compute, has a unit test.
        for mode in [
            InterpolateMode::Nearest,
            InterpolateMode::Bilinear,
            InterpolateMode::Bicubic,
            InterpolateMode::Lanczos3,
        ] {
            for corners in [false, true] {
                let name = format!("{mode:?} {h}x{w} to {to:?}, corners aligned: {corners}");
                let options = InterpolateOptions::new(mode.clone())
                    .with_align_corners(corners)
                    .with_output_size(to);
                cases.push(
                    case("Module::Interpolate", name)
                        .float(&[1, 2, h, w], -1.0, 1.0)
                        .within(SUMS)
                        .body(move |g| {
                            let x = g.float::<4>();
                            g.output(module::interpolate(x, options.clone()));
                        }),
                );
            }
        }
    }
    for mode in [InterpolateMode::Bilinear, InterpolateMode::Nearest] {
        for padding in [
            GridSamplePaddingMode::Zeros,
            GridSamplePaddingMode::Border,
            GridSamplePaddingMode::Reflection,
        ] {
            for corners in [false, true] {
                let mode = mode.clone();
                let name = format!("{mode:?} {padding:?}, corners aligned: {corners}");
                cases.push(
                    case("Float::GridSample2d", name)
                        .float(&[2, 3, 4, 5], -1.0, 1.0)
                        .float(&[2, 3, 2, 2], -1.4, 1.4)
                        .within(SUMS)
                        .body(move |g| {
                            let (x, grid) = (g.float::<4>(), g.float::<4>());
                            let options = GridSampleOptions::new(mode.clone())
                                .with_padding_mode(padding)
                                .with_align_corners(corners);
                            g.output(x.grid_sample_2d(grid, options));
                        }),
                );
            }
        }
    }
    let options = (1usize..4, 1usize..3, 1usize..3, 0usize..2, 1usize..3);
    for (kernel, other, stride, padding, dilation) in samples(4, options) {
        let name =
            format!("{kernel}x{other} stride {stride} padding {padding} dilation {dilation}");
        cases.push(
            case("Module::Unfold4d", name)
                .float(&[2, 3, 7, 6], -1.0, 1.0)
                .body(move |g| {
                    let options = UnfoldOptions::new([stride, 1], [padding, 1], [dilation, 1]);
                    let x = g.float::<4>();
                    g.output(module::unfold4d(x, [kernel, other], options));
                }),
        );
    }
    cases
}
