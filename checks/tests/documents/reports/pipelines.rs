//! What pipelines read: each format matches the exit status, and its totals add up.

use apim_probe::{
    exit::judge,
    model::{Cause, FailOn, Need, Policy, Report, Standing, Verdict},
    report::{Detail, Format, Options, render},
};

use super::{PLAIN, every_sample, rendered, samples, samples::WithVerdict as _};

fn rendered_with(report: &Report, format: Format, fail_on: FailOn) -> String {
    let policy = Policy {
        fail_on: Some(fail_on),
        allow_untested: false,
    };
    let options = Options {
        exit: &judge(report, policy, None),
        policy,
        width: 80,
        colour: false,
        unicode: true,
        detail: Detail::Brief,
        again: None,
    };
    render(report, format, &options)
}

/// The number in an attribute of the first such tag.
fn attribute_value(xml: &str, tag: &str, attribute: &str) -> usize {
    let tag = xml
        .split(&format!("<{tag} "))
        .nth(1)
        .unwrap()
        .split('>')
        .next()
        .unwrap();
    let value = tag.split(&format!("{attribute}=\"")).nth(1).unwrap();
    value.split('"').next().unwrap().parse().unwrap()
}

#[test]
fn junit_failures_follow_fail_on() {
    let mut report = samples::broken_firewall();
    for endpoint in &mut report.endpoints {
        let is_optional = endpoint.need == Need::Feature || endpoint.verdict != Verdict::Blocked;
        if !is_optional {
            endpoint.need = Need::Feature;
        }
    }
    let blocked = |report: &Report, need| {
        let is_so = |e: &&apim_probe::model::EndpointReport| e.verdict == Verdict::Blocked && e.need == need;
        report.endpoints.iter().filter(is_so).count()
    };
    let optional = blocked(&report, Need::Feature);
    assert!(optional > 0 && blocked(&report, Need::Required) == 0);
    for (fail_on, failures) in [(FailOn::Required, 0), (FailOn::Any, optional), (FailOn::Never, 0)] {
        let junit = rendered_with(&report, Format::Junit, fail_on);
        assert_eq!(
            attribute_value(&junit, "testsuites", "failures"),
            failures,
            "{fail_on:?}"
        );
    }
    let required = rendered_with(&report, Format::Junit, FailOn::Required);
    assert!(required.contains("optional, blocked (tcp-timeout)"), "{required}");

    let broken = samples::broken_firewall();
    let junit = rendered_with(&broken, Format::Junit, FailOn::Required);
    assert_eq!(
        attribute_value(&junit, "testsuites", "failures"),
        blocked(&broken, Need::Required)
    );
    assert_eq!(
        attribute_value(
            &rendered_with(&broken, Format::Junit, FailOn::Never),
            "testsuites",
            "failures"
        ),
        0
    );
}

#[test]
fn junit_contains_finding_and_fix() {
    let report = samples::broken_firewall();
    let junit = rendered(&report, Format::Junit, &PLAIN);
    let read = |text: &str| {
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&apos;", "'");
        text.replace("&quot;", "\"").replace("&amp;", "&")
    };
    let junit = read(&junit);
    for finding in report.findings.iter().filter(|f| f.need != Some(Need::Documented)) {
        for part in [&finding.title, &finding.fix.summary]
            .into_iter()
            .chain(&finding.fix.change)
        {
            assert!(junit.contains(part.as_str()), "{part} is missing in\n{junit}");
        }
    }
}

#[test]
fn junit_of_a_machine_without_network_has_errors_not_failures() {
    let mut report = samples::broken_firewall();
    report.vantage.standing = Some(Standing::NoNetwork);
    let junit = rendered(&report, Format::Junit, &PLAIN);
    assert_eq!(attribute_value(&junit, "testsuites", "failures"), 0);
    assert!(attribute_value(&junit, "testsuites", "errors") > 0);
}

#[test]
fn totals_add_up_in_every_format() {
    for (name, report) in every_sample() {
        let summary = &report.summary;
        let all = report.endpoints.len();
        let counted = report.endpoints.iter().filter(|e| e.need != Need::Documented).count();
        let parts = summary.reachable + summary.degraded + summary.blocked + summary.unproven + summary.not_tested;
        assert_eq!(
            (summary.total, summary.counted, parts),
            (all, counted, counted),
            "{name}"
        );

        let junit = rendered(&report, Format::Junit, &PLAIN);
        let of = |attribute| attribute_value(&junit, "testsuites", attribute);
        assert_eq!(of("tests"), all, "{name}");
        assert_eq!(junit.matches("<skipped").count(), of("skipped"), "{name}");
        assert_eq!(junit.matches("<failure").count(), of("failures"), "{name}");
        assert_eq!(junit.matches("<error").count(), of("errors"), "{name}");

        let metrics = rendered(&report, Format::Openmetrics, &PLAIN);
        let values = metrics
            .lines()
            .filter(|line| {
                line.starts_with("apim_probe_endpoints{") || line.starts_with("apim_probe_documented_endpoints{")
            })
            .map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap());
        assert_eq!(values.sum::<usize>(), all, "{name}");

        let nagios = rendered(&report, Format::Nagios, &PLAIN);
        assert!(nagios.contains(&format!(";;;0;{counted}")), "{name}: {nagios}");
        assert_eq!(
            rendered(&report, Format::Csv, &PLAIN).lines().count(),
            all + 1,
            "{name}"
        );
        assert_eq!(rendered(&report, Format::Jsonl, &PLAIN).lines().count(), all, "{name}");
    }
}

