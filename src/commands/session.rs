//! One plan, probed as often as a command needs, with one TLS client.

use std::{
    borrow::{Borrow, Cow},
    collections::BTreeMap,
    convert::Infallible,
    future::pending,
    io,
    num::NonZero,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use clap::ColorChoice;
use jiff::Timestamp;

use super::{
    CommandFailure,
    confirm::Confirmation,
    planning::{self, Planned},
    print_line,
    stop::{Stop, Stopped},
    terminal,
};
use crate::{
    assemble::{RunTiming, assemble},
    azure::{Cloud, PLATFORM_DNS, resources::KnownResources},
    catalog::Catalog,
    cli::{PlanArgs, ProbeArgs},
    diagnosis::{self, Diagnosis, traceroute, view::Surroundings},
    diff::read,
    elsewhere::ReportElsewhere,
    file,
    model::{Report, SelectionReport, Tier},
    net::{
        icmp, milliseconds,
        tls::{TlsClient, roots::Roots},
    },
    network::NetworkRules,
    plan::{Plan, PlannedEndpoint},
    probe::{
        self, ControlPolicy, ProbeDepth, ProbeEvent, Run, RunLimits,
        control::Controls,
        flows::FlowDepth,
        own_network::OwnNetwork,
        threads::ThreadPool,
        trace::Trace,
        traceroute::{MIN_TIME, TraceTarget, Traceroutes},
    },
    redact::{OwnNames, Redactor},
    rules::{self, Requirement, RuleSet},
    serve::log::LoggedPlace,
    text::words,
    vantage::{Vantage, cutoff::Cutoff, descriptors},
};

/// Cryptography for one peer must not delay all others.
const THREADS: usize = 2;
/// A smaller plan has little to compute at once, and each thread would take four of them.
const MANY_SOCKETS: usize = 64;
/// Upper limit for judging, writing and printing one endpoint with sixteen addresses, on a slow machine.
const TIME_PER_ROW: Duration = Duration::from_micros(100);

/// Everything that probing needs, ready for the first packet.
pub(super) struct Session<'a> {
    stop: &'a Stop,
    catalog: Catalog,
    vantage: Vantage,
    plan: Arc<Plan>,
    network: Option<NetworkRules>,
    known: KnownResources,
    selection: SelectionReport,
    limits: RunLimits,
    controls: bool,
    confirmation: Option<Confirmation>,
    elsewhere: Option<ReportElsewhere>,
    tls: TlsClient,
    redactor: Option<Arc<Redactor>>,
}

/// Why there is no session.
pub(super) enum NoSession {
    /// It cannot be created.
    Failed(CommandFailure),
    /// A signal came before there was a plan.
    Interrupted,
}

impl From<CommandFailure> for NoSession {
    fn from(failure: CommandFailure) -> Self {
        Self::Failed(failure)
    }
}

/// What is read and queried before a session exists.
pub(super) struct Prepared {
    planned: Planned,
    roots: Arc<Roots>,
    elsewhere: Option<ReportElsewhere>,
}

impl<'a> Session<'a> {
    /// Plans and prepares to probe; until then, only the metadata service and the management endpoint have been
    /// queried.
    pub(super) fn open(
        stop: &'a Stop,
        plan: &PlanArgs,
        probe: &ProbeArgs,
        color: ColorChoice,
    ) -> Result<Self, NoSession> {
        let sockets = descriptors::prepare().map_err(CommandFailure::agent)?;
        let end = stop.began() + probe.deadline;
        let in_colour = terminal::colour(color, &io::stderr());
        let prepare = {
            let (plan, probe, until) = (plan.clone(), probe.clone(), stop.until(end));
            move || prepare(&plan, &probe, in_colour, &until)
        };
        let prepared = match stop.run_detached(Some(end), prepare) {
            Ok(prepared) => prepared?,
            Err(Stopped::Interrupted) => return Err(NoSession::Interrupted),
            Err(Stopped::Late(file)) => return Err(deadline_error(file.as_deref(), probe.deadline).into()),
        };
        Ok(Self::of(stop, prepared, plan, probe, sockets))
    }

