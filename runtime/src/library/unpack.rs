//! Taking the native libraries and their licences out of a wheel.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::Path,
};

use zip::{ZipArchive, result::ZipError};

use super::{InstallStep, LibraryError};

/// Most bytes that a wheel's libraries take; CUDA's are the largest with some 300 million.
const MAX_BYTES: u64 = 2 << 30;
/// Folder of the libraries in a wheel.
const LIBRARIES: &str = "onnxruntime/capi/";
/// Texts that must go with them.
const TEXTS: [&str; 2] = ["onnxruntime/LICENSE", "onnxruntime/ThirdPartyNotices.txt"];

/// Unpacks what belongs to the library into `folder`, and returns the size of each file.
///
/// A member is written under its bare name, and only if that is the plain name of a library
/// directly in the wheel's library folder or one of the licences: nothing can leave `folder`.
pub(super) fn unpack(
    path: &Path,
    wheel: &str,
    folder: &Path,
    progress: &mut dyn FnMut(InstallStep<'_>),
) -> Result<BTreeMap<String, u64>, LibraryError> {
    let failed = |source: ZipError| LibraryError::Unpack {
        wheel: wheel.to_owned(),
        source,
    };
    let file = File::open(path).map_err(LibraryError::cache("read", path))?;
    let mut archive = ZipArchive::new(io::BufReader::new(file)).map_err(failed)?;
    let mut sizes = BTreeMap::new();
    let mut left = MAX_BYTES;
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).map_err(failed)?;
        let name = member.name().map_err(failed)?;
        let Some(name) = wanted(&name).map(str::to_owned) else {
            continue;
        };
        if !member.is_file() {
            continue;
        }
        progress(InstallStep::Unpacking {
            file: &name,
            bytes: member.size(),
        });
        let target = folder.join(&name);
        let mut output =
            File::create_new(&target).map_err(LibraryError::cache("create", &target))?;
        // What the member says about its size is not what it is bounded by.
        let size = io::copy(&mut (&mut member).take(left + 1), &mut output)
            .map_err(LibraryError::cache("write", &target))?;
        output
            .sync_all()
            .map_err(LibraryError::cache("write", &target))?;
        left = left
            .checked_sub(size)
            .ok_or_else(|| LibraryError::TooLarge {
                wheel: wheel.to_owned(),
                limit: MAX_BYTES,
            })?;
        sizes.insert(name, size);
    }
    Ok(sizes)
}

/// The bare name under which a member is unpacked, if it is.
fn wanted(member: &str) -> Option<&str> {
    if TEXTS.contains(&member) {
        return member.rsplit('/').next();
    }
    let name = member.strip_prefix(LIBRARIES)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    // The modules that only Python loads are called `onnxruntime_pybind11_state...`.
    let library = (name.starts_with("lib") && (name.contains(".so") || name.ends_with(".dylib")))
        || (name.ends_with(".dll"));
    (library && name.chars().all(plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_of_libraries_and_licences_are_wanted() {
        for (member, name) in [
            (
                "onnxruntime/capi/libonnxruntime.so.1.32.0",
                "libonnxruntime.so.1.32.0",
            ),
            (
                "onnxruntime/capi/libonnxruntime.1.32.0.dylib",
                "libonnxruntime.1.32.0.dylib",
            ),
            ("onnxruntime/capi/onnxruntime.dll", "onnxruntime.dll"),
            ("onnxruntime/capi/libtbb.so.12", "libtbb.so.12"),
            ("onnxruntime/LICENSE", "LICENSE"),
        ] {
            assert_eq!(wanted(member), Some(name));
        }
        for member in [
            "onnxruntime/capi/onnxruntime_pybind11_state.cpython-312-x86_64-linux-gnu.so",
            "onnxruntime/capi/sub/libx.so",
            "onnxruntime/capi/../libx.so",
            "onnxruntime/capi/lib\\..\\x.so",
            "onnxruntime/capi/lib.so/",
            "other/libx.so",
            "onnxruntime/capi/",
            "",
        ] {
            assert_eq!(wanted(member), None, "{member}");
        }
    }
}
