//! burn operation -> stable name. The matches are exhaustive without wildcards, so that a burn
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

fn base(op: &BaseOperationIr) -> &'static str {
    match op {
        BaseOperationIr::Reshape(_) => "Base::Reshape",
        BaseOperationIr::SwapDims(_) => "Base::SwapDims",
        BaseOperationIr::Permute(_) => "Base::Permute",
        BaseOperationIr::Flip(_) => "Base::Flip",
        BaseOperationIr::Expand(_) => "Base::Expand",
        BaseOperationIr::Unfold(_) => "Base::Unfold",
        BaseOperationIr::Slice(_) => "Base::Slice",
        BaseOperationIr::SliceAssign(_) => "Base::SliceAssign",
        BaseOperationIr::Select(_) => "Base::Select",
        BaseOperationIr::SelectAssign(_) => "Base::SelectAssign",
        BaseOperationIr::MaskWhere(_) => "Base::MaskWhere",
        BaseOperationIr::MaskFill(_) => "Base::MaskFill",
        BaseOperationIr::Gather(_) => "Base::Gather",
        BaseOperationIr::Scatter(_) => "Base::Scatter",
        BaseOperationIr::ScatterNd(_) => "Base::ScatterNd",
        BaseOperationIr::GatherNd(_) => "Base::GatherNd",
        BaseOperationIr::Equal(_) => "Base::Equal",
        BaseOperationIr::EqualElem(_) => "Base::EqualElem",
        BaseOperationIr::RepeatDim(_) => "Base::RepeatDim",
        BaseOperationIr::Cat(_) => "Base::Cat",
        BaseOperationIr::Cast(_) => "Base::Cast",
        BaseOperationIr::Empty(_) => "Base::Empty",
        BaseOperationIr::Ones(_) => "Base::Ones",
        BaseOperationIr::Zeros(_) => "Base::Zeros",
        BaseOperationIr::NotEqual(_) => "Base::NotEqual",
        BaseOperationIr::NotEqualElem(_) => "Base::NotEqualElem",
        BaseOperationIr::All(_) => "Base::All",
        BaseOperationIr::Any(_) => "Base::Any",
        BaseOperationIr::AllDim(_) => "Base::AllDim",
        BaseOperationIr::AnyDim(_) => "Base::AnyDim",
    }
}

fn numeric(op: &NumericOperationIr) -> &'static str {
    match op {
        NumericOperationIr::Add(_) => "Numeric::Add",
        NumericOperationIr::AddScalar(_) => "Numeric::AddScalar",
        NumericOperationIr::Sub(_) => "Numeric::Sub",
        NumericOperationIr::SubScalar(_) => "Numeric::SubScalar",
        NumericOperationIr::Div(_) => "Numeric::Div",
        NumericOperationIr::DivScalar(_) => "Numeric::DivScalar",
        NumericOperationIr::Rem(_) => "Numeric::Rem",
        NumericOperationIr::RemScalar(_) => "Numeric::RemScalar",
        NumericOperationIr::Mul(_) => "Numeric::Mul",
        NumericOperationIr::MulScalar(_) => "Numeric::MulScalar",
        NumericOperationIr::Abs(_) => "Numeric::Abs",
        NumericOperationIr::Full(_) => "Numeric::Full",
        NumericOperationIr::MeanDim(_) => "Numeric::MeanDim",
        NumericOperationIr::Mean(_) => "Numeric::Mean",
        NumericOperationIr::Sum(_) => "Numeric::Sum",
        NumericOperationIr::SumDim(_) => "Numeric::SumDim",
        NumericOperationIr::SumDims(_) => "Numeric::SumDims",
        NumericOperationIr::Prod(_) => "Numeric::Prod",
        NumericOperationIr::ProdDim(_) => "Numeric::ProdDim",
        NumericOperationIr::Greater(_) => "Numeric::Greater",
        NumericOperationIr::GreaterElem(_) => "Numeric::GreaterElem",
        NumericOperationIr::GreaterEqual(_) => "Numeric::GreaterEqual",
        NumericOperationIr::GreaterEqualElem(_) => "Numeric::GreaterEqualElem",
        NumericOperationIr::Lower(_) => "Numeric::Lower",
        NumericOperationIr::LowerElem(_) => "Numeric::LowerElem",
        NumericOperationIr::LowerEqual(_) => "Numeric::LowerEqual",
        NumericOperationIr::LowerEqualElem(_) => "Numeric::LowerEqualElem",
        NumericOperationIr::ArgMax(_) => "Numeric::ArgMax",
        NumericOperationIr::ArgTopK(_) => "Numeric::ArgTopK",
        NumericOperationIr::TopK(_) => "Numeric::TopK",
        NumericOperationIr::TopKWithIndices(_) => "Numeric::TopKWithIndices",
        NumericOperationIr::ArgMin(_) => "Numeric::ArgMin",
        NumericOperationIr::Max(_) => "Numeric::Max",
        NumericOperationIr::MaxDimWithIndices(_) => "Numeric::MaxDimWithIndices",
        NumericOperationIr::MinDimWithIndices(_) => "Numeric::MinDimWithIndices",
        NumericOperationIr::Min(_) => "Numeric::Min",
        NumericOperationIr::MaxDim(_) => "Numeric::MaxDim",
        NumericOperationIr::MinDim(_) => "Numeric::MinDim",
        NumericOperationIr::MaxAbs(_) => "Numeric::MaxAbs",
        NumericOperationIr::MaxAbsDim(_) => "Numeric::MaxAbsDim",
        NumericOperationIr::Clamp(_) => "Numeric::Clamp",
        NumericOperationIr::IntRandom(_) => "Numeric::IntRandom",
        NumericOperationIr::Powi(_) => "Numeric::Powi",
        NumericOperationIr::PowiScalar(_) => "Numeric::PowiScalar",
        NumericOperationIr::CumSum(_) => "Numeric::CumSum",
        NumericOperationIr::CumProd(_) => "Numeric::CumProd",
        NumericOperationIr::CumMin(_) => "Numeric::CumMin",
        NumericOperationIr::CumMax(_) => "Numeric::CumMax",
        NumericOperationIr::Neg(_) => "Numeric::Neg",
        NumericOperationIr::Sign(_) => "Numeric::Sign",
        NumericOperationIr::ClampMin(_) => "Numeric::ClampMin",
        NumericOperationIr::ClampMax(_) => "Numeric::ClampMax",
        NumericOperationIr::Sort(_) => "Numeric::Sort",
        NumericOperationIr::SortWithIndices(_) => "Numeric::SortWithIndices",
        NumericOperationIr::ArgSort(_) => "Numeric::ArgSort",
        NumericOperationIr::Pad(_) => "Numeric::Pad",
    }
}

