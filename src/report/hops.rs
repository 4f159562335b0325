//! The path to one endpoint as a table: hop by hop, and connection by connection.

use super::{
    Options, path,
    text::page::{StyledLine, TextPage},
};
use crate::{
    diagnosis::traceroute::{AzureRoute, TracerouteReading, answer_text},
    model::{Report, Verdict},
    net::tcp::{TcpEnd, TcpTrace},
    plan::PlannedEndpoint,
    probe::{
        Run,
        trace::Attempt,
        traceroute::{HopFlow, Traceroute, ran_out},
    },
    text::{columns, style, words},
};

/// Column of the text after a hop's number.
const SYN: usize = 7;
/// Column of the result for our data, if there is one.
const WORDS: usize = 46;
/// Column of the results for a connection.
const HOP: usize = 16;
const WHOLE: usize = 36;
/// The meaning of the mark on an answer without a known sender.
const BEHIND_A_NAT: &str =
    "* came through a NAT: the address may belong to another device, and its distance is not known";

/// The results of a run for the path to its only endpoint.
pub fn render(endpoint: &PlannedEndpoint, report: &Report, run: &Run, options: &Options<'_>) -> String {
    let mut page = TextPage::new(options);
    let Some(row) = report.endpoints.first() else {
        return page.finish();
    };
    let style = match row.verdict {
        Verdict::Blocked => style::BAD,
        Verdict::Reachable => style::GOOD,
        _ => style::DOUBTFUL,
    };
    page.line(StyledLine::default().styled(style::HEADING, endpoint.target()));
    let start = StyledLine::default().styled(style, row.verdict.as_str());
    let start = start.to(columns(row.verdict.as_str()) + 2);
    page.paragraph(start, style::NORMAL, &row.detail);
    if run.traceroutes.hops_unknown {
        page.gap();
        let no_sender = "This machine's kernel does not report which hop answers a SYN; Linux does since 5.8.";
        page.paragraph(StyledLine::default(), style::NORMAL, no_sender);
    }
    let route = row.predicted.as_ref().and_then(|predicted| predicted.route.as_ref());
    let is_well = row.verdict == Verdict::Reachable;
    for traced in &run.traceroutes.seen {
        let reading = TracerouteReading::of(traced, endpoint, AzureRoute::of(route));
        page.gap();
        page.line(StyledLine::default().text(&format!("To {}", traced.address)));
        let stops = row.verdict == Verdict::Blocked || reading.unequal_hops().is_some();
        if let Some(drawn) = reading.path().filter(|_| stops) {
            page.line(StyledLine::at(2).text(&path::draw(&drawn, page.measure() - 2, page.unicode())));
        }
        hops(&mut page, traced, &reading, endpoint);
        flows(&mut page, &traced.flows, endpoint);
        for sentence in reading.grounds().sentences().iter().filter(|_| !is_well) {
            let sentence = words::sentences(&[capital(sentence)]);
            page.paragraph(StyledLine::at(2), style::NORMAL, &sentence);
        }
    }
    page.gap();
    page.paragraph(StyledLine::default(), style::NORMAL, &options.exit.to_string());
    page.finish()
}

