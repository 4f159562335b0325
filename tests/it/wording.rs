//! Words that must not appear in anything a user reads: help, explanations, findings, messages and documents.

use std::{
    fs,
    path::{Path, PathBuf},
};

use apim_probe::{
    azure::Cloud,
    catalog::model::Catalog,
    cli::Cli,
    explain::{explain, list, words},
};
use clap::CommandFactory;

/// Odd words, and what to write instead. A word that also has an ordinary use is listed with its neighbours.
const ODD_WORDS: &[(&str, &str)] = &[
    ("do without", "don't use, skip"),
    ("in silence", "gets no reply (silently dropped)"),
    ("fell silent", "stopped responding"),
    ("falls silent", "stops responding"),
    ("alike", "in the same way, the same"),
    ("somebody", "a device, a user"),
    ("nobody", "no host, unused, not known"),
    ("anybody", "any device, anyone"),
    ("everybody", "any address, all users"),
    ("for everyone", "to any address"),
    ("whence", "from where"),
    ("thereof", "of it"),
    ("beforehand", "in advance, first"),
    ("anew", "again, reload"),
    ("all is well", "everything works"),
    ("is well", "works, is reachable"),
    ("are well", "work, are as expected"),
    ("not well", "not reachable"),
    ("unwell", "failing"),
    ("has no way to", "has no route to"),
    ("knows no way", "has no route"),
    ("on the way", "on the path"),
    ("way out", "outbound access, outbound path"),
    ("speaks of", "describes, covers"),
    ("says nothing of", "shows nothing about"),
    ("nothing is known of", "nothing is known about"),
    ("in the place of", "instead of"),
    ("proves itself", "works, is verified"),
    ("proved itself", "worked, was verified"),
    ("prove themselves", "work"),
    ("goes by name", "the filter matches host names"),
    ("is a matter of", "is, takes"),
    ("out of their time", "outside their validity period"),
    ("has ended or has not begun", "is expired or not yet valid"),
    ("gone for good", "retired"),
    ("object a line", "one JSON object per line"),
    ("change a line", "one change per line"),
    ("endpoint a line", "one endpoint per line"),
    ("row an endpoint", "one row per endpoint"),
    ("a line each", "one line per …"),
    ("after we spoke", "after our first data"),
    ("time to live of", "TTL"),
    ("dialled", "tried, connected to"),
    ("to no avail", "same result"),
    ("comes to nothing", "fails"),
    ("lives here", "is stored here"),
    ("who asks", "clients"),
    ("for want of", "because … is missing"),
    ("one ear", "listens for"),
    ("does without", "doesn't use"),
    ("time to live", "TTL"),
    ("be chance", "be random packet loss"),
    ("wants a login", "requires a login"),
    ("stands twice", "appears twice"),
    ("knows no", "does not know, has no"),
    ("knows nothing", "does not know"),
    ("is no flag", "is not a flag"),
    ("some minutes", "a few minutes"),
    ("without a word", "silently"),
    ("tells of", "shows, reports"),
    ("tell of", "show, report"),
    ("said of", "known about"),
    ("say of", "know about, report about"),
    ("nothing tells", "nothing shows"),
    ("has to itself", "is specific to"),
    ("in vain", "without success"),
    ("cry wolf", "raise a false alarm"),
    ("as far as routers", "the hops that answer"),
    ("could not try", "could not probe"),
    ("keeps it from", "prevents it from"),
    ("turns it away", "denies access"),
    ("will not do", "does not work"),
    ("mended", "fixed, corrected"),
    ("small letters", "lowercase letters"),
    ("inner dashes", "hyphens (not first or last)"),
    ("not proved", "not verified"),
    ("is proved", "is verified"),
    ("whatever their destination", "regardless of their destination"),
    ("asks to wait", "asks for a wait of"),
    ("is told", "is notified, is known"),
    ("at their word", "literally"),
    ("cries inspection", "reports TLS inspection"),
    ("says no", "refuses, denies"),
    ("breaks tls open", "inspects TLS"),
    ("tells apart", "distinguishes"),
    ("told apart", "distinguished"),
    ("tell apart", "distinguish"),
    ("goes by", "uses, matches"),
    ("takes for", "treats as"),
    ("likeliest", "most likely"),
    ("weightiest", "most important"),
    ("stands beside", "is next to"),
    ("stands behind", "is behind, follows"),
    ("nobody owns", "reserved, unused"),
    ("are of another", "are from another"),
    ("told nothing", "gave no answer"),
    ("decides nothing", "does not count"),
    ("decide nothing", "do not count, are informational"),
    ("in spite of", "regardless of"),
    ("may be meant", "may be intended"),
    ("than such a file ever is", "the limit for such a file"),
    ("than any catalog", "too much for a catalog"),
    ("not known to be offered", "not known to be used"),
    ("known to offer", "known to be used"),
    ("nobody's business", "not to be published"),
    ("is blamed", "is suspected"),
    ("blames", "names as the cause"),
    ("lying peer", "peer that forges replies"),
    ("take the place", "act as, replace"),
    ("was asked for", "was requested"),
    ("not asked for", "not requested"),
    ("cuts nothing", "truncates nothing"),
    ("pattern of compare", "compare pattern"),
    ("drips", "sends slowly"),
    ("tested nowhere", "not tested anywhere"),
    ("shall", "must, will"),
    ("hence", "so, because"),
    ("thus", "so"),
    ("amongst", "among"),
    ("upon", "on"),
    ("whilst", "while"),
    ("wherein", "in which"),
    ("whereby", "by which"),
    ("on its way to", "in transit to"),
];

