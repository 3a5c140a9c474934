//! Where in its file a model's weights lie.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use uniseg_onnx::Artefact;

/// Smaller ones do not count: most are parameters that operations read as they are.
pub(crate) const LEAST_WEIGHT: usize = 64 << 10;

/// ONNX Runtime hands OpenVINO the place of weights instead of them only if they are more bytes than
/// this together (`MAX_EMBEDDED_INITIALIZER_SIZE` of its provider).
pub(crate) const LEAST_TOGETHER: u64 = 32 << 20;

/// A model's file, and where in it the bytes of each initializer lie, for engines that read weights
/// where they are.
///
/// The file may have changed since: whoever reads it compares.
#[derive(Debug)]
pub(crate) struct WeightsFile {
    path: PathBuf,
    /// By the names of the initializers.
    offsets: HashMap<String, u64>,
    /// Bytes of the large ones.
    large: u64,
}

impl WeightsFile {
    /// The weights of an artefact that was read from `path`.
    pub(crate) fn of(artefact: &Artefact, path: &Path) -> WeightsFile {
        let start = artefact.bytes().as_ptr() as usize;
        let mut file = WeightsFile {
            path: path.to_owned(),
            offsets: HashMap::new(),
            large: 0,
        };
        let graph = artefact.model().graph.iter();
        for weight in graph.flat_map(|graph| &graph.initializer) {
            // They share the memory of the file's bytes.
            let offset = (weight.raw_data.as_ptr() as usize).wrapping_sub(start);
            file.offsets.insert(weight.name.clone(), offset as u64);
            if weight.raw_data.len() >= LEAST_WEIGHT {
                file.large += weight.raw_data.len() as u64;
            }
        }
        file
    }

    /// Whether OpenVINO reads them in the file, as long as that does not change.
    pub(crate) fn stays(&self) -> bool {
        let named = self.path.to_str().is_some();
        cfg!(target_os = "linux") && named && self.large > LEAST_TOGETHER
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the bytes of this initializer began when the file was read.
    pub(crate) fn offset(&self, name: &str) -> Option<u64> {
        self.offsets.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::graphs::whole_artefact;

    #[test]
    fn weights_lie_where_it_says() {
        let artefact = whole_artefact();
        let file = WeightsFile::of(&artefact, Path::new("model.onnx"));
        let graph = artefact.model().graph.as_ref().unwrap();
        assert!(!graph.initializer.is_empty());
        for weight in &graph.initializer {
            let from = file.offset(&weight.name).unwrap() as usize;
            let to = from + weight.raw_data.len();
            assert_eq!(
                artefact.bytes()[from..to],
                weight.raw_data,
                "{}",
                weight.name
            );
        }
        assert_eq!(file.offset("no such weight"), None);
    }
}
