//! The kind of file in a path, and whether a body begins like one.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// A kind of file whose first bytes distinguish it from a block page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// A certificate revocation list in DER (RFC 5280, section 5.1).
    Crl,
    /// A certificate in DER (RFC 5280, section 4.1), or several in a PKCS #7 message.
    Certificate,
    /// A Windows cabinet file (MS-CAB, `CFHEADER`).
    Cabinet,
    /// The response of an OCSP responder (RFC 6960, section 4.2.1), including refusals.
    Ocsp,
}

impl ObjectKind {
    /// Whether `body` begins as a file of this kind must.
    pub fn matches(self, body: &[u8]) -> bool {
        match self {
            // A SEQUENCE whose length takes more than one byte: neither is ever shorter than 128 bytes.
            Self::Crl | Self::Certificate => matches!(body, [0x30, 0x80..=0x8f, ..]),
            Self::Cabinet => body.starts_with(b"MSCF"),
            // A SEQUENCE that begins with the ENUMERATED responseStatus.
            Self::Ocsp => sequence(body).is_some_and(|(_, content)| matches!(content, [0x0a, 0x01, 0..=3 | 5..=6, ..])),
        }
    }

    /// The kind in words, with its article.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crl => "a revocation list",
            Self::Certificate => "a certificate",
            Self::Cabinet => "a cabinet file",
            Self::Ocsp => "an OCSP response",
        }
    }
}

/// The kind of file that `path` requests: by its file name's extension, or because it ends in an OCSP request (RFC
/// 6960, appendix A.1: base64, then percent-encoded).
pub fn object_kind(path: &str) -> Option<ObjectKind> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let file = path.rsplit('/').next().unwrap_or_default();
    let ending = file.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("crl") => Some(ObjectKind::Crl),
        Some("crt" | "cer" | "der" | "p7c" | "p7b") => Some(ObjectKind::Certificate),
        Some("cab") => Some(ObjectKind::Cabinet),
        _ => path
            .match_indices('/')
            .any(|(at, _)| is_ocsp_request(&path[at + 1..]))
            .then_some(ObjectKind::Ocsp),
    }
}

/// Whether text is the base64 of exactly one DER SEQUENCE, with or without padding and percent-encoding.
fn is_ocsp_request(text: &str) -> bool {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decoded = percent_decoded(text).and_then(|text| GeneralPurpose::new(&STANDARD, LENIENT).decode(text).ok());
    decoded.is_some_and(|bytes| sequence(&bytes).is_some_and(|(length, content)| length == content.len()))
}

/// The stated length of a DER SEQUENCE's content, and the bytes behind its header.
fn sequence(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [0x30, length @ 0..=0x7f, content @ ..] => Some((usize::from(*length), content)),
        [0x30, form @ 0x81..=0x84, rest @ ..] => {
            let (length, content) = rest.split_at_checked(usize::from(form & 0x7f))?;
            Some((
                length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)),
                content,
            ))
        }
        _ => None,
    }
}

/// Text with its `%2B` decoded; `None` if an escape is invalid.
fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut decoded = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.as_bytes().split_at_checked(2)?;
        decoded.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        decoded.extend(rest);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An OCSP request for one certificate, as a client sends it in a GET; its base64 holds a slash and a plus.
    const OCSP: &str =
        "MFEwTzBNMEswSTAJBgUrDgMCGgUABBTrjrydRyt+ApF3GSPypfHBxR5XtQQUs9tIpPmhxdiuNkHMEWNpYim8S8YCEAVDsD/jWQBgq7ZNYxa6";

    #[test]
    fn path_extension_gives_the_object_kind() {
        let request = {
            // The length in the constant's header matches its content.
            let mut der = base64::prelude::BASE64_STANDARD.decode(OCSP).unwrap();
            der[1] = u8::try_from(der.len() - 2).unwrap();
            base64::prelude::BASE64_STANDARD.encode(der)
        };
        let escaped = request.replace('+', "%2B").replace('/', "%2F").replace('=', "%3d");
        let table = [
            ("/DigiCertGlobalRootG2.crl".to_owned(), Some(ObjectKind::Crl)),
            ("/pki/crl/MicRooCerAut2011.CRL?x=1".to_owned(), Some(ObjectKind::Crl)),
            ("/DigiCertGlobalRootG2.crt".to_owned(), Some(ObjectKind::Certificate)),
            ("/pkiops/certs/issuing.cer".to_owned(), Some(ObjectKind::Certificate)),
            ("/msdownload/authrootstl.cab".to_owned(), Some(ObjectKind::Cabinet)),
            (format!("/{request}"), Some(ObjectKind::Ocsp)),
            (format!("/ocsp/{request}"), Some(ObjectKind::Ocsp)),
            (
                format!("/ocsp/{}", request.trim_end_matches('=')),
                Some(ObjectKind::Ocsp),
            ),
            (format!("/ocsp/{escaped}"), Some(ObjectKind::Ocsp)),
            (format!("/ocsp/{}", &request[..request.len() - 4]), None),
            (format!("/{escaped}%2"), None),
            ("/".to_owned(), None),
            (String::new(), None),
            ("/index.html".to_owned(), None),
            ("/common/discovery/crl".to_owned(), None),
        ];
        for (path, kind) in table {
            assert_eq!(object_kind(&path), kind, "{path}");
        }
    }

    #[test]
    fn first_bytes_give_the_object_kind() {
        use ObjectKind::{Cabinet, Certificate, Crl, Ocsp};
        let table: [(ObjectKind, &[u8], bool); 13] = [
            (Crl, b"\x30\x82\x03\x01\x30\x82", true),
            (Crl, b"\x30\x03\x0a\x01\x01", false),
            (Crl, b"<!DOCTYPE html>", false),
            (Crl, b"0", false),
            (Certificate, b"\x30\x82\x03\x01", true),
            (Certificate, b"-----BEGIN CERTIFICATE-----", false),
            (Cabinet, b"MSCF\0\0\0\0", true),
            (Cabinet, b"MSC", false),
            (Ocsp, b"\x30\x03\x0a\x01\x06", true),
            (Ocsp, b"\x30\x82\x01\xd3\x0a\x01\x00\xa0\x82", true),
            (Ocsp, b"\x30\x82\x01\xd3\x30\x82", false),
            (Ocsp, b"\x30\x03\x0a\x01\x09", false),
            (Ocsp, b"", false),
        ];
        for (kind, body, matches) in table {
            assert_eq!(kind.matches(body), matches, "{kind:?} {body:02x?}");
        }
    }

    proptest! {
        #[test]
        fn any_path_and_body_do_not_panic(path in "/?(\\PC{0,20}/|%[0-9a-f]{0,2}){0,3}", body: Vec<u8>) {
            let kind = object_kind(&path).unwrap_or(ObjectKind::Ocsp);
            kind.matches(&body);
        }
    }
}
