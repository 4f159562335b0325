//! CSV: one row per endpoint, for a spreadsheet.

use std::borrow::Cow;

use crate::{
    model::{EndpointReport, Expect, Report},
    text::{escape, words::join},
};

/// The header.
const COLUMNS: [&str; 24] = [
    "id",
    "dependency",
    "title",
    "service_tag",
    "need",
    "feature",
    "host",
    "pattern",
    "port",
    "transport",
    "protocol",
    "verdict",
    "cause",
    "detail",
    "expect",
    "as_expected",
    "duration_ms",
    "dns_ms",
    "tcp_ms",
    "tls_ms",
    "hello_ms",
    "addresses",
    "issuer",
    "evidence",
];

/// Without it, Excel assumes the system's code page.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The endpoints as RFC 4180 in UTF-8 with a byte order mark: a header, then one record per endpoint. Lists are joined
/// with `; `, unknown values are empty, and text that a spreadsheet would treat as a formula begins with an apostrophe.
pub fn render(report: &Report) -> String {
    let mut out = String::from(BYTE_ORDER_MARK);
    out += &record(COLUMNS.map(Into::into));
    for endpoint in &report.endpoints {
        out += &record(fields(endpoint));
    }
    out
}

fn fields(endpoint: &EndpointReport) -> [Cow<'_, str>; 24] {
    let stages = &endpoint.stages;
    let text = |text: &str| Cow::Owned(harmless(text));
    let optional = |value: &Option<String>| value.as_deref().map_or(Cow::Borrowed(""), text);
    let ms = |ms: Option<f64>| ms.map_or(Cow::Borrowed(""), |ms| Cow::Owned(format!("{ms:.1}")));
    let expect = if endpoint.expect == Expect::Blocked {
        "blocked"
    } else {
        "reachable"
    };
    let addresses = stages.dns.as_ref().map(|dns| join(&dns.addresses, "; "));
    [
        text(&endpoint.id),
        text(&endpoint.dependency),
        text(&endpoint.title),
        optional(&endpoint.service_tag),
        endpoint.need.as_str().into(),
        optional(&endpoint.feature),
        text(&endpoint.host),
        optional(&endpoint.pattern),
        endpoint.port.to_string().into(),
        endpoint.transport.as_str().into(),
        endpoint.protocol.as_str().into(),
        endpoint.verdict.as_str().into(),
        endpoint.cause.map_or("", |cause| cause.as_str()).into(),
        text(&endpoint.detail),
        expect.into(),
        endpoint
            .as_expected
            .map_or("", |yes| if yes { "true" } else { "false" })
            .into(),
        ms(endpoint.duration_ms),
        ms(stages.timing("dns")),
        ms(stages.timing("tcp")),
        ms(stages.timing("tls")),
        ms(stages.timing("hello")),
        text(&addresses.unwrap_or_default()),
        optional(&stages.tls.as_ref().and_then(|tls| tls.issuer.clone()))
            .into_owned()
            .into(),
        text(&endpoint.evidence.join("; ")),
    ]
}

fn record(fields: [Cow<'_, str>; 24]) -> String {
    let mut line = fields.map(quoted).join(",");
    line.push_str("\r\n");
    line
}

fn quoted(field: Cow<'_, str>) -> Cow<'_, str> {
    if field.contains([',', '"']) {
        format!("\"{}\"", field.replace('"', "\"\"")).into()
    } else {
        field
    }
}

/// Text without control characters that no spreadsheet treats as a formula.
fn harmless(text: &str) -> String {
    let text = escape(text);
    let formula = text
        .trim_start()
        .starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    if formula { format!("'{text}") } else { text.into_owned() }
}
