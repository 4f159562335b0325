#!/usr/bin/env bash
# Publishes the agent as a VM Application in an Azure Compute Gallery: Azure
# itself copies it onto VMs, including those without outbound access. Afterwards
# it prints the commands to install it on a VM, run it there, remove it and
# delete everything again.
#
#   scripts/vm-application.sh --resource-group GROUP --gallery NAME \
#       --location REGION --storage-account NAME --container NAME
#
#   --resource-group GROUP   of the gallery
#   --gallery NAME           is created if the group has none of that name
#   --location REGION        the region of the VMs
#   --storage-account NAME   holds the agent until Azure has copied it; then the
#                            blob is deleted
#   --container NAME         in that account
#   --subscription ID        the subscription of all of them, by default the one
#                            that `az account show` shows
#   --agent FILE             by default apim-probe/apim-probe from an unpacked
#                            release, or target/apim-probe
#   --version X.Y.Z          by default the agent's own version, if it runs here
#   --dry-run                only show the commands
#   --help                   show this
#
# The gallery, the application and its version stay until you delete them. The
# only cost is storing a copy of about 10 MB: less than a cent per month.
#
# It needs an `az login` with Contributor on the group, and permission to list
# the account's keys (or the key itself in AZURE_STORAGE_KEY): Azure does not
# accept a user delegation SAS here. The exit status is 2 for wrong flags, and 4
# if az fails.
set -euo pipefail
# Ignores the user's settings for other accounts; az treats an empty value as unset.
export AZURE_STORAGE_CONNECTION_STRING='' AZURE_STORAGE_SAS_TOKEN='' AZURE_STORAGE_AUTH_MODE=''

fail() {
    echo "vm-application: $*" >&2
    exit 2
}

usage() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

group='' gallery='' location='' account='' container='' subscription='' agent='' version='' dry=''
while (($#)); do
    case $1 in
        --resource-group | --gallery | --location | --storage-account | --container | --subscription | --agent | --version)
            (($# > 1)) || fail "$1 needs a value"
            ;;
    esac
    case $1 in
        --resource-group) group=$2 && shift ;;
        --gallery) gallery=$2 && shift ;;
        --location) location=$2 && shift ;;
        --storage-account) account=$2 && shift ;;
        --container) container=$2 && shift ;;
        --subscription) subscription=$2 && shift ;;
        --agent) agent=$2 && shift ;;
        --version) version=$2 && shift ;;
        --dry-run) dry=1 ;;
        --help) usage && exit ;;
        *) fail "$1 is not a flag of this script (see --help)" ;;
    esac
    shift
done
for flag in group:resource-group gallery:gallery location:location account:storage-account container:container; do
    name=${flag%:*}
    [[ ${!name} ]] || fail "--${flag#*:} is missing (see --help)"
done
if [[ -z $agent ]]; then
    agent=apim-probe/apim-probe
    [[ -f $agent ]] || agent=target/apim-probe
fi
[[ -f $agent ]] || fail "$agent not found: unpack a release here, or pass the agent with --agent"
if [[ -z $version ]]; then
    version=$("$agent" --version 2>/dev/null | sed -n 's/^apim-probe \([0-9.]*\).*/\1/p') || true
    [[ $version ]] || fail "$agent does not run here, so its version is not known: pass --version X.Y.Z"
fi
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "--version must be three numbers, X.Y.Z, as Azure requires"
command -v az >/dev/null || fail "the Azure CLI (az) is missing here"

in_subscription=()
[[ -z $subscription ]] || in_subscription=(--subscription "$subscription")

# Prints an az command as the user would type it.
shown() {
    printf 'az' && printf ' %q' "$@" ${in_subscription[@]+"${in_subscription[@]}"} && printf '\n'
}

# Runs az, with Azure's reply on stdout; a dry run only shows the command.
exec 3>&1
azure() {
    if [[ $dry ]]; then
        shown "$@" >&3
    else
        az "$@" ${in_subscription[@]+"${in_subscription[@]}"} --only-show-errors
    fi
}

# Whether a resource exists; always false in a dry run.
is_there() {
    [[ -z $dry ]] && az "$@" ${in_subscription[@]+"${in_subscription[@]}"} --only-show-errors --output none 2>/dev/null
}

