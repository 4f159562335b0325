//! From blocked rows to root causes: imagined networks with one fault each, and the finding that must come first.

use apim_probe::exit::{Policy, judge};
use apim_probe::report::{Format, Options, render};

#[path = "support/network.rs"]
mod network;
use network::{Fault, Network, Server};

#[test]
fn look() {
    let show = |n: &Network| {
        let report = n.report();
        let exit = judge(&report, Policy::default(), None);
        println!("{}", render(&report, Format::Text, &Options { exit: &exit, width: 80, colour: false, unicode: true, verbose: false }));
    };
    show(&Network::healthy());
    show(&Network::healthy().fault(|e| e.dependency != "dns", &Fault::Silent));
    show(&Network::with(&[("10.0.0.4", Server::Silent)]).platform_dns(true));
    show(&Network::healthy().fault(|e| e.port == 443 && e.service_tag.as_deref() != Some("Storage") , &Fault::CutReset));
    show(&Network::healthy().fault(|e| e.port == 1433, &Fault::Silent));
    show(&Network::healthy().fault(|e| e.port == 80, &Fault::Page { status: 470, body: "Action: Deny. Reason: No rule matched. Proceeding with default action." }));
}
