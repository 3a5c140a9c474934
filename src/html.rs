//! A report as one HTML file that needs nothing else: no scripts, no other files, no network.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::atomic;

/// A page under construction; parts appear in the order in which they are added.
///
/// All text is escaped. Only SVG is taken as it is: it must come from [`crate::plot`].
pub(crate) struct Page {
    title: String,
    body: String,
}

/// A picture of a page.
pub(crate) enum Figure {
    /// A plot, and what it is called; the plot has a title of its own.
    Svg {
        /// Read by those who cannot see it.
        caption: String,
        /// As [`crate::plot`] draws it.
        svg: String,
    },
    /// A PNG file's bytes, and what is written below them.
    Png {
        /// Written below, and read by those who cannot see the picture.
        caption: String,
        /// The file.
        bytes: Vec<u8>,
    },
}

impl Page {
    /// An empty page under a title.
    pub(crate) fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            body: String::new(),
        }
    }

    /// Begins a section.
    pub(crate) fn heading(&mut self, text: &str) -> &mut Self {
        self.push(&format!("<h2>{}</h2>\n", escaped(text)))
    }

    /// Text.
    pub(crate) fn paragraph(&mut self, text: &str) -> &mut Self {
        self.push(&format!("<p>{}</p>\n", escaped(text)))
    }

    /// Rows of cells; the first row is the heading. What reads as a number is set right.
    pub(crate) fn table(&mut self, rows: &[Vec<String>]) -> &mut Self {
        self.push("<div class=\"wide\"><table>\n");
        for (index, row) in rows.iter().enumerate() {
            match index {
                0 => self.push("<thead>"),
                1 => self.push("<tbody>\n"),
                _ => self,
            };
            self.push("<tr>");
            for (column, cell) in row.iter().enumerate() {
                let tag = if index == 0 { "th" } else { "td" };
                // A heading stands as what is below it.
                let below = rows.get(1).and_then(|row| row.get(column));
                let deciding = if index == 0 { below } else { Some(cell) };
                let class = match deciding {
                    Some(cell) if is_number(cell) => " class=\"number\"",
                    _ => "",
                };
                self.push(&format!("<{tag}{class}>{}</{tag}>", escaped(cell)));
            }
            self.push(if index == 0 {
                "</tr></thead>\n"
            } else {
                "</tr>\n"
            });
        }
        self.push(if rows.len() > 1 { "</tbody>" } else { "" });
        self.push("</table></div>\n")
    }

    /// A plot.
    pub(crate) fn svg(&mut self, caption: &str, svg: &str) -> &mut Self {
        let figure = Figure::Svg {
            caption: caption.to_owned(),
            svg: svg.to_owned(),
        };
        self.push(&figure.html())
    }

    /// Pictures beside each other, as many as the window is wide.
    pub(crate) fn figure_row(&mut self, figures: &[Figure]) -> &mut Self {
        self.push("<div class=\"row\">\n");
        for figure in figures {
            self.push(&figure.html());
        }
        self.push("</div>\n")
    }

    /// Writes the page; the file is complete or absent.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        atomic::write(path, self.html().as_bytes())
    }

    fn html(&self) -> String {
        let title = escaped(&self.title);
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
             <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{}</main>\n\
             </body>\n</html>\n",
            self.body
        )
    }

    fn push(&mut self, html: &str) -> &mut Self {
        self.body.push_str(html);
        self
    }
}

impl Figure {
    fn html(&self) -> String {
        match self {
            Self::Svg { caption, svg } => format!(
                "<figure><div class=\"plot\" role=\"img\" aria-label=\"{}\">{svg}</div></figure>\n",
                escaped(caption)
            ),
            Self::Png { caption, bytes } => {
                let caption = escaped(caption);
                format!(
                    "<figure><img alt=\"{caption}\" src=\"data:image/png;base64,{}\">\
                     <figcaption>{caption}</figcaption></figure>\n",
                    STANDARD.encode(bytes)
                )
            }
        }
    }
}

/// Text as HTML shows it, in elements and in quoted attributes.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}