/// A line for each TTL; equal ones share one. Behind a NAT, the address may be another device's.
fn hops(page: &mut TextPage, traced: &Traceroute, reading: &TracerouteReading<'_>, endpoint: &PlannedEndpoint) {
    let cell = |at: usize| {
        traced
            .words
            .get(at)
            .and_then(Option::as_ref)
            .map(|attempt| word(attempt, endpoint))
    };
    let rows: Vec<(String, String)> = traced
        .syns
        .iter()
        .enumerate()
        .map(|(at, trace)| {
            let is_believed = reading.nat.is_none_or(|nat| at + 1 < usize::from(nat));
            (syn(trace.as_ref(), is_believed), cell(at).unwrap_or_default())
        })
        .collect();
    let after = |at: usize| match traced.syns.get(at).and_then(Option::as_ref) {
        Some(trace) if !matches!(trace.end, TcpEnd::Silent { .. }) => format!(", {}", words::duration(trace.duration)),
        _ => String::new(),
    };
    let head = StyledLine::at(2)
        .styled(style::DIM, "hop")
        .to(SYN)
        .styled(style::DIM, "SYN with this TTL");
    let head = if traced.words.is_empty() {
        head
    } else {
        head.to(WORDS).styled(style::DIM, "data on a connection")
    };
    page.line(head);
    let mut at = 0;
    while let Some(row) = rows.get(at) {
        let similar = rows[at..].iter().take_while(|other| *other == row).count();
        let number = if similar > 1 {
            format!("{}-{}", at + 1, at + similar)
        } else {
            format!("{:>2}", at + 1)
        };
        let line = StyledLine::at(2)
            .text(&format!("{number:>3}"))
            .to(SYN)
            .text(&format!("{}{}", row.0, after(at)));
        page.line(if row.1.is_empty() {
            line
        } else {
            line.to(WORDS).text(&row.1)
        });
        at += similar;
    }
    if reading.nat.is_some() {
        page.paragraph(StyledLine::at(2), style::DIM, BEHIND_A_NAT);
    }
}

/// The result of a SYN.
fn syn(trace: Option<&TcpTrace>, is_believed: bool) -> String {
    let Some(trace) = trace else {
        return "not sent: no socket available".into();
    };
    if let Some(error) = ran_out(trace) {
        let who = error
            .sender
            .map_or_else(|| "a router".to_owned(), |sender| sender.to_string());
        let mark = if is_believed { "" } else { "*" };
        return format!("{who}{mark} answers ({}/{})", error.kind, error.code);
    }
    match &trace.end {
        TcpEnd::Open => "accepted".into(),
        TcpEnd::Silent { .. } => "no answer".into(),
        TcpEnd::Failed(failure) => match failure.icmp.first() {
            Some(error) => error.to_string(),
            None if failure.errno == Some(libc::ECONNREFUSED) => "reset".into(),
            None => failure.text.clone(),
        },
    }
}

/// The result for our data.
fn word(attempt: &Attempt, endpoint: &PlannedEndpoint) -> String {
    if attempt.tcp.as_ref().is_none_or(|tcp| tcp.end != TcpEnd::Open) {
        return "no connection".into();
    }
    if attempt.ran_out {
        return "TTL expired at a hop".into();
    }
    let answer = answer_text(endpoint, attempt);
    let short = short(&answer);
    short.strip_prefix("accepted, then ").unwrap_or(short).to_owned()
}

/// Connections from several ports, next to each other.
fn flows(page: &mut TextPage, flows: &[HopFlow], endpoint: &PlannedEndpoint) {
    if flows.is_empty() {
        return;
    }
    page.gap();
    let head = StyledLine::at(2).styled(style::DIM, "source port").to(HOP);
    page.line(
        head.styled(style::DIM, "first hop")
            .to(WHOLE)
            .styled(style::DIM, "the whole connection"),
    );
    for flow in flows {
        let port = flow.whole.tcp.as_ref().and_then(|tcp| tcp.source);
        let port = port.map_or_else(|| "-".to_owned(), |source| source.port().to_string());
        let hop = flow.hop.map_or_else(|| "no answer".to_owned(), |hop| hop.to_string());
        let whole = answer_text(endpoint, &flow.whole);
        page.line(
            StyledLine::at(2)
                .text(&port)
                .to(HOP)
                .text(&hop)
                .to(WHOLE)
                .text(short(&whole)),
        );
    }
    page.gap();
}

/// Without the address before it, and without the time after it.
fn short(detail: &str) -> &str {
    let detail = detail.split_once(": ").map_or(detail, |(_, rest)| rest);
    let time = detail.rsplit_once(" (").filter(|(_, time)| time.ends_with("s)"));
    time.map_or(detail, |(rest, _)| rest)
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
