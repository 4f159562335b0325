//! Several files to one: what it means to lay a catalog over another.

use std::collections::{HashMap, HashSet};

use super::{
    decode::{OpenMap, Overlay as _},
    problem::{ByteRange, Located, Problem},
    raw,
};

/// The first file: everything in it is new.
pub(super) fn alone(over: raw::Catalog, problems: &mut Vec<Problem>) -> raw::Catalog {
    let mut base = raw::Catalog {
        at: over.at,
        broken: over.broken,
        ..raw::Catalog::default()
    };
    apply(&mut base, over, problems);
    base
}

pub(super) fn apply(base: &mut raw::Catalog, over: raw::Catalog, problems: &mut Vec<Problem>) {
    if over.source.is_some() {
        base.source = over.source;
    }
    if let Some(clouds) = over.clouds {
        let under = base.clouds.get_or_insert_with(|| Located {
            value: OpenMap(Vec::new()),
            at: clouds.at,
        });
        for (name, table) in clouds.value.0 {
            match under.value.0.iter_mut().find(|(known, _)| known.value == name.value) {
                Some((_, known)) => merge(known, table),
                None => under.value.0.push((name, table)),
            }
        }
    }
    if let Some(gateways) = over.sql_gateways {
        let under = base.sql_gateways.get_or_insert_with(|| raw::SqlGateways {
            at: gateways.at,
            ..Default::default()
        });
        under.broken |= gateways.broken;
        under.source = gateways.source.or(under.source.take());
        extend(&mut under.regions, gateways.regions);
        extend(&mut under.ranges, gateways.ranges);
    }
    if let Some(list) = over.dependencies {
        let under = base.dependencies.get_or_insert_with(|| Located {
            value: Vec::new(),
            at: list.at,
        });
        add(&mut under.value, list.value, problems);
    }
    base.broken |= over.broken;
}

fn extend<T>(base: &mut Option<OpenMap<T>>, over: Option<OpenMap<T>>) {
    let Some(over) = over else { return };
    merge(base.get_or_insert_with(|| OpenMap(Vec::new())), over);
}

/// A later name replaces the earlier one.
fn merge<T>(OpenMap(base): &mut OpenMap<T>, OpenMap(over): OpenMap<T>) {
    let replaced: HashSet<&str> = over.iter().map(|(name, _)| name.value.as_str()).collect();
    base.retain(|(name, _)| !replaced.contains(name.value.as_str()));
    base.extend(over);
}

fn add(base: &mut Vec<raw::Dependency>, over: Vec<raw::Dependency>, problems: &mut Vec<Problem>) {
    let known: HashMap<String, usize> = base
        .iter()
        .enumerate()
        .filter_map(|(index, entry)| Some((entry.id.as_ref()?.value.clone(), index)))
        .collect();
    let mut seen: HashMap<String, ByteRange> = HashMap::new();
    for entry in over {
        let Some(id) = entry.id.clone() else {
            base.push(entry);
            continue;
        };
        if let Some(first) = seen.insert(id.value.clone(), id.at) {
            problems.push(
                Problem::new(
                    id.at,
                    format!("the id `{}` is used twice", id.value),
                    "give each dependency its own id",
                )
                .label("again here")
                .related(first, "first used here"),
            );
            continue;
        }
        match known.get(&id.value).and_then(|index| base.get_mut(*index)) {
            Some(earlier) if entry.endpoints.is_some() => *earlier = entry,
            Some(earlier) => earlier.overlay(entry),
            None => base.push(entry),
        }
    }
}
