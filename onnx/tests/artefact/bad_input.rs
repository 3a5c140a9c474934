//! Each broken artefact is built in code and expected to give its named error.

use std::error::Error;

use uniseg_onnx::{
    Artefact, MANIFEST_KEY, OnnxError,
    proto::{
        AttributeProto, DataLocation, DataType, FunctionProto, GraphProto, Message, ModelProto,
        NodeProto, OperatorSetIdProto, SparseTensorProto, StringStringEntryProto, TensorProto,
        TrainingInfoProto, ValueInfoProto,
    },
    sample, weights_sha256,
};

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

/// The error of opening the sample after an edit that no writer of ours would make.
#[track_caller]
fn broken(edit: impl FnOnce(&mut ModelProto)) -> OnnxError {
    let mut model = sample::tiny_artefact().into_parts().0;
    edit(&mut model);
    Artefact::from_bytes(model.encode_to_vec().into()).unwrap_err()
}

/// As [`broken`], with the digest in the manifest brought up to date.
#[track_caller]
fn broken_but_signed(edit: impl FnOnce(&mut ModelProto)) -> OnnxError {
    broken(|model| {
        edit(model);
        let digest = weights_sha256(model).unwrap();
        edit_manifest(model, |json| {
            let start = json.find("weights_sha256\":\"").unwrap() + 17;
            json.replace_range(start..start + 64, &digest);
        });
    })
}

fn edit_manifest(model: &mut ModelProto, edit: impl FnOnce(&mut String)) {
    let mut entries = model.metadata_props.iter_mut();
    edit(
        &mut entries
            .find(|entry| entry.key == MANIFEST_KEY)
            .unwrap()
            .value,
    );
}

fn graph(model: &mut ModelProto) -> &mut GraphProto {
    model.graph.as_mut().unwrap()
}

#[test]
fn files_that_are_no_models_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.onnx");
    assert!(chain(&Artefact::open(&path).unwrap_err()).contains("the file cannot be read"));
    assert!(chain(&Artefact::open(folder.path()).unwrap_err()).contains("it is not a file"));
    for (content, expected) in [
        (&b""[..], "it has no graph"),
        (b"PK\x03\x04 a zip, say", "not an onnx model"),
        (b"{\"json\": true}", "not an onnx model"),
        (b"\x1f\x8b\x08\x00gzip", "not an onnx model"),
    ] {
        std::fs::write(&path, content).unwrap();
        let error = chain(&Artefact::open(&path).unwrap_err());
        assert!(
            error.contains("x.onnx") && error.contains(expected),
            "{error}"
        );
    }
}

#[test]
fn a_file_too_large_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.onnx");
    // Sparse: takes no room on the disk.
    std::fs::File::create(&path)
        .unwrap()
        .set_len(3 << 30)
        .unwrap();
    insta::assert_snapshot!(
        Artefact::open(&path).unwrap_err().source().unwrap(),
        @"the model has 3221225472 bytes and one onnx file holds 2147483647 at most: fewer channels or a narrower number format make it smaller"
    );
}

#[test]
fn every_truncation_is_refused() {
    let bytes = sample::tiny_artefact().bytes().clone();
    for length in 0..bytes.len() {
        assert!(
            Artefact::from_bytes(bytes.slice(..length)).is_err(),
            "{length}"
        );
    }
}

#[test]
fn each_malformation_has_its_named_error() {
    let mut text = String::new();
    let mut case = |name: &str, error: OnnxError| text += &format!("{name}: {}\n", chain(&error));

    case("no manifest", broken(|m| m.metadata_props.clear()));
    case(
        "two manifests",
        broken(|m| m.metadata_props.push(m.metadata_props[0].clone())),
    );
    case(
        "not json",
        broken(|m| edit_manifest(m, |json| json.truncate(40))),
    );
    case(
        "newer",
        broken(|m| {
            edit_manifest(m, |json| {
                *json = json.replace("\"schema_version\":1", "\"schema_version\":7")
            })
        }),
    );
    case(
        "field missing",
        broken(|m| edit_manifest(m, |json| *json = json.replace("\"labels\"", "\"label\""))),
    );
    case(
        "contradiction",
        broken(|m| edit_manifest(m, |json| *json = json.replace("\"slot\":1", "\"slot\":0"))),
    );
    case("format version", broken(|m| m.ir_version = 99));
    case("no graph", broken(|m| m.graph = None));
    case(
        "functions",
        broken(|m| m.functions.push(FunctionProto::default())),
    );
    case(
        "training",
        broken(|m| m.training_info.push(TrainingInfoProto::default())),
    );
    case(
        "imported domain",
        broken(|m| {
            m.opset_import.push(OperatorSetIdProto {
                domain: "com.acme".into(),
                version: 1,
            })
        }),
    );
    case(
        "used domain",
        broken(|m| graph(m).node[0].domain = "com.acme".into()),
    );
    case(
        "one bit of a weight",
        broken(|m| {
            let tensor = &mut graph(m).initializer[0];
            let mut raw = tensor.raw_data.to_vec();
            raw[5] ^= 1;
            tensor.raw_data = raw.into();
        }),
    );
    case(
        "a weight's name",
        broken(|m| {
            graph(m).initializer[0].name = "w".into();
            graph(m).node[0].input[1] = "w".into();
        }),
    );
    case(
        "a weight too long",
        broken(|m| graph(m).initializer[0].dims[0] = 4),
    );
    case(
        "input shape",
        broken_but_signed(|m| {
            graph(m).input[0] = ValueInfoProto::tensor("image", DataType::Float, [1, 7, 2, 3, 4]);
        }),
    );
    case(
        "output name",
        broken_but_signed(|m| graph(m).output[0].name = "labels".into()),
    );
    case("node order", broken_but_signed(|m| graph(m).node.reverse()));
    case(
        "operator",
        broken_but_signed(|m| graph(m).node[0].op_type = "Deform".into()),
    );
    insta::assert_snapshot!(text);
}