/// Those that must not appear in the sources' comments either.
const ODD_WORDS_IN_COMMENTS: &[&str] = &[
    "somebody",
    "anybody",
    "whoever",
    "anew",
    "in silence",
    "in vain",
    "cry wolf",
    "on the way",
    "proves itself",
    "proved itself",
    "nobody",
    "everybody",
    "in the place of",
    "told apart",
    "tells apart",
    "tell apart",
    "goes by",
    "does without",
    "do without",
    "taken for",
    "takes for",
    "of no use to anybody",
    "stands beside",
    "stands behind",
    "beside",
    "likeliest",
    "weightiest",
    "says of",
    "say of",
    "said of",
    "tells of",
    "tell of",
    "asked for",
    "has to itself",
    "knows no",
    "all the same",
    "of its own mind",
    "breaks tls open",
    "on the way out",
    "by its own account",
];

/// A test's name begins with its subject, not with a word that stands for it.
const NO_SUBJECTS: [&str; 8] = ["what", "who", "whoever", "it", "they", "nothing", "whatever", "where"];
/// A longer name does not fit into a list of failures.
const MAX_TEST_NAME: usize = 60;

/// Documents that users read.
const DOCUMENTS: [&str; 14] = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs",
    "probes.yaml",
    "tiers",
    "deploy",
    "RELEASING.md",
    "examples",
    "templates",
    "scripts",
    ".github/ISSUE_TEMPLATE",
    "schemas",
];

/// Files with other people's words, such as those on block pages.
const THIRD_PARTY_TEXTS: [&str; 1] = ["src/hello/http/denial/signatures.rs"];

#[test]
fn help_has_no_odd_words() {
    let mut program = Cli::command();
    let mut texts = vec![("--help".to_owned(), program.render_long_help().to_string())];
    for command in program.get_subcommands_mut() {
        texts.push((
            format!("{} --help", command.get_name()),
            command.render_long_help().to_string(),
        ));
    }
    assert!(texts.len() > 10);
    assert_no_odd_words(texts);
}

#[test]
fn explanations_have_no_odd_words() {
    let catalog = Catalog::builtin();
    let mut texts = vec![("explain".to_owned(), list(&catalog))];
    for word in words(&catalog) {
        let page = explain(word, &catalog, Cloud::Public).unwrap();
        texts.push((format!("explain {word}"), page));
    }
    assert_no_odd_words(texts);
}

