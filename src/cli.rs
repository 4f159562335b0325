//! The command line: types and their help, no behaviour.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use clap::{
    Args, ColorChoice, Parser, Subcommand, ValueHint,
    builder::{PossibleValuesParser, TypedValueParser},
};
use ipnet::IpNet;

use crate::{
    azure::{self, Cloud},
    catalog,
    model::{FailOn, Tier, Vnet},
    report::Format,
    rules,
    schema::Document,
    text::{Shell, host, nearest},
    vantage::{management::ResourceId, resolvers::parse_server},
};

use self::suggest::suggesting;

mod help;
mod suggest;

/// Finds which dependencies of an API Management instance in a virtual network are blocked, why, and what to change.
///
/// Run it on a VM in the instance's subnet. Without a command, it probes everything once, like `run`.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = help::program())]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The help of `--set`, which lists the names.
const SET_HELP: &str = "Name of one of the instance's resources, repeatable: storage_account, sql_server, key_vault, \
    event_hub_namespace, redis_host …";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Probe everything once and report
    #[command(after_help = help::run())]
    Run(Box<RunArgs>),
    /// Show what would be probed and why, without probing anything
    #[command(after_help = "\
Examples:
  apim-probe list --region westeurope
  apim-probe list --only sql,key-vault --format json")]
    List(Box<ListArgs>),
    /// Validate a probes.yaml; errors give file, line and column
    #[command(after_help = "\
Examples:
  apim-probe check backends.yaml
  apim-probe check --no-builtin catalog.yaml")]
    Check(CheckArgs),
    /// Show what changed between two JSON reports
    #[command(after_help = "\
Example:
  apim-probe diff before.json after.json

Exit status: 0 if there are no regressions, 1 if there are, 2 if the files are not reports from the same cloud")]
    Diff(DiffArgs),
    /// Compare reports from several places, and show which component each difference points to
    #[command(after_help = "\
Examples:
  apim-probe compare hub.json spoke-a.json spoke-b.json
  apim-probe compare hub=1.json spoke=2.json --format html > compare.html

Exit status: 0 if all reports agree and nothing required is blocked, 1 otherwise, 2 if the files cannot be compared")]
    Compare(CompareArgs),
    /// Show how a newer copy of Microsoft's page differs from the catalog
    #[command(after_help = "\
Example:
  apim-probe drift virtual-network-reference.md

Exit status: 0 if there are no differences, 1 if there are (an unreadable line counts as one), 2 if the file is not such a page")]
    Drift(DriftArgs),
    /// Generate the rules that a plan needs, or that a report shows are missing
    #[command(after_help = "\
Examples:
  apim-probe rules --kind nsg --region westeurope
  apim-probe rules --kind nsg --report report.json --missing-only
  apim-probe rules --kind nsg --effective-nsg nsg.json --only sql
  apim-probe rules --kind firewall --as bicep --subnet 10.1.0.0/24
  apim-probe rules --kind nsg --shell powershell")]
    Rules(Box<RulesArgs>),
    /// Show everything known about a dependency, a cause, a kind of finding or a host
    #[command(after_help = "\
Examples:
  apim-probe explain                     list everything it can explain
  apim-probe explain sql                 a dependency
  apim-probe explain tcp-timeout         a cause
  apim-probe explain silence/tcp-1433    a finding
  apim-probe explain crl3.digicert.com   a host")]
    Explain(ExplainArgs),
    /// Probe repeatedly and print each change as it happens
    #[command(after_help = help::WATCHING)]
    Watch(Box<WatchArgs>),
    /// Probe repeatedly and serve metrics and the latest report over HTTP
    #[command(after_help = help::SERVING)]
    Serve(Box<ServeArgs>),
    /// Show which hops answer on the path to an endpoint, host or address, and where the path stops
    #[command(after_help = help::PATH)]
    Path(Box<PathArgs>),
    /// Print the JSON Schema of a document, or of probes.yaml
    #[command(after_help = "\
Example:
  apim-probe schema report > report.schema.json")]
    Schema(SchemaArgs),
    /// Print shell completions
    #[command(after_help = "\
Examples:
  apim-probe completions bash > ~/.local/share/bash-completion/completions/apim-probe
  apim-probe completions zsh > \"${fpath[1]}/_apim-probe\"
  apim-probe completions powershell >> $PROFILE")]
    Completions(CompletionsArgs),
    /// Print the man page for the program or for one command
    #[command(after_help = "\
