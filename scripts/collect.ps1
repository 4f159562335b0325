<#
.SYNOPSIS
Collects what an API Management instance says of itself, for apim-probe --instance.
.DESCRIPTION
    scripts/collect.ps1 RESOURCE_ID > instance.json
Needs the Azure CLI (az), signed in as somebody with the role Reader on the instance. Every request reads. Of each entry only
the fields that lead to a host are kept, so that no credentials, keys or certificates get into the file. URLs, plain named
values and the text of policies come as they are: keep the file as confidential as those.
#>
param([Parameter(Mandatory)][ValidatePattern('^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.ApiManagement/service/[^/]+/?$')][string]$ResourceId)
$ErrorActionPreference = 'Stop'
$id = $ResourceId.TrimEnd('/')
$version = '2024-05-01'

# The fields of an entry that are kept, below its properties.
$fields = [ordered]@{
    loggers = 'loggerType', 'resourceId'
    caches = 'useFromLocation', 'resourceId'
    backends = 'url', 'type', 'pool'
    namedValues = 'displayName', 'secret', 'value', 'keyVault'
    certificates = @('keyVault')
    identityProviders = 'type', 'authority', 'signinTenant', 'allowedTenants'
    openidConnectProviders = 'displayName', 'metadataEndpoint'
    authorizationServers = 'displayName', 'tokenEndpoint'
    gateways = @()
    apis = 'displayName', 'serviceUrl', 'isCurrent', 'type'
    products = @('displayName')
    policyFragments = @('value')
}

function Read-Document([string]$Url) {
    # Windows PowerShell would stop at what az writes to stderr.
    $ErrorActionPreference = 'Continue'
    # On Windows az is a batch file, in which an & would end the command: the query goes in words of its own.
    $address, $query = $Url -split '\?', 2
    $words = @($query -split '&' | Where-Object { $_ } | ForEach-Object { [uri]::UnescapeDataString($_) })
    $text = az rest --method get --url $address --url-parameters @words --output json 2>$null
    if ($LASTEXITCODE -ne 0) {
        [Console]::Error.WriteLine("not collected: $Url")
        return $null
    }
    return ($text -join "`n") | ConvertFrom-Json
}

function Select-Fields($Object, [string[]]$Names) {
    $kept = [ordered]@{}
    foreach ($name in $Names) {
        if ($null -ne $Object.$name) { $kept[$name] = $Object.$name }
    }
    return $kept
}

function Read-List([string]$Url, [string]$Name) {
    $entries = @()
    while ($Url) {
        $page = Read-Document $Url
        if ($null -eq $page) { break }
        foreach ($entry in $page.value) {
            $properties = Select-Fields $entry.properties $fields[$Name]
            if ($Name -eq 'loggers' -and $entry.properties.credentials) {
                $properties['credentials'] = Select-Fields $entry.properties.credentials @('endpointAddress')
            }
            if ($Name -eq 'backends') {
                $properties['tls'] = Select-Fields $entry.properties.tls @('validateCertificateChain', 'validateCertificateName')
                if ($entry.properties.proxy) { $properties['proxy'] = Select-Fields $entry.properties.proxy @('url') }
                $cluster = $entry.properties.properties.serviceFabricCluster
                if ($cluster) {
                    $properties['properties'] = @{ serviceFabricCluster = Select-Fields $cluster @('managementEndpoints', 'serverCertificateThumbprints') }
                }
            }
            if ($Name -eq 'policies') { $properties = Select-Fields $entry.properties @('format', 'value') }
            $entries += [ordered]@{ id = $entry.id; type = $entry.type; name = $entry.name; properties = $properties }
        }
        $Url = $page.nextLink
    }
    return , $entries
}

$service = Read-Document "$id`?api-version=$version"
if ($null -eq $service) { throw 'the instance itself cannot be read: check the id, and that you have the role Reader on it' }
$about = Select-Fields $service.properties @('provisioningState', 'virtualNetworkType', 'virtualNetworkConfiguration', 'privateIPAddresses', 'publicIPAddresses', 'gatewayUrl', 'developerPortalUrl', 'managementApiUrl', 'additionalLocations')
$about['hostnameConfigurations'] = @($service.properties.hostnameConfigurations | ForEach-Object { Select-Fields $_ @('type', 'hostName', 'keyVaultId', 'certificateSource') })
$about['certificates'] = @($service.properties.certificates | Where-Object { $_ } | ForEach-Object { @{ storeName = $_.storeName; certificate = Select-Fields $_.certificate @('subject', 'thumbprint') } })
$bundle = [ordered]@{
    service = [ordered]@{ id = $service.id; type = $service.type; name = $service.name; location = $service.location; sku = @{ name = $service.sku.name }; properties = $about }
    networkStatus = Read-Document "$id/networkstatus?api-version=$version"
    dependencies = Read-Document "$id/outboundNetworkDependenciesEndpoints?api-version=$version"
}
foreach ($name in $fields.Keys) {
    [Console]::Error.WriteLine("reading $name")
    $bundle[$name] = Read-List "$id/$name`?api-version=$version" $name
}
[Console]::Error.WriteLine('reading policies')
$scopes = @($id) + @($bundle['apis'] + $bundle['products'] | ForEach-Object { $_.id } | Where-Object { $_ -notmatch ';rev=' })
$bundle['policies'] = @($scopes | ForEach-Object { Read-List "$_/policies?api-version=$version&format=xml" 'policies' } | ForEach-Object { $_ })
$bundle | ConvertTo-Json -Depth 20
