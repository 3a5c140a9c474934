use uniseg_imaging::SpacingMm;

use crate::data::DataError;
use crate::plan::{Plan, normalization_to_name};

use super::{NormalizationRule, ResolvedTask, Task, Tasks};

/// A task and how a plan has it preprocessed.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedTask<'a> {
    /// The task: where its data is.
    pub task: &'a Task,
    /// Spacing, normalisation and labels, as the plan states them.
    pub resolved: ResolvedTask,
    /// What the tasks file states otherwise, one sentence each: the plan counts.
    pub overruled: Vec<String>,
}

impl Tasks {
    /// The tasks as `plan` has them preprocessed; those of `names` (or aliases), or all.
    ///
    /// Spacing and normalisation are the plan's, so that training sees what prediction will see.
    ///
    /// Errors: [`DataError::UnknownTask`]; [`DataError::PlanDisagrees`] with everything by which
    /// names, labels or channels differ.
    pub fn planned(
        &self,
        plan: &Plan,
        names: &[String],
    ) -> Result<Vec<PlannedTask<'_>>, DataError> {
        let mut chosen: Vec<&Task> = Vec::new();
        for name in names {
            let task = self.find(name)?;
            if !chosen.contains(&task) {
                chosen.push(task);
            }
        }
        let mut differences = Vec::new();
        if names.is_empty() {
            chosen.extend(&self.tasks);
            let absent = |name: &str| self.tasks.iter().all(|task| task.name != name);
            for task in plan.tasks.iter().filter(|task| absent(&task.name)) {
                differences.push(format!("task '{}' is in the plan only", task.name));
            }
        }
        let mut planned = Vec::new();
        for task in chosen {
            let Some(found) = plan.tasks.iter().find(|found| found.name == task.name) else {
                differences.push(format!("task '{}' is not in the plan", task.name));
                continue;
            };
            let modalities: Vec<&String> = task.channels.iter().map(|c| &c.modality).collect();
            let mut compare = |what: &str, planned: String, stated: String| {
                if planned != stated {
                    differences.push(format!(
                        "task '{}' has the {what} {planned} in the plan, but {stated} in the \
                         tasks file",
                        task.name
                    ));
                }
            };
            compare("labels", list(&found.labels), list(&task.labels));
            compare("channels", list(&found.channels), list(&modalities));
            let resolved = ResolvedTask::from(found);
            let overruled = task.overruled_by(&resolved);
            planned.push(PlannedTask {
                task,
                resolved,
                overruled,
            });
        }
        match differences.is_empty() {
            true => Ok(planned),
            false => Err(DataError::PlanDisagrees {
                path: self.path.clone(),
                differences,
            }),
        }
    }
}

impl Task {
    fn overruled_by(&self, resolved: &ResolvedTask) -> Vec<String> {
        let mut sentences = Vec::new();
        let planned = resolved.spacing_zyx_mm;
        let stated = self.spacing.map(SpacingMm::zyx);
        if let Some(stated) = stated.filter(|stated| *stated != planned) {
            sentences.push(format!(
                "the plan's spacing of {planned:?} mm is used, not the tasks file's {stated:?}"
            ));
        }
        for (channel, planned) in self.channels.iter().zip(&resolved.normalization) {
            if let NormalizationRule::Fixed(stated) = &channel.normalization
                && stated != planned
            {
                sentences.push(format!(
                    "the plan's normalisation {} is used for {}, not the tasks file's {}",
                    normalization_to_name(planned),
                    channel.modality,
                    normalization_to_name(stated),
                ));
            }
        }
        sentences
    }
}

fn list<T: AsRef<str>>(names: &[T]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::recipes;
    use crate::plan::paper;
    use std::path::Path;

    fn phantoms() -> Tasks {
        let text = recipes::text("phantom").unwrap();
        Tasks::parse(text, Path::new("tasks.toml"), None).unwrap()
    }

    #[test]
    fn the_plan_counts_and_says_what_it_overrules() {
        let mut plan = paper();
        plan.tasks[0].spacing_zyx_mm = [5.0; 3];
        plan.tasks[0].normalization = plan.tasks[8].normalization.clone();
        let tasks = phantoms();
        let planned = tasks.planned(&plan, &[]).unwrap();
        assert_eq!(planned.len(), 11);
        assert_eq!(planned[0].resolved.spacing_zyx_mm, [5.0; 3]);
        assert_eq!(
            planned[0].overruled,
            [
                "the plan's spacing of [5.0, 5.0, 5.0] mm is used, not the tasks file's [3.0, 1.5, \
                 1.5]",
                "the plan's normalisation zscore is used for CT, not the tasks file's \
                 clip_-325_325_to_0_1"
            ]
        );
        assert!(planned[1..].iter().all(|task| task.overruled.is_empty()));
        let asked = ["lits".to_owned(), "liver".into(), "brain".into()];
        let names: Vec<&str> = tasks
            .planned(&plan, &asked)
            .unwrap()
            .iter()
            .map(|planned| planned.task.name.as_str())
            .collect();
        assert_eq!(names, ["liver", "brain"]);
    }

    #[test]
    fn every_difference_is_told_at_once() {
        let mut plan = paper();
        plan.tasks[0].labels[2] = "lesion".into();
        plan.tasks[9].channels.swap(0, 1);
        plan.tasks[10].name = "body".into();
        let tasks = phantoms();
        let error = tasks.planned(&plan, &[]).unwrap_err().to_string();
        for part in [
            "task 'body' is in the plan only",
            "task 'liver' has the labels background, liver, lesion in the plan, but background, \
             liver, tumour in the tasks file",
            "task 'brain' has the channels T1ce, T1, T2, FLAIR in the plan, but T1, T1ce, T2, FLAIR",
            "task 'whole_body' is not in the plan",
        ] {
            assert!(error.contains(part), "{error}");
        }
        // What is not asked for may differ.
        assert!(tasks.planned(&plan, &["colon".into()]).is_ok());
        let unknown = tasks.planned(&plan, &["colen".into()]).unwrap_err();
        assert!(unknown.to_string().contains("did you mean 'colon'?"));
    }
}
