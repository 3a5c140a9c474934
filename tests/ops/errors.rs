//! What cannot be exported, and what is said about it.

use burn::prelude::*;
use burn::tensor::{Distribution, IndexingUpdateOp};
use uniseg_export::Exporter;

#[test]
fn an_operation_without_a_lowering_is_named() {
    let error = Exporter::new()
        .int_input("x", &[2, 3])
        .export(|tracer| {
            let x = tracer.int::<2>("x")?;
            let noise = Tensor::<2>::random([2, 3], Distribution::Default, tracer.device());
            let bits = x.clone().bitwise_and(x.clone()).bitwise_and(x);
            tracer.output("y", noise + bits.float())
        })
        .unwrap_err();
    insta::assert_snapshot!(
        error,
        @"2 burn operations have no ONNX lowering: Float::Random x1 making f32[2, 3] (a file that gives the same result each time has no random numbers; draw them outside and make them an input); Int::BitwiseAnd x2 making i64[2, 3] (ONNX has BitwiseAnd from opset 18 on, and opset 17 is written)"
    );
}

#[test]
fn a_use_that_has_no_lowering_is_named() {
    let error = Exporter::new()
        .float_input("x", &[2, 3])
        .export(|tracer| {
            let x = tracer.float::<2>("x")?;
            let rows = Tensor::<1, Int>::from_data([0, 1], tracer.device());
            let y = x.clone().select_assign(0, rows, x, IndexingUpdateOp::Max);
            tracer.output("y", y)
        })
        .unwrap_err();
    insta::assert_snapshot!(
        error,
        @"cannot lower Base::SelectAssign: ONNX scatters extremes from opset 18 on"
    );
}

#[test]
fn an_output_may_be_an_input() {
    let model = Exporter::new()
        .float_input("x", &[2, 3])
        .export(|tracer| {
            let x = tracer.float::<2>("x")?;
            tracer.output("y", x.mul_scalar(1.0))
        })
        .unwrap()
        .into_model("same");
    let nodes = &model.graph.as_ref().unwrap().node;
    assert!(nodes.iter().all(|node| node.op_type == "Identity"));
    assert_eq!(nodes.len(), 1);
    assert!(uniseg_onnx::check(&model).is_empty());
}

#[test]
fn a_computation_that_panics_is_an_error() {
    let error = Exporter::new()
        .float_input("x", &[2, 3])
        .export(|tracer| {
            let x = tracer.float::<2>("x")?;
            tracer.output("y", x.reshape([4, 5]))
        })
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the computation panicked while it was recorded"),
        "{error}"
    );
}

#[test]
fn inputs_and_outputs_must_fit_their_declaration() {
    let export =
        |body: fn(&mut uniseg_export::Tracer) -> Result<(), uniseg_export::ExportError>| {
            let exporter = Exporter::new().float_input("x", &[2]);
            exporter.export(body).unwrap_err().to_string()
        };
    let errors = [
        export(|_| Ok(())),
        export(|tracer| tracer.float::<1>("z").map(drop)),
        export(|tracer| tracer.float::<2>("x").map(drop)),
        export(|tracer| tracer.int::<1>("x").map(drop)),
        export(|tracer| {
            let x = Tensor::<1>::zeros([2], tracer.device());
            tracer.output("y", x)
        }),
        export(|tracer| tracer.output("y", Tensor::<1>::zeros([2], &Device::flex()))),
    ];
    insta::assert_snapshot!(errors.join("\n"), @"
    the exported computation declares no output
    the exported computation reads input 'z', which was not declared
    input 'x' was declared as f32 of rank 1, but the computation reads it as f32 of rank 2
    input 'x' was declared as f32 of rank 1, but the computation reads it as i64 of rank 1
    input 'x' is declared but the computation does not read it
    output 'y' was not computed on the capture device: move modules and constants there with Tracer::load
    ");
}
