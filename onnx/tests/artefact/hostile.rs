//! Bytes that no writer made: an error or an artefact that keeps its promises, never a panic.

use proptest::prelude::*;
use uniseg_onnx::{Artefact, Manifest, sample, weights_sha256};

proptest! {
    #[test]
    fn random_bytes_are_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(Artefact::from_bytes(bytes.into()).is_err());
    }

    /// Whatever bytes are changed: an error, or an artefact that still keeps every promise.
    #[test]
    fn mutated_artefacts_never_panic(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let artefact = sample::tiny_artefact();
        let mut bytes = artefact.bytes().to_vec();
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()).max(1));
        }
        for (position, value) in edits {
            let position = position.index(bytes.len());
            bytes[position] = value;
        }
        if let Ok(mutated) = Artefact::from_bytes(bytes.clone().into()) {
            prop_assert_eq!(mutated.bytes(), &bytes);
            prop_assert_eq!(
                weights_sha256(mutated.model()).unwrap(),
                mutated.manifest().weights_sha256.clone()
            );
        }
    }

    /// Bytes are moved about inside a valid artefact, so that lengths and tags meet other content.
    #[test]
    fn spliced_artefacts_never_panic(
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
        length in 1usize..64,
    ) {
        let mut bytes = sample::tiny_artefact().bytes().to_vec();
        let from = from.index(bytes.len());
        let piece: Vec<u8> = bytes[from..].iter().take(length).copied().collect();
        let at = to.index(bytes.len());
        bytes.splice(at..at, piece);
        let _ = Artefact::from_bytes(bytes.into());
    }

    #[test]
    fn random_manifests_never_panic(text in "\\PC{0,200}") {
        prop_assert!(Manifest::from_json(&text).is_err());
    }
}
