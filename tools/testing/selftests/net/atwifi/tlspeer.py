# SPDX-License-Identifier: GPL-2.0-only
"""
TLS between the module and the tests' peer: a CA, certificates that are good and
that are not, servers that have them, and a client for the module's own server.
"""

import os

from servers import begin, free_port, run, wait_for

NAME = "peer.test"


class Certificates:
    """Files in a directory: ca.pem, and NAME.pem, NAME.key for each of the others."""

    def __init__(self, where):
        self.where = where
        os.makedirs(where, exist_ok=True)
        self.key("ca")
        run("openssl", "req", "-x509", "-new", "-key", self.path("ca.key"), "-days", "30",
                "-subj", "/CN=CA of the tests", "-out", self.path("ca.pem"))
        self.signed("good", NAME, 30)
        self.signed("expired", NAME, -1)
        self.signed("wrong", "other.test", 30)
        self.key("self")
        run("openssl", "req", "-x509", "-new", "-key", self.path("self.key"), "-days", "30",
                "-subj", "/CN=" + NAME, "-addext", "subjectAltName=DNS:" + NAME,
                "-out", self.path("self.pem"))

    def path(self, name):
        return os.path.join(self.where, name)

    def key(self, name):
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout",
                "-out", self.path(name + ".key"))

    def signed(self, name, host, days):
        self.key(name)
        run("openssl", "req", "-new", "-key", self.path(name + ".key"), "-subj", "/CN=" + host,
                "-addext", "subjectAltName=DNS:" + host, "-out", self.path(name + ".csr"))
        run("openssl", "x509", "-req", "-in", self.path(name + ".csr"), "-CA", self.path("ca.pem"),
                "-CAkey", self.path("ca.key"), "-CAcreateserial", "-days", str(days),
                "-copy_extensions", "copy", "-out", self.path(name + ".pem"))


def start(stack, where, peer_port):
    """
    Begins servers, and that client: who connects to it is at the module's server. Behind all
    of them is the peer. What of the environment tells of them.
    """
    certs = Certificates(where)
    ports = {name: free_port()
             for name in ("good", "expired", "wrong", "self", "dial", "reverse")}
    listen = free_port()

    def relay(listens, port, options, to):
        # A way ends when it has ended, and not soon after the other one.
        begin(stack, "socat", "-t", "100", "-b", "65536", "%s:%d,bind=127.0.0.1,reuseaddr,fork%s" % (
            listens, port, options), to)

    for name in ("good", "expired", "wrong", "self"):
        relay("OPENSSL-LISTEN", ports[name], ",verify=0,cert=%s,key=%s" % (
            certs.path(name + ".pem"), certs.path(name + ".key")), "TCP:127.0.0.1:%s" % peer_port)
    # Where the module has a CA it wants to know who comes. Its server may be away for seconds,
    # to be opened anew, and where it has no socket left it sends clients away.
    relay("TCP-LISTEN", ports["dial"], "", "OPENSSL:127.0.0.1:%d,cafile=%s,commonname=%s,"
          "cert=%s,key=%s,retry=600,interval=0.1" % (
              listen, certs.path("ca.pem"), NAME, certs.path("good.pem"), certs.path("good.key")))
    # One that nobody here has written: it sends each line back reversed.
    begin(stack, "openssl", "s_server", "-accept", "127.0.0.1:%d" % ports["reverse"], "-rev",
          "-quiet", "-cert", certs.path("good.pem"), "-key", certs.path("good.key"))
    for port in ports.values():
        wait_for("tcp", port)
    return {"ATW_TLS_DIR": where, "ATW_TLS_LISTEN": listen,
            **{"ATW_TLS_" + name.upper(): port for name, port in ports.items()}}
