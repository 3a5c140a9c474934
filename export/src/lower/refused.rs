//! What ONNX cannot say, and why.

/// Inference operations without a row, each with its reason. It goes into the error that names the
/// operation, and into the table of all operations.
pub(crate) const REFUSED: &[(&str, &str)] = &[
    ("Float::Random", RANDOM),
    ("Numeric::IntRandom", RANDOM),
    ("Float::Quantize", QUANTISED),
    ("Float::Dequantize", QUANTISED),
    (
        "Module::CtcLoss",
        "it is a loss, which only training needs, and ONNX has no operator for it",
    ),
    (
        "Custom",
        "it means something to its author alone; express it in burn's own operations",
    ),
];

const RANDOM: &str = "a file that gives the same result each time has no random numbers; draw them \
                      outside and make them an input";
const QUANTISED: &str = "ONNX has no tensors in burn's packing of quantised numbers; dequantise \
                         weights before the export";

/// Why an operation has no row, or `None` if it should have one.
pub(crate) fn refusal(key: &str) -> Option<&'static str> {
    if let Some((_, reason)) = REFUSED.iter().find(|(refused, _)| *refused == key) {
        return Some(reason);
    }
    not_inference(key)
}

/// Why an operation is no part of inference, if it is none.
pub(crate) fn not_inference(key: &str) -> Option<&'static str> {
    if key.ends_with("Backward") {
        Some("it computes a gradient, and only inference is exported")
    } else if key.starts_with("Distributed::") {
        Some("it is about several devices, of which a file knows nothing")
    } else {
        None
    }
}
