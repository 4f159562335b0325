//! The user's own resources: their ids, and the placeholders for them in commands.
//!
//! Where only the reader knows a name, a command has a word in capitals: `"${NSG:?}"` if it changes something, so that
//! the shell stops if it is not set, and plain `NSG` if it only reads. [`KnownResources`] replaces such words with
//! names.

use std::ops::Range;

use crate::text::Shell;

/// What a resource group is called by, before whose it is.
const GROUP_OF: &str = "the resource group of ";

/// A resource, as its id names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The subscription.
    pub subscription: String,
    /// The resource group.
    pub group: String,
    /// Its name; for a part, the name of the resource that contains it.
    pub name: String,
    /// The name of the part, such as a subnet in its network.
    pub part: Option<String>,
}

impl Resource {
    /// Reads `/subscriptions/S/resourceGroups/G/providers/P/TYPE/NAME`, with or without a following `/TYPE/PART`.
    /// `None` for anything else, and for names that Azure would not accept, since names go into commands.
    pub fn of_id(id: &str) -> Option<Self> {
        let parts: Vec<&str> = id.trim().trim_end_matches('/').split('/').collect();
        let [
            "",
            subscriptions,
            subscription,
            groups,
            group,
            providers,
            _,
            _,
            name,
            rest @ ..,
        ] = &parts[..]
        else {
            return None;
        };
        let part = match rest {
            [] => None,
            [_, part] => Some(*part),
            _ => return None,
        };
        let is_id = subscriptions.eq_ignore_ascii_case("subscriptions")
            && groups.eq_ignore_ascii_case("resourceGroups")
            && providers.eq_ignore_ascii_case("providers");
        let names = [subscription, group, name].into_iter().copied().chain(part);
        (is_id && names.into_iter().all(is_name)).then(|| Self {
            subscription: (*subscription).to_owned(),
            group: (*group).to_owned(),
            name: (*name).to_owned(),
            part: part.map(str::to_owned),
        })
    }
}

impl Resource {
    /// The id of the virtual network that it is, or is a part of.
    fn network_id(&self) -> String {
        let Self {
            subscription,
            group,
            name,
            ..
        } = self;
        format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/virtualNetworks/{name}"
        )
    }

    /// The names in its id, each with the word for its type; `kind` is the word for the resource itself.
    pub(crate) fn own_names(&self, kind: &'static str) -> impl Iterator<Item = (&'static str, String)> {
        let names = [
            ("subscription", &self.subscription),
            ("resource-group", &self.group),
            (kind, &self.name),
        ];
        let part = self.part.iter().map(|part| ("subnet", part));
        let names: Vec<_> = names.into_iter().chain(part).collect();
        names.into_iter().map(|(kind, name)| (kind, name.clone()))
    }
}

/// Whether a word is a valid name of an Azure resource or group: letters of any script, digits, `-_.()`.
pub fn is_name(word: &str) -> bool {
    !matches!(word, "" | "." | "..")
        && !word.starts_with('-')
        && word
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '(' | ')'))
}

/// The user's resources, as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownResources {
    /// The subscription of this VM or of the instance.
    pub subscription: Option<String>,
    /// This VM.
    pub vm: Option<Resource>,
    /// The instance.
    pub service: Option<Resource>,
    /// The NSG of the subnet.
    pub nsg: Option<Resource>,
    /// The route table of the subnet.
    pub table: Option<Resource>,
    /// The subnet, as a part of its network.
    pub subnet: Option<Resource>,
    /// This VM's network interface.
    pub nic: Option<Resource>,
    /// The region.
    pub region: Option<String>,
}

/// What a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CommandSubject {
    Nsg,
    Table,
    Nic,
    Network,
    Zone,
    Service,
    Policy,
    Other,
}

/// The placeholders, each with its meaning; `RG` and `NAME` depend on the rest of the command.
const WORDS: [(&str, &str); 16] = [
    ("SUBSCRIPTION", "the subscription of the instance"),
    ("RG", ""),
    ("NSG", "the NSG of the instance's subnet"),
    ("TABLE", "the route table of the instance's subnet"),
    ("POLICY", "the policy of the firewall"),
    ("NIC", "this VM's network interface"),
    ("VNET", "the virtual network"),
    ("SUBNET", "the instance's subnet"),
    ("NAME", "the API Management instance"),
    ("REGION", "the instance's region"),
    ("DNS_POLICY", "the DNS security policy"),
    ("LB", "the load balancer"),
    ("PIP", "a name for the public address"),
    ("IPCONFIG", "the IP configuration of the network interface"),
    ("ZONE", "the private DNS zone"),
    ("LINK", "the zone's link to the virtual network"),
];

/// Commands that look for a resource in one subscription.
const OF_A_SUBSCRIPTION: [&str; 2] = ["az network ", "az apim "];

