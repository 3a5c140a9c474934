//! Instance normalisation and the leaky ReLU behind it as one operation of our own, on CUDA.
//!
//! ONNX Runtime's CUDA provider runs them one after another, the first of them through cuDNN's batch
//! normalisation, in f32 whatever the network is stored in, and channels first only. In f16 that
//! is half of a window's time on an H200 (`benches/against_pytorch_gpu.md`). [`kernel.cu`] reads the
//! tensor twice and writes it once, in the type and layout that the convolutions around it have.
//!
//! The operation exists inside a session only: [`rewritten`] puts it into a copy of the graph when
//! the graph is opened, and an artefact stays standard ONNX.
//!
//! [`kernel.cu`]: norm/kernel.cu

mod launch;
mod rewrite;

use std::fmt::Display;

use ::ort::{
    operator::{
        ComputeContext, Kernel, KernelContext, Operator, OperatorDomain, OperatorInput,
        OperatorOutput, ShapeInferenceContext,
    },
    value::{DynTensor, DynTensorValueType, TensorElementType},
};

use self::launch::{Extents, NormKernels, Tensors};
pub(super) use self::rewrite::rewritten;
use crate::engine::gpu::Gpu;

/// Name of the operation's domain.
const DOMAIN: &str = "uniseg";
/// Name of the operation.
const NAME: &str = "InstanceNormLeakyRelu";
/// Numbers: epsilon of the norm, the slope below zero, and 1 where the channels come last.
const EPSILON: &str = "epsilon";
const ALPHA: &str = "alpha";
const CHANNELS_LAST: &str = "channels_last";

/// The kernels for all types, compiled for their GPU by its driver.
const PTX: &str = include_str!("norm/kernel.ptx");

/// The operation on a GPU, for a session that is opened there.
pub(super) fn domain(gpu: &Gpu) -> ::ort::Result<OperatorDomain> {
    let loaded = gpu.load(PTX).map_err(error)?;
    let mut domain = OperatorDomain::new(DOMAIN)?;
    for (element, suffix) in [
        (TensorElementType::Float32, "f32"),
        (TensorElementType::Float16, "f16"),
        (TensorElementType::Bfloat16, "bf16"),
    ] {
        domain = domain.add(NormActivation {
            element,
            kernels: NormKernels::of(gpu, &loaded, suffix).map_err(error)?,
        })?;
    }
    Ok(domain)
}

fn error(error: impl Display) -> ::ort::Error {
    ::ort::Error::new(error.to_string())
}

/// The operation for one type of element: (tensor, scale, bias) to a tensor like the first. Scale and
/// bias are f32, one number for each channel.
struct NormActivation {
    element: TensorElementType,
    kernels: NormKernels,
}

impl Operator for NormActivation {
    type Kernel<'a> = NormKernel;

    fn name(&self) -> &str {
        NAME
    }

    fn execution_provider_type(&self) -> Option<&str> {
        Some("CUDAExecutionProvider")
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        let float = || OperatorInput::required(TensorElementType::Float32);
        [OperatorInput::required(self.element), float(), float()]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(self.element)]
    }

    fn create_kernel<'a>(&self, context: &KernelContext<'a>) -> ::ort::Result<NormKernel> {
        Ok(NormKernel {
            kernels: self.kernels.clone(),
            numbers: Numbers::of(context)?,
        })
    }

    fn infer_shape(&self, context: &mut ShapeInferenceContext) -> ::ort::Result<()> {
        match context.inputs().first() {
            Some(tensor) => context.set_output(0, tensor),
            None => Ok(()),
        }
    }
}

/// The attributes of a node.
#[derive(Clone, Copy)]
struct Numbers {
    epsilon: f32,
    alpha: f32,
    channels_last: bool,
}

impl Numbers {
    fn of(context: &KernelContext<'_>) -> ::ort::Result<Numbers> {
        let missing = |name: &str| error(format_args!("{NAME} has no attribute {name}"));
        let number = |name| context.get::<f32>(name).ok_or_else(|| missing(name));
        let last = context.get::<i64>(CHANNELS_LAST);
        Ok(Numbers {
            epsilon: number(EPSILON)?,
            alpha: number(ALPHA)?,
            channels_last: last.ok_or_else(|| missing(CHANNELS_LAST))? != 0,
        })
    }
}

/// One node of a graph.
struct NormKernel {
    kernels: NormKernels,
    numbers: Numbers,
}

impl Kernel for NormKernel {
    fn compute(&mut self, context: &ComputeContext) -> ::ort::Result<()> {
        let input = |place| -> ::ort::Result<_> {
            let missing = || error(format_args!("{NAME} has no input {place}"));
            let value = context.input(place)?.ok_or_else(missing)?;
            value.downcast::<DynTensorValueType>()
        };
        let (tensor, scale, bias) = (input(0)?, input(1)?, input(2)?);
        let Numbers {
            epsilon,
            alpha,
            channels_last,
        } = self.numbers;
        let shape: Vec<i64> = tensor.shape().to_vec();
        let extents = Extents::of(&shape, channels_last).map_err(error)?;
        for factors in [&scale, &bias] {
            if factors.shape().iter().product::<i64>() != i64::from(extents.channels) {
                return Err(error(format_args!(
                    "{NAME} of {} channels has {:?} factors",
                    extents.channels,
                    factors.shape()
                )));
            }
        }
        let missing = || error(format_args!("{NAME} has no output"));
        let output = context
            .output(0, shape)?
            .ok_or_else(missing)?
            .downcast::<DynTensorValueType>()?;
        let address = |value: &DynTensor| value.data_ptr().addr() as u64;
        let tensors = Tensors {
            input: address(&tensor),
            output: address(&output),
            scale: address(&scale),
            bias: address(&bias),
        };
        let stream = context.stream()?;
        #[expect(unsafe_code, reason = "addresses are all that a kernel takes")]
        // SAFETY: ONNX Runtime computes this operation on the session's GPU, in the session's one
        // stream, and keeps its tensors until then; types are those it was registered for, and
        // extents were checked above.
        let launched = unsafe {
            self.kernels
                .launch(extents, tensors, epsilon, alpha, stream)
        };
        launched.map_err(error)
    }
}

#[cfg(test)]
mod tests;
