//! Input that is wrong, through the program: exit code 2, a sentence that says what is wrong,
//! nothing written, never a panic. The kinds of NIfTI damage are in `nifti_bad`, one by one.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use uniseg_imaging::write_image;

use crate::nifti_bad::builder::{Header, VOXELS, gzip, sample};
use crate::support::{Run, artefacts, golden, names_in, uniseg};

/// A folder of inputs, and one in which nothing may appear.
struct Bench {
    inputs: TempDir,
    outputs: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            inputs: tempfile::tempdir().unwrap(),
            outputs: tempfile::tempdir().unwrap(),
        }
    }

    fn input(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.inputs.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// A sound image, for when something else is wrong.
    fn image(&self) -> PathBuf {
        self.input("image.nii.gz", &gzip(&sample()))
    }

    fn segment(&self, model: &Path, images: &[&Path], more: &[&str]) -> Run {
        let output = self.outputs.path().join("labels.nii.gz");
        let mut arguments: Vec<&str> = vec!["segment", model.to_str().unwrap()];
        arguments.extend(images.iter().map(|image| image.to_str().unwrap()));
        arguments.extend(["--engine", "tract", "-o", output.to_str().unwrap()]);
        arguments.extend(more);
        uniseg(arguments)
    }

    #[track_caller]
    fn refuses(&self, run: Run, words: &[&str]) {
        run.refuses(words);
        assert_eq!(
            names_in(self.outputs.path()),
            [] as [&str; 0],
            "something was written"
        );
    }

    #[track_caller]
    fn refuses_image(&self, name: &str, bytes: &[u8], words: &[&str]) {
        let image = self.input(name, bytes);
        let run = self.segment(artefacts::tiny(), &[&image], &["--task", "blob"]);
        let words: Vec<&str> = words.iter().copied().chain([name]).collect();
        self.refuses(run, &words);
    }

    #[track_caller]
    fn refuses_model(&self, name: &str, bytes: &[u8], words: &[&str]) {
        let model = self.input(name, bytes);
        let words: Vec<&str> = words.iter().copied().chain([name]).collect();
        let run = self.segment(&model, &[&self.image()], &["--task", "blob"]);
        self.refuses(run, &words);
        uniseg(["inspect", model.to_str().unwrap()]).refuses(&words);
        uniseg(["verify", model.to_str().unwrap()]).refuses(&words);
    }
}

/// `bytes` with the one occurrence of `from` replaced by as many bytes.
#[track_caller]
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> = (0..bytes.len() - from.len())
        .filter(|&at| bytes[at..].starts_with(from))
        .collect();
    let [at] = places[..] else {
        panic!("{} occurrences", places.len())
    };
    let mut bytes = bytes.to_vec();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

#[test]
fn damaged_image_files() {
    let bench = Bench::new();
    let good = gzip(&sample());
    bench.refuses_image("cut.nii.gz", &good[..good.len() / 2], &["truncated"]);
    let mut checksum = good.clone();
    checksum[good.len() - 5] ^= 0x40;
    bench.refuses_image("checksum.nii.gz", &checksum, &["checksum"]);
    bench.refuses_image("empty.nii.gz", b"", &["empty"]);
    bench.refuses_image("text.nii.gz", &[b'x'; 1000], &["not a nifti"]);
    let absurd = Header::nifti1().shape(&[32767; 3]).with_voxels(VOXELS);
    bench.refuses_image("claims.nii", &absurd, &["claims", "holds"]);
    bench.refuses_image("claims.nii.gz", &gzip(&absurd), &["claims", "holds"]);
}

#[test]
fn images_that_cannot_be_meant() {
    let bench = Bench::new();
    let bits = Header::nifti1().datatype(4, 32).with_voxels(VOXELS);
    bench.refuses_image("bits.nii", &bits, &["16 bits", "32"]);
    let rgb = Header::nifti1().datatype(128, 24).with_voxels(2 * VOXELS);
    bench.refuses_image("rgb.nii", &rgb, &["rgb", "not supported"]);
    let series = Header::nifti1()
        .shape(&[4, 3, 2, 2])
        .with_voxels(2 * VOXELS);
    bench.refuses_image("series.nii", &series, &["three-dimensional", "4, 3, 2, 2"]);
    for (name, size) in [("zero.nii", 0.0), ("nan.nii", f64::NAN)] {
        let spacing = Header::nifti1().spacing(2, size).with_voxels(VOXELS);
        bench.refuses_image(name, &spacing, &["voxel size", "positive"]);
    }
    let blank = write_blank(&bench);
    let run = bench.segment(artefacts::tiny(), &[&blank], &["--task", "blob"]);
    bench.refuses(run, &["empty", "zero"]);
}

