//! All rules a manifest must keep. Every broken one is reported, not just the first.

mod part;

use std::collections::HashSet;

use super::{Channel, Manifest, Normalization, Task};

/// Most voxels times channels of a window; engines index with 32 bits.
const MAX_ELEMENTS: usize = i32::MAX as usize;
/// Most labels of a task: label maps have 16 bits.
const MAX_LABELS: usize = 1 << 16;

/// A rule that a manifest breaks. Places read as in the JSON.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ManifestFault {
    /// Versions start at 1.
    #[error("schema_version is 0")]
    VersionZero,
    /// A text that must say something.
    #[error("{place} is empty")]
    Empty {
        /// Which text.
        place: String,
    },
    /// A count that must be larger.
    #[error("{place} is {found}, at least {least} is needed")]
    TooFew {
        /// Which count.
        place: String,
        /// Its value.
        found: usize,
        /// Smallest value.
        least: usize,
    },
    /// A count that must be smaller.
    #[error("{place} is {found}, at most {most} is possible")]
    TooMany {
        /// Which count.
        place: String,
        /// Its value.
        found: usize,
        /// Largest value.
        most: usize,
    },
    /// A window too large for an engine.
    #[error("network.patch_zyx {patch:?} times {channels} channels is beyond 2^31 elements")]
    WindowTooLarge {
        /// The window.
        patch: [usize; 3],
        /// Channels of image or logits, whichever is more.
        channels: usize,
    },
    /// Numbers that features are not handed over in.
    #[error("{place} is {found:?}, it must be f32, f16 or bf16")]
    FeaturePrecision {
        /// Of which feature.
        place: String,
        /// What it says.
        found: String,
    },
    /// Two tasks share an id.
    #[error("two tasks have the id {id}")]
    SameId {
        /// The id.
        id: u32,
    },
    /// A name stands for two things.
    #[error("{place} {name:?} is used twice")]
    SameName {
        /// Where the second use is.
        place: String,
        /// The name.
        name: String,
    },
    /// A name that the command line or a file system would misread.
    #[error("{place} {name:?} {problem}")]
    BadName {
        /// Where it is.
        place: String,
        /// The name.
        name: String,
        /// What would be misread.
        problem: NameProblem,
    },
    /// Two channels of one task go to one slot.
    #[error("{place} uses slot {slot} twice")]
    SameSlot {
        /// Which task.
        place: String,
        /// The slot.
        slot: usize,
    },
    /// A slot the network does not have.
    #[error("{place} is {slot}, the network has {slots} slots")]
    SlotRange {
        /// Which slot.
        place: String,
        /// Its value.
        slot: usize,
        /// Number of slots.
        slots: usize,
    },
    /// A number outside its range.
    #[error("{place} is {found}, it must be {rule}")]
    Number {
        /// Which number.
        place: String,
        /// Its value.
        found: f64,
        /// Its range.
        rule: &'static str,
    },
    /// Clip bounds in the wrong order.
    #[error("{place} clips from {lower} to {upper}")]
    Clip {
        /// Which normalisation.
        place: String,
        /// Lower bound.
        lower: f64,
        /// Upper bound.
        upper: f64,
    },
    /// An axis listed twice.
    #[error("inference.mirror_axes lists an axis twice")]
    SameAxis,
    /// Not a SHA-256.
    #[error("{place} is not 64 lower-case hexadecimal digits")]
    Digest {
        /// Which digest.
        place: &'static str,
    },
    /// A path where only the name of a file may be.
    #[error("provenance.source {source_file:?} is a path, only a file name may be published")]
    SourcePath {
        /// The path.
        source_file: String,
    },
}

/// Why a name cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameProblem {
    /// It has slashes or control characters.
    #[error("has characters that cannot be in a file name")]
    Characters,
    /// It starts or ends with white space.
    #[error("starts or ends with white space")]
    Space,
    /// It is a number, and not the task's own.
    #[error("reads as the id of another task")]
    Number,
    /// The command line means every task by it.
    #[error("means every task")]
    Reserved,
}

pub(super) fn findings(manifest: &Manifest) -> Vec<ManifestFault> {
    let mut findings = Findings(Vec::new());
    if manifest.schema_version == 0 {
        findings.0.push(ManifestFault::VersionZero);
    }
    findings.network(manifest);
    findings.tasks(manifest);
    findings.inference(manifest);
    findings.provenance(manifest);
    findings.0
}

struct Findings(Vec<ManifestFault>);

impl Findings {
    fn check(&mut self, holds: bool, fault: impl FnOnce() -> ManifestFault) {
        if !holds {
            self.0.push(fault());
        }
    }

    fn text(&mut self, place: impl Into<String>, text: &str) {
        self.check(!text.trim().is_empty(), || ManifestFault::Empty {
            place: place.into(),
        });
    }

    fn at_least(&mut self, place: impl Into<String>, found: usize, least: usize) {
        let place = place.into();
        self.check(found >= least, || ManifestFault::TooFew {
            place,
            found,
            least,
        });
    }