Examples:
  apim-probe man | man -l -
  apim-probe man run > apim-probe-run.1")]
    Man(ManArgs),
}

/// `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// What to plan.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// How to probe.
    #[command(flatten)]
    pub probe: ProbeArgs,
    /// How to report.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// What to plan.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Format of the plan
    #[arg(long, value_enum, default_value = "text")]
    pub format: DocumentFormat,
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
    /// Skip control queries and connections
    #[arg(long)]
    pub no_control: bool,
}

/// The formats of documents other than reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DocumentFormat {
    /// For people at a terminal.
    Text,
    /// A single JSON document, for programs.
    Json,
}

/// `diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The earlier report, in JSON
    #[arg(value_name = "A", value_hint = ValueHint::FilePath)]
    pub before: PathBuf,
    /// The later report, in JSON
    #[arg(value_name = "B", value_hint = ValueHint::FilePath)]
    pub after: PathBuf,
    /// Format of the diff
    #[arg(long, value_enum, default_value = "text")]
    pub format: DocumentFormat,
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
}

/// `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// One JSON report per place; NAME labels it [default: the file name]
    #[arg(value_name = "[NAME=]REPORT", value_hint = ValueHint::FilePath, required = true)]
    pub reports: Vec<NamedPath>,
    /// Format of the comparison
    #[arg(long, value_enum, default_value = "text")]
    pub format: ComparisonFormat,
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
}

/// The formats of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ComparisonFormat {
    /// For people at a terminal.
    Text,
    /// A single JSON document, for programs.
    Json,
    /// For a pull request comment.
    Markdown,
    /// A single self-contained file for a browser.
    Html,
}

/// `[NAME=]FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPath {
    /// The place's name, if the user gave one.
    pub name: Option<String>,
    /// The file.
    pub path: PathBuf,
}

impl From<OsString> for NamedPath {
    /// A name has no slash: `./a=b.json` is a file alone.
    fn from(text: OsString) -> Self {
        let named = text.to_str().and_then(|text| text.split_once('='));
        match named.filter(|(name, _)| !name.is_empty() && !name.contains(['/', '\\'])) {
            Some((name, path)) => Self {
                name: Some(name.to_owned()),
                path: path.into(),
            },
            None => Self {
                name: None,
                path: text.into(),
            },
        }
    }
}

/// `drift`.
#[derive(Debug, Args)]
pub struct DriftArgs {
    /// The page's Markdown, or an instance's outboundNetworkDependenciesEndpoints as JSON
    #[arg(value_name = "PAGE", value_hint = ValueHint::FilePath)]
    pub page: PathBuf,
    /// Format of the differences
    #[arg(long, value_enum, default_value = "text")]
    pub format: DocumentFormat,
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
}

/// `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The file to validate, as an overlay on the built-in catalog
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// The API Management tier whose catalog it is laid over
    #[arg(long, value_name = "TIER", default_value = "classic", value_parser = tier())]
    pub tier: Tier,
    /// Validate it as a complete catalog
    #[arg(long)]
    pub no_builtin: bool,
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
}

/// `rules`.
#[derive(Debug, Args)]
pub struct RulesArgs {
    /// What to generate rules for
    #[arg(long, value_enum, value_name = "KIND")]
    pub kind: rules::RuleFamily,
    /// Output syntax
    #[arg(long = "as", value_enum, value_name = "SYNTAX", default_value = "az")]
    pub syntax: rules::Syntax,
    /// JSON report of a run: use its endpoints, cloud and region instead of the plan's
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub report: Option<PathBuf>,
    /// Generate rules only for what the report shows as blocked
    #[arg(long, requires = "report")]
    pub missing_only: bool,
    /// Prefix of the instance's subnet, the source of firewall rules [default: from the report or this VM, else any source]
    #[arg(long, value_name = "PREFIX", value_parser = prefix)]
    pub subnet: Option<IpNet>,
    /// Priority of the first NSG rule in each direction; rules still go before a deny found in --effective-nsg [default: 2000]
    #[arg(long, value_name = "N", value_parser = priority)]
    pub first_priority: Option<u16>,
    /// Shell to write the commands of --as az for
    #[arg(long, value_enum, value_name = "SHELL", default_value = "bash")]
    pub shell: Shell,
    /// What to plan.
    #[command(flatten)]
    pub plan: PlanArgs,
}

