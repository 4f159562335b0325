//! A clock that is wrong.

use jiff::SignedDuration;

use super::{
    draft::{Draft, Severity, What},
    say,
};
use crate::{
    diagnosis::view::{Pool, Row, RunView},
    model::{Cause, Confidence, Fix, Suspect},
    text::words,
};

/// Certificates of so many hosts do not end on the same day.
const FEWEST_HOSTS: usize = 3;
/// What a clock may be off before anybody minds: the tolerance of Kerberos and of most tokens.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Certificates of several hosts are out of their time at once: this VM's clock is the likelier reason, and the certain
/// one where it was measured to be off. Where it was measured to be right, the certificates are at fault, and the rows are
/// left to others. A wrong clock that broke nothing is a hint.
pub fn recognise<'a>(view: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let skew = view.clock_skew;
    let is_off = skew.map(|skew| skew.abs() > TOLERANCE);
    let expired = |row: &Row<'a>| row.cause() == Some(Cause::TlsExpired);
    let out_of_time: Vec<Row<'a>> = pool.iter().filter(|row| expired(row)).copied().collect();
    let enough = say::hosts(&out_of_time).len() >= FEWEST_HOSTS;
    let rows = match is_off {
        Some(true) => pool.take(expired),
        None if enough => pool.take(expired),
        _ => return Vec::new(),
    };
    let measured = skew.map(|skew| {
        let direction = if skew.is_negative() { "behind" } else { "ahead" };
        format!(
            "this VM's clock is {} {direction}",
            words::duration(skew.unsigned_abs())
        )
    });
    let confidence = match (rows.is_empty(), measured.is_some()) {
        (true, _) => Confidence::Low,
        (false, true) => Confidence::Certain,
        (false, false) => Confidence::High,
    };
    let mut evidence: Vec<String> = measured.clone().into_iter().collect();
    if !rows.is_empty() {
        evidence.push(format!(
            "the certificates of {} are out of their time",
            say::host_count(&rows)
        ));
        evidence.extend(say::examples(&rows));
    }
    vec![Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::of(&rows, "clock"),
        scope: "clock".into(),
        title: measured.map_or_else(
            || format!("This VM's clock is wrong: {} seem out of their time", say::host_count(&rows)),
            |_| format!("This VM's clock is off by {}", skew.map(|skew| words::duration(skew.unsigned_abs())).unwrap_or_default()),
        ),
        confidence,
        evidence,
        suspects: vec![Suspect::LocalHost],
        fix: Fix::new("Set this VM's clock and run again: with a wrong clock no certificate can be judged. The instance has a clock of its own.").look(["timedatectl status"]).change(["sudo chronyc makestep"]),
        rows,
    }]
}
