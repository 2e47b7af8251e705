//! One axis of a chart: where a value stands on it, and which values are marked.
//!
//! ```text
//! linear      0 ───── 10 ───── 20 ───── 30
//! log         1 ms ─── 10 ms ─── 100 ms
//! percentile  50 % ─ 90 % ─── 99 % ─── 99.9 %
//! ```

/// How values are spread over an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Equal steps are equally long; begins at zero.
    Linear,
    /// Equal ratios are equally long.
    Log,
    /// Quantiles by what lies beyond them, each further nine as long as the one before.
    Percentile,
}

/// What an axis shows and how.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// What stands beside it; empty where the marks say it.
    pub(crate) label: &'static str,
    pub(crate) scale: Scale,
    /// A value with its unit.
    pub(crate) show: fn(f64) -> String,
}

/// An axis over the values that were found: from 0.0, its begin, to 1.0, its end.
#[derive(Clone, Debug)]
pub(crate) struct Ruler {
    scale: Scale,
    from: f64,
    to: f64,
}

impl Ruler {
    /// `None` where no value can stand on such an axis.
    pub(crate) fn over(scale: Scale, values: impl Iterator<Item = f64>) -> Option<Self> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| scale.takes(*value)) {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            return None;
        }
        let (from, to) = match scale {
            Scale::Linear => (0.0, if high > 0.0 { ceiling(high) } else { 1.0 }),
            Scale::Log => log_bounds(low, high),
            Scale::Percentile => (low.min(0.5), high.clamp(0.9, QUANTILE_MAX)),
        };
        Some(Self { scale, from: scale.place(from), to: scale.place(to) })
    }

    /// Where a value stands; `None` of what can't stand on the axis.
    pub(crate) fn place(&self, value: f64) -> Option<f64> {
        let length = self.to - self.from;
        let place = (self.scale.place(value) - self.from) / length;
        (self.scale.takes(value) && place.is_finite()).then(|| place.clamp(0.0, 1.0))
    }

    /// The values that are marked, ascending; about `count` of them.
    pub(crate) fn marks(&self, count: f64) -> Vec<f64> {
        match self.scale {
            Scale::Linear => linear_marks(self.to, count),
            Scale::Log => log_marks(self.from, self.to, count),
            Scale::Percentile => QUANTILES
                .into_iter()
                .filter(|quantile| {
                    let place = self.scale.place(*quantile);
                    place >= self.from - TOLERANCE && place <= self.to + TOLERANCE
                })
                .collect(),
        }
    }
}

impl Scale {
    fn takes(self, value: f64) -> bool {
        match self {
            Self::Linear => value.is_finite() && value >= 0.0,
            Self::Log => value.is_finite() && value > 0.0,
            Self::Percentile => (0.0..1.0).contains(&value),
        }
    }

    fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log => value.log10(),
            Self::Percentile => -(1.0 - value).log10(),
        }
    }
}

/// The end of a linear axis: the value with a little air above it.
fn ceiling(high: f64) -> f64 {
    high * 1.06
}

/// The nearest 1, 2 or 5 of a power of ten on both sides, more than one of these steps apart.
fn log_bounds(low: f64, high: f64) -> (f64, f64) {
    let from = steps(low).into_iter().rfind(|step| *step <= low * (1.0 + TOLERANCE));
    let to = steps(high).into_iter().find(|step| *step >= high * (1.0 - TOLERANCE));
    let (from, to) = (from.unwrap_or(low), to.unwrap_or(high));
    if to < from * APART { (from / 2.0, to * 2.0) } else { (from, to) }
}

/// 1, 2 and 5 of the powers of ten around a value.
fn steps(value: f64) -> Vec<f64> {
    let power = value.log10().floor();
    [-1.0, 0.0, 1.0]
        .into_iter()
        .flat_map(|offset: f64| LEADS.map(|lead| lead * 10f64.powf(power + offset)))
        .collect()
}