    fn number(&mut self, place: String, found: f64, holds: bool, rule: &'static str) {
        self.check(holds, || ManifestFault::Number { place, found, rule });
    }

    fn digest(&mut self, place: &'static str, digest: &str) {
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let holds = digest.len() == 64 && digest.bytes().all(hex);
        self.check(holds, || ManifestFault::Digest { place });
    }

    fn network(&mut self, manifest: &Manifest) {
        let network = &manifest.network;
        self.text("network.name", &network.name);
        for (axis, &size) in network.patch_zyx.iter().enumerate() {
            self.at_least(format!("network.patch_zyx[{axis}]"), size, 1);
        }
        self.at_least("network.slots", network.slots, 1);
        self.at_least("network.classes", network.classes, 2);
        let channels = network.slots.max(network.classes);
        let elements = network
            .patch_zyx
            .iter()
            .try_fold(channels, |elements, &size| elements.checked_mul(size));
        self.check(
            elements.is_some_and(|elements| elements <= MAX_ELEMENTS),
            || ManifestFault::WindowTooLarge {
                patch: network.patch_zyx,
                channels,
            },
        );
        self.part(&network.part);
    }

    fn tasks(&mut self, manifest: &Manifest) {
        self.at_least("number of tasks", manifest.tasks.len(), 1);
        let mut ids = HashSet::new();
        let mut names = HashSet::new();
        let all_ids: HashSet<u32> = manifest.tasks.iter().map(|task| task.id).collect();
        for (index, task) in manifest.tasks.iter().enumerate() {
            let place = format!("tasks[{index}]");
            self.check(ids.insert(task.id), || ManifestFault::SameId {
                id: task.id,
            });
            for (position, name) in task.names().enumerate() {
                let place = match position {
                    0 => format!("{place}.name"),
                    _ => format!("{place}.aliases[{}]", position - 1),
                };
                self.text(&place, name);
                self.name(&place, name, task.id, &all_ids);
                self.check(names.insert(name.to_lowercase()), || {
                    ManifestFault::SameName {
                        place,
                        name: name.to_owned(),
                    }
                });
            }
            self.labels(&place, task, manifest.network.classes);
            self.channels(&place, task, manifest.network.slots);
            for (axis, &spacing) in task.spacing_zyx_mm.iter().enumerate() {
                let place = format!("{place}.spacing_zyx_mm[{axis}]");
                let holds = spacing.is_finite() && spacing > 0.0;
                self.number(place, spacing, holds, "finite and above 0");
            }
        }
    }

    fn name(&mut self, place: &str, name: &str, id: u32, ids: &HashSet<u32>) {
        let lower = name.to_lowercase();
        let forbidden = |c: char| c.is_control() || matches!(c, '/' | '\\');
        let problem = if name.chars().any(forbidden) || matches!(name, "." | "..") {
            NameProblem::Characters
        } else if name.trim() != name {
            NameProblem::Space
        } else if name
            .parse()
            .is_ok_and(|number| number != id && ids.contains(&number))
        {
            NameProblem::Number
        } else if lower == "all" || lower.starts_with("all:") {
            NameProblem::Reserved
        } else {
            return;
        };
        let (place, name) = (place.to_owned(), name.to_owned());
        self.0.push(ManifestFault::BadName {
            place,
            name,
            problem,
        });
    }

    fn labels(&mut self, place: &str, task: &Task, classes: usize) {
        let place = format!("{place}.labels");
        let found = task.labels.len();
        self.at_least(format!("number of {place}"), found, 2);
        let most = classes.min(MAX_LABELS);
        self.check(found <= most, || ManifestFault::TooMany {
            place: format!("number of {place}"),
            found,
            most,
        });
        let mut seen = HashSet::new();
        for (value, label) in task.labels.iter().enumerate() {
            let place = format!("{place}[{value}]");
            self.text(&place, label);
            self.check(seen.insert(label), || ManifestFault::SameName {
                place,
                name: label.clone(),
            });
        }
    }

    fn channels(&mut self, place: &str, task: &Task, slots: usize) {
        self.at_least(
            format!("number of {place}.channels"),
            task.channels.len(),
            1,
        );
        let mut used = HashSet::new();
        for (index, channel) in task.channels.iter().enumerate() {
            let Channel {
                modality,
                slot,
                normalization,
            } = channel;
            let at = format!("{place}.channels[{index}]");
            self.text(format!("{at}.modality"), modality);
            self.check(*slot < slots, || ManifestFault::SlotRange {
                place: format!("{at}.slot"),
                slot: *slot,
                slots,
            });
            self.check(used.insert(*slot), || ManifestFault::SameSlot {
                place: place.to_owned(),
                slot: *slot,
            });
            if let Normalization::ClipRescale { lower, upper } = *normalization {
                let holds = lower.is_finite() && upper.is_finite() && lower < upper;
                let place = format!("{at}.normalization");
                self.check(holds, || ManifestFault::Clip {
                    place,
                    lower,
                    upper,
                });
            }
        }
    }

