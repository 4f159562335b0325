//! One line of the result.

/// A measurement and its limit.
#[derive(Debug)]
pub(crate) struct Row {
    what: String,
    measured: f64,
    unit: &'static str,
    budget: Option<f64>,
}

impl Row {
    /// A figure without a limit.
    pub(crate) fn new(what: impl Into<String>, measured: f64, unit: &'static str) -> Self {
        Self {
            what: what.into(),
            measured,
            unit,
            budget: None,
        }
    }

    /// A figure with a limit.
    pub(crate) fn at_most(self, budget: f64) -> Self {
        Self {
            budget: Some(budget),
            ..self
        }
    }

    /// Prints it; returns whether it is within its budget.
    pub(crate) fn print(&self) -> bool {
        let Self {
            what,
            measured,
            unit,
            budget,
        } = self;
        let Some(budget) = *budget else {
            println!("  {what:<56} {measured:>8.2} {unit}");
            return true;
        };
        let within = *measured <= budget;
        let word = if within { "ok" } else { "OVER" };
        println!("  {what:<56} {measured:>8.2} {unit:<2}  of {budget:>7.2}  {word}");
        within
    }
}