/// `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A dependency, a cause, a kind of finding, a finding's id, a tier, a pattern that compare reports, or a host [default: list everything]
    #[arg(value_name = "WORD", value_parser = suggesting(word, suggest::words), hide_possible_values = true)]
    pub word: Option<String>,
    /// public, usgov or china, or Azure's own names for them
    #[arg(
        long,
        value_name = "CLOUD",
        default_value = "public",
        value_parser = suggesting(Cloud::from_str, suggest::clouds),
        hide_possible_values = true
    )]
    pub cloud: Cloud,
    /// The API Management tier, which selects the catalog
    #[arg(long, value_name = "TIER", default_value = "classic", value_parser = tier())]
    pub tier: Tier,
    /// A probes.yaml laid over the built-in catalog, repeatable: an entry with a known id replaces the built-in one, a new id is added
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub probes: Vec<PathBuf>,
}

/// The network's own rules, as Azure exports them.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The network's own rules, to predict results and name the rule at fault")]
pub struct NetworkArgs {
    /// Output of az network nic list-effective-nsg for this machine's network interface
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub effective_nsg: Option<PathBuf>,
    /// Output of az network nic show-effective-route-table for this machine's network interface
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub effective_routes: Option<PathBuf>,
    /// Output of az network list-service-tags, or Microsoft's downloadable file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub service_tags: Option<PathBuf>,
}

/// `watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Schedule.
    #[command(flatten)]
    pub schedule: ScheduleArgs,
    /// What to plan.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// How to probe.
    #[command(flatten)]
    pub probe: ProbeArgs,
    /// Format of the changes: text, or one JSON document per line and nothing else
    #[arg(long, value_enum, default_value = "text", help_heading = REPORTING)]
    pub format: WatchFormat,
    /// Write a report of the last round to a file, repeatable: FORMAT:FILE, or FILE, whose extension selects the format
    #[arg(long, short, value_name = "[FORMAT:]FILE", value_hint = ValueHint::FilePath, help_heading = REPORTING)]
    pub output: Vec<PathBuf>,
    /// What keeps a round from being green [default: required]
    #[arg(long, value_enum, value_name = "WHAT", help_heading = REPORTING)]
    pub fail_on: Option<FailOn>,
    /// Don't let endpoints that are untested or unproven keep a round from being green
    #[arg(long, help_heading = REPORTING)]
    pub allow_untested: bool,
    /// No status line and no notices on stderr
    #[arg(long, short, help_heading = REPORTING)]
    pub quiet: bool,
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = REPORTING)]
    pub color: ColorChoice,
}

/// The heading of the flags about reports.
const REPORTING: &str = "How to report";

/// The flags that only `watch` has.
#[derive(Debug, Args)]
#[command(next_help_heading = "Schedule")]
pub struct ScheduleArgs {
    /// Time between the starts of two rounds; shortened by up to 10 %, so that many agents don't probe at the same moment
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub interval: Duration,
    /// Stop once a round is green (`run` would exit with 0), or at the first change
    #[arg(long, value_enum, value_name = "WHAT")]
    pub until: Option<Until>,
    /// Stop after this time, such as 30m or 8h; a last round starts then
    #[arg(long = "for", value_name = "TIME", value_parser = long_duration)]
    pub at_most: Option<Duration>,
    /// Show differences from this JSON report, at the start, with each change and at the end
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub baseline: Option<PathBuf>,
}

/// `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Schedule and listener.
    #[command(flatten)]
    pub service: ServiceArgs,
    /// What to plan.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// How to probe.
    #[command(flatten)]
    pub probe: ProbeArgs,
}

/// The flags that only `serve` has.
#[derive(Debug, Args)]
#[command(next_help_heading = "Schedule and listener")]
pub struct ServiceArgs {
    /// Address to listen on: 127.0.0.1 for this machine only, 0.0.0.0 for all IPv4 interfaces
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:9733", value_parser = listen)]
    pub listen: SocketAddr,
    /// Time between the starts of two rounds; shortened by up to 10 %, so that many agents don't probe at the same moment
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub interval: Duration,
    /// Web config file in the format of Prometheus' exporter-toolkit: TLS, client certificates, passwords
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub web_config: Option<PathBuf>,
    /// Append events to a file, one JSON object per line, for the Azure Monitor Agent; {day} in its name becomes the date
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub log: Option<PathBuf>,
}

