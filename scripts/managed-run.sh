#!/usr/bin/env bash
# Runs apim-probe on an Azure VM by a managed run command, which needs nothing but the Azure CLI here: no SSH, no open port.
# Shows the answer (`brief`, which fits into the 4 KB that Azure keeps of what a command prints), fetches the reports, and
# ends with the exit status of the agent. What stands behind -- goes to `apim-probe run`:
#
#   scripts/managed-run.sh --vm VM_ID --storage-account NAME --container NAME [-- --region westeurope …]
#   scripts/managed-run.sh --vm VM_ID --installed [-- …]
#
#   --vm VM_ID               az vm show --query id
#   --storage-account NAME   carries the agent to the VM and the reports back, by links that end in two hours
#   --container NAME         in that account
#   --installed              the agent is on the VM already (deb, rpm, scripts/vm-application.sh): with a storage account the
#                            reports are fetched, without one there is the answer on the screen
#   --agent FILE             by default apim-probe/apim-probe, as a release unpacks, or target/apim-probe
#   --reports FOLDER         where the reports go, by default apim-probe-reports
#   --output-blob            has Azure keep what is printed in a blob as well (outputBlobUri), which comes with the reports. Only
#                            for a VM that reaches Storage: Azure makes the blob from there before it runs anything
#   --dry-run                only show the commands
#
# It takes an `az login` with Virtual Machine Contributor on the VM and Storage Blob Data Contributor on the account; or the
# account's key in AZURE_STORAGE_KEY. Whatever it makes (blobs, the run command) it deletes in the end. Where it says
# that the VM does not reach the storage account, that is a finding by itself, as the instance needs Storage too. HTTP 403 is
# none: the VM does reach it, and the account's own firewall or the link is at fault.
set -euo pipefail
# Azure's ids are the same in any case, and come so: /resourcegroups/.
shopt -s nocasematch
# What the user's settings name in the place of the account given here is left out; az takes an empty value for none.
export AZURE_STORAGE_CONNECTION_STRING='' AZURE_STORAGE_SAS_TOKEN='' AZURE_STORAGE_AUTH_MODE=''

fail() {
    echo "managed-run: $*" >&2
    exit 2
}

vm='' account='' container='' installed='' agent='' reports=apim-probe-reports dry='' location='' leave='' output_blob=''
while (($#)); do
    case $1 in
        --installed | --output-blob | --dry-run | --leave) ;;
        --) shift && break ;;
        --*) (($# > 1)) || fail "$1 needs a value" ;;
        *) fail "$1 is no flag of this script; flags of apim-probe stand behind --" ;;
    esac
    case $1 in
        --vm) vm=$2 && shift ;;
        --storage-account) account=$2 && shift ;;
        --container) container=$2 && shift ;;
        --installed) installed=1 ;;
        --agent) agent=$2 && shift ;;
        --reports) reports=$2 && shift ;;
        --output-blob) output_blob=1 ;;
        --dry-run) dry=1 ;;
        # For scripts/throwaway-vm.sh: it knows the one, and deletes everything itself.
        --location) location=$2 && shift ;;
        --leave) leave=1 ;;
        *) fail "$1 is no flag of this script; flags of apim-probe stand behind --" ;;
    esac
    shift
done

