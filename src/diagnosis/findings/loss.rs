//! Lines that lose packets, and lines that are slow.

use super::{
    draft::{Draft, Severity, What},
    flows, say,
};
use crate::{
    diagnosis::view::{Pool, Row, RunView, should_work},
    model::{Cause, Confidence, Ending, Fix, Suspect},
    net::tcp::TcpEnd,
    text::words::{self, count},
};

/// So many SYNs in a row are no matter of chance on any line over which connections can be made at all.
const SYNS: usize = 8;

/// The path loses packets, or takes long: connections had to send something again, or questions had to be asked again. What
/// retransmission mends changes no verdict. Where it is so bad that chance can explain silence, what kept silent belongs
/// here, and no rule is blamed for it.
pub fn recognise<'a>(view: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    if !view.line.loses() && !view.line.is_slow() {
        return Vec::new();
    }
    let rows = if view.line.is_poor() {
        let mut rows = pool.take(|row| should_work(row) && is_chance(row));
        rows.extend(view.rows.iter().filter(|row| flows::claims(view, row)).copied());
        rows.sort_by_key(|row| row.index);
        rows.dedup_by_key(|row| row.index);
        rows
    } else {
        Vec::new()
    };
    vec![draft(view, rows)]
}

/// Whether lost packets can explain why a row is blocked: it is silent, and not so often asked that they cannot.
fn is_chance(row: &Row<'_>) -> bool {
    let is_silent = row.cause().is_some_and(|cause| cause.ending() == Ending::Silence);
    let syns: usize = row
        .attempts()
        .iter()
        .map(|attempt| match attempt.tcp.as_ref().map(|tcp| &tcp.end) {
            Some(TcpEnd::Silent { syns }) => syns.unwrap_or(1),
            _ => 0,
        })
        .sum();
    is_silent && (row.cause() != Some(Cause::TcpTimeout) || syns < SYNS)
}

fn draft<'a>(view: &RunView<'a>, rows: Vec<Row<'a>>) -> Draft<'a> {
    let line = &view.line;
    let slow = line.is_slow();
    let again = format!(
        "{} of {} needed retransmission",
        line.mended,
        count(line.connections, "connection")
    );
    let mut evidence = Vec::new();
    if slow {
        evidence.push(format!(
            "{} of {} have round trips of about a second or more, the longest {}",
            line.slow,
            count(line.connections, "connection"),
            words::duration(line.round_trip)
        ));
    } else {
        evidence.push(again.clone());
    }
    if line.repeated > 0 {
        evidence.push(format!(
            "{} of {} had to be asked again",
            line.repeated,
            count(line.questions, "question")
        ));
    }
    if !rows.is_empty() {
        evidence.push(format!(
            "on such a line silence may be chance, so no rule is blamed for {}",
            count(rows.len(), "endpoint")
        ));
        evidence.extend(say::examples(&rows));
    }
    Draft {
        impact: rows
            .is_empty()
            .then(|| "Connections take longer than they should; the instance may run into timeouts of its own.".into()),
        severity: if rows.is_empty() {
            Severity::Degradation
        } else {
            Severity::Failure
        },
        what: What::Word("loss"),
        scope: "path".into(),
        title: if slow {
            format!("The path is slow: round trips of {}", words::duration(line.round_trip))
        } else {
            format!("The path loses packets ({again})")
        },
        confidence: if line.is_poor() {
            Confidence::High
        } else {
            Confidence::Medium
        },
        evidence,
        suspects: vec![Suspect::Nva],
        fix: Fix::new(
            "Measure the line: its load, its error counters and the health of the tunnel or appliance on it. A longer \
             --timeout shows what still works over it.",
        )
        .verify(["ping -c 100 -i 0.2 ADDRESS"]),
        rows,
    }
}
