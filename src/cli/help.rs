//! What a command's help adds to its flags: examples and exit statuses.

/// The first things to type.
const FIRST: &str = "\
Examples:
  apim-probe                                   probe everything once
  apim-probe run -v --network-status FILE      with the instance's own names
  apim-probe run --region westeurope -o report.json -o ticket:mail.txt
  apim-probe watch --until green --for 30m     while others change the network
  apim-probe rules --kind nsg --report report.json --missing-only
  apim-probe explain tcp-timeout

Every flag can also be set in the environment; the command line takes precedence:
  APIM_PROBE_REGION=westeurope APIM_PROBE_QUIET=1
  APIM_PROBE_SET='sql_server=a key_vault=b'

";

/// What to type to probe.
const RUNNING: &str = "\
Examples:
  apim-probe run                               on a VM in the instance's subnet
  apim-probe run --network-status status.json --dependencies dependencies.json
  apim-probe run --region westeurope --set storage_account=apimstabc
  apim-probe run --only sql,key-vault --timeout 3s
  apim-probe run -q --required-only -o report.json -o junit:tests.xml

";

/// The exit statuses of `run`.
const EXIT_STATUSES: &str = "\
Exit status of run:
  0    every selected required endpoint is reachable or degraded
  1    a required endpoint is blocked, or fewer than three quarters of the
       connections to it pass, or an endpoint that must be blocked is not
  2    bad flags, a bad catalog or a bad input file; nothing was probed
  3    nothing is blocked, but a required endpoint is unproven or not tested
  4    the agent itself failed, nothing could be tried, or this machine has
       no route to anything in the plan
  130  interrupted; the partial report was still written
With --fail-on any, optional endpoints count like required ones.";

/// After the flags of the program.
pub(super) fn program() -> String {
    format!("{FIRST}{EXIT_STATUSES}")
}

/// After those of `run`.
pub(super) fn run() -> String {
    format!("{RUNNING}{EXIT_STATUSES}")
}

/// After those of `watch`.
pub(super) const WATCHING: &str = "\
Examples:
  apim-probe watch --region westeurope --until green --for 30m
  apim-probe watch --interval 30s --baseline report.json --format jsonl

How a change is confirmed:
  A service that is verified counts as reachable at once. Any other difference
  from the previous round is probed again at once, and the second result decides.
  A timeout needs no second probe if --timeout leaves time to send every packet
  twice (1.5s or more). A single lost packet therefore changes nothing, and a
  change is reported within one interval plus one timeout.

Rounds never overlap: if --timeout is longer than the interval and something
does not reply, the next round starts right after it. All name servers and the
controls are queried in the first round and in a round that may be the last.

Exit status of watch:
  0    the --until condition was met, or --for ran out and there is no --until
  1    --for ran out before the --until condition was met
  2    bad flags, a bad catalog or a bad input file; nothing was probed
  4    the agent itself failed
  130  ended by Ctrl-C; the summary was still written";

/// After those of `serve`.
pub(super) const SERVING: &str = "\
Examples:
  apim-probe serve --region westeurope
  apim-probe serve --listen 0.0.0.0:9733 --web-config web.yml
  apim-probe serve --log '/var/log/apim-probe/{day}.jsonl'

Paths:
  /              the latest round as an HTML report
  /report.json   the latest round as JSON
  /metrics       for Prometheus; a scrape does not start a round
  /-/healthy     200 while rounds keep finishing
  /-/ready       200 once the first round has finished

Rounds run, and changes are confirmed, as in `watch`. After a change, and
once an hour, a round queries every name server and the controls.

Signals:
  SIGHUP    reloads the catalog, documents and certificates, and keeps the old ones
            if the new ones are invalid (with --service also every hour); reopens
            the --log file
  SIGTERM   stops within a second

Exit status of serve:
  0    ended by SIGTERM or Ctrl-C
  2    bad flags, a bad catalog or a bad input file; nothing was probed
  4    the agent itself failed";

/// After those of `path`.
pub(super) const PATH: &str = "\
Examples:
  apim-probe path sql/apirpsqlx.database.windows.net:1433
  apim-probe path login.microsoftonline.com:443
  apim-probe path 20.61.99.192:1433

It connects as `run` does. It also sends SYNs (and, where a connection was cut, the
data that was cut) with a TTL from 1 to 8, and tries connections from eight source
ports. SYNs with a low TTL may look like a scan. A hop that does not answer proves
nothing: inside a virtual network, Azure does not decrement the TTL.

Exit status of path:
  0    the service is reachable
  1    it is blocked
  2    bad flags, a bad catalog or a bad input file; nothing was probed
  3    something answered that does not prove the service, or it was not tested
  4    the agent itself failed
  130  interrupted";
