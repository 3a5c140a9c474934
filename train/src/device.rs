//! Where training computes: devices by the names that people type.
//!
//! | name | what | cargo feature |
//! |---|---|---|
//! | `cpu` | burn-flex, all cores | none, always there |
//! | `cpu:N` | N replicas on the CPU, slower than one: to try data parallelism without a GPU | none |
//! | `cuda`, `cuda:I` | one NVIDIA GPU, the first or the one numbered I, through burn-cuda | `cuda` |
//! | `cuda:I,J` | several of them, [data parallel](crate::parallel) | `cuda` |
//! | `libtorch`, `libtorch:cpu` | the CPU through PyTorch's library | `libtorch` |
//! | `libtorch:I` | the GPU numbered I through PyTorch's library | `libtorch` |
//!
//! `cuda` builds without a CUDA toolkit: the driver and the compiler library are looked for when a
//! device is first used. burn's own compiler for it fetches a prebuilt LLVM when it is built. `libtorch` needs the C++ library of PyTorch 2.9.0 at build time (`LIBTORCH`
//! names its folder, or `LIBTORCH_USE_PYTORCH=1` takes that of the Python environment) and on the
//! loader's path at run time; burn has deprecated that back end and may drop it.

use std::fmt;
use std::str::FromStr;

use burn::prelude::*;
use burn::tensor::FloatDType;

use crate::precision::Precision;

/// Most replicas that `cpu:N` may ask for: each holds a batch's activations.
const MAX_CPU_REPLICAS: usize = 16;

/// One device, or several of a kind.
///
/// # Example
///
/// ```
/// use uniseg_train::device::DeviceSpec;
///
/// let spec: DeviceSpec = "cpu".parse()?;
/// let devices = spec.open()?;
/// assert_eq!(devices.len(), 1);
/// # Ok::<(), uniseg_train::device::DeviceError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceSpec {
    /// The CPU through burn-flex.
    Cpu {
        /// Replicas of the network, at least one.
        replicas: usize,
    },
    /// NVIDIA GPUs through burn-cuda.
    Cuda {
        /// Their numbers, all different, at least one. Weights and optimiser live on the first.
        indices: Vec<usize>,
    },
    /// PyTorch's library through burn-tch.
    LibTorch {
        /// Number of the GPU; none is the CPU.
        index: Option<usize>,
    },
}

/// Why a device cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DeviceError {
    /// No device has that name.
    #[error("unknown device '{found}' (known: {})", DeviceSpec::KNOWN)]
    Unknown {
        /// The name as typed.
        found: String,
    },
    /// The name is known, but its back end was left out of this program.
    #[error(
        "device '{device}' needs the cargo feature '{feature}', which this program was built \
         without: build it with `--features {feature}`, or use `cpu`"
    )]
    NotBuilt {
        /// The device.
        device: DeviceSpec,
        /// The feature, of this crate and of the root package alike.
        feature: &'static str,
    },
    /// The machine has no such device.
    #[error("device '{device}' is not there: {} on this machine", count(found))]
    Absent {
        /// The device.
        device: DeviceSpec,
        /// How many of its kind there are.
        found: usize,
    },
    /// The device cannot compute in the precision asked for.
    #[error("device '{device}' cannot compute in {precision}: use f32")]
    NoPrecision {
        /// The device.
        device: DeviceSpec,
        /// What was asked for.
        precision: Precision,
    },
    /// A training step ended in a panic on one or more of several devices.
    #[error("the training step failed: {reason}")]
    Step {
        /// What each of the devices said.
        reason: String,
    },
}

fn count(found: &usize) -> String {
    match found {
        0 => "there is no GPU with a working driver".into(),
        1 => "there is one GPU, number 0,".into(),
        found => format!("there are GPUs 0 to {}", found - 1),
    }
}

impl DeviceSpec {
    /// The forms of a name, for a help text; those of back ends that were left out are among them.
    pub const KNOWN: &str =
        "cpu, cpu:N, cuda, cuda:I, cuda:I,J, libtorch, libtorch:cpu, libtorch:I";

    /// Opens the devices, in the order they were named, without autodiff.
    ///
    /// Errors: [`DeviceError::NotBuilt`] and [`DeviceError::Absent`]. burn itself would panic at
    /// the first tensor.
    pub fn open(&self) -> Result<Vec<Device>, DeviceError> {
        self.check_built()?;
        match self {
            Self::Cpu { replicas } => Ok(vec![Device::flex(); *replicas]),
            Self::Cuda { indices } => self.open_cuda(indices),
            Self::LibTorch { index } => self.open_libtorch(*index),
        }
    }

