//! `apim-probe completions SHELL`.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory};
use clap_complete::Shell;

use super::{CommandFailure, print};
use crate::cli::{Cli, CompletionsArgs};

/// Prints a script that completes commands, flags and their values.
pub(super) fn completions(arguments: &CompletionsArgs) -> Result<u8, CommandFailure> {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    let script = String::from_utf8_lossy(&script);
    print(&match arguments.shell {
        Shell::Bash => for_bash(&script),
        Shell::Zsh => for_zsh(&script),
        Shell::Fish => for_fish(&script, &Cli::command()),
        _ => script.into_owned(),
    })?;
    Ok(0)
}

/// What bash calls instead of the function in clap's script: that one does not know flags without a command, `--flag=VALUE`,
/// which bash passes as three words, and lists.
const FOR_BASH: &str = r#"
_apim_probe() {
    local word="$2" before="$3" list="" bare=""
    if [[ "${COMP_WORDS[1]}" == -* ]]; then
        bare=yes
        local COMP_WORDS=("${COMP_WORDS[0]}" run "${COMP_WORDS[@]:1}") COMP_CWORD=$((COMP_CWORD + 1))
    fi
    if [[ "${COMP_WORDS[COMP_CWORD]}" == "=" ]]; then
        word=""
        before="${COMP_WORDS[COMP_CWORD - 1]}"
    elif [[ "$before" == "=" ]]; then
        before="${COMP_WORDS[COMP_CWORD - 2]}"
    fi
    if [[ "$before" == --only || "$before" == --skip ]]; then
        list="${word%"${word##*,}"}"
        word="${word##*,}"
    fi
    _apim__probe "$1" "$word" "$before"
    if [[ -n "$bare" && "$word" == -* ]]; then
        COMPREPLY+=($(compgen -W "-V --version" -- "$word"))
    fi
    COMPREPLY=("${COMPREPLY[@]/#/$list}")
    if [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == *= ]]; then
        compopt -o nospace 2>/dev/null
    fi
}

"#;

/// The first lines of the function for zsh: flags without a command are those of `run`.
const FOR_ZSH: &str = r#"
    if [[ ${words[2]} == -* && CURRENT -gt 1 ]]; then
        words=("${words[1]}" run "${(@)words[2,-1]}")
        (( CURRENT += 1 ))
    fi
"#;

/// Where clap's script for zsh lists the values of a flag, and what completes them instead.
const ZSH_VALUES: [(&str, &str); 2] = [
    (":ID,…:(", ":ID,…:_values -s , id "),
    ("[,VALUE…]:(", "[,VALUE…]: compadd -S \"\" - "),
];

/// Functions for fish: whether no command was typed, and the list before the id that is being typed.
const FOR_FISH: &str = r"
function __fish_apim_probe_bare
    set -l typed (commandline -opc)
    test (count $typed) -eq 1; or string match -q -- '-*' $typed[2]
end

function __fish_apim_probe_list
    commandline -ct | string replace -r '^--[a-z]+=' '' | string replace -r '[^,]*$' ''
end

";

/// The script for bash with [`FOR_BASH`].
fn for_bash(script: &str) -> String {
    let script = with_canonical_names(script);
    let (functions, registered) = script.rsplit_once("\nif [[").unwrap_or((&script, ""));
    let registered = registered.replace("complete -F _apim__probe ", "complete -F _apim_probe ");
    format!("{functions}{FOR_BASH}if [[{registered}")
}

/// The script for zsh with [`FOR_ZSH`], lists of ids, and no space after `name=`.
fn for_zsh(script: &str) -> String {
    let head = "\n_apim-probe() {\n";
    let script = script.replacen(head, &format!("{}{}", head.trim_end(), FOR_ZSH), 1);
    let lines = script.lines().map(|line| {
        let completed = ZSH_VALUES.iter().find_map(|(list, completion)| {
            let (before, rest) = line.split_once(list)?;
            let (values, after) = rest.rsplit_once(")'")?;
            Some(format!("{before}{completion}{values}'{after}"))
        });
        completed.unwrap_or_else(|| line.to_owned())
    });
    lines.fold(String::new(), |script, line| script + &line + "\n")
}

/// The script for fish with flags without a command, lists of ids, and the values of arguments without a flag: the words
/// of `explain`, the documents of `schema`.
fn for_fish(script: &str, program: &Command) -> String {
    let of_run = "-n \"__fish_apim_probe_using_subcommand run\"";
    let mut bare = String::new();
    for entry in script.split("\ncomplete ").filter(|entry| entry.contains(of_run)) {
        let _ = writeln!(bare, "complete {}", entry.replace(of_run, "-n __fish_apim_probe_bare"));
    }
    let script = with_positionals(script, program) + FOR_FISH + &bare;
    let run = program.find_subcommand("run");
    let only = run.and_then(|run| run.get_arguments().find(|flag| flag.get_long() == Some("only")));
    let ids = only.map(values).unwrap_or_default();
    let listed = ids.iter().map(|id| format!("{id}\\t''")).collect::<Vec<_>>().join("\n");
    let completed = format!("\"(__fish_apim_probe_list){{{}}}\"", ids.join(","));
    script.replace(&format!("\"{listed}\""), &completed)
}

/// The values that a shell offers for an argument.
fn values(argument: &Arg) -> Vec<String> {
    let values = argument.get_value_parser().possible_values().into_iter().flatten();
    values
        .filter(|value| !value.is_hide_set())
        .map(|value| value.get_name().to_owned())
        .collect()
}

fn with_positionals(script: &str, program: &Command) -> String {
    let mut script = script.to_owned();
    for command in program.get_subcommands() {
        for argument in command.get_positionals() {
            let values = values(argument);
            if !values.is_empty() {
                // Writing to a String cannot fail.
                let _ = writeln!(
                    script,
                    "complete -c apim-probe -n \"__fish_apim_probe_using_subcommand {}\" -f -a \"{}\"",
                    command.get_name(),
                    values.join(" ")
                );
            }
        }
    }
    script
}

/// In its script for bash, `clap_complete` 4.6 spells a name with a hyphen in two ways, so nothing is completed after a
/// command (<https://github.com/clap-rs/clap/issues/6421>).
fn with_canonical_names(script: &str) -> String {
    script.replace("apim__subcmd__probe", "apim__probe")
}
