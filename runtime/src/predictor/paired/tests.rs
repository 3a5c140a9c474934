//! A pair in engines that leave features where they are, and in engines that do not.

use uniseg_onnx::sample;

use super::*;
use crate::{
    EngineKind, EngineOptions, Model, WholeModel,
    engine::open_bound,
    open_engine,
    testing::graphs::{decoder, encoder, whole, windows},
};

#[test]
fn a_pair_predicts_as_the_whole_wherever_its_features_lie() {
    let options = |kind| EngineOptions {
        kind,
        ..EngineOptions::default()
    };
    let open = |model: &Model, kind| open_engine(model, &options(kind)).unwrap().engine;
    let ort = |model: &Model| open(model, EngineKind::Ort);
    let tract = |model: &Model| open(model, EngineKind::Tract);
    let on_buffers = |model: &Model| open_bound(model, &options(EngineKind::Ort));
    let pairs = [
        (ort(&encoder()), ort(&decoder())),
        (on_buffers(&encoder()), on_buffers(&decoder())),
        // Nothing opens a pair so; it works all the same.
        (on_buffers(&encoder()), tract(&decoder())),
    ];
    let manifest = sample::tiny_manifest();
    let mut joined = ort(&whole());
    let mut joined = WholeModel::one_by_one(joined.as_mut(), &manifest.network);
    for (encoder, decoder) in pairs {
        let bound = match decoder.name().starts_with("tract") {
            true => 1e-5,
            false => 0.0,
        };
        let mut pair = PairedModel {
            encoder,
            decoder,
            network: manifest.network.clone(),
            batches: true,
        };
        for (seed, tasks) in [(0, [0, 1]), (1, [1, 0]), (2, [1, 1])] {
            let image = windows(1, seed);
            let mut expected = Vec::new();
            let mut keep = |_, mut logits: Logits<'_>| {
                expected.push(logits.view()?.to_owned());
                Ok(())
            };
            joined.logits(image.view(), &tasks, &mut keep).unwrap();
            let mut seen = 0;
            let mut each = |index: usize, mut found: Logits<'_>| {
                let apart = (&found.view()? - &expected[index]).mapv(f32::abs);
                let most = apart.iter().copied().fold(0.0, f32::max);
                assert!(most <= bound, "{seed} {index}: {most}");
                seen += 1;
                Ok(())
            };
            pair.logits(image.view(), &tasks, &mut each).unwrap();
            assert_eq!(seen, 2);
        }
    }
}