#[test]
fn findings_and_messages_have_no_odd_words() {
    let mut texts = Vec::new();
    for file in files("src", "rs") {
        let name = file.to_string_lossy().into_owned();
        if name.ends_with("tests.rs") || THIRD_PARTY_TEXTS.contains(&name.as_str()) {
            continue;
        }
        let source = fs::read_to_string(root().join(&file)).unwrap();
        let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
        // A single word is a name: of a kind, a status, a key.
        let sentences = strings(source).into_iter().filter(|text| text.contains(' '));
        texts.extend(sentences.map(|text| (name.clone(), text)));
    }
    assert!(texts.len() > 1000);
    assert_no_odd_words(texts);
}

#[test]
fn documents_have_no_odd_words() {
    let mut texts = Vec::new();
    for document in DOCUMENTS {
        let found = if root().join(document).is_file() {
            vec![PathBuf::from(document)]
        } else {
            files(document, "")
        };
        assert!(!found.is_empty(), "{document}");
        for file in found {
            let text = fs::read_to_string(root().join(&file)).unwrap();
            texts.push((file.to_string_lossy().into_owned(), prose(&text)));
        }
    }
    assert_no_odd_words(texts);
}

#[test]
fn comments_have_no_odd_words() {
    let mut wrong = Vec::new();
    for folder in ["src", "lab", "tests", "checks", "demo", "benches"] {
        for file in files(folder, "rs") {
            let source = fs::read_to_string(root().join(&file)).unwrap();
            let lines = source
                .lines()
                .map(|line| line.trim_start().strip_prefix("//").unwrap_or(""));
            let comments: Vec<&str> = lines.map(|line| line.trim_start_matches(['/', '!'])).collect();
            // Code is not prose: `nobody` is a user, `beside` may be a variable.
            let text: String = comments.join("\n").split('`').step_by(2).collect();
            let found = odd_words(&text, ODD_WORDS_IN_COMMENTS.iter().copied());
            wrong.extend(found.iter().map(|words| format!("{}: \"{words}\"", file.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn test_names_are_short_and_have_no_odd_words() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for file in ["src", "tests/it", "checks"]
        .iter()
        .flat_map(|folder| files(folder, "rs"))
    {
        let source = fs::read_to_string(root().join(&file)).unwrap();
        for name in test_names(&source) {
            count += 1;
            let words = name.replace('_', " ");
            let odd = ODD_WORDS
                .iter()
                .map(|(odd, _)| *odd)
                .chain(ODD_WORDS_IN_COMMENTS.iter().copied());
            let is_odd = !odd_words(&words, odd).is_empty();
            let has_subject = !NO_SUBJECTS.contains(&words.split(' ').next().unwrap_or_default());
            if is_odd || !has_subject || name.len() > MAX_TEST_NAME {
                wrong.push(format!("{}: {name}", file.display()));
            }
        }
    }
    assert!(count > 600, "{count}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The names of the functions below a test attribute.
fn test_names(source: &str) -> Vec<&str> {
    let mut is_test = false;
    let mut names = Vec::new();
    for line in source.lines().map(str::trim_start) {
        is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        if let Some((_, rest)) = line
            .split_once("fn ")
            .filter(|(before, _)| matches!(*before, "" | "async "))
        {
            let name = rest.split(['(', '<']).next().unwrap_or_default();
            names.extend(is_test.then_some(name));
            is_test = false;
        }
    }
    names
}

#[test]
fn odd_words_are_detected() {
    for sentence in [
        "TCP 1433 is dropped in\n  silence",
        "a name, which nobody owns",
        "Three hosts fare alike.",
        "Do WITHOUT the built-in catalog",
        "a firewall on\nthe way",
        "one JSON object a line",
    ] {
        assert!(!odd_words_in(sentence).is_empty(), "{sentence}");
    }
    for sentence in [
        "gets no reply (silently dropped)",
        "as well as the other one",
        "a finding has a line for each event",
        "always on, anyway",
        "NOBODY_HERE",
    ] {
        assert_eq!(odd_words_in(sentence), Vec::<&str>::new(), "{sentence}");
    }
    let source = "/// Nobody reads this.\nconst A: &str = \"some\\\n    body // here\"; // nobody\nlet b = '\"'; let c = r#\"raw \"x\"\"#;";
    assert_eq!(strings(source), ["somebody // here", "raw \"x\""]);
    let tests = "#[test]\nfn one() {\n    fn helper() {}\n}\n#[tokio::test]\n#[ignore]\nasync fn two() {}\n";
    assert_eq!(test_names(tests), ["one", "two"]);
}

/// Fails with every odd word in these texts, each with its file.
fn assert_no_odd_words(texts: Vec<(String, String)>) {
    let mut wrong = Vec::new();
    for (place, text) in texts {
        for words in odd_words_in(&text) {
            let instead = ODD_WORDS.iter().find(|(odd, _)| *odd == words).map_or("", |(_, it)| it);
            let start: String = text.chars().take(120).collect();
            wrong.push(format!("{place}: \"{words}\" (write: {instead}) in: {start}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The odd words in a text, across line breaks and punctuation.
fn odd_words_in(text: &str) -> Vec<&'static str> {
    odd_words(text, ODD_WORDS.iter().map(|(odd, _)| *odd))
}

/// Those of `odd` that a text contains, across line breaks and punctuation.
fn odd_words(text: &str, odd: impl IntoIterator<Item = &'static str>) -> Vec<&'static str> {
    let letters = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '_' | '-');
    let words: Vec<String> = text
        .split(|c| !letters(c))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let text = format!(" {} ", words.join(" "));
    let odd = odd.into_iter();
    odd.filter(|odd| text.contains(&format!(" {odd} "))).collect()
}

/// A document without its code: names and commands are not prose.
fn prose(text: &str) -> String {
    text.split("\n```").step_by(2).collect()
}

/// The string literals of Rust source, without line continuations.
fn strings(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '\'', '/', 'r']) {
        let (before, from) = rest.split_at(at);
        let in_a_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        rest = if let Some(comment) = from.strip_prefix("//") {
            comment.split_once('\n').map_or("", |(_, after)| after)
        } else if let Some(raw) = from.strip_prefix("r#\"").filter(|_| !in_a_word) {
            let (text, after) = raw.split_once("\"#").unwrap_or((raw, ""));
            found.push(text.to_owned());
            after
        } else if let Some(text) = from.strip_prefix('"') {
            let end = closing(text);
            found.push(joined(&text[..end]));
            text.get(end + 1..).unwrap_or("")
        } else if let Some(letter) = from.strip_prefix('\'') {
            // A character, or a lifetime.
            let quoted = letter
                .strip_prefix('\\')
                .map_or(1, |escaped| 1 + escaped.find('\'').unwrap_or(1));
            let length = if letter.starts_with('\\') {
                quoted
            } else {
                letter.chars().next().map_or(0, char::len_utf8)
            };
            letter
                .get(length..)
                .and_then(|after| after.strip_prefix('\''))
                .unwrap_or(letter)
        } else {
            &from[1..]
        };
    }
    found
}

/// Where a string ends that has begun.
fn closing(text: &str) -> usize {
    let mut escaped = false;
    text.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })
    .unwrap_or(text.len())
}

/// A string with its lines joined.
fn joined(text: &str) -> String {
    let mut lines = text.split("\\\n");
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |text, line| text + line.trim_start())
}

/// The files below a folder with an extension, as paths from the root; all of them if it is empty.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
            } else if ending.is_empty() || path.extension().is_some_and(|it| it == ending) {
                found.push(path);
            }
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
