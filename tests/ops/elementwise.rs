//! Functions of single elements.

use burn::prelude::*;
use burn::tensor::{DType, FloatDType};
use proptest::prelude::*;

use super::case::{Case, EXACT, ROUNDING, case};
use super::random::samples;

pub type Function = fn(Tensor<3>) -> Tensor<3>;

/// Operation, function, domain, tolerance.
pub const FUNCTIONS: &[(&str, Function, [f32; 2], f32)] = &[
    ("Float::Exp", |x| x.exp(), [-4.0, 4.0], ROUNDING),
    ("Float::Log", |x| x.log(), [0.01, 9.0], ROUNDING),
    ("Float::Log1p", |x| x.log1p(), [-0.9, 9.0], ROUNDING),
    (
        "Float::Log1p",
        |x| x.mul_scalar(1e-6).log1p().mul_scalar(1e6),
        [-1.0, 1.0],
        ROUNDING,
    ),
    ("Float::Erf", |x| x.erf(), [-3.0, 3.0], ROUNDING),
    ("Float::Sqrt", |x| x.sqrt(), [0.0, 9.0], ROUNDING),
    ("Float::Cos", |x| x.cos(), [-9.0, 9.0], ROUNDING),
    ("Float::Cosh", |x| x.cosh(), [-3.0, 3.0], ROUNDING),
    ("Float::Sin", |x| x.sin(), [-9.0, 9.0], ROUNDING),
    ("Float::Sinh", |x| x.sinh(), [-3.0, 3.0], ROUNDING),
    ("Float::Tan", |x| x.tan(), [-1.3, 1.3], ROUNDING),
    ("Float::Tanh", |x| x.tanh(), [-3.0, 3.0], ROUNDING),
    ("Float::ArcCos", |x| x.acos(), [-0.99, 0.99], ROUNDING),
    ("Float::ArcCosh", |x| x.acosh(), [1.01, 9.0], ROUNDING),
    ("Float::ArcSin", |x| x.asin(), [-0.99, 0.99], ROUNDING),
    ("Float::ArcSinh", |x| x.asinh(), [-9.0, 9.0], ROUNDING),
    ("Float::ArcTan", |x| x.atan(), [-9.0, 9.0], ROUNDING),
    ("Float::ArcTanh", |x| x.atanh(), [-0.99, 0.99], ROUNDING),
    ("Float::Round", |x| x.round(), [-9.0, 9.0], EXACT),
    ("Float::Floor", |x| x.floor(), [-9.0, 9.0], EXACT),
    ("Float::Ceil", |x| x.ceil(), [-9.0, 9.0], EXACT),
    ("Float::Trunc", |x| x.trunc(), [-9.0, 9.0], EXACT),
    ("Float::Recip", |x| x.recip(), [0.5, 9.0], ROUNDING),
    (
        "Float::PowfScalar",
        |x| x.powf_scalar(1.7),
        [0.1, 4.0],
        ROUNDING,
    ),
    (
        "Float::PowfScalar",
        |x| x.powf_scalar(-0.5),
        [0.1, 4.0],
        ROUNDING,
    ),
    ("Numeric::Mul", |x| x.powi_scalar(2), [-4.0, 4.0], ROUNDING),
    (
        "Numeric::PowiScalar",
        |x| x.powi_scalar(3),
        [-4.0, 4.0],
        ROUNDING,
    ),
    ("Numeric::Abs", |x| x.abs(), [-4.0, 4.0], EXACT),
    ("Numeric::Neg", |x| x.neg(), [-4.0, 4.0], EXACT),
    ("Numeric::Sign", |x| x.sign(), [-4.0, 4.0], EXACT),
    (
        "Numeric::Clamp",
        |x| x.clamp(-0.5, 0.75),
        [-2.0, 2.0],
        EXACT,
    ),
    (
        "Numeric::ClampMin",
        |x| x.clamp_min(-0.25),
        [-2.0, 2.0],
        EXACT,
    ),
    (
        "Numeric::ClampMax",
        |x| x.clamp_max(0.25),
        [-2.0, 2.0],
        EXACT,
    ),
    (
        "Numeric::AddScalar",
        |x| x.add_scalar(1.25),
        [-2.0, 2.0],
        EXACT,
    ),
    (
        "Numeric::SubScalar",
        |x| x.sub_scalar(1.25),
        [-2.0, 2.0],
        EXACT,
    ),
    (
        "Numeric::MulScalar",
        |x| x.mul_scalar(1.25),
        [-2.0, 2.0],
        EXACT,
    ),
    (
        "Numeric::DivScalar",
        |x| x.div_scalar(1.7),
        [-2.0, 2.0],
        ROUNDING,
    ),
    (
        "Numeric::RemScalar",
        |x| x.remainder_scalar(1.5),
        [-9.0, 9.0],
        ROUNDING,
    ),
    (
        "Numeric::RemScalar",
        |x| x.remainder_scalar(-1.5),
        [-9.0, 9.0],
        ROUNDING,
    ),
];

