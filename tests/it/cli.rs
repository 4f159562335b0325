//! The command line's help and messages.

use assert_cmd::Command;

fn stdout_of(arguments: &[&str]) -> String {
    let output = Command::cargo_bin("apim-probe")
        .unwrap()
        .args(arguments)
        .env("COLUMNS", "100")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn help_matches_the_snapshots() {
    insta::with_settings!({ snapshot_path => "../data/cli", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("help", stdout_of(&["--help"]));
        let commands = [
            "run", "list", "check", "compare", "drift", "watch", "serve", "path", "schema", "completions",
        ];
        for command in commands {
            insta::assert_snapshot!(format!("help-{command}"), stdout_of(&[command, "--help"]));
        }
    });
}

/// A table below a heading begins on a line of its own, wherever the source breaks its string.
#[test]
fn help_tables_start_on_the_line_after_their_heading() {
    let commands = ["run", "watch", "serve", "path"];
    for command in commands {
        let help = stdout_of(&[command, "--help"]);
        let headings = help.lines().filter(|line| line.starts_with(char::is_alphabetic));
        let joined: Vec<&str> = headings.filter(|line| line.contains(":  ")).collect();
        assert!(joined.is_empty(), "{command}: {joined:?}");
        assert!(help.contains("\n  0    "), "{command}");
    }
}

#[test]
fn man_page_matches_the_snapshot() {
    let page = stdout_of(&["man"]).replace(env!("CARGO_PKG_VERSION"), "VERSION");
    insta::with_settings!({ snapshot_path => "../data/cli", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("man", page);
    });
}

#[test]
fn completion_scripts_contain_commands_and_flags() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = stdout_of(&["completions", shell]);
        for word in ["watch", "until", "interval", "completions"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
    }
}

