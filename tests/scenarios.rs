//! The fault matrix: the real agent in the lab, once for each file in `tests/scenarios`.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use apim_probe_lab::{self as lab, Scenario};
use libtest_mimic::{Arguments, Failed, Trial};

const AGENT: &str = env!("CARGO_BIN_EXE_apim-probe");
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");

fn main() -> ExitCode {
    if let Some(file) = lab::job() {
        return match Scenario::load(Path::new(&file)).and_then(|scenario| scenario.play(Path::new(AGENT))) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error:#}");
                ExitCode::FAILURE
            }
        };
    }
    let mut arguments = Arguments::from_args();
    // Scenarios wait more than they compute.
    arguments.test_threads.get_or_insert(16);
    let forbidden = lab::probe().err();
    if let Some(why) = &forbidden {
        eprintln!("{why}");
    }
    let mut files = Vec::new();
    find(Path::new(FOLDER), &mut files);
    files.sort();
    let trials = files.into_iter().map(|file| trial(file, forbidden.clone()));
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// One scenario as a test. Where the lab is forbidden it refuses to run even when asked for: outside the lab the agent
/// would reach for real hosts.
fn trial(file: PathBuf, forbidden: Option<lab::Forbidden>) -> Trial {
    let name = file
        .strip_prefix(FOLDER)
        .unwrap_or(&file)
        .with_extension("")
        .display()
        .to_string();
    let scenario = Scenario::load(&file);
    let needs_nft = scenario.as_ref().is_ok_and(Scenario::needs_nft);
    let obstacle = forbidden.or_else(|| lab::lacks_nft().filter(|_| needs_nft));
    let left_out = obstacle.as_ref().is_some_and(lab::Forbidden::may_be_left_out);
    let play = move || -> Result<(), Failed> {
        scenario.map_err(|error| error.to_string())?;
        obstacle.map_or(Ok(()), Err)?;
        lab::do_job(&file.display().to_string()).map_err(|error| format!("{error:#}").into())
    };
    Trial::test(name, play).with_ignored_flag(left_out)
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
