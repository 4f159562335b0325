#!/usr/bin/env bash
# Collects what an API Management instance says of itself, for `apim-probe --instance`.
#
#   scripts/collect.sh RESOURCE_ID > instance.json
#
# Runs anywhere with the Azure CLI, signed in as somebody with the role Reader on the instance. Every request reads. Only
# the fields that lead to a host are asked for, so that no credentials, keys or certificates get into the file. URLs, plain
# named values and the text of policies come as they are: keep the file as confidential as those.
set -euo pipefail

if [[ $# -ne 1 || $1 != /subscriptions/*/providers/*/service/* || $1 == *..* ]]; then
    echo "usage: scripts/collect.sh RESOURCE_ID > instance.json   (az apim show --query id prints the id)" >&2
    exit 2
fi
id=${1%/}
version=2024-05-01
# Without the endpoint before it `az rest` asks the one of its own cloud, and sends its token nowhere else.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# What is kept of the entries of a list; `value[]` is a list of resources with id, type and name.
kept() {
    local fields=$1
    echo "{value: value[].{id: id, type: type, name: name, properties: {$fields}}, nextLink: nextLink}"
}

# One answer: the JSON on stdout, or Azure's error in its place.
answer() {
    if ! az rest --method get --url "$1" --query "$2" --output json 2> "$folder/error"; then
        echo "not collected: $1: $(head -n 3 "$folder/error" | tr '\n' ' ')" >&2
        code=$(grep -oE '(AuthorizationFailed|Forbidden|ResourceNotFound|TooManyRequests|InvalidAuthenticationToken[A-Za-z]*)' "$folder/error" | head -n 1 || true)
        echo "{\"error\": {\"code\": \"${code:-Failed}\", \"message\": \"collect.sh could not read it\"}}"
    fi
}

# All pages of a list, separated by commas.
pages() {
    local url=$1 query=$2 next=
    answer "$url" "$query" > "$folder/page"
    cat "$folder/page"
    while next=$(sed -n 's/^  "nextLink": "\(.\{1,\}\)",\{0,1\}$/\1/p' "$folder/page") && [[ -n $next && $next != "$url" ]]; do
        url=$next
        # The link is Azure's own; `az rest` sends its token to the endpoints of its cloud only.
        [[ $next == https://*"/subscriptions/"* ]] || break
        echo ,
        answer "$next" "$query" > "$folder/page"
        cat "$folder/page"
    done
}

# A key of the bundle: a list with all its pages.
list() {
    echo "reading $1" >&2
    echo ", \"$1\": ["
    pages "$id/$1?api-version=$version" "$(kept "$2")"
    echo "]"
}

# The policies of a scope, as XML.
policies() {
    pages "$1/policies?api-version=$version&format=xml" "$(kept 'format: properties.format, value: properties.value')"
}

vault='keyVault: properties.keyVault.{secretIdentifier: secretIdentifier, lastStatus: lastStatus}'
echo "reading the instance" >&2
echo '{ "service":'
answer "$id?api-version=$version" '{id: id, type: type, name: name, location: location, sku: sku.{name: name}, properties: properties.{provisioningState: provisioningState, virtualNetworkType: virtualNetworkType, virtualNetworkConfiguration: virtualNetworkConfiguration.{subnetResourceId: subnetResourceId}, privateIPAddresses: privateIPAddresses, publicIPAddresses: publicIPAddresses, gatewayUrl: gatewayUrl, developerPortalUrl: developerPortalUrl, managementApiUrl: managementApiUrl, additionalLocations: additionalLocations[].{location: location, privateIPAddresses: privateIPAddresses, publicIPAddresses: publicIPAddresses, virtualNetworkConfiguration: virtualNetworkConfiguration.{subnetResourceId: subnetResourceId}}, hostnameConfigurations: hostnameConfigurations[].{type: type, hostName: hostName, keyVaultId: keyVaultId, certificateSource: certificateSource}, certificates: certificates[].{storeName: storeName, certificate: certificate.{subject: subject, thumbprint: thumbprint}}}}' > "$folder/service"
cat "$folder/service"
if grep -q '"error"' "$folder/service" && ! grep -q '"location"' "$folder/service"; then
    echo "the instance itself cannot be read: check the id, and that you have the role Reader on it" >&2
    exit 1
fi
for document in networkstatus outboundNetworkDependenciesEndpoints; do
    echo "reading $document" >&2
    echo ", \"$document\":"
    answer "$id/$document?api-version=$version" '@'
done
list loggers 'loggerType: properties.loggerType, resourceId: properties.resourceId, credentials: properties.credentials.{endpointAddress: endpointAddress}'
list caches 'useFromLocation: properties.useFromLocation, resourceId: properties.resourceId'
list backends 'url: properties.url, type: properties.type, tls: properties.tls.{validateCertificateChain: validateCertificateChain, validateCertificateName: validateCertificateName}, proxy: properties.proxy.{url: url}, pool: properties.pool, properties: properties.properties.{serviceFabricCluster: serviceFabricCluster.{managementEndpoints: managementEndpoints, serverCertificateThumbprints: serverCertificateThumbprints}}'
list namedValues "displayName: properties.displayName, secret: properties.secret, value: properties.value, $vault"
list certificates "$vault"
list identityProviders 'type: properties.type, authority: properties.authority, signinTenant: properties.signinTenant, allowedTenants: properties.allowedTenants'
list openidConnectProviders 'displayName: properties.displayName, metadataEndpoint: properties.metadataEndpoint'
list authorizationServers 'displayName: properties.displayName, tokenEndpoint: properties.tokenEndpoint'
list authorizationProviders 'displayName: properties.displayName, oauth2: properties.oauth2.{grantTypes: grantTypes.{authorizationCode: authorizationCode.{loginUri: loginUri, tokenUrl: tokenUrl, refreshUrl: refreshUrl}, clientCredentials: clientCredentials.{loginUri: loginUri, tokenUrl: tokenUrl}}}'
list gateways 'description: null'
list apis 'displayName: properties.displayName, serviceUrl: properties.serviceUrl, isCurrent: properties.isCurrent, type: properties.type' > "$folder/apis"
cat "$folder/apis"
list products 'displayName: properties.displayName' > "$folder/products"
list policyFragments 'value: properties.value'

echo "reading policies" >&2
echo ', "policies": ['
policies "$id"
sed -n 's/^ *"id": "\([^"]*\)",\{0,1\}$/\1/p' "$folder/apis" "$folder/products" | grep -v ';rev=' | while IFS= read -r scope; do
    echo ,
    policies "$scope"
done || true
echo '] }'
