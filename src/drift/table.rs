//! Tables of a page: required ports, and the hosts of each cloud.

use super::{
    PageRow,
    host::{HostWord, word},
    page::{CODE_BEGINS, CODE_ENDS},
    prose,
};
use crate::{
    model::{Direction, Transport},
    text::words::join,
};

/// The content of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Direction,
    Source,
    SourcePorts,
    Destination,
    Ports,
    Protocol,
    Action,
    Purpose,
    Vnet,
    Environment,
    Endpoints,
}

/// Known headings, in lower case.
const HEADINGS: [(&str, Column); 19] = [
    ("direction", Column::Direction),
    ("source service tag", Column::Source),
    ("source service tags", Column::Source),
    ("source", Column::Source),
    ("source port ranges", Column::SourcePorts),
    ("source port range", Column::SourcePorts),
    ("destination service tag", Column::Destination),
    ("destination service tags", Column::Destination),
    ("destination", Column::Destination),
    ("destination port ranges", Column::Ports),
    ("destination port range", Column::Ports),
    ("protocol", Column::Protocol),
    ("transport protocol", Column::Protocol),
    ("action", Column::Action),
    ("purpose", Column::Purpose),
    ("vnet type", Column::Vnet),
    ("azure environment", Column::Environment),
    ("endpoints", Column::Endpoints),
    ("endpoint", Column::Endpoints),
];

/// The columns that a table of required ports must have.
const OF_PORTS: [Column; 5] = [
    Column::Direction,
    Column::Source,
    Column::Destination,
    Column::Ports,
    Column::Protocol,
];

/// A table on the page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PageTable {
    pub line: usize,
    pub heads: Vec<String>,
    pub rows: Vec<(usize, Vec<String>)>,
}

/// The content of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TableReading {
    pub rows: Vec<PageRow>,
    pub unread: Vec<String>,
    /// Whether it is a table of required ports.
    pub of_ports: bool,
}

/// Reads a table; `tag` is the service tag of its section.
///
/// # Errors
///
/// The headings, if they are not those of a known table.
pub(super) fn read(table: &PageTable, tag: Option<&str>) -> Result<TableReading, String> {
    let columns = columns(table)?;
    let place = |wanted: Column| columns.iter().position(|column| *column == wanted);
    let mut reading = TableReading::default();
    if OF_PORTS.iter().all(|wanted| place(*wanted).is_some()) {
        reading.of_ports = true;
        for (line, cells) in &table.rows {
            let cells = repaired(cells, place(Column::Destination));
            let cell = |wanted: Column| {
                place(wanted)
                    .and_then(|index| cells.get(index))
                    .map_or("", String::as_str)
            };
            rule(*line, &cell, &mut reading);
        }
    } else if let (Some(environment), Some(endpoints)) = (place(Column::Environment), place(Column::Endpoints)) {
        for (line, cells) in &table.rows {
            let cell = |index: usize| cells.get(index).map_or("", String::as_str);
            hosts(*line, cell(environment), cell(endpoints), tag, &mut reading);
        }
    } else {
        return Err(unknown(table, "has no column of required ports or endpoints"));
    }
    Ok(reading)
}

fn columns(table: &PageTable) -> Result<Vec<Column>, String> {
    let known = |head: &String| {
        let head = head.to_lowercase();
        let head = head.split_whitespace().collect::<Vec<_>>().join(" ");
        HEADINGS
            .iter()
            .find(|(name, _)| *name == head)
            .map(|(_, column)| *column)
    };
    let strange: Vec<String> = table
        .heads
        .iter()
        .filter(|head| known(head).is_none())
        .map(|head| format!("\"{}\"", head.trim()))
        .collect();
    if strange.is_empty() {
        return Ok(table.heads.iter().filter_map(known).collect());
    }
    let verb = if strange.len() == 1 {
        "is not a known heading"
    } else {
        "are not known headings"
    };
    Err(unknown(table, &format!("{} {verb}", join(&strange, ", "))))
}

fn unknown(table: &PageTable, why: &str) -> String {
    let heads: Vec<&str> = table.heads.iter().map(|head| head.trim()).collect();
    format!(
        "the table at line {} (| {} |) cannot be read: {why}",
        table.line,
        heads.join(" | ")
    )
}

/// One row of the page lacks the bar between tag and ports, `| VirtualNetwork 6391 |`, and therefore its last cell.
fn repaired(cells: &[String], destination: Option<usize>) -> Vec<String> {
    let mut cells = cells.to_vec();
    let Some(index) = destination.filter(|index| *index < cells.len()) else {
        return cells;
    };
    let is_short = cells.last().is_some_and(|last| last.trim().is_empty());
    let split = cells[index]
        .trim()
        .rsplit_once(' ')
        .map(|(tag, ports)| (tag.to_owned(), ports.to_owned()));
    if let Some((tag, ports)) = split
        && is_short
        && ports.starts_with(|c: char| c.is_ascii_digit() || c == '[')
    {
        cells.pop();
        cells[index] = tag;
        cells.insert(index + 1, ports);
    }
    cells
}

