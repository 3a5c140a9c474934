//! The wheels this program installs ONNX Runtime from, one row each.
//!
//! The libraries inside do not depend on the Python they are packed for, so one wheel serves every
//! Python. Each digest was computed from the wheel itself; a machine without a row is told so.

use super::Flavour;

/// Python that the pinned wheels are packed for, as pip spells it.
pub(super) const PYTHON_VERSION: &str = "3.12";
/// Its binary interface, as pip spells it.
pub(super) const PYTHON_ABI: &str = "cp312";

/// A wheel and where it fits.
#[derive(Clone, Debug)]
pub(super) struct Wheel {
    pub(super) flavour: Flavour,
    /// Name for pip.
    pub(super) package: &'static str,
    pub(super) version: &'static str,
    /// As in `std::env::consts`.
    pub(super) os: &'static str,
    pub(super) arch: &'static str,
    /// Platform, as pip spells it.
    pub(super) platform: &'static str,
    pub(super) sha256: &'static str,
    /// Size of the download, for those who wait.
    pub(super) megabytes: u32,
}

impl Wheel {
    /// The row for a build on this machine.
    pub(super) fn of(flavour: Flavour, os: &str, arch: &str) -> Option<&'static Self> {
        WHEELS
            .iter()
            .find(|row| row.flavour == flavour && row.os == os && row.arch == arch)
    }

    /// Name of the file.
    pub(super) fn file(&self) -> String {
        let package = self.package.replace('-', "_");
        format!(
            "{package}-{}-{PYTHON_ABI}-{PYTHON_ABI}-{}.whl",
            self.version, self.platform
        )
    }

    /// What pip is asked for.
    pub(super) fn requirement(&self) -> String {
        format!("{}=={}", self.package, self.version)
    }

    /// Name of its folder in the cache.
    pub(super) fn folder(&self) -> String {
        format!("{}-{}", self.package, self.version)
    }
}

/// What a package's library computes on, whatever its version; none if nothing is installed from it.
pub(super) fn flavour_of_package(package: &str) -> Option<Flavour> {
    let row = WHEELS.iter().find(|row| row.package == package)?;
    Some(row.flavour)
}

const WHEELS: &[Wheel] = &[
    Wheel {
        flavour: Flavour::Cpu,
        package: "onnxruntime",
        version: "1.32.0",
        os: "linux",
        arch: "x86_64",
        platform: "manylinux_2_28_x86_64",
        sha256: "99e1074c4b2197accd5073052a465361be17b89c093b8ffb6e6bd8f986c52df8",
        megabytes: 28,
    },
    Wheel {
        flavour: Flavour::Cpu,
        package: "onnxruntime",
        version: "1.32.0",
        os: "linux",
        arch: "aarch64",
        platform: "manylinux_2_28_aarch64",
        sha256: "e36c187006e7a7c8b8d6d57f1a209dd63f52430dca6c282b177718ad6b841054",
        megabytes: 23,
    },
    Wheel {
        flavour: Flavour::Cpu,
        package: "onnxruntime",
        version: "1.32.0",
        os: "macos",
        arch: "aarch64",
        platform: "macosx_14_0_arm64",
        sha256: "d52510bbbcc880c13b826f7d75cdf33ac5cf0bb864d960000fc29ce73f0cb83e",
        megabytes: 23,
    },
    Wheel {
        flavour: Flavour::Cpu,
        package: "onnxruntime",
        version: "1.32.0",
        os: "windows",
        arch: "x86_64",
        platform: "win_amd64",
        sha256: "efe7456952c243a05a53d5b8732953625144642c2f3989094277f6217f0c0c40",
        megabytes: 17,
    },
    Wheel {
        flavour: Flavour::Cuda,
        package: "onnxruntime-gpu",
        version: "1.31.1",
        os: "linux",
        arch: "x86_64",
        platform: "manylinux_2_28_x86_64",
        sha256: "05d548956197b9d01f59b625de740e0d6be3593f874e241a12dc0362650ecdf7",
        megabytes: 255,
    },
    Wheel {
        flavour: Flavour::OpenVino,
        package: "onnxruntime-openvino",
        version: "1.24.1",
        os: "linux",
        arch: "x86_64",
        platform: "manylinux_2_28_x86_64",
        sha256: "d617fac2f59a6ab5ea59a788c3e1592240a129642519aaeaa774761dfe35150e",
        megabytes: 84,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_those_of_the_index() {
        let cpu = Wheel::of(Flavour::Cpu, "linux", "x86_64").unwrap();
        assert_eq!(
            cpu.file(),
            "onnxruntime-1.32.0-cp312-cp312-manylinux_2_28_x86_64.whl"
        );
        let cuda = Wheel::of(Flavour::Cuda, "linux", "x86_64").unwrap();
        assert_eq!(
            cuda.file(),
            "onnxruntime_gpu-1.31.1-cp312-cp312-manylinux_2_28_x86_64.whl"
        );
        assert!(Wheel::of(Flavour::Cuda, "plan9", "x86_64").is_none());
    }

    #[test]
    fn every_row_is_whole_and_its_own() {
        for (index, row) in WHEELS.iter().enumerate() {
            let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
            assert!(
                row.sha256.len() == 64 && row.sha256.bytes().all(hex),
                "{}",
                row.file()
            );
            assert!(
                WHEELS[index + 1..]
                    .iter()
                    .all(|other| other.sha256 != row.sha256
                        && (other.flavour, other.os, other.arch)
                            != (row.flavour, row.os, row.arch))
            );
        }
    }
}
