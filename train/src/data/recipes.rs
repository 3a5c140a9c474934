//! Ready-made tasks files, compiled into the program.

use std::path::Path;

use super::DataError;
use super::atomic::write_atomically;
use super::error::nearest;

/// Name, what it is, text.
const FILES: [(&str, &str, &str); 3] = [
    (
        "upstream",
        "the paper's eleven datasets for training the universal model",
        include_str!("../../recipes/upstream.toml"),
    ),
    (
        "downstream",
        "the paper's two datasets for transfer learning",
        include_str!("../../recipes/downstream.toml"),
    ),
    (
        "phantom",
        "the eleven datasets that `uniseg phantom` makes",
        include_str!("../../recipes/phantom.toml"),
    ),
];

/// Names of the ready-made files, and what each is.
pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.into_iter().map(|(name, what, _)| (name, what))
}

/// The text of a ready-made file; relative to the folder of its datasets.
///
/// Errors: [`DataError::UnknownRecipe`].
pub fn text(name: &str) -> Result<&'static str, DataError> {
    let found = FILES.into_iter().find(|(known, ..)| *known == name);
    found
        .map(|(_, _, text)| text)
        .ok_or_else(|| DataError::UnknownRecipe {
            found: name.into(),
            nearest: nearest(name, FILES.map(|(name, ..)| name)),
            known: FILES.iter().map(|(name, ..)| (*name).to_owned()).collect(),
        })
}

/// Writes a ready-made file under a name, whole or not at all.
///
/// Errors: [`DataError::UnknownRecipe`], [`DataError::Io`].
pub fn write(name: &str, path: &Path) -> Result<(), DataError> {
    let text = text(name)?;
    write_atomically(path, |out| out.write_all(text.as_bytes()))
        .map_err(DataError::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Tasks;
    use crate::plan::paper;
    use uniseg_imaging::phantom::TASKS;

    fn read(name: &str) -> Tasks {
        Tasks::parse(text(name).unwrap(), Path::new("tasks.toml"), None).unwrap()
    }

    #[test]
    fn upstream_and_phantoms_are_the_papers_plan() {
        for name in ["upstream", "phantom"] {
            let tasks = read(name).tasks;
            let found: Vec<_> = tasks
                .iter()
                .enumerate()
                .map(|(id, task)| task.resolve(None).unwrap().to_plan(id))
                .collect();
            assert_eq!(found, paper().tasks, "{name}");
        }
    }

    /// The generator lives in another crate: its names and this file must stay together.
    #[test]
    fn the_phantom_file_fits_what_the_generator_writes() {
        let tasks = read("phantom").tasks;
        assert_eq!(tasks.len(), TASKS.len());
        for (task, made) in tasks.iter().zip(TASKS) {
            assert_eq!(task.dataset, Path::new(&made.dataset()));
            let channels: Vec<&str> = task.channels.iter().map(|c| c.modality.as_str()).collect();
            assert_eq!(channels, made.channel_names().collect::<Vec<_>>());
            assert_eq!(task.labels[1..], made.label_names().collect::<Vec<_>>()[..]);
        }
    }

    #[test]
    fn the_papers_label_rules_are_followed() {
        let tasks = read("upstream");
        let get = |task: &str, value: u16| {
            let task = tasks.find(task).unwrap();
            task.label_map
                .resolve(&[], task.labels.len())
                .unwrap()
                .get(value)
        };
        // uniseg-recipe, section 1.
        assert_eq!(
            [0, 1, 24].map(|value| get("verse", value)),
            [Some(0), Some(1), Some(1)]
        );
        assert_eq!(
            [1, 2].map(|value| get("prostate", value)),
            [Some(1), Some(1)]
        );
        let brats = [0, 1, 2, 4].map(|value| get("brats", value));
        assert_eq!(brats, [Some(0), Some(2), Some(1), Some(3)]);
    }

    #[test]
    fn downstream_takes_spacing_and_window_from_the_data() {
        let tasks = read("downstream").tasks;
        // uniseg-recipe, section 8: 13 organs; one tumour.
        assert_eq!(
            tasks.iter().map(|t| t.labels.len()).collect::<Vec<_>>(),
            [14, 2]
        );
        assert!(tasks.iter().all(|task| task.spacing.is_none()));
        assert!(matches!(
            tasks[0].resolve(None),
            Err(DataError::NotInFingerprint { .. })
        ));
    }

    #[test]
    fn unknown_names_get_a_suggestion() {
        assert!(
            text("fantom")
                .unwrap_err()
                .to_string()
                .contains("did you mean 'phantom'?")
        );
        assert_eq!(names().count(), 3);
    }
}
