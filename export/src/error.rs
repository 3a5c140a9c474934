/// Everything that can go wrong while a computation is exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The closure asked for an input that was not declared.
    #[error("the exported computation reads input '{name}', which was not declared")]
    UnknownInput {
        /// The input asked for.
        name: String,
    },
    /// The closure asked for an input with another rank or element type than declared.
    #[error("input '{name}' was declared as {declared}, but the computation reads it as {read}")]
    InputMismatch {
        /// The input.
        name: String,
        /// Declared rank and kind.
        declared: String,
        /// Rank and kind asked for.
        read: String,
    },
    /// An input or output name is used twice.
    #[error("the name '{name}' is used for two inputs or outputs")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A declared input was never read.
    #[error("input '{name}' is declared but the computation does not read it")]
    UnusedInput {
        /// The input.
        name: String,
    },
    /// The computation declared no output.
    #[error("the exported computation declares no output")]
    NoOutput,
    /// The closure returned a tensor that is not on the capture device.
    #[error(
        "output '{name}' was not computed on the capture device: move modules and constants there \
         with Tracer::load"
    )]
    NotCaptured {
        /// The output.
        name: String,
    },
    /// burn refused the capture.
    #[error("burn could not capture the computation ({reason})")]
    Capture {
        /// burn's reason.
        reason: String,
    },
    /// The computation panicked while it was recorded.
    #[error("the computation panicked while it was recorded ({message})")]
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// Operations that we cannot express in ONNX; all of them at once.
    #[error(
        "{} burn {} no ONNX lowering: {}", .0.len(),
        if .0.len() == 1 { "operation has" } else { "operations have" }, list(.0)
    )]
    Unsupported(
        /// Every operation without a lowering.
        Vec<Unsupported>,
    ),
    /// A lowering exists but not for this use of the operation.
    #[error("cannot lower {op}: {reason}")]
    UnsupportedUse {
        /// The burn operation.
        op: &'static str,
        /// What is special about this use.
        reason: String,
    },
    /// An axis was declared symbolic in a way that cannot be.
    #[error("axis {axis} of input '{input}' cannot be the symbolic axis '{name}': {reason}")]
    BadSymbol {
        /// The input.
        input: String,
        /// The axis.
        axis: usize,
        /// The name it was to have.
        name: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The computation is another one at another size.
    #[error(
        "the axis '{axis}' cannot be left open, since its size changes more than can be computed \
         from a shape: {what}; export it with a fixed size"
    )]
    SizeDependent {
        /// The symbolic axis.
        axis: String,
        /// What differs between two sizes.
        what: String,
    },
    /// A version of ONNX's operators was asked for that we do not write.
    #[error(
        "models are written in opset {} to {}, not {version}",
        crate::Opset::DEFAULT,
        crate::Opset::NEWEST
    )]
    UnknownOpset {
        /// The version asked for.
        version: i64,
    },
    /// There is no part of the computation that an input does not reach, or none that it does.
    #[error("the computation cannot be split at input '{input}': {reason}")]
    NothingToSplit {
        /// The input.
        input: String,
        /// Why.
        reason: &'static str,
    },
    /// A weight is beyond what a 16-bit float can hold.
    #[error(
        "the constant '{initializer}' holds {value}, which is infinite in {precision}: export in \
         bf16 or f32"
    )]
    WeightOverflow {
        /// Name of the constant in the exported f32 model.
        initializer: String,
        /// The number.
        value: f32,
        /// `f16` or `bf16`.
        precision: &'static str,
    },
    /// int8 was asked for without a way to measure activations.
    #[error("int8 needs calibration data: the ranges of activations must be measured")]
    NoCalibrator,
    /// The caller's calibration run failed.
    #[error("cannot calibrate the model")]
    Calibration {
        /// What the caller's engine or data reported.
        source: crate::precision::CalibrationError,
    },
    /// A calibration run did not return what it was asked for, or no finite numbers.
    #[error("calibration returned no finite measurement of '{value}'")]
    BadReading {
        /// The activation.
        value: String,
    },
    /// A graph broke its own rules: a fault of ours, named by the step that made it.
    #[error("after {step} the graph is broken: {finding} (this is a fault of the exporter)")]
    BrokenGraph {
        /// The step after which it was found.
        step: &'static str,
        /// What is wrong.
        finding: String,
    },
}

/// A burn operation without a lowering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// The operation, such as `Module::DeformableConv2d`.
    pub op: &'static str,
    /// Shape and type of its first result.
    pub result: String,
    /// How often it occurs.
    pub count: usize,
    /// Why ONNX cannot express it, or from which opset on it can, if that is so.
    pub reason: Option<String>,
}

fn list(unsupported: &[Unsupported]) -> String {
    unsupported
        .iter()
        .map(|item| {
            let reason = item.reason.as_ref().map(|reason| format!(" ({reason})"));
            format!(
                "{} x{} making {}{}",
                item.op,
                item.count,
                item.result,
                reason.unwrap_or_default()
            )
        })
        .collect::<Vec<_>>()
        .join("; ")
}
