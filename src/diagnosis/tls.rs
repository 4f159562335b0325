//! What a handshake means.

mod backend;

use super::context::Context;
use crate::{
    diagnosis::outcome::{AttemptVerdict, Judged},
    model::{Cause, Need},
    net::tls::{
        TlsEnd, TlsTrace,
        chain::{ChainFacts, Trust},
    },
    plan::PlannedEndpoint,
    probe::clock::ClockOffset,
    text::{excerpt, words},
};

/// Judges one handshake.
pub(super) fn judge(endpoint: &PlannedEndpoint, trace: &TlsTrace, context: &Context) -> Judged {
    let mut evidence = trace.chain.as_deref().map(certificate).into_iter().collect::<Vec<_>>();
    let (verdict, seen) = match (&trace.chain, &trace.end) {
        (_, TlsEnd::KeyNotProved(how)) => (AttemptVerdict::Failed(Cause::TlsUntrusted), how.clone()),
        (Some(chain), TlsEnd::Completed) => presented(endpoint, chain, context),
        // If the instance would not trust the chain, that is the cause, whatever ended the conversation later.
        (Some(chain), _) if trace.key_proved && !is_accepted(endpoint, chain, context) => {
            presented(endpoint, chain, context)
        }
        (Some(_), end) if trace.key_proved && trace.asked_for_certificate => asked(end),
        (_, end) => cut(end, trace),
    };
    if let Some(left_out) = trace.chain.as_ref().and_then(|chain| chain.left_out.as_ref()) {
        evidence.push(format!(
            "the server did not send the certificate of {}, which the instance has to fetch from {}",
            left_out.subject,
            left_out.places()
        ));
    }
    if trace.asked_for_certificate {
        evidence.push("the server asks for a client certificate, which the agent does not have".into());
    }
    Judged {
        verdict,
        seen,
        evidence,
    }
}

/// The server is verified and then requests a client certificate: how it ends after that shows nothing about the
/// network.
fn asked(end: &TlsEnd) -> (AttemptVerdict, String) {
    match end {
        TlsEnd::Silent => (
            AttemptVerdict::Degraded(Cause::TlsTimeout),
            "verified, then no reply after it asked for a client certificate".into(),
        ),
        _ => (
            AttemptVerdict::Proved,
            "verified certificate; it requires a client certificate, as this service does".into(),
        ),
    }
}

/// The last message of an incomplete handshake: a peer that presented a certificate had answered the `ClientHello`.
fn last(trace: &TlsTrace) -> &'static str {
    match (&trace.chain, trace.version) {
        (Some(_), _) if trace.key_proved => "a verified certificate, before the handshake was complete",
        (Some(_), _) => "a certificate, before the handshake was complete",
        (None, Some(_)) => "a ServerHello, before any certificate",
        (None, None) => "our ClientHello",
    }
}

fn cut(end: &TlsEnd, trace: &TlsTrace) -> (AttemptVerdict, String) {
    let (last, after) = (last(trace), words::duration(trace.duration));
    let (cause, seen) = match end {
        TlsEnd::Reset => (Cause::TlsReset, format!("accepted, then reset after {last} ({after})")),
        TlsEnd::Closed => (
            Cause::TlsClosed,
            format!("accepted, then closed after {last} ({after})"),
        ),
        TlsEnd::Silent => (
            Cause::TlsTimeout,
            format!("accepted, then no reply after {last} ({after})"),
        ),
        TlsEnd::Alert(alert) => (
            Cause::TlsAlert,
            format!("accepted, then answered with the TLS alert {alert}"),
        ),
        TlsEnd::Incompatible(why) => (
            Cause::TlsAlert,
            format!("it offers no TLS version or cipher that we accept ({why})"),
        ),
        TlsEnd::Garbled(why) => (
            Cause::TlsAlert,
            format!("it speaks TLS, but its data after the ServerHello cannot be read ({why})"),
        ),
        TlsEnd::NotTls { what } => (
            Cause::TlsNotTls,
            format!(
                "answered our ClientHello with {} instead of TLS",
                what.clone().unwrap_or_else(|| excerpt(&trace.received))
            ),
        ),
        TlsEnd::Failed(failure) => (
            Cause::TlsReset,
            format!("accepted, then the connection failed: {}", failure.text),
        ),
        TlsEnd::Completed | TlsEnd::KeyNotProved(_) => {
            (Cause::TlsUntrusted, "the handshake ended without a certificate".into())
        }
    };
    (AttemptVerdict::Failed(cause), seen)
}