#[test]
fn external_data_is_refused_wherever_it_hides() {
    let external = |name: &str| TensorProto {
        name: name.into(),
        data_type: DataType::Float as i32,
        dims: vec![1],
        external_data: vec![StringStringEntryProto {
            key: "location".into(),
            value: "/etc/passwd".into(),
        }],
        data_location: DataLocation::External as i32,
        ..Default::default()
    };
    let flag_only = TensorProto {
        external_data: Vec::new(),
        ..external("flag")
    };
    let entry_only = TensorProto {
        data_location: 0,
        ..external("entry")
    };
    let sparse = SparseTensorProto {
        values: Some(external("values")),
        indices: Some(TensorProto::from_i64("", &[1], &[0])),
        dims: vec![4],
    };
    let constant =
        |attribute: AttributeProto| NodeProto::new("Constant", [""; 0], ["k"]).attr(attribute);
    let deep = GraphProto {
        node: vec![NodeProto::new("If", ["c"], ["x"]).attr_graph(
            "else_branch",
            GraphProto {
                initializer: vec![external("deep")],
                ..Default::default()
            },
        )],
        ..Default::default()
    };
    type Edit<'a> = Box<dyn Fn(&mut GraphProto) + 'a>;
    let cases: Vec<(&str, Edit<'_>)> = vec![
        (
            "initialiser",
            Box::new(|g| g.initializer.push(external("w"))),
        ),
        (
            "flag only",
            Box::new(|g| g.initializer.push(flag_only.clone())),
        ),
        (
            "entry only",
            Box::new(|g| g.initializer.push(entry_only.clone())),
        ),
        (
            "sparse initialiser",
            Box::new(|g| g.sparse_initializer.push(sparse.clone())),
        ),
        (
            "attribute",
            Box::new(|g| {
                let t = Some(external("t").into());
                g.node.insert(
                    0,
                    constant(AttributeProto {
                        t,
                        ..Default::default()
                    }),
                );
            }),
        ),
        (
            "attribute list",
            Box::new(|g| {
                let tensors = vec![external("t")];
                g.node.insert(
                    0,
                    constant(AttributeProto {
                        tensors,
                        ..Default::default()
                    }),
                );
            }),
        ),
        (
            "sparse attribute",
            Box::new(|g| {
                let sparse_tensor = Some(sparse.clone().into());
                g.node.insert(
                    0,
                    constant(AttributeProto {
                        sparse_tensor,
                        ..Default::default()
                    }),
                );
            }),
        ),
        (
            "sparse attribute list",
            Box::new(|g| {
                let sparse_tensors = vec![sparse.clone()];
                g.node.insert(
                    0,
                    constant(AttributeProto {
                        sparse_tensors,
                        ..Default::default()
                    }),
                );
            }),
        ),
        (
            "nested graph",
            Box::new(|g| {
                g.node.push(
                    NodeProto::new("If", ["c"], ["y"]).attr_graph("then_branch", deep.clone()),
                );
            }),
        ),
        (
            "nested graph list",
            Box::new(|g| {
                let graphs = vec![deep.clone()];
                g.node.insert(
                    0,
                    constant(AttributeProto {
                        graphs,
                        ..Default::default()
                    }),
                );
            }),
        ),
    ];
    for (name, edit) in cases {
        let error = broken(|model| edit(graph(model)));
        assert!(
            matches!(error, OnnxError::ExternalData { count: 1, .. }),
            "{name}: {error}"
        );
        // Nor can it be written.
        let mut model = sample::tiny_model();
        edit(graph(&mut model));
        assert!(
            Artefact::new(model, sample::tiny_manifest()).is_err(),
            "{name}"
        );
    }
}

#[test]
fn a_foreign_domain_is_refused_in_nested_graphs_too() {
    let mut inner = NodeProto::new("Run", ["image"], ["z"]);
    inner.domain = "com.acme".into();
    let branch = GraphProto {
        node: vec![inner],
        ..Default::default()
    };
    let error = broken(|model| {
        graph(model)
            .node
            .push(NodeProto::new("If", ["c"], ["y"]).attr_graph("then_branch", branch));
    });
    assert!(matches!(error, OnnxError::UnknownDomain { .. }), "{error}");
}

#[test]
fn fields_no_one_knows_are_refused() {
    let mut bytes = sample::tiny_artefact().bytes().to_vec();
    bytes.extend([0x9a, 0x06, 0x01, 0x00]);
    let error = Artefact::from_bytes(bytes.into()).unwrap_err();
    assert!(
        chain(&error).contains("a field 99 that onnx does not define"),
        "{error}"
    );
}
