//! The reference outputs, which are not part of this repository.

use std::io::Write;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use serde::de::DeserializeOwned;
use uniseg_imaging::ndarray::ArrayD;

/// The folder of golden files.
#[derive(Clone)]
pub struct Golden(PathBuf);

/// The golden files; says so and returns nothing where they are absent.
pub fn golden(test: &str) -> Option<Golden> {
    let folder = match std::env::var_os("UNISEG_GOLDEN") {
        Some(folder) => {
            let folder = PathBuf::from(folder);
            assert!(
                folder.is_dir(),
                "UNISEG_GOLDEN is no folder: {}",
                folder.display()
            );
            folder
        }
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/golden"),
    };
    if folder.is_dir() {
        return Some(Golden(folder));
    }
    // Not `eprintln`, which the test harness swallows where a test passes.
    let _ = writeln!(std::io::stderr(), "SKIPPED (golden files absent): {test}");
    None
}

impl Golden {
    /// A file or folder below.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A JSON file.
    pub fn json<T: DeserializeOwned>(&self, name: &str) -> T {
        serde_json::from_slice(&self.bytes(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A safetensors file.
    pub fn tensors(&self, name: &str) -> Tensors {
        Tensors(self.bytes(name))
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

/// The bytes of a safetensors file.
pub struct Tensors(Vec<u8>);

impl Tensors {
    /// Whether there is a tensor called `name`.
    pub fn has(&self, name: &str) -> bool {
        self.file().tensor(name).is_ok()
    }

    /// The tensor called `name`, widened to f32.
    #[track_caller]
    pub fn get(&self, name: &str) -> ArrayD<f32> {
        let file = self.file();
        let tensor = file
            .tensor(name)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let values: Vec<f32> = match tensor.dtype() {
            Dtype::F32 => {
                let (values, _) = tensor.data().as_chunks::<4>();
                values
                    .iter()
                    .map(|bytes| f32::from_le_bytes(*bytes))
                    .collect()
            }
            Dtype::F16 => {
                let (values, _) = tensor.data().as_chunks::<2>();
                values
                    .iter()
                    .map(|bytes| half_to_f32(u16::from_le_bytes(*bytes)))
                    .collect()
            }
            Dtype::U8 => tensor.data().iter().copied().map(f32::from).collect(),
            other => panic!("{name} is {other:?}"),
        };
        ArrayD::from_shape_vec(tensor.shape(), values).expect("a tensor of its own shape")
    }

    fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.0).expect("a safetensors file")
    }
}

/// IEEE 754 binary16, finite values.
fn half_to_f32(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from((bits >> 10) & 0x1f);
    let fraction = f32::from(bits & 0x3ff);
    match exponent {
        0 => sign * fraction * 2_f32.powi(-24),
        _ => sign * (1024.0 + fraction) * 2_f32.powi(exponent - 25),
    }
}
