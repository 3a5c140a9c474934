//! What a forward pass is computed on, and in which numbers, by the names that people type.
//!
//! | device | what | ONNX Runtime's provider | installed by |
//! |---|---|---|---|
//! | `auto` | the fastest that `uniseg tune` remembers, else what the library found is for | | |
//! | `cpu` | the processor | its own | `uniseg runtime install` |
//! | `openvino` | the processor, through OpenVINO | OpenVINO | `uniseg runtime install --openvino` |
//! | `cuda`, `cuda:I` | an NVIDIA GPU, the first or the one numbered I | CUDA | `uniseg runtime install --cuda` |
//! | `tensorrt`, `tensorrt:I` | the same through TensorRT | TensorRT | the same, and TensorRT itself |

use std::{fmt, str::FromStr};

use crate::Flavour;

/// What a forward pass is computed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Device {
    /// The fastest that is known to be right on this machine.
    #[default]
    Auto,
    /// The processor, by the engine itself.
    Cpu,
    /// The processor, through OpenVINO.
    OpenVino,
    /// The NVIDIA GPU with this number, through CUDA.
    Cuda(u32),
    /// The NVIDIA GPU with this number, through TensorRT.
    TensorRt(u32),
}

impl Device {
    /// What ONNX Runtime calls the provider for this device; none for [`Device::Auto`].
    pub fn provider(self) -> Option<&'static str> {
        match self {
            Self::Auto => None,
            Self::Cpu => Some("CPUExecutionProvider"),
            Self::OpenVino => Some("OpenVINOExecutionProvider"),
            Self::Cuda(_) => Some("CUDAExecutionProvider"),
            Self::TensorRt(_) => Some("TensorrtExecutionProvider"),
        }
    }

    /// The build of ONNX Runtime that has the provider; every build has the processor's.
    pub fn flavour(self) -> Flavour {
        match self {
            Self::Auto | Self::Cpu => Flavour::Cpu,
            Self::OpenVino => Flavour::OpenVino,
            Self::Cuda(_) | Self::TensorRt(_) => Flavour::Cuda,
        }
    }

    /// What a library of this flavour is best used for.
    pub fn of_flavour(flavour: Flavour) -> Self {
        match flavour {
            Flavour::OpenVino => Self::OpenVino,
            // That a library could use a GPU does not say that there is one.
            Flavour::Cpu | Flavour::Cuda => Self::Cpu,
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad("auto"),
            Self::Cpu => f.pad("cpu"),
            Self::OpenVino => f.pad("openvino"),
            Self::Cuda(0) => f.pad("cuda"),
            Self::TensorRt(0) => f.pad("tensorrt"),
            Self::Cuda(index) => f.pad(&format!("cuda:{index}")),
            Self::TensorRt(index) => f.pad(&format!("tensorrt:{index}")),
        }
    }
}

impl FromStr for Device {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let lower = text.trim().to_ascii_lowercase();
        let unknown = || UnknownName::new("device", text, &NAMES);
        let (name, index) = match lower.split_once(':') {
            Some((name, index)) => (name, Some(index.parse::<u32>().map_err(|_| unknown())?)),
            None => (lower.as_str(), None),
        };
        match (name, index) {
            ("auto", None) => Ok(Self::Auto),
            ("cpu", None) => Ok(Self::Cpu),
            ("openvino", None) => Ok(Self::OpenVino),
            ("cuda", index) => Ok(Self::Cuda(index.unwrap_or(0))),
            ("tensorrt", index) => Ok(Self::TensorRt(index.unwrap_or(0))),
            _ => Err(unknown()),
        }
    }
}

/// Names of the devices; a GPU's may be followed by its number.
const NAMES: [&str; 5] = ["auto", "cpu", "openvino", "cuda", "tensorrt"];

/// In which numbers convolutions are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// The artefact's own, or the fastest that `uniseg tune` found to be close enough.
    #[default]
    Auto,
    /// 32-bit floats.
    F32,
    /// 32-bit floats that CUDA's convolutions round to TensorFloat-32: the range of f32, ten bits of
    /// mantissa. PyTorch does so unless it is told not to.
    Tf32,
    /// bfloat16: the range of f32, eight bits of mantissa.
    Bf16,
    /// 16-bit floats.
    F16,
    /// 8-bit integers.
    Int8,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Auto => "auto",
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
            Self::Int8 => "int8",
        })
    }
}

