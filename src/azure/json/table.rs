//! Tables: of `az -o table`, of PowerShell's `Format-Table`, and of the portal's CSV.

use serde_json::{Map, Value};

use super::{list, terminal};

/// The rows of a table whose header is followed by a line of dashes; `None` if the text is not one.
///
/// # Errors
///
/// What the table omits, or why its columns cannot be separated.
pub(super) fn columns(text: &str) -> Option<Result<Value, String>> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let rule = lines
        .windows(2)
        .position(|pair| is_header(pair[0]) && is_rule(pair[1]))?
        + 1;
    Some(read(&lines, rule))
}

/// Every table of Azure's tools has fewer columns.
const MAX_COLUMNS: usize = 64;

fn is_header(line: &str) -> bool {
    line.contains(|c: char| c.is_ascii_alphabetic()) && !terminal::is_noise(line)
}

fn is_rule(line: &str) -> bool {
    line.contains("--") && line.chars().all(|c| matches!(c, '-' | ' '))
}

fn read(lines: &[&str], rule: usize) -> Result<Value, String> {
    let rows: Vec<&str> = lines[rule + 1..]
        .iter()
        .copied()
        .take_while(|line| !line.trim().is_empty())
        .collect();
    let rest = &lines[rule + 1 + rows.len()..];
    if rest.iter().any(|line| is_rule(line)) {
        return Err("contains several tables: pass one".into());
    }
    let rows: Vec<&str> = rows.into_iter().filter(|line| !terminal::is_noise(line)).collect();
    let cuts = cuts(lines[rule], &[&[lines[rule - 1]], &rows[..]].concat())
        .ok_or("is a table whose columns cannot be separated")?;
    let names: Vec<String> = cells(lines[rule - 1], &cuts).iter().map(|name| key(name)).collect();
    let mut table: Vec<Vec<String>> = Vec::new();
    for row in rows {
        let cells = cells(row, &cuts);
        match table.last_mut().filter(|last| last.iter().any(|cell| is_open(cell))) {
            // A list that was wrapped within its column.
            Some(last) => {
                for (cell, more) in last.iter_mut().zip(&cells).filter(|(_, more)| !more.is_empty()) {
                    cell.push(' ');
                    cell.push_str(more);
                }
            }
            None => table.push(cells.into_iter().map(str::to_owned).collect()),
        }
    }
    objects(&names, &table)
}

fn is_open(cell: &str) -> bool {
    cell.starts_with('{') && !cell.contains('}')
}

/// Where to split the columns: between the dashes of neighbouring columns, at a position where every line has a space.
/// Columns are aligned left or right, so values may be wider than their dashes on either side.
fn cuts(rule: &str, lines: &[&str]) -> Option<Vec<usize>> {
    let rule: Vec<char> = rule.chars().collect();
    let lines: Vec<Vec<char>> = lines.iter().map(|line| line.chars().collect()).collect();
    let starts: Vec<usize> = (0..rule.len())
        .filter(|at| rule[*at] == '-' && (*at == 0 || rule[at - 1] == ' '))
        .collect();
    if starts.len() > MAX_COLUMNS {
        return None;
    }
    let is_gutter = |at: &usize| lines.iter().all(|line| line.get(*at).is_none_or(|c| *c == ' '));
    starts
        .windows(2)
        .map(|pair| {
            let end = (pair[0]..pair[1]).rev().find(|at| rule[*at] == '-')? + 1;
            (end..pair[1]).rev().find(is_gutter)
        })
        .collect()
}

fn cells<'a>(line: &'a str, cuts: &[usize]) -> Vec<&'a str> {
    let byte = |at: usize| line.char_indices().nth(at).map_or(line.len(), |(byte, _)| byte);
    let mut cells = Vec::new();
    let mut start = 0;
    for cut in cuts.iter().map(|cut| byte(*cut)).chain([line.len()]) {
        cells.push(line[start..cut].trim());
        start = cut;
    }
    cells
}

/// The rows of a table separated by commas, semicolons or tabs (RFC 4180) whose first line has column names of Azure's
/// tools; `None` if the text is not one.
///
/// # Errors
///
/// What the table omits.
pub(super) fn values(text: &str) -> Option<Result<Value, String>> {
    let at = text.lines().position(|line| !terminal::is_noise(line))?;
    let start: usize = text.split_inclusive('\n').take(at).map(str::len).sum();
    let text = &text[start..];
    let header = text.lines().next()?;
    let separator = [',', ';', '\t']
        .into_iter()
        .max_by_key(|separator| header.matches(*separator).count())?;
    let mut rows = records(text, separator).into_iter();
    let names: Vec<String> = rows.next()?.iter().map(|name| key(name)).collect();
    let is_known = |name: &String| KEYS.iter().any(|(_, known)| name == known);
    if names.len() < 3 || names.iter().filter(|name| is_known(name)).count() < 3 {
        return None;
    }
    let rows: Vec<Vec<String>> = rows
        .filter(|row| row.iter().any(|cell| !cell.trim().is_empty()))
        .collect();
    if rows.iter().any(|row| row.len() != names.len()) {
        return Some(Err("is a CSV table whose lines have different lengths".into()));
    }
    Some(objects(&names, &rows))
}

/// The fields of every record; a quoted field may contain separators, line ends and doubled quotes.
fn records(text: &str, separator: char) -> Vec<Vec<String>> {
    let mut records = Vec::new();
    let mut record: Vec<String> = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let Some(field) = record.last_mut() else { break };
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => field.push('"'),
            '"' => quoted = !quoted,
            '\r' if !quoted => {}
            '\n' if !quoted => records.push(std::mem::replace(&mut record, vec![String::new()])),
            c if c == separator && !quoted => record.push(String::new()),
            c => field.push(c),
        }
    }
    records.push(record);
    records
}

fn objects(names: &[String], rows: &[Vec<String>]) -> Result<Value, String> {
    let object = |row: &Vec<String>| {
        let fields = names
            .iter()
            .zip(row)
            .map(|(name, cell)| Ok((name.clone(), list::value(name, cell)?)));
        fields.collect::<Result<Map<_, _>, String>>().map(Value::Object)
    };
    rows.iter().map(object).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

/// Column headings of the Azure CLI, PowerShell and the portal, without spaces and in lower case, and the keys that
/// they stand for.
const KEYS: [(&str, &str); 20] = [
    ("addressprefix", "addressPrefix"),
    ("addressprefixes", "addressPrefix"),
    ("nexthoptype", "nextHopType"),
    ("nexthopip", "nextHopIpAddress"),
    ("nexthopipaddress", "nextHopIpAddress"),
    ("nexthoptypeipaddress", "nextHopIpAddress"),
    ("userdefinedroutename", "name"),
    ("name", "name"),
    ("source", "source"),
    ("state", "state"),
    ("priority", "priority"),
    ("direction", "direction"),
    ("access", "access"),
    ("action", "access"),
    ("protocol", "protocol"),
    ("status", "status"),
    ("error", "error"),
    ("lastupdated", "lastUpdated"),
    ("laststatuschange", "lastStatusChange"),
    ("resourcetype", "resourceType"),
];

fn key(heading: &str) -> String {
    let compact: String = heading.chars().filter(|c| !c.is_whitespace()).collect();
    let known = KEYS.iter().find(|(heading, _)| compact.eq_ignore_ascii_case(heading));
    known.map_or(compact, |(_, key)| (*key).to_owned())
}
