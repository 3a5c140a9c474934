//! `uniseg train` and `uniseg finetune`: they learn, they survive a kill and a full disk, and they
//! refuse what cannot be meant.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use uniseg_train::run::{EpochRecord, read_log};

use crate::support::program::{LIMITED, PROGRAM, shell};
use crate::support::{kept, names_in, uniseg};

/// Nobody waits longer for a checkpoint of a tiny network.
const PATIENCE: Duration = Duration::from_secs(120);

/// Phantoms of three tasks, a plan for the first two and one for the third, and a cache of all.
struct World {
    folder: PathBuf,
}

impl World {
    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    /// Arguments of a training on the cache into a folder of this name.
    fn train(&self, run: &str, more: &[&str]) -> Vec<String> {
        let (plan, cache, run) = (self.path("plan.json"), self.path("cache"), self.path(run));
        let fixed = [
            "train", "--plan", &plan, "--cache", &cache, "-o", &run, "--plain",
        ];
        fixed
            .iter()
            .chain(more)
            .map(|text| (*text).to_owned())
            .collect()
    }

    fn log(&self, run: &str) -> Vec<EpochRecord> {
        read_log(&self.folder.join(run)).unwrap()
    }

    /// Dice of the first label of every task on the held-out cases of a tasks file, for a run's last
    /// checkpoint.
    fn held_out_dice(&self, run: &str, tasks: &str) -> Vec<f64> {
        let (run, tasks) = (self.path(run), self.path(tasks));
        let text = uniseg([
            "evaluate", &run, "--tasks", &tasks, "--engine", "tract", "--json",
        ])
        .succeeds();
        let evaluation: Value = serde_json::from_str(&text).unwrap();
        let tasks = evaluation["tasks"].as_array().unwrap().iter();
        tasks
            .map(|task| task["labels"][0]["mean"]["dice"].as_f64().unwrap())
            .collect()
    }
}

const UNIVERSAL: [(&str, &str, &str); 2] = [
    ("spleen", "CT", "clip_-325_325_to_0_1"),
    ("prostate", "MR", "zscore"),
];
const NEW: [(&str, &str, &str); 1] = [("liver", "CT", "clip_-325_325_to_0_1")];

fn tasks_file(tasks: &[(&str, &str, &str)]) -> String {
    let task = |(name, modality, rule): &(&str, &str, &str)| {
        let number = match *name {
            "spleen" => 7,
            "prostate" => 9,
            _ => 1,
        };
        let labels = match number {
            1 => r#"["liver", "tumour"]"#.to_owned(),
            _ => format!("[\"{name}\"]"),
        };
        let spacing = match *modality {
            "MR" => "[7.0, 2.5, 2.5]",
            _ => "[10.0, 6.0, 6.0]",
        };
        format!(
            "[[task]]\nname = \"{name}\"\ndataset = \"Dataset{number:03}_{name}\"\n\
             spacing_zyx_mm = {spacing}\nlabels = {labels}\nempty_labels = \"keep\"\n\
             channels = [{{ modality = \"{modality}\", normalization = \"{rule}\" }}]\n"
        )
    };
    tasks.iter().map(task).collect()
}

fn world() -> &'static World {
    static MADE: OnceLock<World> = OnceLock::new();
    MADE.get_or_init(|| {
        let world = World {
            folder: kept("training"),
        };
        // What an earlier run of the tests left would be continued, not tested.
        fs::remove_dir_all(&world.folder).unwrap();
        fs::create_dir(&world.folder).unwrap();
        let root = world.path("");
        uniseg([
            "phantom", &root, "--cases", "8", "--size", "small", "--plain", "--task", "spleen",
            "prostate", "liver",
        ])
        .succeeds();
        let cache = world.path("cache");
        for (tasks, plan, content) in [
            ("tasks.toml", "plan.json", tasks_file(&UNIVERSAL)),
            ("new.toml", "new.json", tasks_file(&NEW)),
        ] {
            let (tasks, plan) = (world.path(tasks), world.path(plan));
            fs::write(&tasks, content).unwrap();
            uniseg([
                "plan", &tasks, "-o", &plan, "--patch", "16,48,48", "--base", "8",
            ])
            .succeeds();
            uniseg(["preprocess", &tasks, "--plan", &plan, "-o", &cache]).succeeds();
        }
        world
    })
}

