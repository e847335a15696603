# SPDX-License-Identifier: GPL-2.0-only
"""
TLS between the module and the tests' peer: a CA, certificates that are good and
that are not, servers that have them, and a client for the module's own server.
"""

import asyncio
import os
import socket
import ssl
import subprocess
import threading

NAME = "peer.test"


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


RESERVED = []


def free_port(protocol="tcp"):
    """
    A port that is free. One of TCP stays so for servers, who set SO_REUSEADDR: the kernel
    gives it to nobody who asks for any.
    """
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    s = socket.socket(type=kind)
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
    if protocol == "udp":
        s.close()
    else:
        # Not before: that port may be another one's.
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        RESERVED.append(s)
    return port


class Certificates:
    """Files in a directory: ca.pem, and NAME.pem, NAME.key for each of the others."""

    def __init__(self, where):
        self.where = where
        os.makedirs(where, exist_ok=True)
        self.key("ca")
        openssl("req", "-x509", "-new", "-key", self.path("ca.key"), "-days", "30",
                "-subj", "/CN=CA of the tests", "-out", self.path("ca.pem"))
        self.signed("good", NAME, 30)
        self.signed("expired", NAME, -1)
        self.signed("wrong", "other.test", 30)
        self.key("self")
        openssl("req", "-x509", "-new", "-key", self.path("self.key"), "-days", "30",
                "-subj", "/CN=" + NAME, "-addext", "subjectAltName=DNS:" + NAME,
                "-out", self.path("self.pem"))

    def path(self, name):
        return os.path.join(self.where, name)

    def key(self, name):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout",
                "-out", self.path(name + ".key"))

    def signed(self, name, host, days):
        self.key(name)
        openssl("req", "-new", "-key", self.path(name + ".key"), "-subj", "/CN=" + host,
                "-addext", "subjectAltName=DNS:" + host, "-out", self.path(name + ".csr"))
        openssl("x509", "-req", "-in", self.path(name + ".csr"), "-CA", self.path("ca.pem"),
                "-CAkey", self.path("ca.key"), "-CAcreateserial", "-days", str(days),
                "-copy_extensions", "copy", "-out", self.path(name + ".pem"))


async def copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        writer.transport.abort()
        return
    if writer.can_write_eof():
        writer.write_eof()
    else:
        writer.close()


class TlsPeer:
    """All of it, in a thread of its own and a process of openssl."""

    def __init__(self, where, peer_port):
        self.certs = Certificates(where)
        self.peer_port = int(peer_port)
        self.listen_port = free_port()
        self.ports = {}
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        threading.Thread(target=self.run, args=(ready,), daemon=True).start()
        ready.wait()
        # One that nobody here has written: it sends each line back reversed.
        self.ports["reverse"] = free_port()
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-accept", "127.0.0.1:%d" % self.ports["reverse"], "-rev",
             "-quiet", "-cert", self.certs.path("good.pem"), "-key", self.certs.path("good.key")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def env(self):
        env = {"ATW_TLS_" + name.upper(): str(port) for name, port in self.ports.items()}
        return {**env, "ATW_TLS_DIR": self.certs.where, "ATW_TLS_LISTEN": str(self.listen_port)}

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.loop.call_soon_threadsafe(self.loop.stop)

    def run(self, ready):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self.start())
        ready.set()
        self.loop.run_forever()

    async def start(self):
        for name in ("good", "expired", "wrong", "self"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certs.path(name + ".pem"), self.certs.path(name + ".key"))
            server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=context)
            self.ports[name] = server.sockets[0].getsockname()[1]
        server = await asyncio.start_server(self.dial, "127.0.0.1", 0)
        self.ports["dial"] = server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        """A client of the module's has come: the peer is behind us."""
        there = await asyncio.open_connection("127.0.0.1", self.peer_port)
        await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))

    async def dial(self, reader, writer):
        """The peer dials: the module's server is behind us, and is verified."""
        context = ssl.create_default_context(cafile=self.certs.path("ca.pem"))
        # Where the module has a CA it wants to know who comes.
        context.load_cert_chain(self.certs.path("good.pem"), self.certs.path("good.key"))
        # A server may be away for seconds, to be opened anew, and a module that has
        # no socket left sends clients away.
        for _ in range(600):
            try:
                there = await asyncio.open_connection("127.0.0.1", self.listen_port, ssl=context,
                                                      server_hostname=NAME)
                break
            except (ConnectionRefusedError, ConnectionResetError):
                await asyncio.sleep(0.1)
            except OSError:
                writer.transport.abort()
                return
        else:
            writer.transport.abort()
            return
        await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))
