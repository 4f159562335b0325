//! Every file option of every command reports an unusable file in a sentence and exits with 2. The options are taken
//! from the program's own list, so a new one is tested automatically.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions, Permissions},
    io::Write as _,
    os::unix::{fs::PermissionsExt as _, net::UnixListener},
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use anyhow::{Context, Result, ensure};
use apim_probe::cli::Cli;
use clap::{Arg, CommandFactory, ValueHint, builder::ValueParser};

use super::{AGENT, AgentTest, ResourceUsage, TestVm, catalog_of};

/// Memory limit of a command, in megabytes: the largest file that is read completely has half of it, and this program,
/// which is not optimised here, uses most of the rest.
const MAX_MEMORY: f64 = 75.0;
/// Maximum length of a sentence, in bytes; a catalog's errors are a page.
const MAX_SENTENCE: usize = 700;

/// Options for files that are written, which are tested in `outputs` and `serve`.
const WRITTEN: [&str; 2] = ["output", "log"];

pub(super) const TESTS: &[AgentTest] = &[
    AgentTest {
        name: "files/every-option-refuses-an-endless-file",
        catalog: Some(a_catalog),
        network: || "{}".to_owned(),
        check: |vm| {
            let folder = vm.lab.folder();
            let sparse = hostile(&folder, "sparse");
            File::create(&sparse)?.set_len(1 << 30)?;
            for_each(&options(), |option| {
                for file in [Path::new("/dev/zero"), &sparse, &endless(&folder)?] {
                    option.is_refused(vm, file, Some("is larger than"))?;
                }
                Ok(())
            })
        },
    },
    AgentTest {
        name: "files/every-option-refuses-an-unreadable-file",
        catalog: Some(a_catalog),
        network: || "{}".to_owned(),
        check: |vm| {
            let files = unreadable(&vm.lab.folder())?;
            for_each(&options(), |option| {
                files
                    .iter()
                    .try_for_each(|(path, words)| option.is_refused(vm, path, Some(words)))
            })
        },
    },
    AgentTest {
        name: "files/every-option-refuses-a-file-of-another-kind",
        catalog: Some(a_catalog),
        network: || "{}".to_owned(),
        check: |vm| {
            let files = nonsense(&vm.lab.folder())?;
            // All commands read a file in the same way, so each option is tested once.
            let mut seen = BTreeSet::new();
            let is_new = |option: &FileOption| seen.insert(option.id.clone());
            let options: Vec<FileOption> = options().into_iter().filter(is_new).collect();
            ensure!(options.len() > 15, "{} kinds of files", options.len());
            for_each(&options, |option| {
                files.iter().try_for_each(|path| option.is_refused(vm, path, None))
            })
        },
    },
];

fn a_catalog() -> String {
    catalog_of(["host: a.example, port: 443, protocol: https".to_owned()])
}

/// An argument of a command that names a file to read.
struct FileOption {
    command: String,
    id: String,
    /// The flag, such as `--instance`; `None` for a positional argument.
    flag: Option<String>,
    /// The command's positional arguments, in order.
    positionals: Vec<String>,
}

/// Every argument of every command that names a file to read.
fn options() -> Vec<FileOption> {
    let is_file = |argument: &&Arg| {
        let is_path = argument.get_value_parser().type_id() == ValueParser::path_buf().type_id();
        is_path || argument.get_value_hint() == ValueHint::FilePath
    };
    let mut options = Vec::new();
    for command in Cli::command().get_subcommands() {
        let positionals: Vec<String> = command.get_positionals().map(|it| it.get_id().to_string()).collect();
        for argument in command.get_arguments().filter(is_file) {
            let id = argument.get_id().to_string();
            if !WRITTEN.contains(&id.as_str()) {
                options.push(FileOption {
                    command: command.get_name().into(),
                    flag: argument.get_long().map(|long| format!("--{long}")),
                    positionals: positionals.clone(),
                    id,
                });
            }
        }
    }
    options
}

impl FileOption {
    /// A command line with the file, in which everything else is valid.
    fn command_line(&self, vm: &TestVm, file: &Path) -> Result<Command> {
        let mut agent = Command::new(AGENT);
        agent.arg(&self.command);
        let flags: &[&str] = match self.command.as_str() {
            "rules" => &["--kind", "nsg"],
            "serve" => &["--listen", "127.0.0.1:0"],
            _ => &[],
        };
        agent.args(flags);
        if matches!(
            self.command.as_str(),
            "run" | "watch" | "serve" | "path" | "list" | "rules"
        ) {
            // --management-ca-file needs --service, which is not queried before the file is read.
            if self.id == "management_ca_file" {
                let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/a";
                agent.args(["--service", id]);
            } else {
                agent.arg("--no-metadata");
            }
            agent.arg("--no-builtin");
            if self.id != "probes" {
                agent.arg("--probes").arg(vm.catalog.as_ref().context("no catalog")?);
            }
        }
        if let Some(flag) = &self.flag {
            agent.arg(flag).arg(file);
        }
        for positional in &self.positionals {
            match positional.as_str() {
                id if id == self.id => drop(agent.arg(file)),
                "target" => drop(agent.arg("a.example")),
                "word" => drop(agent.arg("sql")),
                // The second report; the first one is read first.
                _ => drop(agent.arg(file)),
            }
        }
        Ok(agent)
    }

