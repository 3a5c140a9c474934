//! Sums, extremes, running sums, order.

use burn::prelude::*;
use proptest::prelude::*;

use super::case::{Case, EXACT, ROUNDING, case};
use super::random::samples;

pub type Along = fn(Tensor<3>, usize) -> Tensor<3>;
pub type AlongInts = fn(Tensor<3, Int>, usize) -> Tensor<3, Int>;
type Whole = fn(Tensor<3>) -> Tensor<1>;
type WholeInts = fn(Tensor<3, Int>) -> Tensor<1, Int>;

pub const ALONG: &[(&str, Along, f32)] = &[
    ("Numeric::SumDim", |x, axis| x.sum_dim(axis), ROUNDING),
    ("Numeric::MeanDim", |x, axis| x.mean_dim(axis), ROUNDING),
    ("Numeric::ProdDim", |x, axis| x.prod_dim(axis), ROUNDING),
    ("Numeric::MaxDim", |x, axis| x.max_dim(axis), EXACT),
    ("Numeric::MinDim", |x, axis| x.min_dim(axis), EXACT),
    ("Numeric::MaxAbsDim", |x, axis| x.max_abs_dim(axis), EXACT),
    ("Numeric::CumSum", |x, axis| x.cumsum(axis), ROUNDING),
    ("Numeric::CumProd", |x, axis| x.cumprod(axis), ROUNDING),
    ("Numeric::CumMin", |x, axis| x.cummin(axis), EXACT),
    ("Numeric::CumMax", |x, axis| x.cummax(axis), EXACT),
    ("Numeric::Sort", |x, axis| x.sort(axis), EXACT),
    ("Numeric::Sort", |x, axis| x.sort_descending(axis), EXACT),
    ("Numeric::TopK", |x, axis| x.topk(2, axis), EXACT),
    (
        "Numeric::MaxDimWithIndices",
        |x, axis| x.max_dim_with_indices(axis).0,
        EXACT,
    ),
];

pub const ALONG_INTS: &[(&str, AlongInts)] = &[
    ("Numeric::SumDim", |x, axis| x.sum_dim(axis)),
    ("Numeric::MeanDim", |x, axis| x.mean_dim(axis)),
    ("Numeric::ProdDim", |x, axis| x.prod_dim(axis)),
    ("Numeric::MaxDim", |x, axis| x.max_dim(axis)),
    ("Numeric::MinDim", |x, axis| x.min_dim(axis)),
    ("Numeric::MaxAbsDim", |x, axis| x.max_abs_dim(axis)),
    ("Numeric::CumSum", |x, axis| x.cumsum(axis)),
    ("Numeric::CumProd", |x, axis| x.cumprod(axis)),
    ("Numeric::CumMin", |x, axis| x.cummin(axis)),
    ("Numeric::CumMax", |x, axis| x.cummax(axis)),
    ("Numeric::Sort", |x, axis| x.sort(axis)),
    ("Numeric::ArgMax", |x, axis| x.argmax(axis)),
    ("Numeric::ArgMin", |x, axis| x.argmin(axis)),
];

const WHOLE: &[(&str, Whole, f32)] = &[
    ("Numeric::Sum", |x| x.sum(), ROUNDING),
    ("Numeric::Mean", |x| x.mean(), ROUNDING),
    ("Numeric::Prod", |x| x.prod(), ROUNDING),
    ("Numeric::Max", |x| x.max(), EXACT),
    ("Numeric::Min", |x| x.min(), EXACT),
    ("Numeric::MaxAbs", |x| x.max_abs(), EXACT),
];

const WHOLE_INTS: &[(&str, WholeInts)] = &[
    ("Numeric::Sum", |x| x.sum()),
    ("Numeric::Mean", |x| x.mean()),
    ("Numeric::Prod", |x| x.prod()),
    ("Numeric::Max", |x| x.max()),
    ("Numeric::Min", |x| x.min()),
    ("Numeric::MaxAbs", |x| x.max_abs()),
];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let shapes = samples(3, (prop::array::uniform3(2usize..6), 0usize..3));
    for &(op, function, tolerance) in ALONG {
        for &(shape, axis) in &shapes {
            cases.push(
                case(op, format!("axis {axis} of {shape:?}"))
                    .float(&shape, -1.5, 1.5)
                    .within(tolerance)
                    .body(move |g| {
                        let x = g.float::<3>();
                        g.output(function(x, axis));
                    }),
            );
        }
    }
    for &(op, function) in ALONG_INTS {
        let case = case(op, "integers").int(&[2, 4, 3], -4, 5);
        cases.push(case.body(move |g| {
            let x = g.int::<3>();
            g.output_int(function(x, 1));
        }));
    }
    for &(op, function, tolerance) in WHOLE {
        let case = case(op, "floats").float(&[2, 4, 3], -1.5, 1.5);
        cases.push(case.within(tolerance).body(move |g| {
            let x = g.float::<3>();
            g.output(function(x));
        }));
    }
    for &(op, function) in WHOLE_INTS {
        let case = case(op, "integers").int(&[2, 4, 3], -4, 5);
        cases.push(case.body(move |g| {
            let x = g.int::<3>();
            g.output_int(function(x));
        }));
    }
    cases.push(
        case("Numeric::SumDims", "two of three axes")
            .float(&[2, 4, 3], -1.5, 1.5)
            .within(ROUNDING)
            .body(|g| {
                let x = g.float::<3>();
                g.output(x.sum_dims(&[0, 2]));
            }),
    );
    for &(shape, axis) in &shapes {
        cases.push(
            case("Numeric::ArgMax", format!("axis {axis} of {shape:?}"))
                .and("Numeric::ArgMin")
                .and("Numeric::MaxDimWithIndices")
                .and("Numeric::MinDimWithIndices")
                .float(&shape, -1.5, 1.5)
                .body(move |g| {
                    let x = g.float::<3>();
                    g.output_int(x.clone().argmax(axis));
                    g.output_int(x.clone().argmin(axis));
                    let (values, indices) = x.clone().max_dim_with_indices(axis);
                    g.output(values);
                    g.output_int(indices);
                    let (values, indices) = x.min_dim_with_indices(axis);
                    g.output(values);
                    g.output_int(indices);
                }),
        );
        cases.push(
            case(
                "Numeric::TopKWithIndices",
                format!("axis {axis} of {shape:?}"),
            )
            .and("Numeric::ArgTopK")
            .and("Numeric::SortWithIndices")
            .and("Numeric::ArgSort")
            .float(&shape, -1.5, 1.5)
            .body(move |g| {
                let x = g.float::<3>();
                let (values, indices) = x.clone().topk_with_indices(2, axis);
                g.output(values);
                g.output_int(indices);
                g.output_int(x.clone().argtopk(1, axis));
                let (values, indices) = x.clone().sort_with_indices(axis);
                g.output(values);
                g.output_int(indices);
                g.output_int(x.clone().argsort_descending(axis));
                g.output_int(x.argsort(axis));
            }),
        );
    }
    cases.push(
        case("Numeric::ArgMax", "the first of equals")
            .and("Numeric::ArgMin")
            .ints(&[2, 4], &[1, 3, 3, 1, 2, 2, 2, 2])
            .body(|g| {
                let x = g.int::<2>();
                g.output_int(x.clone().argmax(1));
                g.output_int(x.argmin(1));
            }),
    );
    cases
}
