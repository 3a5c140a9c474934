//! Folders, patterns and tables as people have them.

use std::fs;

use super::*;

fn folder(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        fs::write(folder.path().join(name), "").unwrap();
    }
    folder
}

fn shape(cases: &[CohortCase]) -> Vec<(String, Vec<String>)> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    cases
        .iter()
        .map(|case| (case.name.clone(), case.images.iter().map(name).collect()))
        .collect()
}

#[test]
fn a_folder_is_its_nifti_files_with_channels_together() {
    let names = [
        "b_0001.nii.gz",
        "b_0000.nii.gz",
        "a.nii",
        "note.txt",
        ".uniseg-x.nii.gz",
    ];
    let folder = folder(&names);
    let cases = find_cases(folder.path(), None).unwrap().unwrap();
    let expected = [
        ("a".to_owned(), vec!["a.nii".to_owned()]),
        (
            "b".to_owned(),
            vec!["b_0000.nii.gz".to_owned(), "b_0001.nii.gz".to_owned()],
        ),
    ];
    assert_eq!(shape(&cases), expected);
    let some = find_cases(&folder.path().join("b*"), None)
        .unwrap()
        .unwrap();
    assert_eq!(shape(&some), expected[1..]);
    assert_eq!(
        find_cases(&folder.path().join("a.nii"), None).unwrap(),
        None
    );
    assert_eq!(
        find_cases(&folder.path().join("absent.nii"), None).unwrap(),
        None
    );
    let none = find_cases(&folder.path().join("c*.nii"), None).unwrap_err();
    assert!(
        none.to_string().starts_with("no NIfTI file matches"),
        "{none}"
    );
}

#[test]
fn two_files_cannot_be_one_channel() {
    let folder = folder(&["a.nii", "a_0000.nii.gz", "b.nii"]);
    let cases = find_cases(folder.path(), None).unwrap().unwrap();
    let error = cases[0].check().unwrap_err().to_string();
    assert!(
        error.starts_with("case a has more than one file of channel _0000: a"),
        "{error}"
    );
    cases[1].check().unwrap();
}

#[test]
fn patterns_reach_through_folders() {
    let folder = folder(&["c.nii"]);
    for (case, name) in [("s1", "ct.nii.gz"), ("s2", "ct.nii.gz"), ("s2", ".ct.nii")] {
        let case = folder.path().join(case);
        fs::create_dir_all(&case).unwrap();
        fs::write(case.join(name), "").unwrap();
    }
    let names = |pattern: &str| -> Vec<String> {
        let cases = find_cases(&folder.path().join(pattern), None)
            .unwrap()
            .unwrap();
        cases.into_iter().map(|case| case.name).collect()
    };
    assert_eq!(names("s?/ct.nii.gz"), ["s1_ct", "s2_ct"]);
    assert_eq!(names("s*"), ["s1_ct", "s2_ct"], "folders");
    assert_eq!(names("s[2-9]/*"), ["ct"]);
    let both = find_cases(&folder.path().join("**/*"), None);
    let both = both.unwrap().unwrap();
    assert_eq!(both.len(), 3, "{both:?}");
    assert!(both.iter().all(|case| case.check().is_ok()), "{both:?}");
    // What was made of one of them.
    let results = folder.path().join("out");
    fs::create_dir_all(results.join("s1_ct")).unwrap();
    fs::write(results.join("s1_ct/liver.nii.gz"), "").unwrap();
    let all = folder.path().join("**/*.nii.gz");
    let cases = find_cases(&all, Some(&results)).unwrap().unwrap();
    assert_eq!(cases.len(), 2, "{cases:?}");
    let below = find_cases(&results.join("*/*"), Some(&results)).unwrap_err();
    assert!(below.to_string().contains("holds the images"), "{below}");
    assert_eq!(names("**/c*.nii"), ["c"]);
    let error = find_cases(&folder.path().join("["), None).unwrap_err();
    assert!(error.to_string().ends_with("[ is no pattern"), "{error}");
}