#[test]
fn openmetrics_leave_out_documented_endpoints() {
    let mut report = samples::documented_only();
    report.endpoints[0] = report.endpoints[0].clone().blocked(Cause::TcpTimeout, "No answer.");
    let metrics = rendered(&report, Format::Openmetrics, &PLAIN);
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        assert!(!line.contains("need=\"documented\""), "{line}");
    }
    assert!(
        metrics.contains("apim_probe_documented_endpoints{verdict=\"blocked\"} 1"),
        "{metrics}"
    );
}

#[test]
fn github_levels_follow_fail_on() {
    let report = samples::broken_firewall();
    let github = rendered_with(&report, Format::Github, FailOn::Required);
    assert!(github.starts_with("::notice title=BLOCKED%3A "), "{github}");
    let errors = |text: &str| text.lines().filter(|line| line.starts_with("::error title=")).count();
    assert!(errors(&github) > 0, "{github}");
    assert_eq!(errors(&rendered_with(&report, Format::Github, FailOn::Never)), 0);
    for part in ["%0AFix: ", "%0AChange:%0Aaz "] {
        assert!(github.contains(part), "{part} is missing in\n{github}");
    }
    assert_eq!(errors(&rendered(&samples::all_healthy(), Format::Github, &PLAIN)), 0);
    let missing = rendered(&samples::names_missing(), Format::Github, &PLAIN);
    assert!(
        missing.contains("::warning title=Not every required endpoint"),
        "{missing}"
    );
}

/// A workflow command as the runner parses it: command, properties, message (`ActionCommand.TryParseV2`).
fn parsed(line: &str) -> (String, Vec<(String, String)>, String) {
    let rest = line.strip_prefix("::").unwrap();
    let (head, message) = rest.split_once("::").unwrap();
    let (command, properties) = head.split_once(' ').unwrap();
    let plain = |text: &str| {
        let text = text.replace("%0D", "\r").replace("%0A", "\n").replace("%3A", ":");
        text.replace("%2C", ",").replace("%25", "%")
    };
    let properties = properties.split(',').map(|property| {
        let (name, value) = property.split_once('=').unwrap();
        (name.to_owned(), plain(value))
    });
    (command.to_owned(), properties.collect(), plain(message))
}

#[test]
fn github_escapes_workflow_command_syntax() {
    let mut report = samples::broken_firewall();
    let title = "100 %, a::b, c=d %0A ::error::x ##[error]y";
    report.findings[0].title = title.into();
    report.findings[0].evidence = vec!["first\r\n::error title=a::b".into()];
    let github = rendered(&report, Format::Github, &PLAIN);
    let mut titles = Vec::new();
    for line in github.lines() {
        let (command, properties, _) = parsed(line);
        assert!(["error", "warning", "notice"].contains(&command.as_str()), "{line}");
        assert_eq!(properties.len(), 1, "{line}");
        titles.push(properties[0].1.clone());
    }
    assert!(titles.iter().any(|found| found.starts_with(title)), "{titles:?}");
}

#[test]
fn github_stays_within_annotation_limits_without_cut_commands() {
    let mut report = samples::broken_firewall();
    let command = format!("az network nsg rule create --name {}", "x".repeat(700));
    for n in 0..40 {
        let mut finding = report.findings[0].clone();
        finding.id = format!("silence/{n}");
        finding.title = format!("finding {n}");
        finding.fix.change = vec![command.clone(); 9];
        report.findings.push(finding);
    }
    let github = rendered(&report, Format::Github, &PLAIN);
    for level in ["error", "warning", "notice"] {
        let n = github
            .lines()
            .filter(|line| line.starts_with(&format!("::{level} ")))
            .count();
        assert!(n < 10, "{n} of {level}");
    }
    assert!(github.contains("findings more::"), "{github}");
    for line in github.lines() {
        let (_, _, message) = parsed(line);
        assert!(message.encode_utf16().count() <= 4_096);
        for line in message
            .lines()
            .filter(|line| line.starts_with("az network nsg rule create --name x"))
        {
            assert_eq!(line, command);
        }
    }
    assert!(github.contains("more in the report)"), "{github}");
}

#[test]
fn csv_starts_with_a_byte_order_mark() {
    let csv = rendered(&samples::all_healthy(), Format::Csv, &PLAIN);
    assert!(csv.starts_with("\u{feff}id,"), "{}", &csv[..20]);
}

#[test]
fn junit_error_contains_its_reason() {
    let mut report = samples::all_healthy();
    report.endpoints[0] = report.endpoints[0]
        .clone()
        .untested(Cause::LocalFault, "Too many open files.");
    let junit = rendered(&report, Format::Junit, &PLAIN);
    assert_eq!(attribute_value(&junit, "testsuites", "errors"), 1);
    assert!(junit.contains("Too many open files."), "{junit}");
}
