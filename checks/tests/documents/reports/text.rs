//! The text report.

use apim_probe::{
    exit::judge,
    model::{Cause, Confidence, Imported, Need, Policy},
    report::{Detail, Format},
};
use unicode_width::UnicodeWidthStr;

use super::{PLAIN, TextSettings, every_sample, rendered, samples, snapshot};

const DETAILS: [Detail; 3] = [Detail::Brief, Detail::NotOk, Detail::Everything];

#[test]
fn text_at_80_columns_matches_the_snapshots() {
    for (name, report) in every_sample() {
        snapshot(&format!("{name}-80"), &rendered(&report, Format::Text, &PLAIN));
    }
}

#[test]
fn text_at_140_columns_matches_the_snapshots() {
    for (name, report) in [
        ("broken-firewall", samples::broken_firewall()),
        ("doubtful", samples::doubtful()),
    ] {
        snapshot(
            &format!("{name}-140"),
            &rendered(&report, Format::Text, &TextSettings { width: 140, ..PLAIN }),
        );
    }
}

#[test]
fn verbose_text_matches_the_snapshots() {
    let report = samples::broken_firewall();
    for width in [80, 140] {
        let text = rendered(
            &report,
            Format::Text,
            &TextSettings {
                width,
                detail: Detail::NotOk,
                ..PLAIN
            },
        );
        snapshot(&format!("broken-firewall-verbose-{width}"), &text);
    }
}

#[test]
fn colour_changes_no_text() {
    let report = samples::broken_firewall();
    let coloured = rendered(&report, Format::Text, &TextSettings { colour: true, ..PLAIN });
    snapshot("broken-firewall-colour", &coloured.replace('\u{1b}', "^["));
    assert_eq!(
        anstream::adapter::strip_str(&coloured).to_string(),
        rendered(&report, Format::Text, &PLAIN)
    );
}

#[test]
fn text_without_unicode_is_ascii() {
    for (name, report) in every_sample() {
        for detail in DETAILS {
            let text = rendered(
                &report,
                Format::Text,
                &TextSettings {
                    unicode: false,
                    detail,
                    ..PLAIN
                },
            );
            assert!(
                text.is_ascii(),
                "{name}: {:?}",
                text.lines().find(|line| !line.is_ascii())
            );
        }
    }
}

#[test]
fn every_line_fits_the_width() {
    let mut all = every_sample();
    all.push(("hostile", samples::hostile()));
    for (name, report) in all {
        for width in [0, 40, 60, 80, 100, 140, 200] {
            for detail in DETAILS {
                for unicode in [false, true] {
                    let text = rendered(
                        &report,
                        Format::Text,
                        &TextSettings {
                            width,
                            detail,
                            unicode,
                            colour: false,
                        },
                    );
                    for line in text.lines() {
                        // A URL in two parts could not be opened.
                        let is_url = line
                            .trim_start()
                            .trim_start_matches("More")
                            .trim_start()
                            .starts_with("https://");
                        assert!(is_url || line.width() <= width.max(40), "{name} at {width}: {line}");
                        assert_eq!(line.trim_end(), line, "{name} at {width} has trailing spaces");
                    }
                    assert!(!text.contains("\n\n\n"), "{name} at {width} has a hole:\n{text}");
                }
            }
        }
    }
}

#[test]
fn very_verbose_text_shows_every_endpoint() {
    let report = samples::broken_firewall();
    let look = TextSettings {
        detail: Detail::Everything,
        ..PLAIN
    };
    let text = rendered(&report, Format::Text, &look);
    for endpoint in &report.endpoints {
        assert!(text.contains(endpoint.target()), "{}", endpoint.id);
    }
}

/// Text without its line breaks, indents and continuation marks.
fn joined(text: &str) -> String {
    let lines = text.lines().map(|line| line.trim().trim_end_matches(" \\").to_owned());
    lines.collect::<Vec<_>>().join(" ")
}

