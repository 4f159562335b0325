#!/usr/bin/env bash
# Creates a small VM in a subnet, runs apim-probe on it, shows the result,
# downloads the reports, and deletes the VM and everything created with it, also
# after Ctrl-C or a failure. From any machine with the Azure CLI and bash:
#
#   scripts/throwaway-vm.sh --subnet SUBNET_ID [-- --region westeurope …]
#
#   --subnet SUBNET_ID   the instance's own, or one with the same NSG, route
#                        table and DNS servers:
#                        az apim show --output tsv \
#                          --query virtualNetworkConfiguration.subnetResourceId
#   --public-ip          gives the VM a public address with all inbound traffic
#                        denied: for a subnet without outbound access
#   --app-version-id ID  the agent as a VM Application
#                        (scripts/vm-application.sh prints the id): Azure itself
#                        copies it to the VM, and no storage account is created.
#                        For a subnet that cannot reach Storage; the reports are
#                        not downloaded
#   --agent FILE         for x86-64; by default apim-probe/apim-probe from an
#                        unpacked release, or target/apim-probe
#   --size SIZE          by default Standard_B2ts_v2
#   --reports FOLDER     where to put the reports, by default apim-probe-reports
#   --dry-run            read the subnet, then only show the commands
#   --yes                don't ask for confirmation
#   --help               show this
#
# The exit status is the agent's, 2 if nothing was created, or 4 if az fails or
# the agent returns no result. It needs an `az login` that may read and join the
# subnet (Network Contributor on it) and create resource groups (Contributor),
# all in the subnet's subscription.
set -euo pipefail
# Azure returns resource ids in varying case (/resourcegroups/) and ignores the difference.
shopt -s nocasematch
# Ignores the user's settings for other accounts; az treats an empty value as unset.
export AZURE_STORAGE_CONNECTION_STRING='' AZURE_STORAGE_SAS_TOKEN='' AZURE_STORAGE_AUTH_MODE=''
here=$(cd "$(dirname "$0")" && pwd)

fail() {
    echo "throwaway-vm: $*" >&2
    exit 2
}

usage() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

subnet='' public='' application='' agent='' size=Standard_B2ts_v2 reports=apim-probe-reports dry='' sure=''
while (($#)); do
    case $1 in
        --subnet | --app-version-id | --agent | --size | --reports) (($# > 1)) || fail "$1 needs a value" ;;
    esac
    case $1 in
        --subnet) subnet=${2%/} && shift ;;
        --public-ip) public=1 ;;
        --app-version-id) application=$2 && shift ;;
        --agent) agent=$2 && shift ;;
        --size) size=$2 && shift ;;
        --reports) reports=$2 && shift ;;
        --dry-run) dry=1 ;;
        --yes) sure=1 ;;
        --help) usage && exit ;;
        --) shift && break ;;
        *) fail "$1 is not a flag of this script (see --help); put flags of apim-probe after --" ;;
    esac
    shift
done

if [[ $subnet != /subscriptions/*/resourceGroups/*/providers/Microsoft.Network/virtualNetworks/*/subnets/* ]]; then
    fail "--subnet takes the resource id of a subnet; --help shows how to get it"
fi
if [[ $application ]]; then
    [[ $application == /subscriptions/*/galleries/*/applications/*/versions/* ]] ||
        fail "--app-version-id takes the resource id of a version, as scripts/vm-application.sh prints it"
else
    if [[ -z $agent ]]; then
        agent=apim-probe/apim-probe
        [[ -f $agent ]] || agent=target/apim-probe
    fi
    [[ -f $agent ]] || fail "$agent not found: unpack a release here, or pass the agent with --agent"
fi
for program in az ssh-keygen; do
    command -v "$program" >/dev/null || fail "$program is missing here"
done
IFS=/ read -r _ _ subscription _ _ _ _ _ vnet_name _ subnet_name <<<"$subnet"

# Queries Azure, also in a dry run.
look() {
    az "$@" --subscription "$subscription" --only-show-errors --output tsv
}

# Runs an az command that changes something; a dry run only shows it.
azure() {
    if [[ $dry ]]; then
        printf 'az' && printf ' %q' "$@" && printf ' --subscription %q\n' "$subscription"
    else
        az "$@" --subscription "$subscription" --only-show-errors
    fi
}

# Reports progress, except in a dry run.
say() {
    [[ $dry ]] || echo "$*" >&2
}

work=$(mktemp -d)
begun=''
# shellcheck disable=SC2317 # The trap calls it.
clean() {
    local status=$?
    # Neither a second Ctrl-C nor a lost terminal, which makes writing fail, may leave a VM behind.
    trap '' INT TERM HUP PIPE
    set +e
    trap - ERR
    rm -rf "$work"
    if [[ $begun ]]; then
        say "deleting $group; this takes a few minutes"
        if [[ -z $dry && $(look group exists --name "$group") == false ]]; then
            say "$group was never created"
            # Azure may still be creating it if the command was interrupted.
            ((status < 128)) || say "if it appears after all: az group delete --name $group --subscription $subscription"
        elif azure group delete --name "$group" --yes; then
            say "$group is deleted"
        else
            echo "throwaway-vm: $group is still there and costs money: az group delete --name $group --subscription $subscription" >&2
            ((status)) || status=4
        fi
    fi
    exit "$status"
}
trap 'clean' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The subnet's properties, one per line; - means none.
answer=$(look network vnet subnet show --ids "$subnet" --query "[addressPrefix || addressPrefixes[0] || '-',
    delegations[0].serviceName || '-', routeTable.id || '-', natGateway.id || '-', to_string(defaultOutboundAccess)]") ||
    fail "the subnet cannot be read; az's error is above. Is this the right account (az login)?"
{ read -r prefix && read -r delegation && read -r table && read -r nat && read -r default_outbound; } <<<"$answer" ||
    fail "az returned something unexpected for the subnet: $answer"
location=$(look network vnet show --ids "${subnet%/*/*}" --query location) || fail "the network $vnet_name cannot be read"
if [[ $delegation != - ]]; then
    fail "the subnet is delegated to $delegation and cannot contain a VM: pass another one with the same NSG, route table and DNS servers"
fi

hop='' hop_address=''
if [[ $table != - ]]; then
    answer=$(look network route-table show --ids "$table" \
        --query "routes[?addressPrefix=='0.0.0.0/0'] | [0].[nextHopType, nextHopIpAddress || '-']") ||
        fail "the route table ${table##*/} cannot be read, so it is not known where the VM's packets would go"
    { read -r hop && read -r hop_address; } <<<"$answer" || hop=''
fi
case $hop in
    VirtualAppliance) way="0.0.0.0/0 to $hop_address, in the route table ${table##*/}" ;;
    VirtualNetworkGateway | VnetLocal) way="0.0.0.0/0 to $hop, in the route table ${table##*/}" ;;
    None)
        fail "the route table ${table##*/} drops everything that leaves the subnet (0.0.0.0/0 to None): no VM there has outbound access, and" \
            "a public address would change nothing. The instance has only what other routes of that table allow"
        ;;
    *)
        if [[ $nat != - ]]; then
            way="the NAT gateway ${nat##*/}"
        elif [[ $public ]]; then
            way="the VM's own public address, with all inbound traffic denied"
        elif [[ $default_outbound == false ]]; then
            fail "a VM in this subnet has no outbound access: no NAT gateway, no route for 0.0.0.0/0, no default outbound access." \
                "The instance has its own public address; --public-ip gives the VM one too, with all inbound traffic denied." \
                "(A route for 0.0.0.0/0 learned by a gateway cannot be seen here; it takes precedence, and the flag does no harm.)"
        else
            way="Azure's default outbound access"
        fi
        ;;