fn float(op: &FloatOperationIr) -> &'static str {
    match op {
        FloatOperationIr::Exp(_) => "Float::Exp",
        FloatOperationIr::Log(_) => "Float::Log",
        FloatOperationIr::Log1p(_) => "Float::Log1p",
        FloatOperationIr::Erf(_) => "Float::Erf",
        FloatOperationIr::PowfScalar(_) => "Float::PowfScalar",
        FloatOperationIr::Sqrt(_) => "Float::Sqrt",
        FloatOperationIr::Cos(_) => "Float::Cos",
        FloatOperationIr::Cosh(_) => "Float::Cosh",
        FloatOperationIr::Sin(_) => "Float::Sin",
        FloatOperationIr::Sinh(_) => "Float::Sinh",
        FloatOperationIr::Tan(_) => "Float::Tan",
        FloatOperationIr::Tanh(_) => "Float::Tanh",
        FloatOperationIr::ArcCos(_) => "Float::ArcCos",
        FloatOperationIr::ArcCosh(_) => "Float::ArcCosh",
        FloatOperationIr::ArcSin(_) => "Float::ArcSin",
        FloatOperationIr::ArcSinh(_) => "Float::ArcSinh",
        FloatOperationIr::ArcTan(_) => "Float::ArcTan",
        FloatOperationIr::ArcTanh(_) => "Float::ArcTanh",
        FloatOperationIr::ArcTan2(_) => "Float::ArcTan2",
        FloatOperationIr::Round(_) => "Float::Round",
        FloatOperationIr::Floor(_) => "Float::Floor",
        FloatOperationIr::Ceil(_) => "Float::Ceil",
        FloatOperationIr::Trunc(_) => "Float::Trunc",
        FloatOperationIr::IntoInt(_) => "Float::IntoInt",
        FloatOperationIr::Matmul(_) => "Float::Matmul",
        FloatOperationIr::Cross(_) => "Float::Cross",
        FloatOperationIr::Random(_) => "Float::Random",
        FloatOperationIr::Recip(_) => "Float::Recip",
        FloatOperationIr::IsNan(_) => "Float::IsNan",
        FloatOperationIr::IsInf(_) => "Float::IsInf",
        FloatOperationIr::Quantize(_) => "Float::Quantize",
        FloatOperationIr::Dequantize(_) => "Float::Dequantize",
        FloatOperationIr::GridSample2d(_) => "Float::GridSample2d",
        FloatOperationIr::Powf(_) => "Float::Powf",
        FloatOperationIr::Hypot(_) => "Float::Hypot",
    }
}

