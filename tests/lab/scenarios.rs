//! The fault matrix: one test for each file in `tests/scenarios`.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use apim_probe_lab::{Forbidden, Scenario};
use libtest_mimic::Trial;

use super::{AGENT, obstacle, trial};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");

pub(crate) fn trials(forbidden: Option<&Forbidden>) -> Vec<Trial> {
    let mut files = Vec::new();
    find(Path::new(FOLDER), &mut files);
    files.sort();
    files.iter().map(|file| of(file, forbidden)).collect()
}

pub(crate) fn run(name: &str) -> Result<()> {
    let file = Path::new(FOLDER).join(format!("{name}.yaml"));
    Scenario::load(&file)?.play(Path::new(AGENT))
}

/// One scenario as a test; an invalid file fails wherever it is run.
fn of(file: &Path, forbidden: Option<&Forbidden>) -> Trial {
    let path = file.strip_prefix(FOLDER).unwrap_or(file).with_extension("");
    let name = format!("scenarios/{}", path.display());
    match Scenario::load(file) {
        Ok(scenario) => trial(name, obstacle(forbidden, scenario.needs_nft()).as_ref()),
        Err(error) => Trial::test(name, move || Err(error.to_string().into())),
    }
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries.flatten().map(|entry| entry.path()) {
        if entry.is_dir() {
            find(&entry, files);
        } else if entry.extension() == Some(OsStr::new("yaml")) {
            files.push(entry);
        }
    }
}
