//! Indices: picking and putting.

use burn::tensor::IndexingUpdateOp;
use proptest::prelude::*;

use super::case::{Case, ROUNDING, case};
use super::random::samples;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let choice = (prop::array::uniform3(2usize..6), 0usize..3, 1usize..5);
    for (shape, axis, count) in samples(5, choice.clone()) {
        let size = shape[axis] as i64;
        cases.push(
            case(
                "Base::Select",
                format!("{count} of axis {axis} of {shape:?}"),
            )
            .float(&shape, -2.0, 2.0)
            .int(&[count], 0, size)
            .body(move |g| {
                let (x, indices) = (g.float::<3>(), g.int::<1>());
                g.output(x.select(axis, indices));
            }),
        );
        let mut gathered = shape;
        gathered[axis] = count;
        cases.push(
            case(
                "Base::Gather",
                format!("{count} of axis {axis} of {shape:?}"),
            )
            .float(&shape, -2.0, 2.0)
            .int(&gathered, 0, size)
            .body(move |g| {
                let (x, indices) = (g.float::<3>(), g.int::<3>());
                g.output(x.gather(axis, indices));
            }),
        );
        cases.push(
            case(
                "Base::Scatter",
                format!("add {count} to axis {axis} of {shape:?}"),
            )
            .float(&shape, -2.0, 2.0)
            .int(&gathered, 0, size)
            .float(&gathered, -2.0, 2.0)
            .within(ROUNDING)
            .body(move |g| {
                let (x, indices, values) = (g.float::<3>(), g.int::<3>(), g.float::<3>());
                g.output(x.scatter(axis, indices, values, IndexingUpdateOp::Add));
            }),
        );
        cases.push(
            case(
                "Base::SelectAssign",
                format!("add {count} to axis {axis} of {shape:?}"),
            )
            .float(&shape, -2.0, 2.0)
            .int(&[count], 0, size)
            .float(&gathered, -2.0, 2.0)
            .within(ROUNDING)
            .body(move |g| {
                let (x, indices, values) = (g.float::<3>(), g.int::<1>(), g.float::<3>());
                g.output(x.select_assign(axis, indices, values, IndexingUpdateOp::Add));
            }),
        );
        cases.push(
            case("Base::MaskWhere", format!("{axis} of {shape:?}"))
                .and("Base::MaskFill")
                .float(&shape, -2.0, 2.0)
                .float(&shape, -2.0, 2.0)
                .body(move |g| {
                    let (x, y) = (g.float::<3>(), g.float::<3>());
                    let mask = x.clone().greater(y.clone());
                    g.output(x.clone().mask_where(mask.clone(), y));
                    g.output(x.mask_fill(mask, -7.5));
                }),
        );
    }
    for (update, name) in [
        (IndexingUpdateOp::Min, "least"),
        (IndexingUpdateOp::Max, "greatest"),
    ] {
        cases.push(
            case("Base::Scatter", name)
                .since(18)
                .float(&[4, 3], -2.0, 2.0)
                .ints(&[2, 3], &[0, 2, 3, 0, 2, 1])
                .float(&[2, 3], -3.0, 3.0)
                .body(move |g| {
                    let (x, indices, values) = (g.float::<2>(), g.int::<2>(), g.float::<2>());
                    g.output(x.scatter(0, indices, values, update));
                }),
        );
        cases.push(
            case("Base::SelectAssign", name)
                .and("Base::ScatterNd")
                .since(18)
                .float(&[4, 3], -2.0, 2.0)
                .ints(&[3], &[3, 0, 3])
                .float(&[3, 3], -3.0, 3.0)
                .body(move |g| {
                    let (x, indices, values) = (g.float::<2>(), g.int::<1>(), g.float::<2>());
                    let places = indices.clone().reshape([3, 1]);
                    g.output(x.clone().scatter_nd(places, values.clone(), update));
                    g.output(x.select_assign(0, indices, values, update));
                }),
        );
    }
    for (update, name) in [
        (IndexingUpdateOp::Assign, "assign"),
        (IndexingUpdateOp::Add, "add"),
        (IndexingUpdateOp::Mul, "multiply"),
    ] {
        cases.push(
            case("Base::ScatterNd", name)
                .float(&[4, 3, 2], -2.0, 2.0)
                .ints(&[3, 2], &[0, 2, 3, 1, 2, 2])
                .float(&[3, 2], 1.0, 2.0)
                .within(ROUNDING)
                .body(move |g| {
                    let (x, indices) = (g.float::<3>(), g.int::<2>());
                    let value = g.float::<2>();
                    g.output(x.scatter_nd(indices, value, update));
                }),
        );
        cases.push(
            case("Base::Scatter", format!("{name} each place once"))
                .float(&[2, 4], -2.0, 2.0)
                .ints(&[2, 2], &[0, 3, 2, 1])
                .float(&[2, 2], 1.0, 2.0)
                .within(ROUNDING)
                .body(move |g| {
                    let (x, indices) = (g.float::<2>(), g.int::<2>());
                    let value = g.float::<2>();
                    g.output(x.scatter(1, indices, value, update));
                }),
        );
        cases.push(
            case("Base::SelectAssign", format!("{name} each place once"))
                .float(&[4, 3], -2.0, 2.0)
                .ints(&[2], &[3, 1])
                .float(&[2, 3], 1.0, 2.0)
                .within(ROUNDING)
                .body(move |g| {
                    let (x, indices) = (g.float::<2>(), g.int::<1>());
                    let value = g.float::<2>();
                    g.output(x.select_assign(0, indices, value, update));
                }),
        );
    }
    for width in 1..=3usize {
        cases.push(
            case("Base::GatherNd", format!("{width} indices each"))
                .float(&[3, 4, 2], -2.0, 2.0)
                .int(&[5, width], 0, 2)
                .body(move |g| {
                    let (x, indices) = (g.float::<3>(), g.int::<2>());
                    match width {
                        1 => g.output::<3>(x.gather_nd(indices)),
                        2 => g.output::<2>(x.gather_nd(indices)),
                        _ => g.output::<1>(x.gather_nd(indices)),
                    }
                }),
        );
    }
    cases.push(case("Module::Embedding", "").int(&[2, 5], 0, 7).body(|g| {
        let weights = g.weights([7, 4]);
        let indices = g.int::<2>();
        g.output(burn::tensor::module::embedding(weights, indices));
    }));
    cases.push(
        case("Base::MaskWhere", "truth values and integers")
            .and("Base::MaskFill")
            .int(&[3, 4], -5, 5)
            .int(&[3, 4], -5, 5)
            .body(|g| {
                let (x, y) = (g.int::<2>(), g.int::<2>());
                let mask = x.clone().greater(y.clone());
                let (a, b) = (x.clone().greater_scalar(0), y.clone().greater_scalar(0));
                g.output_int(x.clone().mask_where(mask.clone(), y));
                g.output_int(x.mask_fill(mask.clone(), 9));
                g.output_bool(a.clone().mask_where(mask.clone(), b));
                g.output_bool(a.mask_fill(mask, true));
            }),
    );
    cases
}