/// Whether a cell is a number, with a unit or without, or stands for one that is absent: `–`.
fn is_number(cell: &str) -> bool {
    const UNITS: [&str; 11] = [
        "%", "mm", "ml", "ms", "s", "min", "h", "kB", "MB", "GB", "it/s",
    ];
    let (number, unit) = match cell.trim().split_once(' ') {
        Some((number, unit)) => (number, unit),
        None => (cell.trim(), ""),
    };
    let known = unit.is_empty() || UNITS.contains(&unit);
    let number = number.trim_end_matches('%');
    known && (matches!(number, "–" | "-") || number.parse::<f64>().is_ok())
}

const STYLE: &str = "\
:root { --ink: #1f2430; --soft: #5b6472; --line: #d9dee6; --back: #ffffff; --band: #f4f6f9; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7ec; --soft: #9aa4b2; --line: #343b47; --back: #14171c; --band: #1c2027; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 16px; }
h2 { font-size: 1.25rem; margin: 40px 0 12px; padding-bottom: 6px;
  border-bottom: 1px solid var(--line); }
p { max-width: 75ch; margin: 0 0 12px; }
.wide { overflow-x: auto; margin: 0 0 16px; }
table { border-collapse: collapse; font-size: 0.92rem; }
th, td { padding: 5px 14px; text-align: left; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { color: var(--soft); font-weight: 600; border-bottom-width: 2px; white-space: nowrap; }
tbody tr:nth-child(even) { background: var(--band); }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: 0 0 20px; }
.plot { background: #ffffff; border: 1px solid var(--line); border-radius: 8px; padding: 6px;
  max-width: 760px; }
.plot svg { display: block; width: 100%; height: auto; }
img { display: block; max-width: 100%; height: auto; border-radius: 6px; background: #000000; }
figcaption { color: var(--soft); font-size: 0.88rem; margin-top: 6px; }
.row { display: grid; gap: 18px; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); }
@media print {
  :root { --ink: #000000; --soft: #444444; --line: #bbbbbb; --back: #ffffff; --band: #f4f4f4; }
  main { max-width: none; padding: 0; }
  body { font-size: 11pt; }
  figure, tr { break-inside: avoid; }
  h2 { break-after: avoid; }
}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        let evil = "<script>alert(\"a\" & 'b')</script>";
        let safe = "&lt;script&gt;alert(&quot;a&quot; &amp; &#39;b&#39;)&lt;/script&gt;";
        let mut page = Page::new(evil);
        page.heading(evil)
            .paragraph(evil)
            .table(&[vec![evil.into()], vec![evil.into()]])
            .figure_row(&[Figure::Png {
                caption: evil.into(),
                bytes: b"x".to_vec(),
            }])
            .svg(evil, "<svg></svg>");
        let html = page.html();
        assert!(!html.contains("<script"), "{html}");
        // Title twice, heading, paragraph, two cells, picture twice, plot.
        assert_eq!(html.matches(safe).count(), 9, "{html}");
    }

    #[test]
    fn pictures_are_inside_and_nothing_is_outside() {
        let png = |caption: &str| Figure::Png {
            caption: caption.into(),
            bytes: vec![0x89, b'P', b'N', b'G'],
        };
        let mut page = Page::new("Report");
        page.figure_row(&[png("one"), png("two")]);
        let html = page.html();
        assert_eq!(html.matches("data:image/png;base64,iVBORw==").count(), 2);
        for outside in ["http:", "https:", "<link", "@import", "url("] {
            assert!(!html.contains(outside), "{outside}");
        }
    }

    #[test]
    fn numbers_stand_right_and_so_does_what_is_above_them() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let mut page = Page::new("Report");
        page.table(&[
            row(["task", "Dice", "HD95"]),
            row(["liver", "0.91", "3.2 mm"]),
        ]);
        let html = page.html();
        assert!(
            html.contains(
                "<thead><tr><th>task</th><th class=\"number\">Dice</th>\
                 <th class=\"number\">HD95</th></tr></thead>"
            ),
            "{html}"
        );
        assert!(html.contains("<td>liver</td><td class=\"number\">0.91</td>"));
        for (cell, expected) in [
            ("12 %", true),
            ("5%", true),
            ("–", true),
            ("liver 1", false),
        ] {
            assert_eq!(is_number(cell), expected, "{cell}");
        }
    }
}