    /// The precision of training on these devices: the one asked for if they have it, else bf16
    /// where it is fast and f32 elsewhere.
    ///
    /// The CPU can compute in bf16, but gains nothing: it converts to f32 and back.
    ///
    /// Errors: [`DeviceError::NoPrecision`].
    pub fn precision(
        &self,
        asked: Option<Precision>,
        devices: &[Device],
    ) -> Result<Precision, DeviceError> {
        let has_bf16 = devices
            .iter()
            .all(|device| device.supports_dtype(FloatDType::BF16));
        match asked {
            Some(precision @ Precision::Bf16) if !has_bf16 => Err(DeviceError::NoPrecision {
                device: self.clone(),
                precision,
            }),
            Some(precision) => Ok(precision),
            None if has_bf16 && matches!(self, Self::Cuda { .. }) => Ok(Precision::Bf16),
            None => Ok(Precision::F32),
        }
    }

    /// The devices in words, for a log.
    pub fn title(&self) -> String {
        match self {
            Self::Cpu { replicas: 1 } => "CPU (burn-flex)".into(),
            Self::Cpu { replicas } => format!("CPU (burn-flex), {replicas} replicas"),
            Self::Cuda { indices } => match indices.as_slice() {
                [index] => format!("CUDA GPU {index} (burn-cuda)"),
                indices => format!("CUDA GPUs {} (burn-cuda)", join(indices)),
            },
            Self::LibTorch { index: None } => "CPU (LibTorch)".into(),
            Self::LibTorch { index: Some(index) } => format!("CUDA GPU {index} (LibTorch)"),
        }
    }

    fn check_built(&self) -> Result<(), DeviceError> {
        let (feature, built) = match self {
            Self::Cpu { .. } => return Ok(()),
            Self::Cuda { .. } => ("cuda", cfg!(feature = "cuda")),
            Self::LibTorch { .. } => ("libtorch", cfg!(feature = "libtorch")),
        };
        match built {
            true => Ok(()),
            false => Err(DeviceError::NotBuilt {
                device: self.clone(),
                feature,
            }),
        }
    }

    #[cfg(feature = "cuda")]
    fn open_cuda(&self, indices: &[usize]) -> Result<Vec<Device>, DeviceError> {
        let found = Device::enumerate(burn::tensor::DeviceType::Cuda)
            .into_vec()
            .len();
        self.check_there(indices, found)?;
        Ok(indices.iter().map(|&index| Device::cuda(index)).collect())
    }

    #[cfg(not(feature = "cuda"))]
    fn open_cuda(&self, _: &[usize]) -> Result<Vec<Device>, DeviceError> {
        unreachable!("checked before: this program was built without cuda")
    }

    // burn has deprecated the whole back end, constructors included.
    #[cfg(feature = "libtorch")]
    #[allow(deprecated)]
    fn open_libtorch(&self, index: Option<usize>) -> Result<Vec<Device>, DeviceError> {
        let Some(index) = index else {
            return Ok(vec![Device::libtorch()]);
        };
        let found = Device::enumerate(burn::tensor::DeviceType::LibTorch)
            .into_vec()
            .len();
        self.check_there(&[index], found)?;
        Ok(vec![Device::libtorch_cuda(index)])
    }

    #[cfg(not(feature = "libtorch"))]
    fn open_libtorch(&self, _: Option<usize>) -> Result<Vec<Device>, DeviceError> {
        unreachable!("checked before: this program was built without libtorch")
    }

    #[cfg(any(feature = "cuda", feature = "libtorch"))]
    fn check_there(&self, indices: &[usize], found: usize) -> Result<(), DeviceError> {
        match indices.iter().all(|&index| index < found) {
            true => Ok(()),
            false => Err(DeviceError::Absent {
                device: self.clone(),
                found,
            }),
        }
    }
}

/// Reads a name as it is typed; [`DeviceError::NotBuilt`] if the program lacks its back end.
impl FromStr for DeviceSpec {
    type Err = DeviceError;

    fn from_str(name: &str) -> Result<Self, DeviceError> {
        let spec = parse(name).ok_or_else(|| DeviceError::Unknown { found: name.into() })?;
        spec.check_built()?;
        Ok(spec)
    }
}

/// The name that is read back as the same devices.
impl fmt::Display for DeviceSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Cpu { replicas: 1 } => "cpu".into(),
            Self::Cpu { replicas } => format!("cpu:{replicas}"),
            Self::Cuda { indices } => format!("cuda:{}", join(indices)),
            Self::LibTorch { index: None } => "libtorch:cpu".into(),
            Self::LibTorch { index: Some(index) } => format!("libtorch:{index}"),
        };
        formatter.pad(&name)
    }
}

