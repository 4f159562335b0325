"""Reads a dashboard with Grafana's own library, writes it again, and says what that lost or changed: python3 board.py FILE,
with grafana-foundation-sdk."""

import json
import sys

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard


def compare(written, read, place=""):
    """What of `written` is not in `read`."""
    if isinstance(written, dict) and isinstance(read, dict):
        for key, value in written.items():
            if key not in read:
                yield f"{place}/{key} is no key that Grafana knows"
            else:
                yield from compare(value, read[key], f"{place}/{key}")
    elif isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        for n, (one, other) in enumerate(zip(written, read)):
            yield from compare(one, other, f"{place}/{n}")
    elif written != read:
        yield f"{place} became {read!r}"


register_default_plugins()
with open(sys.argv[1], encoding="utf-8") as file:
    board = json.load(file)
dashboard = Dashboard.from_json(board)
faults = list(compare(board, json.loads(JSONEncoder().encode(dashboard))))
print(*faults, f"{len(dashboard.panels)} panels, {len(faults)} faults", sep="\n")
sys.exit(0 if dashboard.panels and not faults else 1)
