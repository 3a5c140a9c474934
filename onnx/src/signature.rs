//! The inputs and outputs an artefact's graph must have, given its manifest.
//!
//! ```text
//! image  f32 [batch, slots, D, H, W]     task  i64 [1]     ->     logits  f32 [batch, classes, D, H, W]
//! ```
//! `batch` is 1 or a name; D, H, W are the manifest's patch. Of a pair, the encoder makes features
//! of `image` and the decoder `logits` of features and `task`.

use crate::{
    construct::Dim,
    manifest::{Manifest, Part},
    proto::{DataType, GraphProto, ValueInfoProto},
};

/// Input: the window's images, f32 [batch, slots, D, H, W].
pub const IMAGE: &str = "image";
/// Input: the id of the task, i64 \[1\].
pub const TASK: &str = "task";
/// Output: a score for each class and voxel, f32 [batch, classes, D, H, W].
pub const LOGITS: &str = "logits";

/// Where the ends of a graph differ from what its manifest says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// The names are others.
    #[error("the {end} are {found:?}, they must be {expected:?}")]
    Names {
        /// Inputs or outputs.
        end: &'static str,
        /// Names found.
        found: Vec<String>,
        /// Names expected.
        expected: Vec<String>,
    },
    /// The type is another.
    #[error("{name:?} is {found}, it must be {expected}")]
    Type {
        /// The value.
        name: String,
        /// Its type, as in `f32 [1, 7, 64, 192, 192]`.
        found: String,
        /// The type it must have.
        expected: String,
    },
}

/// Everything in which the ends of `graph` differ from what `manifest` says.
pub(crate) fn findings(graph: &GraphProto, manifest: &Manifest) -> Vec<SignatureFault> {
    let network = &manifest.network;
    let [d, h, w] = network.patch_zyx;
    let mut findings = Vec::new();
    // Graphs of old files list their initialisers as inputs as well.
    let inputs: Vec<_> = graph
        .input
        .iter()
        .filter(|input| {
            !graph
                .initializer
                .iter()
                .any(|tensor| tensor.name == input.name)
        })
        .collect();
    let outputs: Vec<_> = graph.output.iter().collect();
    let first = inputs.iter().find(|input| input.name != TASK);
    let batch = first
        .and_then(|input| batch(input))
        .unwrap_or(Dim::Fixed(1));
    let window = |channels| vec![batch.clone(), fixed(channels), fixed(d), fixed(h), fixed(w)];
    let float = |name: &str, dims| (name.to_owned(), DataType::Float, dims);
    let image = float(IMAGE, window(network.slots));
    let task = (TASK.to_owned(), DataType::Int64, vec![fixed(1)]);
    let logits = float(LOGITS, window(network.classes));
    let features = || {
        let typed = |feature: &crate::Feature| {
            let sizes = feature.shape.iter().map(|&size| fixed(size));
            (
                feature.name.clone(),
                // A checked manifest has no other.
                feature.data_type().unwrap_or(DataType::Float),
                std::iter::once(batch.clone()).chain(sizes).collect(),
            )
        };
        network.part.features().iter().map(typed)
    };
    let (reads, makes): (Vec<_>, Vec<_>) = match &network.part {
        Part::Whole => (vec![image, task], vec![logits]),
        Part::Encoder { .. } => (vec![image], features().collect()),
        Part::Decoder { .. } => (features().chain([task]).collect(), vec![logits]),
    };
    for (end, values, expected) in [("inputs", &inputs, reads), ("outputs", &outputs, makes)] {
        let mut found: Vec<String> = values.iter().map(|value| value.name.clone()).collect();
        found.sort();
        let mut names: Vec<String> = expected.iter().map(|(name, ..)| name.clone()).collect();
        names.sort();
        if found != names {
            findings.push(SignatureFault::Names {
                end,
                found,
                expected: names,
            });
        }
        for (name, data_type, dims) in expected {
            let Some(value) = values.iter().find(|value| value.name == name) else {
                continue;
            };
            let expected = tensor_text(data_type, Some(&dims));
            if value.tensor_type() != Some((data_type, Some(dims))) {
                findings.push(SignatureFault::Type {
                    name,
                    found: type_text(value),
                    expected,
                });
            }
        }
    }
    findings
}

/// The type of a value as text, as in `f32 [1, 7, 64, 192, 192]`.
pub(crate) fn type_text(value: &ValueInfoProto) -> String {
    match value.tensor_type() {
        Some((data_type, dims)) => tensor_text(data_type, dims.as_deref()),
        None => "not a tensor".to_owned(),
    }
}

fn tensor_text(data_type: DataType, dims: Option<&[Dim]>) -> String {
    let name = data_type.short_name();
    match dims {
        Some(dims) => {
            let dims: Vec<String> = dims.iter().map(ToString::to_string).collect();
            format!("{name} [{}]", dims.join(", "))
        }
        None => format!("{name} of unknown rank"),
    }
}

/// The batch axis of the image, if it is one an artefact may have.
fn batch(image: &ValueInfoProto) -> Option<Dim> {
    let (_, dims) = image.tensor_type()?;
    dims?
        .into_iter()
        .next()
        .filter(|dim| matches!(dim, Dim::Fixed(1) | Dim::Named(_)))
}

fn fixed(size: usize) -> Dim {
    // A checked manifest has no size beyond 2^31.
    Dim::Fixed(i64::try_from(size).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn broken(edit: impl FnOnce(&mut GraphProto)) -> String {
        let mut graph = sample::tiny_model().graph.unwrap();
        edit(&mut graph);
        let findings = findings(&graph, &sample::tiny_manifest());
        findings
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn the_contract_is_accepted() {
        assert_eq!(broken(|_| ()), "");
        assert_eq!(broken(|graph| graph.input.reverse()), "");
        let named = |channels, name| {
            let dims = [
                Dim::from("batch"),
                Dim::Fixed(channels),
                2.into(),
                3.into(),
                4.into(),
            ];
            ValueInfoProto::tensor(name, DataType::Float, dims)
        };
        let symbolic = broken(|graph| {
            graph.input[0] = named(2, IMAGE);
            graph.output[0] = named(3, LOGITS);
        });
        assert_eq!(symbolic, "");
    }

    #[test]
    fn each_difference_is_named() {
        insta::assert_snapshot!(
            broken(|graph| { graph.input.pop(); }),
            @r#"the inputs are ["image"], they must be ["image", "task"]"#
        );
        insta::assert_snapshot!(
            broken(|graph| graph.output[0].name = "y".into()),
            @r#"the outputs are ["y"], they must be ["logits"]"#
        );
        insta::assert_snapshot!(
            broken(|graph| graph.input[1] = ValueInfoProto::tensor(TASK, DataType::Int32, [1])),
            @r#""task" is i32 [1], it must be i64 [1]"#
        );
        insta::assert_snapshot!(
            broken(|graph| {
                graph.input[0] = ValueInfoProto::tensor(IMAGE, DataType::Float, [2, 2, 2, 3, 4]);
            }),
            @r#""image" is f32 [2, 2, 2, 3, 4], it must be f32 [1, 2, 2, 3, 4]"#
        );
        insta::assert_snapshot!(
            broken(|graph| graph.output[0].r#type = None),
            @r#""logits" is not a tensor, it must be f32 [1, 3, 2, 3, 4]"#
        );
    }
}
