//! Documents that are refused: the message names what they look like and the command that creates the right one.

use super::*;

const NSG: &str = "az network nic list-effective-nsg";
const ROUTES: &str = "az network nic show-effective-route-table";
const TAGS: &str = "az network list-service-tags";
const STATUS: &str = "/networkstatus?api-version=";
const DEPENDENCIES: &str = "/outboundNetworkDependenciesEndpoints?api-version=";

/// The messages of all five readers, with the command that each must contain.
fn refusals(bytes: &[u8]) -> Vec<(&'static str, String)> {
    let commands = [NSG, ROUTES, TAGS, STATUS, DEPENDENCIES];
    let refused = read_all(bytes).into_iter().zip(commands);
    refused
        .filter_map(|(result, command)| Some((command, result.err()?)))
        .collect()
}

/// Documents that no flag accepts, with the message.
const UNSUPPORTED: &[(&str, &str)] = &[
    (
        "",
        "is empty: the command that wrote it failed, or its VM was not running",
    ),
    (" \r\n", "is empty"),
    ("null", "is null: the command or its --query found nothing"),
    ("42", "looks like a single value"),
    ("[1, 2]", "looks like a list of plain values"),
    ("{}", "looks like another kind of object without any keys"),
    (
        r#"{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}"#,
        "looks like another kind of object with a, b, c, d …",
    ),
    ("{\"value\": [", "ends in the middle of its JSON, on line 1"),
    ("{\"value\": nothing}", "is not JSON from line 1, column 12"),
    (
        "{\"value\": []}\n{\"value\": []}",
        "contains several documents, the second from line 2",
    ),
    (
        "PS C:\\> az network nic list-effective-nsg\n[\n{\"a\":\n",
        "ends in the middle of its JSON, on line 3",
    ),
    (
        "<!DOCTYPE html><html><title>Sign in</title></html>",
        "is a web page or XML",
    ),
    ("<?xml version=\"1.0\"?>", "is a web page or XML"),
    (
        "<Objs Version=\"1.1.0.1\"><Obj/></Objs>",
        "is XML from PowerShell's Export-Clixml",
    ),
    (
        "This is what I found in the portal.",
        "is text, but neither JSON nor another complete output format",
    ),
    (
        "Default\tActive\t1\tInternet\t0\nDefault\tActive\t1\tNone\t0\n",
        "is tab-separated text, as az -o tsv writes it",
    ),
    (
        r#"{"name": "nsg", "securityRules": []}"#,
        "a network security group itself (az network nsg show)",
    ),
    (
        r#"{"properties": {"defaultSecurityRules": []}}"#,
        "a network security group itself",
    ),
    (
        r#"[{"name": "r", "direction": "Inbound", "access": "Allow", "priority": 100, "provisioningState": "Succeeded"}]"#,
        "the configured rules of a network security group (az network nsg rule list)",
    ),
    (
        r#"{"name": "rt", "routes": []}"#,
        "a route table itself (az network route-table show)",
    ),
    (
        r#"{"value": [{"addressPrefixes": ["10.0.0.0/8"], "nextHops": ["/…/hub"], "nextHopType": "Remote Hub", "asPath": "65520", "routeOrigin": "/…/hub"}]}"#,
        "the routes of a virtual hub (az network vhub get-effective-routes), not of a network interface",
    ),
    (
        r#"{"value": [{"network": "10.0.0.0/8", "nextHop": "10.1.0.4", "origin": "EBgp", "sourcePeer": "10.1.0.4", "asPath": "65001"}]}"#,
        "the routes of a gateway or a route server",
    ),
    (
        r#"{"nextHopType": "Internet", "routeTableId": "System Route"}"#,
        "Network Watcher's next hop for one address",
    ),
    (
        r#"{"networkInterfaces": [{"id": "x", "securityRuleAssociations": {"effectiveSecurityRules": []}}]}"#,
        "Network Watcher's view of a VM's rules",
    ),
    (
        r#"{"gatewayUrl": "https://x.azure-api.net"}"#,
        "the instance itself (az apim show)",
    ),
    (
        r#"{"properties": {"addressSpace": {"addressPrefixes": []}}}"#,
        "a virtual network itself",
    ),
    (
        r#"{"macAddress": "00-0D", "ipConfigurations": []}"#,
        "a network interface itself",
    ),
    (
        r#"{"value": [{"type": "Microsoft.ApiManagement/service/loggers", "name": "x"}]}"#,
        "a list of something else of the type Microsoft.ApiManagement/service/loggers",
    ),
    (
        r#"{"$schema": "https://…", "contentVersion": "1.0.0.0"}"#,
        "an Azure Resource Manager template",
    ),
    (r#"{"version": 4, "terraform_version": "1.9.0"}"#, "a Terraform state"),
    (
        r#"{"id": "/…/operations/1", "status": "InProgress"}"#,
        "an Azure operation that had not finished",
    ),
    (r#"{"schema": "apim-probe/report/v1"}"#, "a report from this program"),
    (
        r#"{"schema": "apim-probe/plan/v1"}"#,
        "another document from this program",
    ),
];

#[test]
fn unsupported_documents_are_refused_by_every_flag() {
    for (document, looks) in UNSUPPORTED {
        let messages = refusals(document.as_bytes());
        assert_eq!(messages.len(), 5, "{document}");
        for (command, refusal) in messages {
            assert!(refusal.contains(looks), "{refusal}\nand not: {looks}");
            assert!(refusal.contains(command), "{refusal}\nand not: {command}");
        }
    }
}

#[test]
fn azure_errors_are_reported_with_their_code() {
    for (document, code) in [
        (
            r#"{"error": {"code": "AuthorizationFailed", "message": "The client 'x' does not have authorization"}}"#,
            "is an Azure error, AuthorizationFailed: \"The client 'x' does not have authorization\", so use an account \
             that may",
        ),
        (
            r#"{"code": "ResourceNotFound", "message": "The Resource was not found."}"#,
            "ResourceNotFound: \"The Resource was not found.\"",
        ),
        (r#"{"Code": "NotFound", "Message": "gone"}"#, "NotFound: \"gone\""),
        (
            r#"{"error": "invalid_grant", "error_description": "AADSTS700082: expired"}"#,
            "invalid_grant: \"AADSTS700082: expired\"",
        ),
        (
            r#"{"odata.error": {"code": "Request_ResourceNotFound", "message": {"lang": "en", "value": "no"}}}"#,
            "Request_ResourceNotFound: \"no\"",
        ),
        (
            r#"{"status": "Failed", "error": {"code": "InternalServerError", "message": "again"}}"#,
            "InternalServerError: \"again\"",
        ),
        (
            r#"{"statusCode": 404, "message": "Resource not found"}"#,
            "404: \"Resource not found\"",
        ),
        (
            r#"{"StatusCode": 403, "Content": "{\"error\":{\"code\":\"Forbidden\",\"message\":\"no\"}}"}"#,
            "Forbidden: \"no\"",
        ),
        (
            "ERROR: (NetworkInterfaceNotAttachedToRunningVm) The VM must be running.\nCode: NetworkInterfaceNotAttachedToRunningVm\nMessage: The VM must be running.\n",
            "NetworkInterfaceNotAttachedToRunningVm: \"The VM must be running.\"",
        ),
        // Without the colour codes that the Azure CLI adds.
        (
            "(AuthorizationFailed) The client 'x' does not have authorization.\n",
            "AuthorizationFailed: \"The client 'x' does not have authorization.\"",
        ),
        (
            "ERROR: Forbidden({\"error\":{\"code\":\"AuthorizationFailed\",\"message\":\"The client\"}})\n",
            "AuthorizationFailed: \"The client\"",
        ),
        (
            "ERROR: Please run 'az login' to setup account.\n",
            "is an Azure error: \"Please run 'az login' to setup account.\"",
        ),
        (
            "ERROR: AADSTS700082: The refresh token has expired.\n",
            "The refresh token has expired",
        ),
        (
            "usage: az network nic list-effective-nsg\naz network nic list-effective-nsg: error: unrecognized arguments: x\n",
            "is an Azure error",
        ),
        ("bash: az: command not found\n", "command not found"),
        (
            "Get-AzEffectiveRouteTable : Run Connect-AzAccount to login.\nAt line:1 char:1\n+ Get-AzEffectiveRouteTable\n+ CategoryInfo : CloseError\n",
            "Run Connect-AzAccount to login",
        ),
        (
            "Get-AzEffectiveRouteTable: \nErrorCode: AuthorizationFailed\nErrorMessage: The client has no authorization.\nStatusCode: 403\n",
            "AuthorizationFailed: \"The client has no authorization.\"",
        ),
    ] {
        let messages = refusals(document.as_bytes());
        assert_eq!(messages.len(), 5, "{document}");
        for (_, refusal) in messages {
            assert!(refusal.contains(code), "{refusal}\nand not: {code}");
            assert!(refusal.contains(": `"), "{refusal}");
        }
    }
}

#[test]
fn document_for_another_flag_names_that_flag() {
    let status = r#"[{"location": "West Europe", "networkStatus": {"dnsServers": [], "connectivityStatus": []}}]"#;
    let dependencies = r#"{"value": [{"category": "Azure SQL", "endpoints": []}]}"#;
    let tags =
        r#"{"changeNumber": 1, "values": [{"name": "Sql", "properties": {"addressPrefixes": ["20.0.0.0/24"]}}]}"#;
    for (document, flag) in [
        (fixture("nsg.json"), "pass it with --effective-nsg"),
        (fixture("nsg.format-list.txt"), "pass it with --effective-nsg"),
        (fixture("routes.az-table.txt"), "pass it with --effective-routes"),
        (fixture("routes.json"), "pass it with --effective-routes"),
        (tags.into(), "pass it with --service-tags"),
        (status.into(), "pass it with --network-status"),
        (dependencies.into(), "pass it with --dependencies"),
    ] {
        let messages = refusals(&document);
        assert_eq!(messages.len(), 4, "{flag}");
        for (_, refusal) in messages {
            assert!(refusal.contains(flag), "{refusal}\nand not: {flag}");
        }
    }
}

#[test]
fn incomplete_documents_are_refused() {
    let nsg = |document: &str| SecurityRules::parse(document.as_bytes()).unwrap_err();
    let table = |document: &str| Routes::parse(document.as_bytes()).unwrap_err();
    let status =
        |document: &str| ImportedDocument::read(document, "file", DocumentKind::NetworkStatus, None).unwrap_err();
    let rule = r#"{"name": "r", "priority": 1, "direction": "Outbound", "access": "Allow", "protocol": "All", "sourceAddressPrefix": "*",
        "destinationAddressPrefix": "*", "destinationPortRange": "80"}"#;
    let route = r#"{"source": "User", "state": "Active", "addressPrefix": ["0.0.0.0/0"], "nextHopType": "Internet"}"#;
    for (refusal, looks) in [
        // One rule, or the rules without their NSG.
        (nsg(rule), "effective security rules without their NSG"),
        (
            nsg(&format!("[{rule}, {rule}]")),
            "effective security rules without their NSG",
        ),
        (
            nsg(&format!("[[{rule}]]")),
            "effective security rules without their NSG",
        ),
        (
            table(route),
            "contains a single route, but every network interface has several",
        ),
        (
            nsg(
                "NIC     Subnet    NSG    Rule Name            Protocol    Direction    Access\n------  --------  -----  -------------------  ----------  -----------  --------\nvm-nic  -         nsg-a  securityRules/Allow  Tcp         Outbound     Allow\n",
            ),
            "a table as az -o table or PowerShell's Format-Table prints it of effective security rules without their NSG",
        ),
        (
            table("\nName State  Source  NextHopType\n---- -----  ------  -----------\n     Active Default Internet\n"),
            "without addressPrefix, nextHopIpAddress",
        ),
        (
            table(
                "Source  State  AddressPrefix                                    NextHopType NextHopIpAddress\n------  -----  -------------                                    ----------- ----------------\nDefault Active {10.0.0.0/16, 10.1.0.0/16, 10.2.0.0/16, 10.3....} VnetLocal   {}\n",
            ),
            "shows only part of addressPrefix",
        ),
        (
            table(
                "State            : Active\nSource           : Default\nAddressPrefix    : {10.0.0.0/16, 10.1.0.0/16, 10.2.0.0/16, 10.3.0.0/16…}\nNextHopType      : VnetLocal\nNextHopIpAddress : {}\n",
            ),
            "shows only part of AddressPrefix",
        ),
        (
            table("Source,State,Address Prefixes,Next Hop Type\nDefault,Active,10.0.0.0/16,Virtual network\n"),
            "is a table in CSV without nextHopIpAddress",
        ),
        (
            table(
                "Source  State    Address Prefix    Next Hop Type    Next Hop IP\n--------  -------  ----------------  ---------------  -------------\nDefault Active 10.0.0.0/16 VnetLocal x y z a b c d e f g h i j k l m n o p\n",
            ),
            "columns cannot be separated",
        ),
        (
            table(
                "Source  State    Address Prefix    Next Hop Type    Next Hop IP\n------  -------  ----------------  ---------------  -------------\nUser    Active   0.0.0.0/0         Internet\n\nNetwork    Next Hop\n---------  ----------\n10.0.0.0/8 x\n",
            ),
            "contains several tables",
        ),
        (
            status("Location    \n----------\nWest Europe\n"),
            "of something else with Location",
        ),
        (
            status(
                "Location           : West US\nDnsServers         : {168.63.129.16}\nConnectivityStatus : {Microsoft.Azure.Commands.ApiManagement.Models.PsConnectivityStatus, Microsoft.Azure.Commands.ApiManagement.Models.PsConnectivityStatus...}\n",
            ),
            "shows only part of ConnectivityStatus",
        ),
        (
            status(
                "Location           : West US\nDnsServers         : {168.63.129.16}\nConnectivityStatus : {Microsoft.Azure.Commands.ApiManagement.Models.PsConnectivityStatus}\n",
            ),
            "ConvertTo-Json",
        ),
        (
            nsg(
                r#"[{"NetworkSecurityGroup": {"Id": "x"}, "Association": "@{Subnet=}", "EffectiveSecurityRules": "System.Object[]"}]"#,
            ),
            "was truncated by PowerShell, which replaces anything nested deeper than -Depth with type names",
        ),
        (
            status(
                r#"{"Location": "West US", "DnsServers": ["168.63.129.16"], "ConnectivityStatus": ["Microsoft.Azure.Commands.ApiManagement.Models.PsConnectivityStatus"]}"#,
            ),
            "was truncated by PowerShell",
        ),
        (
            table(
                r#"[{"State": "Active", "Source": "Default", "AddressPrefix": ["10.1.0.0/16"], "NextHopType": "VnetLocal", "NextHopIpAddress": "System.Object[]"}]"#,
            ),
            "was truncated by PowerShell",
        ),
    ] {
        assert!(refusal.contains(looks), "{refusal}\nand not: {looks}");
        assert!(refusal.contains(": `"), "{refusal}");
    }
}

#[test]
fn powershell_output_suggests_a_powershell_command() {
    let refusal = Routes::parse(
        b"\nName State  Source  NextHopType\n---- -----  ------  -----------\n     Active Default Internet\n",
    )
    .unwrap_err();
    assert!(refusal.ends_with(": `Get-AzEffectiveRouteTable -ResourceGroupName GROUP -NetworkInterfaceName NIC | ConvertTo-Json -Depth 10 > routes.json`"), "{refusal}");
    let refusal = Routes::parse(b"{}").unwrap_err();
    assert!(
        refusal
            .ends_with(": `az network nic show-effective-route-table --resource-group GROUP --name NIC > routes.json`"),
        "{refusal}"
    );
}

#[test]
fn binary_files_are_reported_by_type() {
    for (bytes, looks) in [
        (&b"PK\x03\x04\xff\xfe\x00"[..], "is an archive or a workbook"),
        (b"\x1f\x8b\x08\x00\xff", "is gzip-compressed"),
        (b"%PDF-1.7\n\xff\xff", "is a PDF document"),
        (b"\xff\xff\xff", "is not text"),
    ] {
        let refusal = Routes::parse(bytes).unwrap_err();
        assert!(refusal.contains(looks), "{refusal}");
        assert!(refusal.contains(ROUTES), "{refusal}");
    }
}

#[test]
fn deep_or_wide_documents_do_not_overflow_the_stack() {
    for text in [
        "[".repeat(200_000),
        "{\"value\":".repeat(100_000),
        format!("{}{}", "{\"value\":".repeat(100_000), "}".repeat(100_000)),
        "{- Finished ..".repeat(50_000),
        "a : b\n".repeat(50_000),
        "- ".repeat(100_000),
        format!("a  b\n-  -\n{}", "x  y\n".repeat(20_000)),
        format!("{}\n{}\n", "a  ".repeat(50_000), "-- ".repeat(50_000)),
        "\"a\",".repeat(50_000),
        format!("x{}", ": {".repeat(50_000)),
    ] {
        let _ = read_all(text.as_bytes());
    }
}
