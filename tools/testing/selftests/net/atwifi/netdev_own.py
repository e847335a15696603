#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
The network devices of modules that this guest emulates: two in one network
namespace.
"""

import contextlib
import os
import socket
import sys

from atwnet import HOST, PEER, TMP, local_peer, main, pattern
from guest import DEV, Module, becomes, check, counter, receive, same, sysfs, test


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


if __name__ == "__main__":
    sys.exit(main())
