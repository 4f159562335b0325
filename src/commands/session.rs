//! One plan, probed as often as a command wants: one runtime, one TLS client, one ear for Ctrl-C.

use std::{
    io::{self, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use clap::ColorChoice;
use jiff::Timestamp;
use tokio::{runtime::Runtime, sync::watch};

use super::{
    Failure, interrupt,
    planning::{self, Planned},
    terminal,
};
use crate::{
    assemble::assemble,
    azure::{Cloud, PLATFORM_DNS},
    catalog::Catalog,
    cli::{PlanArgs, ProbeArgs},
    diagnosis::{self, view::Surroundings},
    file,
    model::Report,
    net::tls::{TlsClient, roots::Roots},
    network::NetworkRules,
    plan::Plan,
    probe::{self, ControlPolicy, Depth, Event, Limits, Run},
    text::{escape, words},
    vantage::{Vantage, descriptors},
};

/// Everything that probing needs, ready for the first packet.
pub struct Session {
    catalog: Catalog,
    vantage: Vantage,
    plan: Arc<Plan>,
    network: Option<NetworkRules>,
    limits: Limits,
    controls: bool,
    tls: TlsClient,
    runtime: Runtime,
    interrupted: watch::Receiver<bool>,
}

impl Session {
    /// Plans, and gets ready to probe; nothing but the metadata and management services has been asked by then.
    pub fn open(plan: &PlanArgs, probe: &ProbeArgs, color: ColorChoice) -> Result<Self, Failure> {
        interrupt::hold();
        // First of all: without descriptors even a file of the user's cannot be read, and a runtime cannot start.
        let sockets = descriptors::prepare().map_err(Failure::agent)?;
        let (roots, added) = roots(probe)?;
        let Planned {
            catalog,
            vantage,
            plan,
            network,
        } = planning::plan(plan, added, terminal::colour(color, &io::stderr()))?;
        let runtime = runtime().map_err(|error| Failure::agent(format!("cannot start: {error}")))?;
        let interrupted = ear(&runtime);
        Ok(Self {
            catalog,
            vantage,
            plan: Arc::new(plan),
            network,
            limits: Limits {
                timeout: probe.timeout,
                deadline: probe.deadline,
                concurrency: probe.concurrency,
                sockets,
                ipv6: probe.ipv6,
            },
            controls: !probe.no_control,
            tls: TlsClient::new(roots),
            runtime,
            interrupted,
        })
    }

    /// The cloud whose names are probed.
    pub fn cloud(&self) -> Cloud {
        self.plan.cloud
    }

    /// What is probed.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Limit of each stage of each address.
    pub fn timeout(&self) -> Duration {
        self.limits.timeout
    }

    /// Says on stderr what the reader should know before the results.
    pub fn print_notices(&self) {
        for notice in &self.vantage.notices {
            let _ = writeln!(io::stderr(), "notice: {}", escape(notice));
        }
    }

    /// Probes the whole plan once, until it is done, the deadline passes or Ctrl-C comes.
    pub fn probe(&self, depth: Depth, on_event: impl FnMut(Event<'_>)) -> Run {
        let policy = self.policy(depth);
        self.conduct(self.plan.clone(), self.limits, policy, on_event)
    }

    /// Looks a second time at some endpoints, by their indices in the plan, in what is left of the deadline. What is
    /// seen now takes the place of what `run` saw of them.
    pub fn look_again(&self, run: &mut Run, depth: Depth, indices: &[usize]) {
        let limits = Limits {
            deadline: self.limits.deadline.saturating_sub(run.duration),
            ..self.limits
        };
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
            ..self.policy(depth)
        };
        let second = self.conduct(Arc::new(plan), limits, policy, |_| {});
        for (index, trace) in indices.iter().zip(second.traces) {
            // A look that the deadline cut short says less than the first one.
            if let Some(trace) = trace.filter(|trace| !trace.cut) {
                run.traces[*index] = Some(trace);
            }
        }
        run.names.extend(second.names);
        run.duration += second.duration;
        run.interrupted |= second.interrupted;
    }

    /// Waits for a time; returns early on Ctrl-C, and says whether that came.
    pub fn wait_until(&self, time: Instant) -> bool {
        self.runtime.block_on(async {
            tokio::select! {
                () = tokio::time::sleep_until(time.into()) => false,
                () = heard(self.interrupted.clone()) => true,
            }
        })
    }

    /// Judges what was seen.
    pub fn report(&self, run: &Run, started_at: Timestamp) -> Report {
        let vantage = &self.vantage;
        let predictions = self
            .network
            .as_ref()
            .map(|rules| rules.predictions(&self.plan, &run.traces, &planning::standpoint(vantage)));
        let place = Surroundings {
            region: vantage.region.as_deref(),
            vnet: vantage.vnet,
            addresses: &vantage.addresses,
            started_at,
            instance: Some(&vantage.instance),
        };
        let diagnosis = diagnosis::diagnose(&self.plan, run, predictions.as_ref(), place);
        assemble(&self.catalog, vantage, &self.plan, run, diagnosis, started_at)
    }

    /// Ends all probing. Nothing holds the process after this.
    pub fn close(self) {
        self.runtime.shutdown_background();
    }

    fn policy(&self, depth: Depth) -> ControlPolicy {
        ControlPolicy {
            depth,
            platform: (self.controls && self.vantage.in_azure).then_some(PLATFORM_DNS),
            connections: self.controls,
            suspect: diagnosis::suspect,
        }
    }

    fn conduct(&self, plan: Arc<Plan>, limits: Limits, policy: ControlPolicy, on_event: impl FnMut(Event<'_>)) -> Run {
        let interrupted = heard(self.interrupted.clone());
        let run = probe::run(plan, self.tls.clone(), limits, policy, interrupted, on_event);
        self.runtime.block_on(run)
    }
}

/// The roots that judge chains, and a notice about those that the user added.
fn roots(arguments: &ProbeArgs) -> Result<(Arc<Roots>, Option<String>), Failure> {
    let mut roots = Roots::builtin();
    let mut notice = None;
    if let Some(path) = &arguments.ca_file {
        let added = roots.add_file(path).map_err(Failure::usage)?;
        let mut what = words::count(added.roots, "root");
        if added.intermediates > 0 {
            what = format!("{what} and {}", words::count(added.intermediates, "intermediate"));
        }
        notice = Some(format!(
            "{what} of {} treated as public, although the instance may not trust them",
            file::shown(path)
        ));
    }
    Ok((Arc::new(roots), notice))
}

/// Two threads: cryptography on one must not delay the deadline on the other.
fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}

/// Listens for an interruption from now on, between runs as well.
fn ear(runtime: &Runtime) -> watch::Receiver<bool> {
    let (heard, ear) = watch::channel(false);
    let interrupted = interrupt::listen(runtime);
    runtime.spawn(async move {
        interrupted.await;
        heard.send_replace(true);
    });
    ear
}

/// Completes once the interruption has come.
async fn heard(mut ear: watch::Receiver<bool>) {
    if ear.wait_for(|interrupted| *interrupted).await.is_err() {
        std::future::pending::<()>().await;
    }
}
