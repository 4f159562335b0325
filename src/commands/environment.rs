//! Flags from the environment: `APIM_PROBE_REGION` stands for `--region`, and what is typed wins.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
};

use clap::{Arg, ArgAction, Command};

use crate::text::{escape, nearest};

/// What every variable begins with.
const PREFIX: &str = "APIM_PROBE_";

/// Flags for which one variable may contain several values, separated by spaces.
const LISTS: [&str; 2] = ["set", "dns-server"];

/// The command line with the flags from the environment, and the names of the variables that set them.
///
/// # Errors
///
/// A sentence, if the variable of a flag without a value is not a boolean.
pub(super) fn with_flags(
    mut arguments: Vec<OsString>,
    program: &Command,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<(Vec<OsString>, Vec<String>), String> {
    let command = command_in(&arguments, program);
    let (mut flags, mut used) = (Vec::new(), Vec::new());
    for flag in command.iter().flat_map(|command| command.get_arguments()) {
        let Some(long) = flag.get_long() else { continue };
        let name = variable_of(long);
        let Some(value) = variable(&name).filter(|value| !value.is_empty()) else {
            continue;
        };
        if arguments[2..].iter().any(|argument| is_typed(argument, flag, long)) {
            continue;
        }
        flags.extend(given(flag, long, &value).map_err(|why| format!("{name}: {why}"))?);
        used.push(name);
    }
    arguments.splice(2.min(arguments.len())..2.min(arguments.len()), flags);
    Ok((arguments, used))
}

/// Whether the command line contains this flag of its command.
pub(super) fn has_flag(arguments: &[OsString], program: &Command, long: &str) -> bool {
    let mut flags = command_in(arguments, program)
        .into_iter()
        .flat_map(Command::get_arguments);
    let flag = flags.find(|flag| flag.get_long() == Some(long));
    flag.is_some_and(|flag| arguments[2..].iter().any(|argument| is_typed(argument, flag, long)))
}

/// The command of a command line; `None` if it has none that is known.
fn command_in<'p>(arguments: &[OsString], program: &'p Command) -> Option<&'p Command> {
    arguments.get(1).and_then(|name| program.find_subcommand(name))
}

/// A sentence for each variable that looks like a flag's and is none.
pub(super) fn misspelled(names: impl Iterator<Item = String>, program: &Command) -> Vec<String> {
    let names: Vec<String> = names.filter(|name| name.starts_with(PREFIX)).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let flags = program
        .get_subcommands()
        .flat_map(Command::get_arguments)
        .filter_map(Arg::get_long);
    let known: BTreeSet<String> = flags.map(variable_of).collect();
    let known: Vec<&str> = known.iter().filter_map(|name| name.strip_prefix(PREFIX)).collect();
    let unknown = names.iter().filter_map(|name| {
        let rest = name.strip_prefix(PREFIX)?;
        let meant = nearest(rest, &known).filter(|_| !known.contains(&rest))?;
        Some(format!(
            "the environment variable {} is ignored: did you mean {PREFIX}{meant}?",
            escape(name)
        ))
    });
    unknown.collect()
}

/// The variable of a flag.
fn variable_of(long: &str) -> String {
    format!("{PREFIX}{}", long.to_uppercase().replace('-', "_"))
}

/// Whether an argument is this flag.
fn is_typed(argument: &OsStr, flag: &Arg, long: &str) -> bool {
    let Some(text) = argument.to_str() else { return false };
    match text.strip_prefix("--") {
        Some(rest) => rest == long || rest.strip_prefix(long).is_some_and(|value| value.starts_with('=')),
        // `-qo FILE`: short flags may be combined, up to the first one that takes a value.
        None => text
            .strip_prefix('-')
            .is_some_and(|shorts| flag.get_short().is_some_and(|short| shorts.contains(short))),
    }
}

/// A value from the environment, as it would be typed.
fn given(flag: &Arg, long: &str, value: &OsStr) -> Result<Vec<OsString>, String> {
    let with = |value: &OsStr| {
        let mut typed = OsString::from(format!("--{long}="));
        typed.push(value);
        typed
    };
    let text = value.to_str().map(str::to_ascii_lowercase).unwrap_or_default();
    match (flag.get_action(), text.as_str()) {
        (ArgAction::SetTrue | ArgAction::Count, "1" | "true" | "yes" | "on") => Ok(vec![format!("--{long}").into()]),
        (ArgAction::SetTrue | ArgAction::Count, "0" | "false" | "no" | "off") => Ok(Vec::new()),
        (ArgAction::Count, "2") => Ok(vec![format!("--{long}").into(), format!("--{long}").into()]),
        (ArgAction::SetTrue | ArgAction::Count, _) => Err("expected 1 or 0, true or false".into()),
        _ if LISTS.contains(&long) => Ok(value
            .to_string_lossy()
            .split_whitespace()
            .map(|value| with(OsStr::new(value)))
            .collect()),
        _ => Ok(vec![with(value)]),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn merged_arguments(typed: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let arguments = typed.split(' ').map(OsString::from).collect();
        let variable = |name: &str| {
            let known = variables.iter().find(|(known, _)| *known == name);
            known.map(|(_, value)| OsString::from(value))
        };
        let (arguments, _) = with_flags(arguments, &Cli::command(), variable)?;
        let words: Vec<String> = arguments
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        Ok(words.join(" "))
    }

    #[test]
    fn misspelled_variable_is_named_with_the_flag_it_resembles() {
        let said = |name: &str| misspelled([name.to_owned()].into_iter(), &Cli::command()).join("");
        assert!(said("APIM_PROBE_REGIN").contains("did you mean APIM_PROBE_REGION?"));
        assert!(said("APIM_PROBE_STORAGE_ACOUNT").is_empty());
        for name in [
            "APIM_PROBE_REGION",
            "APIM_PROBE_UNTIL",
            "APIM_PROBE_DEMO_AGENT",
            "REGIN",
        ] {
            assert_eq!(said(name), "", "{name}");
        }
    }

    #[test]
    fn environment_variables_fill_missing_flags() {
        let region = ("APIM_PROBE_REGION", "westeurope");
        for (typed, variables, made_of_it) in [
            ("x run", &[region][..], "x run --region=westeurope"),
            ("x run --region uksouth", &[region], "x run --region uksouth"),
            ("x run --region=uksouth", &[region], "x run --region=uksouth"),
            ("x list", &[region], "x list --region=westeurope"),
            ("x check f", &[region], "x check f"),
            ("x run", &[("APIM_PROBE_QUIET", "true")], "x run --quiet"),
            ("x run -q", &[("APIM_PROBE_QUIET", "1")], "x run -q"),
            ("x run", &[("APIM_PROBE_QUIET", "0")], "x run"),
            ("x run", &[("APIM_PROBE_VERBOSE", "2")], "x run --verbose --verbose"),
            ("x run", &[("APIM_PROBE_SET", "a=1 b=2")], "x run --set=a=1 --set=b=2"),
            (
                "x run",
                &[("APIM_PROBE_REGION", ""), ("APIM_PROBE_OTHER", "1")],
                "x run",
            ),
            ("x", &[region], "x"),
        ] {
            assert_eq!(merged_arguments(typed, variables).as_deref(), Ok(made_of_it), "{typed}");
        }
        let error = merged_arguments("x run", &[("APIM_PROBE_QUIET", "perhaps")]).unwrap_err();
        assert!(error.contains("APIM_PROBE_QUIET"), "{error}");
    }
}
