//! Sliding window against the official one: positions and the Gaussian map.

use std::collections::BTreeMap;

use serde::Deserialize;
use uniseg_runtime::{WindowPlan, gaussian};

use crate::support::golden;

/// The maps are f32 and at most 1; scipy divides by the kernel's sum and back, we never do.
const GAUSSIAN_TOLERANCE: f32 = 1e-6;

#[derive(Deserialize)]
struct Positions {
    /// `((patch), (extent), step)` as Python writes it, to the starts along z, y, x.
    sliding_window_steps: BTreeMap<String, [Vec<usize>; 3]>,
}

#[test]
fn positions_are_those_of_nnu_net() {
    let Some(golden) = golden("positions_are_those_of_nnu_net") else {
        return;
    };
    let golden: Positions = golden.json("predict/predict.json");
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
    let Some(golden) = golden("the_gaussian_map_is_scipys") else {
        return;
    };
    let golden = golden
        .tensors("predict/gaussian.safetensors")
        .get("gaussian_32_64_64");
    let map = gaussian([32, 64, 64], 1.0 / 8.0).unwrap();
    assert_eq!(golden.shape(), map.shape());
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
    }
}
