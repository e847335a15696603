# SPDX-License-Identifier: GPL-2.0-only
"""
What serves the tests on this machine's loopback, and how that is begun; and ordinary servers
for the ordinary programs of netdev.py: HTTP, HTTPS, HTTP/2, ssh, DNS, iperf3, MQTT, TFTP.
"""

import functools
import hashlib
import http.server
import os
import random
import re
import shutil
import socket
import socketserver
import ssl
import struct
import subprocess
import tempfile
import threading
import time

# What no test should ever have to wait for, on however slow a machine, in seconds.
LIMIT = 120
FILES = {"big": 1 << 18, "small": 3000}
RESERVED = []


def run(*argv):
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def begin(stack, *argv, **kw):
    """Has a program serve until the stack is left, or this program is gone."""
    kw = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL,
          "stderr": subprocess.DEVNULL, **kw}
    process = stack.enter_context(
        subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *argv], **kw))
    # What is entered last is left first: then it is waited for.
    stack.callback(process.terminate)
    return process


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


def sockets(*what):
    """This machine's, a line each."""
    return subprocess.run(["ss", "-Hno", *what], check=True, stdout=subprocess.PIPE,
                          text=True).stdout.splitlines()


def wait_for(protocol, port):
    """Until somebody listens, without a connect: some serve one client and no other."""
    limit = time.monotonic() + LIMIT
    while not sockets("--listening", "--" + protocol, "src", "127.0.0.1:%d" % port):
        if time.monotonic() > limit:
            raise TimeoutError("nobody listens")
        time.sleep(0.02)


class Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *unused):
        pass

    def do_PUT(self):
        """Answers with the sum of what was sent."""
        left = int(self.headers["Content-Length"])
        digest = hashlib.sha256()
        while left:
            data = self.rfile.read(min(left, 65536))
            if not data:
                return
            digest.update(data)
            left -= len(data)
        body = digest.hexdigest().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT


class Brief(Quiet):
    """Ends connections that are idle after a request, as most servers do after a while."""

    timeout = 120

    def handle_one_request(self):
        super().handle_one_request()
        self.connection.settimeout(1)


def serve(server):
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *unused):
        """Clients may go away: that is tested."""


