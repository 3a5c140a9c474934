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
    insta::assert_snapshot!(exported.graph(), @"
    input signal = v0:f32[batch, 1, 64]
    v3:f32[2, 8, 60] = Conv(v0:f32[batch, 1, 64], c1:f32[8, 1, 5], c2:f32[8]) dilations=[1] group=1 kernel_shape=[5] pads=[0, 0] strides=[1]
    v4:f32[2, 8, 60] = Relu(v3:f32[2, 8, 60])
    v5:f32[2, 8, 1] = ReduceMean(v4:f32[2, 8, 60]) axes=[2] keepdims=1
    v7:f32[2, 8] = Reshape(v5:f32[2, 8, 1], c6:i64[2]{-1, 8})
    v9:f32[2, 3] = MatMul(v7:f32[2, 8], c8:f32[8, 3])
    v11:f32[batch, 3] = Add(v9:f32[2, 3], c10:f32[3]{0.2381784, 0.03884077, -0.25698265})
    output scores = v11:f32[batch, 3]
    ");
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