impl FromStr for Precision {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let all = [
            Self::Auto,
            Self::F32,
            Self::Tf32,
            Self::Bf16,
            Self::F16,
            Self::Int8,
        ];
        let names = all.map(|precision| precision.to_string());
        let lower = text.trim().to_ascii_lowercase();
        all.into_iter()
            .find(|precision| precision.to_string() == lower)
            .ok_or_else(|| UnknownName::new("precision", text, &names))
    }
}

/// Which of cuDNN's convolutions ONNX Runtime takes on CUDA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ConvSearch {
    /// Asks cuDNN which it thinks is the fastest.
    #[default]
    Heuristic,
    /// Measures all of them when a shape is first seen, and takes the fastest. For a 3-D network on
    /// an H200 that was 5 % faster in TensorFloat-32, no faster in f32 and f16, and slow to start.
    Exhaustive,
    /// Takes cuDNN's default, whatever the shape.
    Default,
}

impl ConvSearch {
    /// All of them, the likely best first.
    pub const ALL: [Self; 3] = [Self::Heuristic, Self::Exhaustive, Self::Default];
}

impl fmt::Display for ConvSearch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Exhaustive => "exhaustive",
            Self::Heuristic => "heuristic",
            Self::Default => "default",
        })
    }
}

impl FromStr for ConvSearch {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let names = Self::ALL.map(|search| search.to_string());
        let lower = text.trim().to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|search| search.to_string() == lower)
            .ok_or_else(|| UnknownName::new("convolution search", text, &names))
    }
}

/// Written and read by the name that people type.
macro_rules! by_name {
    ($($kind:ty),*) => { $(
        impl serde::Serialize for $kind {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $kind {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let name = <String as serde::Deserialize>::deserialize(from)?;
                name.parse().map_err(serde::de::Error::custom)
            }
        }
    )* };
}

by_name!(Device, Precision, ConvSearch);

/// A name that means nothing here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} \"{found}\"{}; there are {known}", nearest.as_ref().map_or(String::new(), |name| format!(", did you mean \"{name}\"?")))]
pub struct UnknownName {
    /// What the name should have been of.
    pub what: &'static str,
    /// The name as typed.
    pub found: String,
    /// The name that is nearest to it, if one is near.
    pub nearest: Option<String>,
    /// All names.
    pub known: String,
}

impl UnknownName {
    fn new(what: &'static str, found: &str, names: &[impl AsRef<str>]) -> Self {
        let typed = found.trim().to_ascii_lowercase();
        let name = typed.split(':').next().unwrap_or_default();
        let near = names
            .iter()
            .map(AsRef::as_ref)
            .map(|known| (strsim::osa_distance(name, known), known))
            .min()
            // More than two slips, or nothing left of the name, is another word. A name that is
            // right is not what is wrong.
            .filter(|(distance, known)| (1..=2).contains(distance) && known.len() > 2);
        Self {
            what,
            found: found.to_owned(),
            nearest: near.map(|(_, name)| name.to_owned()),
            known: names
                .iter()
                .map(AsRef::as_ref)
                .collect::<Vec<_>>()
                .join(", "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let devices = [
            Device::Auto,
            Device::Cpu,
            Device::OpenVino,
            Device::Cuda(0),
            Device::Cuda(3),
            Device::TensorRt(1),
        ];
        for device in devices {
            assert_eq!(device.to_string().parse(), Ok(device));
        }
        assert_eq!("CUDA:0".parse(), Ok(Device::Cuda(0)));
        for search in ConvSearch::ALL {
            assert_eq!(search.to_string().parse(), Ok(search));
        }
        assert_eq!("BF16".parse(), Ok(Precision::Bf16));
    }

    #[test]
    fn an_unknown_name_gets_the_nearest() {
        let said = |text: &str| text.parse::<Device>().unwrap_err().to_string();
        says(
            &said("opnvino"),
            "unknown device \"opnvino\", did you mean \"openvino\"?; there are auto, cpu, openvino, cuda, tensorrt",
        );
        says(
            &said("cdua:1"),
            "unknown device \"cdua:1\", did you mean \"cuda\"?; there are auto, cpu, openvino, cuda, tensorrt",
        );
        for strange in ["cpu:1", "cuda:x", "cuda:", "vulkan", ""] {
            assert!(
                said(strange).starts_with(&format!("unknown device \"{strange}\"; there are")),
                "{}",
                said(strange)
            );
        }
        let error = "fp16".parse::<Precision>().unwrap_err();
        assert_eq!(error.nearest.as_deref(), Some("f16"));
    }

    #[track_caller]
    fn says(found: &str, expected: &str) {
        assert_eq!(found, expected);
    }
}