impl KnownResources {
    /// A command in which placeholders are replaced with the known names.
    pub fn fill(&self, command: &str, shell: Shell) -> String {
        let subject = CommandSubject::of(command);
        let resource = self.of(subject);
        let network = self.subnet.as_ref().map(Resource::network_id);
        let value = |word: &str| -> Option<&str> {
            match (word, resource) {
                // A zone need not be in the group of a network that it is linked to, so the network is named in full.
                ("VNET", _) if subject == CommandSubject::Zone => network.as_deref(),
                ("RG", Some(resource)) => Some(&resource.group),
                ("NSG" | "TABLE" | "NIC" | "VNET" | "NAME", Some(resource)) => Some(&resource.name),
                ("SUBNET", Some(resource)) => resource.part.as_deref(),
                ("SUBSCRIPTION", Some(resource)) => Some(&resource.subscription),
                ("SUBSCRIPTION", None) => self.subscription.as_deref(),
                ("REGION", _) => self.region.as_deref(),
                _ => None,
            }
        };
        let mut filled = String::new();
        let mut done = 0;
        for token in tokens(command) {
            let range = token.range(command, shell);
            filled.push_str(&command[done..range.start]);
            match value(token.word) {
                // Inside quotes the placeholder is part of a word, and no name contains anything that ends it.
                Some(value) if is_within(command, &range) => filled.push_str(value),
                Some(value) => filled.push_str(&shell.quote(value)),
                None => filled.push_str(&command[range.clone()]),
            }
            done = range.end;
        }
        filled.push_str(&command[done..]);
        match resource {
            // The default subscription of the reader's shell may be another one.
            Some(resource) if filled != command && OF_A_SUBSCRIPTION.iter().any(|start| command.starts_with(start)) => {
                format!("{filled} --subscription {}", shell.quote(&resource.subscription))
            }
            _ => filled,
        }
    }

    /// The placeholders that remain in these commands, each with its meaning.
    pub fn open<'c>(&self, commands: impl IntoIterator<Item = &'c str>) -> Vec<(String, String)> {
        let mut open: Vec<(&str, Vec<String>)> = Vec::new();
        for command in commands {
            let subject = CommandSubject::of(command);
            for word in words(command) {
                let meaning = self.meaning(word, subject);
                match open.iter_mut().find(|(known, _)| *known == word) {
                    Some((_, known)) if known.contains(&meaning) => {}
                    Some((_, known)) => known.push(meaning),
                    None => open.push((word, vec![meaning])),
                }
            }
        }
        let open = open.into_iter();
        open.map(|(word, meanings)| (word.to_owned(), combined(&meanings)))
            .collect()
    }

    fn meaning(&self, word: &str, subject: CommandSubject) -> String {
        match (word, subject) {
            ("RG", _) => format!("{GROUP_OF}{}", subject.words()),
            ("NIC", _) => {
                let vm = self.vm.as_ref().map_or_else(
                    || "-g GROUP --vm-name VM".to_owned(),
                    |vm| {
                        format!(
                            "-g {} --vm-name {}",
                            Shell::Bash.quote(&vm.group),
                            Shell::Bash.quote(&vm.name)
                        )
                    },
                );
                format!("this VM's network interface; `az vm nic list {vm}` lists them")
            }
            ("VNET", CommandSubject::Zone) => "the resource id of the virtual network".to_owned(),
            _ => {
                let known = WORDS.iter().find(|(known, _)| *known == word);
                known.map_or("", |(_, meaning)| *meaning).to_owned()
            }
        }
    }

    fn of(&self, subject: CommandSubject) -> Option<&Resource> {
        match subject {
            CommandSubject::Nsg => self.nsg.as_ref(),
            CommandSubject::Nic => self.nic.as_ref(),
            CommandSubject::Network => self.subnet.as_ref(),
            CommandSubject::Service => self.service.as_ref(),
            CommandSubject::Table => self.table.as_ref(),
            CommandSubject::Zone | CommandSubject::Policy | CommandSubject::Other => None,
        }
    }
}

/// A command that changes something, with shell variables for the remaining placeholders: the shell stops if one is not
/// set.
pub fn guarded(command: &str, shell: Shell) -> String {
    let mut guarded = String::new();
    let mut done = 0;
    for token in tokens(command) {
        let range = token.range(command, shell);
        // A placeholder in quotes or in a URL stays: the shell may not expand a variable there.
        if range.len() == token.word.len() && !is_within(command, &range) {
            guarded.push_str(&command[done..range.start]);
            guarded.push_str(&shell.variable(token.word));
            done = range.end;
        }
    }
    guarded.push_str(&command[done..]);
    guarded
}

