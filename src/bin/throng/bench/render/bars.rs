//! Charts of bars as SVG: a figure of several servers side by side, lying, because names are
//! long; from zero, because a bar's length is what it says.
//!
//! ```text
//! throng     ▇▇▇▇├─┤ 6.11 µs
//! socket.io  ▇▇▇▇▇▇▇▇▇├┤ 11.5 µs
//! ```

use std::fmt::Write as _;

use super::axis::{Ruler, Scale};
use super::chart::{COLOURS, Legend, Size, Stroke, TITLE, escaped, open, text, text_width};
use super::rounds::Spread;
use super::units::DASH;

/// A chart of bars.
#[derive(Clone, Debug)]
pub(crate) struct Bars {
    pub(crate) title: String,
    /// For whom can't see it.
    pub(crate) description: String,
    /// What the bars of each row are; one name alone is the title's matter.
    pub(crate) kinds: Vec<String>,
    pub(crate) rows: Vec<Row>,
    /// A value with its unit.
    pub(crate) show: fn(f64) -> String,
}

/// The bars of one server.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) colour: usize,
    /// A bar for each kind, where it has one.
    pub(crate) values: Vec<Option<Spread>>,
}

impl Bars {
    /// `None` where there is no bar. The height is what the rows need.
    pub(crate) fn svg(&self, width: f64) -> Option<String> {
        let values = self.rows.iter().flat_map(|row| row.values.iter().flatten());
        let ruler = Ruler::over(Scale::Linear, values.map(|spread| spread.greatest))?;
        let names: Vec<&str> = self.kinds.iter().map(String::as_str).collect();
        let legend = Legend::over(&names, width);
        let top = TITLE + legend.height();
        let longest = self.rows.iter().map(|row| text_width(&row.name)).fold(0.0, f64::max) + 14.0;
        let (names, left, head) = if longest > width * BESIDE_MAX {
            (Names::Above, 6.0, NAME)
        } else {
            (Names::Beside, longest.max(40.0), 0.0)
        };
        let plot = Plot { left, length: (width - left - VALUE).max(20.0), ruler, names };
        let count: f64 = self.kinds.iter().map(|_| 1.0).sum();
        let step = count.max(1.0).mul_add(BAR, GAP) + head;
        let height = self.rows.iter().map(|_| step).sum::<f64>() + top + 8.0;
        let mut svg = open(Size { width, height }, &self.title, &self.description);
        // A kind is of all rows, whatever their colours.
        legend.draw(&mut svg, |index| (class(NEUTRAL, index), Stroke::Dots));
        let mut y = top;
        for row in &self.rows {
            self.row(&mut svg, &plot, row, y);
            y += step;
        }
        let _ = write!(svg, r#"<path class="axis" d="M{left:.1} {top:.1}V{:.1}"/>"#, height - 8.0);
        svg.push_str("</svg>");
        Some(svg)
    }

    fn row(&self, svg: &mut String, plot: &Plot, row: &Row, top: f64) {
        let name = escaped(&row.name);
        let count: f64 = self.kinds.iter().map(|_| 1.0).sum();
        let (x, y, anchor, mut bar) = match plot.names {
            Names::Beside => {
                let middle = count.mul_add(BAR, GAP) / 2.0 + top;
                (plot.left - 8.0, middle + 4.0, "end", top + GAP / 2.0)
            }
            Names::Above => {
                (plot.left + 4.0, top + GAP / 2.0 + 11.0, "start", top + GAP / 2.0 + NAME)
            }
        };
        let _ = write!(
            svg,
            r#"<text class="name" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{name}</text>"#
        );
        for (index, spread) in row.values.iter().enumerate() {
            match spread {
                Some(spread) => {
                    let _ = write!(svg, r#"<g class="{}">"#, class(row.colour, index));
                    self.bar(svg, plot, &row.name, spread, bar);
                    svg.push_str("</g>");
                }
                None => text(svg, (plot.left + 6.0, bar + BAR / 2.0 + 3.0), "start", DASH),
            }
            bar += BAR;
        }
    }

    fn bar(&self, svg: &mut String, plot: &Plot, name: &str, spread: &Spread, top: f64) {
        let value = (self.show)(spread.median);
        let (low, high) = ((self.show)(spread.lowest), (self.show)(spread.greatest));
        let (left, end) = (plot.left, plot.x(spread.median));
        let (y, width, height) = (top + 1.5, (end - left).max(1.0), BAR - 3.0);
        let place = format!(r#"x="{left:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}""#);
        let tip = format!("{}: {value} ({low} to {high})", escaped(name));
        let _ = write!(svg, r#"<rect class="bar" {place} rx="1.5"><title>{tip}</title></rect>"#);
        let mut after = end;
        if spread.rounds > 1 {
            let (low, high) = (plot.x(spread.lowest), plot.x(spread.greatest));
            let middle = top + BAR / 2.0;
            let above = middle - 3.0;
            let ends = format!("M{low:.1} {above:.1}v6M{high:.1} {above:.1}v6");
            let line = format!("M{low:.1} {middle:.1}H{high:.1}");
            let _ = write!(svg, r#"<path class="whisker" d="{line}{ends}"/>"#);
            after = high;
        }
        text(svg, (after + 6.0, top + BAR / 2.0 + 4.0), "start", &value);
    }
}

/// Where bars begin and how long the longest may be.
struct Plot {
    left: f64,
    length: f64,
    ruler: Ruler,
    names: Names,
}

/// Where the names of rows stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    /// Left of the bars.
    Beside,
    /// Over the bars, where they are too long for the width.
    Above,
}

impl Plot {
    fn x(&self, value: f64) -> f64 {
        self.ruler.place(value).unwrap_or(0.0).mul_add(self.length, self.left)
    }
}

/// The classes of the bar of a kind: further ones are paler.
fn class(colour: usize, kind: usize) -> String {
    format!("c{}{}", colour % COLOURS, if kind == 0 { "" } else { " second" })
}

/// Grey, among the colours.
const NEUTRAL: usize = 6;
const BAR: f64 = 20.0;
const GAP: f64 = 12.0;
const VALUE: f64 = 64.0;
const NAME: f64 = 16.0;
const BESIDE_MAX: f64 = 0.4;

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(median: f64, rounds: usize) -> Spread {
        Spread { median, lowest: median * 0.9, greatest: median * 1.1, rounds }
    }

    fn bars(values: Vec<Option<Spread>>) -> Bars {
        Bars {
            title: "CPU".to_owned(),
            description: "of servers".to_owned(),
            kinds: vec!["p50".to_owned()],
            rows: vec![Row { name: "a".to_owned(), colour: 0, values }],
            show: |value| format!("{value:.0}"),
        }
    }

    #[test]
    fn a_bar_is_as_long_as_its_value() {
        let svg = bars(vec![Some(spread(50.0, 1))]).svg(204.0).unwrap();
        // 204 less 40 of the name and 64 of the value is 100; an axis to 55 × 1.06 is 58.3.
        assert!(svg.contains(r#"width="85.8""#), "{svg}");
        assert!(!svg.contains("whisker"));
    }

    #[test]
    fn a_name_that_is_too_long_stands_above() {
        let mut bars = bars(vec![Some(spread(50.0, 1))]);
        bars.rows[0].name = "a name of thirty-one characters".to_owned();
        let svg = bars.svg(204.0).unwrap();
        assert!(svg.contains(r#"x="10.0" y="51.0" text-anchor="start">a name"#), "{svg}");
        assert!(svg.contains(r#"x="6.0" y="57.5""#), "{svg}");
    }

    #[test]
    fn rounds_have_whiskers() {
        let svg = bars(vec![Some(spread(50.0, 5))]).svg(204.0).unwrap();
        // From 45 to 55 of 58.3; below the title, half a gap and half a bar: 34 + 6 + 10.
        assert!(svg.contains(r#"class="whisker" d="M117.2 50.0H134.3"#), "{svg}");
        assert!(svg.contains("<title>a: 50 (45 to 55)</title>"));
    }

    #[test]
    fn what_has_no_value_has_a_dash_and_no_bar() {
        assert!(bars(vec![None]).svg(204.0).is_none());
        let svg = bars(vec![Some(spread(1.0, 1)), None]).svg(204.0).unwrap();
        assert_eq!(svg.matches("<rect").count(), 1);
        assert!(svg.contains(DASH));
    }
}
