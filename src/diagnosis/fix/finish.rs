//! What every fix gets in the end, whatever finding it belongs to.

use crate::{
    azure::{PLATFORM, resources::guarded},
    diagnosis::view::RunView,
    model::{Fix, Placeholder, Suspect},
    text::Shell,
};

/// Makes an instance take over the name servers of its virtual network.
pub(crate) const APPLY: &str = "az apim apply-network-updates --name NAME --resource-group RG";

/// A fix with what belongs to it whatever it is about: the instance takes over other name servers only when it is told to,
/// and what is known of the user's resources stands in the commands.
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

/// How a summary says it.
const WORDS: &str = "apply the network configuration";

/// Summaries that are longer say no more: the command stands among the changes all the same.
const LONGEST: usize = 220;

/// Where a name server of the user's own is at fault, the network may get other ones. The platform's own is always the same.
fn applied(fix: Fix, suspects: &[Suspect], view: &RunView<'_>) -> Fix {
    let own_servers = view.plan.name_servers.iter().any(|server| server.ip() != PLATFORM);
    if !own_servers || !suspects.contains(&Suspect::DnsServer) || fix.change.iter().any(|command| command == APPLY) {
        return fix;
    }
    let summary = if fix.summary.contains(WORDS) || fix.summary.chars().count() > LONGEST {
        fix.summary.clone()
    } else {
        format!("{} If you change the network's DNS servers, {WORDS}.", fix.summary)
    };
    Fix { summary, ..fix }.change([(APPLY, None)])
}
