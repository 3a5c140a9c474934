use burn::nn::InstanceNormConfig;
use burn::nn::conv::Conv2dConfig;
use burn::nn::interpolate::{Interpolate2dConfig, InterpolateMode};
use burn::prelude::*;

use crate::testing::placed;
use crate::{ExportError, Exporter};

fn export<const D: usize, const E: usize>(
    shape: [usize; D],
    axes: &[(usize, &str, usize)],
    function: impl Fn(Tensor<D>) -> Tensor<E>,
) -> Result<String, ExportError> {
    let mut exporter = Exporter::new().float_input("x", &shape);
    for &(axis, name, other) in axes {
        exporter = exporter.symbolic("x", axis, name, other);
    }
    let exported = exporter.export(|tracer| {
        let x = tracer.float::<D>("x")?;
        tracer.output("y", function(x))
    })?;
    Ok(exported.graph().to_string())
}

#[test]
fn a_reshape_leaves_the_batch_open() {
    let text = export([2, 3, 4], &[(0, "batch", 5)], |x: Tensor<3>| {
        let [batch, ..] = x.dims();
        x.reshape([batch, 12]).exp()
    });
    insta::assert_snapshot!(text.unwrap(), @"
    input x = v0:f32[batch, 3, 4]
    v2:f32[batch, 12] = Reshape(v0:f32[batch, 3, 4], c1:i64[2]{-1, 12})
    v3:f32[batch, 12] = Exp(v2:f32[batch, 12])
    output y = v3:f32[batch, 12]
    ");
}

#[test]
fn sizes_that_cannot_be_left_open_are_computed() {
    let text = export(
        [2, 3],
        &[(0, "batch", 5), (1, "length", 7)],
        |x: Tensor<2>| {
            let [batch, length] = x.dims();
            let zeros = Tensor::<3>::zeros([batch, 2 * length, 1], &x.device());
            let own = Tensor::<3>::from_floats([[[1.0, 2.0]]], &x.device());
            Tensor::cat(vec![own.expand([batch, 2 * length, 2]), zeros], 2)
                + x.exp().sum().reshape([1, 1, 1])
        },
    );
    insta::assert_snapshot!(text.unwrap(), @"
    input x = v0:f32[batch, length]
    v1:i64[2] = Shape(v0:f32[batch, length])
    v3:i64[1] = Gather(v1:i64[2], c2:i64[1]{0}) axis=0
    v4:i64[2] = Shape(v0:f32[batch, length])
    v6:i64[1] = Gather(v4:i64[2], c5:i64[1]{1}) axis=0
    v8:i64[1] = Mul(v6:i64[1], c7:i64[1]{2})
    v10:i64[3] = Concat(v3:i64[1], v8:i64[1], c9:i64[1]{2}) axis=0
    v12:i64[1] = Mul(v6:i64[1], c11:i64[1]{2})
    v14:i64[3] = Concat(v3:i64[1], v12:i64[1], c13:i64[1]{1}) axis=0
    v16:f32[batch, 2*length, 1] = Expand(c15:f32[]{0}, v14:i64[3])
    v18:f32[batch, 2*length, 2] = Expand(c17:f32[1, 1, 2]{1, 2}, v10:i64[3])
    v19:f32[batch, 2*length, 3] = Concat(v18:f32[batch, 2*length, 2], v16:f32[batch, 2*length, 1]) axis=2
    v20:f32[batch, length] = Exp(v0:f32[batch, length])
    v21:f32[] = ReduceSum(v20:f32[batch, length]) keepdims=0
    v23:f32[1, 1, 1] = Reshape(v21:f32[], c22:i64[3]{1, 1, 1})
    v24:f32[batch, 2*length, 3] = Add(v19:f32[batch, 2*length, 3], v23:f32[1, 1, 1])
    output y = v24:f32[batch, 2*length, 3]
    ");
}

#[test]
fn a_convolutional_network_works_at_any_size() {
    let conv = Conv2dConfig::new([1, 2], [3; 2]).init(&Device::flex());
    let axes = [(0, "batch", 3), (2, "height", 10), (3, "width", 12)];
    let text = export([2, 1, 6, 8], &axes, |x: Tensor<4>| {
        let x = placed(conv.clone(), &x).forward(x);
        InstanceNormConfig::new(2).init(&x.device()).forward(x)
    });
    let text = text.unwrap();
    assert!(
        text.contains("output y = ") && !text.contains("Shape("),
        "{text}"
    );
    assert!(
        text.contains("input x = v0:f32[batch, 1, height, width]"),
        "{text}"
    );
}

#[test]
fn what_really_depends_on_a_size_is_named() {
    let error = export([2, 3], &[(0, "batch", 5)], |x: Tensor<2>| {
        let batch = x.dims()[0] as f64;
        x.div_scalar(batch)
    });
    insta::assert_snapshot!(error.unwrap_err(), @"the axis 'batch' cannot be left open, since its size changes more than can be computed from a shape: the values of input 1 of Div (Numeric::DivScalar) making [2, 3]; export it with a fixed size");
    let error = export([2, 3], &[(0, "batch", 5)], |x: Tensor<2>| {
        match x.dims()[0] {
            2 => x.exp(),
            _ => x.sqrt(),
        }
    });
    insta::assert_snapshot!(error.unwrap_err(), @"the axis 'batch' cannot be left open, since its size changes more than can be computed from a shape: node 0, Exp (Float::Exp) making [2, 3], is missing at the other size; export it with a fixed size");
}

#[test]
fn an_axis_must_exist_and_have_two_sizes() {
    for (axis, other) in [(2, 5), (0, 2), (0, 0)] {
        let error = export([2, 3], &[(axis, "batch", other)], |x: Tensor<2>| x).unwrap_err();
        assert!(matches!(error, ExportError::BadSymbol { .. }), "{error}");
    }
}

#[test]
fn interpolation_by_whole_factors_works_at_any_size() {
    let double = Interpolate2dConfig::new()
        .with_scale_factor(Some([2.0, 2.0]))
        .with_align_corners(false)
        .with_mode(InterpolateMode::Linear)
        .init();
    let axes = [(0, "batch", 3), (2, "height", 6)];
    let text = export([2, 1, 4, 5], &axes, |x: Tensor<4>| double.forward(x));
    insta::assert_snapshot!(text.unwrap(), @"
    input x = v0:f32[batch, 1, height, 5]
    v3:f32[batch, 1, 2*height, 10] = Resize(v0:f32[batch, 1, height, 5], c1:f32[0]{}, c2:f32[4]{1, 1, 2, 2}) coordinate_transformation_mode=half_pixel cubic_coeff_a=-0.75 mode=linear
    output y = v3:f32[batch, 1, 2*height, 10]
    ");
}
