//! Values of cases by group: a box for the quartiles, and every case as a dot.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::frame::{GRID, INK, SIZE, colour, failed, placed, sheet, text, tick};

/// A column of a plot.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    /// What stands below it.
    pub(crate) name: String,
    /// Its values, of 0 to 1; others are left out.
    pub(crate) values: Vec<f64>,
}

/// Pixels that a letter below a column takes at most.
const LETTER: usize = 8;
/// More letters are not shown.
const LETTERS: usize = 18;
/// Columns of dots beside each other, as shares of the box.
const LANES: [f64; 5] = [0.0, 0.45, -0.45, 0.8, -0.8];

/// Draws groups beside each other on a scale from 0 to 1, as Dice has it; returns SVG.
pub(crate) fn strip(groups: &[Group], title: &str, y: &str) -> anyhow::Result<String> {
    sheet(title, |area| {
        let count = groups.len().max(1);
        // Half the width of a box where the distance of two groups is 1.
        let half = f64::min(0.24, 0.07 * count as f64);
        let names: Vec<String> = groups.iter().map(name).collect();
        let longest = names.iter().map(|name| name.chars().count()).max();
        // Names that do not fit beside each other stand upright.
        let upright = longest.unwrap_or(0) * LETTER * count > SIZE.0 as usize - 90;
        let mut chart = ChartBuilder::on(area)
            .x_label_area_size(if upright { 156 } else { 30 })
            .y_label_area_size(56)
            .margin_right(8)
            .build_cartesian_2d(-0.5..count as f64 - 0.5, -0.02..1.02)
            .map_err(failed)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .y_desc(y)
            .y_labels(6)
            .y_label_formatter(&|value| tick(*value))
            .max_light_lines(0)
            .bold_line_style(GRID)
            .axis_style(INK)
            .label_style(text(12))
            .axis_desc_style(text(13))
            .draw()
            .map_err(failed)?;
        for (index, group) in groups.iter().enumerate() {
            let middle = index as f64;
            let mut values: Vec<f64> = shown(group).collect();
            values.sort_by(f64::total_cmp);
            if let Some([low, lower, median, upper, high]) = quartiles(&values) {
                let ink = colour(index);
                let corners = [(middle - half, lower), (middle + half, upper)];
                chart
                    .draw_series([
                        Rectangle::new(corners, ink.mix(0.15).filled()),
                        Rectangle::new(corners, ink.stroke_width(1)),
                    ])
                    .map_err(failed)?;
                let line = |from, to, width| PathElement::new([from, to], ink.stroke_width(width));
                chart
                    .draw_series([
                        line((middle, low), (middle, lower), 1),
                        line((middle, upper), (middle, high), 1),
                        line((middle - half, median), (middle + half, median), 3),
                    ])
                    .map_err(failed)?;
                let dots = values.iter().enumerate().map(|(place, value)| {
                    let lane = LANES[place % LANES.len()] * half;
                    Circle::new((middle + lane, *value), 3, ink.mix(0.75).filled())
                });
                chart.draw_series(dots).map_err(failed)?;
            }
            let (x, bottom) = chart.backend_coord(&(middle, -0.02));
            let (left, top) = area.get_base_pixel();
            let below = if upright {
                placed(12, HPos::Right, VPos::Center).transform(FontTransform::Rotate270)
            } else {
                placed(12, HPos::Center, VPos::Top)
            };
            area.draw_text(&names[index], &below, (x - left, bottom - top + 9))
                .map_err(failed)?;
        }
        Ok(())
    })
}

/// The values on the scale.
fn shown(group: &Group) -> impl Iterator<Item = f64> {
    let all = group.values.iter().copied();
    all.filter(|value| (0.0..=1.0).contains(value))
}

fn name(group: &Group) -> String {
    let mut name: String = group.name.chars().take(LETTERS).collect();
    if name.len() < group.name.len() {
        name.push('…');
    }
    format!("{name} (n = {})", shown(group).count())
}

/// Minimum, quartiles and maximum of ascending values, interpolated as numpy does.
fn quartiles(ascending: &[f64]) -> Option<[f64; 5]> {
    let last = ascending.len().checked_sub(1)?;
    Some([0.0, 0.25, 0.5, 0.75, 1.0].map(|share| {
        let place = share * last as f64;
        let (below, above) = (
            ascending[place.floor() as usize],
            ascending[place.ceil() as usize],
        );
        below + (above - below) * place.fract()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_numpys() {
        // numpy.percentile([0, 1, 2, 10], [0, 25, 50, 75, 100])
        let found = quartiles(&[0.0, 1.0, 2.0, 10.0]);
        assert_eq!(found, Some([0.0, 0.75, 1.5, 4.0, 10.0]));
        assert_eq!(quartiles(&[3.0]), Some([3.0; 5]));
        assert_eq!(quartiles(&[]), None);
    }

    #[test]
    fn every_case_is_a_dot_and_every_group_has_its_name() {
        let group = |name: &str, values: &[f64]| Group {
            name: name.into(),
            values: values.to_vec(),
        };
        let groups = [
            group("liver", &[0.9, 0.95, 0.2]),
            group("tumour", &[0.5, f64::NAN]),
            group("none", &[]),
        ];
        let svg = strip(&groups, "liver", "Dice").unwrap();
        assert_eq!(svg.matches("<circle ").count(), 4, "{svg}");
        for text in ["liver (n = 3)", "tumour (n = 1)", "none (n = 0)", "Dice"] {
            assert!(svg.contains(text), "{text} is not in {svg}");
        }
    }
}
