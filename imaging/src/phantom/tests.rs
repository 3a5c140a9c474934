use super::*;

/// Coarse scans: the same bodies in little time.
const COARSE: Protocol = Protocol {
    slices: [24, 28],
    pixels: [40, 44],
    varied_orientation: true,
    same_scans: false,
    reach: 1.0,
};

#[track_caller]
fn named(name: &str) -> &'static PhantomTask {
    PhantomTask::named(name).unwrap()
}

fn scan(task: &str, seed: u64, case: usize) -> PhantomCase {
    PhantomCase::new(named(task), seed, case, &COARSE).unwrap()
}

#[test]
fn a_ct_is_deterministic_and_has_every_organ() {
    let extent = Extent::from_zyx([24, 40, 48]);
    let spacing = SpacingMm::from_zyx([8.0, 8.0, 8.0]).unwrap();
    let phantom = ct(extent, spacing, 1).unwrap();
    assert_eq!(phantom.image, ct(extent, spacing, 1).unwrap().image);
    assert_ne!(phantom.image, ct(extent, spacing, 2).unwrap().image);
    for label in 1..=CT_LABELS.len() as u16 {
        assert!(
            phantom.labels.iter().any(|&found| found == label),
            "no {label}"
        );
    }
}

#[test]
fn an_empty_extent_is_no_panic() {
    let spacing = SpacingMm::from_zyx([4.0; 3]).unwrap();
    let empty = ct(Extent::from_zyx([0, 4, 4]), spacing, 1);
    assert!(empty.is_ok_and(|phantom| phantom.labels.is_empty()));
}

#[test]
fn a_case_depends_on_seed_task_and_number_only() {
    for task in ["liver", "prostate", "brain", "whole_body"] {
        let first = scan(task, 1, 0);
        // The second is computed on one thread.
        let alone = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        let again = alone.install(|| scan(task, 1, 0));
        assert_eq!(first.channels, again.channels, "{task}");
        assert_ne!(first.channels, scan(task, 2, 0).channels, "{task}");
        assert_ne!(first.channels, scan(task, 1, 1).channels, "{task}");
    }
}

#[test]
fn every_task_shows_each_of_its_labels_in_most_cases() {
    for task in TASKS {
        let mut seen = vec![0; task.label_names().count() + 1];
        let cases = 6;
        for case in 0..cases {
            let scanned = PhantomCase::new(task, 3, case, &COARSE).unwrap();
            assert_eq!(scanned.channels.len(), task.channel_names().count());
            let labels = scanned.labels(task);
            assert!(
                labels.iter().any(|label| *label > 0),
                "{} {case} is empty",
                task.name
            );
            for (label, count) in seen.iter_mut().enumerate() {
                *count += usize::from(labels.iter().any(|found| usize::from(*found) == label));
            }
        }
        assert!(
            seen.iter().all(|count| 2 * count >= cases),
            "{}: {seen:?}",
            task.name
        );
        assert_eq!(seen[0], cases);
    }
}

#[test]
fn ct_datasets_share_their_patients_and_label_a_part_each() {
    let shared = Protocol {
        same_scans: true,
        ..COARSE
    };
    let ct_tasks = || TASKS.iter().filter(|task| task.is_ct());
    let liver = PhantomCase::new(named("liver"), 5, 2, &shared).unwrap();
    for task in ct_tasks() {
        let other = PhantomCase::new(task, 5, 2, &shared).unwrap();
        assert_eq!(liver.channels, other.channels, "{}", task.name);
        let labels = other.labels(task);
        assert!(labels.iter().any(|label| *label > 0), "{}", task.name);
        // What one labels is background in another, and the tissue is there all the same.
        assert_eq!(labels, liver.labels(task));
        for (tissue, label) in other.tissues().iter().zip(&labels) {
            assert_eq!(task.label_of(*tissue), *label);
        }
    }
    // Scans of their own: same organs in the body, another image.
    let own = scan("liver", 5, 2);
    let another = scan("spleen", 5, 2);
    assert_ne!(own.channels, another.channels);
    for task in ["liver", "spleen", "kidney"].map(named) {
        for case in [&own, &another] {
            assert!(
                case.labels(task).iter().any(|label| *label > 0),
                "{}",
                task.name
            );
        }
    }
    let volume = |case: &PhantomCase| {
        let voxels = case
            .labels(named("spleen"))
            .iter()
            .filter(|label| **label > 0)
            .count();
        voxels as f64 * case.geometry.spacing.voxel_ml()
    };
    let (a, b) = (volume(&own), volume(&another));
    assert!(
        (a - b).abs() < 0.15 * a,
        "one spleen, two sizes: {a} and {b} ml"
    );
}

#[test]
fn intensities_are_those_of_their_modality() {
    let mean = |case: &PhantomCase, channel: usize, tissue: Tissue| {
        let pairs = case.channels[channel]
            .voxels()
            .into_iter()
            .zip(case.tissues());
        let values: Vec<f64> = pairs
            .filter(|(_, found)| **found == tissue)
            .map(|(value, _)| f64::from(*value))
            .collect();
        values.iter().sum::<f64>() / values.len().max(1) as f64
    };
    let body = scan("whole_body", 1, 0);
    assert!((-1024.0..-940.0).contains(&mean(&body, 0, Tissue::Air)));
    assert!((-140.0..-40.0).contains(&mean(&body, 0, Tissue::Fat)));
    assert!((20.0..160.0).contains(&mean(&body, 0, Tissue::Liver)));
    let hot = mean(&body, 1, Tissue::LungTumour);
    assert!(hot > 1.3 * mean(&body, 1, Tissue::Muscle), "{hot}");
    let brain = scan("brain", 1, 0);
    assert_eq!(mean(&brain, 0, Tissue::Air), 0.0);
    assert!(mean(&brain, 0, Tissue::WhiteMatter) > mean(&brain, 0, Tissue::GreyMatter));
    assert!(mean(&brain, 2, Tissue::WhiteMatter) < mean(&brain, 2, Tissue::GreyMatter));
    assert!(mean(&brain, 3, Tissue::Edema) > mean(&brain, 3, Tissue::WhiteMatter));
    for case in [body, brain] {
        for channel in &case.channels {
            assert!(channel.voxels().iter().all(|value| value.is_finite()));
        }
    }
}
