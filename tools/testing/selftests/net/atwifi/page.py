# SPDX-License-Identifier: GPL-2.0-only
"""
A page with objects on several hosts, and what a browser does about it: six connections to
each, which are kept, and each asks for what is still to be had when it is there.
"""

import errno
import http.client
import http.server
import json
import socket
import socketserver
import sys
import threading
import time

HOSTS = 4
CONNECTIONS = 6
OBJECTS = 10	# of each host
SIZE = 5000
LIMIT = 100
# A client asks again where a server has ended what was idle.
TRIES = 20


def body(n):
    return b"%04d" % n * (SIZE // 4)


class Web(http.server.BaseHTTPRequestHandler):
    """Keeps its connections for ever; /5 is object 5."""

    protocol_version = "HTTP/1.1"
    # What a server has to say of an object comes with it.
    wbufsize = -1

    def log_message(self, *unused):
        pass

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(SIZE))
        self.end_headers()
        self.wfile.write(body(int(self.path[1:])))


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(4096):
            self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64


class Keeper(threading.Thread):
    """One of the connections that a browser keeps to a host: it gets, and is not closed."""

    def __init__(self, host, port, wanted, page):
        super().__init__(daemon=True)
        self.wanted, self.page = wanted, page
        self.again = 0
        self.error = ""
        self.http = http.client.HTTPConnection(host, port, timeout=LIMIT)

    def fetch(self, n):
        for _ in range(TRIES):
            try:
                self.http.request("GET", "/%d" % n, headers={"User-Agent": "x" * 300})
                return self.http.getresponse().read()
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self.again += 1
                self.http.close()
        raise OSError("object %d cannot be had" % n)

    def connect(self):
        """Who has waited for a socket in vain for as long as anybody does wants one yet."""
        for n in range(TRIES):
            try:
                return self.http.connect()
            except OSError as e:
                if e.errno != errno.EHOSTUNREACH or n == TRIES - 1:
                    raise

    def run(self):
        try:
            self.connect()
            self.http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                try:
                    n = self.wanted.pop()
                except IndexError:
                    return
                self.page.add(n, self.fetch(n))
        except (OSError, http.client.HTTPException) as e:
            self.error = repr(e)


class Page:
    """All that HOSTS have, by their addresses; begun when it is made."""

    def __init__(self, hosts, port):
        self.got = {}
        self.count = OBJECTS * len(hosts)
        self.whole = threading.Event()
        self.begun = time.monotonic()
        self.seconds = 0
        self.keepers = []
        for i, host in enumerate(hosts):
            wanted = list(range(i * OBJECTS, (i + 1) * OBJECTS))
            self.keepers += [Keeper(host, port, wanted, self) for _ in range(CONNECTIONS)]
        for keeper in self.keepers:
            keeper.start()

    def add(self, n, data):
        self.got[n] = data
        if len(self.got) == self.count:
            self.seconds = time.monotonic() - self.begun
            self.whole.set()

    def wait(self):
        """Until all of it is there; whether it is what the hosts have."""
        return self.whole.wait(LIMIT) and \
            self.got == {n: body(n) for n in range(self.count)}

    def again(self):
        return sum(k.again for k in self.keepers)

    def close(self):
        for keeper in self.keepers:
            keeper.join(LIMIT)
        for keeper in self.keepers:
            keeper.http.close()


def main():
    """page.py PORT SESSION_PORT HOST...: loads the page, and prints what make bench reads."""
    port, session, hosts = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    with socket.create_connection((hosts[0], session), LIMIT) as s:
        s.sendall(b"a")
        page = Page(hosts, port)
        if s.recv(1) != b"a" or not page.wait():
            sys.exit("page.py: %d of %d objects, %s" % (
                len(page.got), page.count, {k.error for k in page.keepers}))
        s.sendall(b"b")
        if s.recv(1) != b"b":
            sys.exit("page.py: the session has ended")
    print(json.dumps({"test": "page", "page_seconds": page.seconds, "page_again": page.again(),
                      "page_objects_bytes": page.count * SIZE}), flush=True)


if __name__ == "__main__":
    main()
