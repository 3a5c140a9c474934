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
