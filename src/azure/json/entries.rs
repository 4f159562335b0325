//! The entries of a document, below any wrapper.

use super::{DocumentKind, JsonNode, Object, SourceFormat, failure};

/// The entries of a document, which must be of one kind.
///
/// # Errors
/// What it looks like instead.
pub(super) fn of(root: JsonNode<'_>, wanted: DocumentKind, form: SourceFormat) -> Result<Vec<Object<'_>>, String> {
    let (entries, is_list) = unwrapped(root, MAX_DEPTH);
    let objects: Vec<Object<'_>> = entries.iter().filter_map(|entry| entry.object()).collect();
    let is_odd = objects.len() != entries.len();
    let other_kind = objects.iter().map(DocumentKind::of).find(|kind| *kind != Some(wanted));
    // An empty list can be an empty list of anything.
    if is_odd || other_kind.is_some() || entries.is_empty() && !is_list {
        let failure = root.object().as_ref().and_then(failure::of_object);
        let found = other_kind.flatten().filter(|_| !is_odd);
        return Err(match (failure, found) {
            (Some(failure), _) => failure.to_string(),
            (None, Some(kind)) => other(kind, form),
            (None, None) => unknown(root, form),
        });
    }
    if wanted == DocumentKind::EffectiveRoutes && !is_list {
        return Err("contains a single route, but every network interface has several".into());
    }
    if form.is_lossy() {
        let missing = lost(&objects, wanted);
        if !missing.is_empty() {
            return Err(format!("is {form} without {}", missing.join(", ")));
        }
    }
    Ok(objects)
}

/// What a document looks like that contains nothing of what is wanted.
pub(super) fn unlike(root: JsonNode<'_>, form: SourceFormat) -> String {
    if let Some(failure) = root.object().as_ref().and_then(failure::of_object) {
        return failure.to_string();
    }
    let (entries, _) = unwrapped(root, MAX_DEPTH);
    let kind = entries.first().and_then(|entry| DocumentKind::of(&entry.object()?));
    kind.map_or_else(|| unknown(root, form), |kind| other(kind, form))
}

/// How deep Azure and its tools nest entries: `responses`, `200`, `body`, `properties`, `value`.
const MAX_DEPTH: usize = 6;

/// The entries of a list, of a wrapper around one, or the single object; and whether there was a list.
fn unwrapped(node: JsonNode<'_>, depth: usize) -> (Vec<JsonNode<'_>>, bool) {
    let alone = || (vec![node], false);
    if depth == 0 {
        return alone();
    }
    if let Some(items) = node.items() {
        // What `--query` leaves of one list, or PowerShell of one page.
        return match items[..] {
            [only] if is_wrapper(only) => unwrapped(only, depth - 1),
            _ => (items, true),
        };
    }
    let Some(object) = node.object() else { return alone() };
    if DocumentKind::of(&object).is_some() {
        return alone();
    }
    let below: Vec<(Vec<JsonNode<'_>>, bool)> = object
        .fields()
        .filter(|(_, value)| value.is_nested())
        .map(|(_, value)| unwrapped(value, depth - 1))
        .collect();
    let is_known = |(entries, _): &&(Vec<JsonNode<'_>>, bool)| {
        let first = entries.first().and_then(|entry| entry.object());
        first.is_some_and(|first| DocumentKind::of(&first).is_some())
    };
    let known: Vec<&(Vec<JsonNode<'_>>, bool)> = below.iter().filter(is_known).collect();
    match (&known[..], &below[..]) {
        ([one], _) => (*one).clone(),
        // An empty page: `{"value": [], "nextLink": null}`.
        ([], [(entries, true)]) if entries.is_empty() => (Vec::new(), true),
        _ => alone(),
    }
}

/// Whether it contains entries but is not an entry itself.
fn is_wrapper(node: JsonNode<'_>) -> bool {
    node.items().is_some() || node.object().is_some_and(|object| DocumentKind::of(&object).is_none())
}

/// The keys that are required and that no entry has.
fn lost(objects: &[Object<'_>], wanted: DocumentKind) -> Vec<&'static str> {
    let missing = |key: &&&str| !objects.iter().all(|object| object.has(key));
    wanted.needs().iter().filter(missing).copied().collect()
}

fn other(kind: DocumentKind, form: SourceFormat) -> String {
    let flag = match kind.word() {
        "" => String::new(),
        word => format!("; pass it with --{word}"),
    };
    let form = if form == SourceFormat::Json {
        String::new()
    } else {
        format!("{form} of ")
    };
    format!("looks like {form}{}{flag}", kind.what())
}

/// What it looks like, for a document of no known kind.
fn unknown(root: JsonNode<'_>, form: SourceFormat) -> String {
    if root.is_null() {
        return "is null: the command or its --query found nothing".into();
    }
    let (list, first) = match (root.items(), root.object()) {
        (Some(items), _) => (true, items.first().copied()),
        (None, Some(object)) => match ["value", "values"].iter().find_map(|key| object.own(key)?.items()) {
            Some(items) if !items.is_empty() => (true, items.first().copied()),
            _ => (false, Some(root)),
        },
        (None, None) => return "looks like a single value".into(),
    };
    let first = first.unwrap_or(root);
    let Some(object) = first.object() else {
        let what = if first.items().is_some() {
            "lists"
        } else {
            "plain values"
        };
        return format!("looks like a list of {what}");
    };
    let of = match object.text("type").filter(|kind| kind.starts_with("Microsoft.")) {
        Some(kind) => format!(" of the type {kind}"),
        None => keys(&object),
    };
    match (form, list) {
        (SourceFormat::Json, true) => format!("looks like a list of something else{of}"),
        (SourceFormat::Json, false) => format!("looks like another kind of object{of}"),
        _ => format!("is {form} of something else{of}"),
    }
}

/// ` with a, b, c, d …`
fn keys(object: &Object<'_>) -> String {
    const MAX_KEYS: usize = 4;
    let keys: Vec<&str> = object.fields().map(|(key, _)| key).collect();
    let more = if keys.len() > MAX_KEYS { " …" } else { "" };
    match keys.len() {
        0 => " without any keys".into(),
        all => format!(" with {}{more}", keys[..all.min(MAX_KEYS)].join(", ")),
    }
}
