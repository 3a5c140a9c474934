//! From what a user typed to the tasks meant.

use std::collections::{BTreeMap, BTreeSet};

use uniseg_onnx::{Manifest, Task};

use crate::RuntimeError;

/// The tasks to run on one case.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskChoice {
    /// The tasks, in the order asked for; `all` is in the manifest's.
    pub tasks: Vec<Task>,
    /// One line for the user if the choice may hold more than was meant.
    pub note: Option<String>,
}

/// Finds the tasks that `asked` means for a case of `channels` image files.
///
/// `asked` is a task's name, alias or id, or several of them with commas between; or `all`, which means every task that takes `channels`
/// files; or `all:MODALITY`, which narrows that to tasks whose channels all have this modality (a
/// file does not say what made it, so `all` alone runs the MR tasks on a CT too, and the note
/// says so). Case is ignored.
///
/// Errors: [`RuntimeError::NoTaskNamed`], [`RuntimeError::UnknownTask`] with the nearest name, [`RuntimeError::ChannelCount`] if
/// the one task takes another number of files, [`RuntimeError::NoTaskForChannels`].
pub fn select_tasks(
    manifest: &Manifest,
    asked: &str,
    channels: usize,
) -> Result<TaskChoice, RuntimeError> {
    let (head, modality) = match asked.split_once(':') {
        Some((head, modality)) => (head, Some(modality)),
        None => (asked, None),
    };
    if head.eq_ignore_ascii_case("all") {
        return all(manifest, channels, modality);
    }
    // A name that has a comma in it is a name first.
    let parts = match manifest.task(asked) {
        Err(_) => asked.split(',').map(str::trim).collect(),
        Ok(_) => vec![asked],
    };
    let mut tasks: Vec<Task> = Vec::new();
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        let task = manifest
            .task(part)
            .map_err(|source| RuntimeError::UnknownTask { source })?;
        RuntimeError::check_channels(task, channels)?;
        if !tasks.iter().any(|known| known.id == task.id) {
            tasks.push(task.clone());
        }
    }
    if tasks.is_empty() {
        return Err(RuntimeError::NoTaskNamed {
            known: manifest
                .tasks
                .iter()
                .map(|task| task.name.clone())
                .collect(),
        });
    }
    Ok(TaskChoice { tasks, note: None })
}

/// Whether there are cases for which `asked` means something, before any is looked at.
///
/// Errors: those of [`select_tasks`], if it fails for every number of files that a task takes;
/// [`RuntimeError::TasksTakeOther`] if tasks are named of which each takes another.
pub fn check_tasks(manifest: &Manifest, asked: &str) -> Result<(), RuntimeError> {
    let counts: BTreeSet<usize> = manifest
        .tasks
        .iter()
        .map(|task| task.channels.len())
        .collect();
    let mut misfits = BTreeMap::new();
    let mut found = Ok(());
    for channels in counts {
        match select_tasks(manifest, asked, channels) {
            Ok(_) => return Ok(()),
            Err(RuntimeError::ChannelCount { task, expected, .. }) => {
                misfits.insert(task, expected.len());
            }
            Err(error) => found = Err(error),
        }
    }
    let mut misfits = misfits.into_iter();
    match (found, misfits.next(), misfits.next()) {
        (Ok(()), Some(first), Some(other)) => Err(RuntimeError::TasksTakeOther { first, other }),
        (found, ..) => found,
    }
}

fn all(
    manifest: &Manifest,
    channels: usize,
    modality: Option<&str>,
) -> Result<TaskChoice, RuntimeError> {
    let tasks: Vec<Task> = manifest
        .tasks
        .iter()
        .filter(|task| task.channels.len() == channels)
        .filter(|task| {
            let fits = |wanted: &str| {
                task.modalities()
                    .all(|modality| modality.eq_ignore_ascii_case(wanted))
            };
            modality.is_none_or(fits)
        })
        .cloned()
        .collect();
    if tasks.is_empty() {
        return Err(RuntimeError::NoTaskForChannels {
            channels,
            of_modality: modality
                .map(|name| format!(" of modality {name}"))
                .unwrap_or_default(),
            known: distinct(manifest.tasks.iter().map(signature)).join(" or "),
        });
    }
    let kinds = distinct(tasks.iter().map(signature));
    let note = (kinds.len() > 1).then(|| {
        format!(
            "all runs the tasks for {}; narrow it, as in all:CT",
            kinds.join(" and for ")
        )
    });
    Ok(TaskChoice { tasks, note })
}

