//! Which crate may know what: read from cargo and from the sources, not from good intentions.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Names of all packages that `package` is built from, tests and build scripts aside.
#[track_caller]
fn dependencies(package: &str, options: &[&str]) -> BTreeSet<String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(ROOT)
        .args([
            "tree",
            "--locked",
            "--offline",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .args(["--format", "{p}", "--package", package])
        .args(options)
        .output()
        .expect("cargo");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let names: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect();
    assert!(names.contains(package), "{text}");
    names
}

/// Whether a package is `family` or one of its parts, as in burn-flex.
fn is_of(name: &str, family: &str) -> bool {
    name == family
        || name
            .strip_prefix(family)
            .is_some_and(|rest| rest.starts_with('-'))
}

#[track_caller]
fn never_reaches(package: &str, options: &[&str], families: &[&str]) {
    let names = dependencies(package, options);
    for family in families {
        let reached: Vec<&String> = names
            .iter()
            .filter(|name| *name != package && is_of(name, family))
            .collect();
        assert!(reached.is_empty(), "{package} reaches {reached:?}");
    }
}

#[test]
fn crates_reach_only_what_lies_below_them() {
    never_reaches(
        "uniseg-imaging",
        &[],
        &["uniseg", "burn", "ort", "tract", "tract-onnx", "prost"],
    );
    never_reaches(
        "uniseg-onnx",
        &[],
        &["uniseg", "burn", "ort", "tract", "tract-onnx"],
    );
    never_reaches(
        "uniseg-train",
        &[],
        &["uniseg-onnx", "uniseg-export", "uniseg-runtime"],
    );
    never_reaches(
        "uniseg-train",
        &[],
        &["ort", "tract", "tract-onnx", "prost"],
    );
    never_reaches(
        "uniseg-export",
        &[],
        &["uniseg-train", "uniseg-runtime", "uniseg-imaging"],
    );
    never_reaches(
        "uniseg-runtime",
        &[],
        &["burn", "uniseg-train", "uniseg-export"],
    );
}

#[test]
fn the_deployment_build_has_no_training_in_it() {
    let families = ["burn", "uniseg-train", "uniseg-export"];
    never_reaches("uniseg", &["--no-default-features"], &families);
    let whole = dependencies("uniseg", &[]);
    for family in families {
        assert!(
            whole.iter().any(|name| is_of(name, family)),
            "the fence looks for {family}"
        );
    }
}

/// All Rust sources of the crates, with their paths from the root.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for package in ["", "imaging", "onnx", "train", "export", "runtime"] {
        collect(&Path::new(ROOT).join(package).join("src"), &mut found);
    }
    assert!(found.len() > 50, "{} sources", found.len());
    found
}

fn collect(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path
                .strip_prefix(ROOT)
                .unwrap()
                .to_string_lossy()
                .replace('\\', "/");
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The files whose code names one of `words` as words of their own; comments do not count.
fn naming(words: &[&str]) -> Vec<String> {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let names = |line: &str, word: &str| {
        line.match_indices(word).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + word.len()..].chars().next();
            !before.is_some_and(inside) && (word.ends_with(':') || !after.is_some_and(inside))
        })
    };
    let code = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| line.split("//").next().unwrap_or_default().to_owned())
            .collect()
    };
    let mut files: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| {
            code(text)
                .iter()
                .any(|line| words.iter().any(|word| names(line, word)))
        })
        .map(|(name, _)| name)
        .collect();
    files.sort();
    files
}