fn int(op: &IntOperationIr) -> &'static str {
    match op {
        IntOperationIr::IntoFloat(_) => "Int::IntoFloat",
        IntOperationIr::BitwiseAnd(_) => "Int::BitwiseAnd",
        IntOperationIr::BitwiseAndScalar(_) => "Int::BitwiseAndScalar",
        IntOperationIr::BitwiseOr(_) => "Int::BitwiseOr",
        IntOperationIr::BitwiseOrScalar(_) => "Int::BitwiseOrScalar",
        IntOperationIr::BitwiseXor(_) => "Int::BitwiseXor",
        IntOperationIr::BitwiseXorScalar(_) => "Int::BitwiseXorScalar",
        IntOperationIr::BitwiseNot(_) => "Int::BitwiseNot",
        IntOperationIr::BitwiseLeftShift(_) => "Int::BitwiseLeftShift",
        IntOperationIr::BitwiseLeftShiftScalar(_) => "Int::BitwiseLeftShiftScalar",
        IntOperationIr::BitwiseRightShift(_) => "Int::BitwiseRightShift",
        IntOperationIr::BitwiseRightShiftScalar(_) => "Int::BitwiseRightShiftScalar",
        IntOperationIr::Matmul(_) => "Int::Matmul",
    }
}

fn boolean(op: &BoolOperationIr) -> &'static str {
    match op {
        BoolOperationIr::IntoFloat(_) => "Bool::IntoFloat",
        BoolOperationIr::IntoInt(_) => "Bool::IntoInt",
        BoolOperationIr::Not(_) => "Bool::Not",
        BoolOperationIr::And(_) => "Bool::And",
        BoolOperationIr::Or(_) => "Bool::Or",
        BoolOperationIr::Xor(_) => "Bool::Xor",
    }
}

