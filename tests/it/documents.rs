//! Azure's documents in the forms that users have: what is read, what is refused, and the messages.

use std::{fs, path::PathBuf};

use apim_probe::{
    import::{DocumentKind, ImportedDocument},
    network::{NetworkRules, Origin, nsg::SecurityRules, routes::Routes, service_tags::ServiceTags},
};
use proptest::prelude::*;

mod formats;
mod refused;

fn fixture(name: &str) -> Vec<u8> {
    fs::read(
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data/azure")
            .join(name),
    )
    .unwrap()
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

fn routes(bytes: &[u8]) -> Routes {
    Routes::parse(bytes).unwrap_or_else(|error| panic!("{error}"))
}

fn security(bytes: &[u8]) -> SecurityRules {
    SecurityRules::parse(bytes).unwrap_or_else(|error| panic!("{error}"))
}

fn tags(bytes: &[u8]) -> ServiceTags {
    ServiceTags::parse(bytes).unwrap_or_else(|error| panic!("{error}"))
}

fn imported(text: &str, kind: DocumentKind) -> ImportedDocument {
    ImportedDocument::read(text, "file", kind, None).unwrap_or_else(|error| panic!("{error}"))
}

/// Every file of a flag is read by one of these.
fn read_all(bytes: &[u8]) -> [Result<(), String>; 5] {
    let import = |kind| ImportedDocument::read(&String::from_utf8_lossy(bytes), "file", kind, None).map(drop);
    [
        SecurityRules::parse(bytes).map(drop),
        Routes::parse(bytes).map(drop),
        ServiceTags::parse(bytes).map(drop),
        import(DocumentKind::NetworkStatus),
        import(DocumentKind::Dependencies),
    ]
}

/// A document with a byte changed, a line removed, or something inserted.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let names: Vec<String> = fs::read_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/azure"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    let change = prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        prop::sample::select(vec![
            "{",
            "}",
            "[",
            "\"",
            "...",
            "…",
            "\r",
            "\u{1b}[",
            "- Finished ..",
            "\n\n",
            "  ",
            ",",
            "{}",
            "@{"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let changes = prop::collection::vec((any::<prop::sample::Index>(), change, 0_usize..40), 1..4);
    (prop::sample::select(names), changes).prop_map(|(name, changes)| {
        let mut bytes = fixture(&name);
        for (at, new, length) in changes {
            let at = at.index(bytes.len());
            let end = bytes.len().min(at + length);
            bytes.splice(at..end, new);
        }
        bytes
    })
}

proptest! {
    #[test]
    fn any_bytes_do_not_panic(bytes in any::<Vec<u8>>()) {
        let _ = read_all(&bytes);
    }

    #[test]
    fn any_text_does_not_panic(text in "[-{}\\[\\]\":, \t\r\n.a-zA-Z0-9…@/\\\\|<>#]{0,200}") {
        let _ = read_all(text.as_bytes());
    }

    #[test]
    fn mutated_document_is_read_or_refused_with_a_command(bytes in mutated()) {
        for result in read_all(&bytes) {
            // Every refusal names the command to run.
            if let Err(refusal) = result {
                prop_assert!(refusal.contains('`') || refusal.contains("larger than"), "{}", refusal);
                prop_assert!(!refusal.contains('\u{1b}'), "{}", refusal);
            }
        }
    }
}