/// The meanings of a word as one text. Only `RG` can have several, as each command may name another resource.
fn combined(meanings: &[String]) -> String {
    let (other, named): (Vec<&str>, Vec<&str>) = meanings
        .iter()
        .map(|meaning| meaning.strip_prefix(GROUP_OF).unwrap_or(meaning))
        .partition(|owner| *owner == CommandSubject::Other.words());
    match (named.as_slice(), other.first(), meanings) {
        (_, _, [meaning]) => meaning.clone(),
        ([rest @ .., last], None, _) => {
            format!("{GROUP_OF}{} or {last}, depending on the command", rest.join(", "))
        }
        (named, other, _) => format!("{GROUP_OF}{}, or of {}", named.join(", "), other.unwrap_or(&"")),
    }
}

impl CommandSubject {
    fn of(command: &str) -> Self {
        let has = |wanted: &str| words(command).any(|word| word == wanted);
        match () {
            () if command.starts_with("az network private-dns ") => Self::Zone,
            () if has("NSG") => Self::Nsg,
            () if has("TABLE") => Self::Table,
            () if has("POLICY") => Self::Policy,
            // A public address is found by its name in the group of the interface that gets it.
            () if has("NIC") || has("PIP") => Self::Nic,
            () if has("VNET") => Self::Network,
            () if command.contains("Microsoft.ApiManagement/service/NAME") || command.starts_with("az apim ") => {
                Self::Service
            }
            () => Self::Other,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Nsg => "the NSG",
            Self::Table => "the route table",
            Self::Policy => "the firewall policy",
            Self::Nic => "this VM",
            Self::Network => "the virtual network",
            Self::Zone => "the private DNS zone",
            Self::Service => "the instance",
            Self::Other => "the resource that the command names",
        }
    }
}

/// A placeholder, with its position.
struct NamePlaceholder {
    at: usize,
    word: &'static str,
}

impl NamePlaceholder {
    /// Its range, including the signs of a variable around it.
    fn range(&self, text: &str, shell: Shell) -> Range<usize> {
        let variable = shell.variable(self.word);
        let lead = variable.find(self.word).unwrap_or_default();
        let start = self.at.saturating_sub(lead);
        if text.get(start..).is_some_and(|rest| rest.starts_with(&variable)) {
            start..start + variable.len()
        } else {
            self.at..self.at + self.word.len()
        }
    }
}

/// Every placeholder in a text: a whole word of a command, a segment of a URL, a JSON string.
fn tokens(text: &str) -> impl Iterator<Item = NamePlaceholder> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut end = 0;
    text.split(move |c| !is_part(c)).filter_map(move |run| {
        let at = end;
        end += run.len();
        let before = text[..at].chars().next_back();
        let behind = text[end..].chars().next();
        end += behind.map_or(0, char::len_utf8);
        let begins = before.is_none_or(|c| matches!(c, ' ' | '/' | '{' | '$' | '"'));
        let ends = behind.is_none_or(|c| matches!(c, ' ' | '/' | ':' | '"'));
        let (word, _) = WORDS.iter().find(|(word, _)| *word == run)?;
        (begins && ends).then_some(NamePlaceholder { at, word })
    })
}

fn words(command: &str) -> impl Iterator<Item = &'static str> {
    tokens(command).map(|token| token.word)
}

/// Whether the following text is inside a word.
fn is_within(text: &str, range: &Range<usize>) -> bool {
    let is_end = |c: Option<char>| c.is_none_or(char::is_whitespace);
    !(is_end(text[..range.start].chars().next_back()) && is_end(text[range.end..].chars().next()))
}

#[cfg(test)]
mod tests {
    use super::{KnownResources, Resource};
    use crate::text::Shell;

    fn known_resources() -> KnownResources {
        let id = |rest: &str| Resource::of_id(&format!("/subscriptions/s-1/resourceGroups/{rest}"));
        KnownResources {
            subscription: Some("s-1".into()),
            nsg: id("rg-net/providers/Microsoft.Network/networkSecurityGroups/nsg-apim"),
            table: id("rg-hub/providers/Microsoft.Network/routeTables/rt-apim"),
            service: id("rg-apim/providers/Microsoft.ApiManagement/service/contoso"),
            subnet: id("rg net/providers/Microsoft.Network/virtualNetworks/hub/subnets/apim"),
            ..KnownResources::default()
        }
    }

    #[test]
    fn only_valid_resource_ids_are_parsed() {
        let subnet = known_resources().subnet;
        assert_eq!(subnet, None, "a blank is no part of a name");
        let nsg = known_resources().nsg.unwrap();
        assert_eq!(
            (nsg.group.as_str(), nsg.name.as_str(), nsg.part),
            ("rg-net", "nsg-apim", None)
        );
        for id in [
            "",
            "nsg",
            "/subscriptions/a/resourceGroups/b/providers/c/d",
            "/subscriptions/a/resourceGroups/../providers/c/d/e",
            "/subscriptions/a/resourceGroups/$(x)/providers/c/d/e",
            "/subscriptions/a/resourceGroups/b/providers/c/d/e/f/g/h",
            "/subscriptions/a/resourceGroups/-b/providers/c/d/e",
        ] {
            assert_eq!(Resource::of_id(id), None, "{id}");
        }
    }