/// The run that two tests look at: a minute of training.
fn learned() -> &'static str {
    static RUN: OnceLock<()> = OnceLock::new();
    RUN.get_or_init(|| {
        let more = [
            "--quick",
            "--epochs",
            "12",
            "--iterations",
            "25",
            "--no-augmentation",
        ];
        uniseg(world().train("learned", &more)).succeeds();
    });
    "learned"
}

#[test]
fn a_small_network_learns() {
    let log = world().log(learned());
    let (first, last) = (log[0].loss, log[log.len() - 1].loss);
    let dice = world().held_out_dice("learned", "tasks.toml");
    println!("loss {first:.3} in the first epoch, {last:.3} in the last; held-out Dice {dice:.3?}");
    assert!(last < 0.6 * first, "{first} {last}");
    // Spleen and prostate.
    assert!(dice[0] > 0.3 && dice[1] > 0.5, "{dice:?}");
    assert!(log.iter().all(|record| record.skipped_steps == 0));
}

#[test]
fn transferred_weights_beat_random_ones_after_as_many_steps() {
    let world = world();
    learned();
    let (from, plan, cache) = (
        world.path("learned"),
        world.path("new.json"),
        world.path("cache"),
    );
    let dice = ["finetuned", "scratch"].map(|run| {
        let output = world.path(run);
        let mut arguments = vec![
            "finetune",
            &from,
            "--plan",
            &plan,
            "--cache",
            &cache,
            "-o",
            &output,
            "--plain",
            "--quick",
            "--epochs",
            "4",
            "--iterations",
            "25",
            "--no-augmentation",
        ];
        if run == "scratch" {
            arguments.push("--from-scratch");
        }
        uniseg(arguments).succeeds();
        world.held_out_dice(run, "new.toml")[0]
    });
    println!(
        "liver after 100 steps: {:.3} fine-tuned, {:.3} from scratch",
        dice[0], dice[1]
    );
    assert!(dice[0] > dice[1], "{dice:?}");
}

