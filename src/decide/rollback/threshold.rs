//! A measurement with two limits: one to stop at, one to turn back at.

/// A measurement with its limits; more is worse.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// What is measured.
    pub name: String,
    /// What was measured.
    pub value: f64,
    /// Above this, the release goes no further.
    pub limit: f64,
    /// Above this, it is taken back.
    pub rollback: f64,
}

/// Where a measurement lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Within the limit.
    Within,
    /// Above the limit, not above the rollback limit.
    Between,
    /// Above the rollback limit.
    Beyond,
}

impl Threshold {
    /// Reads `NAME=VALUE,LIMIT,ROLLBACK-LIMIT`.
    ///
    /// # Errors
    /// What is wrong. No value is wrong too: what was not measured is not within a limit.
    pub fn read(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not NAME=VALUE,LIMIT,ROLLBACK-LIMIT");
        let (name, numbers) = text.split_once('=').ok_or_else(wrong)?;
        let numbers: Vec<f64> = numbers
            .split(',')
            .map(|number| number.trim().trim_end_matches('%').parse().map_err(|_| wrong()))
            .collect::<Result<_, _>>()?;
        let &[value, limit, rollback] = numbers.as_slice() else { return Err(wrong()) };
        if numbers.iter().any(|number| number.is_nan()) {
            return Err(format!("{text:?} has no number where one is needed"));
        }
        if limit > rollback {
            return Err(format!("{text:?} turns back before it stops: the limits are swapped"));
        }
        Ok(Self { name: name.trim().into(), value, limit, rollback })
    }

    /// Where the measurement lies.
    pub fn level(&self) -> Level {
        match self.value {
            value if value > self.rollback => Level::Beyond,
            value if value > self.limit => Level::Between,
            _ => Level::Within,
        }
    }

    /// The measurement in words.
    pub fn words(&self) -> String {
        let Self { name, value, limit, rollback } = self;
        match self.level() {
            Level::Within => format!("{name} is {value}, within the limit of {limit}"),
            Level::Between => {
                format!("{name} is {value}: above {limit}, not above the rollback limit {rollback}")
            }
            Level::Beyond => format!("{name} is {value}: above the rollback limit {rollback}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e1_a_threshold_has_two_limits() {
        let level = |value: &str| Threshold::read(&format!("errors={value},1,2%")).unwrap().level();
        assert_eq!(level("1"), Level::Within);
        assert_eq!(level("1.5%"), Level::Between);
        assert_eq!(level("2"), Level::Between);
        assert_eq!(level("2.1"), Level::Beyond);
        assert_eq!(level("inf"), Level::Beyond);
    }

    #[test]
    fn e1_what_was_not_measured_is_not_within_a_limit() {
        for text in ["errors=,1,2", "errors=NaN,1,2", "errors=1", "1,1,2", "errors=1,2,1", ""] {
            assert!(Threshold::read(text).is_err(), "{text}");
        }
    }
}
