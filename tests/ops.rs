//! Every lowering against burn itself: the same function run by burn, ONNX Runtime and tract.

mod case;
mod direct;
mod elementwise;
mod errors;
mod fused;
mod index;
mod later;
mod layout;
mod logic;
mod network;
pub mod random;
mod reduce;
mod resample;
mod table;
mod types;
mod window;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::sync::LazyLock;

use uniseg_export::operations;

use crate::support::{kept, python::python};
use case::{Case, Outcome};

/// Every case with what came of it, computed once.
static OUTCOMES: LazyLock<Vec<(Case, Result<Outcome, String>)>> = LazyLock::new(|| {
    let cases = cases().into_iter();
    cases
        .map(|case| (case.run(), case))
        .map(|(outcome, case)| (case, outcome))
        .collect()
});

/// All cases, family by family.
fn cases() -> Vec<Case> {
    let families = [
        elementwise::cases(),
        logic::cases(),
        layout::cases(),
        index::cases(),
        reduce::cases(),
        window::cases(),
        resample::cases(),
        network::cases(),
        types::cases(),
    ];
    families.into_iter().flatten().collect()
}

/// Operations with a row that no computation reaches: burn 0.22 records a comparison with itself,
/// or with infinity, instead.
const UNREACHED: &[&str] = &["Float::IsNan", "Float::IsInf"];

/// Why tract does not run attention that is one node.
const NO_ATTENTION: &str = "no Attention: it is built without its operators for transformers";

#[test]
fn engines_compute_what_burn_computes() {
    let mut faults = String::new();
    for (case, outcome) in OUTCOMES.iter() {
        let title = format!("{} ({})", case.subjects.join(", "), case.name);
        match outcome {
            Err(error) => writeln!(faults, "{title}: {error}").unwrap(),
            Ok(outcome) => {
                for (engine, result) in &outcome.engines {
                    let cannot = case.cannot.iter().find(|(kind, _)| kind == engine);
                    match (result, cannot) {
                        (Err(error), None) => writeln!(faults, "{title} in {engine}: {error}"),
                        (Ok(()), Some((_, reason))) => {
                            writeln!(faults, "{title} in {engine} works, though \"{reason}\"")
                        }
                        _ => Ok(()),
                    }
                    .unwrap();
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
    println!("{} cases", OUTCOMES.len());
}

#[test]
fn every_operation_has_a_case_that_records_it() {
    let mut reached = BTreeSet::new();
    let mut silent = Vec::new();
    for (case, outcome) in OUTCOMES.iter() {
        let Ok(outcome) = outcome else { continue };
        for subject in &case.subjects {
            match outcome.origins.contains(subject) {
                true => drop(reached.insert(*subject)),
                false => silent.push(format!("{subject} ({})", case.name)),
            }
        }
    }
    assert!(silent.is_empty(), "no node in their own cases: {silent:#?}");
    let missing: Vec<_> = operations()
        .filter(|operation| operation.onnx.is_ok())
        .map(|operation| operation.name)
        .filter(|name| !reached.contains(name) && !UNREACHED.contains(name))
        .collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
    let needless: Vec<_> = UNREACHED
        .iter()
        .filter(|name| reached.contains(*name))
        .collect();
    assert!(needless.is_empty(), "{needless:?} are reached after all");
}

/// What ONNX's full check and its strict shape inference say of many files.
fn findings(name: &str, files: impl Iterator<Item = Vec<u8>>) -> String {
    const CHECK: &str = r#"
import pathlib, sys, onnx
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
    model = onnx.load(path)
    try:
        onnx.checker.check_model(model, full_check=True)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except Exception as error:
        print(path.stem, [node.op_type for node in model.graph.node], error)
"#;
    let folder = kept(name);
    for entry in fs::read_dir(&folder).expect("a readable folder") {
        fs::remove_file(entry.expect("a readable folder").path()).expect("a writable folder");
    }
    for (index, bytes) in files.enumerate() {
        fs::write(folder.join(format!("{index}.onnx")), bytes).expect("a disk");
    }
    python(CHECK, &[&folder])
}

#[test]
fn the_checker_accepts_every_case() {
    let outcomes = OUTCOMES
        .iter()
        .filter_map(|(_, outcome)| outcome.as_ref().ok());
    let findings = findings("ops", outcomes.map(|outcome| outcome.bytes.clone()));
    assert!(findings.is_empty(), "{findings}");
}