/// Starts the program and returns it while it runs.
fn start(arguments: &[String]) -> Child {
    Command::new(PROGRAM)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn checkpoints(run: &Path) -> Vec<String> {
    match run.join("checkpoints").is_dir() {
        true => names_in(&run.join("checkpoints")),
        false => Vec::new(),
    }
}

/// Weights and training state of a run's last checkpoint, bit for bit.
fn last_state(run: &str) -> (Vec<u8>, String) {
    let checkpoints = world().folder.join(run).join("checkpoints");
    let last = checkpoints.join(names_in(&checkpoints).pop().unwrap());
    let weights = fs::read(last.join("weights.safetensors")).unwrap();
    // The header names where the tensors are; the order of its own entries means nothing.
    let (length, rest) = weights.split_first_chunk::<8>().unwrap();
    let tensors = rest[u64::from_le_bytes(*length) as usize..].to_vec();
    // It has the optimiser's digest in it.
    (
        tensors,
        fs::read_to_string(last.join("state.json")).unwrap(),
    )
}

#[test]
fn a_killed_run_continues_and_ends_with_the_same_weights() {
    let more = ["--epochs", "6", "--iterations", "4", "--seed", "3"];
    uniseg(world().train("whole", &more)).succeeds();
    let arguments = world().train("killed", &more);
    let run = world().folder.join("killed");
    // Killed as soon as there is a checkpoint, and again after another one.
    for wanted in 1..=2 {
        let mut child = start(&arguments);
        let begun = Instant::now();
        while world().log("killed").len() < 2 * wanted || checkpoints(&run).is_empty() {
            assert!(begun.elapsed() < PATIENCE, "no checkpoint came");
            sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    uniseg(arguments).succeeds();
    assert!(
        last_state("killed") == last_state("whole"),
        "not the same bits"
    );
    let steps = |run| -> Vec<u64> { world().log(run).iter().map(|r| r.iteration).collect() };
    assert_eq!(steps("killed"), steps("whole"));
    assert_eq!(steps("whole"), [4, 8, 12, 16, 20, 24]);
}

#[test]
fn a_full_disk_ends_the_run_and_leaves_the_checkpoints_before() {
    let more = ["--epochs", "2", "--iterations", "2"];
    let arguments = world().train("full", &more);
    let run = world().folder.join("full");
    let mut child = start(&arguments);
    let begun = Instant::now();
    while checkpoints(&run).iter().all(|name| name.starts_with('.')) {
        assert!(begun.elapsed() < PATIENCE, "no checkpoint came");
        sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = checkpoints(&run);
    let finished = before.len() == 2;
    if !finished {
        let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let failed = shell("sh", LIMITED, &texts);
        assert_eq!(failed.code, Some(2), "{}", failed.stderr);
        assert!(failed.stderr.contains("cannot write"), "{}", failed.stderr);
        let left = checkpoints(&run);
        let whole = |names: &[String]| names.iter().filter(|n| !n.starts_with('.')).count();
        assert_eq!(whole(&left), whole(&before));
    }
    uniseg(arguments).succeeds();
    assert_eq!(world().log("full").len(), 2);
}

#[test]
fn a_run_exports_as_its_checkpoint_does() {
    learned();
    let (run, model, other) = (
        world().path("learned"),
        world().path("run.onnx"),
        world().path("last.onnx"),
    );
    uniseg(["export", &run, "-o", &model]).succeeds();
    uniseg(["export", &format!("{run}/last"), "-o", &other]).succeeds();
    assert_eq!(fs::read(&model).unwrap(), fs::read(&other).unwrap());
    uniseg(["export", &format!("{run}/best"), "-o", &other]).succeeds();
}

#[test]
fn what_cannot_be_meant_is_refused_by_name() {
    let world = world();
    let config = world.path("typo.toml");
    fs::write(
        &config,
        "epochs = 3\n[augmentation.rotatoin]\nprobability = 1\n",
    )
    .unwrap();
    let train = |more: &[&str]| uniseg(world.train("refused", more));
    train(&["--config", &config]).refuses(&["typo.toml", "line 2", "rotatoin", "'rotation'"]);
    train(&["--epochs", "0"]).refuses(&["epochs is 0"]);
    // Where the program has CUDA, the machine that runs the tests has no GPU.
    let cuda = train(&["--device", "cuda"]);
    assert_eq!(cuda.code, Some(2));
    assert!(cuda.stderr.contains("device 'cuda:0'"), "{}", cuda.stderr);
    let (plan, nowhere) = (world.path("new.json"), world.path("nowhere"));
    uniseg([
        "train", "--plan", &plan, "--cache", &nowhere, "-o", &nowhere,
    ])
    .refuses(&["nowhere", "uniseg preprocess"]);
    let (cache, run) = (world.path("empty"), world.path("refused"));
    fs::create_dir_all(&cache).unwrap();
    uniseg(["train", "--plan", &plan, "--cache", &cache, "-o", &run]).refuses(&["liver"]);
    // Nothing was begun.
    assert!(!world.folder.join("refused/run.json").exists());
    // A folder that holds another run stays that run's.
    learned();
    uniseg(world.train(
        "learned",
        &[
            "--quick",
            "--epochs",
            "9",
            "--iterations",
            "25",
            "--no-augmentation",
        ],
    ))
    .refuses(&["other settings", "settings.epochs was 12, now 9"]);
}
