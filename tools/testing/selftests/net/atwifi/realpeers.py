# SPDX-License-Identifier: GPL-2.0-only
"""
Peers that nobody here has written: openssl, nginx, nc and socat on this machine's
loopback. A test has them started and asks what they have received, by lines on a
port of ours:

  begin KIND [PORT]   start one; a client connects to PORT. Answers "ok ID PORT"
  end ID              wait for its end: "ok STATUS SUM ERROR": of what it has received,
                      and the number of openssl's verification, 0 for none
  sum NAME            "ok SUM" of a file
  keepalive PORT      "ok N": so many connections to PORT have its timer
"""

import hashlib
import os
import random
import re
import socketserver
import subprocess
import threading

from common import end
from servers import LIMIT, begin, free_port, sockets, wait_for
from tlspeer import NAME

FILES = {"big": 1 << 18, "small": 700}

NGINX = """\
daemon off;
master_process off;
pid {where}/nginx.pid;
error_log {where}/nginx.log;
events {{ }}
http {{
	access_log off;
	client_body_temp_path {where}/body;
	proxy_temp_path {where}/proxy;
	fastcgi_temp_path {where}/fastcgi;
	uwsgi_temp_path {where}/uwsgi;
	scgi_temp_path {where}/scgi;
	client_max_body_size 4m;
	ssl_certificate {certs}/good.pem;
	ssl_certificate_key {certs}/good.key;
	server {{
		listen 127.0.0.1:{http};
		listen 127.0.0.1:{https} ssl;
		root {where};
		dav_methods PUT;
	}}
}}
"""


def s_server(certificate, *more):
    return ["openssl", "s_server", "-accept", "127.0.0.1:{port}", "-naccept", "1", "-quiet",
            "-cert", "{certs}/%s.pem" % certificate, "-key", "{certs}/%s.key" % certificate,
            *more]


# What connects to the module's server: it has a certificate, and looks at the server's.
S_CLIENT = ["openssl", "s_client", "-connect", "127.0.0.1:{port}", "-quiet", "-nocommands",
            "-verify_return_error", "-CAfile", "{certs}/ca.pem", "-verify_hostname", NAME,
            "-cert", "{certs}/good.pem", "-key", "{certs}/good.key"]

# A program, what it reads ("": nothing, ever), the protocol that it listens at.
KINDS = {
    "nc-send": (["nc", "-l", "-N", "127.0.0.1", "{port}"], "big", "tcp"),
    "nc-receive": (["nc", "-l", "-d", "127.0.0.1", "{port}"], "", "tcp"),
    "nc-udp": (["nc", "-u", "-l", "-d", "-W", "20", "127.0.0.1", "{port}"], "", "udp"),
    "nc-dial-send": (["nc", "-N", "127.0.0.1", "{port}"], "big", None),
    "nc-dial-receive": (["nc", "-d", "127.0.0.1", "{port}"], "", None),
    "nc-dial-udp": (["nc", "-u", "-W", "1", "127.0.0.1", "{port}"], "small", None),
    "socat-send": (["socat", "-u", "STDIN", "TCP4-LISTEN:{port},bind=127.0.0.1,reuseaddr"], "big",
                   "tcp"),
    "socat-receive": (["socat", "-u", "TCP4-LISTEN:{port},bind=127.0.0.1,reuseaddr", "STDOUT"], "",
                      "tcp"),
    "socat-echo": (["socat", "TCP4-LISTEN:{port},bind=127.0.0.1,reuseaddr", "PIPE"], "", "tcp"),
    "socat-udp-echo": (["socat", "-T", "120", "UDP4-LISTEN:{port},bind=127.0.0.1", "PIPE"], "",
                       "udp"),
    "socat-dial-send": (["socat", "-u", "STDIN", "TCP4:127.0.0.1:{port}"], "big", None),
    "socat-dial-receive": (["socat", "-u", "TCP4:127.0.0.1:{port}", "STDOUT"], "", None),
    "socat-dial-udp": (["socat", "-u", "-b", "1000", "STDIN", "UDP4:127.0.0.1:{port}"], "small",
                       None),
    "openssl-send": (s_server("good", "-WWW"), "", "tcp"),
    "openssl-receive": (s_server("good"), "", "tcp"),
    "openssl-expired": (s_server("expired"), "", "tcp"),
    "openssl-wrong": (s_server("wrong"), "", "tcp"),
    "openssl-self": (s_server("self"), "", "tcp"),
    "openssl-dial-send": (S_CLIENT, "big", None),
    "openssl-dial-receive": (S_CLIENT, "", None),
}


class RealPeers:
    """They, and their files, in a directory that has the certificates."""

    def __init__(self, stack, where):
        self.where = where
        self.begun = []
        for name, size in FILES.items():
            with open(os.path.join(where, name), "wb") as f:
                f.write(random.randbytes(size))
        self.http, self.https = free_port(), free_port()
        conf = os.path.join(where, "nginx.conf")
        with open(conf, "w", encoding="ascii") as f:
            f.write(NGINX.format(where=where, certs=where, http=self.http, https=self.https))
        begin(stack, "/usr/sbin/nginx", "-p", where, "-c", conf)
        wait_for("tcp", self.http)
        peers = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    words = self.rfile.readline().decode().split()
                    answer = "ok " + getattr(peers, "do_" + words[0])(*words[1:])
                except (OSError, ValueError, LookupError, AttributeError, TypeError) as e:
                    answer = "error %r" % e
                self.wfile.write((answer + "\n").encode())

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        stack.callback(self.end)

    def env(self):
        return {"ATW_REAL": self.server.server_address[1], "ATW_NGINX": self.http,
                "ATW_NGINX_TLS": self.https}

    def path(self, name):
        return os.path.join(self.where, os.path.basename(name))

    def do_sum(self, name):
        with open(self.path(name), "rb") as f:
            return hashlib.sha256(f.read()).hexdigest()

    @staticmethod
    def do_keepalive(port):
        return str(sum("timer:(keepalive" in line for line in sockets(
            "--tcp", "state", "established", "dst", "127.0.0.1:" + port)))

    def do_begin(self, kind, port=None):
        argv, reads, protocol = KINDS[kind]
        port = int(port or free_port(protocol))
        ident = len(self.begun)
        with open(self.path("said-%d" % ident), "wb") as said, \
             open(self.path("log-%d" % ident), "wb") as log:
            process = subprocess.Popen(
                [a.format(port=port, certs=self.where) for a in argv], stdout=said, stderr=log,
                cwd=self.where, stdin=open(self.path(reads), "rb") if reads else subprocess.PIPE)
        self.begun.append(process)
        if protocol:
            wait_for(protocol, port)
        return "%d %d" % (ident, port)

    def do_end(self, ident):
        process = self.begun[int(ident)]
        try:
            status = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            status = "time-out"
        with open(self.path("log-" + ident), encoding="utf-8", errors="replace") as log:
            error = re.search(r"verify error:num=(\d+)", log.read())
        return "%s %s %s" % (status, self.do_sum("said-" + ident), error[1] if error else 0)

    def end(self):
        self.server.shutdown()
        for process in self.begun:
            end(process)