/// Whether the instance would continue with this chain.
fn is_accepted(endpoint: &PlannedEndpoint, chain: &ChainFacts, context: &Context) -> bool {
    match &endpoint.of_instance {
        None => chain.is_the_service(),
        Some(_) => presented(endpoint, chain, context).0 == AttemptVerdict::Proved,
    }
}

/// Judges a chain by the instance's roots, and that of the instance's own hosts as they are configured.
fn presented(endpoint: &PlannedEndpoint, chain: &ChainFacts, context: &Context) -> (AttemptVerdict, String) {
    if let Some(own) = &endpoint.of_instance
        && let Some(judged) = backend::judge(&own.validation, chain)
    {
        return judged;
    }
    match &chain.trust {
        Trust::UnknownIssuer => unknown_issuer(chain, context),
        Trust::Unacceptable(why) => (
            AttemptVerdict::Failed(Cause::TlsUntrusted),
            format!(
                "certificate issued by {} cannot be accepted: {why}{}",
                chain.issuer,
                known_to_vm(chain)
            ),
        ),
        _ if !chain.right_name => {
            // A public certificate for another name: the network let us through, to a server that does not serve this
            // name.
            let verdict = if endpoint.need == Need::Documented && chain.trust == Trust::Trusted {
                AttemptVerdict::Unproven(Some(Cause::TlsWrongName))
            } else {
                AttemptVerdict::Failed(Cause::TlsWrongName)
            };
            (verdict, format!("certificate for {}, not for this name", names(chain)))
        }
        Trust::Expired => (
            AttemptVerdict::Failed(Cause::TlsExpired),
            format!(
                "{} expired on {}{}",
                whose(chain),
                date(chain.dated().1),
                clock(context)
            ),
        ),
        Trust::NotYetValid => (
            AttemptVerdict::Failed(Cause::TlsExpired),
            format!(
                "{} is not valid before {}{}",
                whose(chain),
                date(chain.dated().0),
                clock(context)
            ),
        ),
        Trust::OnlyByWindows => (
            AttemptVerdict::Unproven(Some(Cause::TlsUntrusted)),
            format!(
                "certificate issued by {}, whose root is trusted by Windows but not in Mozilla's list: check whether \
                 the gateway's image has it, and pass its list with --ca-file",
                chain.issuer
            ),
        ),
        Trust::Trusted => (
            AttemptVerdict::Proved,
            format!("verified certificate for {}", names(chain)),
        ),
    }
}

/// Judges a chain that does not lead to a root of the instance: private, incomplete, newer than our lists, or unknown.
fn unknown_issuer(chain: &ChainFacts, context: &Context) -> (AttemptVerdict, String) {
    let issuer = &chain.issuer;
    if is_private_ca_of_microsoft(chain, context) {
        let seen = format!("certificate from a private Microsoft CA ({issuer}), which the instance probably trusts");
        (AttemptVerdict::Degraded(Cause::TlsUntrusted), seen)
    } else if is_missing_intermediate(chain) {
        let seen = format!(
            "the server did not send an intermediate certificate between its own, issued by {issuer}, and a public \
             root; Windows would fetch it from {}",
            chain.issuer_hosts.join(", ")
        );
        (AttemptVerdict::Unproven(Some(Cause::TlsUntrusted)), seen)
    } else if is_newer_than_our_lists(chain) {
        let seen = format!(
            "certificate issued by {issuer}, a public CA by its name; this VM's own store trusts it, but the agent \
             does not know its root"
        );
        (AttemptVerdict::Unproven(Some(Cause::TlsUntrusted)), seen)
    } else {
        let seen = format!(
            "certificate issued by {issuer}, which the instance does not trust{}",
            known_to_vm(chain)
        );
        (AttemptVerdict::Failed(Cause::TlsUntrusted), seen)
    }
}

