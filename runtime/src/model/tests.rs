//! Graphs for several tasks, made of a file that may be gone or changed by then.

use uniseg_onnx::sample;

use super::*;
use crate::testing::graphs::whole_artefact;

#[test]
fn work_that_tasks_share_is_counted_once() {
    let model = Model::from(whole_artefact());
    assert_eq!(model.tasks_at_once(), 2);
    let [one, two] = [1, 2].map(|tasks| model.footprint_of(tasks));
    // Only sums depend on the task.
    assert_eq!(one.flops, two.flops);
    assert_eq!(2 * one.output_bytes, two.output_bytes);
    assert_eq!(one.weight_bytes, two.weight_bytes);
    assert_eq!(model.footprint_of(9), two, "there are no more tasks");
}

#[test]
fn the_file_is_read_again_and_must_be_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    whole_artefact().save(&path).unwrap();
    let open = Model::open(&path).unwrap();
    let known = open.without_file();
    assert!(known.bytes().is_empty());
    for tasks in [1, 2] {
        let again = known.for_tasks(tasks).unwrap();
        assert_eq!(again.bytes(), open.for_tasks(tasks).unwrap().bytes());
    }
    // One that came from no file keeps its bytes.
    let kept = Model::from(whole_artefact()).without_file();
    assert_eq!(kept.bytes(), open.bytes());

    // The same weights and manifest with another constant in a node.
    let (mut graph, manifest, _) = whole_artefact().into_parts();
    for node in &mut graph.graph.as_mut().unwrap().node {
        for attribute in node
            .attribute
            .iter_mut()
            .filter(|each| each.name == "alpha")
        {
            attribute.f = Some(0.02);
        }
    }
    let changed = uniseg_onnx::Artefact::new(graph, manifest).unwrap();
    changed.save(&path).unwrap();
    let error = known.for_tasks(2).unwrap_err().to_string();
    assert!(
        error.ends_with("changed while it was in use: start again"),
        "{error}"
    );
    std::fs::remove_file(&path).unwrap();
    let error = known.for_tasks(2).unwrap_err();
    assert!(matches!(error, RuntimeError::OpenModel { .. }), "{error:?}");
}

#[test]
fn a_graph_that_cannot_be_repeated_says_so() {
    let bytes = crate::testing::graphs::encoder().bytes().to_vec();
    let model = Model::unchecked(bytes.into(), sample::tiny_manifest());
    let error = model.for_tasks(3).unwrap_err();
    assert_eq!(
        error.with_causes(),
        "the network cannot run 3 tasks at once: the graph has no input \"task\""
    );
}