fn write_blank(bench: &Bench) -> PathBuf {
    use uniseg_imaging::{Extent, Geometry, SpacingMm, Volume, ndarray::Array3};
    let spacing = SpacingMm::from_zyx([1.0; 3]).unwrap();
    let geometry = Geometry::axis_aligned(Extent::from_zyx([4, 5, 6]), spacing);
    let volume = Volume::new(Array3::zeros((4, 5, 6)), geometry).unwrap();
    let path = bench.inputs.path().join("blank.nii.gz");
    write_image(&path, &volume).unwrap();
    path
}

#[test]
fn several_gzip_members_are_one_image() {
    let bench = Bench::new();
    let whole = bench.image();
    let file = sample();
    let members = [
        gzip(&file[..100]),
        gzip(&file[100..370]),
        gzip(&file[370..]),
    ]
    .concat();
    let parts = bench.input("members.nii.gz", &members);
    let labels = |image: &Path| {
        bench
            .segment(artefacts::tiny(), &[image], &["--task", "blob"])
            .succeeds();
        fs::read(bench.outputs.path().join("labels.nii.gz")).unwrap()
    };
    assert!(
        labels(&whole) == labels(&parts),
        "a later member was not read"
    );
}

#[test]
fn the_wrong_images_for_a_task() {
    let bench = Bench::new();
    let image = bench.image();
    let tiny = artefacts::tiny();
    let two = bench.segment(tiny, &[&image, &image], &["--task", "blob"]);
    bench.refuses(two, &["blob", "1 image", "CT", "found 2"]);
    let one = bench.segment(tiny, &[&image], &["--task", "1"]);
    bench.refuses(one, &["two-channel blob", "2 image", "MR, MR", "found 1"]);

    let bigger = Header::nifti1().shape(&[4, 3, 3]).with_voxels(VOXELS + 12);
    let bigger = bench.input("bigger.nii", &bigger);
    let run = bench.segment(tiny, &[&image, &bigger], &["--task", "1"]);
    bench.refuses(run, &["image.nii.gz", "bigger.nii", "grid", "voxels"]);
    let rows = [
        [1.0, 0.0, 0.0, 9.0],
        [0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0],
    ];
    let moved = Header::nifti1().sform(rows).with_voxels(VOXELS);
    let moved = bench.input("moved.nii", &moved);
    let run = bench.segment(tiny, &[&image, &moved], &["--task", "1"]);
    bench.refuses(run, &["image.nii.gz", "moved.nii", "grid", "mm away"]);

    let run = bench.segment(
        tiny,
        &[&bench.inputs.path().join("absent.nii")],
        &["--task", "0"],
    );
    bench.refuses(run, &["absent.nii", "no such file"]);
    let run = bench.segment(tiny, &[&image, bench.inputs.path()], &["--task", "1"]);
    bench.refuses(run, &["not a regular file"]);
}

#[test]
fn the_wrong_request() {
    let bench = Bench::new();
    let image = bench.image();
    let tiny = artefacts::tiny();
    let task = |name| bench.segment(tiny, &[&image], &["--task", name]);
    bench.refuses(task("blop"), &["\"blop\"", "did you mean \"blob\"?"]);
    bench.refuses(task("9"), &["no task \"9\"", "blob"]);
    bench.refuses(task("all:PET"), &["PET", "CT"]);
    for step in ["0", "1.5", "nan", "0.01"] {
        let run = bench.segment(tiny, &[&image], &["--task", "0", "--step", step]);
        bench.refuses(run, &["step"]);
    }
    uniseg(["verify", tiny.to_str().unwrap(), "--tolerance", "nan"]).refuses(&["--tolerance"]);
    let library = bench.input("libonnxruntime.so", b"no library");
    let asked = [
        "--task",
        "0",
        "--engine",
        "ort",
        "--ort-lib",
        library.to_str().unwrap(),
    ];
    let more: Vec<&str> = asked.into_iter().collect();
    let output = bench.outputs.path().join("labels.nii.gz");
    let fixed = [
        "segment",
        tiny.to_str().unwrap(),
        image.to_str().unwrap(),
        "-o",
    ];
    let run = uniseg(
        fixed
            .into_iter()
            .chain([output.to_str().unwrap()])
            .chain(more),
    );
    bench.refuses(run, &["libonnxruntime.so", "--ort-lib"]);
}