    /// Checks that the command refuses a file in a sentence with its escaped name, and with little memory.
    fn is_refused(&self, vm: &TestVm, file: &Path, words: Option<&str>) -> Result<()> {
        let agent = self.command_line(vm, file)?;
        let cost = ResourceUsage::of(vm.lab.agent(std::env::current_exe()?)?, &agent)?;
        let said = cost.said.trim_end();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let name = name.split(char::is_control).next().unwrap_or_default();
        let is_page = said.contains("--> ");
        let is_sentence = !said.contains(char::is_control) && said.len() <= MAX_SENTENCE + file.as_os_str().len();
        let harmless = said.chars().all(|c| c == '\n' || !c.is_control());
        ensure!(
            cost.status == Some(2)
                && said.contains(name)
                && harmless
                && (is_sentence || is_page)
                && words.is_none_or(|words| said.contains(words))
                && cost.peak_mb <= MAX_MEMORY,
            "{agent:?} ended with {:?}, {:.1} MB, {:.0} ms: {}",
            cost.status,
            cost.peak_mb,
            cost.wall_ms,
            said.chars().take(2_000).collect::<String>()
        );
        Ok(())
    }
}

/// Tests every option; reports all failures.
fn for_each(options: &[FileOption], check: impl Fn(&FileOption) -> Result<()>) -> Result<()> {
    let failed: Vec<String> = options
        .iter()
        .filter_map(|option| check(option).err())
        .map(|error| format!("{error:#}"))
        .collect();
    ensure!(
        failed.is_empty(),
        "{} of {}:\n{}",
        failed.len(),
        options.len(),
        failed.join("\n")
    );
    Ok(())
}

/// A path with terminal control characters in its name.
fn hostile(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}\u{1b}[31m\n"))
}

/// A pipe with a writer that never stops.
fn endless(folder: &Path) -> Result<PathBuf> {
    let pipe = folder.join("endless");
    let _ = fs::remove_file(&pipe);
    mkfifo(&pipe)?;
    let theirs = pipe.clone();
    thread::spawn(move || -> std::io::Result<()> {
        let mut pipe = OpenOptions::new().write(true).open(theirs)?;
        loop {
            pipe.write_all(&b"no end ".repeat(1_000))?;
        }
    });
    Ok(pipe)
}

fn mkfifo(path: &Path) -> Result<()> {
    ensure!(Command::new("mkfifo").arg(path).status()?.success(), "mkfifo");
    Ok(())
}

/// Files that cannot be read, with the message for each.
fn unreadable(folder: &Path) -> Result<Vec<(PathBuf, &'static str)>> {
    let (none, inside, locked) = (
        hostile(folder, "none"),
        hostile(folder, "inside"),
        hostile(folder, "locked"),
    );
    fs::create_dir(&inside)?;
    fs::write(&locked, "{}")?;
    fs::set_permissions(&locked, Permissions::from_mode(0o000))?;
    let (lonely, socket, circle) = (folder.join("lonely"), folder.join("socket"), folder.join("circle"));
    mkfifo(&lonely)?;
    drop(UnixListener::bind(&socket)?);
    std::os::unix::fs::symlink(&circle, &circle)?;
    Ok(vec![
        (none, "cannot read"),
        (inside, "cannot read"),
        (locked, "cannot read"),
        (lonely, "it is a pipe without a writer"),
        (socket, "cannot read"),
        (circle, "cannot read"),
    ])
}

/// Files that are not a document of any kind.
fn nonsense(folder: &Path) -> Result<Vec<PathBuf>> {
    let wide = |text: &str| -> Vec<u8> {
        format!("\u{feff}{text}")
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect()
    };
    let nine_of = |(this, before): (char, char)| {
        let nine = vec![format!("*{before}"); 9].join(", ");
        format!("{this}: &{this} [{nine}]\n")
    };
    let bomb: String = std::iter::once("a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned())
        .chain(('b'..='n').zip('a'..).map(nine_of))
        .collect();
    let nested: String = (0..1_000)
        .flat_map(|depth| [" ".repeat(depth), "a:\n".into()])
        .collect();
    let files: [(&str, Vec<u8>); 15] = [
        ("binary", b"\x7fELF\x02\x01\xff\xfe\x80\x81".to_vec()),
        ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x03\x00".to_vec()),
        ("half a character", b"{\"name\": \"\xc3\"}".to_vec()),
        ("lone surrogate", b"\xff\xfe{\x00\x00\xd8".to_vec()),
        ("wide nonsense", wide("what is this?")),
        ("wide json", wide("{ \"what\": \"is this?\" }")),
        ("nul", vec![0; 4_096]),
        ("line", b"x".repeat(1 << 20)),
        (
            "line of json",
            [b"{\"a\":\"".as_slice(), &b"x".repeat(1 << 20), b"\"}"].concat(),
        ),
        ("deep list", [b"[".repeat(100_000), b"]".repeat(100_000)].concat()),
        (
            "deep object",
            [b"{\"value\":".repeat(100_000), b"0".to_vec(), b"}".repeat(100_000)].concat(),
        ),
        ("open list", b"[".repeat(100_000)),
        ("deep yaml", nested.into_bytes()),
        ("bomb of aliases", bomb.into_bytes()),
        ("markup", b"<html><body>sign in</body></html>".to_vec()),
    ];
    files
        .into_iter()
        .map(|(name, bytes)| {
            let path = folder.join(name);
            fs::write(&path, bytes)?;
            Ok(path)
        })
        .collect()
}
