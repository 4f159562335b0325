//! The words by which block pages are known.

/// Words on a page and the product that they identify.
pub(super) struct Signature {
    /// The product, or [`UNKNOWN_PRODUCT`].
    pub author: &'static str,
    /// Any of these, in lower case, as whole words; a word that ends in `*` may continue.
    pub words: &'static [&'static str],
}

/// The product of a page that only general phrases identify.
pub(super) const UNKNOWN_PRODUCT: &str = "a deny page";

/// Products first: a name is better evidence than a phrase.
pub(super) const SIGNATURES: &[Signature] = &[
    Signature {
        author: "Azure Firewall",
        words: &["action: deny"],
    },
    Signature {
        author: "Zscaler",
        // Each of its clouds has its own domain: zscalerone.net, zscalertwo.net, zscalerten.net, zscloud.net …
        words: &["zscaler*", "zscloud*", "zspreview.net", "zsdemo.net"],
    },
    Signature {
        author: "FortiGate",
        words: &[
            "fortiguard",
            "fortigate",
            "fortinet",
            "fgtauth",
            "fgd_icon",
            // The image in its replacement messages, whatever their text.
            "mgpghgpgpfghcdpfggogfgeh",
            "in violation of your internet usage policy",
            "blocked, because the url is banned",
            "intrusion prevention - access blocked",
            "web filter violation",
            "web page blocked!",
            "application blocked!",
        ],
    },
    Signature {
        author: "Palo Alto Networks",
        words: &[
            "palo alto networks",
            "pan_form",
            "php/urlblock.php",
            "you were trying to visit has been blocked",
            "you were trying to use has been blocked",
        ],
    },
    Signature {
        author: "Symantec ProxySG",
        words: &[
            "blue coat",
            "bluecoat",
            "proxysg",
            "bluecoat-security-appliance",
            "policy_denied",
            "content_filter_denied",
        ],
    },
    Signature {
        author: "Skyhigh (McAfee) Web Gateway",
        words: &["mcafee", "skyhigh", "skyhighsecurity", "mwg-internal"],
    },
    Signature {
        author: "Forcepoint (Websense)",
        words: &[
            "forcepoint",
            "websense",
            "ws_blockoption",
            "blockpage.cgi",
            "block_message.cgi",
            "moreblockinfo.cgi",
            "ws-session",
            // The pages of its cloud service.
            "blackspider.com",
            "mailcontrol.com",
        ],
    },
    Signature {
        author: "Sophos",
        words: &["sophos"],
    },
    Signature {
        author: "Check Point",
        words: &["check point usercheck", "check point software"],
    },
    Signature {
        author: "Cisco Meraki",
        words: &[
            "meraki",
            "blocked.cgi?blocked_server",
            "blocked by your network operator",
        ],
    },
    Signature {
        author: "Cisco",
        words: &[
            "cisco umbrella",
            "opendns",
            "ironport",
            "cisco secure web appliance",
            "cisco-wsa",
            "based on your organization's access policies",
        ],
    },
    Signature {
        author: "Netskope",
        words: &["netskope", "goskope"],
    },
    Signature {
        author: "Barracuda",
        words: &["barracuda", "barracudanetworks"],
    },
    Signature {
        author: "WatchGuard",
        words: &["watchguard"],
    },
    Signature {
        author: "SonicWall",
        words: &["sonicwall"],
    },
    Signature {
        author: "Trend Micro",
        words: &["trend micro", "interscan"],
    },
    Signature {
        author: "Menlo Security",
        words: &["menlo security", "menlosecurity"],
    },
    Signature {
        author: "iboss",
        words: &["iboss"],
    },
    Signature {
        author: "Smoothwall",
        words: &["smoothwall"],
    },
    Signature {
        author: "e2guardian",
        words: &["e2guardian", "dansguardian", "squidguard"],
    },
    Signature {
        author: "Squid",
        words: &[
            "err_access_denied",
            "err_dns_fail",
            "err_connect_fail",
            "the squid software foundation",
            "your cache administrator",
        ],
    },
    Signature {
        author: "Privoxy",
        words: &["privoxy"],
    },
    Signature {
        author: "tinyproxy",
        words: &["tinyproxy"],
    },
    Signature {
        author: "HAProxy",
        words: &["request forbidden by administrative rules"],
    },
    Signature {
        author: "Netsweeper",
        words: &["netsweeper", "poweredbynetsweeper.com"],
    },
    Signature {
        author: "Kerio Control",
        words: &["kerio control"],
    },
    Signature {
        author: UNKNOWN_PRODUCT,
        words: &[
            "web page blocked",
            "web site blocked",
            "website blocked",
            "site blocked",
            "url blocked",
            "this site is blocked",
            "this page is blocked",
            "this website is blocked",
            "this site has been blocked",
            "this page has been blocked",
            "this website has been blocked",
            "access to this site is blocked",
            "access to this page is blocked",
            "access to this website is blocked",
            "access to this site has been blocked",
            "access to this website has been blocked",
            "blocked by your administrator",
            "blocked by your network administrator",
            "blocked by your organization",
            "blocked by your organisation",
            "blocked by administrator",
            "blocked by policy",
            "blocked by company policy",
            "blocked by corporate policy",
            "blocked by security policy",
            "blocked by firewall",
            "blocked by the firewall",
            "blocked by the proxy",
            "blocked in accordance with",
            "blocked due to policy",
            "denied by policy",
            "denied by security policy",
            "denied by firewall",
            "violates company policy",
            "violates corporate policy",
            "acceptable use policy",
        ],
    },
];

/// Paths that only a product's redirects contain. On a page such words prove nothing.
pub(super) const TARGETS: &[Signature] = &[Signature {
    author: "Check Point",
    words: &["usercheck/portalmain"],
}];

/// Headers that only content networks send. If they refuse a request, or challenge the browser first, this is an answer
/// of the service's own front end.
pub(super) const FRONT_HEADERS: &[&str] = &[
    "cf-ray",
    "cf-mitigated",
    "x-azure-ref",
    "x-azure-fdid",
    "x-amz-cf-id",
    "x-iinfo",
    "x-sucuri-id",
    "x-akamai-request-id",
];

/// The names of content networks in `server`.
pub(super) const FRONTS: &[&str] = &[
    "cloudflare*",
    "akamaighost",
    "akamainetstorage",
    "cloudfront",
    "sucuri*",
    "imperva",
    "ddos-guard",
    "ecacc",
    "ecs",
];

/// Words on their pages, for pages without such headers.
pub(super) const FRONT_WORDS: &[&str] = &[
    "cdn-cgi",
    "cloudflare",
    "ray id",
    "checking your browser before accessing",
    "_incapsula_resource",
    "incapsula incident id",
    "errors.edgesuite.net",
    "generated by cloudfront",
    "sucuri website firewall",
    "ddos-guard",
];
