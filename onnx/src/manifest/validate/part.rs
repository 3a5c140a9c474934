//! What an encoder hands to its decoder.

use std::collections::HashSet;

use super::{Findings, MAX_ELEMENTS, ManifestFault};
use crate::manifest::Part;

impl Findings {
    pub(super) fn part(&mut self, part: &Part) {
        if !part.is_whole() {
            let place = "network.part.features";
            self.at_least(format!("number of {place}"), part.features().len(), 1);
        }
        let mut names = HashSet::new();
        for (index, feature) in part.features().iter().enumerate() {
            let place = format!("network.part.features[{index}]");
            self.text(format!("{place}.name"), &feature.name);
            self.check(names.insert(&feature.name), || ManifestFault::SameName {
                place: format!("{place}.name"),
                name: feature.name.clone(),
            });
            self.check(feature.data_type().is_some(), || {
                ManifestFault::FeaturePrecision {
                    place: format!("{place}.precision"),
                    found: feature.precision.clone(),
                }
            });
            let elements = feature
                .shape
                .iter()
                .try_fold(1usize, |elements, &size| elements.checked_mul(size));
            let holds = elements.is_some_and(|elements| (1..=MAX_ELEMENTS).contains(&elements));
            self.check(holds, || ManifestFault::TooMany {
                place: format!("number of elements of {place}"),
                found: elements.unwrap_or(usize::MAX),
                most: MAX_ELEMENTS,
            });
        }
        if let Part::Decoder { encoder_sha256, .. } = part {
            self.digest("network.part.encoder_sha256", encoder_sha256);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::findings;
    use crate::{Feature, Part, sample};

    #[test]
    fn features_are_floats_of_three_kinds() {
        for (precision, said) in [
            ("f32", ""),
            ("f16", ""),
            ("bf16", ""),
            (
                "i8",
                "network.part.features[0].precision is \"i8\", it must be f32, f16 or bf16",
            ),
        ] {
            let mut manifest = sample::tiny_manifest();
            manifest.network.part = Part::Encoder {
                features: vec![Feature {
                    name: "deep".to_owned(),
                    shape: vec![2, 3],
                    precision: precision.to_owned(),
                }],
            };
            let found: Vec<String> = findings(&manifest)
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(found.join("\n"), said);
        }
    }
}