fn parse(name: &str) -> Option<DeviceSpec> {
    let (kind, which) = match name.split_once(':') {
        Some((kind, which)) => (kind, Some(which)),
        None => (name, None),
    };
    match (kind, which) {
        ("cpu", None) => Some(DeviceSpec::Cpu { replicas: 1 }),
        ("cpu", Some(which)) => {
            let replicas = number(which)?;
            let allowed = 1..=MAX_CPU_REPLICAS;
            allowed
                .contains(&replicas)
                .then_some(DeviceSpec::Cpu { replicas })
        }
        ("cuda", None) => Some(DeviceSpec::Cuda { indices: vec![0] }),
        ("cuda", Some(which)) => {
            let indices: Vec<usize> = which.split(',').map(number).collect::<Option<_>>()?;
            let all_differ = (1..indices.len()).all(|at| !indices[..at].contains(&indices[at]));
            all_differ.then_some(DeviceSpec::Cuda { indices })
        }
        ("libtorch", None | Some("cpu")) => Some(DeviceSpec::LibTorch { index: None }),
        ("libtorch", Some(which)) => Some(DeviceSpec::LibTorch {
            index: Some(number(which)?),
        }),
        _ => None,
    }
}

/// Digits only: no sign, no space.
fn number(digits: &str) -> Option<usize> {
    let only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| digits.parse().ok())?
}

fn join(indices: &[usize]) -> String {
    indices
        .iter()
        .map(usize::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuda(indices: &[usize]) -> DeviceSpec {
        DeviceSpec::Cuda {
            indices: indices.into(),
        }
    }

    #[test]
    fn names_are_read_and_written() {
        for (name, spec, written) in [
            ("cpu", DeviceSpec::Cpu { replicas: 1 }, "cpu"),
            ("cpu:2", DeviceSpec::Cpu { replicas: 2 }, "cpu:2"),
            ("cuda", cuda(&[0]), "cuda:0"),
            ("cuda:1", cuda(&[1]), "cuda:1"),
            ("cuda:1,0", cuda(&[1, 0]), "cuda:1,0"),
            (
                "libtorch",
                DeviceSpec::LibTorch { index: None },
                "libtorch:cpu",
            ),
            (
                "libtorch:3",
                DeviceSpec::LibTorch { index: Some(3) },
                "libtorch:3",
            ),
        ] {
            assert_eq!(parse(name).as_ref(), Some(&spec), "{name}");
            assert_eq!(spec.to_string(), written);
            assert_eq!(parse(written), Some(spec));
        }
    }

    #[test]
    fn other_names_are_refused_with_the_known_ones() {
        for name in [
            "",
            "gpu",
            "CPU",
            "cpu:",
            "cpu:0",
            "cpu:17",
            "cpu:two",
            "cuda:",
            "cuda:-1",
            "cuda:+1",
            "cuda:0,",
            "cuda:0,0",
            "cuda:99999999999999999999",
            "libtorch:0,1",
            "cpu:1:1",
        ] {
            let error = name.parse::<DeviceSpec>().unwrap_err().to_string();
            let expected = format!(
                "unknown device '{name}' (known: cpu, cpu:N, cuda, cuda:I, cuda:I,J, libtorch, \
                 libtorch:cpu, libtorch:I)"
            );
            assert_eq!(error, expected);
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_back_end_that_was_left_out_names_its_feature() {
        let error = "cuda:1".parse::<DeviceSpec>().unwrap_err().to_string();
        assert_eq!(
            error,
            "device 'cuda:1' needs the cargo feature 'cuda', which this program was built \
             without: build it with `--features cuda`, or use `cpu`"
        );
        assert!(cuda(&[0]).open().is_err());
    }

    #[test]
    fn an_absent_device_says_what_is_there() {
        for (found, text) in [
            (0, "there is no GPU with a working driver on this machine"),
            (1, "there is one GPU, number 0, on this machine"),
            (4, "there are GPUs 0 to 3 on this machine"),
        ] {
            let device = cuda(&[7]);
            let error = DeviceError::Absent { device, found }.to_string();
            assert_eq!(error, format!("device 'cuda:7' is not there: {text}"));
        }
    }

    #[test]
    fn the_cpu_trains_in_f32_unless_told_otherwise() {
        let spec: DeviceSpec = "cpu:2".parse().unwrap();
        let devices = spec.open().unwrap();
        assert_eq!(devices.len(), 2);
        assert_eq!(spec.precision(None, &devices), Ok(Precision::F32));
        let asked = Some(Precision::Bf16);
        assert_eq!(spec.precision(asked, &devices), Ok(Precision::Bf16));
    }
}
