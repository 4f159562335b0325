//! The schemas: they match what is checked in, and every output matches them.

use std::{env, fs};

use anyhow::{Context, Result, anyhow, ensure};
use apim_probe::{
    catalog,
    diff::Diff,
    drift::{Drift, PageReading},
    model::{self, Tier},
    probe::ProbeDepth,
    schema::Document,
    watch::Watch,
};
use apim_probe_checks::{name, validate};
use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::samples;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// `INSTA_UPDATE=always` rewrites them, as it does the snapshots.
#[test]
fn checked_in_schemas_are_up_to_date() -> Result<()> {
    let is_rewritten = env::var("INSTA_UPDATE").is_ok_and(|how| how == "always");
    for document in Document::value_variants() {
        let (path, made) = (format!("{ROOT}/schemas/{}.json", name(*document)), document.render());
        if is_rewritten && made != document.text() {
            fs::write(&path, made).context(path)?;
            continue;
        }
        ensure!(
            made == document.text(),
            "{path} is out of step; make it anew: INSTA_UPDATE=always cargo test --test documents schema"
        );
    }
    Ok(())
}

#[test]
fn every_sample_report_is_valid() -> Result<()> {
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
        validate(Document::Report, &serde_json::from_str(&model::json::pretty(imagined))?)?;
        let diff = Diff::between(&reports[0], imagined)?;
        validate(Document::Diff, &serde_json::from_str(&diff.to_json())?)?;
    }
    Ok(())
}

#[test]
fn every_change_document_is_valid() -> Result<()> {
    let at = Timestamp::from_second(1_795_000_000)?;
    let mut watch = Watch::begin(&samples::all_healthy(), at, None);
    let changes = watch.observe(&samples::broken_firewall(), ProbeDepth::Light, at);
    ensure!(!changes.is_empty(), "nothing changed");
    for change in changes {
        validate(Document::Change, &serde_json::from_str(&change.to_jsonl())?)?;
    }
    Ok(())
}

#[test]
fn every_drift_document_is_valid() -> Result<()> {
    let page = fs::read_to_string(format!("{ROOT}/tests/data/drift/page.md"))?;
    let moved = page
        .replace("| Sql | 1433 |", "| Sql | 1434 |")
        .replace("`issuer.pki.azure.com`", "`pki.example.com`")
        .replace("| Azure Government", "| Azure Bleu");
    for page in [page, moved] {
        let reading = PageReading::of(&page, "page.md").map_err(|error| anyhow!(error))?;
        let drift = Drift::between(&catalog::Catalog::builtin(), reading);
        validate(Document::Drift, &serde_json::from_str(&drift.to_json())?)?;
    }
    Ok(())
}

#[test]
fn builtin_catalogs_are_valid_and_bad_ones_are_not() -> Result<()> {
    let parse = |text: &str| serde_yaml::from_str::<Value>(text).map_err(|error| anyhow!("{error}"));
    for tier in Tier::ALL {
        validate(Document::Probes, &parse(catalog::builtin(tier).1)?)?;
    }
    for name in ["unknown-keys", "wrong-kinds", "bad-words", "ports-out-of-range"] {
        let text = fs::read_to_string(format!("{ROOT}/tests/data/bad-catalogs/{name}.yaml"))?;
        ensure!(validate(Document::Probes, &parse(&text)?).is_err(), "{name} is valid");
    }
    Ok(())
}

#[test]
fn missing_or_changed_key_makes_a_report_invalid() -> Result<()> {
    let whole: Value = serde_json::from_str(&model::json::pretty(&samples::broken_firewall()))?;
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
