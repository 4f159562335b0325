#!/usr/bin/env bash
# Runs apim-probe on an Azure VM with a managed run command, which needs only
# the Azure CLI here: no SSH, no open port. Shows the result (`brief`, which
# fits into the 4 KB that Azure keeps of a command's output) and downloads the
# reports. The exit status is the agent's, 2 for wrong flags, or 4 if az fails
# or the agent returns no result. What follows -- is passed to
# `apim-probe run`:
#
#   scripts/managed-run.sh --vm VM_ID --storage-account NAME --container NAME \
#       [-- --region westeurope …]
#   scripts/managed-run.sh --vm VM_ID --installed [-- …]
#
#   --vm VM_ID               az vm show --query id
#   --storage-account NAME   transfers the agent to the VM and the reports back,
#                            through links that expire after two hours
#   --container NAME         in that account
#   --installed              the agent is already on the VM (deb, rpm,
#                            scripts/vm-application.sh): with a storage account
#                            the reports are downloaded, without one only the
#                            result is shown
#   --agent FILE             by default apim-probe/apim-probe from an unpacked
#                            release, or target/apim-probe
#   --reports FOLDER         where to put the reports, by default
#                            apim-probe-reports; `-- -o report.md` adds another
#   --output-blob            has Azure also write the output to a blob
#                            (outputBlobUri), downloaded with the reports. Only
#                            for a VM that can reach Storage: Azure creates the
#                            blob from the VM before it runs anything
#   --location REGION        the VM's region; by default Azure is queried
#   --leave                  keep the blobs and the run command: the caller
#                            deletes the whole resource group
#   --dry-run                only show the commands
#   --help                   show this
#
# It needs an `az login` with Virtual Machine Contributor on the VM and Storage
# Blob Data Contributor on the account; or the account's key in
# AZURE_STORAGE_KEY. Whatever it creates (blobs, the run command) is deleted at
# the end, also after Ctrl-C; if a deletion fails, it prints the command to run.
# If it reports that the VM cannot reach the storage account, that is a finding
# in itself, because the instance needs Storage too. HTTP 403 is not: the VM
# reaches the account, but the account's own firewall or the link denies access.
set -euo pipefail
# Azure returns resource ids in varying case (/resourcegroups/) and ignores the difference.
shopt -s nocasematch
# Ignores the user's settings for other accounts; az treats an empty value as unset.
export AZURE_STORAGE_CONNECTION_STRING='' AZURE_STORAGE_SAS_TOKEN='' AZURE_STORAGE_AUTH_MODE=''

fail() {
    echo "managed-run: $*" >&2
    exit 2
}

usage() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

vm='' account='' container='' installed='' agent='' reports=apim-probe-reports dry='' location='' leave='' output_blob=''
while (($#)); do
    case $1 in
        --vm | --storage-account | --container | --agent | --reports | --location)
            (($# > 1)) || fail "$1 needs a value"
            ;;
    esac
    case $1 in
        --vm) vm=$2 && shift ;;
        --storage-account) account=$2 && shift ;;
        --container) container=$2 && shift ;;
        --installed) installed=1 ;;
        --agent) agent=$2 && shift ;;
        --reports) reports=$2 && shift ;;
        --output-blob) output_blob=1 ;;
        --location) location=$2 && shift ;;
        --leave) leave=1 ;;
        --dry-run) dry=1 ;;
        --help) usage && exit ;;
        --) shift && break ;;
        *) fail "$1 is not a flag of this script (see --help); put flags of apim-probe after --" ;;
    esac
    shift
done

