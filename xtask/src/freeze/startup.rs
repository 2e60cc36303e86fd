//! The figures of a trial.

use serde::Serialize;

use super::report::Launch;

/// How long a program takes to get ready, in milliseconds, and what it holds meanwhile.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Startup {
    /// The first launch, whose files had to be read from the disk.
    pub cold_ms: Option<f64>,
    /// The quickest of the others.
    pub min_ms: Option<f64>,
    /// Half of the others took at most this long.
    pub median_ms: Option<f64>,
    /// Nineteen of twenty of the others took at most this long.
    pub p95_ms: Option<f64>,
    /// The most memory that all processes held at once in a launch, in bytes.
    pub peak_memory: u64,
}

impl Startup {
    /// The figures of all launches that got ready.
    pub fn of(launches: &[Launch]) -> Self {
        let own = || {
            let passed = launches.iter().filter(|it| it.failure.is_none());
            passed.filter(|it| it.how.is_measured())
        };
        let mut warm: Vec<f64> = own()
            .filter(|it| !it.cold)
            .filter_map(|it| it.ready_ms)
            .collect();
        warm.sort_by(f64::total_cmp);
        Self {
            cold_ms: own().find(|it| it.cold).and_then(|it| it.ready_ms),
            min_ms: warm.first().copied(),
            median_ms: percentile(&warm, 50),
            p95_ms: percentile(&warm, 95),
            peak_memory: own().map(|it| it.peak_memory).max().unwrap_or_default(),
        }
    }
}

/// The smallest value that so many percent of the sorted values do not exceed (nearest rank).
fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_measured_value() {
        let check = |percent, sorted: &[f64], expect| {
            assert_eq!(
                percentile(sorted, percent),
                expect,
                "{percent} of {sorted:?}"
            );
        };
        check(50, &[], None);
        check(50, &[7.0], Some(7.0));
        check(95, &[7.0], Some(7.0));
        check(50, &[1.0, 2.0, 3.0, 4.0], Some(2.0));
        check(50, &[1.0, 2.0, 3.0, 4.0, 5.0], Some(3.0));
        let twenty: Vec<f64> = (1..=20).map(f64::from).collect();
        check(95, &twenty, Some(19.0));
    }
}
