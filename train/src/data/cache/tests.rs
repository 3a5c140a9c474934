use std::path::{Path, PathBuf};

use ndarray::{Array3, Array4, s};

use super::*;
use crate::data::DataError;

fn case() -> (Array4<f32>, Array3<i16>, Locations) {
    let image = Array4::from_shape_fn((2, 3, 4, 5), |(c, z, y, x)| {
        (1000 * c + 100 * z + 10 * y + x) as f32 + 0.5
    });
    let label = Array3::from_shape_fn((3, 4, 5), |(z, y, x)| (z + y + x) as i16 - 1);
    (
        image,
        label,
        vec![(1, vec![[0, 1, 1], [2, 0, 0]]), (3, vec![[2, 1, 1]])],
    )
}

fn write(folder: &Path) -> PathBuf {
    let (image, label, locations) = case();
    let path = folder.join("a.safetensors");
    let description = CaseDescription {
        format_version: FORMAT_VERSION,
        name: "a".into(),
        key: "k".into(),
        content_sha256: String::new(),
        spacing_zyx_mm: [3.0, 1.5, 1.25],
        original_zyx: [9, 9, 9],
        crop_start_zyx: [0; 3],
        crop_end_zyx: [9; 3],
        locations: Vec::new(),
    };
    let new = NewCase {
        description,
        image: image.view(),
        label: label.view(),
        locations: &locations,
    };
    write_case(&path, new).unwrap();
    path
}

#[test]
fn a_case_reads_back_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path());
    let (image, label, _) = case();
    let read = CachedCase::open(&path).unwrap();
    assert_eq!(read.whole(), Block { image, label });
    assert_eq!((read.channels(), read.extent_zyx()), (2, [3, 4, 5]));
    assert_eq!(read.description().spacing_zyx_mm, [3.0, 1.5, 1.25]);
    assert_eq!(read.foreground().collect::<Vec<_>>(), [1, 3]);
    assert_eq!(
        [0, 1, 2, 3].map(|label| read.location_count(label)),
        [0, 2, 0, 1]
    );
    assert_eq!(read.location(1, 1), Some([2, 0, 0]));
    assert_eq!(read.location(3, 0), Some([2, 1, 1]));
    assert_eq!((read.location(3, 1), read.location(2, 0)), (None, None));
    read.verify().unwrap();
    // The same bytes for the same case, and readable for any safetensors reader.
    let bytes = std::fs::read(&path).unwrap();
    write(folder.path());
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.tensor("label").unwrap().shape(), [3, 4, 5]);
}

#[test]
fn a_block_may_lie_across_any_border() {
    let folder = tempfile::tempdir().unwrap();
    let read = CachedCase::open(&write(folder.path())).unwrap();
    let (image, label, _) = case();
    // A generous frame around the case, to cut the expectation from.
    let mut wide_image = Array4::zeros((2, 23, 24, 25));
    wide_image
        .slice_mut(s![.., 10..13, 10..14, 10..15])
        .assign(&image);
    let mut wide_label = Array3::from_elem((23, 24, 25), OUTSIDE);
    wide_label
        .slice_mut(s![10..13, 10..14, 10..15])
        .assign(&label);
    for start in [
        [0, 0, 0],
        [-1, 2, -3],
        [2, -9, 4],
        [-9, -9, -9],
        [3, 0, 0],
        [-2, -2, -2],
        [8, 8, 8],
    ] {
        for size in [[1, 1, 1], [2, 3, 2], [5, 6, 7], [0, 2, 2]] {
            let block = read.block(start, size);
            let [z, y, x] = [0, 1, 2].map(|axis| {
                let first = (start[axis] + 10) as usize;
                first..first + size[axis]
            });
            assert_eq!(
                block.image,
                wide_image.slice(s![.., z.clone(), y.clone(), x.clone()])
            );
            assert_eq!(
                block.label,
                wide_label.slice(s![z, y, x]),
                "{start:?} {size:?}"
            );
        }
    }
    assert!(
        read.block([isize::MIN, 0, isize::MAX], [2, 2, 2])
            .image
            .iter()
            .all(|v| *v == 0.0)
    );
}

#[test]
fn torn_and_foreign_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path());
    let good = std::fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let with = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let text = String::from_utf8(good[..header].to_vec())
            .unwrap()
            .replacen(from, to, 1);
        [text.as_bytes(), &good[header..]].concat()
    };
    for (bytes, what) in [
        (Vec::new(), "empty"),
        (good[..5].to_vec(), "in the length"),
        (good[..header - 3].to_vec(), "in the header"),
        (good[..good.len() - 1].to_vec(), "in the tensors"),
        ([&good[..], &[0]].concat(), "too long"),
        (with("\"image\"", "\"imane\""), "no image"),
        (with("\"F32\"", "\"I32\""), "other type"),
        (with("[2,3,4,5]", "[2,3,5,4]"), "other shapes"),
        (with("[1,2],[3,1]", "[1,1],[3,1]"), "fewer locations"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let error = CachedCase::open(&path).unwrap_err();
        assert!(
            matches!(error, DataError::TornCache { .. }),
            "{what}: {error}"
        );
        assert!(error.to_string().ends_with("preprocess again"), "{error}");
    }
    std::fs::write(&path, with("format_version\\\":1", "format_version\\\":9")).unwrap();
    let error = CachedCase::open(&path).unwrap_err();
    assert!(
        matches!(error, DataError::NewerCache { found: 9, .. }),
        "{error}"
    );

    let mut flipped = good.clone();
    flipped[header + 9] ^= 1;
    std::fs::write(&path, flipped).unwrap();
    let error = CachedCase::open(&path).unwrap().verify().unwrap_err();
    assert!(
        error.to_string().contains("does not match its sha256"),
        "{error}"
    );
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(CachedCase::open(&path), Err(DataError::Io { .. })));
}
