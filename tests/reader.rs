//! Probe.

use crate::networks;
use burn_onnx::{LoadStrategy, ModelGen};
use prost::Message;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn probe_reader() {
    let folder = std::path::Path::new("/tmp/bo/gen");
    fs::create_dir_all(folder).unwrap();
    let mut all = vec![];
    for s in [
        networks::resnet::subject(),
        networks::mobilenet::subject(),
        networks::vit::subject(),
        networks::translation::subject(),
        networks::speech::subject(),
        networks::signal::subject(),
        networks::unet::subject(),
    ] {
        for open in [false, true] {
            let name = format!(
                "{}{}",
                s.name().replace('-', "_"),
                if open { "_open" } else { "" }
            );
            all.push((name, s.export(open).into_model("x").encode_to_vec()));
        }
    }
    for v in [uniseg_train::plan::Variant::Uniseg] {
        let plan = crate::variants::plans(v).remove(0).complete().unwrap();
        let c = uniseg_train::Checkpoint::random(plan, 5, &burn::prelude::Device::flex());
        all.push((
            "uniseg".into(),
            uniseg::bridge::artefact(&c).unwrap().bytes().to_vec(),
        ));
    }
    for (name, bytes) in all {
        let path = folder.join(format!("{name}.onnx"));
        fs::write(&path, bytes).unwrap();
        let r = catch_unwind(AssertUnwindSafe(|| {
            ModelGen::new()
                .input(path.to_str().unwrap())
                .out_dir(folder.to_str().unwrap())
                .load_strategy(LoadStrategy::Bytes)
                .run_from_cli();
        }));
        println!(
            "READ {name}: {:?}",
            r.map_err(|e| e.downcast_ref::<String>().cloned().unwrap_or_default())
        );
    }
}
