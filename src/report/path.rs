//! A path and where packets stop, drawn in one line.

use crate::{
    model::{Hop, HopDoes, Path},
    text::columns,
};

/// `VM 10.1.0.4 ── hop 1 10.1.9.4 ──✂ Sql 1433`, in at most `width` columns if enough of the hops in between can be
/// omitted.
pub(crate) fn draw(path: &Path, width: usize, unicode: bool) -> String {
    let nodes = nodes(path);
    let whole = line(&nodes, &path.label, unicode);
    let [vm, first, .., last] = nodes.as_slice() else {
        return whole;
    };
    if columns(&whole) <= width {
        return whole;
    }
    let more = if unicode { "…" } else { "..." };
    let ends = [vm.clone(), first.clone(), more.to_owned(), last.clone()];
    line(&ends, &path.label, unicode)
}

/// The stations of a diagram: this machine, the hops, and the target; if a hop saw what the NSG let out, also that NSG.
pub(crate) fn draw_lines(path: &Path, is_guarded: bool) -> Vec<String> {
    let mut nodes = nodes(path);
    let has_left = path.hops.first().is_some_and(|hop| hop.does == HopDoes::Forwards);
    if is_guarded && has_left {
        nodes.insert(1, "NSG".into());
    }
    nodes.push(path.label.clone());
    nodes
}

/// This machine and the hops, in words.
fn nodes(path: &Path) -> Vec<String> {
    let vm = path
        .from
        .as_ref()
        .map_or_else(|| "VM".to_owned(), |from| format!("VM {from}"));
    std::iter::once(vm).chain(path.hops.iter().map(node)).collect()
}

/// A hop in words.
fn node(hop: &Hop) -> String {
    let number = hop.hop;
    match (hop.does, &hop.address) {
        // A device this near may be this machine itself.
        (HopDoes::Accepts, None) => format!("proxy here or at hop {number}"),
        (HopDoes::Refuses, None) => format!("reset here or at hop {number}"),
        (HopDoes::Accepts, Some(address)) => format!("proxy at hop {number} {address}"),
        (_, None) => format!("hop {number}"),
        (_, Some(address)) => format!("hop {number} {address}"),
    }
}

fn line(nodes: &[String], label: &str, unicode: bool) -> String {
    let (link, cut) = if unicode {
        (" ── ", " ──✂ ")
    } else {
        (" -- ", " --x ")
    };
    format!("{}{cut}{label}", nodes.join(link))
}

#[cfg(test)]
mod tests {
    use super::{draw, draw_lines};
    use crate::model::{Hop, HopDoes, Path};

    fn hop(number: u8, address: Option<&str>, does: HopDoes) -> Hop {
        Hop {
            hop: number,
            does,
            address: address.map(str::to_owned),
            icmp_type: None,
            icmp_code: None,
            rtt_ms: None,
        }
    }

    fn path(hops: Vec<Hop>) -> Path {
        Path {
            endpoint: "sql/x:1433".into(),
            from: Some("10.1.0.4".into()),
            to: "20.1.2.3:1433".into(),
            label: "Sql 1433".into(),
            hops,
        }
    }

    #[test]
    fn path_is_drawn_in_one_line() {
        let one = path(vec![hop(1, Some("10.1.9.4"), HopDoes::Forwards)]);
        assert_eq!(draw(&one, 75, true), "VM 10.1.0.4 ── hop 1 10.1.9.4 ──✂ Sql 1433");
        assert_eq!(draw(&one, 75, false), "VM 10.1.0.4 -- hop 1 10.1.9.4 --x Sql 1433");
        let proxy = path(vec![hop(1, None, HopDoes::Accepts)]);
        assert_eq!(
            draw(&proxy, 75, true),
            "VM 10.1.0.4 ── proxy here or at hop 1 ──✂ Sql 1433"
        );
        assert_eq!(
            draw_lines(&proxy, true),
            ["VM 10.1.0.4", "proxy here or at hop 1", "Sql 1433"]
        );
        assert_eq!(draw_lines(&one, false), ["VM 10.1.0.4", "hop 1 10.1.9.4", "Sql 1433"]);
        assert_eq!(
            draw_lines(&one, true),
            ["VM 10.1.0.4", "NSG", "hop 1 10.1.9.4", "Sql 1433"]
        );
        let long = (1..=6)
            .map(|n| hop(n, Some("10.100.200.254"), HopDoes::Forwards))
            .collect();
        assert_eq!(
            draw(&path(long), 75, true),
            "VM 10.1.0.4 ── hop 1 10.100.200.254 ── … ── hop 6 10.100.200.254 ──✂ Sql 1433"
        );
    }
}