#[test]
fn last_screen_shows_verdict_fixes_and_next_command() {
    const LINES: usize = 23;
    for (name, report) in [
        ("broken-firewall", samples::broken_firewall()),
        ("all-silent", samples::all_silent()),
    ] {
        let text = rendered(&report, Format::Text, &PLAIN);
        let lines: Vec<&str> = text.lines().collect();
        let screen = lines[lines.len().saturating_sub(LINES)..].join("\n");
        let joined_text = joined(&screen);
        assert!(screen.contains("BLOCKED  "), "{name}:\n{screen}");
        for finding in report
            .findings
            .iter()
            .filter(|finding| finding.need != Some(Need::Documented))
        {
            assert!(
                joined_text.contains(&finding.fix.summary),
                "{name}: {}\n{screen}",
                finding.title
            );
        }
        assert!(
            screen.lines().any(|line| line.ends_with("  required")),
            "{name}:\n{screen}"
        );
        assert!(screen.contains("Next  apim-probe run"), "{name}:\n{screen}");
        assert!(screen.contains("apim-probe explain "), "{name}:\n{screen}");
    }
}

#[test]
fn fix_summary_is_never_truncated() {
    for (name, report) in every_sample() {
        for width in [40, 60, 80, 140] {
            for detail in DETAILS {
                let text = rendered(&report, Format::Text, &TextSettings { width, detail, ..PLAIN });
                let joined_text = joined(&text).replace(' ', "");
                for finding in report
                    .findings
                    .iter()
                    .filter(|finding| finding.need != Some(Need::Documented))
                {
                    let summary = finding.fix.summary.replace(' ', "");
                    assert!(
                        joined_text.contains(&summary),
                        "{name} at {width}: {}\n{text}",
                        finding.fix.summary
                    );
                }
            }
        }
        let brief = joined(&rendered(&report, Format::Brief, &PLAIN));
        for finding in &report.findings {
            let is_there = brief.contains(&finding.title);
            assert!(!is_there || brief.contains(&finding.fix.summary), "{name}: {brief}");
        }
    }
}

#[test]
fn report_ends_with_the_exit_status_and_full_reason() {
    for (name, report) in every_sample() {
        let whole = judge(&report, Policy::default(), None).to_string().replace(' ', "");
        for width in [40, 60, 80] {
            let text = rendered(&report, Format::Text, &TextSettings { width, ..PLAIN });
            let joined_text = joined(&text).replace(' ', "");
            assert!(joined_text.ends_with(&whole), "{name} at {width}:\n{text}");
        }
        let brief = rendered(&report, Format::Brief, &PLAIN);
        assert!(joined(&brief).replace(' ', "").ends_with(&whole), "{name}:\n{brief}");
    }
}

#[test]
fn sources_of_imported_names_are_listed() {
    let mut report = samples::broken_firewall();
    let imported = |document: &str, from: &str, endpoints| Imported {
        document: document.into(),
        from: from.into(),
        as_of: (document == "network-status").then_some(report.started_at),
        endpoints,
    };
    report.vantage.imports = vec![
        imported("network-status", "the management endpoint", 4),
        imported("dependencies", "the management endpoint", 0),
        imported("instance", "the management endpoint", 24),
        imported("instance", "empty.json", 0),
    ];
    let text = joined(&rendered(&report, Format::Text, &PLAIN));
    assert!(
        text.contains("names of the instance from the management endpoint: network status (4, as of ")
            && text.contains("less than a day old), other documents (24) empty.json names no host of the instance "),
        "{text}"
    );
    assert!(!text.contains("0 endpoints"), "{text}");
}