fn linear_marks(to: f64, count: f64) -> Vec<f64> {
    let rough = to / count.max(1.0);
    let step = steps(rough).into_iter().find(|step| *step >= rough).unwrap_or(to);
    let mut marks = Vec::new();
    let mut index = 0_u32;
    while f64::from(index) * step <= to && index < MARKS_MAX {
        marks.push(f64::from(index) * step);
        index = index.saturating_add(1);
    }
    marks
}

/// Powers of ten, and their doubles and fivefolds where there are few of them.
fn log_marks(from: f64, to: f64, count: f64) -> Vec<f64> {
    let leads: &[f64] = if (to - from) * 3.0 <= count + 1.0 { &LEADS } else { &[1.0] };
    let mut marks = Vec::new();
    let mut power = from.floor();
    while power <= to && marks.len() < MARKS_MAX as usize {
        for lead in leads {
            let place = power + lead.log10();
            if place >= from - TOLERANCE && place <= to + TOLERANCE {
                marks.push(lead * 10f64.powf(power));
            }
        }
        power += 1.0;
    }
    marks
}

const LEADS: [f64; 3] = [1.0, 2.0, 5.0];
const QUANTILES: [f64; 7] = [0.5, 0.9, 0.99, 0.999, 0.999_9, 0.999_99, 0.999_999];
const QUANTILE_MAX: f64 = 0.999_999_9;
const TOLERANCE: f64 = 1e-9;
const APART: f64 = 2.6;
const MARKS_MAX: u32 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    fn near(marks: &[f64], expected: &[f64]) {
        assert_eq!(marks.len(), expected.len(), "{marks:?}");
        for (mark, expected) in marks.iter().zip(expected) {
            assert!((mark - expected).abs() <= expected * 1e-6, "{marks:?}");
        }
    }

    #[test]
    fn linear_axes_begin_at_zero() {
        let ruler = Ruler::over(Scale::Linear, [12.0, 30.0].into_iter()).unwrap();
        assert_eq!(ruler.place(0.0), Some(0.0));
        near(&ruler.marks(4.0), &[0.0, 10.0, 20.0, 30.0]);
        assert!(Ruler::over(Scale::Linear, std::iter::empty()).is_none());
    }

    #[test]
    fn log_axes_end_at_round_values() {
        let ruler = Ruler::over(Scale::Log, [1.3e6, 78.0e6].into_iter()).unwrap();
        assert_eq!(ruler.place(1e6), Some(0.0));
        near(&ruler.marks(6.0), &[1e6, 2e6, 5e6, 1e7, 2e7, 5e7, 1e8]);
        near(&ruler.marks(3.0), &[1e6, 1e7, 1e8]);
        // Half of the way from 1 to 100 is 10.
        assert!((ruler.place(1e7).unwrap() - 0.5).abs() < 1e-9);
        assert_eq!(ruler.place(0.0), None);
    }

    #[test]
    fn each_nine_is_as_long_as_the_one_before() {
        let ruler = Ruler::over(Scale::Percentile, [0.0, 0.999].into_iter()).unwrap();
        near(&ruler.marks(9.0), &[0.5, 0.9, 0.99, 0.999]);
        let place = |quantile| ruler.place(quantile).unwrap();
        assert!((place(0.9) - 1.0 / 3.0).abs() < 1e-9);
        assert!((place(0.99) - 2.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_no_number_has_no_place() {
        let ruler = Ruler::over(Scale::Linear, [f64::NAN, 1.0].into_iter()).unwrap();
        assert_eq!(ruler.place(f64::NAN), None);
        assert_eq!(ruler.place(f64::INFINITY), None);
        assert!(Ruler::over(Scale::Log, [0.0, -1.0].into_iter()).is_none());
        assert!(Ruler::over(Scale::Linear, [0.0].into_iter()).is_some());
    }
}
