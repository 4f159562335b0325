//! The schemas: in step with what is checked in, and true of what the agent writes in the lab.

use std::{fs, path::Path, process::ExitCode};

use anyhow::{Context, Result, anyhow, bail, ensure};
use apim_probe::{
    catalog,
    diff::{Diff, read},
    probe::Depth,
    report,
    schema::Document,
    watch::Watch,
};
use apim_probe_lab::{self as lab, Lab, Network};
use clap::ValueEnum;
use jiff::Timestamp;
use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};

#[path = "reports/samples.rs"]
mod samples;

const AGENT: &str = env!("CARGO_BIN_EXE_apim-probe");
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn main() -> ExitCode {
    if lab::job().is_some() {
        return lab::exit_code(what_the_agent_writes());
    }
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("the checked-in schemas are in step", in_step),
        trial("every imagined report is valid", imagined_reports),
        trial("every change is valid", changes),
        trial("the built-in catalog is valid, and a bad one is not", catalogs),
        trial("a document with a key missing or changed is not valid", damaged_reports),
        lab::trial("what the agent writes is valid", "write", lab::forbidden()),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: &str, check: fn() -> Result<()>) -> Trial {
    Trial::test(name, move || check().map_err(|error| format!("{error:#}").into()))
}

/// The word on the command line.
fn name(document: Document) -> String {
    let word = document.to_possible_value().expect("no document is hidden");
    word.get_name().to_owned()
}

/// Fails with every place where a document is not what its schema says.
fn validate(document: Document, instance: &Value) -> Result<()> {
    let schema = document.schema().to_value();
    let validator = jsonschema::validator_for(&schema).context("the schema itself")?;
    let errors: Vec<String> = validator
        .iter_errors(instance)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    ensure!(errors.is_empty(), "not a {}:\n{}", name(document), errors.join("\n"));
    Ok(())
}

fn in_step() -> Result<()> {
    for document in Document::value_variants() {
        let path = Path::new(ROOT)
            .join("schemas")
            .join(format!("{}.json", name(*document)));
        let kept = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        ensure!(
            kept == document.render(),
            "out of step; make it anew: apim-probe schema {} > {}",
            name(*document),
            path.display()
        );
    }
    Ok(())
}

fn imagined_reports() -> Result<()> {
    let reports = [
        samples::all_healthy(),
        samples::broken_firewall(),
        samples::all_silent(),
        samples::nothing_tested(),
        samples::names_missing(),
        samples::interrupted(),
        samples::doubtful(),
        samples::must_be_blocked(),
        samples::documented_only(),
        samples::hostile(),
    ];
    for imagined in &reports {
        validate(
            Document::Report,
            &serde_json::from_str(&report::json::render(imagined))?,
        )?;
        let diff = Diff::between(&reports[0], imagined)?;
        validate(Document::Diff, &serde_json::from_str(&diff.to_json())?)?;
    }
    Ok(())
}

fn changes() -> Result<()> {
    let at = Timestamp::from_second(1_795_000_000)?;
    let mut watch = Watch::begin(&samples::all_healthy(), at, None);
    let changes = watch.observe(&samples::broken_firewall(), Depth::Light, at);
    ensure!(!changes.is_empty(), "nothing changed");
    for change in changes {
        validate(Document::Change, &serde_json::from_str(&change.to_jsonl())?)?;
    }
    Ok(())
}

fn catalogs() -> Result<()> {
    let parse = |text: &str| serde_yaml::from_str::<Value>(text).map_err(|error| anyhow!("{error}"));
    validate(Document::Probes, &parse(catalog::BUILTIN)?)?;
    for name in ["unknown-keys", "wrong-kinds", "bad-words", "ports-out-of-range"] {
        let text = fs::read_to_string(format!("{ROOT}/tests/data/bad-catalogs/{name}.yaml"))?;
        ensure!(validate(Document::Probes, &parse(&text)?).is_err(), "{name} is valid");
    }
    Ok(())
}

fn damaged_reports() -> Result<()> {
    let whole: Value = serde_json::from_str(&report::json::render(&samples::broken_firewall()))?;
    for (place, value) in [
        ("/schema", json!("apim-probe/report/v2")),
        ("/summary", json!({ "total": 1 })),
        ("/findings", Value::Null),
        ("/endpoints/0/cause", json!("bad-luck")),
        ("/endpoints/0/port", json!("443")),
    ] {
        let mut report = whole.clone();
        *report.pointer_mut(place).context(place)? = value;
        ensure!(validate(Document::Report, &report).is_err(), "{place} does not matter");
    }
    Ok(())
}

/// In a lab: a plan, a report of a broken network, and the diff to a report of the repaired one.
fn what_the_agent_writes() -> Result<()> {
    const FLAGS: [&str; 6] = ["--no-metadata", "--region", "westeurope", "--quiet", "--timeout", "1s"];
    const BROKEN: &str = "{ faults: [ { to: '*:443', does: silence }, { to: '*:5671', does: prohibited } ],
  services: { '*:80': { http: { status: 503 } } } }";
    let broken: Network = serde_yaml::from_str(BROKEN).context("the network")?;
    let lab = Lab::enter(&broken)?;
    let ask = |command: &str, flags: &[&str]| -> Result<String> {
        let output = lab.agent(AGENT)?.arg(command).args(flags).output()?;
        match output.status.code() {
            Some(0 | 1 | 3) => Ok(String::from_utf8(output.stdout)?),
            status => bail!(
                "{command} ended with {status:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            ),
        }
    };
    let plan = ask("list", &[&FLAGS[..3], &["--format", "json"]].concat())?;
    validate(Document::Plan, &serde_json::from_str(&plan)?)?;
    lab.serve(&lab::healthy(&plan, &broken)?)?;

    let roots = lab.ca_file()?.display().to_string();
    let run = [&FLAGS[..], &["--ca-file", &roots, "--format", "json"]].concat();
    let before = ask("run", &run)?;
    validate(Document::Report, &serde_json::from_str(&before)?)?;
    lab.lift_faults()?;
    let after = ask("run", &run)?;
    let diff = Diff::between(&read::report(&before)?, &read::report(&after)?)?;
    ensure!(!diff.changes.is_empty(), "no difference");
    validate(Document::Diff, &serde_json::from_str(&diff.to_json())?)
}
