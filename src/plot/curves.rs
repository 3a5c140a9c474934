//! Lines over a common axis: loss, learning rate, Dice over iterations.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::frame::{self, GRID, INK, colour, failed, placed, range, sheet, text, tick};

/// A line of a plot.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    /// What the legend calls it.
    pub(crate) name: String,
    /// Points (x, y) from left to right; a value that is not finite leaves a gap.
    pub(crate) points: Vec<(f64, f64)>,
}

/// Pixels to the right of the lines where their names are.
const LEGEND: i32 = 165;
/// More letters do not fit there.
const LEGEND_LETTERS: usize = 20;

/// Draws lines in colours of their own, with a legend if there are several; returns SVG.
pub(crate) fn curves(series: &[Series], title: &str, x: &str, y: &str) -> anyhow::Result<String> {
    let points = || series.iter().flat_map(|one| &one.points);
    let across = range(points().filter(|p| p.1.is_finite()).map(|p| p.0));
    let up = range(points().filter(|p| p.0.is_finite()).map(|p| p.1));
    sheet(title, |area| {
        let width = frame::SIZE.0 as i32 - 22;
        let (lines, legend) = if series.len() > 1 {
            let (lines, legend) = area.split_horizontally(width - LEGEND);
            (lines, Some(legend))
        } else {
            (area.clone(), None)
        };
        let mut chart = ChartBuilder::on(&lines)
            .x_label_area_size(42)
            .y_label_area_size(62)
            .margin_right(12)
            .build_cartesian_2d(across, up)
            .map_err(failed)?;
        chart
            .configure_mesh()
            .x_desc(x)
            .y_desc(y)
            .x_labels(8)
            .y_labels(6)
            .x_label_formatter(&|value| tick(*value))
            .y_label_formatter(&|value| tick(*value))
            .max_light_lines(0)
            .bold_line_style(GRID)
            .axis_style(INK)
            .label_style(text(12))
            .axis_desc_style(text(13))
            .draw()
            .map_err(failed)?;
        for (index, one) in series.iter().enumerate() {
            let style = colour(index).stroke_width(2);
            for run in runs(&one.points) {
                // A point alone would be an invisible line.
                if let [alone] = run {
                    chart
                        .draw_series([Circle::new(*alone, 3, colour(index).filled())])
                        .map_err(failed)?;
                } else {
                    chart
                        .draw_series(LineSeries::new(run.iter().copied(), style))
                        .map_err(failed)?;
                }
            }
        }
        let Some(legend) = legend else { return Ok(()) };
        let name = placed(12, HPos::Left, VPos::Center);
        for (index, one) in series.iter().enumerate() {
            let middle = 14 + 18 * index as i32;
            let line = [(8, middle), (28, middle)];
            legend
                .draw(&PathElement::new(line, colour(index).stroke_width(3)))
                .map_err(failed)?;
            legend
                .draw_text(&shortened(&one.name), &name, (35, middle))
                .map_err(failed)?;
        }
        Ok(())
    })
}

/// The stretches of points that are finite.
fn runs(points: &[(f64, f64)]) -> impl Iterator<Item = &[(f64, f64)]> {
    points
        .split(|(x, y)| !(x.is_finite() && y.is_finite()))
        .filter(|run| !run.is_empty())
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= LEGEND_LETTERS {
        return name.to_owned();
    }
    let kept: String = name.chars().take(LEGEND_LETTERS - 1).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, points: &[(f64, f64)]) -> Series {
        Series {
            name: name.into(),
            points: points.to_vec(),
        }
    }

    #[test]
    fn every_series_is_drawn_and_named() {
        let all = [
            series("liver & <tumour>", &[(0.0, 1.0), (10.0, 0.5), (20.0, 0.25)]),
            series(
                "a name that is far too long for it",
                &[(0.0, 2.0), (20.0, 1.0)],
            ),
        ];
        let svg = curves(&all, "Training loss", "iteration", "loss").unwrap();
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
        // A line for each series; axes and legend are lines of two points.
        let lines = svg.matches("<polyline ").count();
        assert!(lines >= 4, "{svg}");
        for text in [
            "liver &amp; &lt;tumour&gt;",
            "a name that is far …",
            "iteration",
            "loss",
        ] {
            assert!(svg.contains(text), "{text} is not in {svg}");
        }
        assert_eq!(
            svg,
            curves(&all, "Training loss", "iteration", "loss").unwrap()
        );
    }

    #[test]
    fn what_is_not_finite_is_a_gap() {
        let points = [(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0), (3.0, 4.0)];
        assert_eq!(
            runs(&points).collect::<Vec<_>>(),
            [&points[..1], &points[2..]]
        );
        let svg = curves(&[series("x", &points)], "t", "x", "y").unwrap();
        assert!(!svg.contains("NaN") && svg.contains("<circle"), "{svg}");
        let nothing = curves(&[], "nothing", "x", "y").unwrap();
        assert!(nothing.contains("nothing"));
    }
}
