//! Values that a shell can complete although other values are accepted too.

use std::ffi::OsStr;

use clap::{
    Arg, Command, Error,
    builder::{PossibleValue, TypedValueParser},
};

use crate::{
    azure::{Cloud, region},
    catalog::{self, Catalog},
    explain,
    model::Vnet,
};

/// A parser for any value, with the words that a shell completes.
#[derive(Clone)]
pub(super) struct Suggesting<P> {
    parser: P,
    words: fn() -> Vec<String>,
}

/// Accepts what `parser` accepts, and lets a shell complete `words`.
pub(super) fn suggesting<P>(parser: P, words: fn() -> Vec<String>) -> Suggesting<P> {
    Suggesting { parser, words }
}

impl<P: TypedValueParser> TypedValueParser for Suggesting<P> {
    type Value = P::Value;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<Self::Value, Error> {
        self.parser.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.words)().into_iter().map(PossibleValue::new)))
    }
}

/// The regions.
pub(super) fn regions() -> Vec<String> {
    region::known().iter().map(ToString::to_string).collect()
}

/// The clouds that the built-in catalog has.
pub(super) fn clouds() -> Vec<String> {
    Cloud::ALL.iter().map(ToString::to_string).collect()
}

/// The ways in which an instance is in a network.
pub(super) fn vnets() -> Vec<String> {
    Vnet::ALL.iter().map(|kind| kind.as_str().to_owned()).collect()
}

/// The ids of dependencies.
pub(super) fn ids() -> Vec<String> {
    let dependencies = Catalog::builtin().dependencies.into_iter();
    dependencies.map(|dependency| dependency.id).collect()
}

/// The names that `--set` fills, ready for a value.
pub(super) fn settings() -> Vec<String> {
    catalog::SETTINGS
        .iter()
        .map(|setting| format!("{}=", setting.name))
        .collect()
}

/// The commands.
pub(super) fn commands() -> Vec<String> {
    COMMANDS.map(str::to_owned).into()
}

/// Every command, as `man` takes them.
const COMMANDS: [&str; 14] = [
    "run",
    "list",
    "check",
    "diff",
    "compare",
    "drift",
    "rules",
    "explain",
    "watch",
    "serve",
    "path",
    "schema",
    "completions",
    "man",
];

/// The words that `explain` knows.
pub(super) fn words() -> Vec<String> {
    explain::words(&Catalog::builtin()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::COMMANDS;
    use crate::cli::Cli;

    #[test]
    fn command_list_for_suggestions_is_complete() {
        let program = Cli::command();
        let there: BTreeSet<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!(BTreeSet::from(COMMANDS), there);
    }
}
