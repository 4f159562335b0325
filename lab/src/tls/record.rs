//! TLS records as bytes, because no library can produce these errors, and a parser for `ClientHello`.

/// A fatal alert in plain text (RFC 8446 §6).
pub(crate) fn alert(description: u8) -> Vec<u8> {
    vec![21, 3, 3, 0, 2, 2, description]
}

/// A `ServerHello` of TLS 1.0 with `TLS_RSA_WITH_AES_128_CBC_SHA` (RFC 2246 §7.4.1.3).
pub(crate) fn tls10_server_hello() -> Vec<u8> {
    let mut body = vec![3, 1];
    body.extend([0x5a; 32]);
    body.extend([0, 0x00, 0x2f, 0]);
    let length = u8::try_from(body.len()).expect("38 bytes");
    [vec![22, 3, 1, 0, length + 4, 2, 0, 0, length], body].concat()
}

/// What a client's first bytes are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FirstWords {
    /// Incomplete.
    Incomplete,
    /// A complete `ClientHello`, with or without a server name.
    Hello(Option<String>),
    /// An HTTP request, with its `Host` if it has one.
    Request(Option<String>),
    /// Something else.
    Other,
}

/// Reads the host from a client's first bytes.
pub(crate) fn first_words(bytes: &[u8]) -> FirstWords {
    match bytes.first() {
        None => FirstWords::Incomplete,
        Some(22) => {
            let whole = bytes
                .get(3..5)
                .is_some_and(|len| bytes.len() >= 5 + usize::from(be16(len)));
            if whole {
                FirstWords::Hello(server_name(&bytes[5..]))
            } else {
                FirstWords::Incomplete
            }
        }
        Some(letter) if letter.is_ascii_uppercase() => {
            let text = String::from_utf8_lossy(bytes);
            if text.contains("\r\n\r\n") {
                let host = text.lines().find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    name.eq_ignore_ascii_case("host")
                        .then(|| value.trim().split(':').next().unwrap_or("").to_owned())
                });
                FirstWords::Request(host)
            } else if text.lines().next().is_some_and(|line| line.contains(' ')) {
                FirstWords::Incomplete
            } else {
                FirstWords::Other
            }
        }
        Some(_) => FirstWords::Other,
    }
}

/// The name in a `ClientHello` handshake message (RFC 6066 §3).
fn server_name(message: &[u8]) -> Option<String> {
    // Type, length, version and random.
    let mut at = 1 + 3 + 2 + 32;
    at += 1 + usize::from(*message.get(at)?);
    at += 2 + usize::from(be16(message.get(at..)?));
    at += 1 + usize::from(*message.get(at)?);
    let mut extensions = message.get(at + 2..)?;
    while extensions.len() >= 4 {
        let (kind, length) = (be16(extensions), usize::from(be16(&extensions[2..])));
        let data = extensions.get(4..4 + length)?;
        if kind == 0 {
            // List length, name type, name length.
            return Some(String::from_utf8_lossy(data.get(5..)?).into_owned());
        }
        extensions = &extensions[4 + length..];
    }
    None
}

fn be16(bytes: &[u8]) -> u16 {
    match bytes {
        [high, low, ..] => u16::from_be_bytes([*high, *low]),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn hello(name: &'static str) -> Vec<u8> {
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let mut client = rustls::ClientConnection::new(Arc::new(config), name.try_into().unwrap()).unwrap();
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn sni_is_read_once_the_client_hello_is_complete() {
        let bytes = hello("gcs.example.com");
        assert_eq!(first_words(&bytes), FirstWords::Hello(Some("gcs.example.com".into())));
        for length in 0..bytes.len() {
            assert_eq!(first_words(&bytes[..length]), FirstWords::Incomplete, "{length} bytes");
        }
    }

    #[test]
    fn host_header_is_read() {
        let request = b"GET /a.crl HTTP/1.1\r\nhost: crl.example.com:80\r\n\r\n";
        assert_eq!(
            first_words(request),
            FirstWords::Request(Some("crl.example.com".into()))
        );
        assert_eq!(first_words(&request[..20]), FirstWords::Incomplete);
        assert_eq!(first_words(b"\x12\x01\x00"), FirstWords::Other);
    }
}
