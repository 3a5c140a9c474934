//! Layout: where elements stand.

use burn::prelude::*;
use burn::tensor::Slice;
use burn::tensor::ops::PadMode;
use proptest::prelude::*;

use super::case::{Case, case};
use super::random::samples;

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        case("Base::Reshape", "")
            .float(&[2, 3, 4], -2.0, 2.0)
            .body(|g| {
                let x = g.float::<3>();
                g.output(x.reshape([4, 6]));
            }),
        case("Base::Expand", "")
            .float(&[1, 3, 1], -2.0, 2.0)
            .body(|g| {
                let x = g.float::<3>();
                g.output(x.expand([2, 3, 4]));
            }),
        case("Base::Expand", "integers")
            .int(&[1, 3], -9, 9)
            .body(|g| {
                let x = g.int::<2>();
                g.output_int(x.expand([2, 3]));
            }),
        case("Base::SwapDims", "")
            .float(&[2, 3, 4], -2.0, 2.0)
            .body(|g| {
                let x = g.float::<3>();
                g.output(x.swap_dims(0, 2));
            }),
        case("Base::Flip", "integers")
            .int(&[2, 3], -9, 9)
            .body(|g| {
                let x = g.int::<2>();
                g.output_int(x.flip([0, 1]));
            }),
        case("Base::RepeatDim", "truth values")
            .float(&[2, 3], -1.0, 1.0)
            .body(|g| {
                let x = g.float::<2>();
                g.output_bool(x.greater_scalar(0.0).repeat_dim(1, 3));
            }),
        case("Base::Cat", "integers")
            .int(&[2, 3], -9, 9)
            .int(&[1, 3], -9, 9)
            .body(|g| {
                let (x, y) = (g.int::<2>(), g.int::<2>());
                g.output_int(Tensor::cat(vec![x, y], 0));
            }),
        case("Numeric::Pad", "integers")
            .int(&[2, 3], -9, 9)
            .body(|g| {
                let x = g.int::<2>();
                g.output_int(x.pad((1, 2, 0, 1), PadMode::Constant(7.0)));
            }),
    ];
    let shape = prop::array::uniform3(2usize..6);
    let orders = prop::sample::select(vec![[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]);
    for (shape, order) in samples(4, (shape.clone(), orders)) {
        cases.push(
            case("Base::Permute", format!("{shape:?} by {order:?}"))
                .float(&shape, -2.0, 2.0)
                .body(move |g| {
                    let x = g.float::<3>();
                    g.output(x.permute(order));
                }),
        );
    }
    for (shape, axis, times) in samples(5, (shape.clone(), 0usize..3, 2usize..4)) {
        cases.push(
            case("Base::RepeatDim", format!("{shape:?} axis {axis} x{times}"))
                .and("Base::Flip")
                .and("Base::Cat")
                .float(&shape, -2.0, 2.0)
                .body(move |g| {
                    let x = g.float::<3>();
                    g.output(x.clone().repeat_dim(axis, times));
                    g.output(x.clone().flip([axis]));
                    g.output(Tensor::cat(vec![x.clone().neg(), x], axis));
                }),
        );
    }
    let range = (
        0isize..3,
        1isize..4,
        prop::sample::select(vec![1isize, 2, -1, -2]),
    );
    for (index, (shape, ranges)) in samples(10, (shape.clone(), prop::array::uniform3(range)))
        .into_iter()
        .enumerate()
    {
        let slices: [Slice; 3] = std::array::from_fn(|axis| {
            let (start, length, step) = ranges[axis];
            let start = start.min(shape[axis] as isize - 1);
            Slice::new(
                start,
                Some((start + length).min(shape[axis] as isize)),
                step,
            )
        });
        cases.push(
            case("Base::Slice", format!("{index} of {shape:?} by {ranges:?}"))
                .float(&shape, -2.0, 2.0)
                .body(move |g| {
                    let x = g.float::<3>();
                    g.output(x.slice(slices));
                }),
        );
        let lengths: [usize; 3] = std::array::from_fn(|axis| slices[axis].output_size(shape[axis]));
        cases.push(
            case(
                "Base::SliceAssign",
                format!("{index} of {shape:?} by {ranges:?}"),
            )
            .float(&shape, -2.0, 2.0)
            .float(&lengths, 5.0, 9.0)
            .body(move |g| {
                let (x, value) = (g.float::<3>(), g.float::<3>());
                g.output(x.slice_assign(slices, value));
            }),
        );
    }
    for (shape, axis, size, step) in samples(6, (shape.clone(), 0usize..3, 1usize..3, 1usize..3)) {
        cases.push(
            case(
                "Base::Unfold",
                format!("{shape:?} axis {axis} size {size} step {step}"),
            )
            .float(&shape, -2.0, 2.0)
            .body(move |g| {
                let x = g.float::<3>();
                let windows: Tensor<4> = x.unfold(axis, size, step);
                g.output(windows);
            }),
        );
    }
    let pads = prop::array::uniform4(0usize..2);
    for (shape, pads) in samples(4, (prop::array::uniform3(3usize..6), pads)) {
        for (mode, name) in [
            (PadMode::Constant(1.5), "constant"),
            (PadMode::Reflect, "reflect"),
            (PadMode::Edge, "edge"),
        ] {
            cases.push(
                case("Numeric::Pad", format!("{shape:?} by {pads:?} {name}"))
                    .float(&shape, -2.0, 2.0)
                    .body(move |g| {
                        let x = g.float::<3>();
                        let [left, right, top, bottom] = pads;
                        g.output(x.pad((left, right, top, bottom + 1), mode));
                    }),
            );
        }
    }
    cases
}
