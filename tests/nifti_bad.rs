//! Files that are wrong or hostile: each is built in code and gives its named error.

use std::error::Error;

use proptest::prelude::*;
use uniseg_imaging::ndarray::Array3;
use uniseg_imaging::{
    HeaderWarning, ImagingError, NiftiFault, Volume, read_nifti, write_image, write_labels,
};

#[path = "nifti_bad/builder.rs"]
pub(crate) mod builder;
#[path = "nifti_bad/odd.rs"]
mod odd;

use builder::{Header, VOXELS, fault, geometry, gzip, read, sample};

type Outcome = Result<(), Box<dyn Error>>;

#[test]
fn damaged_gzip_files_are_named() {
    let good = gzip(&sample());
    let end = good.len();
    assert!(read(&good, "good.nii.gz").is_ok());
    for cut in [3, 12, 100, end / 2, end - 9, end - 1] {
        assert!(
            matches!(fault(&good[..cut]), NiftiFault::GzipTruncated { member: 1 }),
            "{cut}"
        );
    }
    let mut checksum = good.clone();
    checksum[end - 5] ^= 0x40;
    assert!(matches!(
        fault(&checksum),
        NiftiFault::GzipChecksum { member: 1, .. }
    ));
    let mut content = good.clone();
    content[end - 20] ^= 0x40;
    assert!(matches!(
        fault(&content),
        NiftiFault::GzipChecksum { member: 1, .. }
    ));
    let mut length = good.clone();
    length[end - 4] ^= 1;
    assert!(matches!(
        fault(&length),
        NiftiFault::GzipLength { member: 1, .. }
    ));
    let mut method = good.clone();
    method[2] = 7;
    assert!(matches!(
        fault(&method),
        NiftiFault::GzipDamaged { member: 1 }
    ));
    let garbage = [good.as_slice(), b"garbage"].concat();
    assert!(matches!(
        fault(&garbage),
        NiftiFault::GzipTrailingGarbage { member: 1 }
    ));
    let second = [good.as_slice(), &good[..30]].concat();
    assert!(matches!(
        fault(&second),
        NiftiFault::GzipTruncated { member: 2 }
    ));
}

#[test]
fn gzip_members_are_read_whole() -> Outcome {
    let file = sample();
    let single = read(&gzip(&file), "single.nii.gz")?;
    for cut in [1, 348, 352, 360, file.len() - 1] {
        let members = [gzip(&file[..cut]), gzip(b""), gzip(&file[cut..])].concat();
        let image = read(&members, "members.nii.gz")?;
        assert_eq!(image.volume, single.volume, "{cut}");
        assert_eq!(image.header, single.header, "{cut}");
    }
    let padded = [gzip(&file), vec![0; 512]].concat();
    assert_eq!(read(&padded, "padded.nii.gz")?.volume, single.volume);
    Ok(())
}

#[test]
fn compression_is_told_by_content_not_by_name() -> Outcome {
    let plain = read(&sample(), "plain.nii.gz")?;
    assert_eq!(read(&gzip(&sample()), "packed.nii")?.volume, plain.volume);
    Ok(())
}

#[test]
fn claims_beyond_the_file_are_refused_before_any_allocation() {
    let file = sample();
    assert!(matches!(
        fault(&file[..file.len() - 1]),
        NiftiFault::MissingData { .. }
    ));
    assert!(matches!(
        fault(&file[..352]),
        NiftiFault::MissingData { .. }
    ));
    assert!(matches!(
        fault(&file[..200]),
        NiftiFault::MissingData { .. }
    ));
    // One voxel short, but intact as gzip.
    let short = gzip(&file[..file.len() - 2]);
    assert!(matches!(
        fault(&short),
        NiftiFault::MissingData {
            claimed: 400,
            held: 398
        }
    ));
    let absurd = Header::nifti1().shape(&[32767; 3]).with_voxels(VOXELS);
    assert!(matches!(
        fault(&absurd),
        NiftiFault::MissingData { held: 400, .. }
    ));
    assert!(matches!(
        fault(&gzip(&absurd)),
        NiftiFault::MissingData { .. }
    ));
    let absurd = Header::nifti2()
        .shape(&[i64::MAX, 2, 2])
        .with_voxels(VOXELS);
    assert!(matches!(fault(&absurd), NiftiFault::TooManyVoxels { .. }));
    let absurd = Header::nifti2()
        .shape(&[1 << 20, 1 << 20, 1 << 15])
        .with_voxels(VOXELS);
    assert!(matches!(fault(&absurd), NiftiFault::MissingData { .. }));
    let offset = Header::nifti1().f32(108, 1e9).with_voxels(VOXELS);
    assert!(matches!(fault(&offset), NiftiFault::MissingData { .. }));
}

