//! What a case takes, and which part of it grows with what.

use std::path::PathBuf;

use ndarray::Array3;
use uniseg_imaging::{Extent, Geometry, SpacingMm, Volume};
use uniseg_onnx::sample;

use super::*;
use crate::{Device, Precision};

const CPU: ComputedOn = ComputedOn {
    device: Device::Cpu,
    precision: Precision::F32,
};

/// One task after another, one window at a time.
fn work<'a>(pieces: &'a Pieces, tasks: &'a [&'a Task]) -> MemoryUse<'a> {
    MemoryUse {
        pieces,
        on: PiecesOn {
            main: CPU,
            encoder: CPU,
        },
        tasks,
        options: WindowOptions::of(pieces.model().manifest()),
        together: 1,
        merged: false,
        waiting: 0,
        preview: false,
    }
}

fn case(z: usize) -> Case {
    let spacing = SpacingMm::from_zyx([3.0, 1.5, 1.5]).unwrap();
    let geometry = Geometry::axis_aligned(Extent::from_zyx([z, 20, 20]), spacing);
    let volume = Volume::new(Array3::zeros((z, 20, 20)), geometry).unwrap();
    Case::from_volumes(&[PathBuf::from("case")], vec![volume]).unwrap()
}

#[test]
fn sizes_are_read_as_people_write_them() {
    assert_eq!("4G".parse(), Ok(MemoryBound(4 << 30)));
    assert_eq!("1.5g".parse(), Ok(MemoryBound(3 << 29)));
    assert_eq!("800M".parse(), Ok(MemoryBound(800 << 20)));
    assert_eq!("4GiB".parse(), Ok(MemoryBound(4 << 30)));
    assert_eq!("2 tb".parse(), Ok(MemoryBound(2 << 40)));
    assert_eq!("512K".parse(), Ok(MemoryBound(512 << 10)));
    assert_eq!("100B".parse(), Ok(MemoryBound(100)));
    for bad in ["", "G", "-1G", "0", "4X", "GB", "4GG", "nanG", "infG"] {
        assert!(bad.parse::<MemoryBound>().is_err(), "{bad}");
    }
    let shown = |bytes| MemoryBound(bytes).to_string();
    assert_eq!(shown(3 << 29), "1.50 GiB");
    assert_eq!(shown(200 << 20), "200 MiB");
}

#[test]
fn sums_do_not_grow_with_the_length_of_the_volume() {
    let pieces = Pieces::from(Model::from(sample::tiny_artefact()));
    let task = &pieces.model().manifest().tasks[0];
    let [short, long] = [20, 200].map(|z| MemoryEstimate::of(&work(&pieces, &[task]), &case(z)));
    assert_eq!(long.sums, short.sums);
    assert_eq!(long.network, short.network);
    assert_eq!(long.images, 10 * short.images);
    // Depth 2 of 400 voxels each: two classes and a weight, and three slabs of two classes.
    assert_eq!(short.sums, 4 * 2 * 400 * (3 + 3 * 2));
    let tasks = [task];
    let mut mirrored = work(&pieces, &tasks);
    mirrored.options.mirror = true;
    let more = MemoryEstimate::of(&mirrored, &case(20)).sums - short.sums;
    assert_eq!(more, 4 * 2 * 24, "two classes of a window");
}

#[test]
fn tasks_that_run_together_need_sums_and_maps_each() {
    let pieces = Pieces::from(Model::from(sample::tiny_artefact()));
    let task = &pieces.model().manifest().tasks[0];
    let tasks = [task; 3];
    let case = case(20);
    let one = work(&pieces, &tasks);
    let three = MemoryUse { together: 3, ..one };
    let [alone, together] = [one, three].map(|work| MemoryEstimate::of(&work, &case));
    assert_eq!(together.labels, 3 * alone.labels);
    assert_eq!(
        together.sums - alone.sums,
        2 * 4 * 2 * 400 * 2,
        "two more sums, no more weights or slabs"
    );
    let merged = MemoryUse {
        merged: true,
        ..one
    };
    assert_eq!(MemoryEstimate::of(&merged, &case).done, alone.labels);
    let drawn = MemoryUse {
        preview: true,
        ..one
    };
    let picture = MemoryEstimate::of(&drawn, &case).peak() - alone.peak();
    assert_eq!(picture, 4 * 20 * 400, "the image in 32 bits");
    // Within a byte less than three need, two run together.
    let bound = MemoryBound(together.peak() - 1);
    assert_eq!(fit_memory(bound, three, &case).unwrap().together, 2);
    let bound = MemoryBound(together.peak());
    assert_eq!(fit_memory(bound, three, &case).unwrap().together, 3);
}

#[test]
fn what_computes_decides_what_weights_and_a_call_take() {
    let tiny = || Model::from(sample::tiny_artefact());
    let (whole, pair) = (Pieces::from(tiny()), Pieces::of(tiny(), Some(tiny())));
    let openvino = ComputedOn {
        device: Device::OpenVino,
        ..CPU
    };
    let (file, weights, logits) = (tiny().file_bytes(), 12 * 4, 24 * 3 * 4);
    // Image, scores and logits; the image in the engine's order, too.
    let (apart, joined) = (24 * 8 * 4 * 5 / 4, 24 * 10 * 4 * 9 / 8);
    for (pieces, on, opening, kept, network) in [
        (
            &whole,
            CPU,
            file + 2 * weights,
            file + 2 * weights,
            apart + logits,
        ),
        (
            &pair,
            CPU,
            3 * file + 4 * weights,
            2 * (file + 2 * weights),
            apart + logits,
        ),
        (
            &whole,
            openvino,
            OPENVINO + file + 3 * weights,
            OPENVINO + file + weights,
            joined + logits,
        ),
        (
            &pair,
            openvino,
            2 * OPENVINO + 3 * file + 4 * weights,
            2 * (OPENVINO + file + weights),
            joined + logits + joined - logits,
        ),
    ] {
        let tasks = [&pieces.model().manifest().tasks[0]];
        let work = MemoryUse {
            on: PiecesOn {
                main: on,
                encoder: on,
            },
            ..work(pieces, &tasks)
        };
        let found = MemoryEstimate::of(&work, &case(20));
        let found = (found.opening, found.weights, found.network);
        assert_eq!(found, (opening, kept, network), "{on}");
    }
}

#[test]
fn axes_shrink_one_after_another() {
    // x first (200), then y (120) beside it, then z (240) beside that.
    assert_eq!(between([4, 10, 10], [8, 6, 5]), 120 + 240);
    assert_eq!(between([4, 10, 10], [4, 10, 5]), 200);
    assert_eq!(between([4, 10, 10], [4, 10, 10]), 0);
}

#[test]
fn what_cannot_fit_is_refused_in_a_sentence() {
    let pieces = Pieces::from(Model::from(sample::tiny_artefact()));
    let task = &pieces.model().manifest().tasks[0];
    let tasks = [task];
    let work = work(&pieces, &tasks);
    let fit = |bound: &str| fit_memory(bound.parse().unwrap(), work, &case(20));
    assert_eq!(fit("1G").unwrap().options, work.options);
    let said = fit("50M").unwrap_err().to_string();
    assert!(
        said.starts_with("the case needs about 96 MiB, more than the 50 MiB allowed"),
        "{said}"
    );
}