    fn inference(&mut self, manifest: &Manifest) {
        let inference = &manifest.inference;
        let (step, sigma) = (inference.step, inference.gaussian_sigma);
        let holds = step > 0.0 && step <= 1.0;
        self.number(
            "inference.step".into(),
            step,
            holds,
            "above 0 and at most 1",
        );
        let holds = sigma.is_finite() && sigma > 0.0;
        self.number(
            "inference.gaussian_sigma".into(),
            sigma,
            holds,
            "finite and above 0",
        );
        let mut seen = HashSet::new();
        let unique = inference.mirror_axes.iter().all(|axis| seen.insert(axis));
        self.check(unique, || ManifestFault::SameAxis);
    }

    fn provenance(&mut self, manifest: &Manifest) {
        let provenance = &manifest.provenance;
        self.text("provenance.producer", &provenance.producer);
        if let Some(source) = &provenance.source {
            self.check(!source.contains(['/', '\\']), || {
                ManifestFault::SourcePath {
                    source_file: source.clone(),
                }
            });
        }
        if let Some(digest) = &provenance.source_sha256 {
            self.digest("provenance.source_sha256", digest);
        }
        self.digest("weights_sha256", &manifest.weights_sha256);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{manifest::Axis, sample};

    #[track_caller]
    fn broken(edit: impl FnOnce(&mut Manifest)) -> String {
        let mut manifest = sample::tiny_manifest();
        edit(&mut manifest);
        let findings: Vec<String> = findings(&manifest)
            .iter()
            .map(ToString::to_string)
            .collect();
        findings.join("\n")
    }

    #[test]
    fn the_sample_keeps_every_rule() {
        assert_eq!(broken(|_| ()), "");
    }

    #[test]
    fn each_rule_is_reported_at_its_place() {
        let cases: Vec<(&str, String)> = vec![
            ("version", broken(|m| m.schema_version = 0)),
            ("name", broken(|m| m.network.name.clear())),
            ("patch", broken(|m| m.network.patch_zyx[1] = 0)),
            ("huge patch", broken(|m| m.network.patch_zyx = [1 << 20; 3])),
            ("slots", broken(|m| m.network.slots = 0)),
            ("classes", broken(|m| m.network.classes = 1)),
            ("no tasks", broken(|m| m.tasks.clear())),
            ("same id", broken(|m| m.tasks[1].id = 0)),
            ("same name", broken(|m| m.tasks[1].name = "BLOB".into())),
            (
                "same alias",
                broken(|m| m.tasks[1].aliases = vec!["klecks".into()]),
            ),
            ("empty name", broken(|m| m.tasks[0].name = " ".into())),
            ("path", broken(|m| m.tasks[0].name = "../x".into())),
            ("control", broken(|m| m.tasks[0].name = "a\nb".into())),
            (
                "other id",
                broken(|m| m.tasks[0].aliases = vec!["1".into()]),
            ),
            ("reserved", broken(|m| m.tasks[0].name = "All".into())),
            ("one label", broken(|m| m.tasks[0].labels.truncate(1))),
            (
                "many labels",
                broken(|m| m.tasks[0].labels.extend(["b", "c"].map(String::from))),
            ),
            (
                "same label",
                broken(|m| m.tasks[1].labels[1] = "background".into()),
            ),
            ("no channels", broken(|m| m.tasks[0].channels.clear())),
            ("slot range", broken(|m| m.tasks[0].channels[0].slot = 7)),
            ("same slot", broken(|m| m.tasks[1].channels[1].slot = 0)),
            (
                "modality",
                broken(|m| m.tasks[0].channels[0].modality.clear()),
            ),
            (
                "clip",
                broken(|m| {
                    m.tasks[0].channels[0].normalization = Normalization::ClipRescale {
                        lower: 2.0,
                        upper: 2.0,
                    };
                }),
            ),
            (
                "spacing",
                broken(|m| m.tasks[0].spacing_zyx_mm = [0.0, f64::NAN, -1.0]),
            ),
            ("step", broken(|m| m.inference.step = 1.5)),
            ("sigma", broken(|m| m.inference.gaussian_sigma = 0.0)),
            (
                "axes",
                broken(|m| m.inference.mirror_axes = vec![Axis::Z, Axis::Z]),
            ),
            ("producer", broken(|m| m.provenance.producer.clear())),
            (
                "source",
                broken(|m| m.provenance.source = Some("/home/me/x.pth".into())),
            ),
            (
                "source digest",
                broken(|m| m.provenance.source_sha256 = Some("AB".into())),
            ),
            (
                "weights digest",
                broken(|m| m.weights_sha256 = "0".repeat(63)),
            ),
        ];
        let text: Vec<String> = cases
            .iter()
            .map(|(case, text)| format!("{case}: {}", text.replace('\n', " + ")))
            .collect();
        insta::assert_snapshot!(text.join("\n"));
    }
}
