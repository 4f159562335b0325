#!/usr/bin/env python3
"""Runs the hellos against real servers on loopback: Samba, Redis, chrony, impacket's RPC server and Qpid Proton.

Needs the packages samba, redis-server and chrony, and impacket and python-qpid-proton for this Python:
    tests/real/serve.py && echo all spoke
"""

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from impacket.dcerpc.v5.rpcrt import DCERPCServer
from proton.handlers import MessagingHandler
from proton.reactor import Container

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


def daemons(scratch):
    """The command lines of the servers that are programs."""
    config = scratch / "smb.conf"
    folders = ["lock directory", "state directory", "cache directory", "pid directory", "private dir"]
    lines = ["[global]", "interfaces = 127.0.0.1", "bind interfaces only = yes", "disable netbios = yes", f"log file = {scratch}/log"]
    config.write_text("\n".join(lines + [f"{folder} = {scratch}" for folder in folders]))
    yield ["smbd", "--foreground", "--no-process-group", f"--configfile={config}", "--port=14450"]
    yield ["redis-server", "--port", "16379", "--bind", "127.0.0.1", "--save", "", "--requirepass", "secret"]
    yield ["chronyd", "-d", "-x", "-u", "root", "port 10123", "bindaddress 127.0.0.1", "allow 127.0.0.1",
           "local stratum 3", "cmdport 0", "bindcmdaddress /", f"pidfile {scratch}/chronyd.pid"]


def main():
    os.environ["PATH"] += ":/usr/sbin"
    rpc_server(KMS, 11688)
    rpc_server(SCHEDULER, 11135)
    threading.Thread(target=Container(Broker()).run, daemon=True).start()
    with tempfile.TemporaryDirectory() as scratch, open(Path(scratch) / "output", "w") as output:
        running = [subprocess.Popen(line, stdout=output, stderr=output) for line in daemons(Path(scratch))]
        try:
            tests = ["cargo", "test", "-p", "apim-probe", "--test", "it", "real::", "--", "--ignored", "--nocapture"]
            status = subprocess.call(tests)
        finally:
            for daemon in running:
                daemon.terminate()
                daemon.wait()
        if status:
            print(Path(output.name).read_text(), file=sys.stderr)
    os._exit(status)  # impacket's threads never end


if __name__ == "__main__":
    main()
