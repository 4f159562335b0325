//! README.md promises nothing that the program does not support.

use std::{fs, process::Command};

use apim_probe::cli::Cli;
use clap::{CommandFactory, Parser};

const README: &str = include_str!("../README.md");

#[test]
fn every_readme_catalog_is_accepted() {
    let catalogs = blocks("yaml");
    assert!(!catalogs.is_empty());
    let folder = tempfile::tempdir().unwrap();
    for catalog in catalogs {
        let file = folder.path().join("probes.yaml");
        fs::write(&file, &catalog).unwrap();
        let check = Command::new(env!("CARGO_BIN_EXE_apim-probe"))
            .arg("check")
            .arg(&file)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&check.stderr);
        assert!(check.status.success(), "{catalog}\n{said}");
    }
}

#[test]
fn every_readme_command_is_parsed() {
    let scripts = blocks("sh").concat().replace("\\\n", " ");
    let commands: Vec<&str> = scripts.lines().filter(|line| line.starts_with("apim-probe ")).collect();
    assert!(!commands.is_empty());
    for command in commands {
        let parsed = Cli::try_parse_from(command.split_whitespace());
        assert!(parsed.is_ok(), "{command}\n{}", parsed.unwrap_err());
    }
}

#[test]
fn every_readme_flag_exists() {
    let known: Vec<String> = Cli::command()
        .get_subcommands()
        .flat_map(clap::Command::get_arguments)
        .filter_map(|argument| Some(format!("--{}", argument.get_long()?)))
        .collect();
    // Only code that begins with the flag: other programs have flags too.
    let flags = README.split('`').skip(1).step_by(2).filter_map(|code| {
        let word = code.split(|character: char| !character.is_ascii_alphanumeric() && character != '-');
        code.starts_with("--").then(|| word.into_iter().next())?
    });
    let unknown: Vec<&str> = flags.filter(|flag| !known.iter().any(|name| name == flag)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// The fenced blocks of a language, without the fences.
fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let rest = README.split(fence.as_str()).skip(1);
    rest.filter_map(|rest| rest.split_once("```").map(|(block, _)| block.to_string()))
        .collect()
}
