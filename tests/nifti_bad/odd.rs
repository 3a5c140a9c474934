//! Headers that are odd but readable, and what is kept of them in results.

use uniseg_imaging::ndarray::Array3;
use uniseg_imaging::{
    HeaderWarning, ImagingError, NiftiImage, NiftiVersion, Volume, read_nifti, write_image,
    write_labels,
};

use super::Outcome;
use super::builder::{Header, VOXELS, geometry, read, sample};

#[test]
fn odd_headers_are_repaired_with_warnings() -> Outcome {
    for version in [Header::nifti1, Header::nifti2] {
        // All three on which the nifti crate panics, together.
        let file = version()
            .qform(0.0, [0.8, 0.8, 0.1])
            .spacing(1, -1.5)
            .spacing(2, 2.5)
            .spacing(3, 3.0)
            .with_voxels(VOXELS);
        let NiftiImage {
            volume, warnings, ..
        } = read(&file, "odd.nii")?;
        assert!(
            warnings.contains(&HeaderWarning::Qfac { found: 0.0 }),
            "{warnings:?}"
        );
        let negative = HeaderWarning::NegativeSpacing {
            axis: 'x',
            found: -1.5,
        };
        assert!(warnings.contains(&negative), "{warnings:?}");
        let norm = |w: &HeaderWarning| matches!(w, HeaderWarning::QuaternionNorm { .. });
        assert!(warnings.iter().any(norm), "{warnings:?}");
        assert!(
            warnings
                .iter()
                .all(|warning| !warning.to_string().is_empty())
        );
        let geometry = volume.geometry();
        assert_eq!(geometry.spacing.zyx(), [3.0, 2.5, 1.5]);
        for (found, expected) in geometry
            .affine
            .column_norms_zyx()
            .into_iter()
            .zip([3.0, 2.5, 1.5])
        {
            assert!((found - expected).abs() < 1e-6);
        }

        for slope in [0.0, f64::NAN, f64::INFINITY] {
            let file = version().scaling(slope, f64::NAN).with_voxels(VOXELS);
            let image = read(&file, "slope.nii")?;
            let noted = |w: &HeaderWarning| matches!(w, HeaderWarning::NoScaling { .. });
            assert!(image.warnings.iter().any(noted), "{slope}");
            assert_eq!(image.volume.voxels()[[1, 2, 3]], 23.0);
        }
        let file = version().sform([[0.0; 4]; 3]).with_voxels(VOXELS);
        let image = read(&file, "flat.nii")?;
        let flat = HeaderWarning::UnusableTransform { name: "sform" };
        assert!(image.warnings.contains(&flat));
        assert_eq!(image.volume.geometry().affine.orientation(), "RAS");
    }
    let file = Header::nifti1().f32(108, 0.0).with_voxels(VOXELS);
    assert_eq!(
        read(&file, "offset.nii")?.warnings,
        [HeaderWarning::NoOffset]
    );
    Ok(())
}

#[test]
fn a_sound_header_gives_no_warning() -> Outcome {
    for version in [Header::nifti1, Header::nifti2] {
        for big in [false, true] {
            let file = version().big_endian(big).with_voxels(VOXELS);
            let image = read(&file, "sound.nii")?;
            assert_eq!(image.warnings, []);
            assert_eq!(image.volume.voxels().dim(), (2, 3, 4));
            for ((z, y, x), value) in image.volume.voxels().indexed_iter() {
                assert_eq!(*value, (12 * z + 4 * y + x) as f32);
            }
            assert_eq!(image.volume.geometry().spacing.zyx(), [1.0; 3]);
        }
    }
    Ok(())
}

