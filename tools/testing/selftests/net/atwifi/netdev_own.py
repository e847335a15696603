#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
The network devices of modules that this guest emulates: two in one network
namespace, modules that lie, and a name server at its port.
"""

import contextlib
import os
import socket
import socketserver
import struct
import sys
import threading

from atwnet import HOST, PEER, TMP, local_peer, main, pattern
from guest import DEV, Module, becomes, check, counter, receive, run, same, sysfs, test


@contextlib.contextmanager
def module(*options, dev=DEV, join=True):
    where = "%s/%s" % (TMP, dev)
    os.makedirs(where, exist_ok=True)
    m = Module(where, options, dev=dev)
    try:
        if join:
            m.configure()
        yield m
    finally:
        m.detach()
        m.stop()


def by(dev, port, line):
    """A connection to the peer from this port, over that device and no other."""
    s = socket.socket()
    s.settimeout(120)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, dev.encode())
    s.bind((sysfs("address", dev), port))
    s.connect((HOST, PEER))
    s.sendall(line.encode() + b"\n")
    return s


@test
def two_of_the_same_address():
    """Equal addresses and ports on both sides, over two networks: nothing is mixed up."""
    names = ("tcp_flows", "tcp_resets", "tcp_aborts")
    with local_peer(), module(), module(dev="atw1"):
        same(sysfs("address"), sysfs("address", "atw1"), "addresses")
        for first, second in ((DEV, "atw1"), ("atw1", DEV)):
            before = {dev: [counter(name, dev) for name in names] for dev in (DEV, "atw1")}
            one = by(first, 41000, "duplex 100000 3")
            two = by(second, 41000, "duplex 100000 5")
            for s, seed in ((one, 3), (two, 5)):
                s.sendall(pattern(seed + 1, 100000))
            for s, seed in ((two, 5), (one, 3)):
                check(receive(s, 100000) == pattern(seed, 100000), "the bytes differ")
                same(b"ok 100000\n", receive(s, 10), "what was sent")
                s.close()
            becomes(lambda: not counter("flows_tcp", DEV) + counter("flows_tcp", "atw1"),
                    "flows are left")
            for dev in (DEV, "atw1"):
                same([before[dev][0] + 1] + before[dev][1:],
                     [counter(name, dev) for name in names], "counters of " + dev)


# A name server: what it is asked for, of that many bytes.


def answer(query, size):
    end = query.index(b"\0", 12) + 5
    head = query[:2] + b"\x85\x80" + struct.pack("!HHHH", 1, 1, 0, 0) + query[12:end]
    left = size - len(head) - 12
    text = b"".join(bytes([n]) + b"v" * n for n in [255] * (left // 256) + [left % 256 - 1])
    return head + b"\xc0\x0c\0\x10\0\1\0\0\0\x3c" + struct.pack("!H", len(text)) + text


def asked_for(query):
    return int(query[13:13 + query[12]])


class ByUdp(socketserver.BaseRequestHandler):
    def handle(self):
        query, s = self.request
        s.sendto(answer(query, asked_for(query)), self.client_address)


class ByTcp(socketserver.StreamRequestHandler):
    def handle(self):
        size = self.rfile.read(2)
        query = self.rfile.read(int.from_bytes(size, "big"))
        reply = answer(query, asked_for(query))
        self.wfile.write(len(reply).to_bytes(2, "big") + reply)


@contextlib.contextmanager
def name_server():
    with socketserver.UDPServer(("127.0.0.1", 53), ByUdp) as udp, \
         socketserver.TCPServer(("127.0.0.1", 53), ByTcp) as tcp:
        servers = (udp, tcp)
        for server in servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            for server in servers:
                server.shutdown()


@test
def long_answers_of_name_servers():
    """One that may have been cut says so, and the client asks by TCP."""
    with name_server(), module():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(120)
            s.connect((HOST, 53))
            for size in (600, 1023, 1024, 1025, 1100, 1232, 1400, 4000):
                name = b"%d" % size
                query = struct.pack("!HHHHHH", size, 0x100, 1, 0, 0, 0) + \
                    bytes([len(name)]) + name + b"\4test\0\0\x10\0\1"
                want = answer(query, size)
                same(size, len(want), "length of the server's answer")
                if size >= 1024:
                    want = query[:2] + b"\x87\x80" + b"\0\1" + bytes(6) + query[12:]
                before = counter("dns_truncated"), counter("udp_maybe_cut")
                s.send(query)
                same(want, s.recv(5000), "answer of %d bytes" % size)
                same((before[0] + (size >= 1024), before[1]),
                     (counter("dns_truncated"), counter("udp_maybe_cut")), "counters")
        for size in (600, 1024, 1232):
            out = run("dig +tries=1 +time=60 +bufsize=1232 %d.test TXT @%s" % (size, HOST))
            check("ANSWER: 1" in out, out)
            same(size >= 1024, "(TCP)" in out or "retrying in TCP" in out, "asked by TCP: " + out)


@test
def hardware_address():
    """It is the module's, if that is one, though the module has not joined."""
    def address():
        with open("/sys/class/net/%s/address" % DEV, encoding="ascii") as f:
            return f.read().strip()

    # As long as it has not joined this may be all that tells.
    with module("--no-autojoin", "--without", "AT+WJAP", "--mac", "7c:b9:4c:12:34:56", join=False):
        same("7c:b9:4c:12:34:56", address(), "address of the device")
        same("7c:b9:4c:12:34:56", sysfs("mac"), "as the module tells it")
    for lie in ("01:00:5e:00:00:01", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"):
        with module("--mac", lie):
            same(0, int(address()[:2], 16) & 1, "first byte of " + address())
            check(lie != address(), "it is believed: " + lie)
            same("00:00:00:00:00:00", sysfs("mac"), "what is told of " + lie)


if __name__ == "__main__":
    sys.exit(main())