fn known_to_vm(chain: &ChainFacts) -> &'static str {
    if chain.trusted_by_vm == Some(true) {
        "; this VM's own store trusts it, so other tools do not show it"
    } else {
        ""
    }
}

/// Which certificate has the wrong date.
fn whose(chain: &ChainFacts) -> String {
    match &chain.out_of_date {
        Some(issuer) => format!("certificate of the authority {}", issuer.subject),
        None => "certificate".into(),
    }
}

/// A wrong clock is the likelier reason for a wrong date.
fn clock(context: &Context) -> String {
    let Some(ClockOffset { ahead, signed }) = context.wrong_clock() else {
        return "; check this VM's clock".into();
    };
    let off = words::duration(ahead.unsigned_abs());
    let side = if ahead.is_positive() { "ahead" } else { "behind" };
    if signed {
        format!("; this VM's clock is {off} {side}, which is the more likely reason")
    } else {
        format!("; check this VM's clock: according to unsigned replies it is {off} {side}")
    }
}

/// Microsoft's private CA (AME) serves some internal names. It counts only if nothing suggests inspection.
fn is_private_ca_of_microsoft(chain: &ChainFacts, context: &Context) -> bool {
    claims_to_be_ame(chain)
        && chain.right_name
        && chain.trusted_by_vm == Some(false)
        && context.is_only_microsofts(&chain.issuer)
}

fn claims_to_be_ame(chain: &ChainFacts) -> bool {
    chain.issuer.to_ascii_uppercase().split(", ").any(|part| {
        part.strip_prefix("CN=AME INFRA CA ")
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// The chain is incomplete, and names the URL where Windows would fetch the rest: at Microsoft or `DigiCert`. This VM
/// may trust the issuer, because some stores have had its root for longer than others. An unknown issuer that this VM
/// trusts is a device that inspects TLS and copies what it sees.
fn is_missing_intermediate(chain: &ChainFacts) -> bool {
    const OWNERS: [&str; 4] = ["microsoft.com", "digicert.com", "digicert.cn", "geotrust.com"];
    let of_an_owner = |host: &String| {
        OWNERS.iter().any(|owner| {
            host.strip_suffix(owner)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    };
    chain.right_name
        && !chain.ends_in_root
        && !claims_to_be_ame(chain)
        && (chain.public_issuer || chain.trusted_by_vm == Some(false))
        && chain.issuer_hosts.iter().any(of_an_owner)
}

/// No device that inspects signs in the name of a public CA: this one's root is newer than the agent.
fn is_newer_than_our_lists(chain: &ChainFacts) -> bool {
    chain.right_name && chain.public_issuer && chain.trusted_by_vm == Some(true)
}

fn certificate(chain: &ChainFacts) -> String {
    format!(
        "certificate: subject {}, issuer {}, expires {}",
        chain.subject,
        chain.issuer,
        date(chain.not_after)
    )
}

fn names(chain: &ChainFacts) -> String {
    match chain.names.as_slice() {
        [] => chain.subject.clone(),
        [one] => one.clone(),
        [first, second] => format!("{first}, {second}"),
        [first, second, ..] => format!("{first}, {second}, …"),
    }
}

fn date(timestamp: Option<jiff::Timestamp>) -> String {
    timestamp.map_or_else(
        || "an unknown date".into(),
        |timestamp| timestamp.strftime("%Y-%m-%d").to_string(),
    )
}