#[test]
fn every_scalar_type_is_read_in_both_byte_orders() -> Outcome {
    let values = [0_i64, 1, 2, 100];
    let types: [(i16, i16, Encode); 10] = [
        (2, 8, |v| vec![v as u8]),
        (256, 8, |v| vec![v as u8]),
        (4, 16, |v| (v as i16).to_be_bytes().to_vec()),
        (512, 16, |v| (v as u16).to_be_bytes().to_vec()),
        (8, 32, |v| (v as i32).to_be_bytes().to_vec()),
        (768, 32, |v| (v as u32).to_be_bytes().to_vec()),
        (1024, 64, |v| v.to_be_bytes().to_vec()),
        (1280, 64, |v| (v as u64).to_be_bytes().to_vec()),
        (16, 32, |v| (v as f32).to_be_bytes().to_vec()),
        (64, 64, |v| (v as f64).to_be_bytes().to_vec()),
    ];
    for (code, bits, encode) in types {
        for big in [false, true] {
            let mut file = Header::nifti1()
                .big_endian(big)
                .shape(&[4, 1, 1, 1])
                .datatype(code, bits)
                .scaling(0.5, -1.0)
                .with_voxels(0);
            for value in values {
                let mut bytes = encode(value);
                if !big {
                    bytes.reverse();
                }
                file.extend(bytes);
            }
            let image = read(&file, "typed.nii")?;
            let found: Vec<f32> = image.volume.voxels().iter().copied().collect();
            assert_eq!(
                found,
                [-1.0, -0.5, 0.0, 49.0],
                "type {code}, big endian {big}"
            );
        }
    }
    let mut negative = Header::nifti1()
        .shape(&[2, 1, 1])
        .datatype(256, 8)
        .with_voxels(0);
    negative.extend([0xff, 0x80]);
    let image = read(&negative, "negative.nii")?;
    assert_eq!(
        image.volume.voxels().iter().copied().collect::<Vec<_>>(),
        [-1.0, -128.0]
    );
    Ok(())
}

type Encode = fn(i64) -> Vec<u8>;

#[test]
fn units_and_transforms_are_chosen_by_rule() -> Outcome {
    let rows = [
        [0.0, -2.0, 0.0, 5.0],
        [1.0, 0.0, 0.0, 6.0],
        [0.0, 0.0, 3.0, 7.0],
    ];
    for version in [Header::nifti1, Header::nifti2] {
        let sized = || version().spacing(1, 1.0).spacing(2, 2.0).spacing(3, 3.0);
        let half = std::f64::consts::FRAC_1_SQRT_2;
        let both = sized().qform(1.0, [0.0, 0.0, half]).sform(rows);
        let affine = read(&both.with_voxels(VOXELS), "both.nii")?
            .volume
            .geometry()
            .affine;
        assert_eq!(affine.rows(), rows);
        // A quarter turn about z is what the sform above says, too.
        let quarter = sized().qform(1.0, [0.0, 0.0, half]);
        let affine = read(&quarter.with_voxels(VOXELS), "qform.nii")?
            .volume
            .geometry()
            .affine;
        assert_eq!(affine.orientation(), "ALS");
        assert!((affine.rows()[0][1] + 2.0).abs() < 1e-6, "{affine:?}");
        let none = read(&sized().with_voxels(VOXELS), "none.nii")?;
        assert_eq!(
            none.volume.geometry().affine.column_norms_zyx(),
            [3.0, 2.0, 1.0]
        );

        for (unit, factor) in [(0, 1.0), (1, 1000.0), (2, 1.0), (3, 0.001)] {
            let file = sized().sform(rows).units(unit).with_voxels(VOXELS);
            let image = read(&file, "units.nii")?;
            let geometry = image.volume.geometry();
            for (found, size) in geometry.spacing.zyx().into_iter().zip([3.0, 2.0, 1.0]) {
                assert!((found / (size * factor) - 1.0).abs() < 1e-12);
            }
            assert!((geometry.affine.rows()[2][3] - 7.0 * factor).abs() < 1e-9);
            assert_eq!(image.warnings, []);
        }
        let disagreeing = sized().spacing(3, 3.1).sform(rows).with_voxels(VOXELS);
        let image = read(&disagreeing, "disagreeing.nii")?;
        assert_eq!(image.volume.geometry().spacing.zyx(), [3.0, 2.0, 1.0]);
        let disagrees = |w: &HeaderWarning| matches!(w, HeaderWarning::SpacingDisagrees { .. });
        assert!(image.warnings.iter().any(disagrees));
        let rounded = sized().spacing(3, 3.01).sform(rows).with_voxels(VOXELS);
        assert_eq!(read(&rounded, "rounded.nii")?.warnings, []);
    }
    Ok(())
}

