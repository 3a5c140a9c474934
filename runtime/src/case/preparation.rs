//! From a task of the manifest to the recipe that `uniseg-imaging` runs.

use uniseg_imaging::{
    Normalization as ImagingNormalization, Recipe, SpacingMm, ZScoreScope as ImagingScope,
};
use uniseg_onnx::{Normalization, Task, ZScoreScope};

use crate::RuntimeError;

/// What decides the preprocessing of a task; tasks with equal ones share it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Preparation {
    spacing_zyx_mm: [f64; 3],
    normalizations: Vec<Normalization>,
}

impl Preparation {
    /// That of `task`.
    pub(super) fn of(task: &Task) -> Preparation {
        Preparation {
            spacing_zyx_mm: task.spacing_zyx_mm,
            normalizations: task
                .channels
                .iter()
                .map(|channel| channel.normalization)
                .collect(),
        }
    }

    /// The manifest's plain data as `uniseg-imaging`'s types; `task` is for the message.
    ///
    /// Errors: [`RuntimeError::BadRecipe`] for a spacing that is none.
    pub(super) fn recipe(&self, task: &str) -> Result<Recipe, RuntimeError> {
        let spacing =
            SpacingMm::from_zyx(self.spacing_zyx_mm).map_err(|source| RuntimeError::BadRecipe {
                task: task.to_owned(),
                source,
            })?;
        let normalizations = self.normalizations.iter().map(normalization).collect();
        Ok(Recipe {
            spacing,
            normalizations,
        })
    }
}

fn normalization(plain: &Normalization) -> ImagingNormalization {
    match *plain {
        Normalization::None => ImagingNormalization::None,
        Normalization::ClipRescale { lower, upper } => {
            ImagingNormalization::ClipRescale { lower, upper }
        }
        Normalization::ZScore { scope } => ImagingNormalization::ZScore {
            scope: zscore_scope(scope),
        },
    }
}

fn zscore_scope(plain: ZScoreScope) -> ImagingScope {
    match plain {
        ZScoreScope::Image => ImagingScope::WholeImage,
        ZScoreScope::Nonzero => ImagingScope::NonZero,
    }
}