pub type Pair = fn(Tensor<3>, Tensor<3>) -> Tensor<3>;

/// Operation, function, domains of both sides, tolerance; sides are stretched over each other.
pub const PAIRS: &[(&str, Pair, [f32; 4], f32)] = &[
    ("Numeric::Add", |a, b| a + b, [-2.0, 2.0, -2.0, 2.0], EXACT),
    ("Numeric::Sub", |a, b| a - b, [-2.0, 2.0, -2.0, 2.0], EXACT),
    ("Numeric::Mul", |a, b| a * b, [-2.0, 2.0, -2.0, 2.0], EXACT),
    (
        "Numeric::Div",
        |a, b| a / b,
        [-2.0, 2.0, 0.5, 2.0],
        ROUNDING,
    ),
    (
        "Numeric::Rem",
        |a, b| a.remainder(b),
        [-9.0, 9.0, 0.5, 2.0],
        ROUNDING,
    ),
    (
        "Numeric::Rem",
        |a, b| a.remainder(b),
        [-9.0, 9.0, -2.0, -0.5],
        ROUNDING,
    ),
    (
        "Float::Powf",
        |a, b| a.powf(b),
        [0.1, 4.0, -2.0, 2.0],
        ROUNDING,
    ),
    (
        "Float::Hypot",
        |a, b| a.hypot(b),
        [-4.0, 4.0, -4.0, 4.0],
        ROUNDING,
    ),
    (
        "Float::ArcTan2",
        |a, b| a.atan2(b),
        [-4.0, 4.0, -4.0, 4.0],
        ROUNDING,
    ),
];

pub type Whole = fn(Tensor<2, Int>) -> Tensor<2, Int>;

/// Operation, function, domain.
pub const WHOLE: &[(&str, Whole, [i64; 2])] = &[
    ("Numeric::AddScalar", |x| x.add_scalar(1i64 << 60), [-9, 9]),
    ("Numeric::MulScalar", |x| x.mul_scalar(-3), [-9, 9]),
    ("Numeric::DivScalar", |x| x.div_scalar(4), [-40, 40]),
    ("Numeric::RemScalar", |x| x.remainder_scalar(4), [-40, 40]),
    ("Numeric::Mul", |x| x.powi_scalar(2), [-9, 9]),
    ("Numeric::PowiScalar", |x| x.powi_scalar(3), [-9, 9]),
    ("Numeric::Abs", |x| x.abs(), [-9, 9]),
    ("Numeric::Neg", |x| x.neg(), [-9, 9]),
    ("Numeric::Sign", |x| x.sign(), [-2, 3]),
    ("Numeric::Clamp", |x| x.clamp(-3, 4), [-9, 9]),
    ("Int::BitwiseNot", |x| x.bitwise_not(), [-99, 99]),
    (
        "Int::BitwiseAndScalar",
        |x| x.bitwise_and_scalar(12),
        [-99, 99],
    ),
    (
        "Int::BitwiseOrScalar",
        |x| x.bitwise_or_scalar(12),
        [-99, 99],
    ),
    (
        "Int::BitwiseXorScalar",
        |x| x.bitwise_xor_scalar(-7),
        [-99, 99],
    ),
    (
        "Int::BitwiseLeftShiftScalar",
        |x| x.bitwise_left_shift_scalar(5),
        [-99, 99],
    ),
    (
        "Int::BitwiseRightShiftScalar",
        |x| x.bitwise_right_shift_scalar(3),
        [-99, 99],
    ),
];

type WholePair = fn(Tensor<2, Int>, Tensor<2, Int>) -> Tensor<2, Int>;

