//! Official PyTorch checkpoint -> [`UniSeg`].
//!
//! The official code saves `{epoch, state_dict, optimizer_state_dict, ...}` with `torch.save`. The
//! pickle inside is read by burn-store's reader, which interprets the few opcodes that tensors
//! need and executes nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use burn::prelude::*;
use burn::store::{ApplyError, ModuleSnapshot, PytorchStore};

use crate::plan::{NetworkConfig, Variant};
use crate::{TrainError, UniSeg};

/// Reads the network of a plan out of an official checkpoint (`.model`, `.pth`).
///
/// Every tensor of the network must be there with its shape, and every tensor of the `state_dict`
/// must be used: anything else means that the plan is another network's. So is the plan of another
/// variant than UniSeg, and is refused before the file is read: the released code has no other.
pub fn official(
    path: &Path,
    config: &NetworkConfig,
    device: &Device,
) -> Result<UniSeg, TrainError> {
    if config.variant != Variant::Uniseg {
        return Err(TrainError::WeightsDoNotFit {
            path: path.to_path_buf(),
            findings: vec![format!(
                "official checkpoints hold the variant '{}', the plan's is '{}'",
                Variant::Uniseg,
                config.variant
            )],
        });
    }
    std::fs::File::open(path).map_err(TrainError::io("read", path))?;
    let not_a_checkpoint = |reason: String| TrainError::NotACheckpoint {
        path: path.to_path_buf(),
        reason,
    };

    let mut model = UniSeg::new(config, device);
    let mut store = PytorchStore::from_file(path)
        .with_top_level_key("state_dict")
        .map_indices_contiguous(false)
        .validate(false)
        .allow_partial(true);
    for (from, to) in names(config) {
        store = store.with_key_remapping(from, to);
    }
    // The file is not ours: a malformed one must end as an error even where the reader panics.
    let result = catch_unwind(AssertUnwindSafe(|| model.load_from(&mut store)))
        .map_err(|_| not_a_checkpoint("its content is malformed".into()))?
        .map_err(|error| not_a_checkpoint(error.to_string()))?;

    let findings: Vec<String> = result
        .errors
        .iter()
        .map(describe)
        .chain(
            result
                .missing
                .iter()
                .map(|(name, _)| format!("'{name}' is missing")),
        )
        .chain(
            result
                .unused
                .iter()
                .map(|name| format!("'{name}' has no place in the network")),
        )
        .collect();
    if !findings.is_empty() {
        return Err(TrainError::WeightsDoNotFit {
            path: path.to_path_buf(),
            findings,
        });
    }
    Ok(model)
}

fn describe(error: &ApplyError) -> String {
    match error {
        ApplyError::ShapeMismatch {
            path,
            expected,
            found,
        } => {
            let (expected, found) = (expected.to_vec(), found.to_vec());
            format!("'{path}' has shape {found:?}, the plan's has {expected:?}")
        }
        other => other.to_string(),
    }
}

/// Name patterns of the official state dict (uniseg spec, section 7) and what they are here.
fn names(config: &NetworkConfig) -> Vec<(String, String)> {
    let mut names = vec![
        (r"^intermedia_prompt$".into(), "prompt.universal".into()),
        (
            r"^fusion_layer\.blocks\.(\d+)\.".into(),
            "prompt.fuse.$1.".into(),
        ),
    ];
    for (index, channels) in config.input_channel_variants.iter().enumerate() {
        names.push((
            format!(r"^conv_blocks_context\.0\.blocks\.0\.conv_{channels}\."),
            format!("encoder.stem.convs.{index}."),
        ));
    }
    let fixed = [
        (
            r"^conv_blocks_context\.0\.blocks\.0\.instnorm\.",
            "encoder.stem.instnorm.",
        ),
        // The stem is the first block of stage 0.
        (
            r"^conv_blocks_context\.0\.blocks\.1\.",
            "encoder.stages.0.blocks.0.",
        ),
        // The bottleneck is a sequence of one-block stages.
        (
            r"^conv_blocks_context\.(\d+)\.(\d+)\.blocks\.0\.",
            "encoder.stages.$1.blocks.$2.",
        ),
        (
            r"^conv_blocks_context\.(\d+)\.blocks\.(\d+)\.",
            "encoder.stages.$1.blocks.$2.",
        ),
        (r"^tu\.(\d+)\.", "decoder.levels.$1.up."),
        (
            r"^conv_blocks_localization\.(\d+)\.(\d+)\.blocks\.0\.",
            "decoder.levels.$1.blocks.$2.",
        ),
        (r"^seg_outputs\.(\d+)\.", "decoder.levels.$1.head."),
        // burn-store renames the parameters of other norms by itself, but not InstanceNorm's.
        (r"\.instnorm\.weight$", ".norm.gamma"),
        (r"\.instnorm\.bias$", ".norm.beta"),
    ];
    names.extend(fixed.map(|(from, to)| (from.to_owned(), to.to_owned())));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::paper;

    #[test]
    fn other_variants_are_refused_by_name() {
        for variant in Variant::ALL
            .into_iter()
            .filter(|variant| *variant != Variant::Uniseg)
        {
            let config = NetworkConfig {
                variant,
                ..paper().network
            };
            let error = official(Path::new("nowhere.model"), &config, &Device::flex()).unwrap_err();
            assert!(
                matches!(error, TrainError::WeightsDoNotFit { .. }),
                "{error}"
            );
            assert!(error.to_string().contains(variant.key()), "{error}");
        }
    }
}
