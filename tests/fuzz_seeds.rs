//! What fuzzing starts from, and what it found, goes through the reader in every run.

use std::path::Path;

#[path = "../onnx/fuzz/steps.rs"]
mod steps;

#[test]
fn the_reader_survives_all_seeds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("onnx/fuzz/seeds");
    let (mut files, mut models) = (0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        files += 1;
        models += u32::from(steps::read(&bytes));
        // A file that ends early, and one with a byte turned over.
        steps::read(&bytes[..bytes.len() / 2]);
        let mut turned = bytes;
        if let Some(byte) = turned.get_mut(files) {
            *byte = !*byte;
        }
        steps::read(&turned);
    }
    println!("{models} models in {files} files");
    assert!(
        files >= 100 && models >= 80,
        "{models} models in {files} files"
    );
}
