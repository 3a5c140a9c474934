//! The tables of `plan` and `preprocess`.

use std::path::Path;

use uniseg_train::Plan;
use uniseg_train::data::{
    CacheIndex, CaseFingerprint, Fingerprint, PreprocessReport, Problem, Severity,
};
use uniseg_train::planner::Cost;

use crate::report::table;

/// Everything that is wrong, one row a problem.
pub(super) fn problems<'a>(problems: impl IntoIterator<Item = &'a Problem>) -> String {
    let mut rows = vec![heading(&["severity", "task", "case", "problem", "file"])];
    rows.extend(problems.into_iter().map(|problem| {
        vec![
            problem.severity().to_string(),
            problem.task.clone(),
            problem.case.clone().unwrap_or_else(|| "-".into()),
            problem.what(),
            problem.path.display().to_string(),
        ]
    }));
    table(&rows)
}

/// "3 errors, 1 warning".
pub(super) fn count(problems: &[Problem]) -> String {
    let of = |severity| problems.iter().filter(|p| p.severity() == severity).count();
    let words = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    let errors = words(of(Severity::Error), "error");
    match of(Severity::Warning) {
        0 => errors,
        warnings => format!("{errors}, {}", words(warnings, "warning")),
    }
}

/// What the datasets are like.
pub(super) fn fingerprints(plan: &Plan, fingerprints: &[Fingerprint]) -> String {
    let mut rows = vec![heading(&[
        "task",
        "cases",
        "spacing mm",
        "size",
        "target mm",
        "size there",
        "foreground mean (0.5 % to 99.5 %)",
        "ml of each label",
    ])];
    for print in fingerprints {
        let Some(task) = plan.tasks.iter().find(|task| task.name == print.task) else {
            continue;
        };
        let intensities = print.intensities.iter().zip(&task.channels);
        let intensities: Vec<String> = intensities
            .map(|(of, channel)| {
                let (low, high) = (of.percentile_00_5, of.percentile_99_5);
                format!("{channel} {:.0} ({low:.0} to {high:.0})", of.mean)
            })
            .collect();
        rows.push(vec![
            print.task.clone(),
            print.cases.len().to_string(),
            triple(print.median_spacing_zyx_mm(), 2),
            triple(print.median_cropped_zyx(), 0),
            triple(Some(task.spacing_zyx_mm), 2),
            triple(print.median_size_at(task.spacing_zyx_mm), 0),
            intensities.join(", "),
            volumes(&task.labels, print),
        ]);
    }
    table(&rows)
}

/// The mean volume of each label over the cases.
fn volumes(labels: &[String], print: &Fingerprint) -> String {
    let millilitres = |case: &CaseFingerprint, label: usize| {
        let voxels = case.label_voxels.get(label).copied().unwrap_or(0);
        voxels as f64 * case.spacing_zyx_mm.iter().product::<f64>() / 1000.0
    };
    let mean = |label: usize| {
        let sum: f64 = print
            .cases
            .iter()
            .map(|case| millilitres(case, label))
            .sum();
        sum / print.cases.len().max(1) as f64
    };
    let words: Vec<String> = labels
        .iter()
        .enumerate()
        .skip(1)
        .map(|(label, name)| format!("{name} {:.1}", mean(label)))
        .collect();
    words.join(", ")
}

/// The network, and what it takes.
pub(super) fn plan(plan: &Plan, cost: &Cost) -> String {
    let network = &plan.network;
    let features: Vec<String> = (0..network.stages())
        .map(|stage| network.features(stage).to_string())
        .collect();
    let list = |triples: &[[usize; 3]]| {
        let words: Vec<String> = triples.iter().map(|triple| dims(*triple)).collect();
        words.join(" ")
    };
    let rows = [
        ("network", network.variant.title().to_owned()),
        (
            "tasks",
            format!(
                "{} with up to {} labels",
                network.num_tasks,
                network.num_classes - 1
            ),
        ),
        ("patch", dims(network.patch_size)),
        ("batch", plan.batch_size.to_string()),
        ("features", features.join(" ")),
        ("kernels", list(&network.kernel_sizes)),
        ("strides", list(&network.strides_between_stages)),
        ("bottleneck", dims(network.bottleneck_size())),
        (
            "parameters",
            format!("{:.2} million", cost.parameters as f64 / 1e6),
        ),
        (
            "forward",
            format!("{:.1} GFLOP a patch", cost.forward_flops / 1e9),
        ),
        ("training step", format!("about {} in f32", cost.step)),
    ];
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(name, value)| vec![name.to_owned(), value])
        .collect();
    table(&rows)
}

/// What became of a task's cases, in one line.
pub(super) fn preprocessed(report: &PreprocessReport) -> String {
    format!(
        "{}: {} done, {} reused, {} dropped, {} failed, {:.1} s",
        report.index.task.name,
        report.done,
        report.reused,
        report.dropped,
        report.failed.len(),
        report.seconds
    )
}

/// What became of every task's cases.
pub(super) fn cache(reports: &[PreprocessReport], cache: &Path) -> String {
    let mut rows = vec![heading(&[
        "task",
        "done",
        "reused",
        "dropped",
        "failed",
        "train",
        "held out",
        "volumes/s",
        "MB",
    ])];
    rows.extend(reports.iter().map(|report| {
        let speed = match report.done {
            0 => "-".into(),
            _ => format!("{:.2}", report.volumes_per_second),
        };
        vec![
            report.index.task.name.clone(),
            report.done.to_string(),
            report.reused.to_string(),
            report.dropped.to_string(),
            report.failed.len().to_string(),
            report.index.split.train.len().to_string(),
            report.index.split.validation.len().to_string(),
            speed,
            format!("{:.1}", megabytes(&report.index, cache)),
        ]
    }));
    table(&rows)
}

fn megabytes(index: &CacheIndex, cache: &Path) -> f64 {
    let size = |name: &String| {
        let path = CacheIndex::case_path(cache, &index.task.name, name);
        std::fs::metadata(path).map_or(0, |file| file.len())
    };
    let bytes: u64 = index.cases.iter().map(|case| size(&case.name)).sum();
    bytes as f64 / 1e6
}

fn heading(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn dims([z, y, x]: [usize; 3]) -> String {
    format!("{z}x{y}x{x}")
}

fn triple(values: Option<[f64; 3]>, digits: usize) -> String {
    values.map_or("-".into(), |[z, y, x]| {
        format!("{z:.digits$} x {y:.digits$} x {x:.digits$}")
    })
}