/// One row of required ports.
fn rule<'a>(line: usize, cell: &impl Fn(Column) -> &'a str, reading: &mut TableReading) {
    let mut wrong = |why: String| reading.unread.push(format!("line {line}: {why}"));
    let Some(direction) = prose::direction_in(cell(Column::Direction)) else {
        return wrong(format!("\"{}\" is not a direction", plain(cell(Column::Direction))));
    };
    let action = plain(cell(Column::Action));
    if !(action.is_empty() || action.eq_ignore_ascii_case("allow")) {
        return wrong(format!("\"{action}\" is not a known action"));
    }
    let protocol = plain(cell(Column::Protocol));
    let transports: Vec<Option<Transport>> = match protocol.to_ascii_lowercase().as_str() {
        "*" | "any" | "" => vec![None],
        text => match (text.contains("tcp"), text.contains("udp")) {
            (false, false) => return wrong(format!("\"{protocol}\" is neither TCP nor UDP")),
            (tcp, udp) => {
                let both = [(tcp, Transport::Tcp), (udp, Transport::Udp)];
                both.into_iter()
                    .filter(|(named, _)| *named)
                    .map(|(_, it)| Some(it))
                    .collect()
            }
        },
    };
    let end = match direction {
        Direction::Inbound => Column::Source,
        Direction::Outbound | Direction::Peer => Column::Destination,
    };
    let tags = match tags(cell(end)) {
        Ok(tags) => tags,
        Err(why) => return wrong(why),
    };
    let ports = match ports(cell(Column::Ports)) {
        Ok(ports) => ports,
        Err(why) => return wrong(why),
    };
    for tag in &tags {
        for port in &ports {
            for transport in &transports {
                reading.rows.push(PageRow {
                    host: None,
                    port: *port,
                    transport: *transport,
                    direction: Some(direction),
                    tag: tag.clone(),
                    cloud: None,
                    line: Some(line),
                });
            }
        }
    }
    // Hosts in the purpose column are required as well.
    let facts = prose::read(cell(Column::Purpose));
    for (host, own) in facts.hosts() {
        for port in &ports {
            reading.rows.push(PageRow {
                host: Some(host.clone()),
                port: own.or(*port),
                transport: transports.first().copied().flatten().filter(|_| transports.len() == 1),
                direction: Some(direction),
                tag: tags.first().cloned().flatten(),
                cloud: None,
                line: Some(line),
            });
        }
    }
}

/// The service tags in a cell; `None` for any destination.
fn tags(cell: &str) -> Result<Vec<Option<String>>, String> {
    let text = plain(cell);
    if matches!(text.to_ascii_lowercase().as_str(), "*" | "any") {
        return Ok(vec![None]);
    }
    // "Virtual Network" is a tag as well.
    let tags: Vec<String> = text
        .split([',', '/', ';'])
        .map(|part| part.split_whitespace().collect::<String>())
        .filter(|tag| !tag.is_empty())
        .collect();
    let is_tag = |tag: &String| {
        tag.starts_with(|c: char| c.is_ascii_alphabetic()) && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
    };
    if tags.is_empty() || !tags.iter().all(is_tag) {
        return Err(format!("\"{text}\" is not a service tag"));
    }
    Ok(tags.into_iter().map(Some).collect())
}

/// The ports in a cell; `None` for all.
fn ports(cell: &str) -> Result<Vec<Option<u16>>, String> {
    let text = plain(cell);
    if matches!(text.to_ascii_lowercase().as_str(), "*" | "any" | "all") {
        return Ok(vec![None]);
    }
    let facts = prose::read(&format!("ports {}", text.replace(['[', ']', '(', ')', '/', ';'], ",")));
    let strange = text
        .split(|c: char| !c.is_alphabetic())
        .find(|word| !word.is_empty() && !["and", "or", "to", "optional"].contains(&word.to_lowercase().as_str()));
    match strange {
        None if !facts.ports().is_empty() && facts.doubtful.is_empty() => {
            Ok(facts.ports().into_iter().map(Some).collect())
        }
        _ => Err(format!("\"{text}\" is not a list of ports")),
    }
}

/// One row of the hosts in a cloud.
fn hosts(line: usize, environment: &str, endpoints: &str, tag: Option<&str>, reading: &mut TableReading) {
    let cloud = prose::cloud_in(environment);
    let mut found = Vec::new();
    for text in plain(endpoints).split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')')) {
        match word(text.trim(), true) {
            HostWord::Host(host, port) => found.push((host, port)),
            HostWord::Link(_) | HostWord::Other if text.contains('.') => {
                reading.unread.push(format!("line {line}: \"{text}\" is not a host"));
            }
            HostWord::Link(_) | HostWord::Other => {}
        }
    }
    if cloud.is_none() || found.is_empty() {
        let why = if cloud.is_none() {
            format!(
                "the catalog has no cloud \"{}\", so its hosts were not compared",
                plain(environment)
            )
        } else {
            "no endpoint was found in this row".to_owned()
        };
        reading.unread.push(format!("line {line}: {why}"));
        return;
    }
    reading.rows.extend(found.into_iter().map(|(host, port)| PageRow {
        host: Some(host),
        port,
        transport: None,
        direction: Some(Direction::Outbound),
        tag: tag.map(str::to_owned),
        cloud,
        line: Some(line),
    }));
}

/// A cell without its code markers.
fn plain(cell: &str) -> String {
    cell.replace([CODE_BEGINS, CODE_ENDS], " ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}
