//! Small words: counts, lists, durations, sentences.

use std::{collections::HashSet, fmt::Display, time::Duration};

use jiff::SignedDuration;

/// `1 endpoint`, `3 endpoints`, `2 dependencies`, `4 addresses`.
pub fn count(n: usize, noun: &str) -> String {
    match (n, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{n} {stem}ies"),
        _ if noun.ends_with('s') => format!("{n} {noun}es"),
        _ => format!("{n} {noun}s"),
    }
}

/// The items in order, each once.
pub fn distinct<'a>(items: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut known = HashSet::new();
    items.into_iter().filter(|item| known.insert(*item)).collect()
}

/// `a`, `a and b`, `a, b and c`; beyond `most` names `a, b and 4 more`.
pub fn list(items: &[&str], most: usize) -> String {
    let (named, left) = if items.len() > most {
        items.split_at(most.max(2) - 1)
    } else {
        (items, &[][..])
    };
    match (named, left.len()) {
        ([], _) => String::new(),
        ([one], 0) => (*one).to_owned(),
        ([rest @ .., last], 0) => format!("{} and {last}", rest.join(", ")),
        (named, more) => format!("{} and {more} more", named.join(", ")),
    }
}

/// The items with a separator between them.
pub fn join<T: Display>(items: impl IntoIterator<Item = T>, separator: &str) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(separator)
}

/// A duration in its two largest units: `0.4 ms`, `120 ms`, `5.0 s`, `12 s`, `3 min 12 s`, `2 h 5 min`, `3 d 4 h`.
pub fn duration(time: Duration) -> String {
    let exact = time.as_secs_f64();
    match exact {
        0.0 => return "0 s".into(),
        ..0.00995 => return format!("{:.1} ms", exact * 1_000.0),
        ..0.9995 => return format!("{:.0} ms", exact * 1_000.0),
        ..9.95 => return format!("{exact:.1} s"),
        _ => {}
    }
    let seconds = time.as_secs() + u64::from(time.subsec_millis() >= 500);
    let (size, unit, part, smaller) = match seconds {
        ..60 => (1, "s", 1, ""),
        60..3_600 => (60, "min", 1, "s"),
        3_600..86_400 => (3_600, "h", 60, "min"),
        _ => (86_400, "d", 3_600, "h"),
    };
    match (seconds / size, seconds % size / part) {
        (whole, 0) => format!("{whole} {unit}"),
        (whole, rest) => format!("{whole} {unit} {rest} {smaller}"),
    }
}

/// [`duration`] of milliseconds as in reports; anything that is not a duration counts as zero.
pub fn milliseconds(ms: f64) -> String {
    duration(Duration::try_from_secs_f64(ms / 1_000.0).unwrap_or_default())
}

/// How old something is, in the largest unit that fits: `less than a day old`, `3 days old`, `2 years old`.
pub fn age(age: SignedDuration) -> String {
    let days = age.as_hours() / 24;
    match days {
        ..1 => "less than a day old".to_owned(),
        1 => "1 day old".to_owned(),
        2..60 => format!("{days} days old"),
        60..730 => format!("{} months old", days / 30),
        _ => format!("{} years old", days / 365),
    }
}

/// Sentences as one paragraph: each ends in a full stop.
pub fn sentences(parts: &[String]) -> String {
    let ended = parts
        .iter()
        .map(|part| part.trim())
        .filter(|part| !part.is_empty())
        .map(|part| {
            if part.ends_with(['.', '!', '?', ':', '"']) {
                part.to_owned()
            } else {
                format!("{part}.")
            }
        });
    ended.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::{age, count, list, milliseconds, sentences};

    #[test]
    fn counts_and_lists_read_as_english() {
        assert_eq!(count(1, "endpoint"), "1 endpoint");
        assert_eq!(count(0, "endpoint"), "0 endpoints");
        assert_eq!(count(2, "dependency"), "2 dependencies");
        for (items, most, text) in [
            (&[][..], 3, ""),
            (&["a"][..], 3, "a"),
            (&["a", "b"], 3, "a and b"),
            (&["a", "b", "c"], 3, "a, b and c"),
            (&["a", "b", "c", "d"], 3, "a, b and 2 more"),
        ] {
            assert_eq!(list(items, most), text);
        }
    }

    #[test]
    fn durations_are_rounded_by_magnitude() {
        for (ms, text) in [
            (0.0, "0 s"),
            (0.01, "0.0 ms"),
            (0.42, "0.4 ms"),
            (121.6, "122 ms"),
            (999.7, "1.0 s"),
            (5_001.2, "5.0 s"),
            (12_400.0, "12 s"),
            (59_990.0, "1 min"),
            (192_000.0, "3 min 12 s"),
            (7_500_000.0, "2 h 5 min"),
            (90_000_000.0, "1 d 1 h"),
            (31_536_000_000.0, "365 d"),
            (-1.0, "0 s"),
            (f64::NAN, "0 s"),
            (f64::INFINITY, "0 s"),
        ] {
            assert_eq!(milliseconds(ms), text);
        }
    }

    #[test]
    fn age_has_a_single_unit() {
        for (hours, text) in [
            (-5, "less than a day old"),
            (23, "less than a day old"),
            (24, "1 day old"),
            (24 * 59, "59 days old"),
            (24 * 90, "3 months old"),
            (24 * 1200, "3 years old"),
        ] {
            assert_eq!(age(SignedDuration::from_hours(hours)), text);
        }
    }

    #[test]
    fn sentences_end_with_a_full_stop() {
        let parts = ["One".to_owned(), " ".to_owned(), "Two.".to_owned()];
        assert_eq!(sentences(&parts), "One. Two.");
    }
}
