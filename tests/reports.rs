//! What reports look like, and what no report may do.

use apim_probe::{
    exit::{Policy, judge},
    report::{Format, Options, Report, render},
};
use unicode_width::UnicodeWidthStr;

#[path = "data/reports/samples.rs"]
mod samples;

/// Every sample with a name for its snapshots.
fn samples() -> Vec<(&'static str, Report)> {
    vec![
        ("all-healthy", samples::all_healthy()),
        ("broken-firewall", samples::broken_firewall()),
        ("all-silent", samples::all_silent()),
        ("nothing-tested", samples::nothing_tested()),
        ("names-missing", samples::names_missing()),
        ("interrupted", samples::interrupted()),
        ("doubtful", samples::doubtful()),
        ("must-be-blocked", samples::must_be_blocked()),
        ("documented-only", samples::documented_only()),
    ]
}

struct Look {
    width: usize,
    colour: bool,
    unicode: bool,
    verbose: bool,
}

const PLAIN: Look = Look {
    width: 80,
    colour: false,
    unicode: true,
    verbose: false,
};

fn rendered(report: &Report, format: Format, look: &Look) -> String {
    let exit = judge(report, Policy::default(), None);
    let Look {
        width,
        colour,
        unicode,
        verbose,
    } = *look;
    render(
        report,
        format,
        &Options {
            exit: &exit,
            width,
            colour,
            unicode,
            verbose,
        },
    )
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("data/reports");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn text_at_80_columns() {
    for (name, report) in samples() {
        snapshot(&format!("{name}-80"), &rendered(&report, Format::Text, &PLAIN));
    }
}

#[test]
fn text_at_140_columns() {
    for (name, report) in [
        ("broken-firewall", samples::broken_firewall()),
        ("doubtful", samples::doubtful()),
    ] {
        snapshot(
            &format!("{name}-140"),
            &rendered(&report, Format::Text, &Look { width: 140, ..PLAIN }),
        );
    }
}

#[test]
fn verbose_text_shows_every_endpoint() {
    let report = samples::broken_firewall();
    for width in [80, 140] {
        let text = rendered(
            &report,
            Format::Text,
            &Look {
                width,
                verbose: true,
                ..PLAIN
            },
        );
        snapshot(&format!("broken-firewall-verbose-{width}"), &text);
    }
}

#[test]
fn colour_repeats_what_words_say() {
    let report = samples::broken_firewall();
    let coloured = rendered(&report, Format::Text, &Look { colour: true, ..PLAIN });
    snapshot("broken-firewall-colour", &coloured.replace('\u{1b}', "^["));
    assert_eq!(
        anstream::adapter::strip_str(&coloured).to_string(),
        rendered(&report, Format::Text, &PLAIN)
    );
}

#[test]
fn without_unicode_our_own_text_is_ascii() {
    for (name, report) in samples() {
        for verbose in [false, true] {
            let text = rendered(
                &report,
                Format::Text,
                &Look {
                    unicode: false,
                    verbose,
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
fn no_line_leaves_the_page() {
    let mut all = samples();
    all.push(("hostile", samples::hostile()));
    for (name, report) in all {
        for width in [0, 40, 60, 80, 100, 140, 200] {
            for verbose in [false, true] {
                for unicode in [false, true] {
                    let text = rendered(
                        &report,
                        Format::Text,
                        &Look {
                            width,
                            verbose,
                            unicode,
                            colour: false,
                        },
                    );
                    for line in text.lines() {
                        assert!(line.width() <= width.max(40), "{name} at {width}: {line}");
                        assert_eq!(line.trim_end(), line, "{name} at {width} has trailing spaces");
                    }
                    assert!(!text.contains("\n\n\n"), "{name} at {width} has a hole:\n{text}");
                }
            }
        }
    }
}

#[test]
fn findings_take_at_most_eight_lines() {
    for report in [samples::broken_firewall(), samples::all_silent(), samples::hostile()] {
        for width in [60, 80, 140] {
            let text = rendered(&report, Format::Text, &Look { width, ..PLAIN });
            let findings = text
                .split("\n\n")
                .filter(|block| block.starts_with("  1  ") || block.starts_with("  2  "));
            for finding in findings {
                assert!(finding.lines().count() <= 8, "{finding}");
            }
        }
    }
}

#[test]
fn the_last_line_is_the_exit_status() {
    for (name, report) in samples() {
        let text = rendered(&report, Format::Text, &PLAIN);
        let last = text.lines().next_back().unwrap_or_default();
        let exit = judge(&report, Policy::default(), None);
        let whole = exit.to_string();
        let shown = last
            .strip_suffix('…')
            .map_or(whole == last, |cut| whole.starts_with(cut) && whole.width() > 80);
        assert!(shown, "{name}: {last}");
    }
}

#[test]
fn nothing_hostile_reaches_a_terminal() {
    let report = samples::hostile();
    for colour in [false, true] {
        for verbose in [false, true] {
            let text = rendered(
                &report,
                Format::Text,
                &Look {
                    width: 100,
                    colour,
                    verbose,
                    unicode: true,
                },
            );
            let stripped = anstream::adapter::strip_str(&text).to_string();
            let harmful: String = stripped.chars().filter(|c| c.is_control() && *c != '\n').collect();
            assert!(harmful.is_empty(), "{harmful:?}");
            assert!(!text.contains(['\u{202e}', '\u{2028}', '\u{9b}', '\u{7}']));
            // Every escape is one of the palette's.
            assert!(
                text.match_indices('\u{1b}')
                    .all(|(at, _)| text[at + 1..].starts_with('['))
            );
            assert!(!text.contains("\u{1b}[2J") && !text.contains("\u{1b}]"));
        }
    }
}

#[test]
fn json_survives_the_round_trip() {
    let mut all = samples();
    all.push(("hostile", samples::hostile()));
    for (name, report) in all {
        let document = rendered(&report, Format::Json, &PLAIN);
        assert!(document.ends_with("}\n"), "{name}");
        let read: Report = serde_json::from_str(&document).unwrap();
        assert_eq!(rendered(&read, Format::Json, &PLAIN), document, "{name}");
    }
}

#[test]
fn json_speaks_the_documented_words() {
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
