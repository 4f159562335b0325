//! What every fix contains at the end, for any kind of finding.

use crate::{
    azure::{PLATFORM, resources::guarded},
    diagnosis::view::RunView,
    model::{Fix, Placeholder, Suspect},
    text::Shell,
};

/// Makes an instance use the current name servers of its virtual network.
pub(crate) const APPLY_NETWORK_UPDATES: &str = "az apim apply-network-updates --name NAME --resource-group RG";

/// Completes a fix of any kind: adds the command that makes the instance use changed name servers, and fills in the
/// names of the user's resources.
pub(crate) fn finish(fix: Fix, suspects: &[Suspect], view: &RunView<'_>) -> Fix {
    let mut fix = applied(fix, suspects, view);
    let known = view.place.known.cloned().unwrap_or_default();
    let fill = |command: &mut String| *command = known.fill(command, Shell::Bash);
    for commands in [&mut fix.look, &mut fix.change, &mut fix.verify] {
        commands.iter_mut().for_each(fill);
    }
    fix.undo.iter_mut().flatten().for_each(fill);
    let guard = |command: &mut String| *command = guarded(command, Shell::Bash);
    fix.change
        .iter_mut()
        .chain(fix.undo.iter_mut().flatten())
        .for_each(guard);
    let commands = [&fix.look, &fix.change, &fix.verify].into_iter().flatten();
    let open = known.open(commands.map(String::as_str));
    fix.placeholders = open
        .into_iter()
        .map(|(name, meaning)| Placeholder { name, meaning })
        .collect();
    fix
}

/// How a summary mentions it.
const WORDS: &str = "apply the network configuration";

/// A longer summary does not mention it: the command is among the changes anyway.
const MAX_SUMMARY: usize = 220;

/// If the user's own name server is at fault, the network may get other ones. The platform's own is always the same.
fn applied(fix: Fix, suspects: &[Suspect], view: &RunView<'_>) -> Fix {
    let own_servers = view.plan.name_servers.iter().any(|server| server.ip() != PLATFORM);
    if !own_servers
        || !suspects.contains(&Suspect::DnsServer)
        || fix.change.iter().any(|command| command == APPLY_NETWORK_UPDATES)
    {
        return fix;
    }
    let summary = if fix.summary.contains(WORDS) || fix.summary.chars().count() > MAX_SUMMARY {
        fix.summary.clone()
    } else {
        format!("{} If you change the network's DNS servers, {WORDS}.", fix.summary)
    };
    Fix { summary, ..fix }.change([(APPLY_NETWORK_UPDATES, None)])
}