#[test]
fn foreign_libraries_are_named_in_one_file_each() {
    assert_eq!(
        naming(&["::ort::", "ort::session", "use ort::"]),
        [
            "runtime/src/engine/ort.rs",
            "runtime/src/engine/ort/binding.rs",
            "runtime/src/engine/ort/binding/buffer.rs",
            "runtime/src/engine/ort/in_file.rs",
            "runtime/src/engine/ort/in_file/tests.rs",
            "runtime/src/engine/ort/library.rs",
            "runtime/src/engine/ort/norm.rs",
            "runtime/src/engine/ort/norm/tests.rs",
            "runtime/src/engine/ort/open.rs",
            "runtime/src/engine/ort/stop.rs",
            "runtime/src/engine/ort/sums.rs",
            "runtime/src/engine/ort/values.rs"
        ]
    );
    assert_eq!(
        naming(&["tract_onnx", "tract_linalg", "tract_core"]),
        ["runtime/src/engine/tract.rs"]
    );
    let cuda = naming(&["cudarc"]);
    assert!(
        cuda.iter()
            .all(|name| name.starts_with("runtime/src/engine/gpu")),
        "{cuda:?}"
    );
    assert_eq!(
        naming(&["backend::Capture", "capture_scope", "GraphIr"]),
        ["export/src/capture.rs"]
    );
    let nifti = naming(&["::nifti::", "use nifti::"]);
    assert!(
        nifti
            .iter()
            .all(|name| name.starts_with("imaging/src/format/nifti/")),
        "{nifti:?}"
    );
    let protobuf = naming(&["prost"]);
    assert!(
        protobuf.iter().all(|name| name.starts_with("onnx/src/")),
        "{protobuf:?}"
    );
}

/// burn's generator is the process's: who draws from it without a lock changes what a seed makes in
/// another thread.
#[test]
fn burns_generator_is_used_in_one_file() {
    assert_eq!(
        naming(&["device.seed", "Distribution", "Tensor::random"]),
        ["train/src/model.rs"]
    );
}

#[test]
fn no_source_is_too_long_for_a_head() {
    /// Two tables of wire formats are longer than a screenful can be.
    const LONGEST: usize = 560;
    let long: Vec<String> = sources()
        .into_iter()
        .map(|(name, text)| (name, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(name, lines)| format!("{name}: {lines}"))
        .collect();
    assert!(long.is_empty(), "{long:?}");
}

/// Every `path/like/this.rs` or `folder/` in backticks in a document is there.
#[test]
fn documents_name_only_what_exists() {
    let root = PathBuf::from(ROOT);
    let mut documents: Vec<PathBuf> = ["ARCHITECTURE.md", "README.md", "export/README.md"]
        .iter()
        .map(|name| root.join(name))
        .collect();
    for folder in ["docs", "benches"] {
        let entries = fs::read_dir(root.join(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        documents.extend(paths.filter(|path| path.extension().is_some_and(|end| end == "md")));
    }
    assert!(documents.len() > 10, "{documents:?}");
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        let shown = document.display();
        let quoted = text.split('`').skip(1).step_by(2);
        for name in quoted.filter(|word| looks_like_a_path(word)) {
            assert!(root.join(name).exists(), "{shown} names {name}");
        }
        let links = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("http")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => document.clone(),
                _ => document.parent().unwrap().join(file),
            };
            assert!(target.exists(), "{shown} links to {file}");
            if !heading.is_empty() {
                let text = fs::read_to_string(&target).unwrap();
                let found = text
                    .lines()
                    .filter_map(anchor)
                    .any(|known| known == heading);
                assert!(
                    found,
                    "{shown} links to {link}, where there is no such heading"
                );
            }
        }
    }
}

/// What a link to a heading is called, if the line is one: as code hosts make it of its text.
fn anchor(line: &str) -> Option<String> {
    let marks = line.strip_prefix('#')?;
    let text = marks.trim_start_matches('#').strip_prefix(' ')?;
    let kept = text.to_lowercase().replace(' ', "-");
    let kept = kept
        .chars()
        .filter(|c| c.is_alphanumeric() || "-_".contains(*c));
    Some(kept.collect())
}

fn looks_like_a_path(word: &str) -> bool {
    const FOLDERS: [&str; 8] = [
        "src", "imaging", "onnx", "train", "export", "runtime", "tests", "benches",
    ];
    let plain = word
        .chars()
        .all(|c| c.is_alphanumeric() || "_-./".contains(c));
    plain
        && word
            .split_once('/')
            .is_some_and(|(first, _)| FOLDERS.contains(&first))
}
