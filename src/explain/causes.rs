//! What each cause looks like, what usually makes it, and what to check first.

use crate::model::Cause;

/// What is known about a cause.
pub struct Explanation {
    /// What a capture of packets shows.
    pub wire: &'static str,
    /// What usually makes it, the likeliest first.
    pub usually: &'static [&'static str],
    /// What to check, the cheapest first.
    pub check: &'static [&'static str],
}

/// Looks a cause up.
pub fn of(cause: Cause) -> Explanation {
    let (wire, usually, check) = match cause {
        Cause::DnsTimeout
        | Cause::DnsRefused
        | Cause::DnsServfail
        | Cause::DnsNxdomain
        | Cause::DnsNoAddress
        | Cause::DnsSinkhole
        | Cause::DnsPrivateAddress => names(cause),
        Cause::TcpTimeout
        | Cause::TcpRefused
        | Cause::TcpUnreachable
        | Cause::TcpNoRoute
        | Cause::UdpRefused
        | Cause::UdpUnreachable => packets(cause),
        Cause::TlsReset
        | Cause::TlsClosed
        | Cause::TlsTimeout
        | Cause::TlsAlert
        | Cause::TlsNotTls
        | Cause::TlsUntrusted
        | Cause::TlsWrongName
        | Cause::TlsExpired => handshakes(cause),
        Cause::HelloTimeout | Cause::HelloReset | Cause::HelloClosed | Cause::HelloUnexpected | Cause::HttpDenied => {
            conversations(cause)
        }
        Cause::NeedsValue
        | Cause::Wildcard
        | Cause::Retired
        | Cause::NotOutbound
        | Cause::Deadline
        | Cause::Skipped
        | Cause::LocalFault => untested(cause),
    };
    Explanation { wire, usually, check }
}

