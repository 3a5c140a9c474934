//! An evaluation on disk: numbers as JSON and CSV, a plot for each task, a page to look at.

use std::path::Path;

use super::score::{CaseScore, Evaluation, TaskScore};
use crate::atomic;
use crate::html::{Figure, Page};
use crate::plot::{Group, strip};

/// Writes `evaluation.json`, `evaluation.csv`, `evaluation.html` and `TASK.svg` into a folder,
/// which is made if need be. Each file is complete or absent.
pub(crate) fn write(evaluation: &Evaluation, folder: &Path) -> anyhow::Result<()> {
    atomic::make_folder(folder)?;
    let mut json = serde_json::to_vec_pretty(evaluation)?;
    json.push(b'\n');
    atomic::write(&folder.join("evaluation.json"), &json)?;
    atomic::write(&folder.join("evaluation.csv"), csv(evaluation).as_bytes())?;
    for task in &evaluation.tasks {
        let svg = plot(task)?;
        atomic::write(&folder.join(format!("{}.svg", task.name)), svg.as_bytes())?;
    }
    page(evaluation, folder)?.write(&folder.join("evaluation.html"))
}

/// The Dice of a task's labels over its cases, as SVG.
pub(crate) fn plot(task: &TaskScore) -> anyhow::Result<String> {
    let groups: Vec<Group> = task
        .labels
        .iter()
        .enumerate()
        .map(|(index, label)| Group {
            name: label.name.clone(),
            values: task
                .cases
                .iter()
                .filter_map(|case| case.labels.get(index))
                .map(|label| label.measures.dice)
                .collect(),
        })
        .collect();
    strip(&groups, &task.name, "Dice")
}

/// One row for each case and label.
fn csv(evaluation: &Evaluation) -> String {
    let mut text = String::from(
        "task,case,label,name,dice,surface_dice,hd95_mm,average_surface_distance_mm,\
         truth_voxels,predicted_voxels,truth_ml,predicted_ml\n",
    );
    for task in &evaluation.tasks {
        for case in &task.cases {
            for (one, label) in case.labels.iter().zip(&task.labels) {
                let measures = &one.measures;
                let cells = [
                    quoted(&task.name),
                    quoted(&case.case),
                    one.label.to_string(),
                    quoted(&label.name),
                    measures.dice.to_string(),
                    measures.surface_dice.to_string(),
                    measures.hd95_mm.to_string(),
                    measures.average_surface_distance_mm.to_string(),
                    one.truth_voxels.to_string(),
                    one.predicted_voxels.to_string(),
                    one.truth_ml.to_string(),
                    one.predicted_ml.to_string(),
                ];
                text.push_str(&cells.join(","));
                text.push('\n');
            }
        }
    }
    text
}

/// A cell of text as RFC 4180 wants it.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// A page with everything, and of each task the worst, the middle and the best case that was drawn.
fn page(evaluation: &Evaluation, folder: &Path) -> anyhow::Result<Page> {
    let settings = &evaluation.settings;
    let mut page = Page::new("Evaluation");
    page.paragraph(&format!(
        "{}, weights {}. Cases: {}. Windows {} of the patch apart, {}; {}. Surface Dice with a \
         tolerance of {} mm. Where only one of truth and prediction has a label, its Dice is 0 and \
         its distances count 998 mm (column one-sided); where neither has it, its Dice is 1.",
        evaluation.network,
        evaluation.weights_sha256.get(..12).unwrap_or_default(),
        match settings.split {
            super::SplitPart::Validation => "held out",
            super::SplitPart::Train => "trained on",
            super::SplitPart::All => "all",
        },
        settings.step,
        if settings.mirror {
            "mirrored"
        } else {
            "not mirrored"
        },
        settings.engine,
        settings.tolerance_mm,
    ))
    .table(&evaluation.rows());
    for task in &evaluation.tasks {
        page.heading(&task.name);
        if !task.failures.is_empty() {
            let mut rows = vec![vec!["case that failed".to_owned(), "why".to_owned()]];
            let failures = task.failures.iter();
            rows.extend(failures.map(|one| vec![one.case.clone(), one.error.clone()]));
            page.table(&rows);
        }
        if task.cases.is_empty() {
            page.paragraph("No case could be evaluated.");
            continue;
        }
        page.svg(&format!("Dice of {}", task.name), &plot(task)?);
        let pictures: Vec<Figure> = chosen(task)
            .into_iter()
            .filter_map(|case| {
                let path = folder.join(&task.name).join(format!("{}.png", case.case));
                let bytes = std::fs::read(path).ok()?;
                let caption = format!(
                    "{}, Dice {:.3}. Above the truth, below the prediction with the truth's \
                     outline in white.",
                    case.case,
                    case.dice()
                );
                Some(Figure::Png { caption, bytes })
            })
            .collect();
        if !pictures.is_empty() {
            page.figure_row(&pictures);
        }
    }
    Ok(page)
}

/// The worst, the middle and the best case by Dice; all if there are no more.
fn chosen(task: &TaskScore) -> Vec<&CaseScore> {
    let mut cases: Vec<&CaseScore> = task.cases.iter().collect();
    cases.sort_by(|a, b| a.dice().total_cmp(&b.dice()).then(a.case.cmp(&b.case)));
    match cases.len() {
        0..=3 => cases,
        count => vec![cases[0], cases[count / 2], cases[count - 1]],
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn cells_are_quoted_where_they_have_to_be() {
        for (text, expected) in [
            ("liver", "liver"),
            ("", ""),
            ("a b;c", "a b;c"),
            ("a,b", "\"a,b\""),
            ("say \"a\"", "\"say \"\"a\"\"\""),
            ("two\nlines", "\"two\nlines\""),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