#[test]
fn a_gzip_bomb_stops_at_the_claim() -> Outcome {
    let folder = tempfile::tempdir()?;
    let zeros = folder.path().join("zeros.nii.gz");
    let geometry = geometry([64, 512, 512])?;
    write_image(
        &zeros,
        &Volume::new(Array3::zeros((64, 512, 512)), geometry)?,
    )?;
    let bomb = [gzip(&sample()), std::fs::read(&zeros)?].concat();
    assert!(matches!(
        fault(&bomb),
        NiftiFault::SurplusData { claimed: 400, .. }
    ));
    let little = [gzip(&sample()), gzip(&[1; 100])].concat();
    let image = read(&little, "little.nii.gz")?;
    assert!(
        image
            .warnings
            .contains(&HeaderWarning::SurplusBytes { count: 100 })
    );
    Ok(())
}

#[test]
fn files_that_are_not_nifti_are_named() -> Outcome {
    assert!(matches!(fault(b""), NiftiFault::Empty));
    assert!(matches!(fault(b"x"), NiftiFault::NotNifti));
    assert!(matches!(fault(&[0; 1000]), NiftiFault::NotNifti));
    assert!(matches!(
        fault(b"\x89PNG\r\n\x1a\n and so on"),
        NiftiFault::NotNifti
    ));
    assert!(matches!(fault(&gzip(&[7; 1000])), NiftiFault::NotNifti));
    let mut analyze = sample();
    analyze[344..348].fill(0);
    assert!(matches!(fault(&analyze), NiftiFault::NotNifti));
    let mut pair = sample();
    pair[344..348].copy_from_slice(b"ni1\0");
    assert!(matches!(fault(&pair), NiftiFault::TwoFiles));

    let folder = tempfile::tempdir()?;
    let error = read_nifti(folder.path()).err();
    assert!(matches!(
        error,
        Some(ImagingError::ReadNifti {
            fault: NiftiFault::NotAFile,
            ..
        })
    ));
    let error = read_nifti(&folder.path().join("absent.nii")).err();
    assert!(matches!(
        error,
        Some(ImagingError::ReadNifti {
            fault: NiftiFault::Io(_),
            ..
        })
    ));
    Ok(())
}

