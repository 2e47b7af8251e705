//! Charts of lines as SVG, drawn with classes that `chart.css` colours for light and dark.
//! Bars are in `bars`.
//!
//! ```text
//! Chart { title, x: percentile, y: log, series } ─► <svg class="chart" viewBox=..>
//! ```

use std::fmt::Write as _;

use super::axis::{Axis, Ruler};

/// A chart of lines over two axes.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    pub(crate) title: String,
    /// For whom can't see it.
    pub(crate) description: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
}

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// Which of the colours; beyond the last, they begin again.
    pub(crate) colour: usize,
    pub(crate) stroke: Stroke,
    /// Ascending in x.
    pub(crate) points: Vec<(f64, f64)>,
}

/// How a line is drawn: told apart without colours too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stroke {
    Solid,
    Dashed,
    Dotted,
    /// Each value holds until the next.
    Step,
    /// Dots without a line between them.
    Dots,
    /// A line with a dot at each of its points.
    Marked,
}

/// How large a chart is drawn, in pixels; text keeps its size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Size {
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Size {
    /// Beside another on a desktop.
    pub(crate) const WIDE: Self = Self { width: 560.0, height: 320.0 };
    /// On a phone.
    pub(crate) const NARROW: Self = Self { width: 340.0, height: 270.0 };
    /// Alone, such as in a README.
    pub(crate) const ALONE: Self = Self { width: 760.0, height: 400.0 };
}

impl Chart {
    /// `None` where no point can be drawn.
    pub(crate) fn svg(&self, size: Size) -> Option<String> {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let x = Ruler::over(self.x.scale, points().map(|point| point.0))?;
        let y = Ruler::over(self.y.scale, points().map(|point| point.1))?;
        let names: Vec<&str> = self.series.iter().map(|series| series.name.as_str()).collect();
        let legend = Legend::over(&names, size.width);
        let plot = Plot {
            left: LEFT,
            right: size.width - RIGHT,
            top: TITLE + legend.height(),
            bottom: size.height - if self.x.label.is_empty() { MARKS } else { MARKS + LABEL },
            x,
            y,
        };
        let mut svg = open(size, &self.title, &self.description);
        self.axes(&mut svg, &plot, size);
        legend.draw(&mut svg, |index| {
            let (colour, stroke) =
                self.series.get(index).map_or((0, Stroke::Solid), |of| (of.colour, of.stroke));
            (class(colour, stroke), stroke)
        });
        for series in &self.series {
            self.line(&mut svg, &plot, series);
        }
        svg.push_str("</svg>");
        Some(svg)
    }