/// What `watch` waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Until {
    /// A round for which `run` would exit with 0.
    Green,
    /// The first change.
    Change,
}

/// A format that changes can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum WatchFormat {
    /// For people at a terminal.
    Text,
    /// One change per line, for programs.
    Jsonl,
}

/// `path`.
#[derive(Debug, Args)]
pub struct PathArgs {
    /// An endpoint's id, or a host or address, with or without a port
    #[arg(value_name = "ENDPOINT|HOST:PORT")]
    pub target: String,
    /// What to plan.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// How to connect.
    #[command(flatten)]
    pub dial: ConnectionArgs,
    /// Time limit for the whole command
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration, help_heading = "How to probe")]
    pub deadline: Duration,
    /// No notices on stderr
    #[arg(long, short, help_heading = REPORTING)]
    pub quiet: bool,
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = REPORTING)]
    pub color: ColorChoice,
}

/// `schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// The document whose schema to print
    #[arg(value_enum, value_name = "NAME")]
    pub document: Document,
}

/// `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The command [default: the program with all its commands]
    #[arg(value_name = "COMMAND", value_parser = suggesting(word, suggest::commands), hide_possible_values = true)]
    pub command: Option<String>,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell to print completions for
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// The flags of every command that plans.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What to probe")]
pub struct PlanArgs {
    /// public, usgov or china, or Azure's own names for them [default: from the VM's metadata, else public]
    #[arg(long, value_name = "CLOUD", value_parser = suggesting(Cloud::from_str, suggest::clouds), hide_possible_values = true)]
    pub cloud: Option<Cloud>,
    /// Region, such as westeurope, for regional host names [default: from the VM's metadata]
    #[arg(long, value_name = "NAME", value_parser = suggesting(region, suggest::regions), hide_possible_values = true)]
    pub region: Option<String>,
    /// external or internal: probe only what that mode needs [default: both]
    #[arg(long, value_name = "KIND", value_parser = suggesting(vnet, suggest::vnets), hide_possible_values = true)]
    pub vnet: Option<Vnet>,
    /// Name of one of the instance's resources, repeatable
    #[arg(
        long,
        help = SET_HELP,
        value_name = "NAME=VALUE[,VALUE…]",
        value_parser = suggesting(SettingArg::from_str, suggest::settings),
        hide_possible_values = true
    )]
    pub set: Vec<SettingArg>,
    /// The instance's network status as JSON: probe its own hosts, and show what it reports about them
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub network_status: Option<PathBuf>,
    /// The instance's outboundNetworkDependenciesEndpoints as JSON, repeatable for several pages
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub dependencies: Vec<PathBuf>,
    /// Any other document of the instance (backends, host names …), or a bundle of them (scripts/collect.sh), repeatable
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub instance: Vec<PathBuf>,
    /// Resource id of the instance: fetch its documents and this VM's effective rules and routes with the VM's managed identity
    #[arg(long, value_name = "RESOURCE_ID", conflicts_with = "no_metadata")]
    pub service: Option<ResourceId>,
    /// Client id of the managed identity to use, if the VM has several
    #[arg(long, value_name = "CLIENT_ID", requires = "service", value_parser = client_id)]
    pub identity: Option<String>,
    /// PEM file of additional trust anchors, used only for the management endpoint, which receives the VM's token
    #[arg(long, value_name = "PEM", value_hint = ValueHint::FilePath, requires = "service")]
    pub management_ca_file: Option<PathBuf>,
    /// The API Management tier, which selects the catalog [default: from the instance's document, else classic]
    #[arg(long, value_name = "TIER", value_parser = tier())]
    pub tier: Option<Tier>,
    /// A probes.yaml laid over the built-in catalog, repeatable: an entry with a known id replaces the built-in one, a new id is added
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub probes: Vec<PathBuf>,
    /// Don't use the built-in catalog
    #[arg(long, requires = "probes")]
    pub no_builtin: bool,
    /// Probe only these dependencies; globs allowed
    #[arg(
        long,
        value_name = "ID,…",
        action = clap::ArgAction::Set,
        value_parser = suggesting(IdPatterns::from_str, suggest::ids),
        hide_possible_values = true
    )]
    pub only: Option<IdPatterns>,
    /// Skip these dependencies; globs allowed
    #[arg(
        long,
        value_name = "ID,…",
        action = clap::ArgAction::Set,
        value_parser = suggesting(IdPatterns::from_str, suggest::ids),
        hide_possible_values = true
    )]
    pub skip: Option<IdPatterns>,
    /// Probe only required dependencies
    #[arg(long)]
    pub required_only: bool,
    /// Name server to test and use, repeatable [default: the system's]
    #[arg(long, value_name = "IP[:PORT]", value_parser = parse_server)]
    pub dns_server: Vec<SocketAddr>,
    /// Never query the instance metadata service (IMDS)
    #[arg(long)]
    pub no_metadata: bool,
    /// The network's own rules.
    #[command(flatten)]
    pub network: NetworkArgs,
}

