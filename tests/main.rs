//! End-to-end, parity, fault and interface tests, linked once; a module per concern.
//!
//! They need Python 3 with `venv` and a package index for `onnx` and `nibabel`, and ONNX Runtime,
//! which is installed if it is not there. Golden files are optional: a test without them says so.

mod support;

mod bad_input;
mod checker;
mod cli;
mod cohort;
mod devices;
mod evaluate;
mod faults;
mod fences;
mod full_disk;
mod fuzz_seeds;
mod half;
mod left_out;
mod memory;
mod network;
mod networks;
mod nifti_bad;
mod ops;
mod phantom;
mod pipeline;
mod plan;
mod precision;
mod preprocess;
mod probabilities;
mod probability_files;
mod reader;
mod roundtrip;
mod specialise;
mod together;
mod training;
mod training_math;
mod tuning;
mod variants;
mod window;
