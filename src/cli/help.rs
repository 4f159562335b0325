//! What every help says beside the flags: examples and exit statuses.

/// What one would type first.
const FIRST: &str = "\
Examples:
  apim-probe                                   probe everything once
  apim-probe run -v --network-status FILE      with the instance's own names
  apim-probe run --region westeurope -o report.json -o ticket:mail.txt
  apim-probe watch --until green --for 30m     while others change the network
  apim-probe rules --kind nsg --report report.json --missing-only
  apim-probe explain tcp-timeout

Every flag can come from the environment, and what is typed wins:
  APIM_PROBE_REGION=westeurope APIM_PROBE_QUIET=1
  APIM_PROBE_SET='sql_server=a key_vault=b'

";

/// What one would type to probe.
const RUNNING: &str = "\
Examples:
  apim-probe run                               on a VM in the instance's subnet
  apim-probe run -v --network-status status.json --dependencies dependencies.json
  apim-probe run --region westeurope --set storage_account=apimstabc
  apim-probe run --only sql,key-vault --timeout 3s
  apim-probe run -q --required-only -o report.json -o junit:tests.xml

";

/// The exit statuses of `run`.
const EXIT_STATUSES: &str = "\
Exit status of run:
  0    every selected required endpoint is reachable or degraded
  1    a required endpoint is blocked, or fewer than three quarters of the
       connections to it pass, or one that must be blocked is not
  2    bad flags, a bad catalog or a bad input file; nothing was probed
  3    nothing is blocked, but a required endpoint is unproven or not tested
  4    the agent itself failed, nothing could be tried, or this machine has
       no route to anything it was to probe
  130  interrupted; the partial report was still written
With --fail-on any a feature's endpoints count as required ones do.";

/// Behind the flags of the program.
pub(super) fn program() -> String {
    format!("{FIRST}{EXIT_STATUSES}")
}

/// Behind those of `run`.
pub(super) fn run() -> String {
    format!("{RUNNING}{EXIT_STATUSES}")
}

/// Behind those of `watch`.
pub(super) const WATCHING: &str = "\
Examples:
  apim-probe watch --region westeurope --until green --for 30m
  apim-probe watch --interval 30s --baseline report.json --format jsonl

What confirms a change:
  A service that proves itself is reachable at once. Anything else that differs
  from the round before is looked at again at once, and the second look decides.
  Silence needs no second look where --timeout leaves time to send every packet
  twice (1.5s or more). So a lone lost packet changes nothing, and a change is
  told within one interval and one timeout of its happening.

Rounds never overlap: where something stays silent for a --timeout that is longer
than the interval, the next round begins right after it. Every name server is
asked, and controls are used, in the first round and in one that may be the last.

Exit status of watch:
  0    what --until waits for came; without --until, the time of --for is over
  1    the time of --for was over first
  2    bad flags, a bad catalog or a bad input file; nothing was probed
  4    the agent itself failed
  130  ended by Ctrl-C; the summary was still written";

/// Behind those of `serve`.
pub(super) const SERVING: &str = "\
Examples:
  apim-probe serve --region westeurope
  apim-probe serve --listen 0.0.0.0:9733 --web-config web.yml --network-status status.json
  apim-probe serve --log '/var/log/apim-probe/{day}.jsonl'

What there is to ask for:
  /              the last round as a page
  /report.json   the last round as a document
  /metrics       for Prometheus; a scrape starts nothing
  /-/healthy     200 while rounds come to an end
  /-/ready       200 once the first round has

Rounds are those of watch: what confirms a change is the same. After a change, and
once an hour, a round asks every name server and uses controls.

Signals:
  SIGHUP    reads catalog, documents and certificates anew, and keeps the old where
            the new are broken (with --service every hour as well); opens --log anew
  SIGTERM   ends it within a second

Exit status of serve:
  0    ended by SIGTERM or Ctrl-C
  2    bad flags, a bad catalog or a bad input file; nothing was probed
  4    the agent itself failed";

/// Behind those of `path`.
pub(super) const PATH: &str = "\
Examples:
  apim-probe path sql/apirpsqlx.database.windows.net:1433
  apim-probe path login.microsoftonline.com:443
  apim-probe path 20.61.99.192:1433

It connects as `run` does, and beside that sends SYNs, and words where they were
cut, with a time to live from 1 to 8, and tries connections from eight ports. SYNs
with a low time to live may look like a scan. A hop that does not answer proves
nothing, and inside a network Azure takes nothing off a time to live.

Exit status of path:
  0    the service proves itself
  1    it is blocked
  2    bad flags, a bad catalog or a bad input file; nothing was probed
  3    something answers that does not prove it, or it could not be tested
  4    the agent itself failed
  130  interrupted";