/// Wire, usual makers, checks.
type Texts = (&'static str, &'static [&'static str], &'static [&'static str]);

fn names(cause: Cause) -> Texts {
    match cause {
        Cause::DnsRefused => (
            "The name server replies at once with REFUSED.",
            &[
                "The server only answers clients of certain networks, and this subnet is not among them.",
                "It does not recurse, and no forwarder is set.",
            ],
            &[
                "Allow the subnet on the name server, and forward to 168.63.129.16.",
                "Ask 168.63.129.16 for the same name: if it answers, only the custom server is at fault.",
            ],
        ),
        Cause::DnsServfail => (
            "The name server replies with SERVFAIL, often after seconds.",
            &[
                "Its forwarder does not answer: a firewall on the way, or a forwarder that is gone.",
                "DNSSEC validation fails, as behind a proxy that rewrites answers.",
            ],
            &[
                "Ask the server's forwarder directly, from the server.",
                "Ask 168.63.129.16 for the same name: if it answers, only the custom server is at fault.",
            ],
        ),
        Cause::DnsNxdomain => (
            "The name server replies with NXDOMAIN: there is no such name.",
            &[
                "A private DNS zone linked to the network hides the public name and lacks a record for it.",
                "The custom name server holds a zone of the same name.",
                "The name is wrong, or belongs to another cloud.",
            ],
            &[
                "Look at the SOA in the reply: azureprivatedns.net means a private zone of Azure.",
                "Add the record, unlink the zone, or set resolutionPolicy NxDomainRedirect on its link.",
            ],
        ),
        Cause::DnsNoAddress => (
            "The name server replies without an error and without an address.",
            &[
                "A private DNS zone holds the name but no A record.",
                "The name only has IPv6 addresses.",
            ],
            &[
                "Look up the name's records on the server that holds the zone.",
                "Compare with 168.63.129.16.",
            ],
        ),
        Cause::DnsSinkhole => (
            "The reply holds an address where no service can be: 0.0.0.0, loopback, link-local, documentation.",
            &[
                "A filtering name server sinks names by list.",
                "A hosts file or a test zone was left behind.",
            ],
            &[
                "Ask the filter's owner to let the name pass.",
                "Compare the answer with that of 168.63.129.16.",
            ],
        ),
        Cause::DnsPrivateAddress => (
            "The reply holds a private address without a privatelink alias, and the service does not prove itself there.",
            &[
                "A custom zone points the name at an internal proxy or appliance.",
                "A private endpoint that was removed, with its record still there.",
            ],
            &[
                "Find out which zone answers, and what stands at that address.",
                "Compare with 168.63.129.16.",
            ],
        ),
        _ => (
            "The query goes out and no reply comes back from any server, over UDP or TCP.",
            &[
                "An NSG or firewall lets TCP 53 pass and not UDP 53, or neither.",
                "The custom name server is down, or the route to it leads nowhere.",
            ],
            &[
                "See whether 168.63.129.16 answers: if so, the path to the custom server is at fault, not DNS as such.",
                "Check NSG rules for UDP and TCP 53, and the route to the server.",
                "After changing the network's DNS servers, run Apply network configuration on the instance.",
            ],
        ),
    }
}

fn packets(cause: Cause) -> Texts {
    match cause {
        Cause::TcpRefused => (
            "The SYN is answered with a reset.",
            &[
                "An appliance is set to reset what it denies. Azure's own rules never do: they drop.",
                "Nothing listens on that port: a wrong port, or a stale address.",
            ],
            &[
                "Compare the time to live of the reset with that of a good answer.",
                "Look into the appliance's log.",
            ],
        ),
        Cause::TcpUnreachable | Cause::UdpUnreachable => (
            "A router answers with an ICMP error: administratively prohibited, host or network unreachable.",
            &[
                "An appliance on the way denies and says so; its address is the error's sender.",
                "A router behind the next hop has no route.",
            ],
            &[
                "Look into the rules of the sender that the evidence names.",
                "Check the effective route to the address.",
            ],
        ),
        Cause::TcpNoRoute => (
            "Nothing is sent: this machine's own routing table has no way to the address.",
            &[
                "The interface is down, or has no default gateway.",
                "An IPv6 address on a machine with IPv4 only.",
            ],
            &[
                "Run `ip route get ADDRESS` on this machine.",
                "Run the agent where the instance would stand.",
            ],
        ),
        Cause::UdpRefused => (
            "The datagram is answered with ICMP port unreachable.",
            &[
                "Nothing listens on that port at the address.",
                "An appliance refuses in the name of the service.",
            ],
            &["Compare the sender of the ICMP error with the address that was asked."],
        ),
        _ => (
            "SYN after SYN goes out, and nothing at all comes back: no reset, no ICMP.",
            &[
                "An NSG rule of the subnet denies; NSGs drop in silence. A security admin rule does so too, and stands in no NSG.",
                "The route leads to an appliance or gateway that drops, is down, or does not forward.",
                "A network rule is missing in the firewall: ports other than 80, 443 and 1433 are dropped there.",
                "The subnet has no way out at all: no NAT gateway, no public address. Then everything public times out.",
            ],
            &[
                "Export effective rules and routes and pass --effective-nsg and --effective-routes: the rule gets a name.",
                "See whether another port of the same host answers: then it is about the port.",
                "A rule on the network interface of this VM does not concern the instance.",
            ],
        ),
    }
}

fn handshakes(cause: Cause) -> Texts {
    match cause {
        Cause::TlsAlert => (
            "The ClientHello is answered with a TLS alert in place of a certificate.",
            &[
                "A middlebox objects to the version, the ciphers or the server name.",
                "The service does not know the name: a wrong host, or a private endpoint of another service.",
            ],
            &[
                "Read the alert's name in the evidence.",
                "Try the same from outside this network.",
            ],
        ),
        Cause::TlsNotTls => (
            "Plain bytes come back where TLS should begin, often a page in HTTP.",
            &[
                "A proxy or firewall answers in the clear.",
                "The port is served by something else.",
            ],
            &[
                "Read the first bytes in the evidence: they often name the device.",
                "Check the firewall's rule for this port.",
            ],
        ),
        Cause::TlsUntrusted => (
            "The handshake is complete, but the chain ends in a root that is not public.",
            &[
                "A firewall decrypts TLS and signs with a company's own CA. The instance does not trust it.",
                "The server does not send its intermediate certificates: unproven, since Windows would fetch them.",
                "Microsoft's private CA (AME Infra CA) serves some of its own hosts: degraded, not blocked.",
            ],
            &[
                "Read the issuer in the evidence: one issuer over many hosts is an inspecting firewall.",
                "Missing intermediates are fetched over port 80: caissuers.microsoft.com, cacerts.digicert.com.",
                "Exempt these hosts from inspection; the instance cannot be given a CA for this.",
            ],
        ),
        Cause::TlsWrongName => (
            "The handshake is complete, but the certificate is for other names.",
            &[
                "DNS points the name at another server.",
                "An appliance shows a certificate of its own.",
                "A content network answers for a host that it does not serve over TLS.",
            ],
            &[
                "Compare the address with what 168.63.129.16 answers.",
                "Read the subject in the evidence.",
            ],
        ),
        Cause::TlsExpired => (
            "The handshake is complete, but the certificate has ended or has not begun.",
            &[
                "This machine's clock is wrong.",
                "The certificate is indeed old: an appliance's, or the service's.",
            ],
            &[
                "Check the clock first: `timedatectl`.",
                "Read the dates in the evidence.",
            ],
        ),
        _ => (
            "TCP is accepted, the ClientHello goes out, and then: a reset (tls-reset), an orderly end (tls-closed), or nothing (tls-timeout).",
            &[
                "An Azure Firewall accepts for everyone on 80, 443 and 1433, reads the server name, and finds no application rule.",
                "Another firewall filters by name in the same way.",
                "The path drops large packets: only with tls-timeout.",
            ],
            &[
                "Look for the host in the firewall's application rules; a wildcard *.x.y does not cover x.y.",
                "An application rule of the kind https fits 443 only: for 1433, 1688, 1886 and 5671 use network rules (mssql:1433 exists too, but fits servers with the policy Proxy alone).",
                "Read the firewall's log for this name at this time.",
            ],
        ),
    }
}

fn conversations(cause: Cause) -> Texts {
    match cause {
        Cause::HttpDenied => (
            "HTTP is answered by something else than the service: status 470, 407, a deny page, or a redirect elsewhere.",
            &[
                "An Azure Firewall without an application rule answers 470 and \"Action: Deny\".",
                "A proxy wants credentials, which the instance does not have.",
            ],
            &[
                "Read the answer in the evidence: it often names the rule or the device.",
                "Add an application rule for HTTP on port 80 to the host.",
            ],
        ),
        Cause::HelloTimeout => (
            "The connection is accepted and the first words of the protocol are not answered; over UDP, no datagram comes back.",
            &[
                "A firewall accepted in place of the service and drops what follows.",
                "For UDP, any silent drop: NSG, route, firewall.",
            ],
            &[
                "Check that the firewall has a network rule, not an application rule, for this port.",
                "Pass --effective-nsg and --effective-routes to see whether Azure itself drops it.",
            ],
        ),
        Cause::HelloUnexpected => (
            "Something answers, but not in the protocol of this service.",
            &[
                "An appliance answers for every address.",
                "Another service listens at that port or address.",
            ],
            &[
                "Read the first bytes in the evidence.",
                "Compare the address with what 168.63.129.16 answers.",
            ],
        ),
        _ => (
            "The conversation begins and is cut: by a reset (hello-reset) or an orderly end (hello-closed).",
            &[
                "A firewall accepted the connection and cut it once it saw what is spoken.",
                "Intrusion prevention objects to the protocol.",
            ],
            &[
                "Check that the firewall has a network rule, not an application rule, for this port.",
                "Read the firewall's log for this address at this time.",
            ],
        ),
    }
}

fn untested(cause: Cause) -> Texts {
    match cause {
        Cause::NeedsValue => (
            "Nothing is sent: the host has a name in it that only you know.",
            &["The instance's own storage accounts, servers and vaults are not known before it exists."],
            &["Pass --set NAME=VALUE, --region, --network-status or --dependencies; list shows which is missing."],
        ),
        Cause::Wildcard => (
            "Nothing is sent: a wildcard is no host.",
            &["The documentation names *.something, and no host under it is known."],
            &["Name a member in a --probes file, if you know one."],
        ),
        Cause::Retired => (
            "Nothing is sent, or no server knows the name: the host is gone.",
            &["The documentation, or what instances report, is behind."],
            &["Take the host out of your allow lists, and put its successor in."],
        ),
        Cause::NotOutbound => (
            "Nothing is sent: the traffic comes in, or flows between the instance's machines.",
            &["A machine in the subnet cannot play the other side."],
            &[
                "Pass --effective-nsg and --effective-routes: these rows are predicted from the rules.",
                "Look at the network status of the instance itself.",
            ],
        ),
        Cause::Deadline => (
            "The run ended before this was done.",
            &[
                "--deadline is short, or many endpoints wait for silence.",
                "The run was interrupted.",
            ],
            &["Raise --deadline or --concurrency, or lower --timeout."],
        ),
        Cause::Skipped => (
            "Nothing is sent: it was left out.",
            &["--skip names it, or it is only probed when --only names it."],
            &["Pass --only with its id."],
        ),
        _ => (
            "Nothing is sent: this machine could not try.",
            &[
                "It ran out of descriptors, ports or memory.",
                "A local firewall or a sandbox forbids it: EPERM, EACCES.",
            ],
            &[
                "Raise `ulimit -n` or lower --concurrency.",
                "Look at this machine's own firewall and security profile.",
            ],
        ),
    }
}
