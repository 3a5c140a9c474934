//! How a network is trained: everything that is neither its shape nor its data.
//!
//! ```toml
//! epochs = 1000                 # every key may be left out: the defaults are the paper's
//! iterations_per_epoch = 550
//! seed = 1234
//!
//! [optimizer.sgd]               # or [optimizer.adamw]
//! momentum = 0.99
//!
//! [rate.poly]                   # or [rate.one_cycle]
//! initial = 0.01
//!
//! [augmentation]
//! ```

use std::path::Path;

use burn::optim::ModuleOptimizer;
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::augment::Augmentation;
use crate::data::from_toml;
use crate::loss::DiceOver;
use crate::optim::{AdamW, MAX_GRADIENT_NORM, Sgd};
use crate::schedule::Rate;

/// The settings of a training run; [`Default`] is the paper's recipe.
///
/// Source: uniseg recipe, sections 3 to 5.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainSettings {
    /// Seed of weights, task order, patches and augmentation.
    pub seed: u64,
    /// Epochs of the run.
    pub epochs: u32,
    /// Steps of an epoch: 50 for each of the paper's eleven tasks.
    pub iterations_per_epoch: u32,
    /// How weights descend.
    pub optimizer: OptimizerRule,
    /// The learning rate over time.
    pub rate: Rate,
    /// Norm of all gradients together beyond which they are shortened.
    pub max_gradient_norm: f64,
    /// Over which voxels Dice is taken.
    pub dice: DiceOver,
    /// Share of a batch's patches that are centred on a foreground voxel.
    pub foreground_share: f64,
    /// Instead of a batch of one task: the same patches, each under another task that has the same
    /// image. Tasks whose images no other task has get ordinary batches.
    ///
    /// Not the paper's. Where a small network has few steps to learn what its prompt is for, seeing
    /// one image with two answers is what teaches it.
    pub paired_tasks: bool,
    /// Batches that the network is judged on after every epoch; 0 judges nothing.
    pub validation_batches: u32,
    /// Epochs between two checkpoints; there is always one at the end.
    pub checkpoint_epochs: u32,
    /// Epochs without a better validation after which the run ends; never, if absent.
    pub patience_epochs: Option<u32>,
    /// What is done to patches.
    pub augmentation: Augmentation,
}

/// An optimiser and its constants.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerRule {
    /// SGD with Nesterov momentum, as the paper has it.
    Sgd(Sgd),
    /// Adam with decoupled weight decay, for short runs.
    #[serde(rename = "adamw")]
    AdamW(AdamW),
}

impl Default for OptimizerRule {
    fn default() -> Self {
        Self::Sgd(Sgd::default())
    }
}

impl OptimizerRule {
    /// An optimiser without state.
    pub fn init(&self) -> ModuleOptimizer {
        match self {
            Self::Sgd(sgd) => sgd.init(),
            Self::AdamW(adamw) => adamw.init(),
        }
    }
}

impl Default for TrainSettings {
    fn default() -> Self {
        Self {
            seed: 1234,
            epochs: 1000,
            iterations_per_epoch: 550,
            optimizer: OptimizerRule::default(),
            rate: Rate::default(),
            max_gradient_norm: MAX_GRADIENT_NORM,
            dice: DiceOver::Sample,
            foreground_share: 0.33,
            paired_tasks: false,
            validation_batches: 50,
            checkpoint_epochs: 1,
            patience_epochs: None,
            augmentation: Augmentation::default(),
        }
    }
}

impl TrainSettings {
    /// The paper's transfer learning: 100 epochs of 250 steps (uniseg recipe, section 8).
    pub fn finetune() -> Self {
        Self {
            epochs: 100,
            iterations_per_epoch: 250,
            ..Self::default()
        }
    }

    /// A quick run for demonstrations and smoke tests: AdamW with a one-cycle rate, paired tasks, no
    /// augmentation. Never the paper's recipe.
    pub fn quick(epochs: u32, iterations_per_epoch: u32) -> Self {
        Self {
            epochs,
            iterations_per_epoch,
            optimizer: OptimizerRule::AdamW(AdamW::default()),
            rate: Rate::one_cycle(3e-3),
            paired_tasks: true,
            validation_batches: 8,
            augmentation: Augmentation::none(),
            ..Self::default()
        }
    }

