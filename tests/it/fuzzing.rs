//! The fuzz targets: their files, the list that the fuzzer uses, their seeds, and the time for each per night.

use std::{collections::BTreeSet, fs, path::Path};

const LIST: &str = include_str!("../../fuzz/Cargo.toml");
const NIGHTLY: &str = include_str!("../../.github/workflows/fuzz.yml");
/// The size limit of a seed, in bytes: seeds start a search, and show readers what a parser accepts.
const MAX_SEED: u64 = 16 << 10;

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
}

/// The targets, by their files.
fn targets() -> BTreeSet<String> {
    let files = fs::read_dir(folder("fuzz_targets"))
        .unwrap()
        .map(|file| file.unwrap().path());
    files
        .filter(|file| fs::read_to_string(file).unwrap().contains("fuzz_target!("))
        .map(|file| file.file_stem().unwrap().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn every_fuzz_target_is_listed_and_has_seeds() {
    let targets = targets();
    assert!(targets.len() >= 29, "{targets:?}");
    let quoted = |key: &str| -> BTreeSet<String> {
        let lines = LIST
            .lines()
            .filter_map(|line| line.strip_prefix(key)?.strip_suffix('"'));
        lines.map(str::to_owned).collect()
    };
    let mut names = quoted("name = \"");
    names.remove("apim-probe-fuzz");
    assert_eq!(names, targets);
    let paths: BTreeSet<String> = targets
        .iter()
        .map(|target| format!("fuzz_targets/{target}.rs"))
        .collect();
    assert_eq!(quoted("path = \""), paths);

    let mut seeded = BTreeSet::new();
    for seeds in fs::read_dir(folder("seeds")).unwrap().map(|entry| entry.unwrap()) {
        let sizes = fs::read_dir(seeds.path()).unwrap();
        let sizes: Vec<u64> = sizes.map(|seed| seed.unwrap().metadata().unwrap().len()).collect();
        let target = seeds.file_name().to_string_lossy().into_owned();
        let is_small = sizes.iter().all(|size| (1..=MAX_SEED).contains(size));
        assert!(!sizes.is_empty() && is_small, "{target}: {sizes:?}");
        seeded.insert(target);
    }
    assert_eq!(seeded, targets);
}

#[test]
fn nightly_timeout_covers_every_fuzz_target() {
    assert!(NIGHTLY.contains("for target in $(cargo +nightly fuzz list)"));
    assert!(NIGHTLY.contains("\"corpus/$target\" \"seeds/$target\" -- -max_total_time=300"));
    let minutes = NIGHTLY
        .split_once("timeout-minutes: ")
        .unwrap()
        .1
        .lines()
        .next()
        .unwrap();
    let minutes: usize = minutes.parse().unwrap();
    // Building takes half an hour.
    assert!(minutes >= targets().len() * 5 + 30, "{minutes} minutes");
}
