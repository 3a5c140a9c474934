//! Comparisons and truth values.

use burn::prelude::*;

use super::case::{Case, case};

type Compare = fn(Tensor<3>, Tensor<3>) -> Tensor<3, Bool>;
type CompareInts = fn(Tensor<2, Int>, Tensor<2, Int>) -> Tensor<2, Bool>;

const FLOATS: &[(&str, Compare)] = &[
    ("Base::Equal", |a, b| a.equal(b)),
    ("Base::NotEqual", |a, b| a.not_equal(b)),
    ("Numeric::Greater", |a, b| a.greater(b)),
    ("Numeric::GreaterEqual", |a, b| a.greater_equal(b)),
    ("Numeric::Lower", |a, b| a.lower(b)),
    ("Numeric::LowerEqual", |a, b| a.lower_equal(b)),
    ("Base::EqualElem", |a, _| a.equal_scalar(1.0)),
    ("Base::NotEqualElem", |a, _| a.not_equal_scalar(1.0)),
    ("Numeric::GreaterElem", |a, _| a.greater_scalar(1.0)),
    ("Numeric::GreaterEqualElem", |a, _| {
        a.greater_equal_scalar(1.0)
    }),
    ("Numeric::LowerElem", |a, _| a.lower_scalar(1.0)),
    ("Numeric::LowerEqualElem", |a, _| a.lower_equal_scalar(1.0)),
];

const INTS: &[(&str, CompareInts)] = &[
    ("Base::Equal", |a, b| a.equal(b)),
    ("Base::NotEqual", |a, b| a.not_equal(b)),
    ("Numeric::Greater", |a, b| a.greater(b)),
    ("Numeric::LowerEqual", |a, b| a.lower_equal(b)),
    ("Base::EqualElem", |a, _| a.equal_scalar(1)),
    ("Numeric::GreaterEqualElem", |a, _| {
        a.greater_equal_scalar(-1)
    }),
];

type Algebra = fn(Tensor<2, Bool>, Tensor<2, Bool>) -> Tensor<2, Bool>;

const ALGEBRA: &[(&str, Algebra)] = &[
    ("Bool::Not", |a, _| a.bool_not()),
    ("Bool::And", |a, b| a.bool_and(b)),
    ("Bool::Or", |a, b| a.bool_or(b)),
    ("Bool::Xor", |a, b| a.bool_xor(b)),
    ("Base::Equal", |a, b| a.equal(b)),
    ("Base::NotEqual", |a, b| a.not_equal(b)),
];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for &(op, compare) in FLOATS {
        for right in [[2, 3, 4], [1, 3, 1]] {
            // Whole numbers, so that some are equal.
            cases.push(
                case(op, format!("floats with {right:?}"))
                    .float(&[2, 3, 4], -2.0, 3.0)
                    .float(&right, -2.0, 3.0)
                    .body(move |g| {
                        let (x, y) = (g.float::<3>().floor(), g.float::<3>().floor());
                        g.output_bool(compare(x.clone(), y.clone()));
                        g.output(x + y);
                    }),
            );
        }
    }
    for &(op, compare) in INTS {
        let case = case(op, "integers").int(&[3, 5], -2, 3).int(&[3, 5], -2, 3);
        cases.push(case.body(move |g| {
            let (x, y) = (g.int::<2>(), g.int::<2>());
            g.output_bool(compare(x.clone(), y.clone()));
            g.output_int(x + y);
        }));
    }
    for &(op, algebra) in ALGEBRA {
        let case = case(op, "truth values")
            .float(&[3, 5], -1.0, 1.0)
            .float(&[3, 5], -1.0, 1.0);
        cases.push(case.body(move |g| {
            let (x, y) = (g.float::<2>(), g.float::<2>());
            let (a, b) = (x.clone().greater_scalar(0.0), y.clone().greater_scalar(0.0));
            g.output_bool(algebra(a, b));
            g.output(x + y);
        }));
    }
    for (low, high, name) in [
        (-1.0, 1.0, "mixed"),
        (1.0, 2.0, "all"),
        (-2.0, -1.0, "none"),
    ] {
        cases.push(
            case("Base::All", name)
                .and("Base::Any")
                .and("Base::AllDim")
                .and("Base::AnyDim")
                .float(&[3, 4], low, high)
                .body(|g| {
                    let x = g.float::<2>().greater_scalar(0.0);
                    g.output_bool(x.clone().all());
                    g.output_bool(x.clone().any());
                    g.output_bool(x.clone().all_dim(1));
                    g.output_bool(x.any_dim(0));
                }),
        );
    }
    cases.push(
        case("Base::All", "integers")
            .and("Base::AnyDim")
            .int(&[3, 4], 0, 2)
            .body(|g| {
                let x = g.int::<2>();
                g.output_bool(x.clone().all());
                g.output_bool(x.any_dim(1));
            }),
    );
    cases
}
