//! Every case once more in the newest opset: operators that changed, and those that are new, mean the
//! same.

use std::fmt::Write as _;

use uniseg_export::Opset;
use uniseg_runtime::EngineKind;

use super::{cases, findings};

/// What an engine cannot do in the newest opset though it can in the one that a case is for: the
/// operation of burn, the engine and why.
const CANNOT: &[(&str, EngineKind, &str)] =
    &[("Module::Attention", EngineKind::Tract, super::NO_ATTENTION)];

#[test]
fn every_case_means_the_same_in_the_newest_opset() {
    let mut faults = String::new();
    let mut files = Vec::new();
    let mut needed = vec![false; CANNOT.len()];
    for case in cases() {
        let title = format!("{} ({})", case.subjects.join(", "), case.name);
        let outcome = match case.run_in(Opset::NEWEST) {
            Ok(outcome) => outcome,
            Err(error) => {
                writeln!(faults, "{title}: {error}").unwrap();
                continue;
            }
        };
        for (engine, result) in &outcome.engines {
            let Err(error) = result else { continue };
            let known = CANNOT
                .iter()
                .position(|(subject, kind, _)| case.subjects.contains(subject) && kind == engine);
            match known {
                Some(known) => needed[known] = true,
                None if case.cannot.iter().any(|(kind, _)| kind == engine) => {}
                None => writeln!(faults, "{title} in {engine}: {error}").unwrap(),
            }
        }
        files.push(outcome.bytes);
    }
    assert!(faults.is_empty(), "\n{faults}");
    for (row, needed) in CANNOT.iter().zip(needed) {
        assert!(needed, "{row:?} is not needed any more");
    }
    let findings = findings("ops-newest", files.into_iter());
    assert!(findings.is_empty(), "{findings}");
}
