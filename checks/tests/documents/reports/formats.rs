//! Every other format, and what none of them may let through.

use std::{collections::BTreeSet, fmt::Write as _, path::Path, process::Command};

use apim_probe::{
    exit::judge,
    model::{Cause, Need, Policy, Report, Standing, Verdict},
    report::{Format, nagios::ServiceState},
};

use unicode_width::UnicodeWidthStr;

use super::{
    PLAIN, every_sample, rendered,
    samples::{self, WithVerdict as _},
    snapshot,
};

#[test]
fn json_is_unchanged_after_a_round_trip() {
    let mut all = every_sample();
    all.push(("hostile", samples::hostile()));
    for (name, report) in all {
        let document = rendered(&report, Format::Json, &PLAIN);
        assert!(document.ends_with("}\n"), "{name}");
        let read: Report = serde_json::from_str(&document).unwrap();
        assert_eq!(rendered(&read, Format::Json, &PLAIN), document, "{name}");
    }
}

#[test]
fn json_contains_the_documented_words() {
    let document: serde_json::Value =
        serde_json::from_str(&rendered(&samples::broken_firewall(), Format::Json, &PLAIN)).unwrap();
    for (path, value) in [
        ("/schema", r#""apim-probe/report/v1""#),
        ("/started_at", r#""2026-11-21T20:00:00.000Z""#),
        ("/duration_ms", "5012.7"),
        ("/vantage/source", r#""metadata""#),
        ("/vantage/vnet", "null"),
        ("/summary/verdict", r#""blocked""#),
        ("/findings/0/suspects", r#"["nsg","firewall-network-rule"]"#),
        ("/endpoints/3/verdict", r#""blocked""#),
        ("/endpoints/3/cause", r#""tcp-timeout""#),
        ("/endpoints/3/stages/tcp/0/ms", "5000.4"),
        ("/endpoints/3/stages/tls", "null"),
        ("/endpoints/0/duration_ms", "33.0"),
        ("/endpoints/26/need", r#""feature""#),
        ("/endpoints/27/verdict", r#""not-tested""#),
        ("/endpoints/27/duration_ms", "null"),
        ("/endpoints/27/stages/tcp", "[]"),
    ] {
        let found = document.pointer(path).map(ToString::to_string);
        assert_eq!(found.as_deref(), Some(value), "{path}");
    }
}

#[test]
fn other_formats_match_the_snapshots() {
    let report = samples::broken_firewall();
    for (name, format) in [
        ("junit", Format::Junit),
        ("markdown", Format::Markdown),
        ("csv", Format::Csv),
        ("openmetrics", Format::Openmetrics),
        ("brief", Format::Brief),
        ("ticket", Format::Ticket),
        ("github", Format::Github),
    ] {
        snapshot(&format!("broken-firewall-{name}"), &rendered(&report, format, &PLAIN));
    }
}

#[test]
fn nagios_prints_one_line_per_run() {
    let mut lines = String::new();
    for (name, report) in every_sample() {
        let line = rendered(&report, Format::Nagios, &PLAIN);
        assert_eq!(line.matches('\n').count(), 1, "{name}");
        let _ = write!(lines, "{name}: {line}");
    }
    snapshot("nagios", &lines);
}

#[test]
fn brief_is_at_most_4000_bytes() {
    let mut all = every_sample();
    all.push(("hostile", samples::hostile()));
    let mut crowd = samples::all_silent();
    for n in 0..5_000 {
        let mut endpoint = crowd.endpoints[3].clone();
        endpoint.id = format!("sql/{}{n}.example:1433", "long-".repeat(30));
        crowd.endpoints.push(endpoint);
        let mut finding = crowd.findings[0].clone();
        finding.title = format!("{n} {}", "東京".repeat(300));
        crowd.findings.push(finding);
    }
    all.push(("crowd", crowd));
    for (name, report) in all {
        let brief = rendered(&report, Format::Brief, &PLAIN);
        assert!(brief.len() <= 4_000, "{name} takes {} bytes", brief.len());
        let ends = brief.lines().rev().take(4).any(|line| line.starts_with("exit "));
        assert!(ends, "{name}: {brief}");
    }
}

/// Everything that could act on a reader's screen: control characters, and those that change the reading direction.
fn is_harmful(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\r'))
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[test]
fn no_format_contains_control_characters() {
    let report = samples::hostile();
    for format in [
        Format::Text,
        Format::Json,
        Format::Jsonl,
        Format::Junit,
        Format::Html,
        Format::Markdown,
        Format::Csv,
        Format::Openmetrics,
        Format::Nagios,
        Format::Brief,
        Format::Ticket,
        Format::Github,
    ] {
        let text = rendered(&report, format, &PLAIN);
        let harmful: Vec<char> = text.chars().filter(|c| is_harmful(*c)).collect();
        assert!(harmful.is_empty(), "{format:?} lets through {harmful:?}");
    }
}

#[test]
fn html_escapes_markup_and_loads_nothing() {
    let html = rendered(&samples::hostile(), Format::Html, &PLAIN);
    // A documentation page may be linked to; nothing is loaded from there.
    let html = html.replace("<a href=\"https://learn.microsoft.com/", "<a href=\"");
    assert_eq!(html.matches("<script").count(), 1, "only the page's own script");
    assert!(html.contains("&#60;script&#62;alert(1)"));
    for request in [
        "src=",
        "http:",
        "https:",
        "url(",
        "@import",
        "<link",
        "<img",
        "<iframe",
        "href=\"javascript",
    ] {
        assert!(!html.contains(request), "{request}");
    }
    assert!(html.contains("default-src 'none'"));
}

/// Every text between these two.
fn between<'t>(text: &'t str, start: &str, end: &str) -> Vec<&'t str> {
    let rests = text.split(start).skip(1);
    rests.filter_map(|rest| rest.split(end).next()).collect()
}

#[test]
fn html_copy_buttons_have_distinct_labels() {
    let html = rendered(&samples::broken_firewall(), Format::Html, &PLAIN);
    let buttons = between(&html, "class=\"copy\"", "</button>");
    assert!(buttons.len() > 4, "{buttons:?}");
    let different: BTreeSet<&str> = buttons.iter().copied().collect();
    assert_eq!(different.len(), buttons.len(), "{buttons:?}");
}

#[test]
fn html_has_a_row_per_endpoint() {
    for (name, report) in every_sample() {
        let html = rendered(&report, Format::Html, &PLAIN);
        assert_eq!(
            html.matches("<tr role=\"row\" id=\"e").count(),
            report.endpoints.len(),
            "{name}"
        );
    }
}

#[test]
fn html_skips_drawing_hidden_rows_only_for_thousands() {
    let drawn_in_sight_only = "class=\"endpoints many\"";
    let mut report = samples::broken_firewall();
    assert!(!rendered(&report, Format::Html, &PLAIN).contains(drawn_in_sight_only));
    report.endpoints = report.endpoints.iter().cycle().take(2_000).cloned().collect();
    assert!(rendered(&report, Format::Html, &PLAIN).contains(drawn_in_sight_only));
}

#[test]
fn html_breaks_an_endpoint_before_its_port() {
    let html = rendered(&samples::broken_firewall(), Format::Html, &PLAIN);
    let targets = between(&html, "<summary class=\"host\">", "</summary>");
    assert!(targets.len() > 20);
    for target in targets {
        let (_, port) = target.split_once("<wbr>:").unwrap_or_else(|| panic!("{target}"));
        assert!(port.starts_with(|c: char| c.is_ascii_digit()), "{target}");
    }
}

#[test]
fn markdown_escapes_markup_from_the_data() {
    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
    let mut report = samples::hostile();
    report.findings[0].title += " @octocat #1 https://evil.example www.evil.example <b>x</b> ![i](u) ~~s~~ &lt;";
    let markdown = rendered(&report, Format::Markdown, &PLAIN);
    let mut cells = 0;
    // Within a block of code everything is text.
    let mut is_code = false;
    for event in Parser::new_ext(
        &markdown,
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_GFM,
    ) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => {
                let ours = [
                    "<details>",
                    "</details>",
                    "<summary>",
                    "</summary>",
                    "<!-- -->",
                    "<details><summary>",
                ];
                let rest = ours
                    .iter()
                    .fold(html.trim().to_owned(), |rest, tag| rest.replace(tag, ""));
                assert!(!rest.contains('<'), "{html}");
            }
            Event::Start(Tag::CodeBlock(_)) => is_code = true,
            Event::End(TagEnd::CodeBlock) => is_code = false,
            Event::Text(_) if is_code => {}
            Event::Text(text) => assert!(!text.contains("@octocat") && !text.contains("#1") && !text.contains("://")),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => panic!("a link to {dest_url}"),
            Event::Start(Tag::Strikethrough | Tag::Emphasis) => panic!("markup came from the data"),
            Event::Start(Tag::TableCell) => cells += 1,
            _ => {}
        }
    }
    assert_eq!(cells, 3 * (1 + 4), "one table of four dependencies");
}

#[test]
fn csv_records_have_equal_length_and_no_formula() {
    let mut report = samples::hostile();
    for (at, formula) in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1"].into_iter().enumerate() {
        report.endpoints[at % 5].evidence.clear();
        report.endpoints[at % 5].evidence.push(formula.into());
        report.endpoints[at % 5].detail = formula.into();
        let csv = rendered(&report, Format::Csv, &PLAIN);
        assert!(csv.ends_with("\r\n"));
        let records: Vec<Vec<String>> = csv.trim_end().split("\r\n").map(fields).collect();
        assert_eq!(records.len(), 1 + report.endpoints.len());
        for record in records {
            assert_eq!(record.len(), records_width(&csv), "{record:?}");
            for field in record {
                assert!(!field.trim_start().starts_with(['=', '+', '-', '@']), "{field}");
            }
        }
    }
}

fn records_width(csv: &str) -> usize {
    csv.lines().next().unwrap_or_default().split(',').count()
}

/// The fields of one record of RFC 4180 without line breaks inside.
fn fields(record: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = record.chars().peekable();
    while let Some(c) = chars.next() {
        let field = fields.last_mut().unwrap();
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => field.push(chars.next().unwrap()),
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => field.push(c),
        }
    }
    assert!(!quoted, "an open quote in {record}");
    fields
}

#[test]
fn jsonl_lines_are_complete_objects() {
    let report = samples::broken_firewall();
    let jsonl = rendered(&report, Format::Jsonl, &PLAIN);
    assert_eq!(jsonl.lines().count(), report.endpoints.len());
    for (line, endpoint) in jsonl.lines().zip(&report.endpoints) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["id"], endpoint.id);
        assert_eq!(line["verdict"], endpoint.verdict.as_str());
        assert_eq!(line["started_at"], "2026-11-21T20:00:00.000Z");
        assert_eq!(line["vantage_host"], "vm-probe-1");
    }
}

#[test]
fn junit_maps_endpoints_to_passed_failed_error_and_skipped() {
    let mut report = samples::must_be_blocked();
    report.endpoints[0] = report.endpoints[0]
        .clone()
        .untested(Cause::LocalFault, "Too many open files.");
    let junit = rendered(&report, Format::Junit, &PLAIN);
    for part in [
        r#"tests="31""#,
        r#"<error message="Name servers: Too many open files." type="local-fault">"#,
        r#"type="unexpectedly-open""#,
        r#"<skipped message="unproven: The connection was accepted."/>"#,
        r#"<skipped message="not-tested (not-outbound): Inbound from ApiManagement."/>"#,
    ] {
        assert!(junit.contains(part), "{part} is missing in\n{junit}");
    }
    assert!(junit.contains(r#"<testcase name="example.com:443" classname="egress" time="0.033"/>"#));
}

#[test]
fn nagios_state_follows_the_exit_status() {
    for (report, state) in [
        (samples::all_healthy(), ServiceState::Ok),
        (samples::broken_firewall(), ServiceState::Critical),
        (samples::names_missing(), ServiceState::Unknown),
        (samples::interrupted(), ServiceState::Unknown),
        (samples::doubtful(), ServiceState::Unknown),
    ] {
        assert_eq!(
            ServiceState::of(&report, &judge(&report, Policy::default(), None)),
            state
        );
    }
    let mut degraded = samples::doubtful();
    degraded.endpoints.retain(|e| e.verdict != Verdict::Unproven);
    let exit = judge(&degraded, Policy::default(), None);
    assert_eq!(ServiceState::of(&degraded, &exit), ServiceState::Warning);
}

/// Each block is forwarded alone: everything that one of them needs is in its own text.
#[test]
fn ticket_has_a_block_per_team() {
    let ticket = rendered(&samples::broken_firewall(), Format::Ticket, &PLAIN);
    let blocks: Vec<&str> = ticket.split("\nFor ").collect();
    let titles: Vec<&str> = blocks[1..].iter().filter_map(|block| block.lines().next()).collect();
    assert_eq!(
        titles,
        [
            "the team that runs NSGs and routes",
            "the team that runs the firewall",
            "ourselves: no other team can fix this"
        ]
    );
    for (block, has, lacks) in [
        (blocks[1], "NTANetAnalytics", "AZFW"),
        (blocks[2], "AZFWApplicationRule", "NTANetAnalytics"),
    ] {
        for part in [
            has,
            "required, stops activation",
            "activation fails",
            "TCP 10.1.0.4:50112 -> 20.60.1.4:1433",
            "2026-11-21T20:00:00.250Z to 2026-11-21T20:00:05.251Z",
            "and 3 more",
            "TCP 1433 to Sql.WestEurope",
            "# undo: az network undo",
            "curl -v -m 5 telnet://20.60.1.4:1433",
        ] {
            assert!(block.contains(part), "{part} is missing in\n{block}");
        }
        assert!(!block.contains(lacks), "{lacks} in\n{block}");
    }
}

#[test]
fn ticket_lists_every_host_of_the_finding() {
    let mut report = samples::broken_firewall();
    let finding = report.findings.iter().find(|finding| finding.endpoints.len() > 1);
    let ids = finding.unwrap().endpoints.clone();
    let last = report
        .endpoints
        .iter_mut()
        .find(|e| e.id == ids[ids.len() - 1])
        .unwrap();
    last.need = Need::Documented;
    let host = last.host.clone();
    let ticket = rendered(&report, Format::Ticket, &PLAIN);
    assert!(ticket.contains(&format!("{host} (")), "{host} is missing in\n{ticket}");
}

#[test]
fn ticket_describes_where_the_vm_is_as_far_as_known() {
    for (standing, subnet, from) in [
        (Some(Standing::InSubnet), None, "the subnet of the instance: vm-probe-1"),
        (Some(Standing::AzureVm), None, "an Azure VM: vm-probe-1"),
        (
            Some(Standing::AzureVm),
            Some("/subscriptions/1/virtualNetworks/vnet/subnets/apim"),
            "another subnet than the instance's (apim): vm-probe-1",
        ),
        (Some(Standing::NotAzure), None, "a machine outside Azure: vm-probe-1"),
        (None, None, "vm-probe-1"),
    ] {
        let mut report = samples::broken_firewall();
        report.vantage.standing = standing;
        report.vantage.instance_subnet = subnet.map(str::to_owned);
        let ticket = rendered(&report, Format::Ticket, &PLAIN);
        let line = format!("   From         {from}");
        assert!(ticket.contains(&line), "{line} is missing in\n{ticket}");
    }
    let mut report = samples::broken_firewall();
    report.vantage.standing = Some(Standing::NoNetwork);
    assert!(rendered(&report, Format::Ticket, &PLAIN).starts_with("Nothing to request"));
}

#[test]
fn ticket_with_nothing_blocked_states_that() {
    let ticket = rendered(&samples::all_healthy(), Format::Ticket, &PLAIN);
    assert!(ticket.starts_with("No outbound dependency"), "{ticket}");
    assert!(ticket.contains("may still refuse the instance"));
}

#[test]
fn file_extension_selects_the_format() {
    for (path, format) in [
        ("report.txt", Some(Format::Text)),
        ("a.b/report.JSON", Some(Format::Json)),
        ("report.jsonl", Some(Format::Jsonl)),
        ("report.xml", Some(Format::Junit)),
        ("report.html", Some(Format::Html)),
        ("report.md", Some(Format::Markdown)),
        ("report.csv", Some(Format::Csv)),
        ("report.prom", Some(Format::Openmetrics)),
        ("report.pdf", None),
        ("report", None),
        (".json", None),
    ] {
        assert_eq!(Format::from_ending(Path::new(path)), format, "{path}");
    }
}

#[test]
fn markdown_commands_are_wrapped_and_still_run() {
    let mut report = samples::broken_firewall();
    let finding = &mut report.findings[0];
    let create = "az network nsg rule create --resource-group 'RG-(Überhafen).1' --nsg-name nsg --name apim-out \
                  --destination-port-ranges 1433 --description 'required: Bob'\\''s backend, which is the one of the others'";
    let delete = format!(
        "az network nsg rule delete --resource-group rg --nsg-name {} --name x",
        "n".repeat(120)
    );
    finding.fix.change = vec![create.to_owned(), create.replace("1433", "443")];
    finding.fix.undo = vec![Some(delete.clone()), Some(delete.clone())];
    let commands: Vec<String> = report
        .findings
        .iter()
        .flat_map(|finding| [&finding.fix.look, &finding.fix.change, &finding.fix.verify])
        .flatten()
        .cloned()
        .collect();
    let markdown = rendered(&report, Format::Markdown, &PLAIN);
    let (shown, _) = markdown.split_once("<details>").unwrap_or((&markdown, ""));
    assert!(shown.contains("--description"), "{markdown}");
    let blocks: Vec<&str> = markdown
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("```")?.0))
        .filter(|block| block.contains("az "))
        .collect();
    for line in blocks.iter().flat_map(|block| block.lines()) {
        assert!(line.width() <= 100, "{line}");
    }
    let run = arguments(&blocks.concat());
    for command in commands.iter().filter(|command| command.starts_with("az ")) {
        assert!(run.contains(&arguments(command)), "{command}\n{run}");
    }
    // The commands that undo a change are commented out, and work if uncommented.
    assert!(!run.contains("delete"), "{run}");
    let undo: Vec<&str> = blocks
        .iter()
        .flat_map(|block| block.lines())
        .filter_map(|line| line.strip_prefix("# "))
        .map(|line| line.trim_start_matches("undo: "))
        .collect();
    let undo = undo.join("\n");
    assert!(arguments(&undo).contains(&arguments(&delete)), "{undo}");
}

/// What `az` is given by a script, without the white space that means nothing in JSON.
fn arguments(script: &str) -> String {
    let script = format!("az() {{ printf '<%s>' \"$@\"; echo; }}\n{script}");
    let output = Command::new("sh")
        .arg("-c")
        .arg(script)
        .output()
        .expect("a POSIX system has sh");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let printed = String::from_utf8(output.stdout).expect("the arguments are text");
    let lines: Vec<String> = printed
        .split(">\n")
        .map(|line| line.replace(",\n    \"", ",\""))
        .collect();
    lines.join(">\n")
}