#[test]
fn contradictory_headers_are_named() {
    for version in [Header::nifti1, Header::nifti2] {
        let file = version().datatype(4, 8).with_voxels(VOXELS);
        let found = fault(&file);
        let expected = NiftiFault::DatatypeBits {
            name: "int16",
            found: 8,
            expected: 16,
        };
        assert_eq!(found.to_string(), expected.to_string());
        for (code, bits) in [
            (128, 24),
            (2304, 32),
            (32, 64),
            (1792, 128),
            (2048, 256),
            (1536, 128),
        ] {
            let file = version().datatype(code, bits).with_voxels(1000);
            let found = fault(&file);
            assert!(
                matches!(found, NiftiFault::UnsupportedDatatype { .. }),
                "{code}"
            );
        }
        for code in [0, 1, 3, -4, 9999] {
            let file = version().datatype(code, 16).with_voxels(VOXELS);
            assert!(
                matches!(fault(&file), NiftiFault::UnsupportedDatatype { .. }),
                "{code}"
            );
        }
        for shape in [
            &[4, 3, 2, 5][..],
            &[4, 3],
            &[4],
            &[4, 3, 2, 1, 1, 2, 1],
            &[4, 3, 2, 0],
        ] {
            let file = version().shape(shape).with_voxels(1000);
            let found = fault(&file);
            assert!(
                matches!(found, NiftiFault::NotThreeDimensional { .. }),
                "{shape:?}"
            );
        }
        for shape in [&[4, 3, 0][..], &[0, 0, 0], &[4, -3, 2]] {
            let file = version().shape(shape).with_voxels(1000);
            let found = fault(&file);
            assert!(
                matches!(found, NiftiFault::InvalidExtent { .. }),
                "{shape:?}"
            );
        }
        for size in [0.0, f64::NAN, f64::INFINITY] {
            for axis in 1..4 {
                let file = version().spacing(axis, size).with_voxels(VOXELS);
                let found = fault(&file);
                assert!(
                    matches!(found, NiftiFault::InvalidSpacing { .. }),
                    "{axis} {size}"
                );
            }
        }
        let file = version().scaling(2.0, f64::NAN).with_voxels(VOXELS);
        assert!(matches!(fault(&file), NiftiFault::InvalidIntercept { .. }));
    }
    for count in [0_i16, 8, -1, 256, 1792] {
        let file = Header::nifti1().i16(40, count).with_voxels(VOXELS);
        assert!(
            matches!(fault(&file), NiftiFault::DimensionCount { .. }),
            "{count}"
        );
    }
    for offset in [1.0, 347.0, 352.5, -352.0, f32::NAN, f32::INFINITY] {
        let file = Header::nifti1().f32(108, offset).with_voxels(VOXELS);
        assert!(
            matches!(fault(&file), NiftiFault::InvalidOffset { .. }),
            "{offset}"
        );
    }
}

#[test]
fn an_error_names_the_file_and_the_cause() {
    let error = read(b"nonsense", "scan.nii").expect_err("nonsense is not an image");
    assert!(
        error.to_string().starts_with("cannot read ") && error.to_string().ends_with("scan.nii")
    );
    let cause = error
        .source()
        .map(|cause| cause.to_string())
        .unwrap_or_default();
    assert!(cause.starts_with("it is not a nifti file"), "{cause}");
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = read(&bytes, "random.nii");
        let _ = read(&[&[0x1f, 0x8b, 8, 0], bytes.as_slice()].concat(), "random.nii.gz");
        let _ = read(&gzip(&bytes), "random.nii.gz");
    }

    #[test]
    fn mutated_headers_never_panic_and_round_trip_if_read(
        nifti2 in any::<bool>(),
        big in any::<bool>(),
        packed in any::<bool>(),
        changes in proptest::collection::vec((0_usize..544, any::<u8>()), 1..6),
    ) {
        let header = if nifti2 { Header::nifti2() } else { Header::nifti1() };
        let mut file = header
            .big_endian(big)
            .qform(-1.0, [0.1, 0.2, 0.3])
            .sform([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
            .with_voxels(VOXELS);
        for (at, value) in changes {
            if let Some(byte) = file.get_mut(at) {
                *byte = value;
            }
        }
        let file = if packed { gzip(&file) } else { file };
        if let Ok(image) = read(&file, "mutated.nii") {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let path = folder.path().join("labels.nii.gz");
            let labels = Array3::zeros(image.volume.voxels().dim());
            write_labels(&path, &labels, &image.header).expect("what was read can be written");
            let again = read_nifti(&path).expect("what was written can be read");
            prop_assert_eq!(again.volume.geometry(), image.volume.geometry());
        }
    }

    #[test]
    fn damaged_gzip_never_changes_an_image_unnoticed(at in 0_usize..428, flip in 1_u8..=255) {
        let mut file = gzip(&sample());
        let good = read(&file, "good.nii.gz").expect("a sound file");
        file[at] ^= flip;
        // Some header bits and the padding before a stored block carry nothing.
        if let Ok(image) = read(&file, "damaged.nii.gz") {
            prop_assert_eq!(image.volume, good.volume);
        }
    }
}
