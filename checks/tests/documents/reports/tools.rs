//! The formats in the tools that read them: each test needs its tool installed, and fails without it.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use apim_probe::report::Format;

use super::{PLAIN, every_sample, rendered, samples};

/// Runs a program on text and returns its output, and whether it succeeded.
fn run_with_input(program: &str, arguments: &[&str], input: &str) -> (bool, String) {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} is not installed: {error}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&printed).into_owned())
}

#[test]
#[ignore = "needs promtool"]
fn metrics_pass_promtool() {
    let mut all = every_sample();
    all.push(("hostile", samples::hostile()));
    for (name, report) in all {
        let (accepted, printed) = run_with_input(
            "promtool",
            &["check", "metrics"],
            &rendered(&report, Format::Openmetrics, &PLAIN),
        );
        assert!(accepted, "{name}: {printed}");
    }
}

/// The page after its scripts have run, as Chromium renders it.
fn dom_in_chromium(html: &str) -> String {
    chromium(html, "--dump-dom").0
}

/// How many pages Chromium prints it on.
fn printed_pages(html: &str) -> usize {
    let (printed, folder) = chromium(html, "--no-pdf-header-footer --print-to-pdf=paper.pdf");
    let paper = std::fs::read(folder.path().join("paper.pdf")).unwrap_or_else(|error| panic!("{error}: {printed}"));
    let page = b"/Type /Page\n";
    paper.windows(page.len()).filter(|window| window == page).count()
}

/// Chromium's output for a page, and the folder in which it ran.
fn chromium(html: &str, task: &str) -> (String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    std::fs::write(&page, html).unwrap();
    let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
    let quiet = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
                 --disable-component-update --disable-sync";
    let output = Command::new("chromium")
        .current_dir(folder.path())
        .args(quiet.split(' ').chain(task.split(' ')).filter(|flag| !flag.is_empty()))
        .args([profile, format!("file://{}", page.display())])
        .output()
        .unwrap_or_else(|error| panic!("chromium is not installed: {error}"));
    let printed = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&printed).into_owned(), folder)
}

#[test]
#[ignore = "needs Chromium"]
fn typical_report_prints_on_two_pages() {
    let typical = rendered(&samples::broken_firewall(), Format::Html, &PLAIN);
    assert!(
        (1..=2).contains(&printed_pages(&typical)),
        "{} pages",
        printed_pages(&typical)
    );
    // The count works for several pages.
    let sheet = "<body><p style='break-after: page'>1</p><p style='break-after: page'>2</p><p>3</p></body>";
    assert_eq!(printed_pages(sheet), 3);
}

#[test]
#[ignore = "needs Chromium"]
fn browser_runs_only_the_pages_own_script() {
    let page = dom_in_chromium(&rendered(&samples::broken_firewall(), Format::Html, &PLAIN));
    assert!(
        page.contains("28 of 28 shown"),
        "the page's policy keeps its own script from running"
    );

    // With the hostile report, no other script runs, and no element comes from the data.
    let html = rendered(&samples::hostile(), Format::Html, &PLAIN);
    let page = dom_in_chromium(&html);
    assert!(page.contains("5 of 5 shown"));
    assert_eq!(page.matches("<script").count(), 1);
}

/// A page without its policy and with one more script.
fn with_script(html: &str, script: &str) -> String {
    let policy = html.find("<meta http-equiv").unwrap();
    let end = policy + html[policy..].find('\n').unwrap();
    let script = format!("<script>{script}</script></body>");
    format!("{}{}", &html[..policy], &html[end..]).replace("</body>", &script)
}

#[test]
#[ignore = "needs Chromium"]
fn commands_fit_their_frame_on_a_narrow_page() {
    let measured = "document.body.style.width = '390px';\
                    document.querySelectorAll('details').forEach((it) => { it.open = true; });\
                    const pieces = Array.from(document.querySelectorAll('pre span'));\
                    const over = pieces.filter((piece) => {\
                        const frame = piece.closest('pre'), room = parseFloat(getComputedStyle(frame).paddingRight);\
                        return piece.getBoundingClientRect().right > frame.getBoundingClientRect().right - room;\
                    });\
                    document.body.textContent = over.length + ' of ' + pieces.length + ' pieces protrude';";
    let html = rendered(&samples::broken_firewall(), Format::Html, &PLAIN);
    let page = dom_in_chromium(&with_script(&html, measured));
    let found = page.lines().find(|line| line.contains("protrude")).unwrap_or_default();
    assert!(found.contains(">0 of ") && !found.contains("of 0 "), "{found}");
}

#[test]
#[ignore = "needs Chromium"]
fn browser_filter_selects_matching_rows() {
    let html = rendered(&samples::broken_firewall(), Format::Html, &PLAIN);
    let typed = "requestAnimationFrame = (f) => f();\
                 const form = document.getElementById('filter'); form.elements.text.value = 'SQL tcp-timeout';\
                 form.dispatchEvent(new Event('input'));";
    let page = dom_in_chromium(&with_script(&html, typed));
    assert!(
        page.contains("1 of 28 shown"),
        "{}",
        page.lines().find(|line| line.contains("shown")).unwrap_or_default()
    );
}