def http_server(where, context=None, handler=Quiet):
    handler = functools.partial(handler, directory=where)
    server = Server(("127.0.0.1", 0), handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    return serve(server)


# A name server that answers every question for an address with 203.0.113.7, and one for the text
# of "sizeN" by as many bytes, if there is room for them.


def dns_texts(size):
    """Records that have so many bytes in all."""
    while size:
        n = min(size, 253)
        if 0 < size - n < 13:
            n -= 13
        yield b"\xc0\x0c\0\x10\0\1\0\0\0\x3c" + struct.pack(">HB", n - 12, n - 13) + b"v" * (n - 13)
        size -= n


def dns_answer(query, room=65535):
    ident, _, questions, *_, more = struct.unpack(">HHHHHH", query[:12])
    end = query.index(b"\0", 12) + 5
    texts = re.match(rb"size(\d+)$", query[13:13 + query[12]])
    if not texts or query[end - 4:end] != b"\0\x10\0\1":
        head = struct.pack(">HHHHHH", ident, 0x8580, questions, 1, 0, 0)
        return head + query[12:end] + b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xcb\0\x71\x07"
    opt = b"\0\0\x29\x04\xd0" + bytes(6) if more else b""
    size, flags = int(texts.group(1)), 0x8580
    records = list(dns_texts(size - end - len(opt)))
    if size > room:
        records, flags = [], flags | 0x200
    return struct.pack(">HHHHHH", ident, flags, questions, len(records), 0, bool(more)) + \
        query[12:end] + b"".join(records) + opt


def dns_room(query):
    """Of an answer by UDP."""
    end = query.index(b"\0", 12) + 5
    if query[end:end + 3] != b"\0\0\x29":
        return 512
    return max(512, int.from_bytes(query[end + 3:end + 5], "big"))


class DnsUdp(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        sock.sendto(dns_answer(data, dns_room(data)), self.client_address)


class DnsTcp(socketserver.StreamRequestHandler):
    def handle(self):
        size = self.rfile.read(2)
        if len(size) == 2:
            answer = dns_answer(self.rfile.read(int.from_bytes(size, "big")))
            self.wfile.write(len(answer).to_bytes(2, "big") + answer)


class NameServer(socketserver.ThreadingUDPServer):
    # Somebody else's may listen at all addresses.
    allow_reuse_address = True


def name_server():
    """One at the usual port, on an address that no other runner has; which."""
    address = "127." + ".".join(str(random.randrange(1, 255)) for _ in range(3))
    serve(NameServer((address, 53), DnsUdp))
    return address


def dns_server():
    while True:
        tcp = socketserver.ThreadingTCPServer(("127.0.0.1", 0), DnsTcp)
        try:
            udp = socketserver.ThreadingUDPServer(tcp.server_address, DnsUdp)
        except OSError:
            tcp.server_close()
            continue
        serve(udp)
        return serve(tcp)


class Tftp(socketserver.BaseRequestHandler):
    """Files of one block: "here" comes from the port that is asked, others as RFC 1350 has it."""

    def handle(self):
        request, sock = self.request
        if not request.startswith(b"\0\1"):
            return
        with socket.socket(type=socket.SOCK_DGRAM) as other:
            (sock if request.startswith(b"\0\1here\0") else other).sendto(
                b"\0\3\0\1a file", self.client_address)


def ssh_server(stack, where, port):
    for name in ("host", "user"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.path.join(where, name))
    shutil.copy(os.path.join(where, "user.pub"), os.path.join(where, "authorized_keys"))
    os.makedirs("/run/sshd", exist_ok=True)
    begin(stack, "/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-p", str(port),
          "-h", os.path.join(where, "host"), "-o", "ListenAddress=127.0.0.1",
          "-o", "AuthorizedKeysFile=" + os.path.join(where, "authorized_keys"),
          "-o", "StrictModes=no", "-o", "PidFile=none", "-o", "UsePAM=no",
          "-o", "PermitRootLogin=prohibit-password", "-o", "Subsystem=sftp internal-sftp")


def mqtt_server(stack, where, port, programs):
    """That of this machine, or that of the guest's programs."""
    path = programs + "/usr/sbin/mosquitto"
    with open(os.path.join(where, "mosquitto.conf"), "w", encoding="ascii") as f:
        f.write("listener %d 127.0.0.1\nallow_anonymous true\nuser root\n" % port)
    begin(stack, path if os.path.exists(path) else "mosquitto", "-c", f.name, env={
        **os.environ,
        "LD_LIBRARY_PATH": "%s/usr/lib/%s-linux-gnu" % (programs, os.uname().machine)})


def repository(where):
    """A repository that needs no program on the server's side."""
    work = os.path.join(where, "work")
    git = ("git", "-c", "user.name=test", "-c", "user.email=test@example.com", "-C", work)
    os.mkdir(work)
    run(*git, "init", "-q")
    for i in range(20):
        with open(os.path.join(work, "file%d" % i), "w", encoding="ascii") as f:
            f.write("%d\n" % i * 500)
        run(*git, "add", ".")
        run(*git, "commit", "-q", "-m", "change %d" % i)
    run("git", "clone", "-q", "--bare", work, os.path.join(where, "www/repo.git"))
    run("git", "-C", os.path.join(where, "www/repo.git"), "update-server-info")


def start(stack, programs):
    """Begins all of them; what of the environment tells of them."""
    where = stack.enter_context(tempfile.TemporaryDirectory(prefix="atwifi-servers."))
    www, key, cert = (os.path.join(where, name) for name in ("www", "key.pem", "cert.pem"))
    os.mkdir(www)
    for name, size in FILES.items():
        with open(os.path.join(www, name), "wb") as f:
            f.write(random.randbytes(size))
    # It has no end while anybody reads it, and holes alone.
    with open(os.path.join(www, "endless"), "wb") as f:
        f.truncate(1 << 40)
    with open(os.path.join(www, "big"), "rb") as f:
        big = hashlib.sha256(f.read()).hexdigest()
    repository(where)
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        "-subj", "/CN=peer.test", "-addext", "subjectAltName=IP:192.0.2.1,DNS:peer.test",
        "-keyout", key, "-out", cert)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    ssh, iperf, http2, mqtt = (free_port() for _ in range(4))
    ssh_server(stack, where, ssh)
    begin(stack, "iperf3", "-s", "-B", "127.0.0.1", "-p", str(iperf))
    begin(stack, "nghttpd", "-d", www, "-a", "127.0.0.1", str(http2), key, cert)
    mqtt_server(stack, where, mqtt, programs)
    for port in (ssh, iperf, http2):
        wait_for("tcp", port)
    return {"ATW_PROGRAMS": programs, "ATW_FILES": where, "ATW_BIG": big,
            "ATW_HTTP": http_server(www), "ATW_HTTP_BRIEF": http_server(www, handler=Brief),
            "ATW_HTTPS": http_server(www, context), "ATW_DNS": dns_server(), "ATW_SSH": ssh,
            "ATW_IPERF": iperf, "ATW_HTTP2": http2, "ATW_MQTT": mqtt,
            "ATW_TFTP": serve(socketserver.ThreadingUDPServer(("127.0.0.1", 0), Tftp))}
