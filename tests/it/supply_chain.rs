//! What runs on the machine that builds the agent, compared with the list in `docs/build-time.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

const LISTED: &str = include_str!("../../docs/build-time.md");

#[test]
fn every_build_time_crate_is_listed() {
    for platform in ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"] {
        let metadata = metadata(platform);
        let agents = dependencies(&metadata);
        for (title, kind) in [("Build scripts", "custom-build"), ("Procedural macros", "proc-macro")] {
            let found: BTreeSet<&str> = agents
                .values()
                .filter(|package| has(package, kind))
                .filter_map(|package| package["name"].as_str())
                .collect();
            assert!(found.len() > 10, "{found:?}");
            let unlisted: Vec<_> = found.difference(&listed(title)).copied().collect();
            assert!(
                unlisted.is_empty(),
                "{title} for {platform} that docs/build-time.md lacks: {unlisted:?}"
            );
        }
    }
}

#[test]
fn every_listed_build_time_crate_is_still_used() {
    let lock = include_str!("../../Cargo.lock");
    for name in ["Build scripts", "Procedural macros"].into_iter().flat_map(listed) {
        assert!(
            lock.contains(&format!("name = \"{name}\"\n")),
            "{name} is no dependency any more"
        );
    }
}

/// The names in one block of the list.
fn listed(title: &str) -> BTreeSet<&'static str> {
    let (_, section) = LISTED.split_once(&format!("## {title}\n")).expect("the section");
    let block = section.split("```").nth(1).expect("the block");
    block.split_whitespace().skip(1).collect()
}

fn metadata(platform: &str) -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--offline",
            "--filter-platform",
            platform,
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn has(package: &Value, kind: &str) -> bool {
    let targets = package["targets"].as_array().into_iter().flatten();
    targets
        .flat_map(|target| target["kind"].as_array().into_iter().flatten())
        .any(|it| it == kind)
}

/// Everything that the agent is built from and with, by its id, except for what only tests need.
fn dependencies(metadata: &Value) -> BTreeMap<&str, &Value> {
    let rows = |value: &str| metadata.pointer(value).and_then(Value::as_array).expect("a list");
    let packages: BTreeMap<&str, &Value> = rows("/packages")
        .iter()
        .filter_map(|package| Some((package["id"].as_str()?, package)))
        .collect();
    let nodes: BTreeMap<&str, &Value> = rows("/resolve/nodes")
        .iter()
        .filter_map(|node| Some((node["id"].as_str()?, node)))
        .collect();
    let mut known = BTreeMap::new();
    let mut open: Vec<&str> = packages
        .iter()
        .filter(|(_, package)| package["name"] == "apim-probe")
        .map(|(id, _)| *id)
        .collect();
    while let Some(next) = open.pop() {
        if known.insert(next, packages[next]).is_some() {
            continue;
        }
        for dependency in nodes[next]["deps"].as_array().into_iter().flatten() {
            let mut kinds = dependency["dep_kinds"].as_array().into_iter().flatten();
            if kinds.any(|kind| kind["kind"] != "dev") {
                open.extend(dependency["pkg"].as_str());
            }
        }
    }
    known
}

/// `cargo deny` is not always installed: its list of licences is checked here as well, for everything that is built,
/// including tests.
#[test]
fn every_licence_is_allowed() {
    let rules = include_str!("../../deny.toml");
    let (_, licences) = rules.split_once("[licenses]").expect("the section");
    let (licences, _) = licences.split_once("\n[").expect("its end");
    let quoted: BTreeSet<&str> = licences.split('"').skip(1).step_by(2).collect();
    let metadata = metadata("x86_64-unknown-linux-gnu");
    let used = metadata
        .pointer("/resolve/nodes")
        .and_then(Value::as_array)
        .expect("a list");
    let used: BTreeSet<&str> = used.iter().filter_map(|node| node["id"].as_str()).collect();
    let packages = metadata["packages"].as_array().expect("a list");
    let mut looked_at = 0;
    for package in packages
        .iter()
        .filter(|package| package["id"].as_str().is_some_and(|id| used.contains(id)))
    {
        // `(MIT OR Apache-2.0) AND Unicode-3.0`, `MIT/Apache-2.0`: any of the licences joined by `OR` will do.
        let words = package["license"]
            .as_str()
            .unwrap_or_default()
            .replace('/', " OR ")
            .replace(['(', ')'], "");
        let is_allowed = |one: &str| one.split(" AND ").all(|word| quoted.contains(word.trim()));
        assert!(words.split(" OR ").any(is_allowed), "{}: {words}", package["name"]);
        looked_at += 1;
    }
    assert!(looked_at > 200, "{looked_at} packages");
}