#[test]
fn labels_keep_the_geometry_bytes() -> Outcome {
    let folder = tempfile::tempdir()?;
    for version in [Header::nifti1, Header::nifti2] {
        for (big, name) in [(false, "labels.nii"), (true, "labels.nii.gz")] {
            // Odd values survive although reading repairs them.
            let file = version()
                .big_endian(big)
                .shape(&[4, 3, 2, 1])
                .qform(0.0, [0.8, 0.8, 0.1])
                .sform([
                    [-0.7, 0.1, 0.0, 9.5],
                    [0.0, 1.3, 0.2, -1e-20],
                    [0.1, 0.0, 2.0, 3.25],
                ])
                .spacing(1, -0.707)
                .units(2 | 8)
                .scaling(3.0, 4.0)
                .with_voxels(VOXELS);
            let image = read(&file, "input.nii")?;
            for (highest, code) in [(255_u16, 2), (256, 512)] {
                let labels = Array3::from_shape_fn((2, 3, 4), |(z, y, x)| {
                    if (z, y, x) == (1, 0, 2) {
                        highest
                    } else {
                        (z + y + x) as u16
                    }
                });
                let path = folder.path().join(name);
                write_labels(&path, &labels, &image.header)?;
                let written = read_nifti(&path)?;
                let stored: Array3<u16> = written.volume.voxels().mapv(|v| v as u16);
                assert_eq!(stored, labels);
                assert_eq!(written.header.version(), image.header.version());
                assert_eq!(written.volume.geometry(), image.volume.geometry());
                let (old, new) = (image.header.bytes(), written.header.bytes());
                let (same, datatype) = match image.header.version() {
                    NiftiVersion::Nifti1 => (&[40..56, 76..108, 123..124, 252..328][..], 70),
                    NiftiVersion::Nifti2 => (&[16..80, 104..168, 344..496, 500..504][..], 12),
                };
                for range in same {
                    assert_eq!(old[range.clone()], new[range.clone()], "{range:?}");
                }
                let bytes = [new[datatype], new[datatype + 1]];
                assert_eq!(i16::from_le_bytes(bytes), code);
                // The slope is set to 1: nothing odd but the geometry's oddities.
                let slope = |w: &HeaderWarning| matches!(w, HeaderWarning::NoScaling { .. });
                assert!(!written.warnings.iter().any(slope));
            }
        }
    }
    assert_eq!(
        std::fs::read_dir(folder.path())?.count(),
        2,
        "no temporary files are left"
    );
    Ok(())
}

#[test]
fn a_written_image_is_read_back_exactly() -> Outcome {
    let folder = tempfile::tempdir()?;
    let geometry = geometry([3, 4, 5])?;
    let voxels = Array3::from_shape_fn((3, 4, 5), |(z, y, x)| (z * 100 + y * 10 + x) as f32 - 7.25);
    let volume = Volume::new(voxels, geometry)?;
    for name in ["image.nii", "image.nii.gz"] {
        let path = folder.path().join(name);
        write_image(&path, &volume)?;
        let image = read_nifti(&path)?;
        assert_eq!(image.volume, volume);
        assert_eq!(image.warnings, []);
    }
    Ok(())
}

#[test]
fn output_that_cannot_be_written_leaves_nothing() -> Outcome {
    let image = read(&sample(), "input.nii")?;
    let labels = Array3::zeros((2, 3, 4));
    let folder = tempfile::tempdir()?;
    let missing = folder.path().join("absent/labels.nii.gz");
    let error = write_labels(&missing, &labels, &image.header).err();
    assert!(matches!(error, Some(ImagingError::Write { .. })));
    let error = write_labels(&folder.path().join("labels.png"), &labels, &image.header).err();
    assert!(matches!(error, Some(ImagingError::OutputName { .. })));
    let turned = Array3::zeros((4, 3, 2));
    let error = write_labels(&folder.path().join("labels.nii"), &turned, &image.header).err();
    assert!(matches!(error, Some(ImagingError::LabelShape { .. })));
    std::fs::create_dir(folder.path().join("taken.nii"))?;
    let error = write_labels(&folder.path().join("taken.nii"), &labels, &image.header).err();
    assert!(matches!(error, Some(ImagingError::Write { .. })));
    assert_eq!(std::fs::read_dir(folder.path())?.count(), 1);
    let large = geometry([1, 1, 40_000])?;
    let large = Volume::new(Array3::zeros((1, 1, 40_000)), large)?;
    let error = write_image(&folder.path().join("large.nii"), &large).err();
    assert!(matches!(error, Some(ImagingError::ExtentTooLarge { .. })));
    Ok(())
}
