use uniseg_onnx::proto::{TensorProto, ValueInfoProto};

use super::*;

/// A graph of these nodes from `x` to `y`, with weights for convolutions and norms.
fn graph(nodes: Vec<NodeProto>) -> ModelProto {
    let ones = |name: &str, dims: &[i64]| {
        let count = dims.iter().product::<i64>() as usize;
        TensorProto::from_f32(name, dims, &vec![1.0; count])
    };
    ModelProto::new(GraphProto {
        name: "graph".to_owned(),
        node: nodes,
        initializer: vec![
            ones("w", &[2, 2, 1, 1, 1]),
            ones("scale", &[2]),
            ones("bias", &[2]),
        ],
        input: vec![ValueInfoProto::tensor(
            "x",
            DataType::Float,
            [1, 2, 3, 4, 5],
        )],
        output: vec![ValueInfoProto::tensor(
            "y",
            DataType::Float,
            [1, 2, 3, 4, 5],
        )],
        ..GraphProto::default()
    })
}

fn conv(from: &str, to: &str) -> NodeProto {
    NodeProto::new("Conv", [from, "w"], [to])
}

fn norm(from: &str, to: &str) -> NodeProto {
    NodeProto::new("InstanceNormalization", [from, "scale", "bias"], [to])
        .attr_float("epsilon", 1e-4)
}

fn relu(from: &str, to: &str) -> NodeProto {
    NodeProto::new("LeakyRelu", [from], [to]).attr_float("alpha", 0.2)
}

fn cast(from: &str, to: &str, element: DataType) -> NodeProto {
    NodeProto::new("Cast", [from], [to]).attr_int("to", element as i64)
}

/// The nodes as `output = operator(inputs)`, ours with their numbers.
fn nodes(model: &ModelProto) -> Vec<String> {
    let number = |node: &NodeProto, name| node.attribute(name).and_then(|value| value.f);
    let text = |node: &NodeProto| {
        let mut text = format!(
            "{} = {}({})",
            node.output[0],
            node.op_type,
            node.input.join(", ")
        );
        if node.domain == DOMAIN {
            let (epsilon, alpha) = (number(node, EPSILON), number(node, ALPHA));
            let last = node.attribute(CHANNELS_LAST).and_then(|value| value.i);
            text += &format!(" {} {} {}", epsilon.unwrap(), alpha.unwrap(), last.unwrap());
        }
        if let Some(perm) = node.attribute("perm") {
            text += &format!(" {:?}", perm.ints);
        }
        text
    };
    model
        .graph
        .as_ref()
        .unwrap()
        .node
        .iter()
        .map(text)
        .collect()
}

fn rewritten_nodes(given: Vec<NodeProto>, channels_last: bool) -> Vec<String> {
    let model = rewritten(graph(given), channels_last).unwrap();
    let ours = model.opset_import.iter().filter(|set| set.domain == DOMAIN);
    assert_eq!(ours.count(), 1);
    nodes(&model)
}

#[test]
fn norm_and_activation_become_one() {
    let given = vec![
        conv("x", "a"),
        norm("a", "b"),
        relu("b", "c"),
        conv("c", "y"),
    ];
    assert_eq!(
        rewritten_nodes(given.clone(), false),
        [
            "a = Conv(x, w)",
            "c = InstanceNormLeakyRelu(a, scale, bias) 0.0001 0.2 0",
            "y = Conv(c, w)"
        ]
    );
    assert_eq!(
        rewritten_nodes(given, true),
        [
            "a = Conv(x, w)",
            "c.before = Transpose(a) [0, 2, 3, 4, 1]",
            "c.after = InstanceNormLeakyRelu(c.before, scale, bias) 0.0001 0.2 1",
            "c = Transpose(c.after) [0, 4, 1, 2, 3]",
            "y = Conv(c, w)"
        ]
    );
}

#[test]
fn casts_go_as_a_pair() {
    let half = DataType::Float16;
    let given = vec![
        conv("x", "a"),
        cast("a", "a32", DataType::Float),
        norm("a32", "b32"),
        cast("b32", "b", half),
        relu("b", "y"),
    ];
    assert_eq!(
        rewritten_nodes(given, false),
        [
            "a = Conv(x, w)",
            "y = InstanceNormLeakyRelu(a, scale, bias) 0.0001 0.2 0"
        ]
    );
    // One alone stays, and the convolution before it still tells the rank.
    let given = vec![
        conv("x", "c"),
        cast("c", "a", DataType::Float),
        norm("a", "b"),
        relu("b", "y"),
    ];
    assert_eq!(
        rewritten_nodes(given, true),
        [
            "c = Conv(x, w)",
            "a = Cast(c)",
            "y.before = Transpose(a) [0, 2, 3, 4, 1]",
            "y.after = InstanceNormLeakyRelu(y.before, scale, bias) 0.0001 0.2 1",
            "y = Transpose(y.after) [0, 4, 1, 2, 3]"
        ]
    );
}

#[test]
fn what_others_read_stays() {
    // The norm's own value is read twice, and the cast before it, too.
    let half = DataType::Float16;
    let given = vec![
        cast("x", "a", DataType::Float),
        norm("a", "b"),
        cast("b", "c", half),
        NodeProto::new("Add", ["a", "c"], ["d"]),
        relu("c", "e"),
        NodeProto::new("Add", ["d", "e"], ["y"]),
    ];
    assert_eq!(
        rewritten_nodes(given, false),
        [
            "a = Cast(x)",
            "c = InstanceNormLeakyRelu(x, scale, bias) 0.0001 1 0",
            "d = Add(a, c)",
            "e = LeakyRelu(c)",
            "y = Add(d, e)"
        ]
    );
    // What leaves the graph is there as it was.
    let given = vec![norm("x", "y"), relu("y", "z")];
    assert_eq!(
        rewritten_nodes(given, false),
        [
            "y = InstanceNormLeakyRelu(x, scale, bias) 0.0001 1 0",
            "z = LeakyRelu(y)"
        ]
    );
}

#[test]
fn a_graph_without_norms_of_ours_is_left_alone() {
    assert!(rewritten(graph(vec![conv("x", "y")]), true).is_none());
    // Scale and bias that are computed, or not f32.
    let computed = NodeProto::new("InstanceNormalization", ["x", "s", "bias"], ["y"]);
    let given = vec![NodeProto::new("Relu", ["scale"], ["s"]), computed];
    assert!(rewritten(graph(given), false).is_none());
}
