#!/usr/bin/env bash
# Collects the documents of an API Management instance, for `apim-probe
# --instance`.
#
#   scripts/collect.sh RESOURCE_ID > instance.json
#
# Runs anywhere with the Azure CLI, signed in with the role Reader on the
# instance. It only reads, and requests only fields that lead to a host, so no
# credentials, keys or certificates get into the file. URLs, plain named values
# and the text of policies are kept as they are: keep the file as confidential
# as those. What could not be read is reported on stderr and is an error in the
# file, which apim-probe reports as well.
set -euo pipefail
shopt -s nocasematch

if [[ ${1:-} == --help ]]; then
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
    exit
fi
if [[ ${1:-} == -* ]]; then
    echo "collect: expected a resource id, not $1 (see --help)" >&2
    exit 2
fi
one='[^]/?#&[:space:]["]+'
if [[ $# -ne 1 || $1 == *..* || ! $1 =~ ^/subscriptions/$one/resourceGroups/$one/providers/Microsoft\.ApiManagement/service/$one/?$ ]]; then
    echo "usage: scripts/collect.sh RESOURCE_ID > instance.json   (az apim show --query id prints the id)" >&2
    exit 2
fi
if ! command -v az > /dev/null; then
    echo "the Azure CLI (az) is not installed here: install it, or run this on a machine that has it" >&2
    exit 1
fi
id=${1%/}
version=2024-05-01
# A limit against endless paging: at 100 entries per page, no instance has more.
most_pages=100
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# az handles Ctrl-C itself, so the shell would continue without these traps.
trap 'exit 130' INT
trap 'exit 143' TERM HUP
bundle=$folder/bundle

# The management endpoint of az's cloud; pages are fetched from there only.
endpoint=$(az cloud show --query endpoints.resourceManager --output tsv 2> /dev/null || true)
endpoint=${endpoint%/}
endpoint=${endpoint:-https://management.azure.com}

# The JMESPath query for a list: id, type, name and the given properties of each entry.
kept() {
    echo "{value: value[].{id: id, type: type, name: name, properties: {$1}}, nextLink: nextLink}"
}

# failed WHAT CODE MESSAGE DETAILS: reports on stderr what could not be collected, and prints an error to put in its place.
failed() {
    echo "not collected: $1: $3 $4" >&2
    echo "{\"error\": {\"code\": \"$2\", \"message\": \"$3\"}}"
}

# Prints one JSON document, or Azure's error in its place. With a third argument, a missing list is an empty one.
answer() {
    local url=$1 query=$2 empty=${3:-} tries code
    for tries in 1 2 3 4; do
        if az rest --method get --url "$url" --query "$query" --output json 2> "$folder/error"; then
            return
        fi
        code=$(grep -oE 'AuthorizationFailed|Forbidden|ResourceNotFound|Not ?Found|TooManyRequests|Too Many Requests|(Invalid|Expired)AuthenticationToken[A-Za-z]*' "$folder/error" | head -n 1 | tr -d ' ' || true)
        case $code in
            TooManyRequests) [[ $tries -lt 4 ]] && sleep $((tries * 10)) ;;
            ResourceNotFound | NotFound)
                [[ -n $empty ]] || break
                echo '{"value": []}'
                return
                ;;
            *) break ;;
        esac
    done
    failed "$url" "${code:-Failed}" "collect.sh could not read it" "$(head -n 3 "$folder/error" | tr '\n' ' ')"
}

