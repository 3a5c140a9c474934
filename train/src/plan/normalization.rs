use serde::{Deserialize, Deserializer, Serializer};
use uniseg_imaging::{Normalization, ZScoreScope};

use crate::TrainError;

/// Reads a rule as plan files write it: `none`, `zscore`, `zscore_nonzero` or
/// `clip_LOWER_UPPER_to_0_1`.
pub fn normalization_from_name(name: &str) -> Result<Normalization, TrainError> {
    let unknown = || TrainError::UnknownNormalization {
        found: name.to_owned(),
    };
    match name {
        "none" => Ok(Normalization::None),
        "zscore" => Ok(Normalization::ZScore {
            scope: ZScoreScope::WholeImage,
        }),
        "zscore_nonzero" => Ok(Normalization::ZScore {
            scope: ZScoreScope::NonZero,
        }),
        _ => {
            let bounds = name
                .strip_prefix("clip_")
                .and_then(|rest| rest.strip_suffix("_to_0_1"))
                .and_then(|bounds| bounds.split_once('_'))
                .ok_or_else(unknown)?;
            let lower: f64 = bounds.0.parse().map_err(|_| unknown())?;
            let upper: f64 = bounds.1.parse().map_err(|_| unknown())?;
            if !(lower.is_finite() && upper.is_finite() && lower < upper) {
                return Err(unknown());
            }
            Ok(Normalization::ClipRescale { lower, upper })
        }
    }
}

/// Writes a rule as plan files do; the inverse of [`normalization_from_name`].
pub fn normalization_to_name(rule: &Normalization) -> String {
    match rule {
        Normalization::None => "none".into(),
        Normalization::ZScore {
            scope: ZScoreScope::WholeImage,
        } => "zscore".into(),
        Normalization::ZScore {
            scope: ZScoreScope::NonZero,
        } => "zscore_nonzero".into(),
        Normalization::ClipRescale { lower, upper } => format!("clip_{lower}_{upper}_to_0_1"),
    }
}

pub(super) fn serialize<S: Serializer>(
    rules: &[Normalization],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rules.iter().map(normalization_to_name))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Normalization>, D::Error> {
    Vec::<String>::deserialize(deserializer)?
        .iter()
        .map(|name| normalization_from_name(name).map_err(serde::de::Error::custom))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in ["none", "zscore", "zscore_nonzero", "clip_-325_325_to_0_1"] {
            assert_eq!(
                normalization_to_name(&normalization_from_name(name).unwrap()),
                name
            );
        }
        for name in [
            "clip_3_2_to_0_1",
            "clip_a_b_to_0_1",
            "minmax",
            "clip_nan_1_to_0_1",
        ] {
            assert!(normalization_from_name(name).is_err(), "{name}");
        }
    }
}
