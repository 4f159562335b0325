//! The fault matrix: the real agent in the lab, once for each file in `tests/scenarios`.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use apim_probe_lab::{self as lab, Scenario};
use libtest_mimic::{Arguments, Trial};

const AGENT: &str = env!("CARGO_BIN_EXE_apim-probe");
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");

fn main() -> ExitCode {
    if let Some(file) = lab::job() {
        return lab::exit_code(Scenario::load(Path::new(&file)).and_then(|scenario| scenario.play(Path::new(AGENT))));
    }
    let mut arguments = Arguments::from_args();
    // Scenarios wait more than they compute.
    arguments.test_threads.get_or_insert(16);
    let forbidden = lab::forbidden();
    let mut files = Vec::new();
    find(Path::new(FOLDER), &mut files);
    files.sort();
    let trials = files.iter().map(|file| trial(file, forbidden.clone()));
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// One scenario as a test.
fn trial(file: &Path, forbidden: Option<lab::Forbidden>) -> Trial {
    let name = file
        .strip_prefix(FOLDER)
        .unwrap_or(file)
        .with_extension("")
        .display()
        .to_string();
    let scenario = Scenario::load(file);
    let needs_nft = scenario.as_ref().is_ok_and(Scenario::needs_nft);
    let obstacle = forbidden.or_else(|| lab::lacks_nft().filter(|_| needs_nft));
    match scenario {
        Ok(_) => lab::trial(name, file.display().to_string(), obstacle),
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