    fn axes(&self, svg: &mut String, plot: &Plot, size: Size) {
        for value in plot.y.marks(((plot.bottom - plot.top) / 36.0).max(2.0)) {
            if let Some(y) = plot.y(value) {
                let (left, right) = (plot.left, plot.right);
                let _ = write!(svg, r#"<path class="grid" d="M{left:.1} {y:.1}H{right:.1}"/>"#);
                text(svg, (plot.left - 7.0, y + 4.0), "end", &(self.y.show)(value));
            }
        }
        for value in plot.x.marks(((plot.right - plot.left) / 68.0).max(2.0)) {
            if let Some(x) = plot.x(value) {
                let (top, bottom) = (plot.top, plot.bottom);
                let _ = write!(svg, r#"<path class="grid" d="M{x:.1} {top:.1}V{bottom:.1}"/>"#);
                let shown = (self.x.show)(value);
                // A mark near the edge is drawn inside of it.
                let anchor = if x + half_width(&shown) > size.width { "end" } else { "middle" };
                let x = if anchor == "end" { size.width - 2.0 } else { x };
                text(svg, (x, bottom + 17.0), anchor, &shown);
            }
        }
        let (left, right, bottom) = (plot.left, plot.right, plot.bottom);
        let _ = write!(svg, r#"<path class="axis" d="M{left:.1} {bottom:.1}H{right:.1}"/>"#);
        if !self.x.label.is_empty() {
            text(svg, (f64::midpoint(left, right), size.height - 8.0), "middle", self.x.label);
        }
    }

    fn line(&self, svg: &mut String, plot: &Plot, series: &Series) {
        let places: Vec<(f64, f64, String)> = series
            .points
            .iter()
            .filter_map(|(x, y)| {
                let told = format!("{}|{}", (self.y.show)(*y), (self.x.show)(*x));
                Some((plot.x(*x)?, plot.y(*y)?, told))
            })
            .collect();
        if places.is_empty() {
            return;
        }
        let data: Vec<String> =
            places.iter().map(|(x, y, told)| format!("{x:.1}|{y:.1}|{told}")).collect();
        let _ = write!(
            svg,
            r#"<g class="series {}" data-name="{}" data-points="{}"><title>{}</title>"#,
            class(series.colour, series.stroke),
            escaped(&series.name),
            escaped(&data.join(";")),
            escaped(&series.name)
        );
        if series.stroke != Stroke::Dots {
            let _ = write!(svg, r#"<path class="line" d="{}"/>"#, path(&places, series.stroke));
        }
        if matches!(series.stroke, Stroke::Dots | Stroke::Marked) || places.len() == 1 {
            for (x, y, _) in &places {
                let _ = write!(svg, r#"<circle class="dot" cx="{x:.1}" cy="{y:.1}" r="2.6"/>"#);
            }
        }
        svg.push_str("</g>");
    }
}

/// Names of lines or bars above a plot, in as many rows as they need.
pub(crate) struct Legend<'a> {
    places: Vec<(f64, f64, &'a str)>,
    rows: f64,
}

impl<'a> Legend<'a> {
    /// One name alone needs no legend.
    pub(crate) fn over(names: &[&'a str], width: f64) -> Self {
        let mut places = Vec::new();
        let (mut x, mut row) = (LEGEND_LEFT, 0.0);
        for name in if names.len() > 1 { names } else { &[] } {
            let length = text_width(name) + 40.0;
            if x > LEGEND_LEFT && x + length > width {
                x = LEGEND_LEFT;
                row += 1.0;
            }
            places.push((x, TITLE + 8.0 + row * LEGEND_ROW, *name));
            x += length;
        }
        let rows = if places.is_empty() { 0.0 } else { row + 1.0 };
        Self { places, rows }
    }

    pub(crate) fn height(&self) -> f64 {
        if self.rows > 0.0 { self.rows * LEGEND_ROW + 8.0 } else { 0.0 }
    }

    /// `look` tells the classes of each mark, and whether it is a line or a dot.
    pub(crate) fn draw(&self, svg: &mut String, look: impl Fn(usize) -> (String, Stroke)) {
        for (index, (x, y, name)) in self.places.iter().enumerate() {
            let (class, stroke) = look(index);
            let mark = match stroke {
                Stroke::Dots => {
                    format!(r#"<circle class="dot" cx="{:.1}" cy="{y:.1}" r="4"/>"#, x + 9.0)
                }
                _ => format!(r#"<path class="line" d="M{x:.1} {y:.1}h18"/>"#),
            };
            let _ = write!(svg, r#"<g class="key {class}">{mark}</g>"#);
            text(svg, (x + 24.0, y + 4.0), "start", name);
        }
    }
}

/// A file of its own: with its colours, and a ground that belongs to them.
pub(crate) fn standalone(svg: &str) -> String {
    let ground =
        format!("<style>{STYLE}</style><rect class=\"ground\" width=\"100%\" height=\"100%\"/>");
    // Behind the root's own title and description, before whatever is drawn.
    match svg.split_once("</desc>") {
        Some((head, drawn)) => format!("{head}</desc>{ground}{drawn}\n"),
        None => svg.to_owned(),
    }
}

/// The root of a chart, with its title in words and drawn.
pub(crate) fn open(size: Size, title: &str, description: &str) -> String {
    let Size { width, height } = size;
    let (title, description) = (escaped(title), escaped(description));
    let place = format!(r#"width="{width:.0}" height="{height:.0}""#);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" role=\"img\" {place} \
         viewBox=\"0 0 {width:.0} {height:.0}\"><title>{title}</title>\
         <desc>{description}</desc><text class=\"title\" x=\"4\" y=\"18\">{title}</text>"
    )
}

/// Text at a place; `anchor` is `start`, `middle` or `end`.
pub(crate) fn text(svg: &mut String, place: (f64, f64), anchor: &str, words: &str) {
    let (x, y) = place;
    let words = escaped(words);
    let _ = write!(svg, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{words}</text>"#);
}

/// Text that is neither a tag nor the end of an attribute.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // XML knows no control characters, not even escaped ones.
            control if control.is_control() => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}

/// How wide text is, about.
pub(crate) fn text_width(text: &str) -> f64 {
    text.chars().map(|_| CHARACTER).sum()
}

/// The classes of a colour and a stroke.
fn class(colour: usize, stroke: Stroke) -> String {
    let stroke = match stroke {
        Stroke::Dashed => " dashed",
        Stroke::Dotted => " dotted",
        _ => "",
    };
    format!("c{}{stroke}", colour % COLOURS)
}

/// Where a plot is drawn, and its rulers.
struct Plot {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Ruler,
    y: Ruler,
}

impl Plot {
    fn x(&self, value: f64) -> Option<f64> {
        self.x.place(value).map(|place| place.mul_add(self.right - self.left, self.left))
    }

    fn y(&self, value: f64) -> Option<f64> {
        self.y.place(value).map(|place| place.mul_add(self.top - self.bottom, self.bottom))
    }
}

fn path(places: &[(f64, f64, String)], stroke: Stroke) -> String {
    let mut path = String::new();
    for (index, (x, y, _)) in places.iter().enumerate() {
        let _ = match (index, stroke) {
            (0, _) => write!(path, "M{x:.1} {y:.1}"),
            (_, Stroke::Step) => write!(path, "H{x:.1}V{y:.1}"),
            _ => write!(path, "L{x:.1} {y:.1}"),
        };
    }
    path
}

fn half_width(text: &str) -> f64 {
    text_width(text) / 2.0
}

/// The colours of charts, light and dark.
pub(crate) const STYLE: &str = include_str!("chart.css");
/// How tall a chart's title is.
pub(crate) const TITLE: f64 = 34.0;
/// How many colours there are.
pub(crate) const COLOURS: usize = 8;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 14.0;
const MARKS: f64 = 26.0;
const LABEL: f64 = 18.0;
const LEGEND_LEFT: f64 = 4.0;
const LEGEND_ROW: f64 = 18.0;
const CHARACTER: f64 = 6.5;

#[cfg(test)]
mod tests {
    use super::super::axis::Scale;
    use super::*;

    fn chart(points: Vec<(f64, f64)>) -> Chart {
        let axis = |scale| Axis { label: "", scale, show: |value| format!("{value}") };
        let series = Series { name: "<a>".to_owned(), colour: 9, stroke: Stroke::Solid, points };
        Chart {
            title: "A & B".to_owned(),
            description: "what \"it\" shows".to_owned(),
            x: axis(Scale::Linear),
            y: axis(Scale::Log),
            series: vec![series],
        }
    }

    #[test]
    fn a_line_goes_through_its_points() {
        let size = Size { width: 176.0, height: 160.0 };
        let svg = chart(vec![(0.0, 1.0), (50.0, 100.0)]).svg(size).unwrap();
        // From 62 to 162 across; 50 of an axis to 53 is 94.3 of 100. From 134 up to 34.
        assert!(svg.contains(r#"d="M62.0 134.0L156.3 34.0""#), "{svg}");
        assert!(svg.contains("class=\"series c1\""));
    }

    #[test]
    fn names_are_text_and_nothing_else() {
        let svg = chart(vec![(1.0, 1.0)]).svg(Size::WIDE).unwrap();
        assert!(svg.contains("<title>A &amp; B</title><desc>what &quot;it&quot; shows</desc>"));
        assert!(svg.contains("<title>&lt;a&gt;</title>"));
        assert_eq!(escaped("a\u{1b}b"), "a b");
    }

    #[test]
    fn nothing_to_draw_is_no_chart() {
        assert!(chart(Vec::new()).svg(Size::WIDE).is_none());
        assert!(chart(vec![(1.0, 0.0), (f64::NAN, -1.0)]).svg(Size::WIDE).is_none());
    }

    #[test]
    fn a_legend_takes_the_rows_it_needs() {
        assert!(Legend::over(&["one"], 300.0).height().abs() < 1e-9);
        // 3 × 6.5 + 40 is 59.5 each: two of them in 130.
        let legend = Legend::over(&["one", "two", "six"], 130.0);
        assert!((legend.height() - 44.0).abs() < 1e-9);
    }
}
