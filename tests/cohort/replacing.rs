//! What is there already: what may be replaced, and what has to be made again.

use std::path::Path;

use uniseg_onnx::{Artefact, Manifest, sample};

use super::{arguments, cases, expect, image, segment};
use crate::support::compare::read_labels;
use crate::support::uniseg;

#[test]
fn a_result_never_replaces_the_image_of_another_case() {
    let (folder, _input, _) = cases(&["a.nii", "b.nii"]);
    let output = folder.path().join("other");
    std::fs::create_dir(&output).unwrap();
    // The image of the second case lies where the labels of the first one go.
    let theirs = output.join("a.nii.gz");
    image(&theirs, 7);
    let table = folder.path().join("cases.csv");
    std::fs::write(&table, "case,image\na,in/a.nii\nb,other/a.nii.gz\n").unwrap();
    let before = std::fs::read(&theirs).unwrap();
    let run = segment(&table, &output, &[]);
    expect(&run, 1, &[("a", "failed"), ("b", "done")]);
    assert!(
        run.stdout.contains("of this or another case"),
        "{}",
        run.stdout
    );
    assert_eq!(std::fs::read(theirs).unwrap(), before);
}

#[test]
fn what_has_no_record_of_ours_is_replaced_only_if_asked() {
    let (_folder, input, output) = cases(&["a.nii", "b.nii", "c.nii"]);
    std::fs::create_dir(&output).unwrap();
    // A data set's own labels, and somebody else's notes beside an image.
    let [labels, notes] = ["a.nii.gz", "b.json"].map(|name| output.join(name));
    std::fs::write(&labels, "drawn by hand").unwrap();
    std::fs::write(&notes, "{\"age\": 70}").unwrap();
    let run = segment(&input, &output, &[]);
    expect(&run, 1, &[("a", "failed"), ("b", "failed"), ("c", "done")]);
    assert!(
        run.stdout.contains("replace it with --again"),
        "{}",
        run.stdout
    );
    assert_eq!(std::fs::read_to_string(&labels).unwrap(), "drawn by hand");
    assert_eq!(std::fs::read_to_string(&notes).unwrap(), "{\"age\": 70}");
    let again = segment(&input, &output, &["--again"]);
    expect(&again, 0, &[("a", "done"), ("b", "done"), ("c", "done")]);
    assert_eq!(read_labels(&labels).dim(), (7, 7, 7));
}

#[test]
fn a_model_with_another_recipe_makes_its_cases_again() {
    let (folder, input, output) = cases(&["a.nii"]);
    let model = |name: &str, change: &dyn Fn(&mut Manifest)| {
        let mut manifest = sample::tiny_manifest();
        change(&mut manifest);
        let path = folder.path().join(name);
        let artefact = Artefact::new(sample::tiny_model(), manifest).unwrap();
        artefact.save(&path).unwrap();
        path
    };
    let run = |model: &Path| {
        let mut arguments = arguments(&input, &output, &[]);
        arguments[1] = model.to_str().unwrap().to_owned();
        uniseg(arguments)
    };
    let first = model("first.onnx", &|_| ());
    expect(&run(&first), 0, &[("a", "done")]);
    expect(&run(&first), 0, &[("a", "skipped")]);
    let alias = model("alias.onnx", &|manifest| {
        manifest.tasks[0].aliases.push("lump".to_owned());
    });
    expect(&run(&alias), 0, &[("a", "skipped")]);
    let coarser = model("coarser.onnx", &|manifest| {
        for task in &mut manifest.tasks {
            task.spacing_zyx_mm[0] *= 2.0;
        }
    });
    expect(&run(&coarser), 0, &[("a", "done")]);
}

#[test]
fn another_task_does_not_replace_what_is_there() {
    let (_folder, input, output) = cases(&["a.nii"]);
    segment(&input, &output, &[]).succeeds();
    let record = std::fs::read_to_string(output.join("a.json")).unwrap();
    let other = record.replace("\"task\": \"blob\"", "\"task\": \"spleen\"");
    assert_ne!(other, record);
    std::fs::write(output.join("a.json"), other).unwrap();
    let refused = segment(&input, &output, &[]);
    expect(&refused, 1, &[("a", "failed")]);
    assert!(
        refused.stdout.contains("is of task spleen"),
        "{}",
        refused.stdout
    );
    expect(&segment(&input, &output, &["--again"]), 0, &[("a", "done")]);
}
