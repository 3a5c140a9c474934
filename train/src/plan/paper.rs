use uniseg_imaging::{Normalization, ZScoreScope};

use super::{NetworkConfig, Plan, TaskPlan, Variant, default_batch_size};

/// CT window of the official preprocessing, in Hounsfield units.
const CT: Normalization = Normalization::ClipRescale {
    lower: -325.0,
    upper: 325.0,
};
const MR: Normalization = Normalization::ZScore {
    scope: ZScoreScope::WholeImage,
};
/// Brain MR comes skull-stripped: statistics are taken over the brain alone.
const BRAIN_MR: Normalization = Normalization::ZScore {
    scope: ZScoreScope::NonZero,
};
const PET: Normalization = Normalization::ZScore {
    scope: ZScoreScope::WholeImage,
};

/// The paper's own plan: its eleven upstream tasks on 64 x 192 x 192 patches.
///
/// Source: UniSeg (MICCAI 2023) and its released code; the CT window and the first stage's
/// [1, 3, 3] kernel are stated by the code only.
pub fn paper() -> Plan {
    let mm = [3.0, 1.5, 1.5];
    let ct = [("CT", CT)];
    let tumour = ["tumour"];
    let tasks = [
        task("liver", &["lits"], &["liver", "tumour"], &ct, mm),
        task(
            "kidney",
            &["kits", "kits19"],
            &["kidney", "tumour"],
            &ct,
            mm,
        ),
        task(
            "hepatic_vessel",
            &["hepatic-vessel"],
            &["vessel", "tumour"],
            &ct,
            mm,
        ),
        task("pancreas", &[], &["pancreas", "tumour"], &ct, mm),
        task("colon", &[], &tumour, &ct, mm),
        task("lung", &[], &tumour, &ct, mm),
        task("spleen", &[], &["spleen"], &ct, mm),
        task(
            "vertebrae",
            &["verse", "verse20"],
            &["vertebrae"],
            &ct,
            [4.0, 2.0, 2.0],
        ),
        task("prostate", &[], &["prostate"], &[("MR", MR)], mm),
        task(
            "brain",
            &["brats", "brats21"],
            &["edema", "non_enhancing", "enhancing"],
            &[
                ("T1", BRAIN_MR),
                ("T1ce", BRAIN_MR),
                ("T2", BRAIN_MR),
                ("FLAIR", BRAIN_MR),
            ],
            [1.0; 3],
        ),
        task(
            "whole_body",
            &["autopet"],
            &tumour,
            &[("CT", CT), ("PET", PET)],
            [8.0, 4.0, 4.0],
        ),
    ];
    let tasks: Vec<TaskPlan> = tasks
        .into_iter()
        .enumerate()
        .map(|(id, task)| TaskPlan { id, ..task })
        .collect();
    Plan {
        network: NetworkConfig {
            variant: Variant::Uniseg,
            patch_size: [64, 192, 192],
            strides_between_stages: vec![[1, 2, 2], [2; 3], [2; 3], [2; 3], [2; 3]],
            kernel_sizes: vec![[1, 3, 3], [3; 3], [3; 3], [3; 3], [3; 3], [3; 3]],
            base_num_features: 32,
            max_num_features: 320,
            stage_channels: None,
            num_tasks: tasks.len(),
            num_classes: 4,
            input_channel_variants: vec![1, 2, 4],
            norm_eps: 1e-5,
            leaky_relu_slope: 0.01,
        },
        batch_size: default_batch_size(),
        tasks,
    }
}

fn task(
    name: &str,
    aliases: &[&str],
    foreground: &[&str],
    channels: &[(&str, Normalization)],
    spacing_zyx_mm: [f64; 3],
) -> TaskPlan {
    let owned = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    TaskPlan {
        id: 0,
        name: name.into(),
        aliases: owned(aliases),
        labels: [owned(&["background"]), owned(foreground)].concat(),
        channels: channels
            .iter()
            .map(|(modality, _)| (*modality).to_owned())
            .collect(),
        spacing_zyx_mm,
        normalization: channels.iter().map(|(_, rule)| *rule).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paper_plan_is_complete() {
        let plan = paper();
        assert_eq!(plan.clone().complete().unwrap(), plan);
        // uniseg-recipe, section 1: classes with background.
        let classes: Vec<usize> = plan.tasks.iter().map(|task| task.labels.len()).collect();
        assert_eq!(classes, [3, 3, 3, 3, 2, 2, 2, 2, 2, 4, 2]);
    }
}