    #[test]
    fn placeholders_are_replaced_by_known_names() {
        let known = known_resources();
        for (shell, command, filled) in [
            (
                Shell::Bash,
                "az network nsg rule create --resource-group \"${RG:?}\" --nsg-name \"${NSG:?}\" --name NSG-x",
                "az network nsg rule create --resource-group rg-net --nsg-name nsg-apim --name NSG-x --subscription s-1",
            ),
            (
                Shell::Powershell,
                "az network nsg rule create --resource-group $RG --nsg-name $NSG",
                "az network nsg rule create --resource-group rg-net --nsg-name nsg-apim --subscription s-1",
            ),
            // In a separate group.
            (
                Shell::Bash,
                "az network route-table route create --resource-group \"${RG:?}\" --route-table-name \"${TABLE:?}\"",
                "az network route-table route create --resource-group rg-hub --route-table-name rt-apim --subscription s-1",
            ),
            (
                Shell::Bash,
                "az rest --url \"https://m/subscriptions/SUBSCRIPTION/resourceGroups/RG/providers/Microsoft.ApiManagement/service/NAME/x?v=1\"",
                "az rest --url \"https://m/subscriptions/s-1/resourceGroups/rg-apim/providers/Microsoft.ApiManagement/service/contoso/x?v=1\"",
            ),
            (
                Shell::Bash,
                "az network nic show -g RG -n NIC",
                "az network nic show -g RG -n NIC",
            ),
        ] {
            assert_eq!(known.fill(command, shell), filled);
        }
    }

    #[test]
    fn private_dns_zone_group_stays_open_and_vnet_gets_its_full_id() {
        let id = "/subscriptions/s-1/resourceGroups/rg-net/providers/Microsoft.Network/virtualNetworks/hub";
        let known = KnownResources {
            subnet: Resource::of_id(&format!("{id}/subnets/apim")),
            ..known_resources()
        };
        let link = "az network private-dns link vnet create -g RG -z a.example -n apim -v";
        let filled = known.fill(&format!("{link} VNET"), Shell::Bash);
        assert_eq!(filled, format!("{link} {id}"));
        assert_eq!(
            known.open([filled.as_str()]),
            [("RG".to_owned(), "the resource group of the private DNS zone".to_owned())]
        );
    }

    #[test]
    fn public_ip_is_created_in_the_group_of_its_nic() {
        let known = KnownResources {
            nic: Resource::of_id(
                "/subscriptions/s-1/resourceGroups/rg-vm/providers/Microsoft.Network/networkInterfaces/nic",
            ),
            ..known_resources()
        };
        let create = "az network public-ip create -g RG -n PIP";
        assert_eq!(
            known.fill(create, Shell::Bash),
            "az network public-ip create -g rg-vm -n PIP --subscription s-1"
        );
    }

    #[test]
    fn unfilled_names_become_variables_that_must_be_set() {
        for (command, guarded) in [
            (
                "az network x -g RG -n LINK",
                "az network x -g \"${RG:?}\" -n \"${LINK:?}\"",
            ),
            (
                "az network x -g \"${RG:?}\" --name RG-x",
                "az network x -g \"${RG:?}\" --name RG-x",
            ),
            (
                "az rest --url \"https://m/resourceGroups/RG/NAME\" --body '{\"a\":\"NSG\"}'",
                "az rest --url \"https://m/resourceGroups/RG/NAME\" --body '{\"a\":\"NSG\"}'",
            ),
        ] {
            assert_eq!(super::guarded(command, Shell::Bash), guarded);
            assert_eq!(super::guarded(guarded, Shell::Bash), guarded);
        }
    }

    #[test]
    fn unfilled_placeholders_are_explained() {
        let open = known_resources().open(["az network nic show -g RG -n NIC", "az network lb show -g RG -n LB"]);
        let words: Vec<&str> = open.iter().map(|(word, _)| word.as_str()).collect();
        assert_eq!(words, ["RG", "NIC", "LB"]);
        assert_eq!(
            open[0].1,
            "the resource group of this VM, or of the resource that the command names"
        );
        assert!(open[1].1.contains("az vm nic list"), "{}", open[1].1);
        let open = known_resources().open([
            "az network nsg show -g RG -n NSG",
            "az network nic show -g RG -n NIC",
            "az network route-table show -g RG -n TABLE",
            "az network nsg rule list -g RG --nsg-name NSG",
        ]);
        assert_eq!(
            open[0].1,
            "the resource group of the NSG, this VM or the route table, depending on the command"
        );
    }
}