# Prints all pages of a list, separated by commas.
pages() {
    local url=$1 query=$2 host=${endpoint#https://} seen=" $1 " count=1
    while true; do
        answer "$url" "$query" empty | tee "$folder/page"
        url=$(sed -n 's/^  "nextLink": "\(.\{1,\}\)",\{0,1\}$/\1/p' "$folder/page")
        [[ -n $url ]] || return 0
        echo ,
        if [[ $url != "https://$host/"* && $url != "https://$host:443/"* ]]; then
            failed "$1" NextPageElsewhere "the rest is at another host and was not requested" "$url"
        elif [[ $count -ge $most_pages || $seen == *" $url "* ]]; then
            failed "$1" PagesWithoutEnd "the list does not end: $count pages were read" ""
        else
            seen+="$url "
            count=$((count + 1))
            continue
        fi
        return 0
    done
}

# Prints one key of the bundle: a list with all its pages.
list() {
    echo "reading $1" >&2
    echo ", \"$1\": ["
    pages "$id/$1?api-version=$version" "$(kept "$2")"
    echo "]"
}

# Prints the policies of a scope, as XML.
policies() {
    pages "$1/policies?api-version=$version&format=xml" "$(kept 'format: properties.format, value: properties.value')"
}

echo "reading the instance" >&2
answer "$id?api-version=$version" '{id: id, type: type, name: name, location: location, sku: sku.{name: name}, properties: properties.{provisioningState: provisioningState, virtualNetworkType: virtualNetworkType, virtualNetworkConfiguration: virtualNetworkConfiguration.{subnetResourceId: subnetResourceId}, privateIPAddresses: privateIPAddresses, publicIPAddresses: publicIPAddresses, gatewayUrl: gatewayUrl, developerPortalUrl: developerPortalUrl, managementApiUrl: managementApiUrl, additionalLocations: additionalLocations[].{location: location, privateIPAddresses: privateIPAddresses, publicIPAddresses: publicIPAddresses, virtualNetworkConfiguration: virtualNetworkConfiguration.{subnetResourceId: subnetResourceId}}, hostnameConfigurations: hostnameConfigurations[].{type: type, hostName: hostName, keyVaultId: keyVaultId, certificateSource: certificateSource}, certificates: certificates[].{storeName: storeName, certificate: certificate.{subject: subject, thumbprint: thumbprint}}}}' > "$folder/service"
if grep -q '^{"error"' "$folder/service"; then
    echo "the instance itself cannot be read: check the id, that az is signed in, and that you have the role Reader on it" >&2
    exit 1
fi

vault='keyVault: properties.keyVault.{secretIdentifier: secretIdentifier, lastStatus: lastStatus}'
{
    echo '{ "service":'
    cat "$folder/service"
    for document in networkstatus outboundNetworkDependenciesEndpoints; do
        echo "reading $document" >&2
        echo ", \"$document\":"
        answer "$id/$document?api-version=$version" '@'
    done
    list loggers 'loggerType: properties.loggerType, resourceId: properties.resourceId, credentials: properties.credentials.{endpointAddress: endpointAddress}'
    list caches 'useFromLocation: properties.useFromLocation, resourceId: properties.resourceId'
    list backends 'url: properties.url, type: properties.type, tls: properties.tls.{validateCertificateChain: validateCertificateChain, validateCertificateName: validateCertificateName}, proxy: properties.proxy.{url: url}, pool: properties.pool, properties: properties.properties.{serviceFabricCluster: serviceFabricCluster.{managementEndpoints: managementEndpoints, serverCertificateThumbprints: serverCertificateThumbprints, serverX509Names: serverX509Names}}'
    list namedValues "displayName: properties.displayName, secret: properties.secret, value: properties.value, $vault"
    list certificates "$vault"
    list identityProviders 'type: properties.type, authority: properties.authority, signinTenant: properties.signinTenant, allowedTenants: properties.allowedTenants'
    list openidConnectProviders 'displayName: properties.displayName, metadataEndpoint: properties.metadataEndpoint'
    list authorizationServers 'displayName: properties.displayName, tokenEndpoint: properties.tokenEndpoint'
    list authorizationProviders 'displayName: properties.displayName, oauth2: properties.oauth2.{grantTypes: grantTypes.{authorizationCode: authorizationCode.{loginUri: loginUri, tokenUrl: tokenUrl, refreshUrl: refreshUrl}, clientCredentials: clientCredentials.{loginUri: loginUri, tokenUrl: tokenUrl}}}'
    list gateways 'description: null'
    list apis 'displayName: properties.displayName, serviceUrl: properties.serviceUrl, isCurrent: properties.isCurrent, type: properties.type' | tee "$folder/apis"
    list products 'displayName: properties.displayName' | tee "$folder/products"
    list policyFragments 'value: properties.value'
    echo "reading policies" >&2
    echo ', "policies": ['
    policies "$id"
    # Skips old revisions of APIs.
    sed -n 's/^ *"id": "\([^"]*\)",\{0,1\}$/\1/p' "$folder/apis" "$folder/products" | { grep -v ';rev=' || true; } | while IFS= read -r scope; do
        echo ,
        policies "$scope"
    done
    echo '] }'
} > "$bundle"
cat "$bundle"
