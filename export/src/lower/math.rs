//! Element-wise functions.

use super::row::row;

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