#[test]
fn a_cell_without_an_image_before_one_with_is_told() {
    let folder = folder(&[]);
    let path = folder.path().join("cases.csv");
    fs::write(&path, "case,ct,pet\na,,b.nii\nc,d.nii,\n").unwrap();
    let cases = find_cases(&path, None).unwrap().unwrap();
    let error = cases[0].check().unwrap_err().to_string();
    assert_eq!(
        error,
        "case a has no file of channel _0000, but b.nii: a channel is missing"
    );
    cases[1].check().unwrap();
}

#[test]
fn a_channel_that_is_missing_is_told_and_one_that_was_left_out_is_not() {
    let folder = folder(&["a_0000.nii", "a_0002.nii", "b_0001.nii.gz", "c_0000.nii"]);
    let cases = find_cases(folder.path(), None).unwrap().unwrap();
    let said: Vec<Option<String>> = cases
        .iter()
        .map(|case| case.check().err().map(|error| error.to_string()))
        .collect();
    let said: Vec<Option<&str>> = said.iter().map(Option::as_deref).collect();
    assert_eq!(
        said,
        [
            Some(
                "case a has no file of channel _0001, but a_0000.nii, a_0002.nii: a channel is \
                 missing"
            ),
            Some("case b has no file of channel _0000, but b_0001.nii.gz: a channel is missing"),
            None
        ]
    );
    fs::write(folder.path().join("b_0000.nii.gz"), "").unwrap();
    let second = find_cases(&folder.path().join("*_0001*"), None)
        .unwrap()
        .unwrap();
    assert!(second.iter().all(|case| case.check().is_ok()));
    assert_eq!(second[0].images.len(), 1);
}

#[test]
fn a_table_names_cases_images_and_tasks() {
    let folder = folder(&[]);
    let path = folder.path().join("cases.CSV");
    let text = "\u{feff}Case,ct,pet,Task\r\n\r\none,\"a,b.nii\",,liver\r\ntwo,c.nii,sub/d.nii,\r\n";
    fs::write(&path, text).unwrap();
    let cases = find_cases(&path, None).unwrap().unwrap();
    assert_eq!(cases[0].images, [folder.path().join("a,b.nii")]);
    assert_eq!(cases[0].task.as_deref(), Some("liver"));
    assert_eq!((cases[1].images.len(), &cases[1].task), (2, &None));
    // A case without an image fails by itself; the others are segmented.
    fs::write(&path, "case,image\none,\ntwo,b.nii").unwrap();
    let cases = find_cases(&path, None).unwrap().unwrap();
    let said = cases[0].check().unwrap_err().to_string();
    assert!(said.contains("case one has no image"), "{said}");
    cases[1].check().unwrap();
    for (text, said) in [
        ("", "must name the columns"),
        ("case,task\na,b", "must name the columns"),
        ("name,image\na,b", "must name the columns"),
        ("case,image\na", "line 2 of"),
        ("case,image\n\n../a,b", "line 3 of"),
        ("case,image\na,\"b", "a quote is not closed"),
        ("case,image\na,b\na,c", "has two cases called \"a\""),
    ] {
        fs::write(&path, text).unwrap();
        let error = find_cases(&path, None).unwrap_err().to_string();
        assert!(error.contains(said), "{text:?}: {error}");
    }
}

#[test]
fn shards_share_out_every_case_once() {
    let cases: Vec<u32> = (0..11).collect();
    let shares = (1..=4).map(|i| format!("{i}/4").parse::<Shard>().unwrap().of(cases.clone()));
    let mut all: Vec<u32> = shares.clone().flatten().collect();
    all.sort_unstable();
    assert_eq!(all, cases);
    assert!(
        shares
            .into_iter()
            .all(|share| (2..=3).contains(&share.len()))
    );
    for bad in ["0/4", "5/4", "1/0", "1", "a/b", "-1/2"] {
        assert!(bad.parse::<Shard>().is_err(), "{bad}");
    }
}