esac

stamp=$(date -u +%m%d%H%M%S)
group=apim-probe-throwaway-$stamp-$RANDOM
account=apimprobe$stamp$RANDOM
vm=apim-probe

files="the storage account $account, for files"
[[ -z $application ]] || files="no storage account: the agent is a VM Application"

cat <<END
A VM in the subnet, for a few minutes:

  subnet          $subnet_name ($prefix) of $vnet_name, $location
  outbound        $way
  resource group  $group
                  deleted at the end with everything in it:
                  the VM $vm ($size, Ubuntu 24.04)
                  its disk and its network interface${public:+, and a public address}
                  a network security group that denies all inbound traffic
                  $files
  costs           a few cents: all of it is billed by the hour until deleted

END
if [[ -z $dry && -z $sure ]]; then
    [[ -t 0 ]] || fail "there is no terminal to confirm on: pass --yes"
    # Ctrl-D means no.
    read -r -p "Continue? [y/N] " answer || answer=''
    [[ $answer == [yY]* ]] || exit 2
fi

# A failure of az exits with 4, so that it is not taken for a result of the agent.
set -o errtrace
trap 'exit 4' ERR

begun=1
say "creating the resource group and its resources; this takes two minutes"
azure group create --name "$group" --location "$location" --tags "purpose=apim-probe, to be deleted" --output none
if [[ -z $application ]]; then
    azure storage account create --name "$account" --resource-group "$group" --location "$location" --sku Standard_LRS \
        --min-tls-version TLS1_2 --allow-blob-public-access false --output none
    key=$(azure storage account keys list --account-name "$account" --resource-group "$group" --query '[0].value' --output tsv)
    if [[ $dry ]]; then
        echo "$key"
        key=KEY
    fi
    export AZURE_STORAGE_KEY=$key
    azure storage container create --name probe --account-name "$account" --output none
fi
azure network nsg create --name "$vm" --resource-group "$group" --location "$location" --output none
azure network nsg rule create --nsg-name "$vm" --resource-group "$group" --name nothing-comes-in --priority 100 \
    --direction Inbound --access Deny --protocol '*' --source-address-prefixes '*' --source-port-ranges '*' \
    --destination-address-prefixes '*' --destination-port-ranges '*' --output none
# The key is never used to log in, so it is discarded. RSA, because every version of the Azure CLI accepts it.
[[ $dry ]] || ssh-keygen -q -t rsa -b 2048 -N '' -f "$work/key"
azure vm create --name "$vm" --resource-group "$group" --location "$location" --image Ubuntu2404 --size "$size" \
    --storage-sku StandardSSD_LRS --subnet "$subnet" --nsg "$vm" --public-ip-address "${public:+$vm}" ${public:+--public-ip-sku Standard} \
    --admin-username probe --ssh-key-values "$work/key.pub" --output none

if [[ $application ]]; then
    say "installing the agent; this takes a minute or two"
    azure vm application set --resource-group "$group" --name "$vm" --app-version-ids "$application" \
        --treat-deployment-as-failure true --output none
    carry=(--installed)
else
    carry=(--storage-account "$account" --container probe --agent "$agent" --reports "$reports")
fi

# Prints the result and exits with the agent's status.
trap - ERR
status=0
"$here/managed-run.sh" --vm "/subscriptions/$subscription/resourceGroups/$group/providers/Microsoft.Compute/virtualMachines/$vm" \
    --location "$location" "${carry[@]}" --leave ${dry:+--dry-run} -- "$@" || status=$?
exit "$status"
