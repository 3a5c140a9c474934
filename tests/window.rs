//! Sliding window against the official one: positions and the Gaussian map.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use safetensors::SafeTensors;
use serde::Deserialize;
use uniseg_runtime::{WindowPlan, gaussian};

/// The maps are f32 and at most 1; scipy divides by the kernel's sum and back, we never do.
const GAUSSIAN_TOLERANCE: f32 = 1e-6;

#[derive(Deserialize)]
struct Golden {
    /// `((patch), (extent), step)` as Python writes it, to the starts along z, y, x.
    sliding_window_steps: BTreeMap<String, [Vec<usize>; 3]>,
}

/// The folder `name` of the golden files; says so and returns nothing where it is absent.
fn golden(name: &str) -> Option<PathBuf> {
    let root = env::var_os("UNISEG_GOLDEN").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/golden"),
        PathBuf::from,
    );
    let folder = root.join(name);
    if !folder.is_dir() {
        eprintln!("SKIPPED (golden files absent): {name}");
        return None;
    }
    Some(folder)
}

#[test]
fn positions_are_those_of_nnu_net() {
    let Some(folder) = golden("predict") else {
        return;
    };
    let text = fs::read_to_string(folder.join("predict.json")).unwrap();
    let golden: Golden = serde_json::from_str(&text).unwrap();
    assert!(!golden.sliding_window_steps.is_empty());
    for (key, starts) in golden.sliding_window_steps {
        let numbers: Vec<f64> = key
            .split(|c: char| !(c.is_ascii_digit() || c == '.'))
            .filter(|word| !word.is_empty())
            .map(|word| word.parse().unwrap())
            .collect();
        assert_eq!(numbers.len(), 7, "{key}");
        let patch = std::array::from_fn(|axis| numbers[axis] as usize);
        let extent = std::array::from_fn(|axis| numbers[3 + axis] as usize);
        let plan = WindowPlan::new(extent, patch, numbers[6]).unwrap();
        assert_eq!(plan.starts(), starts.each_ref().map(Vec::as_slice), "{key}");
    }
}

#[test]
fn the_gaussian_map_is_scipys() {
    let Some(folder) = golden("predict") else {
        return;
    };
    let bytes = fs::read(folder.join("gaussian.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let golden = file.tensor("gaussian_32_64_64").unwrap();
    let map = gaussian([32, 64, 64], 1.0 / 8.0).unwrap();
    assert_eq!(golden.shape(), map.shape());
    let golden = golden
        .data()
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()));
    let mut count = 0;
    for (&found, expected) in map.iter().zip(golden) {
        assert!(
            (found - expected).abs() <= GAUSSIAN_TOLERANCE,
            "{found} for {expected}"
        );
        // The corners are 4e-11: an absolute tolerance alone would let them be anything.
        assert!(
            (found / expected - 1.0).abs() <= 1e-5,
            "{found} for {expected}"
        );
        count += 1;
    }
    assert_eq!(count, map.len());
}