const WHOLE_PAIRS: &[(&str, WholePair, [i64; 4])] = &[
    ("Numeric::Add", |a, b| a + b, [-9, 9, -9, 9]),
    ("Numeric::Div", |a, b| a / b, [-40, 40, 1, 9]),
    ("Numeric::Rem", |a, b| a.remainder(b), [-40, 40, -9, -1]),
    ("Numeric::Powi", |a, b| a.powi(b), [-5, 5, 0, 5]),
    (
        "Int::BitwiseAnd",
        |a, b| a.bitwise_and(b),
        [-99, 99, -99, 99],
    ),
    ("Int::BitwiseOr", |a, b| a.bitwise_or(b), [-99, 99, -99, 99]),
    (
        "Int::BitwiseXor",
        |a, b| a.bitwise_xor(b),
        [-99, 99, -99, 99],
    ),
    (
        "Int::BitwiseLeftShift",
        |a, b| a.bitwise_left_shift(b),
        [-99, 99, 0, 9],
    ),
    (
        "Int::BitwiseRightShift",
        |a, b| a.bitwise_right_shift(b),
        [-99, 99, 0, 9],
    ),
];

/// The first opset that has the operation.
pub fn since(op: &str) -> i64 {
    let later = ["BitwiseAnd", "BitwiseOr", "BitwiseXor"];
    match later.iter().any(|name| op.contains(name)) {
        true => 18,
        false => 17,
    }
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let shapes = samples(2, prop::array::uniform3(1usize..6));
    for (index, &(op, function, [low, high], tolerance)) in FUNCTIONS.iter().enumerate() {
        for shape in &shapes {
            cases.push(
                case(op, format!("{index} over {shape:?}"))
                    .float(shape, low, high)
                    .within(tolerance)
                    .body(move |g| {
                        let x = g.float::<3>();
                        g.output(function(x));
                    }),
            );
        }
    }
    for (index, &(op, function, [a, b, c, d], tolerance)) in PAIRS.iter().enumerate() {
        // An axis of size 1 on either side.
        for (left, right) in [([2, 3, 4], [2, 3, 4]), ([2, 1, 4], [1, 3, 4])] {
            let mut case = case(op, format!("{index} of {left:?} and {right:?}"))
                .float(&left, a, b)
                .float(&right, c, d)
                .within(tolerance);
            if op == "Numeric::Rem" && left != right {
                case = case.tract_cannot("wrong where one side is stretched over the other");
            }
            cases.push(case.body(move |g| {
                let (x, y) = (g.float::<3>(), g.float::<3>());
                g.output(function(x, y));
            }));
        }
    }
    for (index, &(op, function, [low, high])) in WHOLE.iter().enumerate() {
        let name = format!("{index} of integers");
        let mut case = case(op, name).int(&[3, 5], low, high).since(since(op));
        if op == "Numeric::Mul" {
            case = case.tract_cannot("no squares of 64-bit integers");
        }
        cases.push(case.body(move |g| {
            let x = g.int::<2>();
            g.output_int(function(x));
        }));
    }
    for (index, &(op, function, [a, b, c, d])) in WHOLE_PAIRS.iter().enumerate() {
        let name = format!("{index} of integers");
        let case = case(op, name)
            .int(&[3, 5], a, b)
            .int(&[3, 5], c, d)
            .since(since(op));
        cases.push(case.body(move |g| {
            let (x, y) = (g.int::<2>(), g.int::<2>());
            g.output_int(function(x, y));
        }));
    }
    cases.extend(corners());
    cases.extend(casts());
    cases
}

