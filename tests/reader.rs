//! A third reader: burn's own ONNX importer turns our files back into networks of burn, which compute
//! what the originals do.
//!
//! The importer writes Rust source. It is kept under `tests/reader/`, compiled into this program,
//! and must be what the importer makes of today's files. After a change of the compiler write it
//! anew, twice, since the second run compiles what the first one wrote:
//! `UPDATE_READER=1 cargo test --release --workspace --test main -- reader`.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::LazyLock;

use burn::prelude::*;
use burn::tensor::Bytes;
use burn_onnx::{LoadStrategy, ModelGen};
use prost::Message;
use uniseg::bridge::{self, Batch, Request};
use uniseg_export::Precision;
use uniseg_imaging::ndarray::ArrayD;
use uniseg_runtime::{Model, Tensor as Found, random_patch};
use uniseg_train::plan::Variant;
use uniseg_train::{Checkpoint, Deploy};

use crate::checker::kinds::int8;
use crate::networks::subject::{array, floats, tokens};
use crate::networks::{Subject, mobilenet, resnet, signal, speech, translation, unet, vit};
use crate::support::compare::same_math;
use crate::variants::plans;

/// The importer's source of a file and the weights beside it.
struct Import {
    source: String,
    weights: Bytes,
}

/// Reads a file as a user of the importer would.
fn import(name: &str, file: &[u8]) -> Result<Import, String> {
    // The importer would write its log over the tests' output, unless there is a subscriber already.
    static QUIET: LazyLock<()> = LazyLock::new(|| {
        let nobody = tracing_core::Dispatch::none();
        tracing_core::dispatcher::set_global_default(nobody).ok();
    });
    LazyLock::force(&QUIET);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |extension: &str| folder.path().join(name).with_extension(extension);
    fs::write(path("onnx"), file).expect("a disk");
    let run = || {
        ModelGen::new()
            .input(path("onnx").to_str().expect("a path in Unicode"))
            .out_dir(folder.path().to_str().expect("a path in Unicode"))
            .load_strategy(LoadStrategy::Bytes)
            .run_from_cli();
    };
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(_) => "the importer panicked".to_owned(),
    })?;
    let source = fs::read_to_string(path("rs")).expect("the importer's source");
    // The first line names the file that was read.
    let source = source.split_once('\n').map_or("", |(_, rest)| rest);
    let weights = fs::read(path("bpk")).expect("the importer's weights");
    Ok(Import {
        source: source.to_owned(),
        weights: Bytes::from_bytes_vec(weights),
    })
}

/// The weights that the importer finds in a file, after a check that its source is the compiled one.
#[track_caller]
fn weights(name: &str, file: &[u8], compiled: &str) -> Bytes {
    let Import { source, weights } =
        import(name, file).unwrap_or_else(|error| panic!("{name}: {error}"));
    if std::env::var_os("UPDATE_READER").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reader");
        fs::write(path.join(name).with_extension("rs"), &source).expect("a writable checkout");
    }
    assert!(
        source == compiled,
        "{name}: the importer makes another source of today's file; set UPDATE_READER=1, twice"
    );
    weights
}

/// A network through the importer and back, at some batches.
#[track_caller]
fn reads_back(
    subject: &Subject,
    open: bool,
    name: &str,
    compiled: &str,
    run: fn(Bytes, &Found) -> ArrayD<f32>,
) {
    let file = subject.export(open).into_model(name).encode_to_vec();
    let weights = weights(name, &file, compiled);
    let batches: &[usize] = if open { &[1, 3, 5] } else { &[2, 2] };
    for (seed, &batch) in batches.iter().enumerate() {
        let input = subject.input(batch, seed);
        let found = run(weights.clone(), &input);
        subject.close("burn-onnx", &found, &subject.expected(&input));
    }
}

/// The importer's source of each network, a module each, and its test.
macro_rules! networks {
    ($($name:ident: $subject:expr, open: $open:expr, of $input:ident;)*) => {$(
        #[allow(clippy::all, unused)]
        mod $name {
            use burn::store as burn_store;
            include!(concat!("reader/", stringify!($name), ".rs"));
        }

        #[test]
        fn $name() {
            let compiled = include_str!(concat!("reader/", stringify!($name), ".rs"));
            reads_back(&$subject, $open, stringify!($name), compiled, |weights, input| {
                let network = $name::Model::from_bytes(weights, &Device::flex());
                array(network.forward($input(input)))
            });
        }
    )*};
}

networks! {
    resnet_18: resnet::subject(), open: true, of floats;
    mobilenet_v2: mobilenet::subject(), open: true, of floats;
    vision_transformer: vit::subject(), open: true, of floats;
    encoder: translation::subject(), open: true, of tokens;
    // Unrolled and for one batch, which is long enough.
    bi_lstm: speech::of_frames(4), open: false, of floats;
    m5: signal::subject(), open: true, of floats;
    u_net: unet::subject(), open: true, of floats;
}

#[allow(clippy::all, unused)]
mod uniseg_tiny {
    use burn::store as burn_store;
    include!("reader/uniseg_tiny.rs");
}

/// UniSeg in few channels.
fn checkpoint() -> Checkpoint {
    let plan = plans(Variant::Uniseg).remove(0).complete().unwrap();
    Checkpoint::random(plan, 5, &Device::flex())
}

#[test]
fn uniseg_tiny() {
    let checkpoint = checkpoint();
    let model = Model::from(bridge::artefact(&checkpoint).unwrap());
    let compiled = include_str!("reader/uniseg_tiny.rs");
    let weights = weights("uniseg_tiny", model.bytes(), compiled);
    let imported = uniseg_tiny::Model::from_bytes(weights, &Device::flex());
    let original = Deploy::new(checkpoint.network.clone());
    for task in &model.manifest().tasks {
        let image = Found::F32(random_patch(model.manifest(), task, 1).into_dyn());
        let id = || Tensor::<1, Int>::from_ints([task.id as i64], &Device::flex());
        let found = array(imported.forward(floats(&image), id()));
        let expected = array(original.forward(floats(&image), id()));
        same_math(
            &format!("{}, burn-onnx", task.name),
            found.view(),
            expected.view(),
        );
    }
}

/// Other files of the same network, read only.
#[test]
fn what_the_importer_cannot_read_is_known() {
    let checkpoint = checkpoint();
    let special = |request: Request| bridge::compile_for(&checkpoint, &request).unwrap().artefact;
    let pair = bridge::compile_pair(&checkpoint, &Request::default()).unwrap();
    let liver = Request {
        tasks: vec!["liver".into()],
        ..Request::default()
    };
    let open = Request {
        batch: Batch::Open,
        ..Request::default()
    };
    let of = |precision| Request {
        precision,
        ..Request::default()
    };
    // burn-onnx 0.22 takes every constant of integers for one of 64 bits.
    let bytes = "UnsupportedConversion { from: U8, to: I64 }";
    for (what, artefact, refusal) in [
        ("one task", special(liver), None),
        ("open batch", special(open), None),
        ("encoder", pair.encoder.artefact, None),
        ("decoder", pair.decoder.artefact, None),
        ("f16", special(of(Precision::F16)), None),
        ("bf16", special(of(Precision::BF16)), None),
        ("int8", int8(&checkpoint).artefact, Some(bytes)),
    ] {
        match (import("model", artefact.bytes()), refusal) {
            (Ok(_), None) => {}
            (Err(error), Some(refusal)) => assert!(error.contains(refusal), "{what}: {error}"),
            (Ok(_), Some(refusal)) => panic!("{what} is read, though {refusal}"),
            (Err(error), None) => panic!("{what}: {error}"),
        }
    }
}
