"""How each real server is started: its configuration, and the line that runs it. All of them listen on loopback, and none
of them has anybody else to talk to."""

from pathlib import Path

# A port on which somebody is there and never answers: where the name servers' forwarders are.
MUTE = 15399

SAMBA = """[global]
interfaces = 127.0.0.1
bind interfaces only = yes
disable netbios = yes
log file = {scratch}/log
lock directory = {scratch}
state directory = {scratch}
cache directory = {scratch}
pid directory = {scratch}
private dir = {scratch}
"""

# An intercepting proxy without the interception: it takes requests as an origin server gets them.
SQUID = """http_port 127.0.0.1:13128 accel vhost allow-direct
http_access deny all
visible_hostname proxy.example
cache_log {scratch}/squid.log
access_log none
pid_filename none
cache_effective_user proxy
icp_port 0
pinger_enable off
shutdown_lifetime 0 seconds
"""

HAPROXY = """defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
frontend deny
  bind 127.0.0.1:18081
  http-request deny
frontend dead
  bind 127.0.0.1:18082
  default_backend nobody
backend nobody
  server one 127.0.0.1:9 check
"""

TINYPROXY = """Port 18888
Listen 127.0.0.1
Timeout 5
DefaultErrorFile "/usr/share/tinyproxy/default.html"
Allow 10.0.0.1
"""

PRIVOXY = """confdir {scratch}
templdir /etc/privoxy/templates
logdir {scratch}
actionsfile block.action
listen-address 127.0.0.1:18118
accept-intercepted-requests 1
"""

ZONE = """$TTL 60
@ IN SOA ns.example. host.example. 1 60 60 60 60
@ IN NS ns.example.
@ IN A 20.190.128.1
"""

BIND = """options {{
  directory "{scratch}"; pid-file none; session-keyfile none; listen-on port 15301 {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }}; recursion yes; allow-query {{ any; }}; dnssec-validation no; minimal-responses yes;
  forward only; forwarders {{ 127.0.0.1 port {mute}; }};
}};
controls {{ }};
zone "login.microsoftonline.com" {{ type master; file "{scratch}/zone"; }};
"""

UNBOUND = """server:
  interface: 127.0.0.1@{port}
  username: ""
  chroot: ""
  pidfile: ""
  directory: "{scratch}"
  use-syslog: no
  do-ip6: no
  do-not-query-localhost: no
  module-config: "iterator"
  access-control: 127.0.0.0/8 allow
  local-zone: "login.microsoftonline.com." static
{more}
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{mute}
remote-control:
  control-enable: no
"""

# The first question a second of each client is answered.
DNSDIST = """setLocal("127.0.0.1:15304")
setSecurityPollSuffix("")
newServer({{address="127.0.0.1:15301"}}):setUp()
addAction(MaxQPSIPRule(1), RCodeAction(DNSRCode.REFUSED))
"""


def lines(scratch: Path):
    """The command lines, in the order in which they need each other; their files are written to `scratch`."""

    def write(name, text, **more):
        path = scratch / name
        path.write_text(text.format(scratch=scratch, mute=MUTE, **more))
        return str(path)

    yield ["smbd", "--foreground", "--no-process-group", f"--configfile={write('smb.conf', SAMBA)}", "--port=14450"]
    yield ["redis-server", "--port", "16379", "--bind", "127.0.0.1", "--save", "", "--requirepass", "secret"]
    yield ["chronyd", "-d", "-x", "-u", "root", "port 10123", "bindaddress 127.0.0.1", "allow 127.0.0.1",
           "local stratum 3", "cmdport 0", "bindcmdaddress /", f"pidfile {scratch}/chronyd.pid"]
    yield ["squid", "--foreground", "-f", write("squid.conf", SQUID)]
    yield ["haproxy", "-db", "-f", write("haproxy.cfg", HAPROXY)]
    yield ["tinyproxy", "-d", "-c", write("tinyproxy.conf", TINYPROXY)]
    write("block.action", "{{+block{{Not allowed here}}}}\n/\n")
    yield ["privoxy", "--no-daemon", write("privoxy.conf", PRIVOXY)]
    write("zone", ZONE + "".join(f"many IN A 20.200.0.{last}\n" for last in range(1, 91)))
    yield ["named", "-f", "-c", write("named.conf", BIND)]
    data = "  local-data: \"login.microsoftonline.com. A 20.190.128.{}\"\n"
    yield ["unbound", "-d", "-c", write("unbound.conf", UNBOUND, port=15302, more=data.format(1))]
    # Its answers do not fit into a datagram, and nothing listens on TCP.
    many = "".join(data.format(last) for last in range(1, 91)) + "  do-tcp: no\n  max-udp-size: 512\n"
    yield ["unbound", "-d", "-c", write("unbound-udp.conf", UNBOUND, port=15305, more=many)]
    yield ["dnsdist", "--supervised", "-C", write("dnsdist.conf", DNSDIST)]


def rabbitmq(scratch: Path):
    """RabbitMQ's command line and environment: it speaks AMQP 0-9-1."""
    environment = {
        "HOME": scratch,
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": "15677",
        "RABBITMQ_NODENAME": "rabbit@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": "15675",
        "RABBITMQ_DIST_PORT": "15676",
        "RABBITMQ_MNESIA_BASE": scratch,
        "RABBITMQ_LOG_BASE": scratch,
        "RABBITMQ_ENABLED_PLUGINS_FILE": scratch / "plugins",
        "RABBITMQ_PID_FILE": scratch / "rabbitmq.pid",
    }
    return ["/usr/lib/rabbitmq/bin/rabbitmq-server"], {name: str(value) for name, value in environment.items()}