fn module(op: &ModuleOperationIr) -> &'static str {
    match op {
        ModuleOperationIr::BatchNorm(_) => "Module::BatchNorm",
        ModuleOperationIr::Embedding(_) => "Module::Embedding",
        ModuleOperationIr::EmbeddingBackward(_) => "Module::EmbeddingBackward",
        ModuleOperationIr::Linear(_) => "Module::Linear",
        ModuleOperationIr::LinearXBackward(_) => "Module::LinearXBackward",
        ModuleOperationIr::LinearWeightBackward(_) => "Module::LinearWeightBackward",
        ModuleOperationIr::LinearBiasBackward(_) => "Module::LinearBiasBackward",
        ModuleOperationIr::Conv1d(_) => "Module::Conv1d",
        ModuleOperationIr::Conv1dXBackward(_) => "Module::Conv1dXBackward",
        ModuleOperationIr::Conv1dWeightBackward(_) => "Module::Conv1dWeightBackward",
        ModuleOperationIr::Conv1dBiasBackward(_) => "Module::Conv1dBiasBackward",
        ModuleOperationIr::Conv2d(_) => "Module::Conv2d",
        ModuleOperationIr::Conv2dXBackward(_) => "Module::Conv2dXBackward",
        ModuleOperationIr::Conv2dWeightBackward(_) => "Module::Conv2dWeightBackward",
        ModuleOperationIr::Conv2dBiasBackward(_) => "Module::Conv2dBiasBackward",
        ModuleOperationIr::Conv3d(_) => "Module::Conv3d",
        ModuleOperationIr::Conv3dXBackward(_) => "Module::Conv3dXBackward",
        ModuleOperationIr::Conv3dWeightBackward(_) => "Module::Conv3dWeightBackward",
        ModuleOperationIr::Conv3dBiasBackward(_) => "Module::Conv3dBiasBackward",
        ModuleOperationIr::DeformableConv2d(_) => "Module::DeformableConv2d",
        ModuleOperationIr::DeformableConv2dBackward(_) => "Module::DeformableConv2dBackward",
        ModuleOperationIr::ConvTranspose1d(_) => "Module::ConvTranspose1d",
        ModuleOperationIr::ConvTranspose2d(_) => "Module::ConvTranspose2d",
        ModuleOperationIr::ConvTranspose3d(_) => "Module::ConvTranspose3d",
        ModuleOperationIr::AvgPool1d(_) => "Module::AvgPool1d",
        ModuleOperationIr::AvgPool2d(_) => "Module::AvgPool2d",
        ModuleOperationIr::AvgPool1dBackward(_) => "Module::AvgPool1dBackward",
        ModuleOperationIr::AvgPool2dBackward(_) => "Module::AvgPool2dBackward",
        ModuleOperationIr::AdaptiveAvgPool1d(_) => "Module::AdaptiveAvgPool1d",
        ModuleOperationIr::AdaptiveAvgPool2d(_) => "Module::AdaptiveAvgPool2d",
        ModuleOperationIr::AdaptiveAvgPool1dBackward(_) => "Module::AdaptiveAvgPool1dBackward",
        ModuleOperationIr::AdaptiveAvgPool2dBackward(_) => "Module::AdaptiveAvgPool2dBackward",
        ModuleOperationIr::AdaptiveAvgPool3d(_) => "Module::AdaptiveAvgPool3d",
        ModuleOperationIr::AdaptiveAvgPool3dBackward(_) => "Module::AdaptiveAvgPool3dBackward",
        ModuleOperationIr::MaxPool1d(_) => "Module::MaxPool1d",
        ModuleOperationIr::MaxPool1dWithIndices(_) => "Module::MaxPool1dWithIndices",
        ModuleOperationIr::MaxPool1dWithIndicesBackward(_) => {
            "Module::MaxPool1dWithIndicesBackward"
        }
        ModuleOperationIr::MaxPool2d(_) => "Module::MaxPool2d",
        ModuleOperationIr::MaxPool2dWithIndices(_) => "Module::MaxPool2dWithIndices",
        ModuleOperationIr::MaxPool2dWithIndicesBackward(_) => {
            "Module::MaxPool2dWithIndicesBackward"
        }
        ModuleOperationIr::Interpolate(_) => "Module::Interpolate",
        ModuleOperationIr::InterpolateBackward(_) => "Module::InterpolateBackward",
        ModuleOperationIr::Attention(_) => "Module::Attention",
        ModuleOperationIr::CtcLoss(_) => "Module::CtcLoss",
        ModuleOperationIr::CtcLossBackward(_) => "Module::CtcLossBackward",
        ModuleOperationIr::LayerNorm(_) => "Module::LayerNorm",
        ModuleOperationIr::Unfold4d(_) => "Module::Unfold4d",
        ModuleOperationIr::ConvTranspose1dWeightBackward(_) => {
            "Module::ConvTranspose1dWeightBackward"
        }
        ModuleOperationIr::ConvTranspose1dBiasBackward(_) => "Module::ConvTranspose1dBiasBackward",
        ModuleOperationIr::ConvTranspose2dWeightBackward(_) => {
            "Module::ConvTranspose2dWeightBackward"
        }
        ModuleOperationIr::ConvTranspose2dBiasBackward(_) => "Module::ConvTranspose2dBiasBackward",
        ModuleOperationIr::ConvTranspose3dWeightBackward(_) => {
            "Module::ConvTranspose3dWeightBackward"
        }
        ModuleOperationIr::ConvTranspose3dBiasBackward(_) => "Module::ConvTranspose3dBiasBackward",
    }
}

fn activation(op: &ActivationOperationIr) -> &'static str {
    match op {
        ActivationOperationIr::Relu(_) => "Activation::Relu",
        ActivationOperationIr::ReluBackward(_) => "Activation::ReluBackward",
        ActivationOperationIr::LeakyRelu(_) => "Activation::LeakyRelu",
        ActivationOperationIr::PRelu(_) => "Activation::PRelu",
        ActivationOperationIr::Gelu(_) => "Activation::Gelu",
        ActivationOperationIr::GeluBackward(_) => "Activation::GeluBackward",
        ActivationOperationIr::Sigmoid(_) => "Activation::Sigmoid",
        ActivationOperationIr::SigmoidBackward(_) => "Activation::SigmoidBackward",
        ActivationOperationIr::HardSigmoid(_) => "Activation::HardSigmoid",
        ActivationOperationIr::LogSigmoid(_) => "Activation::LogSigmoid",
        ActivationOperationIr::LogSigmoidBackward(_) => "Activation::LogSigmoidBackward",
        ActivationOperationIr::Softmax(_) => "Activation::Softmax",
        ActivationOperationIr::LogSoftmax(_) => "Activation::LogSoftmax",
        ActivationOperationIr::Softmin(_) => "Activation::Softmin",
    }
}

fn distributed(op: &DistributedOperationIr) -> &'static str {
    match op {
        DistributedOperationIr::AllReduce(_) => "Distributed::AllReduce",
        DistributedOperationIr::SyncCollective => "Distributed::SyncCollective",
    }
}
