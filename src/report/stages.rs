//! The stages of a probe, summarised for readers.

use std::{fmt::Display, net::IpAddr};

use crate::{
    model::{StageOutcome, StageReports},
    text::words::join,
};

impl StageReports {
    /// The stages that were reached, with the milliseconds that each took; if there were several connections, those of
    /// the slowest.
    pub fn timings(&self) -> Vec<(&'static str, f64)> {
        let all = [
            ("dns", self.dns.as_ref().map(|s| s.ms)),
            ("tcp", self.tcp.iter().map(|attempt| attempt.ms).reduce(f64::max)),
            ("tls", self.tls.as_ref().map(|s| s.ms)),
            ("hello", self.hello.as_ref().map(|s| s.ms)),
        ];
        all.into_iter().filter_map(|(stage, ms)| Some((stage, ms?))).collect()
    }

    /// The milliseconds of one stage, by its name, if it was reached.
    pub fn timing(&self, stage: &str) -> Option<f64> {
        self.timings()
            .into_iter()
            .find(|(name, _)| *name == stage)
            .map(|(_, ms)| ms)
    }

    /// The address that decided: that of the latest stage that was reached.
    pub fn deciding_address(&self) -> Option<IpAddr> {
        let hello = self.hello.as_ref().map(|hello| hello.address);
        let tls = self.tls.as_ref().map(|tls| tls.address);
        let tcp = self.tcp.first().map(|tcp| tcp.address);
        let dns = self.dns.as_ref().and_then(|dns| dns.addresses.first()).copied();
        hello.or(tls).or(tcp).or(dns)
    }

    /// The result of each stage, one line per stage: answer, addresses, certificate, proof.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        if let Some(dns) = &self.dns {
            let server = dns
                .server
                .map_or_else(|| "no server".to_owned(), |server| server.to_string());
            let rcode = dns.rcode.as_deref().unwrap_or(dns.outcome.as_str());
            let aliases = listed(", alias of ", &dns.cnames);
            facts.push((
                "dns",
                format!("{rcode} from {server}{aliases}{}", listed(": ", &dns.addresses)),
            ));
        }
        if self.tcp.len() > 1 || self.tcp.iter().any(|t| t.outcome != StageOutcome::Ok) {
            let attempts = self
                .tcp
                .iter()
                .map(|t| format!("{} {} {:.1} ms", t.address, t.outcome, t.ms));
            facts.push(("tcp", attempts.collect::<Vec<_>>().join(", ")));
        }
        if let Some(tls) = &self.tls {
            let mut parts = vec![tls.outcome.to_string(), tls.address.to_string()];
            parts.extend([&tls.version, &tls.cipher, &tls.subject].into_iter().flatten().cloned());
            parts.extend(tls.issuer.as_ref().map(|issuer| format!("issued by {issuer}")));
            parts.extend(tls.not_after.as_ref().map(|end| format!("until {end}")));
            facts.push(("tls", parts.join(", ")));
        }
        if let Some(hello) = &self.hello {
            let mut parts = vec![hello.outcome.to_string(), hello.address.to_string()];
            parts.extend(hello.proof.clone());
            facts.push(("hello", parts.join(", ")));
        }
        facts
    }
}

/// A list after its introduction, or nothing.
fn listed(lead: &str, items: &[impl Display]) -> String {
    if items.is_empty() {
        String::new()
    } else {
        format!("{lead}{}", join(items, ", "))
    }
}