of_gallery=(--resource-group "$group" --gallery-name "$gallery")
of_version=("${of_gallery[@]}" --application-name apim-probe --version-name "$version")
delete_gallery=$(shown sig delete "${of_gallery[@]}")
delete_application=$(shown sig gallery-application delete "${of_gallery[@]}" --name apim-probe --yes)
delete_version=$(shown sig gallery-application version delete "${of_version[@]}" --yes)

uploaded='' created=()
# shellcheck disable=SC2317 # The trap calls it.
clean() {
    local status=$? said index
    # The terminal may be gone: failing to write to it must not stop the cleanup.
    trap '' INT TERM HUP PIPE
    set +e
    trap - ERR
    if [[ $dry ]]; then
        [[ -z $uploaded ]] || blob delete --name "$name" --output none
    elif [[ $uploaded ]] && ! said=$(blob delete --name "$name" --output none 2>&1) && [[ $said != *BlobNotFound* ]]; then
        printf '%s\nvm-application: the blob could not be deleted; to delete it: ' "$said" >&2
        shown storage blob delete --name "$name" --account-name "$account" --container-name "$container" >&2
    fi
    if ((status && ${#created[@]})); then
        echo "vm-application: this was, or may have been, created and still exists; to delete it:" >&2
        for ((index = ${#created[@]} - 1; index >= 0; index--)); do printf '  %s\n' "${created[index]}" >&2; done
    fi
    exit "$status"
}
trap 'clean' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# A failure of az exits with 4.
set -o errtrace
trap 'exit 4' ERR

if is_there sig gallery-application version show "${of_version[@]}"; then
    fail "the gallery already has version $version of apim-probe: pass another --version, or delete it first:
  $delete_version"
fi
if [[ -z ${AZURE_STORAGE_KEY:-} ]]; then
    AZURE_STORAGE_KEY=$(azure storage account keys list --account-name "$account" --query '[0].value' --output tsv)
fi
export AZURE_STORAGE_KEY
blob() {
    azure storage blob "$@" --account-name "$account" --container-name "$container"
}

name=apim-probe-$version-$RANDOM
uploaded=1
blob upload --name "$name" --file "$agent" --output none
expiry=$(date -u -d '12 hours' +%Y-%m-%dT%H:%MZ 2>/dev/null || date -u -v+12H +%Y-%m-%dT%H:%MZ)
link=$(blob generate-sas --name "$name" --permissions r --expiry "$expiry" --https-only --full-uri --output tsv)
[[ -z $dry ]] || link=LINK-TO-$name

if ! is_there sig show "${of_gallery[@]}"; then
    created+=("$delete_gallery")
    azure sig create "${of_gallery[@]}" --location "$location" --output none
fi
if ! is_there sig gallery-application show "${of_gallery[@]}" --name apim-probe; then
    created+=("$delete_application")
    azure sig gallery-application create "${of_gallery[@]}" --name apim-probe --os-type Linux --location "$location" --output none
fi
created+=("$delete_version")
[[ $dry ]] || echo "Azure is copying the agent to $location; this takes a few minutes" >&2
id=$(azure sig gallery-application version create "${of_version[@]}" --location "$location" --package-file-link "$link" \
    --package-file-name apim-probe --install-command "install -m 755 apim-probe /usr/local/bin/apim-probe" \
    --remove-command "rm -f /usr/local/bin/apim-probe" --query id --output tsv)
[[ -z $dry ]] || id=ID-OF-THE-VERSION

cat <<END

To install it on a VM (this replaces the VM's list of applications, so include those that it already has):
  az vm application set --resource-group GROUP --name VM --app-version-ids $id --treat-deployment-as-failure true

To run it there:
  scripts/managed-run.sh --installed --vm "\$(az vm show --resource-group GROUP --name VM --query id --output tsv)"

To run it on a temporary VM in the subnet, which is deleted afterwards:
  scripts/throwaway-vm.sh --subnet SUBNET_ID --app-version-id $id

To remove it from the VM and delete it from the gallery (keeping it costs less than a cent per month):
  az vm application set --resource-group GROUP --name VM --app-version-ids
  $delete_version
  $delete_application
  $delete_gallery
END
