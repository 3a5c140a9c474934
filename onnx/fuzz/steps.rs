//! Bytes of a file -> everything that is done with a model before an engine sees it.

use uniseg_onnx::{Artefact, Bytes, check, decode, encode, expose, sample, text, weights_sha256};

/// Whether the bytes were read as a model; panics where the reader must not.
pub fn read(data: &[u8]) -> bool {
    let bytes = Bytes::copy_from_slice(data);
    // An artefact as it is; hardly any survives its digest.
    let _ = Artefact::from_bytes(bytes.clone());
    let Ok(model) = decode(bytes) else {
        return false;
    };
    let _ = check(&model);
    let _ = text(&model);
    let _ = weights_sha256(&model);
    let _ = expose(&model, 0..2);
    // Nothing is lost on the way back to bytes.
    let again = decode(encode(&model)).expect("what was read can be read again");
    assert_eq!(encode(&again), encode(&model));
    // With a manifest whose digest fits.
    if let Ok(artefact) = Artefact::new(model, sample::tiny_manifest()) {
        let again = Artefact::from_bytes(artefact.bytes().clone());
        again.expect("an artefact that was made can be opened");
    }
    true
}