#[test]
fn places_that_cannot_be_written() {
    let bench = Bench::new();
    let image = bench.image();
    let model = artefacts::tiny();
    let segment = |output: &Path| {
        uniseg([
            "segment",
            model.to_str().unwrap(),
            image.to_str().unwrap(),
            "--task",
            "0",
            "--engine",
            "tract",
            "-o",
            output.to_str().unwrap(),
        ])
    };
    let run = segment(&bench.outputs.path().join("absent/labels.nii.gz"));
    bench.refuses(run, &["absent", "does not exist"]);
    let file = bench.input("file", b"");
    bench.refuses(segment(&file), &["file", "name a folder"]);
    let labels = bench.outputs.path().join("labels.nii.gz");
    let labels = labels.to_str().unwrap();
    for option in ["--statistics", "--preview"] {
        let run = bench.segment(model, &[&image], &["--task", "0", option, labels]);
        bench.refuses(run, &["two outputs", "labels.nii.gz"]);
    }
    // A folder is made for results, not for failures.
    fs::write(&image, b"no longer an image").unwrap();
    bench.refuses(
        segment(&bench.outputs.path().join("folder")),
        &["not a nifti"],
    );
    bench.image();
    let before = fs::read(&image).unwrap();
    bench.refuses(segment(&image), &["is an input"]);
    assert!(fs::read(&image).unwrap() == before, "the input was changed");
}

#[test]
fn models_that_are_none() {
    let bench = Bench::new();
    let good = fs::read(artefacts::tiny()).unwrap();
    bench.refuses_model("text.onnx", &[b'x'; 4096], &["not an onnx model"]);
    bench.refuses_model("empty.onnx", b"", &["not an onnx model"]);
    bench.refuses_model("cut.onnx", &good[..good.len() / 2], &["not an onnx model"]);
    let without = replaced(&good, b"uniseg.manifest", b"uniseg.manifes_");
    bench.refuses_model(
        "foreign.onnx",
        &without,
        &["uniseg.manifest", "uniseg export"],
    );
    let newer = replaced(&good, b"\"schema_version\":1", b"\"schema_version\":7");
    bench.refuses_model("newer.onnx", &newer, &["version 7", "update the program"]);
    // The second weight, -0.5, becomes -0.25.
    let row = |second: f32| [(-1.0_f32).to_le_bytes(), second.to_le_bytes()].concat();
    let edited = replaced(&good, &row(-0.5), &row(-0.25));
    bench.refuses_model("edited.onnx", &edited, &["sha256", "damaged"]);
    let absent = bench.inputs.path().join("absent.onnx");
    let run = bench.segment(&absent, &[&bench.image()], &["--task", "0"]);
    bench.refuses(run, &["absent.onnx", "no such file"]);
}

#[test]
fn checkpoints_that_are_none() {
    let bench = Bench::new();
    let output = bench.outputs.path().join("checkpoint");
    let import = |checkpoint: &Path, plan: &str| {
        uniseg([
            "import",
            checkpoint.to_str().unwrap(),
            "--plan",
            plan,
            "-o",
            output.to_str().unwrap(),
        ])
    };
    let mut noise = 1_u32;
    let noise: Vec<u8> = (0..50_000)
        .map(|_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8
        })
        .collect();
    let pickle = [b"\x80\x02}q\x00.".as_slice(), &noise].concat();
    let files = [
        ("empty", &[][..]),
        ("noise", &noise),
        ("zip", b"PK\x03\x04"),
        ("pickle", &pickle),
    ];
    for (name, bytes) in files {
        let path = bench.input(&format!("{name}.model"), bytes);
        bench.refuses(
            import(&path, "paper"),
            &[&format!("{name}.model"), "not a pytorch checkpoint"],
        );
    }
    bench.refuses(
        import(&bench.inputs.path().join("absent.model"), "paper"),
        &["no such file"],
    );
    let path = bench.input("noise.model", &noise);
    bench.refuses(
        import(&path, "absent.json"),
        &["absent.json", "no such file"],
    );
    for (name, text, words) in [
        ("broken.json", "{", vec!["not a valid plan"]),
        ("few.json", "{}", vec!["not a valid plan", "missing field"]),
    ] {
        let plan = bench.input(name, text.as_bytes());
        bench.refuses(import(&path, plan.to_str().unwrap()), &words);
    }
}

#[test]
fn checkpoints_of_another_network() {
    let Some(golden) = golden("checkpoints_of_another_network") else {
        return;
    };
    let bench = Bench::new();
    let good = golden.path("uniseg-small/model_final_checkpoint.model");
    let output = bench.outputs.path().join("checkpoint");
    let import = |checkpoint: &Path, plan: &Path| {
        uniseg([
            "import",
            checkpoint.to_str().unwrap(),
            "--plan",
            plan.to_str().unwrap(),
            "-o",
            output.to_str().unwrap(),
        ])
    };
    let own = golden.path("uniseg-small/model.json");
    let others = golden.path("uniseg-trained/plan.json");
    bench.refuses(import(&good, &others), &["do not fit the plan"]);
    let bytes = fs::read(&good).unwrap();
    for cut in [bytes.len() / 2, bytes.len() - 100, 1000] {
        let path = bench.input("cut.model", &bytes[..cut]);
        bench.refuses(
            import(&path, &own),
            &["cut.model", "not a pytorch checkpoint"],
        );
    }
}