impl PlanArgs {
    /// The files that its flags take.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let network = &self.network;
        let single = [
            &self.network_status,
            &self.management_ca_file,
            &network.effective_nsg,
            &network.effective_routes,
            &network.service_tags,
        ];
        let lists = self.dependencies.iter().chain(&self.instance).chain(&self.probes);
        single.into_iter().flatten().chain(lists)
    }
}

/// The flags of every command that probes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "How to probe")]
pub struct ProbeArgs {
    /// How to connect.
    #[command(flatten)]
    pub dial: ConnectionArgs,
    /// Time limit for the whole run, or for each round; 5m with --confirm
    #[arg(
        long,
        value_name = "TIME",
        default_value = "60s",
        default_value_if("confirm", "true", "5m"),
        value_parser = duration
    )]
    pub deadline: Duration,
    /// Skip control queries and connections
    #[arg(long)]
    pub no_control: bool,
    /// Replace your host names, addresses and ids with stand-ins, in every format and in notices
    #[arg(long)]
    pub redact: bool,
    /// Have the instance itself test what is blocked or unproven here; needs a role that can also change the instance
    #[arg(long, requires = "service")]
    pub confirm: bool,
    /// JSON report from another place: each finding shows what works there and what does not
    #[arg(long, value_name = "REPORT", value_hint = ValueHint::FilePath)]
    pub elsewhere: Option<PathBuf>,
}

/// The flags of every command that connects.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "How to probe")]
pub struct ConnectionArgs {
    /// Time limit for each stage of each address
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub timeout: Duration,
    /// Maximum number of probes at the same time
    #[arg(long, value_name = "N", default_value = "128", value_parser = concurrency)]
    pub concurrency: usize,
    /// PEM file of additional trust anchors, treated as public roots; certificates issued by a known root serve as intermediates
    #[arg(long, value_name = "PEM", value_hint = ValueHint::FilePath)]
    pub ca_file: Option<PathBuf>,
    /// Look up and probe IPv6 addresses as well
    #[arg(long)]
    pub ipv6: bool,
}

impl ProbeArgs {
    /// The files that its flags take.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.dial.ca_file.iter().chain(&self.elsewhere)
    }
}

/// The flags of every command that reports.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "How to report")]
pub struct ReportArgs {
    /// Format of the report on stdout
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Also write a report to a file, repeatable: FORMAT:FILE, or FILE, whose extension selects the format
    #[arg(long, short, value_name = "[FORMAT:]FILE", value_hint = ValueHint::FilePath)]
    pub output: Vec<PathBuf>,
    /// What makes the exit status 1 [default: required]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub fail_on: Option<FailOn>,
    /// Don't let endpoints that are untested or unproven change the exit status
    #[arg(long)]
    pub allow_untested: bool,
    /// No progress and no notices on stderr
    #[arg(long, short)]
    pub quiet: bool,
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
    /// Show everything that is not reachable, with evidence and commands; twice: every endpoint, with timings
    #[arg(long, short, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// `name=value[,value…]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingArg {
    /// One of the names that the catalog knows.
    pub name: String,
    /// At least one.
    pub values: Vec<String>,
}

impl FromStr for SettingArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || catalog::SETTINGS.map(|setting| setting.name).join(", ");
        let (name, values) = text
            .split_once('=')
            .ok_or_else(|| format!("expected NAME=VALUE; the names are {}", names()))?;
        let name = name.trim();
        if name == catalog::REGION {
            return Err("use --region to set the region".into());
        }
        if !catalog::SETTINGS.iter().any(|setting| setting.name == name) {
            let known = catalog::SETTINGS.map(|setting| setting.name);
            return Err(match nearest(name, &known) {
                Some(meant) => format!(
                    "{name} is not a known name: did you mean {meant}? The names are {}",
                    names()
                ),
                None => format!("{name} is not a known name; the names are {}", names()),
            });
        }
        let whole_host = name.ends_with("_host");
        let values = values
            .split(',')
            .map(str::trim)
            .map(|value| value_of(name, value, whole_host));
        Ok(Self {
            name: name.to_string(),
            values: values.collect::<Result<_, _>>()?,
        })
    }
}

