//! Element-wise functions.

use super::row::row;
use crate::graph::ValueId;
use crate::types::Constant;

row!(EXP: Float::Exp(op) => ["Exp"], |cx| cx.unary("Exp", op));
row!(LOG: Float::Log(op) => ["Log"], |cx| cx.unary("Log", op));
row!(SQRT: Float::Sqrt(op) => ["Sqrt"], |cx| cx.unary("Sqrt", op));
row!(ERF: Float::Erf(op) => ["Erf"], |cx| cx.unary("Erf", op));
row!(COS: Float::Cos(op) => ["Cos"], |cx| cx.unary("Cos", op));
row!(SIN: Float::Sin(op) => ["Sin"], |cx| cx.unary("Sin", op));
row!(TANH: Float::Tanh(op) => ["Tanh"], |cx| cx.unary("Tanh", op));
row!(FLOOR: Float::Floor(op) => ["Floor"], |cx| cx.unary("Floor", op));
row!(CEIL: Float::Ceil(op) => ["Ceil"], |cx| cx.unary("Ceil", op));
row!(RECIP: Float::Recip(op) => ["Reciprocal"], |cx| cx.unary("Reciprocal", op));
row!(TAN: Float::Tan(op) => ["Tan"], |cx| cx.unary("Tan", op));
row!(SINH: Float::Sinh(op) => ["Sinh"], |cx| cx.unary("Sinh", op));
row!(COSH: Float::Cosh(op) => ["Cosh"], |cx| cx.unary("Cosh", op));
row!(ARC_COS: Float::ArcCos(op) => ["Acos"], |cx| cx.unary("Acos", op));
row!(ARC_COSH: Float::ArcCosh(op) => ["Acosh"], |cx| cx.unary("Acosh", op));
row!(ARC_SIN: Float::ArcSin(op) => ["Asin"], |cx| cx.unary("Asin", op));
row!(ARC_SINH: Float::ArcSinh(op) => ["Asinh"], |cx| cx.unary("Asinh", op));
row!(ARC_TAN: Float::ArcTan(op) => ["Atan"], |cx| cx.unary("Atan", op));
row!(ARC_TANH: Float::ArcTanh(op) => ["Atanh"], |cx| cx.unary("Atanh", op));
// Both round halves to even.
row!(ROUND: Float::Round(op) => ["Round"], |cx| cx.unary("Round", op));
row!(IS_NAN: Float::IsNan(op) => ["IsNaN"], |cx| cx.unary("IsNaN", op));
row!(IS_INF: Float::IsInf(op) => ["IsInf"], |cx| cx.unary("IsInf", op));
row!(TRUNC: Float::Trunc(op) => ["Less", "Ceil", "Floor", "Where"], |cx| {
    let input = cx.read(&op.input)?;
    let zero = cx.number_like(input, 0.0);
    let below = cx.compare("Less", input, zero);
    let (up, down) = (cx.map("Ceil", input), cx.map("Floor", input));
    cx.node("Where", &[below, up, down]).makes(&op.out)
});
// The rounding of 1 + x is divided out again (W. Kahan): exact to the last bits near zero, too.
row!(LOG1P: Float::Log1p(op) => ["Add", "Sub", "Equal", "Log", "Div", "Mul", "Where"], |cx| {
    let input = cx.read(&op.input)?;
    let one = cx.number_like(input, 1.0);
    let sum = cx.join("Add", input, one);
    let rounded = cx.join("Sub", sum, one);
    let tiny = cx.compare("Equal", sum, one);
    let log = cx.map("Log", sum);
    let correction = cx.join("Div", input, rounded);
    let result = cx.join("Mul", log, correction);
    cx.node("Where", &[tiny, input, result]).makes(&op.out)
});
// The greater side is taken out of the root, so that no square overflows.
row!(HYPOT: Float::Hypot(op) => [
    "Abs", "Max", "Min", "Div", "Mul", "Add", "Sqrt", "Equal", "Where"
], |cx| {
    let sides = [cx.read(&op.lhs)?, cx.read(&op.rhs)?].map(|side| cx.map("Abs", side));
    let (most, least) = (cx.join("Max", sides[0], sides[1]), cx.join("Min", sides[0], sides[1]));
    let (zero, one) = (cx.number_like(most, 0.0), cx.number_like(most, 1.0));
    let ratio = cx.join("Div", least, most);
    let square = cx.join("Mul", ratio, ratio);
    let sum = cx.join("Add", square, one);
    let root = cx.map("Sqrt", sum);
    let result = cx.join("Mul", most, root);
    let none = cx.compare("Equal", most, zero);
    cx.node("Where", &[none, most, result]).makes(&op.out)
});
// The angle of (x, y): the arc tangent of y / x knows two quadrants, the signs tell the others.
row!(ARC_TAN2: Float::ArcTan2(op) => [
    "Div", "Atan", "Less", "Where", "Add", "Sign", "Mul", "Equal"
], |cx| {
    let (y, x) = (cx.read(&op.lhs)?, cx.read(&op.rhs)?);
    let pi = std::f64::consts::PI;
    let [zero, half, plus, minus] =
        [0.0, pi / 2.0, pi, -pi].map(|number| cx.number_like(x, number));
    let slope = cx.join("Div", y, x);
    let angle = cx.map("Atan", slope);
    let (below, left) = (cx.compare("Less", y, zero), cx.compare("Less", x, zero));
    let turn = cx.choose(below, minus, plus);
    let turn = cx.choose(left, turn, zero);
    let turned = cx.join("Add", angle, turn);
    let sign = cx.map("Sign", y);
    let upright = cx.join("Mul", sign, half);
    let on_axis = cx.compare("Equal", x, zero);
    cx.node("Where", &[on_axis, upright, turned]).makes(&op.out)
});
row!(CROSS: Float::Cross(op) => ["Gather", "Mul", "Sub"], |cx| {
    let (lhs, rhs) = (cx.read(&op.lhs)?, cx.read(&op.rhs)?);
    let (next, last) = (cx.constant(Constant::i64s(&[1, 2, 0])), cx.constant(Constant::i64s(&[2, 0, 1])));
    let mut turned = |value: ValueId, order: ValueId| {
        let (dtype, shape) = cx.kind(value);
        cx.node("Gather", &[value, order]).int("axis", op.dim).temporary(dtype, shape)
    };
    let [a, b] = [turned(lhs, next), turned(rhs, last)];
    let [c, d] = [turned(lhs, last), turned(rhs, next)];
    let (plus, minus) = (cx.join("Mul", a, b), cx.join("Mul", c, d));
    cx.node("Sub", &[plus, minus]).makes(&op.out)
});
