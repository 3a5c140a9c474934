//! What was measured of one activation, and the range that its bytes will cover.

use super::Range;

/// Bins of a histogram.
pub(super) const BINS: usize = 2048;

/// Steps of the search for the range of least error, at each end.
const CANDIDATES: usize = 40;

/// Levels of an unsigned byte, less one.
const STEPS: f64 = 255.0;

/// Counts of an activation's values over equal bins from `lower` to `upper`.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    pub(super) lower: f32,
    pub(super) upper: f32,
    pub(super) counts: Vec<f64>,
}

impl Histogram {
    /// The range `[lower, upper]` to quantise, which holds zero always: padding is zero, and must
    /// be so exactly.
    pub(super) fn range(&self, method: Range) -> [f32; 2] {
        let [lower, upper] = match method {
            Range::MinMax => [f64::from(self.lower), f64::from(self.upper)],
            Range::Percentile(kept) => self.percentile(kept),
            Range::LeastError => self.least_error(),
        };
        [lower.min(0.0) as f32, upper.max(0.0) as f32]
    }

    fn width(&self) -> f64 {
        (f64::from(self.upper) - f64::from(self.lower)) / self.counts.len().max(1) as f64
    }

    /// Cuts the outer bins whose values are together not more than the part to be cut.
    fn percentile(&self, kept: f64) -> [f64; 2] {
        let total: f64 = self.counts.iter().sum();
        let cut = total * (1.0 - kept / 100.0).max(0.0) / 2.0;
        let cut_bins = |counts: &mut dyn Iterator<Item = &f64>| {
            let mut sum = 0.0;
            counts
                .take_while(|&&count| {
                    sum += count;
                    sum <= cut
                })
                .count()
        };
        let below = cut_bins(&mut self.counts.iter());
        let above = cut_bins(&mut self.counts.iter().rev());
        if below + above >= self.counts.len() {
            return [f64::from(self.lower), f64::from(self.upper)];
        }
        [
            f64::from(self.lower) + below as f64 * self.width(),
            f64::from(self.upper) - above as f64 * self.width(),
        ]
    }

    fn least_error(&self) -> [f64; 2] {
        let [lower, upper] = [self.lower.min(0.0), self.upper.max(0.0)].map(f64::from);
        let shrunk = |end: f64| (0..CANDIDATES).map(move |i| end * (1.0 - i as f64 / 44.0));
        let mut best = ([lower, upper], f64::INFINITY);
        for high in shrunk(upper) {
            for low in shrunk(lower) {
                let error = self.error(low, high);
                if error < best.1 {
                    best = ([low, high], error);
                }
                if lower == 0.0 {
                    break;
                }
            }
        }
        best.0
    }

    /// Sum of squared errors: a step's variance inside the range, the distance to it outside.
    fn error(&self, lower: f64, upper: f64) -> f64 {
        let inside = ((upper - lower) / STEPS).powi(2) / 12.0;
        let width = self.width();
        self.counts
            .iter()
            .enumerate()
            .map(|(bin, count)| {
                let centre = f64::from(self.lower) + (bin as f64 + 0.5) * width;
                let outside = centre - centre.clamp(lower, upper.max(lower));
                count * (inside + outside * outside)
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uniform in [0, 1) but for one value near 100.
    fn outlier() -> Histogram {
        let mut counts = vec![0.0; BINS];
        counts[..20].fill(10_000.0);
        counts[BINS - 1] = 1.0;
        Histogram {
            lower: 0.0,
            upper: 102.4,
            counts,
        }
    }

    #[test]
    fn each_method_covers_what_it_says() {
        let histogram = outlier();
        assert_eq!(histogram.range(Range::MinMax), [0.0, 102.4]);
        let [lower, upper] = histogram.range(Range::Percentile(99.99));
        assert!(lower == 0.0 && (0.99..1.01).contains(&upper), "{upper}");
        let [_, upper] = histogram.range(Range::LeastError);
        // 200001 (u / 255)² / 12 + (102.4 - u)² is least at 81.5.
        assert!((79.0..84.0).contains(&upper), "{upper}");
    }

    #[test]
    fn zero_is_in_every_range() {
        let histogram = Histogram {
            lower: 2.0,
            upper: 3.0,
            counts: vec![1.0; BINS],
        };
        for method in [Range::MinMax, Range::Percentile(99.0), Range::LeastError] {
            let [lower, upper] = histogram.range(method);
            assert!(lower <= 0.0 && upper > 2.0, "{method:?}: {lower} {upper}");
        }
    }
}
