//! A clock that is wrong.

use jiff::{SignedDuration, Timestamp};

use super::{
    draft::{Draft, Severity, What},
    say,
};
use crate::{
    diagnosis::view::{Pool, Row, RunView},
    model::{Cause, Confidence, Fix, Suspect},
    net::tls::chain::ChainFacts,
    probe::clock::Measured,
    text::words,
};

/// Certificates of so many hosts do not end on the same day.
const FEWEST_HOSTS: usize = 3;
/// What a clock may be off before anybody minds: the tolerance of Kerberos and of most tokens.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Certificates of several hosts are out of their time at once: this VM's clock is the likelier reason, and the certain
/// one where servers that proved who they are say how far it is off. NTP and plain HTTP can be answered by anybody, so
/// alone they give a hint, and nothing to set a clock by. Where the clock was measured to be right, or is not off by
/// enough to explain a certificate, that certificate is at fault, and its row is left to others.
pub fn recognise<'a>(view: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let off = view.clock.filter(|clock| clock.ahead.abs() > TOLERANCE);
    let is_explained = |row: &Row<'a>| {
        let in_time = |ahead| {
            row.chain()
                .is_some_and(|chain| was_valid(chain, view.place.started_at, ahead))
        };
        row.cause() == Some(Cause::TlsExpired) && off.is_none_or(|clock| in_time(clock.ahead))
    };
    let explained: Vec<Row<'a>> = pool.iter().filter(|row| is_explained(row)).copied().collect();
    let many = say::hosts(&explained).len() >= FEWEST_HOSTS;
    let rows = match (off, view.clock) {
        (Some(_), _) => pool.take(is_explained),
        (None, None) if many => pool.take(is_explained),
        _ => return Vec::new(),
    };
    let signed = off.is_some_and(|clock| clock.signed);
    let confidence = match (rows.is_empty(), signed, many) {
        (true, ..) => Confidence::Low,
        (false, true, _) => Confidence::Certain,
        (false, false, true) => Confidence::High,
        (false, false, false) => Confidence::Medium,
    };
    let mut evidence: Vec<String> = off.map(measured).into_iter().collect();
    if !rows.is_empty() {
        evidence.push(format!(
            "the certificates of {} are out of their time",
            say::host_count(&rows)
        ));
        evidence.extend(say::examples(&rows));
    }
    let fix = Fix::new(
        "Set this VM's clock and run again: with a wrong clock no certificate can be judged. The instance has a clock of \
         its own.",
    );
    let fix = fix.look(["timedatectl status", "chronyc sources"]);
    vec![Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::of(&rows, "clock"),
        scope: "clock".into(),
        title: title(off, &rows),
        confidence,
        evidence,
        suspects: vec![Suspect::LocalHost],
        fix: if signed || many {
            fix.change(["sudo chronyc makestep"])
        } else {
            fix
        },
        rows,
    }]
}

fn title(off: Option<Measured>, rows: &[Row<'_>]) -> String {
    match off {
        None => format!(
            "This VM's clock is wrong: {} seem out of their time",
            say::host_count(rows)
        ),
        Some(Measured { ahead, signed }) => {
            let (verb, off) = (
                if signed { "is" } else { "may be" },
                words::duration(ahead.unsigned_abs()),
            );
            format!("This VM's clock {verb} off by {off}")
        }
    }
}

fn measured(Measured { ahead, signed }: Measured) -> String {
    let off = words::duration(ahead.unsigned_abs());
    let direction = if ahead.is_negative() { "behind" } else { "ahead" };
    if signed {
        format!("this VM's clock is {off} {direction}, say servers whose certificates are verified")
    } else {
        format!("NTP or plain HTTP put this VM's clock {off} {direction}: anybody on the way could have answered so")
    }
}

/// Whether a certificate was in its time when this clock showed `now`, if the clock was so far ahead.
fn was_valid(chain: &ChainFacts, now: Timestamp, ahead: SignedDuration) -> bool {
    let Ok(then) = now.checked_sub(ahead) else { return false };
    let (begin, end) = chain.dated();
    begin.is_none_or(|begin| begin <= then) && end.is_none_or(|end| then <= end)
}
