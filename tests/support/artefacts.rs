//! Artefacts that several tests use, made once in a run by the program itself.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::{Golden, kept, ort, uniseg};

/// The smallest artefact there is.
pub fn tiny() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let path = kept("artefacts").join("tiny.onnx");
        uniseg_onnx::sample::tiny_artefact()
            .save(&path)
            .expect("a writable target folder");
        path
    })
}

/// The trained reference checkpoint, imported with its own plan.
pub fn trained(golden: &Golden) -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let plan = golden.path("uniseg-trained/plan.json");
        compile(golden, "uniseg-trained", &plan)
    })
}

/// The small random checkpoint, for whose tasks the reference used CT at 3 mm.
pub fn small(golden: &Golden) -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let plan = kept("artefacts").join("uniseg-small-plan.json");
        let text = small_plan(golden).to_string();
        std::fs::write(&plan, text).expect("a writable target folder");
        compile(golden, "uniseg-small", &plan)
    })
}

/// The small network's plan with tasks: classes as in the paper, everything else as the reference.
fn small_plan(golden: &Golden) -> Value {
    let mut plan: Value = golden.json("uniseg-small/model.json");
    let classes = [3, 3, 3, 3, 2, 2, 2, 2, 2, 4, 2];
    let task = |(id, classes): (usize, usize)| {
        let labels: Vec<String> = (0..classes).map(|label| format!("label{label}")).collect();
        json!({
            "id": id, "name": format!("task{id}"), "labels": labels, "channels": ["CT"],
            "spacing_zyx_mm": [3.0, 3.0, 3.0], "normalization": ["clip_-325_325_to_0_1"],
        })
    };
    plan["tasks"] = classes.into_iter().enumerate().map(task).collect();
    plan
}

fn compile(golden: &Golden, name: &str, plan: &Path) -> PathBuf {
    ort::library();
    let folder = kept("artefacts");
    let checkpoint = folder.join(name);
    let model = folder.join(format!("{name}.onnx"));
    let official = golden.path(&format!("{name}/model_final_checkpoint.model"));
    uniseg([
        "import".as_ref(),
        official.as_os_str(),
        "--plan".as_ref(),
        plan.as_os_str(),
        "-o".as_ref(),
        checkpoint.as_os_str(),
    ])
    .succeeds();
    uniseg([
        "export".as_ref(),
        checkpoint.as_os_str(),
        "-o".as_ref(),
        model.as_os_str(),
    ])
    .succeeds();
    model
}
