//! The example of the compiler does what it says.

use burn::prelude::*;
use uniseg_runtime::Tensor as Found;

use super::Subject;
use super::subject::{array, checked, floats};
use crate::support::{compare::max_abs, ort};

#[path = "../../export/examples/own_network.rs"]
#[expect(dead_code, reason = "an example has a main")]
mod own_network;

use own_network::{Network, export};

#[test]
fn the_example_exports_a_network_for_any_batch() {
    let network = Network::new(&Device::flex());
    let exported = export(&network).unwrap();
    let nodes = exported.graph().nodes();
    let operators: Vec<&str> = nodes.iter().map(|node| node.op).collect();
    insta::assert_snapshot!(operators.join(" "), @"Conv Relu ReduceMean Reshape MatMul Add");
    let model = checked("own", exported);
    let inputs = Subject::of_floats("own", [2, 1, 64], network.clone(), Network::forward);
    for batch in [1, 4] {
        let input = inputs.input(batch, 0);
        let expected = array(network.forward(floats(&input)));
        for kind in ort::ENGINES {
            let outputs = ort::engine(&model, kind).run(&[("signal", input.view())]);
            let [(name, Found::F32(found))] = &outputs.unwrap()[..] else {
                panic!("{kind}: not one output of floats")
            };
            assert_eq!(name, "scores");
            let worst = max_abs(found.view(), expected.view());
            assert!(worst <= 1e-6, "{kind}: {worst:.1e}");
        }
    }
}
