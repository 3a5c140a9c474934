//! The shorthand that rows are written in.

/// Declares a [`Lowering`](super::Lowering) row:
/// `row!(NAME: Family::Variant(op) => ["OnnxOp"], |cx| expression)`.
///
/// The variant's payload is bound to `op`. `Base` and `Numeric` rows serve every element type.
/// `["OnnxOp"] from 19` says that opset 17 does not have the operators yet.
macro_rules! row {
    ($name:ident: Base::$variant:ident($op:ident) => $onnx:tt $(from $since:literal)?, |$cx:ident| $body:expr) => {
        $crate::lower::row::row!(@ $name, "Base", $variant, $onnx, [$($since,)? 17], $cx, $body,
            burn::backend::ir::OperationIr::BaseFloat(
                burn::backend::ir::BaseOperationIr::$variant($op))
            | burn::backend::ir::OperationIr::BaseInt(
                burn::backend::ir::BaseOperationIr::$variant($op))
            | burn::backend::ir::OperationIr::BaseBool(
                burn::backend::ir::BaseOperationIr::$variant($op)));
    };
    ($name:ident: Numeric::$variant:ident($op:ident) => $onnx:tt $(from $since:literal)?, |$cx:ident| $body:expr) => {
        $crate::lower::row::row!(@ $name, "Numeric", $variant, $onnx, [$($since,)? 17], $cx, $body,
            burn::backend::ir::OperationIr::NumericFloat(
                _, burn::backend::ir::NumericOperationIr::$variant($op))
            | burn::backend::ir::OperationIr::NumericInt(
                _, burn::backend::ir::NumericOperationIr::$variant($op)));
    };
    ($name:ident: Float::$variant:ident($op:ident) => $onnx:tt $(from $since:literal)?, |$cx:ident| $body:expr) => {
        $crate::lower::row::row!(@ $name, "Float", $variant, $onnx, [$($since,)? 17], $cx, $body,
            burn::backend::ir::OperationIr::Float(
                _, burn::backend::ir::FloatOperationIr::$variant($op)));
    };
    ($name:ident: Int::$variant:ident($op:ident) => $onnx:tt $(from $since:literal)?, |$cx:ident| $body:expr) => {
        $crate::lower::row::row!(@ $name, "Int", $variant, $onnx, [$($since,)? 17], $cx, $body,
            burn::backend::ir::OperationIr::Int(
                burn::backend::ir::IntOperationIr::$variant($op)));
    };
    ($name:ident: Bool::$variant:ident($op:ident) => $onnx:tt $(from $since:literal)?, |$cx:ident| $body:expr) => {
        $crate::lower::row::row!(@ $name, "Bool", $variant, $onnx, [$($since,)? 17], $cx, $body,
            burn::backend::ir::OperationIr::Bool(
                burn::backend::ir::BoolOperationIr::$variant($op)));
    };
    ($name:ident: Module::$variant:ident($op:ident) => $onnx:tt $(from $since:literal)?, |$cx:ident| $body:expr) => {
        $crate::lower::row::row!(@ $name, "Module", $variant, $onnx, [$($since,)? 17], $cx, $body,
            burn::backend::ir::OperationIr::Module(
                burn::backend::ir::ModuleOperationIr::$variant($op)));
    };
    ($name:ident: Activation::$variant:ident($op:ident) => $onnx:tt $(from $since:literal)?, |$cx:ident| $body:expr) => {
        $crate::lower::row::row!(@ $name, "Activation", $variant, $onnx, [$($since,)? 17], $cx, $body,
            burn::backend::ir::OperationIr::Activation(
                burn::backend::ir::ActivationOperationIr::$variant($op)));
    };
    (@ $name:ident, $family:literal, $variant:ident, [$($onnx:literal),*], $since:expr, $cx:ident,
     $body:expr, $pattern:pat) => {
        pub(super) const $name: $crate::lower::Lowering = $crate::lower::Lowering {
            key: concat!($family, "::", stringify!($variant)),
            onnx: &[$($onnx),*],
            since: $crate::opset::Opset::known($since[0]),
            lower: |$cx, ir| match ir {
                $pattern => $body,
                _ => Err($cx.unsupported("the row does not fit the operation")),
            },
        };
    };
}

pub(crate) use row;
