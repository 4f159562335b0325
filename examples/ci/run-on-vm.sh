#!/usr/bin/env bash
# Runs apim-probe on a VM in the subnet of an API Management instance, by `az vm run-command`, and carries the reports
# back. Ends with the exit status of the agent; 2 for what is missing here, and 4 where az fails or the agent gives no answer.
# Arguments go to `apim-probe run`:
#
#   RESOURCE_GROUP=rg VM=vm-1 STORAGE_ACCOUNT=st CONTAINER=probe examples/ci/run-on-vm.sh --service ID
#
# ID is what `az apim show --query id` prints; the VM's managed identity, with the role Reader on the instance, asks it
# for its names. Without an identity, name them: --region westeurope --set storage_account=… --set sql_server=…
# --set key_vault=…
# The agent is that of a release, unpacked here, or whatever $APIM_PROBE names.
#
# It takes an `az login` that may run commands on the VM (Virtual Machine Contributor) and write blobs (Storage Blob Data
# Contributor), and a container that the VM can reach. To carry files the VM needs no identity: it gets two links that end
# in an hour, one to read the agent, one to write the reports. run-command keeps 4 KB of what a command prints, which is
# why the agent answers in the format `brief`, and why the reports go another way.
set -euo pipefail

(
    : "${RESOURCE_GROUP:?the resource group of the VM}"
    : "${VM:?the name of the VM}"
    : "${STORAGE_ACCOUNT:?a storage account to carry files}"
    : "${CONTAINER:?a container in that account}"
) || exit 2
agent=${APIM_PROBE:-apim-probe/apim-probe}
reports=${REPORTS:-reports}
if [[ ! -f $agent ]]; then
    echo "run-on-vm: $agent is not there: unpack a release here, or name the agent in APIM_PROBE" >&2
    exit 2
fi

# What az could not do must not read as 1, which says that something is blocked.
set -o errtrace
trap 'exit 4' ERR
work=$(mktemp -d)
run=apim-probe-$(date -u +%Y%m%dT%H%M%SZ)-$RANDOM

blob() {
    az storage blob "$@" --account-name "$STORAGE_ACCOUNT" --container-name "$CONTAINER" --auth-mode login
}

# Also after a failure, and where the job is cancelled.
# shellcheck disable=SC2317 # The trap calls it.
clean() {
    trap '' INT TERM HUP
    trap - ERR
    rm -rf "$work"
    local name
    for name in agent reports.tar.gz; do
        blob delete --name "$run/$name" --only-show-errors --output none 2>/dev/null || true
    done
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# A link to one blob, with the permissions given, for an hour.
link() {
    blob generate-sas --name "$1" --permissions "$2" --expiry "$(date -u -d '1 hour' +%Y-%m-%dT%H:%MZ)" \
        --as-user --https-only --full-uri --output tsv
}

# A word as any shell reads it.
quote() {
    printf "'%s'" "${1//\'/\'\\\'\'}"
}

blob upload --name "$run/agent" --file "$agent" --only-show-errors --output none

agent_link=$(link "$run/agent" r)
reports_link=$(link "$run/reports.tar.gz" cw)

# What runs on the VM, in its plain sh.
{
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
if ! carry -o apim-probe "$agent"; then
    echo "the agent cannot be fetched: $why"
    exit
fi
chmod +x apim-probe
./apim-probe run --quiet --format brief -o report.json -o report.xml -o report.html -o report.md \
    -o github:report.github "$@"
status=$?
why="they cannot be packed"
tar -czf reports.tar.gz report.* && carry -H 'x-ms-blob-type: BlockBlob' -T reports.tar.gz "$reports" ||
    echo "the reports cannot be carried back: $why"
echo "apim-probe ended with $status"
ON_THE_VM
} >"$work/on-the-vm.sh"

az vm run-command invoke --resource-group "$RESOURCE_GROUP" --name "$VM" --command-id RunShellScript \
    --scripts @"$work/on-the-vm.sh" --query 'value[0].message' --output tsv | tee "$work/said"

mkdir -p "$reports"
if blob download --name "$run/reports.tar.gz" --file "$work/reports.tar.gz" --only-show-errors --output none; then
    tar -xzf "$work/reports.tar.gz" -C "$reports"
else
    echo "run-on-vm: no reports came back; what is above is all there is" >&2
fi

status=$(sed -n 's/^apim-probe ended with \([0-9]*\)$/\1/p' "$work/said" | tail -n 1)
exit "${status:-4}"
