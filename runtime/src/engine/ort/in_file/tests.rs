//! Which weights are left in a file, and which not.

use std::io::Write;

use uniseg_onnx::{Artefact, decode, sample};

use super::*;
use crate::{Model, testing::graphs::whole_artefact};

/// An artefact with more weights than ONNX Runtime would hand over.
fn large() -> Artefact {
    with_ballast(sample::tiny_artefact())
}

fn with_ballast(artefact: Artefact) -> Artefact {
    let (mut model, manifest, _) = artefact.into_parts();
    let values: Vec<f32> = (0..LEAST_TOGETHER / 4 + 1).map(|at| at as f32).collect();
    let ballast = TensorProto::from_f32("ballast", &[values.len() as i64], &values);
    model.graph.as_mut().unwrap().initializer.push(ballast);
    Artefact::new(model, manifest).unwrap()
}

#[test]
fn large_weights_stay_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    large().save(&path).unwrap();
    let model = Model::open(&path).unwrap();
    let left = |model: &Model| InFile::of(&model.shared_bytes(), model.weights_file()?);
    // The graph for several tasks has the same weights.
    for model in [&model, &model.for_tasks(2).unwrap()] {
        let light = decode(left(model).unwrap().graph).unwrap();
        let full = decode(model.shared_bytes()).unwrap();
        let [light, full] = [light, full].map(|model| model.graph.unwrap().initializer);
        let file = std::fs::read(&path).unwrap();
        assert_eq!(light.len(), full.len());
        for (light, full) in light.iter().zip(&full) {
            assert_eq!(light.is_external(), light.name == "ballast");
            if !light.is_external() {
                assert_eq!(light, full);
                continue;
            }
            assert!(light.raw_data.is_empty());
            let said: Vec<(&str, &str)> = (light.external_data.iter())
                .map(|entry| (&*entry.key, &*entry.value))
                .collect();
            let [
                ("location", "model.onnx"),
                ("offset", from),
                ("length", length),
            ] = said[..]
            else {
                panic!("{said:?}");
            };
            let [from, length]: [usize; 2] = [from, length].map(|text| text.parse().unwrap());
            assert!(file[from..from + length] == full.raw_data);
        }
    }
}

#[test]
fn weights_are_handed_over_if_the_file_is_another_or_they_are_few() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let opened = |artefact: &Artefact| {
        artefact.save(&path).unwrap();
        Model::open(&path).unwrap()
    };
    let left = |model: &Model| InFile::of(&model.shared_bytes(), model.weights_file().unwrap());
    assert!(left(&opened(&sample::tiny_artefact())).is_none());

    let model = opened(&large());
    assert!(left(&model).is_some());
    // One byte of the last weight.
    let mut file = std::fs::read(&path).unwrap();
    let offset = model.weights_file().unwrap().offset("ballast").unwrap() as usize;
    file[offset + LEAST_TOGETHER as usize] ^= 1;
    std::fs::write(&path, &file).unwrap();
    assert!(left(&model).is_none());
    std::fs::write(&path, &file[..offset]).unwrap();
    assert!(left(&model).is_none());
    std::fs::remove_file(&path).unwrap();
    assert!(left(&model).is_none());
    // A graph that was made here says nothing of a file, and one for any number of windows reads
    // them later.
    assert!(Model::from(large()).weights_file().is_none());
    let any = opened(&with_ballast(whole_artefact()));
    assert!(any.batches() && any.weights_file().is_none());
}

#[test]
fn a_file_that_changes_while_it_is_opened_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    large().save(&path).unwrap();
    let model = Model::open(&path).unwrap();
    let in_file = InFile::of(&model.shared_bytes(), model.weights_file().unwrap()).unwrap();
    let library = crate::find_ort(None)
        .unwrap()
        .expect("ONNX Runtime was not found: run `uniseg runtime install`");
    let loaded = super::super::load(library.path()).unwrap();
    let commit = || {
        let builder = ::ort::session::Session::builder(&loaded.environment).unwrap();
        in_file.commit(builder)
    };
    let session = commit().unwrap();
    let file = session.file().unwrap();
    file.check().unwrap();
    // Replaced: who has it open still has what it was, but nobody opens it any more.
    large().save(&path).unwrap();
    file.check().unwrap();
    let error = commit().map(drop).unwrap_err().to_string();
    assert!(error.contains("changed while it was in use"), "{error}");

    let model = Model::open(&path).unwrap();
    let in_file = InFile::of(&model.shared_bytes(), model.weights_file().unwrap()).unwrap();
    in_file.file.check().unwrap();
    let mut written = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    written.write_all(b"more").unwrap();
    let error = in_file.file.check().unwrap_err();
    assert!(
        matches!(error, RuntimeError::ModelChanged { .. }),
        "{error}"
    );
}