#[test]
fn bash_completes_the_values_of_a_flag() {
    let script = stdout_of(&["completions", "bash"]);
    let asked = format!(
        "{script}\nCOMP_WORDS=(apim-probe watch --until '') COMP_CWORD=3\n_apim__probe apim-probe '' --until\necho \"${{COMPREPLY[@]}}\""
    );
    let output = Command::new("bash").args(["-uc", &asked]).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "green change",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// What a shell offers for a command line whose last word is being typed, as its words and as the shell splits them.
fn bash_offers(words: &[&str]) -> String {
    let script = stdout_of(&["completions", "bash"]);
    let (word, before) = (words[words.len() - 1], words[words.len() - 2]);
    let asked = format!(
        "{script}\nCOMP_WORDS=({}) COMP_CWORD={}\n_apim_probe apim-probe '{word}' '{before}'\necho \"${{COMPREPLY[@]}}\"",
        format_args!("'{}'", words.join("' '")),
        words.len() - 1
    );
    let output = Command::new("bash").args(["-c", &asked]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn bash_completes_lists_and_flags_without_command() {
    for (words, offered) in [
        (&["apim-probe", "run", "--only", "sql,key"][..], "sql,key-vault"),
        (&["apim-probe", "run", "--only", "=", "key"], "key-vault"),
        (&["apim-probe", "watch", "--until", "="], "green change"),
        (&["apim-probe", "--regio"], "--region"),
        (&["apim-probe", "--region", "westeu"], "westeurope"),
        (&["apim-probe", "--vers"], "--version"),
        (&["apim-probe", "run", "--vnet", "ex"], "external"),
        (&["apim-probe", "run", "--cloud", "usg"], "usgov"),
        (&["apim-probe", "expl"], "explain"),
    ] {
        assert_eq!(bash_offers(words), offered, "{words:?}");
    }
}

#[test]
fn zsh_and_fish_complete_lists_and_flags_without_command() {
    let zsh = stdout_of(&["completions", "zsh"]);
    assert!(zsh.contains(":ID,…:_values -s , id dns storage "), "{zsh}");
    assert!(zsh.contains("words=(\"${words[1]}\" run "), "{zsh}");
    let fish = stdout_of(&["completions", "fish"]);
    assert!(fish.contains("-n __fish_apim_probe_bare -l only "), "{fish}");
    assert!(fish.contains("\"(__fish_apim_probe_list){dns,storage,"), "{fish}");
}

#[test]
fn man_page_keeps_the_lines_of_examples_and_exit_statuses() {
    for command in ["run", "watch", "serve", "path", "rules"] {
        let page = stdout_of(&["man", command]);
        assert!(
            !page.contains("EXTRA") && page.contains(".SH \"EXAMPLES\"\n.nf\n.in -5n\napim\\-probe "),
            "{page}"
        );
        assert_eq!(
            page.matches("\n.nf\n").count(),
            page.matches("\n.fi\n").count(),
            "{page}"
        );
    }
    assert!(stdout_of(&["man", "run"]).contains(".SH \"EXIT STATUS OF RUN\"\n.nf\n.in -5n\n0    every"));
}

#[test]
fn invalid_flags_are_refused_with_status_2() {
    for (arguments, message) in [
        (&["watch", "--interval", "0s"][..], "more than 0"),
        (&["watch", "--for", "9000h"], "at most 366d"),
        (&["watch", "--until", "blue"], "[possible values: green, change]"),
        (&["watch", "--format", "json"], "[possible values: text, jsonl]"),
        (&["rn"], "similar subcommand exists: 'run'"),
        (&["explain", "sql", "--cloud", "publc"], "did you mean public?"),
        (
            &["watch", "--for", "1s", "--for", "2s"],
            "cannot be used multiple times",
        ),
        (
            &["watch", "--baseline", "/nowhere/report.json"],
            "--baseline: cannot read /nowhere/report.json: No such file",
        ),
        (
            &["schema", "weather"],
            "[possible values: report, plan, diff, compare, drift, change, probes]",
        ),
    ] {
        let output = Command::cargo_bin("apim-probe")
            .unwrap()
            .args(arguments)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(message), "{arguments:?}: {stderr}");
    }
}

#[test]
fn notices_about_json_rules_go_to_stderr() {
    let folder = tempfile::tempdir().unwrap();
    let routes = folder.path().join("routes.json");
    let rules = |forced: Option<&str>| {
        let mut command = Command::cargo_bin("apim-probe").unwrap();
        command.args(["rules", "--no-metadata", "--kind", "nsg", "--as", "json"]);
        if let Some(hop) = forced {
            let route = format!(
                r#"[{{"source": "User", "state": "Active", "addressPrefix": ["0.0.0.0/0"], "nextHopType": "{hop}"}},
                    {{"source": "Default", "state": "Active", "addressPrefix": ["10.1.0.0/16"], "nextHopType": "VnetLocal"}}]"#
            );
            std::fs::write(&routes, route).unwrap();
            command.arg("--effective-routes").arg(&routes);
        }
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    };
    let (json, message) = rules(None);
    assert!(json.contains("\"Internet\""));
    assert!(
        message.contains("rules for Internet match nothing: pass --effective-routes"),
        "{message}"
    );
    let (json, message) = rules(Some("VirtualAppliance"));
    assert!(!json.contains("\"Internet\""), "{json}");
    assert!(message.contains("* is used instead"), "{message}");
}

/// Runs the program with environment variables; returns the status, stdout and stderr.
fn run_with_env(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let output = Command::cargo_bin("apim-probe")
        .unwrap()
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn typed_flags_override_environment_variables() {
    let list = ["list", "--no-metadata", "--only", "sql"];
    let region = [("APIM_PROBE_REGION", "westeurope")];
    let (_, from_environment, _) = run_with_env(&list, &region);
    assert!(from_environment.contains("westeurope"), "{from_environment}");
    let (_, typed, _) = run_with_env(&[&list[..], &["--region", "uksouth"]].concat(), &region);
    assert!(typed.contains("uksouth") && !typed.contains("westeurope"), "{typed}");
    let (status, _, message) = run_with_env(&list, &[("APIM_PROBE_VNET", "outer")]);
    assert_eq!(status, Some(2));
    assert!(message.contains("APIM_PROBE_VNET"), "{message}");
    // What only the plan can refuse names its variable as well.
    for (variable, value) in [
        ("APIM_PROBE_SKIP", "slq"),
        ("APIM_PROBE_CLOUD", "usgv"),
        ("APIM_PROBE_PROBES", "/no/such"),
    ] {
        let (status, _, message) = run_with_env(&["list", "--no-metadata"], &[(variable, value)]);
        assert_eq!(status, Some(2), "{message}");
        assert!(message.contains(variable), "{message}");
    }
    let (status, _, message) = run_with_env(&list, &[("APIM_PROBE_REGIN", "westeurope")]);
    assert_eq!(status, Some(0), "{message}");
    assert!(
        message.contains("APIM_PROBE_REGIN is ignored: did you mean APIM_PROBE_REGION?"),
        "{message}"
    );
}

#[test]
fn typo_suggests_the_intended_word() {
    for (arguments, status, meant) in [
        (&["list", "--no-metadata", "--only", "slq"][..], 2, "did you mean sql?"),
        (
            &["list", "--no-metadata", "--set", "storage_acount=a"],
            2,
            "did you mean storage_account?",
        ),
        (
            &["list", "--no-metadata", "--region", "westeurop"],
            0,
            "did you mean westeurope?",
        ),
        (&["man", "rum"], 2, "did you mean run?"),
    ] {
        let (code, _, message) = run_with_env(arguments, &[]);
        assert_eq!(code, Some(status), "{arguments:?}: {message}");
        assert!(message.contains(meant), "{arguments:?}: {message}");
    }
    let (_, _, message) = run_with_env(&["list", "--no-metadata", "--region", "westeurope"], &[]);
    assert!(!message.contains("region"), "{message}");
}

#[test]
fn every_command_has_help_with_an_example() {
    let page = stdout_of(&["man", "watch"]);
    assert!(
        page.contains("apim\\-probe\\-watch") && page.contains("interval"),
        "{page}"
    );
    assert_eq!(stdout_of(&["help", "watch"]), stdout_of(&["watch", "--help"]));
    for command in [
        "run",
        "list",
        "check",
        "diff",
        "rules",
        "explain",
        "watch",
        "schema",
        "completions",
        "man",
    ] {
        assert!(stdout_of(&[command, "-h"]).contains("Example"), "{command}");
    }
}

#[test]
fn completion_scripts_contain_ids_settings_and_regions() {
    for shell in ["bash", "fish", "zsh"] {
        let script = stdout_of(&["completions", shell]);
        for word in ["westeurope", "key-vault", "storage_account=", "tcp-timeout"] {
            // clap's script for fish does not complete words without a flag.
            let is_known = script.contains(word) || (shell == "fish" && word == "tcp-timeout");
            assert!(is_known, "{shell} does not know {word}");
        }
    }
}

#[test]
fn missing_instance_names_are_listed_first() {
    let (_, plan, _) = run_with_env(&["list", "--no-metadata", "--region", "westeurope"], &[]);
    let top: Vec<&str> = plan.lines().take(5).collect();
    assert!(top.join(" ").contains("--set storage_account=NAME"), "{plan}");
}

#[test]
fn powershell_rules_use_powershell_quotes_and_variables() {
    let rules = [
        "rules",
        "--no-metadata",
        "--kind",
        "nsg",
        "--region",
        "westeurope",
        "--only",
        "sql",
    ];
    let (_, commands, _) = run_with_env(&[&rules[..], &["--shell", "powershell"]].concat(), &[]);
    let command = commands.lines().find(|line| line.starts_with("az ")).unwrap();
    assert!(
        command.contains("--nsg-name $NSG ") && !command.contains('"'),
        "{command}"
    );
    assert!(commands.contains("\n# undo: az network nsg rule delete "), "{commands}");
}

#[test]
fn unknown_cloud_is_refused_with_status_2() {
    for arguments in [
        &["list", "--no-metadata", "--cloud", "delos"][..],
        &["rules", "--no-metadata", "--kind", "nsg", "--cloud", "delos"],
        &["explain", "--cloud", "delos", "sql"],
    ] {
        let output = Command::cargo_bin("apim-probe")
            .unwrap()
            .args(arguments)
            .output()
            .unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(
            message.contains("no cloud delos") && message.contains("--probes"),
            "{message}"
        );
    }
}

#[test]
fn fish_completes_positional_arguments() {
    let script = stdout_of(&["completions", "fish"]);
    for (command, word) in [
        ("explain", "tcp-timeout"),
        ("schema", "compare"),
        ("completions", "fish"),
    ] {
        let start = format!("complete -c apim-probe -n \"__fish_apim_probe_using_subcommand {command}\" -f -a \"");
        let words = script.lines().find_map(|line| line.strip_prefix(start.as_str()));
        assert!(words.is_some_and(|words| words.contains(word)), "{command}: {word}");
    }
}
