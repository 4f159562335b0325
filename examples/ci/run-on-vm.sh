#!/usr/bin/env bash
# Runs apim-probe from a pipeline on a VM in the subnet of an API Management
# instance, and brings the reports back. The exit status is the agent's, 2 if
# something is missing here, or 4 if az fails or the agent returns no result.
# Arguments are passed to `apim-probe run`:
#
#   RESOURCE_GROUP=rg VM=vm-1 STORAGE_ACCOUNT=st CONTAINER=probe \
#       examples/ci/run-on-vm.sh --service ID
#
# ID is what `az apim show --query id` prints; the VM's managed identity, with
# the role Reader on the instance, is used to fetch its host names. Without an
# identity, pass them: --region westeurope --set storage_account=…
# --set sql_server=… --set key_vault=… The agent is from a release unpacked
# here, or the file in $APIM_PROBE; the reports go to $REPORTS, by default
# reports.
#
# It needs an `az login` that may run commands on the VM (Virtual Machine
# Contributor) and write blobs (Storage Blob Data Contributor), and a container
# that the VM can reach. The VM needs no identity to transfer files. The work is
# done by managed-run.sh, which is part of a release; see its --help.
set -euo pipefail

if [[ ${1:-} == --help ]]; then
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
    exit
fi
(
    : "${RESOURCE_GROUP:?the resource group of the VM}"
    : "${VM:?the name of the VM}"
    : "${STORAGE_ACCOUNT:?a storage account to transfer files}"
    : "${CONTAINER:?a container in that account}"
) || exit 2
agent=${APIM_PROBE:-apim-probe/apim-probe}
if [[ ! -f $agent ]]; then
    echo "run-on-vm: $agent not found: unpack a release here, or set APIM_PROBE to the agent" >&2
    exit 2
fi

# Next to the agent, as in an unpacked release, or in this file's repository.
managed_run=$(dirname "$agent")/scripts/managed-run.sh
[[ -f $managed_run ]] || managed_run=$(dirname "$0")/../../scripts/managed-run.sh

# A failure of az must not exit with 1, which means that something is blocked.
vm=$(az vm show --resource-group "$RESOURCE_GROUP" --name "$VM" --query id --output tsv) || exit 4
exec "$managed_run" --vm "$vm" --storage-account "$STORAGE_ACCOUNT" --container "$CONTAINER" --agent "$agent" \
    --reports "${REPORTS:-reports}" -- -o report.xml -o report.md -o github:report.github "$@"
