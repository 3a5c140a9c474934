//! What all plots share: size, colours, text sizes, and where things go.

use std::ops::Range;

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Size of a plot in pixels.
pub(super) const SIZE: (u32, u32) = (720, 360);
pub(super) const INK: RGBColor = RGBColor(40, 44, 52);
pub(super) const GRID: RGBColor = RGBColor(226, 229, 234);
const FONT: &str = "sans-serif";

/// Told apart by most colour-blind readers as long as there are up to eight.
const COLOURS: [RGBColor; 12] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(112, 66, 160),
    RGBColor(120, 120, 120),
    RGBColor(160, 30, 45),
    RGBColor(60, 130, 40),
    RGBColor(20, 50, 110),
    RGBColor(140, 100, 40),
];

/// The colour of the series or group of an index.
pub(super) fn colour(index: usize) -> RGBColor {
    COLOURS[index % COLOURS.len()]
}

/// Ink of a size; the SVG back end takes a size for the height of a line and writes less.
pub(super) fn text(pixels: u32) -> TextStyle<'static> {
    (FONT, f64::from(pixels) * 1.24).into_font().color(&INK)
}

/// Text of a size that is placed by a point beside it.
pub(super) fn placed(pixels: u32, across: HPos, up: VPos) -> TextStyle<'static> {
    text(pixels).pos(Pos::new(across, up))
}

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws on a white sheet under a title and returns the SVG.
pub(super) fn sheet(
    title: &str,
    draw: impl FnOnce(&Area<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(failed)?;
        let style = placed(16, HPos::Left, VPos::Center);
        area.draw_text(title, &style, (14, 18)).map_err(failed)?;
        draw(&area.margin(34, 8, 10, 14))?;
        area.present().map_err(failed)?;
    }
    Ok(svg)
}

/// Drawing into a string fails only where there is a mistake in the drawing.
pub(super) fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw a plot: {error}")
}

/// The range of finite values with some room around them; a single value gets a unit of room.
pub(super) fn range(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
    if low > high {
        return 0.0..1.0;
    }
    let room = if high > low {
        (high - low) * 0.04
    } else {
        (0.5 * low.abs()).max(1e-6)
    };
    low - room..high + room
}

/// A number at an axis: few digits, no trail of zeros.
pub(super) fn tick(value: f64) -> String {
    let size = value.abs();
    if size < 1e-12 {
        "0".into()
    } else if !(1e-3..1e6).contains(&size) {
        format!("{value:.0e}")
    } else {
        let text = format!("{value:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_never_empty() {
        assert_eq!(range([].into_iter()), 0.0..1.0);
        assert_eq!(range([f64::NAN, f64::INFINITY].into_iter()), 0.0..1.0);
        assert_eq!(range([2.0].into_iter()), 1.0..3.0);
        let wide = range([-1.0, f64::NAN, 1.0].into_iter());
        assert!((wide.start + 1.08).abs() < 1e-12 && (wide.end - 1.08).abs() < 1e-12);
    }

    #[test]
    fn ticks_are_short() {
        for (value, expected) in [
            (0.0, "0"),
            (1e-15, "0"),
            (0.25, "0.25"),
            (-12.0, "-12"),
            (1500.0, "1500"),
            (0.0001, "1e-4"),
            (2e7, "2e7"),
        ] {
            assert_eq!(tick(value), expected);
        }
    }
}