if [[ $vm != /subscriptions/*/resourceGroups/*/providers/Microsoft.Compute/virtualMachines/* ]]; then
    fail "--vm takes the resource id of a VM: az vm show --name VM --resource-group GROUP --query id --output tsv"
fi
IFS=/ read -r _ _ subscription _ group _ _ _ name _ <<<"$vm"
if [[ -z $account$container && -z $installed ]] || [[ -z $account && -n $container ]] || [[ -n $account && -z $container ]]; then
    fail "pass --storage-account and --container, or --installed"
fi
[[ -z $output_blob || $account ]] || fail "--output-blob needs --storage-account and --container"
if [[ -z $installed ]]; then
    if [[ -z $agent ]]; then
        agent=apim-probe/apim-probe
        [[ -f $agent ]] || agent=target/apim-probe
    fi
    [[ -f $agent ]] || fail "$agent not found: unpack a release here, or pass the agent with --agent"
fi

command -v az >/dev/null || fail "the Azure CLI (az) is not installed here"

# Runs az, with Azure's reply on stdout; a dry run only shows the command.
exec 3>&1
azure() {
    if [[ $dry ]]; then
        { printf 'az' && printf ' %q' "$@" && printf ' --subscription %q\n' "$subscription"; } >&3
    else
        az "$@" --subscription "$subscription" --only-show-errors
    fi
}

# Reports progress, except in a dry run.
say() {
    [[ $dry ]] || echo "$*" >&2
}

# Authenticates with the account's key if there is one, otherwise with the login.
auth=()
[[ ${AZURE_STORAGE_KEY:-} ]] || auth=(--auth-mode login)
blob() {
    azure storage blob "$@" --account-name "$account" --container-name "$container" ${auth[@]+"${auth[@]}"}
}

# Prints a SAS link to one blob, with these permissions, valid for two hours.
link() {
    local expiry how=''
    expiry=$(date -u -d '2 hours' +%Y-%m-%dT%H:%MZ 2>/dev/null || date -u -v+2H +%Y-%m-%dT%H:%MZ)
    [[ ${AZURE_STORAGE_KEY:-} ]] || how=--as-user
    blob generate-sas --name "$1" --permissions "$2" --expiry "$expiry" --https-only --full-uri --output tsv ${how:+"$how"}
    [[ -z $dry ]] || echo "LINK-TO-$1"
}

# Quotes a word for any POSIX shell.
quote() {
    printf "'%s'" "${1//\'/\'\\\'\'}"
}

run=apim-probe-$(date -u +%Y%m%d-%H%M%S)-$RANDOM
work=$(mktemp -d)
made=()

# Runs an az command that deletes something; if it fails, prints the command for the user to run.
# shellcheck disable=SC2317 # The trap calls it.
delete() {
    local said
    if [[ $dry ]]; then
        "$@"
    elif ! said=$("$@" 2>&1) && [[ $said != *BlobNotFound* ]]; then
        printf '%s\nmanaged-run: this could not be deleted; to delete it:' "$said"
        # Prints the same command.
        dry=1
        "$@" 3>&1 | sed 's/^/ /'
        dry=''
    fi >&2
}

# shellcheck disable=SC2317 # The trap calls it.
clean() {
    # The terminal may be gone: failing to write to it must not stop the cleanup.
    trap '' INT TERM HUP PIPE
    set +e
    trap - ERR
    rm -rf "$work"
    if [[ $leave ]]; then return; fi
    # Deletes the run command first: while it runs, it could write a blob again that was already deleted.
    local index thing
    for ((index = ${#made[@]} - 1; index >= 0; index--)); do
        thing=${made[index]}
        case $thing in
            command) delete azure vm run-command delete --resource-group "$group" --vm-name "$name" --name "$run" --yes ;;
            *) delete blob delete --name "$run/$thing" --output none ;;
        esac
    done
}
trap 'clean' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# A failure of az exits with 4, so that it is not taken for a result of the agent.
set -o errtrace
trap 'exit 4' ERR

if [[ -z $location ]]; then
    location=$(azure vm show --ids "$vm" --query location --output tsv)
    [[ -z $dry ]] || location=LOCATION
fi

agent_link='' reports_link='' output_link=''
if [[ -z $installed ]]; then
    made+=(agent)
    say "uploading the agent to $account"
    blob upload --name "$run/agent" --file "$agent" --output none
    agent_link=$(link "$run/agent" r)
fi
if [[ $account ]]; then
    made+=(reports.tar.gz)
    reports_link=$(link "$run/reports.tar.gz" cw)
fi
if [[ $output_blob ]]; then
    made+=(output.txt)
    output_link=$(link "$run/output.txt" racw)
fi

# The script for the VM, in POSIX sh.
{
    echo '#!/bin/sh'
    echo "agent=$(quote "$agent_link")"
    echo "reports=$(quote "$reports_link")"
    echo "set --$(for argument in "$@"; do printf ' %s' "$(quote "$argument")"; done)"
    cat <<'ON_THE_VM'
# Returns curl's exit status; $why is short, because Azure keeps only 4 KB of the output.
carry() {
    seen=$(curl -fsS --max-time 120 -w '%{http_code} %{time_appconnect}' "$@")
    ended=$?
    case $ended:$seen in
        0:*) ;;
        # The TLS handshake never completed, so the reply is not from the storage account.
        6:* | 7:* | 28:*' 0.000000' | 35:*) why="this VM cannot reach the storage account" ;;
        22:*) why="Storage answers HTTP ${seen%% *}" ;;
        23:*) why="curl cannot write the file" ;;
        60:*) why="the certificate is not trusted" ;;
        127:*) why="this VM has no curl" ;;
        *) why="curl ended with $ended" ;;
    esac
    return "$ended"
}

work=$(mktemp -d) && cd "$work" || exit
trap 'rm -rf "$work"' EXIT
if [ -n "$agent" ]; then
    if ! carry -o apim-probe "$agent"; then
        echo "the agent cannot be downloaded: $why"
        exit
    fi
    chmod +x apim-probe
fi
PATH=$work:$PATH:/usr/local/bin
apim-probe run --quiet --format brief -o report.txt -o report.json -o report.html "$@" >answer 2>errors.txt
status=$?
# `brief` prints at most 4,000 bytes; with the two short lines below, all of it fits into the 4 KB.
if [ -s answer ]; then cat answer; else head -c 3000 errors.txt; fi
if [ -n "$reports" ]; then
    why="tar failed"
    { tar -czf reports.tar.gz report.* errors.txt && carry -H 'x-ms-blob-type: BlockBlob' -T reports.tar.gz "$reports"; } 2>/dev/null ||
        echo "reports not uploaded: $why"
fi
echo "apim-probe ended with $status"
ON_THE_VM
} >"$work/on-the-vm.sh"
if [[ $dry ]]; then
    sed 's/^/    /' "$work/on-the-vm.sh"
fi

made+=(command)
say "running the agent on $name; this takes a minute or two"
azure vm run-command create --resource-group "$group" --vm-name "$name" --name "$run" --location "$location" \
    --script @"$work/on-the-vm.sh" --timeout-in-seconds 900 ${output_link:+--output-blob-uri "$output_link"} --output none
view() {
    azure vm run-command show --resource-group "$group" --vm-name "$name" --name "$run" --instance-view \
        --query "instanceView.[$1] | join('$2', [?@])" --output tsv
}
view "output, error" "" | tee "$work/said"
[[ -z $dry ]] || exit 0

status=$(sed -n 's/^apim-probe ended with \([0-9]*\).*/\1/p' "$work/said" | tail -n 1)
if [[ -z $status ]] && ! grep -q '^the agent cannot be downloaded' "$work/said"; then
    echo "managed-run: the command on the VM did not finish; Azure reports: $(view "executionState, executionMessage" ": ")" >&2
fi
if [[ $account && $status ]]; then
    mkdir -p "$reports"
    if [[ $output_blob ]]; then
        blob download --name "$run/output.txt" --file "$reports/output.txt" --output none ||
            echo "managed-run: the blob with the output cannot be downloaded" >&2
    fi
    if blob download --name "$run/reports.tar.gz" --file "$work/reports.tar.gz" --output none; then
        tar -xzf "$work/reports.tar.gz" -C "$reports"
        say "the reports are in $reports"
    else
        echo "managed-run: there are no reports, only the output above" >&2
    fi
fi
exit "${status:-4}"
