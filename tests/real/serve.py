#!/usr/bin/env python3
"""Runs the hellos and the questions to name servers against real servers on loopback: Samba, Redis, chrony, impacket's RPC
server, Qpid Proton, RabbitMQ, squid, HAProxy, tinyproxy, Privoxy, BIND, unbound and dnsdist.

Needs, as root on Debian, the packages samba, redis-server, chrony, rabbitmq-server, squid, haproxy, tinyproxy, privoxy,
bind9, unbound and dnsdist, and impacket and python-qpid-proton for this Python:
    tests/real/serve.py && echo all spoke
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from impacket.dcerpc.v5.rpcrt import DCERPCServer
from proton.handlers import MessagingHandler
from proton.reactor import Container

import servers

KMS = ("51c82175-844e-4750-b0d8-ec255555bc06", "1.0")
SCHEDULER = ("86d35949-83c9-4044-b424-db363231fd0c", "1.0")


class Broker(MessagingHandler):
    """An AMQP 1.0 peer that offers SASL and accepts nothing more."""

    def on_start(self, event):
        event.container.listen("127.0.0.1:15672")


def rpc_server(interface, port):
    """An RPC server that knows one interface."""
    server = DCERPCServer()
    server.addCallbacks(interface, f"\\PIPE\\{port}", {})
    server.setListenPort(port)
    server.start()


def started(scratch, output):
    """Every server that is a program, running. Some end their whole group of processes, so each has one of its own."""
    line, environment = servers.rabbitmq(scratch)
    yield subprocess.Popen(line, env=os.environ | environment, stdout=output, stderr=output, start_new_session=True)
    for line in servers.lines(scratch):
        yield subprocess.Popen(line, stdout=output, stderr=output, start_new_session=True)


def main():
    os.environ["PATH"] += ":/usr/sbin"
    rpc_server(KMS, 11688)
    rpc_server(SCHEDULER, 11135)
    threading.Thread(target=Container(Broker()).run, daemon=True).start()
    mute = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    mute.bind(("127.0.0.1", servers.MUTE))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch, open(Path(scratch) / "output", "w") as output:
        # Some of them give up root.
        Path(scratch).chmod(0o777)
        running = list(started(Path(scratch), output))
        try:
            tests = ["cargo", "test", "-p", "apim-probe", "--test", "it", "real_servers::", "--", "--ignored", "--nocapture"]
            status = subprocess.call(tests)
        finally:
            for daemon in running:
                daemon.terminate()
            for daemon in running:
                daemon.wait()
        if status:
            print(Path(output.name).read_text(), file=sys.stderr)
    # What RabbitMQ leaves behind, where nothing else uses it on its port.
    subprocess.call(["epmd", "-port", "15677", "-kill"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os._exit(status)  # impacket's threads never end


if __name__ == "__main__":
    main()