fn value_of(name: &str, value: &str, whole_host: bool) -> Result<String, String> {
    let value = value.to_ascii_lowercase();
    if whole_host {
        return if host::is_name(&value) {
            Ok(value)
        } else {
            Err(format!("{name} must be a host name, and \"{value}\" is not one"))
        };
    }
    if name == "storage_account" && azure::is_zoned_account(&value) && host::is_name(&value) {
        return Ok(value);
    }
    match value.split_once('.') {
        Some((first, suffix)) if host::is_label(first) => Err(format!(
            "{name} is given without its suffix: {name}={first}, not {first}.{suffix}"
        )),
        None if host::is_label(&value) => Ok(value),
        _ => Err(format!(
            "{name} must be the first label of a host name, and \"{value}\" is not one"
        )),
    }
}

/// A list of ids or globs, separated by commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdPatterns(pub Vec<String>);

impl FromStr for IdPatterns {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ids: Vec<String> = text
            .split(',')
            .map(|id| id.trim().to_string())
            .filter(|id| !id.is_empty())
            .collect();
        if ids.is_empty() {
            Err("expected dependency ids, separated by commas".into())
        } else {
            Ok(Self(ids))
        }
    }
}

fn tier() -> impl TypedValueParser<Value = Tier> {
    PossibleValuesParser::new(Tier::ALL.map(Tier::as_str)).map(|word| Tier::named(&word).unwrap_or_default())
}

#[expect(clippy::unnecessary_wraps, reason = "a parser of clap's may fail")]
fn word(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

fn vnet(text: &str) -> Result<Vnet, String> {
    Vnet::ALL
        .into_iter()
        .find(|kind| kind.as_str().eq_ignore_ascii_case(text))
        .ok_or_else(|| "expected external or internal".into())
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    text.trim().parse().map_err(|_| {
        "expected an address and a port: 127.0.0.1:9733 for this machine only, 0.0.0.0:9733 for all IPv4 interfaces, \
         [::]:9733 for IPv6 as well"
            .into()
    })
}

fn client_id(text: &str) -> Result<String, String> {
    let is_id = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| {
            if matches!(at, 8 | 13 | 18 | 23) {
                byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        });
    if is_id {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("expected a client id such as 00000000-0000-0000-0000-000000000000, as `az identity show --query clientId` prints it".into())
    }
}

fn region(text: &str) -> Result<String, String> {
    catalog::region_name(text).ok_or_else(|| "expected a region name, such as westeurope".into())
}

/// The longest time that it makes sense to wait for one thing.
const DAY: Duration = Duration::from_secs(86_400);

fn duration(text: &str) -> Result<Duration, String> {
    duration_up_to(DAY, "1d", text)
}

fn long_duration(text: &str) -> Result<Duration, String> {
    duration_up_to(DAY * 366, "366d", text)
}

fn duration_up_to(longest: Duration, name: &str, text: &str) -> Result<Duration, String> {
    let wrong = || "expected a time such as 500ms, 5s or 2m".to_string();
    let parsed: jiff::SignedDuration = text.trim().parse().map_err(|_| wrong())?;
    let duration = Duration::try_from(parsed).map_err(|_| wrong())?;
    if duration.is_zero() || duration > longest {
        Err(format!("{}: more than 0 and at most {name}", wrong()))
    } else {
        Ok(duration)
    }
}

/// A priority of a user's NSG rule: Azure accepts 100 to 4096.
fn priority(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(number) if (100..=4096).contains(&number) => Ok(number),
        _ => Err("expected a priority from 100 to 4096".into()),
    }
}

fn prefix(text: &str) -> Result<IpNet, String> {
    text.parse().map_err(|_| "expected a prefix such as 10.1.0.0/24".into())
}

fn concurrency(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (1..=10_000).contains(&number) => Ok(number),
        _ => Err("expected a number from 1 to 10000".into()),
    }
}