/// Where a function is not smooth.
fn corners() -> Vec<Case> {
    let halves = [-2.5, -1.5, -0.5, 0.0, 0.5, 1.5, 2.5, 3.5];
    vec![
        case("Float::Round", "halves").floats(&halves).body(|g| {
            let x = g.float::<1>();
            g.output(x.round());
        }),
        case("Float::Trunc", "infinities")
            .floats(&[f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 0.0, -0.5])
            .body(|g| {
                let x = g.float::<1>();
                g.output(x.trunc());
            }),
        case("Float::ArcTan2", "axes")
            .floats(&[0.0, 1.0, -1.0, 0.0, 0.0, 2.0])
            .floats(&[1.0, 0.0, 0.0, -1.0, 0.0, -2.0])
            .within(ROUNDING)
            .body(|g| {
                let (y, x) = (g.float::<1>(), g.float::<1>());
                g.output(y.atan2(x));
            }),
        case("Float::Hypot", "great and nothing")
            .floats(&[3e30, 0.0, 0.0])
            .floats(&[4e30, 0.0, -2.0])
            .within(ROUNDING)
            .body(|g| {
                let (x, y) = (g.float::<1>(), g.float::<1>());
                g.output(x.hypot(y));
            }),
        case("Float::Cross", "last axis")
            .float(&[4, 3], -2.0, 2.0)
            .float(&[4, 3], -2.0, 2.0)
            .within(ROUNDING)
            .body(|g| {
                let (x, y) = (g.float::<2>(), g.float::<2>());
                g.output(x.cross(y, 1));
            }),
        case("Float::Cross", "first axis")
            .float(&[3, 2, 2], -2.0, 2.0)
            .float(&[3, 2, 2], -2.0, 2.0)
            .within(ROUNDING)
            .body(|g| {
                let (x, y) = (g.float::<3>(), g.float::<3>());
                g.output(x.cross(y, 0));
            }),
    ]
}

/// There and back, through every type that both engines are asked for.
fn casts() -> Vec<Case> {
    let floats = [FloatDType::F64, FloatDType::F16];
    let mut cases: Vec<Case> = floats
        .into_iter()
        .map(|dtype| {
            case("Base::Cast", format!("f32 to {dtype:?}"))
                .float(&[3, 4], -9.0, 9.0)
                .body(move |g| {
                    let x = g.float::<2>();
                    g.output(x.cast(dtype).cast(FloatDType::F32));
                })
        })
        .collect();
    for dtype in [DType::I32, DType::I16, DType::I8, DType::U8] {
        let low = if dtype == DType::U8 { 0 } else { -99 };
        cases.push(
            case("Base::Cast", format!("i64 to {dtype:?}"))
                .int(&[3, 4], low, 99)
                .body(move |g| {
                    let x = g.int::<2>();
                    g.output_int(x.cast(dtype));
                }),
        );
    }
    cases.extend([
        case("Float::IntoInt", "")
            .float(&[3, 4], -9.0, 9.0)
            .body(|g| {
                let x = g.float::<2>();
                g.output_int(x.int());
            }),
        case("Int::IntoFloat", "").int(&[3, 4], -9, 9).body(|g| {
            let x = g.int::<2>();
            g.output(x.float());
        }),
        case("Bool::IntoFloat", "")
            .float(&[3, 4], -9.0, 9.0)
            .body(|g| {
                let x = g.float::<2>();
                g.output(x.greater_scalar(0.5).float());
            }),
        case("Bool::IntoInt", "")
            .float(&[3, 4], -9.0, 9.0)
            .body(|g| {
                let x = g.float::<2>();
                g.output_int(x.greater_scalar(0.5).int());
            }),
        case("Numeric::Full", "too large to be stored")
            .float(&[2, 1], -9.0, 9.0)
            .body(|g| {
                let x = g.float::<2>();
                let full = Tensor::<2>::full([2, 1 << 14], 0.25, g.device());
                g.output(x + full);
            }),
        case("Base::Zeros", "too large to be stored")
            .float(&[2, 1], -9.0, 9.0)
            .body(|g| {
                let x = g.float::<2>();
                g.output(x + Tensor::<2>::zeros([2, 1 << 14], g.device()));
            }),
        case("Base::Ones", "too large to be stored")
            .int(&[2, 1], -9, 9)
            .body(|g| {
                let x = g.int::<2>();
                let ones = Tensor::<2, Int>::ones([2, 1 << 14], (g.device(), DType::I64));
                g.output_int(x + ones);
            }),
        case("Base::Empty", "overwritten")
            .float(&[2, 1], -9.0, 9.0)
            .body(|g| {
                let x = g.float::<2>();
                let empty = Tensor::<2>::empty([2, 1 << 14], g.device());
                let all = x.clone().greater_scalar(-10.0).expand([2, 1 << 14]);
                g.output(empty.mask_where(all, x.expand([2, 1 << 14])));
            }),
    ]);
    cases
}
