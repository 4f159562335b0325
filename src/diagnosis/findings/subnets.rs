//! The NSGs and routes of this VM compared with those of the instance.

use crate::{
    diagnosis::{
        grounds::Grounds,
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::RunView,
    },
    import::subnets::{EndpointPolicy, Subnet, name},
    model::{FindingKind, Fix, Suspect},
    text::{quote, words},
};

/// This VM and the instance have different NSGs or route tables, so traffic that passes here may be blocked there.
pub(super) const OTHER_RULES: FindingRule = FindingRule {
    kind: FindingKind::OtherRules,
    claims: EndpointMatcher::Groups(|view, _| {
        let known = view.place.subnets.is_some_and(|subnets| subnets.here.is_some());
        if known {
            vec![FindingGroup::new("subnet", Vec::new())]
        } else {
            Vec::new()
        }
    }),
    describe: other_rules,
};

/// A policy lists the storage accounts that can be reached from the instance's subnet.
pub(super) const ENDPOINT_POLICY: FindingRule = FindingRule {
    kind: FindingKind::EndpointPolicy,
    claims: EndpointMatcher::Groups(|view, _| {
        let policies = policies(view).into_iter();
        policies
            .map(|policy| FindingGroup::new(name(&policy.id), Vec::new()))
            .collect()
    }),
    describe: endpoint_policy,
};

fn other_rules<'a>(view: &RunView<'a>, _: &FindingGroup<'a>) -> Explanation {
    let subnets = view.place.subnets;
    let Some((nic, here)) = subnets.and_then(|subnets| subnets.here.as_ref()) else {
        return Explanation::default();
    };
    let theirs = subnets.and_then(|subnets| subnets.instance.as_ref());
    let mut differing = Vec::new();
    let mut grounds = Grounds::default();
    let mut compare = |what: &'static str, ours: Option<&str>, theirs: Option<&str>| {
        if !same(ours, theirs) {
            differing.push(what);
            let sentence = format!(
                "this VM's subnet {} has {}, and the instance's has {}",
                name(&here.id),
                named(what, ours),
                named(what, theirs)
            );
            grounds = std::mem::take(&mut grounds).proof(sentence);
        }
    };
    if let Some(theirs) = theirs.filter(|theirs| !theirs.id.eq_ignore_ascii_case(&here.id)) {
        compare("NSG", here.security_group.as_deref(), theirs.security_group.as_deref());
        compare(
            "route table",
            here.route_table.as_deref(),
            theirs.route_table.as_deref(),
        );
    }
    let own = nic.security_group.as_deref();
    if let Some(own) = own.filter(|_| theirs.is_some()) {
        grounds = grounds.proof(format!(
            "this VM's network interface has its own NSG {}, which does not apply to the instance",
            name(own)
        ));
        if !differing.contains(&"NSG") {
            differing.push("NSG");
        }
    }
    if differing.is_empty() {
        grounds = grounds.refuted("no difference is known");
    }
    Explanation {
        title: format!(
            "This VM and the instance do not have the same {}: traffic allowed here may be blocked there, and vice versa",
            words::list(&differing, 2)
        ),
        grounds,
        suspects: vec![Suspect::VmNicNsg, Suspect::Nsg, Suspect::Udr],
        impact: Some(
            "The rules and routes in this report are this VM's; they do not necessarily apply to the instance.".into(),
        ),
        fix: Fix::new(
            "Compare both sets of rules, or run this on a VM in the instance's own subnet whose network interface has \
             no NSG.",
        )
        .look(looks(theirs)),
    }
}

/// Commands that show the NSG and route table of the instance.
fn looks(theirs: Option<&Subnet>) -> Vec<String> {
    let Some(theirs) = theirs else { return Vec::new() };
    let group = theirs
        .security_group
        .as_ref()
        .map(|id| format!("az network nsg show --ids {}", quote(id)));
    let table = theirs
        .route_table
        .as_ref()
        .map(|id| format!("az network route-table show --ids {}", quote(id)));
    group.into_iter().chain(table).collect()
}

fn same(one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        (None, None) => true,
        _ => false,
    }
}

fn named(what: &str, id: Option<&str>) -> String {
    id.map_or_else(|| format!("no {what}"), |id| format!("the {what} {}", name(id)))
}

/// The policies of the instance's subnet that are about Azure Storage.
fn policies<'a>(view: &RunView<'a>) -> Vec<&'a EndpointPolicy> {
    let Some(subnets) = view.place.subnets else {
        return Vec::new();
    };
    let Some(subnet) = subnets.instance.as_ref().filter(|subnet| subnet.has_storage_endpoint()) else {
        return Vec::new();
    };
    let is_of = |policy: &&EndpointPolicy| subnet.policies.iter().any(|id| id.eq_ignore_ascii_case(&policy.id));
    subnets.policies.iter().filter(is_of).collect()
}

fn endpoint_policy<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let policy = policies(view)
        .into_iter()
        .find(|policy| name(&policy.id) == group.scope);
    let listed: Vec<&str> = policy.map_or_else(Vec::new, |policy| policy.storage.iter().map(String::as_str).collect());
    let mut grounds = Grounds::default().pattern(if listed.is_empty() {
        format!("the policy {} lists no Azure Storage resources, so it allows none", group.scope)
    } else {
        format!(
            "the policy {} allows Azure Storage only for {}, but the instance's accounts are in a Microsoft subscription",
            group.scope,
            words::list(&listed, 3)
        )
    });
    if let Some(alias) = listed
        .iter()
        .find(|listed| listed.to_ascii_lowercase().starts_with("/services/"))
    {
        grounds = grounds.open(format!("the alias {alias} may include them"));
    }
    Explanation {
        title: format!(
            "The service endpoint policy {} on the instance's subnet does not include its storage accounts",
            group.scope
        ),
        grounds,
        suspects: vec![Suspect::Service],
        impact: Some("The instance keeps its configuration in these accounts: activation, scaling and updates fail without them.".into()),
        fix: Fix::new(
            "Remove the policy from the instance's subnet, or remove its service endpoint for Microsoft.Storage, so \
             that the traffic goes to the storage accounts' public addresses.",
        )
        .look(policy.map(|policy| format!("az network service-endpoint policy show --ids {}", quote(&policy.id)))),
    }
}
