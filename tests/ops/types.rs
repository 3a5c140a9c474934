//! Element types beyond the usual ones: f64, f16 and i32.

use burn::tensor::{DType, FloatDType};
use uniseg_runtime::EngineKind;

use super::case::{Case, EXACT, ROUNDING, case};
use super::elementwise::{FUNCTIONS, PAIRS, WHOLE, since};
use super::reduce::{ALONG, ALONG_INTS};

/// Half precision has 11 bits; a result may be rounded once more on the way.
const HALF: f32 = 4e-3;

/// Engine, element type, operations for which it has no kernel.
const LACKING: &[(EngineKind, &str, &[&str])] = &[
    (
        EngineKind::Ort,
        "f64",
        &[
            "Float::Erf",
            "Float::Cosh",
            "Float::Sinh",
            "Float::Tan",
            "Float::ArcCos",
            "Float::ArcCosh",
            "Float::ArcSin",
            "Float::ArcSinh",
            "Float::ArcTan",
            "Float::ArcTanh",
            "Float::ArcTan2",
        ],
    ),
    (EngineKind::Tract, "f64", &["Float::Erf", "Float::Round"]),
];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (dtype, tolerance) in [(FloatDType::F64, ROUNDING), (FloatDType::F16, HALF)] {
        let name = format!("{dtype:?}").to_lowercase();
        for &(op, function, [low, high], exact) in FUNCTIONS {
            let case = about(op, &name).float(&[2, 3, 4], low, high);
            // What is exact in f32 is exact in f64. ONNX Runtime leaves out the way to f16 and back
            // where nothing is between them but what it can compute in f32.
            let exact = exact == EXACT && dtype == FloatDType::F64;
            let case = case.within(if exact { EXACT } else { tolerance });
            cases.push(case.body(move |g| {
                let x = g.float::<3>().cast(dtype);
                g.output(function(x).cast(FloatDType::F32));
            }));
        }
        for &(op, function, [a, b, c, d], _) in PAIRS {
            let case = about(op, &name)
                .float(&[2, 3, 4], a, b)
                .float(&[2, 3, 4], c, d);
            cases.push(case.within(tolerance).body(move |g| {
                let (x, y) = (g.float::<3>().cast(dtype), g.float::<3>().cast(dtype));
                g.output(function(x, y).cast(FloatDType::F32));
            }));
        }
        for &(op, function, _) in ALONG {
            let case = about(op, &name).float(&[2, 3, 4], -1.5, 1.5);
            cases.push(case.within(tolerance).body(move |g| {
                let x = g.float::<3>().cast(dtype);
                g.output(function(x, 1).cast(FloatDType::F32));
            }));
        }
    }
    // Too great a number for 32 bits, or one that burn has not in this type.
    let whole = WHOLE.iter().filter(|(op, ..)| *op != "Numeric::AddScalar");
    for &(op, function, [low, high]) in whole {
        let case = about(op, "i32").int(&[3, 5], low, high).since(since(op));
        cases.push(case.body(move |g| {
            let x = g.int::<2>().cast(DType::I32);
            g.output_int(function(x));
        }));
    }
    for &(op, function) in ALONG_INTS {
        let case = about(op, "i32").int(&[2, 4, 3], -4, 5);
        cases.push(case.body(move |g| {
            let x = g.int::<3>().cast(DType::I32);
            g.output_int(function(x, 1));
        }));
    }
    cases
}

fn about(op: &'static str, dtype: &str) -> Case {
    let lacking = LACKING
        .iter()
        .filter(|(_, of, ops)| *of == dtype && ops.contains(&op));
    lacking.fold(case(op, dtype), |case, (kind, of, _)| {
        case.cannot(*kind, reason(of))
    })
}

fn reason(dtype: &str) -> &'static str {
    match dtype {
        "f64" => "not in f64",
        "f16" => "not in f16",
        _ => "not in i32",
    }
}
