//! ONNX Runtime's execution providers: which options each of them is handed.
//!
//! One provider a file, each a function from a [`Request`] to keys and values in the provider's own
//! spelling. Nothing here names the `ort` crate, so that what a GPU would be told can be tested on
//! a machine that has none.

mod cuda;
mod openvino;
mod tensorrt;

use std::path::PathBuf;

use crate::{Device, Precision, RuntimeError, device::ConvSearch};

/// Keys and values for a provider.
pub(super) type Options = Vec<(&'static str, String)>;

/// How NVIDIA's GPUs are used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CudaOptions {
    /// Which of cuDNN's convolutions; what `uniseg tune` remembers, else what cuDNN thinks fastest.
    pub conv_search: Option<ConvSearch>,
    /// Whether the launches of a run are recorded in a CUDA graph and replayed, by CUDA or by
    /// TensorRT; what `uniseg tune` remembers, else not. Inputs and outputs lie at fixed addresses
    /// on the GPU for it. The whole network must run there, or opening it fails, and it runs on
    /// inputs of one shape only: more windows, or fewer, than in the first run are an error.
    pub graph: Option<bool>,
    /// Whether CUDA normalises with an operation of our own instead of ONNX Runtime's, and convolves
    /// with channels last where that is on tensor cores; what `uniseg tune` remembers, else not. One
    /// that was asked for is used, or it is an error; a remembered one that does not open any more
    /// is left, with a note.
    pub own_norm: Option<bool>,
    /// Whether soft-max and sums of overlapping windows are made on the GPU, and only planes that are
    /// done cross to the host; else a thread of the host makes them beside the GPU.
    pub device_sums: bool,
    /// Whether the arena grows by what is asked for, instead of doubling: less memory, slower to
    /// grow.
    pub tight_arena: bool,
    /// Folder of TensorRT's compiled engines, in which each file and precision gets its own; one in
    /// the user's cache if absent.
    pub engine_cache: Option<PathBuf>,
}

impl CudaOptions {
    /// What was asked for and means nothing on `device`, by the names of the command line.
    pub(super) fn unused_on(&self, device: Device) -> Vec<&'static str> {
        let cuda = matches!(device, Device::Cuda(_));
        let gpu = cuda || matches!(device, Device::TensorRt(_));
        [
            ("--conv-search", self.conv_search.is_some() && !gpu),
            ("--cuda-graph", self.graph == Some(true) && !gpu),
            ("--device-sums", self.device_sums && !gpu),
            ("--own-norm", self.own_norm == Some(true) && !cuda),
        ]
        .into_iter()
        .filter(|(_, unused)| *unused)
        .map(|(name, _)| name)
        .collect()
    }
}

/// One session that is to be opened.
#[derive(Debug, Clone)]
pub(super) struct Request<'a> {
    pub(super) device: Device,
    pub(super) precision: Precision,
    pub(super) threads: usize,
    pub(super) cuda: &'a CudaOptions,
}

impl Request<'_> {
    /// Whether CUDA normalises with an operation of our own.
    pub(super) fn own_norm(&self) -> bool {
        self.cuda.own_norm == Some(true)
    }

    /// Whether CUDA's convolutions work with channels last: where they are on tensor cores, which do
    /// not compute in f32, and the norms between them can take it. On an H200 the convolutions of a
    /// window take 9.6 instead of 14.2 ms in TensorFloat-32, but 51 instead of 47 in f32.
    pub(super) fn channels_last(&self) -> bool {
        self.own_norm() && self.precision != Precision::F32
    }

    /// Whether runs are recorded in a CUDA graph and replayed.
    pub(super) fn graph(&self) -> bool {
        self.cuda.graph == Some(true)
    }
}

/// A provider and its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Provider {
    OpenVino(Options),
    Cuda(Options),
    TensorRt(Options),
}

/// The providers to register, in order; none for the processor, whose provider is always last.
pub(super) fn providers(request: &Request<'_>) -> Vec<Provider> {
    match request.device {
        Device::Auto | Device::Cpu => Vec::new(),
        Device::OpenVino => vec![Provider::OpenVino(openvino::options(request))],
        Device::Cuda(index) => vec![Provider::Cuda(cuda::options(request, index))],
        // What TensorRT does not take goes to CUDA, not to the processor.
        Device::TensorRt(index) => {
            // A run is recorded by one of the two.
            let unrecorded = CudaOptions {
                graph: Some(false),
                ..request.cuda.clone()
            };
            let rest = Request {
                cuda: &unrecorded,
                ..*request
            };
            vec![
                Provider::TensorRt(tensorrt::options(request, index)),
                Provider::Cuda(cuda::options(&rest, index)),
            ]
        }
    }
}

/// The precision to compute in on `device`, for an artefact whose weights are `stored`.
///
/// Errors: [`RuntimeError::NoPrecision`] if the two together cannot, with what can.
pub(super) fn precision(
    device: Device,
    asked: Precision,
    stored: Precision,
) -> Result<Precision, RuntimeError> {
    let forbidden = std::env::var_os(TF32_OVERRIDE).is_some_and(|value| value == "0");
    precision_where(device, asked, stored, forbidden)
}

/// NVIDIA's own variable, for a whole process: 0 forbids TensorFloat-32 in every library.
const TF32_OVERRIDE: &str = "NVIDIA_TF32_OVERRIDE";