    fn of(stop: &'a Stop, prepared: Prepared, plan: &PlanArgs, probe: &ProbeArgs, sockets: usize) -> Self {
        let Prepared {
            planned,
            roots,
            elsewhere,
        } = prepared;
        let confirmation = Confirmation::of(plan, probe);
        let Planned {
            catalog,
            vantage,
            plan: made,
            network,
            known,
            selection,
            own_names,
            fetch_notices: _,
        } = planned;
        let own = OwnNames {
            plan: &made,
            known: &known,
            vantage: &vantage,
            names: &own_names,
            selection: &selection,
            files: &files(plan, probe),
        };
        let redactor = probe.redact.then(|| Arc::new(Redactor::new(own)));
        Self {
            stop,
            catalog,
            vantage,
            plan: Arc::new(made),
            network,
            known,
            selection,
            limits: RunLimits {
                timeout: probe.dial.timeout,
                deadline: probe.deadline,
                concurrency: probe.dial.concurrency,
                sockets,
                ipv6: probe.dial.ipv6,
            },
            controls: !probe.no_control,
            confirmation,
            elsewhere,
            tls: TlsClient::new(roots),
            redactor,
        }
    }

    /// Leaves this many sockets to others.
    pub(super) fn reserve_sockets(&mut self, sockets: usize) {
        self.limits.sockets = self.limits.sockets.saturating_sub(sockets).max(1);
    }

    /// Continues with what was reloaded ([`prepare`]). Returns what the platform no longer
    /// provides. `is_asked` says whether the management endpoint was queried about the instance.
    ///
    /// # Errors
    ///
    /// Something that was known is no longer provided: the plan stays as it is.
    pub(super) fn replace_plan(&mut self, prepared: Prepared, is_asked: bool) -> Result<Vec<String>, String> {
        let Prepared {
            planned,
            roots,
            elsewhere,
        } = prepared;
        // First, because it shows which source is missing: if the metadata service gives no token, the management
        // endpoint gives nothing either.
        self.vantage.check_complete(&planned.vantage)?;
        if is_asked && planned.vantage.imports.is_empty() {
            return Err("the management endpoint provided nothing about the instance".into());
        }
        if self.network.is_some() && planned.network.is_none() {
            return Err("the network's own rules are no longer available".into());
        }
        let less = self.vantage.missing_now(&planned.vantage);
        self.catalog = planned.catalog;
        self.vantage = planned.vantage;
        self.plan = Arc::new(planned.plan);
        self.network = planned.network;
        self.known = planned.known;
        self.selection = planned.selection;
        self.tls = TlsClient::new(roots);
        self.elsewhere = elsewhere;
        if let Some(redactor) = &self.redactor {
            redactor.renew(OwnNames {
                plan: &self.plan,
                known: &self.known,
                vantage: &self.vantage,
                names: &planned.own_names,
                selection: &self.selection,
                // The flags have not changed.
                files: &[],
            });
        }
        Ok(less)
    }

    /// The cloud whose hosts are probed.
    pub(super) fn cloud(&self) -> Cloud {
        self.plan.cloud
    }

    /// The plan.
    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// When everything began.
    pub(super) fn began(&self) -> Instant {
        self.stop.began()
    }

    /// Time limit for each stage of each address.
    pub(super) fn timeout(&self) -> Duration {
        self.limits.timeout
    }

    /// Notices before the results.
    pub(super) fn notices(&self) -> impl Iterator<Item = String> {
        self.vantage.notices.iter().map(|notice| self.text(notice))
    }

    /// Writes them to stderr.
    pub(super) fn print_notices(&self) {
        for notice in self.notices() {
            print_line("notice", &notice);
        }
    }

    /// Replaces names in texts, with `--redact`.
    pub(super) fn redactor(&self) -> Option<Arc<Redactor>> {
        self.redactor.clone()
    }

