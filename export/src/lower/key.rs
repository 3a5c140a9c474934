//! burn operation -> stable name, and the list of all names.
//!
//! Both come from one list of variants, and the matches are exhaustive without wildcards: a burn
//! upgrade with new operations fails to compile here, and only here.

use burn::backend::ir::{
    ActivationOperationIr, BaseOperationIr, BoolOperationIr, DistributedOperationIr,
    FloatOperationIr, IntOperationIr, ModuleOperationIr, NumericOperationIr, OperationIr,
};

/// The stable name of an operation, such as `Module::Conv3d`; float, int and bool variants of one
/// operation share it.
pub(crate) fn key(op: &OperationIr) -> &'static str {
    match op {
        OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
            base(op)
        }
        OperationIr::NumericFloat(_, op) | OperationIr::NumericInt(_, op) => numeric(op),
        OperationIr::Bool(op) => boolean(op),
        OperationIr::Int(op) => int(op),
        OperationIr::Float(_, op) => float(op),
        OperationIr::Module(op) => module(op),
        OperationIr::Activation(op) => activation(op),
        OperationIr::Distributed(op) => distributed(op),
        OperationIr::Init(_) => "Init",
        OperationIr::Custom(_) => "Custom",
        OperationIr::Drop(_) => "Drop",
    }
}

/// The names of all operations, family by family. `Init` and `Drop` are no operations: they say
/// that a tensor begins and ends.
pub(crate) fn keys() -> impl Iterator<Item = &'static str> {
    [
        BASE,
        NUMERIC,
        FLOAT,
        INT,
        BOOL,
        MODULE,
        ACTIVATION,
        DISTRIBUTED,
        &["Custom"],
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Declares a family: the match from its variants to their names, and the list of these names.
macro_rules! family {
    ($function:ident, $list:ident: $kind:ident as $prefix:literal { $($variant:ident),* $(,)? }) => {
        fn $function(op: &$kind) -> &'static str {
            match op {
                $($kind::$variant { .. } => concat!($prefix, "::", stringify!($variant)),)*
            }
        }

        const $list: &[&str] = &[$(concat!($prefix, "::", stringify!($variant))),*];
    };
}

family!(base, BASE: BaseOperationIr as "Base" {
    Reshape, SwapDims, Permute, Flip, Expand, Unfold, Slice, SliceAssign, Select, SelectAssign,
    MaskWhere, MaskFill, Gather, Scatter, ScatterNd, GatherNd, Equal, EqualElem, RepeatDim, Cat,
    Cast, Empty, Ones, Zeros, NotEqual, NotEqualElem, All, Any, AllDim, AnyDim,
});

family!(numeric, NUMERIC: NumericOperationIr as "Numeric" {
    Add, AddScalar, Sub, SubScalar, Div, DivScalar, Rem, RemScalar, Mul, MulScalar, Abs, Full,
    MeanDim, Mean, Sum, SumDim, SumDims, Prod, ProdDim, Greater, GreaterElem, GreaterEqual,
    GreaterEqualElem, Lower, LowerElem, LowerEqual, LowerEqualElem, ArgMax, ArgTopK, TopK,
    TopKWithIndices, ArgMin, Max, MaxDimWithIndices, MinDimWithIndices, Min, MaxDim, MinDim,
    MaxAbs, MaxAbsDim, Clamp, IntRandom, Powi, PowiScalar, CumSum, CumProd, CumMin, CumMax, Neg,
    Sign, ClampMin, ClampMax, Sort, SortWithIndices, ArgSort, Pad,
});

family!(float, FLOAT: FloatOperationIr as "Float" {
    Exp, Log, Log1p, Erf, PowfScalar, Sqrt, Cos, Cosh, Sin, Sinh, Tan, Tanh, ArcCos, ArcCosh,
    ArcSin, ArcSinh, ArcTan, ArcTanh, ArcTan2, Round, Floor, Ceil, Trunc, IntoInt, Matmul, Cross,
    Random, Recip, IsNan, IsInf, Quantize, Dequantize, GridSample2d, Powf, Hypot,
});

family!(int, INT: IntOperationIr as "Int" {
    IntoFloat, BitwiseAnd, BitwiseAndScalar, BitwiseOr, BitwiseOrScalar, BitwiseXor,
    BitwiseXorScalar, BitwiseNot, BitwiseLeftShift, BitwiseLeftShiftScalar, BitwiseRightShift,
    BitwiseRightShiftScalar, Matmul,
});

family!(boolean, BOOL: BoolOperationIr as "Bool" {
    IntoFloat, IntoInt, Not, And, Or, Xor,
});

family!(module, MODULE: ModuleOperationIr as "Module" {
    BatchNorm, Embedding, EmbeddingBackward, Linear, LinearXBackward, LinearWeightBackward,
    LinearBiasBackward, Conv1d, Conv1dXBackward, Conv1dWeightBackward, Conv1dBiasBackward, Conv2d,
    Conv2dXBackward, Conv2dWeightBackward, Conv2dBiasBackward, Conv3d, Conv3dXBackward,
    Conv3dWeightBackward, Conv3dBiasBackward, DeformableConv2d, DeformableConv2dBackward,
    ConvTranspose1d, ConvTranspose2d, ConvTranspose3d, AvgPool1d, AvgPool2d, AvgPool1dBackward,
    AvgPool2dBackward, AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool1dBackward,
    AdaptiveAvgPool2dBackward, AdaptiveAvgPool3d, AdaptiveAvgPool3dBackward, MaxPool1d,
    MaxPool1dWithIndices, MaxPool1dWithIndicesBackward, MaxPool2d, MaxPool2dWithIndices,
    MaxPool2dWithIndicesBackward, Interpolate, InterpolateBackward, Attention, CtcLoss,
    CtcLossBackward, LayerNorm, Unfold4d, ConvTranspose1dWeightBackward,
    ConvTranspose1dBiasBackward, ConvTranspose2dWeightBackward, ConvTranspose2dBiasBackward,
    ConvTranspose3dWeightBackward, ConvTranspose3dBiasBackward,
});

family!(activation, ACTIVATION: ActivationOperationIr as "Activation" {
    Relu, ReluBackward, LeakyRelu, PRelu, Gelu, GeluBackward, Sigmoid, SigmoidBackward,
    HardSigmoid, LogSigmoid, LogSigmoidBackward, Softmax, LogSoftmax, Softmin,
});

family!(distributed, DISTRIBUTED: DistributedOperationIr as "Distributed" {
    AllReduce, SyncCollective,
});