/// The same where NVIDIA's libraries are `forbidden` to compute f32 in TensorFloat-32. ONNX Runtime
/// gives TensorRT no option of its own for that: it takes TensorFloat-32 for f32 unless forbidden.
fn precision_where(
    device: Device,
    asked: Precision,
    stored: Precision,
    forbidden: bool,
) -> Result<Precision, RuntimeError> {
    let on_tensorrt = matches!(device, Device::TensorRt(_)) && stored == Precision::F32;
    if on_tensorrt && asked == Precision::Auto && !forbidden {
        return Ok(Precision::Tf32);
    }
    let f32_on_tensorrt = on_tensorrt && asked == Precision::F32 && !forbidden;
    if (asked == Precision::Auto || asked == stored) && !f32_on_tensorrt {
        return Ok(stored);
    }
    let reason = match (asked, device, stored) {
        (Precision::F32, Device::TensorRt(_), Precision::F32) => format!(
            "it computes f32 in TensorFloat-32 unless {TF32_OVERRIDE}=0 stands in the environment: \
             set that, or ask for tf32"
        ),
        (Precision::Tf32, Device::TensorRt(_), Precision::F32) if forbidden => {
            format!("{TF32_OVERRIDE}=0 stands in the environment")
        }
        (Precision::Tf32, Device::TensorRt(_), Precision::F32) => return Ok(asked),
        // These convert f32 weights themselves; OpenVINO also what int8 leaves in f32.
        (Precision::Bf16, Device::OpenVino, Precision::F32 | Precision::Int8)
        | (Precision::Bf16 | Precision::F16, Device::TensorRt(_), Precision::F32) => {
            return Ok(asked);
        }
        (Precision::Tf32, Device::Cuda(_), Precision::F32) => return Ok(asked),
        (Precision::Tf32, _, Precision::F32) => {
            "TensorFloat-32 is what --device cuda and tensorrt can make of it".to_owned()
        }
        (Precision::Tf32, _, stored) => {
            format!("TensorFloat-32 is for f32 weights, and the artefact's are {stored}")
        }
        (Precision::Bf16, Device::Cpu | Device::Auto, Precision::F32) => {
            "it computes f32 weights in f32; bf16 needs --device openvino".to_owned()
        }
        (asked, _, stored) => format!(
            "the artefact's weights are {stored}, and {asked} needs an artefact whose weights are \
             {asked}"
        ),
    };
    Err(RuntimeError::NoPrecision {
        device,
        precision: asked,
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_precision_that_device_and_artefact_cannot_give_is_an_error_that_says_what_can() {
        let said = |device, asked, stored| {
            precision(device, asked, stored)
                .map_err(|error| error.to_string())
                .map(|precision| precision.to_string())
        };
        assert_eq!(
            said(Device::OpenVino, Precision::Bf16, Precision::F32).as_deref(),
            Ok("bf16")
        );
        assert_eq!(
            said(Device::Cuda(0), Precision::Auto, Precision::Bf16).as_deref(),
            Ok("bf16")
        );
        assert_eq!(
            said(Device::Cpu, Precision::Bf16, Precision::F32).unwrap_err(),
            "the device cpu cannot compute this artefact in bf16: it computes f32 weights in f32; \
             bf16 needs --device openvino"
        );
        assert_eq!(
            said(Device::OpenVino, Precision::Int8, Precision::F32).unwrap_err(),
            "the device openvino cannot compute this artefact in int8: the artefact's weights are \
             f32, and int8 needs an artefact whose weights are int8"
        );
        assert!(said(Device::Cuda(0), Precision::Bf16, Precision::F32).is_err());
        let tf32 = |device, stored| said(device, Precision::Tf32, stored);
        assert_eq!(tf32(Device::Cuda(0), Precision::F32).as_deref(), Ok("tf32"));
        assert_eq!(
            tf32(Device::OpenVino, Precision::F32).unwrap_err(),
            "the device openvino cannot compute this artefact in tf32: TensorFloat-32 is what \
             --device cuda and tensorrt can make of it"
        );
        assert!(tf32(Device::Cuda(0), Precision::F16).is_err());
        // TensorRT rounds to TensorFloat-32 unless the environment forbids it, and that is said.
        let tensorrt = |asked, forbidden| {
            precision_where(Device::TensorRt(0), asked, Precision::F32, forbidden)
                .map_err(|error| error.to_string())
                .map(|precision| precision.to_string())
        };
        assert_eq!(tensorrt(Precision::Auto, false).as_deref(), Ok("tf32"));
        assert_eq!(tensorrt(Precision::Tf32, false).as_deref(), Ok("tf32"));
        assert_eq!(tensorrt(Precision::Auto, true).as_deref(), Ok("f32"));
        assert_eq!(tensorrt(Precision::F32, true).as_deref(), Ok("f32"));
        assert_eq!(tensorrt(Precision::F16, false).as_deref(), Ok("f16"));
        let refused = tensorrt(Precision::F32, false).unwrap_err();
        assert!(refused.contains("NVIDIA_TF32_OVERRIDE=0"), "{refused}");
        assert!(tensorrt(Precision::Tf32, true).is_err());
        // Bytes stay bytes; the rest is computed in bf16.
        assert_eq!(
            said(Device::OpenVino, Precision::Bf16, Precision::Int8).as_deref(),
            Ok("bf16")
        );
    }

    #[test]
    fn tensorrt_leaves_the_rest_to_cuda() {
        let cuda = CudaOptions {
            graph: Some(true),
            ..CudaOptions::default()
        };
        let request = Request {
            device: Device::TensorRt(2),
            precision: Precision::F32,
            threads: 1,
            cuda: &cuda,
        };
        let found = providers(&request);
        let [Provider::TensorRt(first), Provider::Cuda(second)] = &found[..] else {
            panic!("{found:?}");
        };
        assert!(first.contains(&("device_id", "2".to_owned())));
        assert!(second.contains(&("device_id", "2".to_owned())));
        assert!(first.contains(&("trt_cuda_graph_enable", "1".to_owned())));
        assert!(second.contains(&("enable_cuda_graph", "0".to_owned())));
    }
}