    /// The id of an endpoint as it may be shown.
    pub(super) fn shown_id<'t>(&self, id: &'t str) -> Cow<'t, str> {
        match &self.redactor {
            Some(redactor) => redactor.id(id).into(),
            None => id.into(),
        }
    }

    /// A text as it may be shown: with `--redact`, without the user's own names.
    pub(super) fn text(&self, text: &str) -> String {
        match &self.redactor {
            Some(redactor) => redactor.notice(text),
            None => text.to_owned(),
        }
    }

    /// Where the agent runs, as it may be shown.
    pub(super) fn place(&self) -> LoggedPlace {
        let vantage = &self.vantage;
        LoggedPlace {
            cloud: vantage.cloud,
            region: vantage.region.clone(),
            vnet: vantage.vnet,
            host: vantage.host.as_deref().map(|host| self.text(host)),
        }
    }

    /// Whether the plan was made with a document of the instance.
    pub(super) fn knows_instance(&self) -> bool {
        !self.vantage.imports.is_empty()
    }

    /// The report as it may be shown: with `--redact`, without the user's own names.
    pub(super) fn shown(&self, report: Report) -> Report {
        match &self.redactor {
            Some(redactor) => redactor.report(&report),
            None => report,
        }
    }

    /// Probes the whole plan once, until it is complete, the deadline has passed since `began`, or a signal arrives.
    /// `beside` runs at the same time.
    pub(super) fn probe(
        &self,
        depth: ProbeDepth,
        reach: FlowDepth,
        began: Instant,
        background: impl Future<Output = Infallible>,
        on_event: impl FnMut(ProbeEvent<'_>),
    ) -> Run {
        let limits = self.limits_from(began);
        self.run_until_stopped(
            self.plan.clone(),
            limits,
            self.policy(depth, reach),
            background,
            on_event,
        )
    }

    /// The limits for what begins now, within the time left since `began`. The report needs time as well.
    fn limits_from(&self, began: Instant) -> RunLimits {
        let rows = u32::try_from(self.plan.endpoints.len()).unwrap_or(u32::MAX);
        let report = (TIME_PER_ROW * rows).min(self.limits.deadline / 4);
        RunLimits {
            deadline: self.limits.deadline.saturating_sub(began.elapsed() + report),
            ..self.limits
        }
    }

    /// Probes some endpoints again, by their indices in the plan, with as many connections as needed, in the time left
    /// since `began`. The new results replace those in `run`.
    pub(super) fn probe_again(&self, run: Run, depth: ProbeDepth, began: Instant, indices: &[usize]) -> Run {
        let plan = Plan {
            cloud: self.plan.cloud,
            endpoints: indices
                .iter()
                .map(|index| self.plan.endpoints[*index].clone())
                .collect(),
            name_servers: self.plan.name_servers.clone(),
            control_name: self.plan.control_name.clone(),
        };
        let policy = ControlPolicy {
            connections: false,
            ..self.policy(depth, FlowDepth::default())
        };
        let second = self.run_until_stopped(Arc::new(plan), self.limits_from(began), policy, pending(), |_| {});
        run.followed_by(second, indices)
    }

    /// Narrows the session to one endpoint.
    pub(super) fn restrict_to(&mut self, endpoint: PlannedEndpoint) {
        self.plan = Arc::new(Plan {
            cloud: self.plan.cloud,
            endpoints: vec![endpoint],
            name_servers: self.plan.name_servers.clone(),
            control_name: self.plan.control_name.clone(),
        });
    }

    /// Traces the path to every address that a run tried for the first endpoint of the plan, blocked or not, in the
    /// time left.
    pub(super) fn trace_paths(&self, run: &mut Run) {
        let calls = traceroute::targets::every(run);
        let left = self.limits_from(self.stop.began()).deadline;
        if !calls.is_empty() && !run.interrupted && left >= MIN_TIME {
            run.traceroutes = self.run_traceroutes(&calls, left);
            run.interrupted |= self.stop.is_interrupted();
        }
    }

    /// Waits for some time; returns early on a signal, and returns whether one arrived.
    pub(super) fn wait_until(&self, time: Instant) -> bool {
        self.stop.block_on(async {
            tokio::select! {
                () = tokio::time::sleep_until(time.into()) => false,
                () = self.stop.interrupted() => true,
            }
        })
    }

    /// Judges the results.
    pub(super) fn report(&self, run: &Run, started_at: Timestamp) -> Report {
        let diagnosis = self.diagnosis(run, started_at);
        self.report_of(RunTiming::of(run, started_at), &run.traces, diagnosis)
    }

    /// The same, after tracing the path to what is blocked, if that is allowed and there is time for it and for judging
    /// everything once more.
    pub(super) fn report_with_traceroutes(&self, mut run: Run, started_at: Timestamp) -> Report {
        let started = Instant::now();
        let diagnosis = self.diagnosis(&run, started_at);
        let calls = if self.controls && !run.interrupted {
            traceroute::targets::calls(&self.plan, &run, &diagnosis)
        } else {
            Vec::new()
        };
        let left = self
            .limits_from(self.stop.began())
            .deadline
            .saturating_sub(started.elapsed());
        if calls.is_empty() || left < MIN_TIME {
            return self.final_report(run, diagnosis, started_at);
        }
        let started = Instant::now();
        run.traceroutes = self.run_traceroutes(&calls, left);
        run.interrupted |= self.stop.is_interrupted();
        run.duration += started.elapsed();
        let diagnosis = self.diagnosis(&run, started_at);
        self.final_report(run, diagnosis, started_at)
    }

    /// What SYNs with a low TTL show about the path to some addresses, within this time.
    fn run_traceroutes(&self, calls: &[TraceTarget], deadline: Duration) -> Traceroutes {
        if !icmp::names_senders() {
            return Traceroutes {
                hops_unknown: true,
                ..Traceroutes::default()
            };
        }
        let limits = RunLimits {
            deadline,
            ..self.limits
        };
        let policy = self.policy(ProbeDepth::Full, FlowDepth::default());
        let look = probe::run_traceroutes(
            &self.plan,
            self.tls.clone(),
            limits,
            &policy,
            calls,
            self.stop.interrupted(),
        );
        Traceroutes {
            seen: self.stop.block_on(look),
            hops_unknown: false,
        }
    }

    fn diagnosis(&self, run: &Run, started_at: Timestamp) -> Diagnosis {
        let vantage = &self.vantage;
        let from = planning::origin(vantage);
        let network = self.network.as_ref();
        let predictions = network.map(|rules| rules.predictions(&self.plan, &run.traces, &from));
        let basis = rules::RuleBasis {
            catalog: &self.catalog,
            cloud: self.plan.cloud,
            from,
            is_forced: network.and_then(NetworkRules::is_forced),
            network,
            first_priority: None,
            own_servers: vantage.own_servers,
            subnet: vantage.subnet.as_deref().unwrap_or(rules::ANYWHERE),
        };
        let rules = RuleSet::new(basis, Requirement::of_plan(&self.plan));
        let place = Surroundings {
            region: vantage.region.as_deref(),
            vnet: vantage.vnet,
            addresses: &vantage.addresses,
            started_at,
            instance: Some(&vantage.instance),
            subnets: Some(&vantage.subnets),
            rules: Some(&rules),
            known: Some(&self.known),
        };
        diagnosis::diagnose(&self.plan, run, predictions.as_ref(), place)
    }

    /// The report of a run that is not repeated.
    fn final_report(&self, run: Run, diagnosis: Diagnosis, started_at: Timestamp) -> Report {
        let timing = RunTiming::of(&run, started_at);
        let Run { traces, names, .. } = run;
        drop(names);
        self.report_of(timing, traces, diagnosis)
    }

    fn report_of(
        &self,
        timing: RunTiming,
        traces: impl IntoIterator<Item = impl Borrow<Option<Trace>>>,
        diagnosis: Diagnosis,
    ) -> Report {
        let report = assemble(
            &self.catalog,
            &self.vantage,
            &self.plan,
            timing,
            traces,
            diagnosis,
            self.selection.clone(),
        );
        match &self.elsewhere {
            Some(elsewhere) => elsewhere.beside(report),
            None => report,
        }
    }

    /// The report with the instance's own results, if it is asked to test and there is time; `aloud` as in
    /// [`Confirmation::carry_out`].
    pub(super) fn confirmed(&self, report: Report, aloud: bool) -> Report {
        let Some(confirmation) = &self.confirmation else {
            return report;
        };
        let end = Instant::now() + self.limits_from(self.stop.began()).deadline;
        let mut report = confirmation.carry_out(report, &self.vantage, self.stop, end, aloud);
        report.duration_ms = milliseconds(self.stop.began().elapsed());
        report.complete &= !self.stop.is_interrupted();
        report
    }

    fn policy(&self, depth: ProbeDepth, reach: FlowDepth) -> ControlPolicy {
        ControlPolicy {
            depth,
            platform: (self.controls && self.vantage.in_azure).then_some(PLATFORM_DNS),
            connections: self.controls,
            suspect: diagnosis::suspect,
            reach,
            showing: diagnosis::showing,
        }
    }

    fn run_until_stopped(
        &self,
        plan: Arc<Plan>,
        limits: RunLimits,
        policy: ControlPolicy,
        beside: impl Future<Output = Infallible>,
        on_event: impl FnMut(ProbeEvent<'_>),
    ) -> Run {
        let interrupted = self.stop.interrupted();
        // They end with the run, and the allocator gets their memory back before the diagnosis: 0.4 kB less per endpoint.
        let threads = ThreadPool::start(threads(limits.sockets));
        let run = probe::run(plan, &threads, self.tls.clone(), limits, policy, interrupted, on_event);
        self.stop.block_on(async {
            tokio::select! {
                run = run => run,
                never = beside => match never {},
            }
        })
    }
}

/// The files that flags name.
fn files(plan: &PlanArgs, probe: &ProbeArgs) -> Vec<PathBuf> {
    plan.files().chain(probe.files()).cloned().collect()
}

/// How many threads probe, for this many sockets: at most one per core.
fn threads(sockets: usize) -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    if sockets < MANY_SOCKETS { 0 } else { cores.min(THREADS) }
}

