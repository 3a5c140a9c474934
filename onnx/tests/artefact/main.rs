//! The artefact from outside: round trips, every malformation with its named error, and bytes
//! that no one should have written.

mod bad_input;
mod hostile;

use uniseg_onnx::{Artefact, Bytes, OnnxError, decode, proto::Message, sample};

#[test]
fn what_is_saved_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.onnx");
    let artefact = sample::tiny_artefact();
    let size = artefact.save(&path).unwrap();
    assert_eq!(size, std::fs::metadata(&path).unwrap().len());
    let again = Artefact::open(&path).unwrap();
    assert_eq!(again.bytes(), artefact.bytes());
    assert_eq!(again.model(), artefact.model());
    assert_eq!(again.manifest(), artefact.manifest());
    // Over an existing file, and nothing but that file is left.
    again.save(&path).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_same_input_gives_the_same_bytes_and_a_new_manifest_replaces_the_old() {
    let artefact = sample::tiny_artefact();
    assert_eq!(artefact.bytes(), sample::tiny_artefact().bytes());
    let (model, mut manifest, bytes) = artefact.into_parts();
    manifest.inference.mirror = true;
    let changed = Artefact::new(model.clone(), manifest).unwrap();
    assert!(changed.manifest().inference.mirror);
    assert_ne!(changed.bytes(), &bytes);
    let back = Artefact::new(changed.into_parts().0, sample::tiny_manifest()).unwrap();
    assert_eq!(back.bytes(), &bytes);
}

#[test]
fn missing_versions_and_producer_are_filled_in() {
    let mut model = sample::tiny_model();
    model.ir_version = 0;
    model.opset_import.clear();
    let artefact = Artefact::new(model, sample::tiny_manifest()).unwrap();
    assert_eq!(artefact.model().ir_version, uniseg_onnx::IR_VERSION);
    assert_eq!(artefact.model().opset(), Some(uniseg_onnx::OPSET));
    assert_eq!(artefact.model().producer_name, "uniseg");
}

#[test]
fn weights_are_not_copied_when_opening() {
    let artefact = sample::tiny_artefact();
    let file = artefact.bytes().as_ptr_range();
    for tensor in &artefact.model().graph.as_ref().unwrap().initializer {
        let weights = tensor.raw_data.as_ptr_range();
        assert!(
            file.start <= weights.start && weights.end <= file.end,
            "{}",
            tensor.name
        );
    }
}

#[test]
fn a_writer_cannot_make_an_artefact_a_reader_refuses() {
    let mut manifest = sample::tiny_manifest();
    manifest.network.slots = 9;
    let error = Artefact::new(sample::tiny_model(), manifest).unwrap_err();
    assert!(matches!(error, OnnxError::Signature { .. }));
    let mut manifest = sample::tiny_manifest();
    manifest.tasks.clear();
    let error = Artefact::new(sample::tiny_model(), manifest).unwrap_err();
    assert!(matches!(error, OnnxError::InvalidManifest { .. }));
}

#[test]
fn a_failed_save_names_the_file_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no such folder").join("tiny.onnx");
    let error = sample::tiny_artefact().save(&path).unwrap_err();
    assert!(matches!(&error, OnnxError::Write { path: named, .. } if *named == path));
    // A folder is in the way of the rename: the temporary file goes too.
    let taken = folder.path().join("taken.onnx");
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("inside"), "x").unwrap();
    assert!(matches!(
        sample::tiny_artefact().save(&taken),
        Err(OnnxError::Write { .. })
    ));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn any_onnx_model_can_be_decoded_without_being_an_artefact() {
    let bytes = Bytes::from(sample::tiny_model().encode_to_vec());
    assert_eq!(decode(bytes.clone()).unwrap(), sample::tiny_model());
    assert!(matches!(
        Artefact::from_bytes(bytes),
        Err(OnnxError::NoManifest { .. })
    ));
}

/// `data/every_field.onnx` was written by the PyPI package `onnx` 1.23 and sets every field of
/// every message of the format: a wrong number, type or packing here would change the bytes.
#[test]
fn every_field_of_the_format_survives() {
    let bytes = Bytes::from_static(include_bytes!("../data/every_field.onnx"));
    let model = decode(bytes.clone()).unwrap();
    assert_eq!(Bytes::from(model.encode_to_vec()), bytes);
}
