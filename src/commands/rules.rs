//! `apim-probe rules`: the rules that a plan needs, or that a report shows are missing.

use std::{io, path::Path};

use super::{CommandFailure, planning, print, print_line, terminal};
use crate::{
    azure::PLATFORM,
    cli::RulesArgs,
    diff::read,
    model::Report,
    network::NetworkRules,
    plan::Selection,
    rules::{
        ANYWHERE, RenderedRules, Requirement, RuleBasis, RuleFamily, RuleFilter, RuleSet, Style, Syntax, is_forced,
        missing,
    },
    vantage::cutoff::Cutoff,
};

/// Prints rules; remarks about them go to stderr.
pub(super) fn rules(mut arguments: RulesArgs) -> Result<u8, CommandFailure> {
    let report = arguments.report.as_deref().map(read_report).transpose()?;
    if let Some(report) = &report {
        // The report was made at the place in question, which may not be this machine's.
        let plan = &mut arguments.plan;
        plan.cloud.get_or_insert(report.vantage.cloud);
        plan.region = plan.region.take().or_else(|| report.vantage.region.clone());
        plan.vnet = plan.vnet.or(report.vantage.vnet);
        plan.tier = plan.tier.or(Some(report.agent.tier));
    }
    let planned = planning::plan(
        &arguments.plan,
        None,
        terminal::colour(clap::ColorChoice::Auto, &io::stderr()),
        &Cutoff::after(planning::FETCH_TIMEOUT),
    )?;
    for notice in &planned.fetch_notices {
        print_line("notice", notice);
    }
    let network = planned.network;
    let requirements = report.as_ref().map_or_else(
        || Requirement::of_plan(&planned.plan),
        |report| Requirement::of_report(report, &planned.plan, &selection(&arguments)),
    );
    let seen = report.as_ref().and_then(|report| report.vantage.subnet.clone());
    let subnet = arguments
        .subnet
        .map(|subnet| subnet.trunc().to_string())
        .or(seen)
        .or_else(|| planned.vantage.subnet.clone());
    let basis = RuleBasis {
        catalog: &planned.catalog,
        cloud: planned.vantage.cloud,
        from: planning::origin(&planned.vantage),
        is_forced: network
            .as_ref()
            .map_or_else(|| report.as_ref().and_then(is_forced), NetworkRules::is_forced),
        network: network.as_ref(),
        first_priority: arguments.first_priority,
        own_servers: report.is_none() && planned.vantage.own_servers,
        subnet: subnet.as_deref().unwrap_or(ANYWHERE),
    };
    let set = RuleSet::new(basis, requirements);
    let only = report.as_ref().filter(|_| arguments.missing_only);
    let only = only.map(|report| missing(report, arguments.kind));
    let choice = only.as_ref().map_or(RuleFilter::All, RuleFilter::For);
    let rules = set.rules(arguments.kind, choice).map_err(CommandFailure::usage)?;
    if let Some(notice) = planned.vantage.region.as_deref().and_then(planning::unknown_region) {
        print_line("notice", &notice);
    }
    if let Some(region) = set.unknown_region().filter(|_| arguments.kind != RuleFamily::Routes) {
        let notice = format!("no service tags are known for region {region}: the rules use the global tags");
        print_line("notice", &notice);
    }
    let any_own = planned
        .vantage
        .name_servers
        .iter()
        .any(|server| server.ip() != PLATFORM);
    if basis.own_servers && any_own && arguments.kind != RuleFamily::Routes {
        print_line("notice", OWN_SERVERS);
    }
    if report.as_ref().is_some_and(|report| report.redacted) && !rules.is_empty() {
        print_line("notice", REDACTED);
    }
    for notice in notices(&rules, subnet.is_none(), network.as_ref()) {
        print_line("notice", &notice);
    }
    if arguments.syntax == Syntax::Json && !rules.is_empty() {
        for remark in rules.remarks() {
            print_line("notice", &remark);
        }
    }
    let style = Style {
        shell: arguments.shell,
        known: Some(&planned.known),
        width: terminal::columns(),
    };
    print(&rules.render(arguments.syntax, &style))?;
    Ok(0)
}

/// The notice if this machine may not be in the network.
const OWN_SERVERS: &str = "no rules are generated for this machine's own name servers, because it is not known to be \
                           an Azure VM: pass the network's name servers with --dns-server";

/// The notice if a report has other names than the network.
const REDACTED: &str = "the report was made with --redact: rules for your own hosts and addresses contain the names that \
                        replace them, and have no effect; use the original report";

fn notices(rules: &RenderedRules, any_source: bool, network: Option<&NetworkRules>) -> Vec<String> {
    let mut notices = Vec::new();
    if rules.is_empty() {
        notices.push("no rule is needed".into());
    }
    match rules {
        RenderedRules::Firewall(_) if any_source && !rules.is_empty() => {
            notices.push(
                "the firewall rules allow any source: pass --subnet to restrict them to the instance's subnet".into(),
            );
        }
        RenderedRules::Nsg(group) => notices.extend(network.into_iter().flat_map(|network| group.clashes(network))),
        _ => {}
    }
    notices
}

fn selection(arguments: &RulesArgs) -> Selection {
    let ids = |ids: &Option<crate::cli::IdPatterns>| ids.clone().map(|ids| ids.0).unwrap_or_default();
    Selection {
        only: ids(&arguments.plan.only),
        skip: ids(&arguments.plan.skip),
        required_only: arguments.plan.required_only,
    }
}

fn read_report(path: &Path) -> Result<Report, CommandFailure> {
    read::load(path).map_err(|error| CommandFailure::usage(format!("--report: {error}")))
}
