#!/usr/bin/env bash
# Makes the agent a VM Application of an Azure Compute Gallery: Azure itself carries it onto VMs, those without any way out as
# well. Afterwards it shows the command that installs it on a VM, and the one that runs it there.
#
#   scripts/vm-application.sh --resource-group GROUP --gallery NAME --location REGION --storage-account NAME --container NAME
#
#   --gallery NAME           is made where there is none of that name
#   --location REGION        that of the VMs
#   --storage-account NAME   holds the agent until Azure has copied it, then no more
#   --agent FILE             by default apim-probe/apim-probe, as a release unpacks, or target/apim-probe
#   --version X.Y.Z          by default what the agent says of itself, where it runs here
#   --dry-run                only show the commands
#
# It takes an `az login` with Contributor on the group, and the right to list the account's keys (or the key itself in
# AZURE_STORAGE_KEY): Azure takes no link here that is signed for a user.
set -euo pipefail
# What the user's settings name in the place of the account given here is left out; az takes an empty value for none.
export AZURE_STORAGE_CONNECTION_STRING='' AZURE_STORAGE_SAS_TOKEN='' AZURE_STORAGE_AUTH_MODE=''

fail() {
    echo "vm-application: $*" >&2
    exit 2
}

group='' gallery='' location='' account='' container='' agent='' version='' dry=''
while (($#)); do
    case $1 in
        --dry-run) dry=1 ;;
        --*) (($# > 1)) || fail "$1 needs a value" ;;
    esac
    case $1 in
        --resource-group) group=$2 && shift ;;
        --gallery) gallery=$2 && shift ;;
        --location) location=$2 && shift ;;
        --storage-account) account=$2 && shift ;;
        --container) container=$2 && shift ;;
        --agent) agent=$2 && shift ;;
        --version) version=$2 && shift ;;
        --dry-run) ;;
        *) fail "$1 is no flag of this script" ;;
    esac
    shift
done
for flag in group:resource-group gallery:gallery location:location account:storage-account container:container; do
    name=${flag%:*}
    [[ ${!name} ]] || fail "--${flag#*:} is missing"
done
if [[ -z $agent ]]; then
    agent=apim-probe/apim-probe
    [[ -f $agent ]] || agent=target/apim-probe
fi
[[ -f $agent ]] || fail "$agent is not there: unpack a release here, or name the agent with --agent"
if [[ -z $version ]]; then
    version=$("$agent" --version 2>/dev/null | sed -n 's/^apim-probe \([0-9.]*\).*/\1/p') || true
    [[ $version ]] || fail "$agent does not run here to say its version: give --version X.Y.Z"
fi

# Azure's answer on stdout; in a dry run the command is shown, and what Azure would answer is left out.
exec 3>&1
azure() {
    if [[ $dry ]]; then
        { printf 'az' && printf ' %q' "$@" && printf '\n'; } >&3
    else
        az "$@" --only-show-errors
    fi
}

if [[ -z ${AZURE_STORAGE_KEY:-} ]]; then
    AZURE_STORAGE_KEY=$(azure storage account keys list --account-name "$account" --query '[0].value' --output tsv)
fi
export AZURE_STORAGE_KEY
blob() {
    azure storage blob "$@" --account-name "$account" --container-name "$container"
}

name=apim-probe-$version-$RANDOM
uploaded=''
# shellcheck disable=SC2317 # The trap calls it.
clean() {
    # What is said may have no reader any more, as after a lost terminal; that must not end this.
    trap '' INT TERM HUP PIPE
    set +e
    if [[ $uploaded ]]; then
        blob delete --name "$name" --output none || echo "vm-application: the blob $name could not be deleted" >&2
    fi
}
trap 'clean' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

uploaded=1
blob upload --name "$name" --file "$agent" --output none
expiry=$(date -u -d '12 hours' +%Y-%m-%dT%H:%MZ 2>/dev/null || date -u -v+12H +%Y-%m-%dT%H:%MZ)
link=$(blob generate-sas --name "$name" --permissions r --expiry "$expiry" --https-only --full-uri --output tsv)
[[ -z $dry ]] || link=LINK-TO-$name

if [[ $dry ]] || ! az sig show --resource-group "$group" --gallery-name "$gallery" --output none 2>/dev/null; then
    azure sig create --resource-group "$group" --gallery-name "$gallery" --location "$location" --output none
fi
azure sig gallery-application create --resource-group "$group" --gallery-name "$gallery" --name apim-probe --os-type Linux \
    --location "$location" --output none
[[ $dry ]] || echo "Azure copies the agent to $location; this takes some minutes" >&2
id=$(azure sig gallery-application version create --resource-group "$group" --gallery-name "$gallery" \
    --application-name apim-probe --version-name "$version" --location "$location" --package-file-link "$link" \
    --package-file-name apim-probe --install-command "install -m 755 apim-probe /usr/local/bin/apim-probe" \
    --remove-command "rm -f /usr/local/bin/apim-probe" --query id --output tsv)
[[ -z $dry ]] || id=ID-OF-THE-VERSION

cat <<END

To install it on a VM (this sets the whole list of the VM's applications: name those that it has as well):
  az vm application set --resource-group GROUP --name VM --app-version-ids $id

To run it there:
  scripts/managed-run.sh --installed --vm "\$(az vm show --resource-group GROUP --name VM --query id --output tsv)"

To take it off the VM, and to delete it:
  az vm application set --resource-group GROUP --name VM --app-version-ids
  az sig gallery-application version delete --resource-group $group --gallery-name $gallery --application-name apim-probe --version-name $version
END