/// Everything that may wait for a file or for the platform.
pub(super) fn prepare(
    plan: &PlanArgs,
    probe: &ProbeArgs,
    colour: bool,
    until: &Cutoff,
) -> Result<Prepared, CommandFailure> {
    let (roots, added) = roots(probe.dial.ca_file.as_deref(), plan.tier.unwrap_or_default())?;
    let other = probe.elsewhere.as_deref().map(load_elsewhere).transpose()?;
    let planned = planning::plan(plan, added, colour, until)?;
    let beside = |(name, report)| ReportElsewhere::of(name, report, planned.plan.cloud);
    let elsewhere = other.map(beside).transpose();
    let elsewhere = elsewhere.map_err(|error| CommandFailure::usage(format!("--elsewhere: {error}")))?;
    Ok(Prepared {
        planned,
        roots,
        elsewhere,
    })
}

/// The report of another place, labelled with the name of its file.
fn load_elsewhere(path: &Path) -> Result<(String, Report), CommandFailure> {
    let report = read::load(path).map_err(|error| CommandFailure::usage(format!("--elsewhere: {error}")))?;
    let name = path
        .file_name()
        .map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
    Ok((name.into_owned(), report))
}

/// The deadline passed before there was a first plan.
pub(super) fn deadline_error(file: Option<&Path>, deadline: Duration) -> CommandFailure {
    deadline_error_because(file, deadline, ", so nothing was probed")
}