#[test]
fn verdict_and_titles_are_never_truncated() {
    let mut report = samples::broken_firewall();
    let nothing_tested = samples::nothing_tested();
    let mut nameless = nothing_tested.endpoints.iter();
    let untested = nameless.find(|e| e.cause == Some(Cause::NeedsValue));
    let mut untested = untested.expect("a name is missing").clone();
    untested.need = Need::Required;
    for n in 0..20 {
        untested.id = format!("fleet-{n}/{{a_name_of_its_own_{n}}}.example:443");
        untested.host = format!("{{a_name_of_its_own_{n}}}.example");
        untested.dependency = format!("fleet-{n}");
        untested.title = format!("A dependency with a title that takes more than its line, number {n}");
        report.endpoints.push(untested.clone());
    }
    let numbers = report.findings.iter().zip(1..);
    let causes: Vec<String> = numbers
        .filter_map(|(finding, number)| Some(format!("finding{number}:{}", finding.cause?)))
        .collect();
    for width in [40, 60, 80] {
        let text = rendered(&report, Format::Text, &TextSettings { width, ..PLAIN });
        let joined_text = joined(&text).replace(' ', "");
        for cause in &causes {
            assert!(joined_text.contains(cause), "{cause} at {width}:\n{text}");
        }
        for finding in &report.findings {
            let title = finding.title.replace(' ', "");
            assert!(joined_text.contains(&title), "{title} at {width}:\n{text}");
        }
        assert!(joined_text.contains("number19"), "at {width}:\n{text}");
        // A truncated list shows how many entries are missing.
        assert!(width < 80 || joined_text.contains("more"), "{text}");
        let cut: Vec<&str> = text.lines().filter(|line| line.ends_with('…')).collect();
        assert!(cut.is_empty(), "{cut:?} at {width}");
    }
}

#[test]
fn control_characters_are_escaped_in_text() {
    let report = samples::hostile();
    for colour in [false, true] {
        for detail in DETAILS {
            let text = rendered(
                &report,
                Format::Text,
                &TextSettings {
                    width: 100,
                    colour,
                    detail,
                    unicode: true,
                },
            );
            let stripped = anstream::adapter::strip_str(&text).to_string();
            let harmful: String = stripped.chars().filter(|c| c.is_control() && *c != '\n').collect();
            assert!(harmful.is_empty(), "{harmful:?}");
            assert!(!text.contains(['\u{202e}', '\u{2028}', '\u{9b}', '\u{7}']));
            // Every escape sequence is a colour.
            assert!(
                text.match_indices('\u{1b}')
                    .all(|(at, _)| text[at + 1..].starts_with('['))
            );
            assert!(!text.contains("\u{1b}[2J") && !text.contains("\u{1b}]"));
        }
    }
}

#[test]
fn last_screen_shows_every_finding_with_a_low_confidence_hint() {
    const ROWS: usize = 24;
    let mut report = samples::broken_firewall();
    let path = report.findings[0].path.clone();
    let mut hint = report.findings[0].clone();
    hint.title = "Something answers, which proves nothing".into();
    hint.confidence = Confidence::Low;
    hint.fix.summary = "Look at one thing, then at another. ".repeat(6);
    report.findings.push(hint);
    for finding in &mut report.findings {
        finding.path.clone_from(&path);
    }
    let text = rendered(&report, Format::Text, &PLAIN);
    let lines: Vec<&str> = text.lines().collect();
    // The prompt takes one row.
    let screen = lines[lines.len() - (ROWS - 1)..].join("\n");
    assert!(screen.contains("BLOCKED  4 of 7"), "{screen}");
    for finding in &report.findings {
        let start: String = finding.title.chars().take(30).collect();
        assert!(screen.contains(&start), "{start}: {screen}");
        let is_hint = finding.confidence == Confidence::Low;
        let fix: String = finding.fix.summary.chars().take(30).collect();
        assert!(is_hint || screen.contains(&fix), "{fix}: {screen}");
    }
    // Nothing is lost at higher levels of detail.
    let detailed = TextSettings {
        detail: Detail::NotOk,
        ..PLAIN
    };
    let text = rendered(&report, Format::Text, &detailed);
    assert!(text.contains("Look at one thing"), "{text}");
    assert!(text.matches('✂').count() >= report.findings.len(), "{text}");
}