    /// Reads a settings file over these settings' values: what it leaves out stays.
    ///
    /// Errors: [`TrainError::Io`], [`DataError::Toml`](crate::data::DataError::Toml) and unknown keys (through
    /// [`TrainError::Data`]), and those of [`Self::check`].
    pub fn read_over(&self, path: &Path) -> Result<Self, TrainError> {
        let text = std::fs::read_to_string(path).map_err(TrainError::io("read", path))?;
        // Once for the words about unknown keys, once for what the file does say.
        let parsed: Self = from_toml(&text, path, "settings file")?;
        let said: toml::Table = from_toml(&text, path, "settings file")?;
        let unmergeable = |source| TrainError::Json {
            what: "settings file",
            path: path.to_path_buf(),
            source,
        };
        let mut merged = serde_json::to_value(self).map_err(unmergeable)?;
        let parsed = serde_json::to_value(parsed).map_err(unmergeable)?;
        for key in said.keys() {
            merged[key.as_str()] = parsed[key.as_str()].clone();
        }
        let settings: Self = serde_json::from_value(merged).map_err(unmergeable)?;
        settings.check()?;
        Ok(settings)
    }

    /// Steps of the whole run.
    pub fn iterations(&self) -> u64 {
        u64::from(self.epochs) * u64::from(self.iterations_per_epoch)
    }

    /// Checks what numbers alone can get wrong.
    ///
    /// Errors: [`TrainError::InvalidSetting`].
    pub fn check(&self) -> Result<(), TrainError> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let rules = [
            (
                "epochs",
                self.epochs.to_string(),
                self.epochs > 0,
                "at least 1 is needed",
            ),
            (
                "iterations_per_epoch",
                self.iterations_per_epoch.to_string(),
                self.iterations_per_epoch > 0,
                "at least 1 is needed",
            ),
            (
                "checkpoint_epochs",
                self.checkpoint_epochs.to_string(),
                self.checkpoint_epochs > 0,
                "at least 1 is needed",
            ),
            (
                "foreground_share",
                self.foreground_share.to_string(),
                share(self.foreground_share),
                "it is a share, 0 to 1",
            ),
            (
                "max_gradient_norm",
                self.max_gradient_norm.to_string(),
                positive(self.max_gradient_norm),
                "it must be above 0",
            ),
            (
                "rate",
                format!("{:?}", self.rate),
                self.rate.is_sane(),
                "rates are above 0, shares 0 to 1",
            ),
        ];
        for (field, found, holds, expected) in rules {
            if !holds {
                return Err(TrainError::InvalidSetting {
                    field: field.into(),
                    found,
                    expected: expected.into(),
                });
            }
        }
        self.augmentation.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<TrainSettings, TrainError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train.toml");
        std::fs::write(&path, text).unwrap();
        TrainSettings::quick(3, 7).read_over(&path)
    }

    #[test]
    fn the_defaults_are_the_papers() {
        let paper = TrainSettings::default();
        paper.check().unwrap();
        assert_eq!(paper.iterations(), 550_000);
        assert_eq!(TrainSettings::finetune().iterations(), 25_000);
        assert_eq!(paper.optimizer, OptimizerRule::Sgd(Sgd::default()));
        assert_eq!(
            paper.rate,
            Rate::Poly {
                initial: 0.01,
                exponent: 0.9
            }
        );
    }

    #[test]
    fn a_file_changes_what_it_names_and_nothing_else() {
        let settings = read("epochs = 5\n[rate.poly]\ninitial = 0.02\n").unwrap();
        let expected = TrainSettings {
            epochs: 5,
            rate: Rate::Poly {
                initial: 0.02,
                exponent: 0.9,
            },
            ..TrainSettings::quick(3, 7)
        };
        assert_eq!(settings, expected);
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(
            serde_json::from_str::<TrainSettings>(&text).unwrap(),
            settings
        );
    }

    #[test]
    fn mistakes_are_named() {
        for (text, parts) in [
            (
                "epochz = 5",
                ["unknown key 'epochz'", "did you mean 'epochs'?"],
            ),
            (
                "seed = 1\n[optimizer.sgd]\nmomentun = 1",
                ["line 3", "did you mean 'momentum'?"],
            ),
            ("epochs = 0", ["epochs is 0", "at least 1"]),
            (
                "foreground_share = 1.5",
                ["foreground_share is 1.5", "share"],
            ),
            ("epochs = \"many\"", ["settings file", "train.toml"]),
        ] {
            let error = read(text).unwrap_err().to_string();
            for part in parts {
                assert!(error.contains(part), "{text}: {error} should say {part}");
            }
        }
    }
}
