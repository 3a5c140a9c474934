//! What this machine is: the processor and what it can do, memory, GPUs.

use std::{fs, num::NonZeroUsize, thread};

use serde::Serialize;

/// What this machine is, as far as the system tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// What the processor can do that decides about speed: `avx2`, `avx512f`, ...
    pub features: Vec<String>,
    /// Memory in bytes: all of it, and what is free.
    pub memory_bytes: Option<[u64; 2]>,
    /// Names of the NVIDIA GPUs whose driver is loaded.
    pub gpus: Vec<String>,
}

impl Machine {
    /// This machine.
    pub fn this() -> Machine {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = field(&cpuinfo, "model name").unwrap_or(std::env::consts::ARCH);
        Machine {
            cpu: cpu.to_owned(),
            cores: thread::available_parallelism().map_or(1, NonZeroUsize::get),
            features: features(&cpuinfo),
            memory_bytes: memory(),
            gpus: gpus(),
        }
    }

    /// Whether bf16 is computed by the processor itself; if not, it is emulated or not used, and
    /// not faster than f32.
    pub fn has_bf16(&self) -> bool {
        let named = |name: &&str| self.features.iter().any(|feature| feature == *name);
        ["avx512bf16", "amx_bf16", "bf16"].iter().any(named)
    }

    /// One line that tells machines apart on which the same choice may be right.
    pub fn id(&self) -> String {
        let mut id = format!("{}, {} cores", self.cpu, self.cores);
        if self.has_bf16() {
            id += ", bf16";
        }
        for gpu in &self.gpus {
            id += &format!(", {gpu}");
        }
        id
    }
}

/// The value after `name : ` in a text of the kernel's.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

/// What the processor says itself, and what only the kernel says: whether AMX may be used.
fn features(cpuinfo: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        let detected = [
            ("avx2", is_x86_feature_detected!("avx2")),
            ("fma", is_x86_feature_detected!("fma")),
            ("avx512f", is_x86_feature_detected!("avx512f")),
            ("avx512vnni", is_x86_feature_detected!("avx512vnni")),
            ("avx512bf16", is_x86_feature_detected!("avx512bf16")),
        ];
        let there = detected.into_iter().filter(|(_, there)| *there);
        found.extend(there.map(|(name, _)| name.to_owned()));
    }
    let flags = field(cpuinfo, "flags").or_else(|| field(cpuinfo, "Features"));
    let listed = [
        "amx_tile", "amx_bf16", "amx_int8", "asimd", "sve", "bf16", "i8mm",
    ];
    for flag in flags.unwrap_or_default().split_whitespace() {
        if listed.contains(&flag) {
            found.push(flag.to_owned());
        }
    }
    found
}

fn memory() -> Option<[u64; 2]> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let bytes = |name: &str| {
        let kilobytes: u64 = field(&text, name)?.split(' ').next()?.parse().ok()?;
        kilobytes.checked_mul(1024)
    };
    Some([bytes("MemTotal")?, bytes("MemAvailable")?])
}

/// The driver lists each GPU in a folder of its own.
fn gpus() -> Vec<String> {
    let Ok(entries) = fs::read_dir("/proc/driver/nvidia/gpus") else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let text = fs::read_to_string(entry.path().join("information")).ok()?;
            Some((entry.file_name(), field(&text, "Model")?.to_owned()))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, model)| model).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_texts_are_read() {
        let text = "processor\t: 0\nmodel name\t: A CPU @ 2 GHz\nflags\t\t: fpu amx_bf16 x\n";
        assert_eq!(field(text, "model name"), Some("A CPU @ 2 GHz"));
        assert!(features(text).contains(&"amx_bf16".to_owned()));
        assert!(!features("").contains(&"amx_bf16".to_owned()));
    }

    #[test]
    fn another_gpu_or_core_count_is_another_machine() {
        let machine = Machine::this();
        assert!(machine.cores >= 1 && !machine.cpu.is_empty());
        let mut other = machine.clone();
        other.gpus.push("A GPU".to_owned());
        assert_ne!(machine.id(), other.id());
        let mut other = machine.clone();
        other.cores += 1;
        assert_ne!(machine.id(), other.id());
        // A guest may be told less of one processor than of another of the same name.
        let mut other = machine.clone();
        match machine.has_bf16() {
            true => other.features.clear(),
            false => other.features.push("amx_bf16".to_owned()),
        }
        assert_ne!(machine.id(), other.id());
        // What is free now says nothing about which machine it is.
        let mut other = machine.clone();
        other.memory_bytes = None;
        assert_eq!(machine.id(), other.id());
    }
}