/// The modalities of a task's channels, as in `CT+PET`.
fn signature(task: &Task) -> String {
    task.modalities().collect::<Vec<_>>().join("+")
}

fn distinct(items: impl Iterator<Item = String>) -> Vec<String> {
    items.fold(Vec::new(), |mut seen, item| {
        if !seen.contains(&item) {
            seen.push(item);
        }
        seen
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn names_of(choice: &TaskChoice) -> Vec<&str> {
        choice.tasks.iter().map(|task| task.name.as_str()).collect()
    }

    #[test]
    fn a_task_is_found_by_name_alias_and_id() {
        let manifest = testing::manifest();
        for asked in ["liver", "LIVER", "hepar", "0"] {
            assert_eq!(
                names_of(&select_tasks(&manifest, asked, 1).unwrap()),
                ["liver"]
            );
        }
    }

    #[test]
    fn a_list_is_in_the_order_asked_for_and_each_once() {
        let manifest = testing::manifest();
        let choice = select_tasks(&manifest, "mr_liver, 0,Liver", 1).unwrap();
        assert_eq!(names_of(&choice), ["mr_liver", "liver"]);
        assert!(select_tasks(&manifest, "liver,whole_body", 1).is_err());
        assert!(select_tasks(&manifest, "liver,spleen", 1).is_err());
    }

    #[test]
    fn nothing_but_commas_is_no_task() {
        for asked in ["", ",", " , "] {
            let error = select_tasks(&testing::manifest(), asked, 1).unwrap_err();
            assert!(
                error.to_string().starts_with("no task is named"),
                "{asked:?}: {error}"
            );
        }
    }

    #[test]
    fn what_no_case_can_be_asked_for_is_found_without_one() {
        let manifest = testing::manifest();
        for asked in ["liver", "whole_body", "all", "all:MR", "liver,mr_liver"] {
            check_tasks(&manifest, asked).unwrap();
        }
        for asked in ["", "livr", "liver,spleen", "all:XX", "liver,whole_body"] {
            assert!(check_tasks(&manifest, asked).is_err(), "{asked}");
        }
        assert_eq!(
            check_tasks(&manifest, "whole_body,liver")
                .unwrap_err()
                .to_string(),
            "no case is for both: task \"liver\" takes 1 image file(s), \"whole_body\" takes 2"
        );
    }

    #[test]
    fn an_unknown_task_suggests_the_nearest() {
        let error = select_tasks(&testing::manifest(), "livr", 1).unwrap_err();
        assert!(
            error.to_string().contains("did you mean \"liver\"?"),
            "{error}"
        );
    }

    #[test]
    fn the_number_of_files_must_fit_and_the_message_names_the_modalities() {
        let error = select_tasks(&testing::manifest(), "whole_body", 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "task \"whole_body\" takes 2 image file(s), in this order: CT, PET; found 1"
        );
    }

    #[test]
    fn all_takes_what_fits_the_files_and_can_be_narrowed() {
        let manifest = testing::manifest();
        let choice = select_tasks(&manifest, "all", 1).unwrap();
        assert_eq!(names_of(&choice), ["liver", "mr_liver"]);
        assert_eq!(
            choice.note.as_deref(),
            Some("all runs the tasks for CT and for MR; narrow it, as in all:CT")
        );
        let choice = select_tasks(&manifest, "all:mr", 1).unwrap();
        assert_eq!((names_of(&choice), &choice.note), (vec!["mr_liver"], &None));
        assert_eq!(
            names_of(&select_tasks(&manifest, "all", 2).unwrap()),
            ["whole_body"]
        );
        let error = select_tasks(&manifest, "all:PET", 4).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no task of the model takes 4 image file(s) of modality PET; its tasks take CT or \
             CT+PET or MR"
        );
    }
}