/// The deadline passed before there was a plan; `so` names the consequence.
pub(super) fn deadline_error_because(file: Option<&Path>, deadline: Duration, so: &str) -> CommandFailure {
    let deadline = words::duration(deadline);
    match file {
        Some(file) => CommandFailure::usage(format!(
            "cannot read {}: it did not end within the deadline of {deadline}{so}",
            file::shown(file)
        )),
        None => CommandFailure::agent(format!(
            "the deadline of {deadline} passed before the plan was made{so}: raise --deadline"
        )),
    }
}

/// The report of a run that a signal ended before there was a plan: it contains the place, as far as flags give it, and
/// nothing else. `is_redacted` hides the user's own names, as in any other report.
pub(super) fn report_without_plan(stop: &Stop, plan: &PlanArgs, is_redacted: bool, started_at: Timestamp) -> Report {
    let vantage = Vantage::without_metadata(&planning::overrides(plan));
    let empty = Plan {
        cloud: vantage.cloud,
        endpoints: Vec::new(),
        name_servers: Vec::new(),
        control_name: String::new(),
    };
    let run = Run {
        began: started_at,
        traces: Vec::new(),
        names: BTreeMap::default(),
        controls: Controls::default(),
        traceroutes: Traceroutes::default(),
        duration: stop.began().elapsed(),
        own_network: OwnNetwork::default(),
        interrupted: true,
    };
    let place = Surroundings {
        region: vantage.region.as_deref(),
        vnet: vantage.vnet,
        addresses: &vantage.addresses,
        started_at,
        instance: None,
        subnets: None,
        rules: None,
        known: None,
    };
    let diagnosis = diagnosis::diagnose(&empty, &run, None, place);
    let report = assemble(
        &Catalog::of(plan.tier.unwrap_or_default()),
        &vantage,
        &empty,
        RunTiming::of(&run, started_at),
        &run.traces,
        diagnosis,
        planning::selected(plan),
    );
    if is_redacted {
        let own = OwnNames {
            plan: &empty,
            known: &KnownResources::default(),
            vantage: &vantage,
            names: &[],
            selection: &report.selection,
            files: &plan.files().cloned().collect::<Vec<_>>(),
        };
        Redactor::new(own).report(&report)
    } else {
        report
    }
}

/// The roots that verify chains, and a notice about those that the user added.
fn roots(ca_file: Option<&Path>, tier: Tier) -> Result<(Arc<Roots>, Option<String>), CommandFailure> {
    let mut roots = match tier {
        Tier::SelfHostedGateway => Roots::of_a_container(),
        Tier::Classic | Tier::PremiumV2 | Tier::WorkspaceGateway => Roots::builtin(),
    };
    let mut notice = None;
    if let Some(path) = ca_file {
        let added = roots.add_file(path).map_err(CommandFailure::usage)?;
        let mut what = words::count(added.roots, "root");
        if added.intermediates > 0 {
            what = format!("{what} and {}", words::count(added.intermediates, "intermediate"));
        }
        notice = Some(format!(
            "treating {what} from {} as public, although the instance may not trust them",
            file::shown(path)
        ));
    }
    Ok((Arc::new(roots), notice))
}
