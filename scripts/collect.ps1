<#
.SYNOPSIS
Collects the documents of an API Management instance, for apim-probe --instance.
.DESCRIPTION
    scripts/collect.ps1 RESOURCE_ID > instance.json
Needs the Azure CLI (az), signed in with the role Reader on the instance. It only reads, and keeps only the fields of each entry
that lead to a host, so no credentials, keys or certificates get into the file. URLs, plain named values and the text of
policies are kept as they are: keep the file as confidential as those. What could not be read is reported on stderr and is an
error in the file, which apim-probe reports as well.

It does the same as collect.sh, which is tested against a fake az; of this script only the syntax and the lists are tested.
#>
param([Parameter(Mandatory)][ValidatePattern('^/subscriptions/[^/?#\s]+/resourceGroups/[^/?#\s]+/providers/Microsoft\.ApiManagement/service/[^/?#\s]+/?$')][string]$ResourceId)
$ErrorActionPreference = 'Stop'
if ($ResourceId -match '\.\.') { throw 'this is not a RESOURCE_ID: az apim show --query id prints it' }
if (-not (Get-Command az -ErrorAction SilentlyContinue)) { throw 'the Azure CLI (az) is not installed here: install it, or run this on a machine that has it' }
$id = $ResourceId.TrimEnd('/')
$version = '2024-05-01'
# A limit against endless paging: at 100 entries per page, no instance has more.
$mostPages = 100
# The management endpoint of az's cloud; pages are fetched from there only.
$endpoint = "$(az cloud show --query endpoints.resourceManager --output tsv)".Trim().TrimEnd('/')
if (-not $endpoint) { $endpoint = 'https://management.azure.com' }

# The properties of each entry that are kept.
$fields = [ordered]@{
    loggers = 'loggerType', 'resourceId'
    caches = 'useFromLocation', 'resourceId'
    backends = 'url', 'type', 'pool'
    namedValues = 'displayName', 'secret', 'value'
    certificates = @()
    identityProviders = 'type', 'authority', 'signinTenant', 'allowedTenants'
    openidConnectProviders = 'displayName', 'metadataEndpoint'
    authorizationServers = 'displayName', 'tokenEndpoint'
    authorizationProviders = @('displayName')
    gateways = @()
    apis = 'displayName', 'serviceUrl', 'isCurrent', 'type'
    products = @('displayName')
    policyFragments = @('value')
}

# Reports on stderr what could not be collected, and returns an error to put in its place.
function New-Failure([string]$What, [string]$Code, [string]$Message, [string]$Details) {
    [Console]::Error.WriteLine("not collected: ${What}: $Message $Details")
    return [pscustomobject]@{ error = [ordered]@{ code = $Code; message = $Message } }
}

# Returns one document, or Azure's error in its place. A missing list is an empty one.
function Read-Document([string]$Url, [switch]$MayBeMissing) {
    # Windows PowerShell would treat az's output on stderr as a fatal error.
    $ErrorActionPreference = 'Continue'
    # On Windows az is a batch file, where an & would end the command, so each query parameter is passed separately.
    $address, $query = $Url -split '\?', 2
    $words = @($query -split '&' | Where-Object { $_ } | ForEach-Object { [uri]::UnescapeDataString($_) })
    $said = ''
    $code = 'Failed'
    foreach ($try in 1..4) {
        $answer = az rest --method get --url $address --url-parameters @words --output json 2>&1
        $text = @($answer | Where-Object { $_ -isnot [System.Management.Automation.ErrorRecord] }) -join "`n"
        if ($LASTEXITCODE -eq 0) { return $text | ConvertFrom-Json }
        $said = (@($answer | ForEach-Object { "$_" }) -join ' ')
        $found = [regex]::Match($said, 'AuthorizationFailed|Forbidden|ResourceNotFound|Not ?Found|TooManyRequests|Too Many Requests|(Invalid|Expired)AuthenticationToken\w*')
        if ($found.Success) { $code = $found.Value -replace ' ', '' }
        if ($code -ne 'TooManyRequests') { break }
        if ($try -lt 4) { Start-Sleep -Seconds (10 * $try) }
    }
    if ($MayBeMissing -and $code -in 'ResourceNotFound', 'NotFound') { return [pscustomobject]@{ value = @() } }
    if ($said.Length -gt 300) { $said = $said.Substring(0, 300) }
    return New-Failure $Url $code 'collect.ps1 could not read it' $said
}

function Select-Fields($Object, [string[]]$Names) {
    $kept = [ordered]@{}
    foreach ($name in $Names) {
        if ($null -ne $Object.$name) { $kept[$name] = $Object.$name }
    }
    return $kept
}

