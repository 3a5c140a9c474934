//! The libraries that a provider of ONNX Runtime brings in from the folder it lies in.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::probe::{Problem, problem_of};

/// The first damaged library that the provider called `name` would load from beside `library`, and
/// what is wrong with it. ONNX Runtime would load it unseen, see [`super::elf`].
pub(crate) fn damaged_part(library: &Path, name: &str) -> Option<(PathBuf, Problem)> {
    let entries = fs::read_dir(library.parent()?).ok()?;
    let mut parts: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| is_part(&entry.file_name().to_string_lossy(), name))
        .map(|entry| entry.path())
        .collect();
    parts.sort();
    parts.into_iter().find_map(|path| {
        // What cannot be read is the loader's to complain of; what is no library at all may be a
        // linker's script that is not loaded.
        let problem = problem_of(&path, None).ok().flatten()?;
        let cut = matches!(problem, Problem::CutShort { .. } | Problem::BadHeader);
        let ours = path
            .file_name()?
            .to_string_lossy()
            .starts_with("libonnxruntime");
        (cut || ours).then_some((path, problem))
    })
}

/// Whether a file belongs to the provider by its name: what it needs, and what it loads by itself.
/// CUDA's own libraries lie elsewhere.
fn is_part(file: &str, provider: &str) -> bool {
    let Some((stem, _)) = file.split_once(".so") else {
        return false;
    };
    let of_openvino = stem.starts_with("libopenvino") || stem.starts_with("libtbb");
    match stem.strip_prefix("libonnxruntime_providers_") {
        Some(name) => name == "shared" || name == provider,
        None => provider == "openvino" && of_openvino,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::library::elf;

    #[test]
    fn what_is_damaged_beside_a_provider_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let library = path("libonnxruntime.so.1.32.0");
        for name in [
            "libonnxruntime_providers_shared.so",
            "libonnxruntime_providers_openvino.so",
            "libopenvino_intel_cpu_plugin.so",
            "libtbb.so.12",
        ] {
            fs::write(path(name), elf::shortest()).unwrap();
        }
        // Others are none of its business.
        fs::write(path("libonnxruntime_providers_cuda.so"), "no library").unwrap();
        fs::write(path("libother.so"), "no library").unwrap();
        fs::write(path("libtbb.txt"), "no library").unwrap();
        assert_eq!(damaged_part(&library, "openvino"), None);
        let cuda = damaged_part(&library, "cuda");
        let expected = path("libonnxruntime_providers_cuda.so");
        assert_eq!(cuda, Some((expected, Problem::NotALibrary)));
        fs::write(path("libtbb.so.12"), &elf::shortest()[..80]).unwrap();
        let cut = Problem::CutShort {
            needed: 120,
            found: 80,
        };
        assert_eq!(
            damaged_part(&library, "openvino"),
            Some((path("libtbb.so.12"), cut))
        );
        assert_eq!(damaged_part(Path::new("/no/such/lib.so"), "cuda"), None);
    }
}