if [[ $vm != /subscriptions/*/resourceGroups/*/providers/Microsoft.Compute/virtualMachines/* ]]; then
    fail "--vm takes the resource id of a VM: az vm show --name VM --resource-group GROUP --query id --output tsv"
fi
IFS=/ read -r _ _ subscription _ group _ _ _ name _ <<<"$vm"
if [[ -z $account$container && -z $installed ]] || [[ -z $account && -n $container ]] || [[ -n $account && -z $container ]]; then
    fail "give --storage-account and --container, or --installed"
fi
[[ -z $output_blob || $account ]] || fail "--output-blob takes --storage-account and --container"
if [[ -z $installed ]]; then
    if [[ -z $agent ]]; then
        agent=apim-probe/apim-probe
        [[ -f $agent ]] || agent=target/apim-probe
    fi
    [[ -f $agent ]] || fail "$agent is not there: unpack a release here, or name the agent with --agent"
fi

# Azure's answer on stdout; in a dry run the command is shown, and what Azure would answer is left out.
exec 3>&1
azure() {
    if [[ $dry ]]; then
        { printf 'az' && printf ' %q' "$@" && printf ' --subscription %q\n' "$subscription"; } >&3
    else
        az "$@" --subscription "$subscription" --only-show-errors
    fi
}

# What goes on, where it does.
say() {
    [[ $dry ]] || echo "$*" >&2
}

blob() {
    if [[ ${AZURE_STORAGE_KEY:-} ]]; then
        azure storage blob "$@" --account-name "$account" --container-name "$container"
    else
        azure storage blob "$@" --account-name "$account" --container-name "$container" --auth-mode login
    fi
}

# A link to one blob, with the permissions given, for two hours.
link() {
    local expiry how=''
    expiry=$(date -u -d '2 hours' +%Y-%m-%dT%H:%MZ 2>/dev/null || date -u -v+2H +%Y-%m-%dT%H:%MZ)
    [[ ${AZURE_STORAGE_KEY:-} ]] || how=--as-user
    blob generate-sas --name "$1" --permissions "$2" --expiry "$expiry" --https-only --full-uri --output tsv ${how:+"$how"}
    [[ -z $dry ]] || echo "LINK-TO-$1"
}

# A word as any shell reads it.
quote() {
    printf "'%s'" "${1//\'/\'\\\'\'}"
}

run=apim-probe-$(date -u +%Y%m%d-%H%M%S)-$RANDOM
work=$(mktemp -d)
made=()

# shellcheck disable=SC2317 # The trap calls it.
clean() {
    # What is said may have no reader any more, as after a lost terminal; that must not end this.
    trap '' INT TERM HUP PIPE
    set +e
    trap - ERR
    rm -rf "$work"
    if [[ $leave ]]; then return; fi
    # The run command first: what still runs on the VM could write a blob that was deleted before.
    local index thing
    for ((index = ${#made[@]} - 1; index >= 0; index--)); do
        thing=${made[index]}
        case $thing in
            command) azure vm run-command delete --resource-group "$group" --vm-name "$name" --name "$run" --yes ;;
            agent) blob delete --name "$run/$thing" --output none ;;
            # Nobody may have written them.
            *) blob delete --name "$run/$thing" --output none 2>/dev/null || true ;;
        esac || echo "managed-run: $run: the $thing could not be deleted" >&2
    done
}
trap 'clean' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# What az could not do is this script's failure, not what the agent found.
set -o errtrace
trap 'exit 4' ERR

if [[ -z $location ]]; then
    location=$(azure vm show --ids "$vm" --query location --output tsv)
    [[ -z $dry ]] || location=LOCATION
fi

agent_link='' reports_link='' output_link=''
if [[ -z $installed ]]; then
    made+=(agent)
    say "carrying the agent to $account"
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

# What runs on the VM, in its plain sh.
{
    echo '#!/bin/sh'
    echo "agent=$(quote "$agent_link")"
    echo "reports=$(quote "$reports_link")"
    echo "set --$(for argument in "$@"; do printf ' %s' "$(quote "$argument")"; done)"
    cat <<'ON_THE_VM'
# Ends as curl does; $why says in a few words what failed, as 4 KB are kept of what is printed.
carry() {
    seen=$(curl -fsS --max-time 120 -w '%{http_code} %{time_appconnect}' "$@")
    ended=$?
    case $ended:$seen in
        0:*) ;;
        # Nothing came of TLS, so that nothing was said by the account.
        6:* | 7:* | 28:*' 0.000000' | 35:*) why="this VM does not reach the storage account" ;;
        22:*) why="Storage answers HTTP ${seen%% *}" ;;
        23:*) why="curl cannot write here" ;;
        60:*) why="the certificate that answers is not trusted" ;;
        127:*) why="this VM has no curl" ;;
        *) why="curl ended with $ended" ;;
    esac
    return "$ended"
}

work=$(mktemp -d) && cd "$work" || exit
trap 'rm -rf "$work"' EXIT
if [ -n "$agent" ]; then
    if ! carry -o apim-probe "$agent"; then
        echo "the agent cannot be fetched: $why"
        exit
    fi
    chmod +x apim-probe
fi
PATH=$work:$PATH:/usr/local/bin
apim-probe run --quiet --format brief -o report.txt -o report.json -o report.html "$@" >answer 2>errors.txt
status=$?
# 4,000 bytes of an answer at most, and two short lines: all of it is kept.
if [ -s answer ]; then cat answer; else head -c 3000 errors.txt; fi
if [ -n "$reports" ]; then
    why="they cannot be packed"
    { tar -czf reports.tar.gz report.* errors.txt && carry -H 'x-ms-blob-type: BlockBlob' -T reports.tar.gz "$reports"; } 2>/dev/null ||
        echo "no reports come back: $why"
fi
echo "apim-probe ended with $status"
ON_THE_VM
} >"$work/on-the-vm.sh"
if [[ $dry ]]; then
    sed 's/^/    /' "$work/on-the-vm.sh"
fi

made+=(command)
say "running it on $name; this takes a minute or two"
azure vm run-command create --resource-group "$group" --vm-name "$name" --name "$run" --location "$location" \
    --script @"$work/on-the-vm.sh" --timeout-in-seconds 900 ${output_link:+--output-blob-uri "$output_link"} --output none
view() {
    azure vm run-command show --resource-group "$group" --vm-name "$name" --name "$run" --instance-view \
        --query "instanceView.[$1] | join('$2', [?@])" --output tsv
}
view "output, error" "" | tee "$work/said"
[[ -z $dry ]] || exit 0

status=$(sed -n 's/^apim-probe ended with \([0-9]*\).*/\1/p' "$work/said" | tail -n 1)
if [[ -z $status ]] && ! grep -q '^the agent cannot be fetched' "$work/said"; then
    echo "managed-run: the command on the VM did not run to its end; of it Azure says: $(view "executionState, executionMessage" ": ")" >&2
fi
if [[ $account && $status ]]; then
    mkdir -p "$reports"
    if [[ $output_blob ]]; then
        blob download --name "$run/output.txt" --file "$reports/output.txt" --output none ||
            echo "managed-run: the blob with what was printed cannot be fetched" >&2
    fi
    if blob download --name "$run/reports.tar.gz" --file "$work/reports.tar.gz" --output none; then
        tar -xzf "$work/reports.tar.gz" -C "$reports"
        say "the reports are in $reports"
    else
        echo "managed-run: no reports came back; what is above is all there is" >&2
    fi
fi
exit "${status:-4}"