# Adds the nested properties that are kept only in part.
function Add-Nested($Kept, $Properties, [string]$Name) {
    switch ($Name) {
        'loggers' {
            if ($Properties.credentials) { $Kept['credentials'] = Select-Fields $Properties.credentials @('endpointAddress') }
        }
        { $_ -in 'namedValues', 'certificates' } {
            if ($Properties.keyVault) { $Kept['keyVault'] = Select-Fields $Properties.keyVault @('secretIdentifier', 'lastStatus') }
        }
        'backends' {
            $Kept['tls'] = Select-Fields $Properties.tls @('validateCertificateChain', 'validateCertificateName')
            if ($Properties.proxy) { $Kept['proxy'] = Select-Fields $Properties.proxy @('url') }
            $cluster = $Properties.properties.serviceFabricCluster
            if ($cluster) {
                $Kept['properties'] = @{ serviceFabricCluster = Select-Fields $cluster @('managementEndpoints', 'serverCertificateThumbprints', 'serverX509Names') }
            }
        }
        'authorizationProviders' {
            $grants = [ordered]@{}
            foreach ($grant in 'authorizationCode', 'clientCredentials') {
                $of = $Properties.oauth2.grantTypes.$grant
                if ($of) { $grants[$grant] = Select-Fields $of @('loginUri', 'tokenUrl', 'refreshUrl') }
            }
            $Kept['oauth2'] = @{ grantTypes = $grants }
        }
    }
}

# Returns the pages of a list, with only the properties that are kept.
function Read-List([string]$Url, [string]$Name) {
    $first = $Url
    $seen = @{ $Url = $true }
    $pages = @()
    while ($Url) {
        $page = Read-Document $Url -MayBeMissing
        if ($page.error) {
            $pages += $page
            break
        }
        $entries = @(foreach ($entry in $page.value) {
            $names = if ($Name -eq 'policies') { @('format', 'value') } else { $fields[$Name] }
            $properties = Select-Fields $entry.properties $names
            Add-Nested $properties $entry.properties $Name
            [ordered]@{ id = $entry.id; type = $entry.type; name = $entry.name; properties = $properties }
        })
        $pages += [pscustomobject]@{ value = $entries }
        $Url = $page.nextLink
        if (-not $Url) { break }
        if (-not ($Url.StartsWith("$endpoint/", 'OrdinalIgnoreCase') -or $Url.StartsWith("${endpoint}:443/", 'OrdinalIgnoreCase'))) {
            $pages += New-Failure $first 'NextPageElsewhere' 'the rest is at another host and was not requested' $Url
            break
        }
        if ($seen.Count -ge $mostPages -or $seen.ContainsKey($Url)) {
            $pages += New-Failure $first 'PagesWithoutEnd' "the list does not end: $($seen.Count) pages were read" ''
            break
        }
        $seen[$Url] = $true
    }
    return , $pages
}

[Console]::Error.WriteLine('reading the instance')
$service = Read-Document "$id`?api-version=$version"
if ($service.error) { throw 'the instance itself cannot be read: check the id, that az is signed in, and that you have the role Reader on it' }
$about = Select-Fields $service.properties @('provisioningState', 'virtualNetworkType', 'virtualNetworkConfiguration', 'privateIPAddresses', 'publicIPAddresses', 'gatewayUrl', 'developerPortalUrl', 'managementApiUrl', 'additionalLocations')
$about['hostnameConfigurations'] = @($service.properties.hostnameConfigurations | Where-Object { $_ } | ForEach-Object { Select-Fields $_ @('type', 'hostName', 'keyVaultId', 'certificateSource') })
$about['certificates'] = @($service.properties.certificates | Where-Object { $_ } | ForEach-Object { @{ storeName = $_.storeName; certificate = Select-Fields $_.certificate @('subject', 'thumbprint') } })
$bundle = [ordered]@{}
$bundle['service'] = [ordered]@{ id = $service.id; type = $service.type; name = $service.name; location = $service.location; sku = @{ name = $service.sku.name }; properties = $about }
$bundle['networkStatus'] = Read-Document "$id/networkstatus?api-version=$version"
$bundle['dependencies'] = Read-Document "$id/outboundNetworkDependenciesEndpoints?api-version=$version"
foreach ($name in $fields.Keys) {
    [Console]::Error.WriteLine("reading $name")
    $bundle[$name] = Read-List "$id/$name`?api-version=$version" $name
}
[Console]::Error.WriteLine('reading policies')
# Skips old revisions of APIs.
$scopes = @($id) + @($bundle['apis'] + $bundle['products'] | ForEach-Object { $_.value } | ForEach-Object { $_.id } | Where-Object { $_ -and $_ -notmatch ';rev=' })
$bundle['policies'] = @($scopes | ForEach-Object { Read-List "$_/policies?api-version=$version&format=xml" 'policies' } | ForEach-Object { $_ })
$bundle | ConvertTo-Json -Depth 20
