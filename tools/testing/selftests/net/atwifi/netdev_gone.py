#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
The network device that comes and goes, in a guest that attaches an emulated module
of its own; and so does the driver.
"""

import errno
import itertools
import os
import socket
import sys

import goresolver
from atwnet import HOST, PEER, TMP, daemon, lan, local_peer, main, peer, udp
from guest import DEV, Failed, Module, becomes, check, echoes, receive, run, same, sysfs, test


class Here(Module):
    """A module that reaches this guest's servers."""

    def __init__(self):
        super().__init__(TMP)

    def attach(self):
        super().attach()
        self.configure()


def ended(s):
    """A stream ends with an error, whatever comes before that."""
    try:
        while s.recv(65536):
            pass
        got = "in order"
    except OSError as e:
        got = errno.errorcode.get(e.errno)
    same("ECONNRESET", got, "a stream ended")


@test
def unplugged():
    """The module goes away while programs use it, in several ways; and comes back."""
    with local_peer():
        module = Here()
        for i in range(int(os.environ.get("ATW_CYCLES", "10"))):
            idle, busy, question = peer("echo"), peer("source 100000000 3 1000 10"), udp()
            echoes(idle)
            question.send(b"x")
            same(b"x", question.recv(10), "datagram")
            receive(busy, 10000)
            connecting = socket.socket()
            connecting.setblocking(False)
            connecting.connect_ex((HOST, PEER))
            if i % 2:
                module.detach()
            else:
                module.stop()
            for s in (idle, busy):
                ended(s)
            if not i % 2:
                module.detach()
            becomes(lambda: not os.path.exists("/sys/class/net/" + DEV), "the device stays")
            for s in (idle, busy, question, connecting):
                s.close()
            if i % 2:
                module.attach()
            else:
                module = Here()
        with peer("echo") as s:
            echoes(s)
        module.stop()
        module.detach()


@test
def driver_loaded_again():
    """Under a name server, which goes on with each, whatever number of netlink's it has."""
    lib, number = os.environ["ATW_LIB"], itertools.count(1)
    with open("/sys/module/atwifi/parameters/hurry", encoding="ascii") as f:
        hurry = f.read()

    def is_answered():
        name = "192.0.2.%d" % next(number)
        answer = goresolver.exchange("127.0.0.57", goresolver.question(name, goresolver.A))
        same(0 if answer.sections[0] else 2, answer.code, "code")
        return answer.data(goresolver.A) == [socket.inet_aton(name)]

    run("ip link set lo up")
    with daemon(["env", "LD_LIBRARY_PATH=" + lib, lib + "/atwifid"]):
        becomes(lambda: not socket.socket().connect_ex(("127.0.0.57", 53)), "nobody listens")
        for _ in range(2):
            becomes(lambda: not run("rmmod atwifi 2>&1; true"), "the driver stays")
            check(not is_answered(), "it is answered by nobody")
            run("insmod /atwifi.ko hurry=" + hurry)
            module = Here()
            becomes(is_answered, "it is not answered")
            module.stop()
            module.detach()


def reached(address, ports, inside=""):
    """The ports of an address where somebody accepts."""
    code = ("import socket; print([p for p in range(%d, %d) if not "
            "socket.socket().connect_ex((\"%s\", p))])" % (*ports, address))
    return run("%s /usr/bin/python3 -c '%s'" % (inside, code)).strip()


def listener(ports):
    """On one of the ports; one of them is taken."""
    for port in range(*ports):
        try:
            return socket.create_server(("", port))
        except OSError as e:
            same(errno.EADDRINUSE, e.errno, "bind")
    raise Failed("all ports are taken")


@test
def nobody_reaches_the_listener():
    """The sockets behind the device are for its own packets alone."""
    ports = (41000, 41016)
    run("sysctl -qw net.ipv4.ip_local_port_range='%d %d'" % (ports[0], ports[1] - 1))
    module = Here()
    try:
        run("sysctl -qw net.ipv4.ip_local_port_range='42000 60000'")
        own = sysfs("address")
        with lan(), local_peer(), peer("echo") as s:
            inside = "ip netns exec lan"
            for address in ("10.9.0.1", own):
                same("[]", reached(address, ports, inside), "from the LAN, at " + address)
                same("[]", reached(address, ports), "from here, at " + address)
            same("", run("ss -tlnH not src 127.0.0.1"), "listeners")
            # It would be seen if there was one.
            with listener(ports) as other:
                same("[%d]" % other.getsockname()[1], reached("10.9.0.1", ports, inside),
                     "another listener")
            echoes(s)
    finally:
        module.stop()
        module.detach()


def inside():
    """What in_a_namespace() has done in there."""
    with local_peer():
        module = Here()
        try:
            with peer("echo") as s:
                echoes(s)
                outside = "nsenter -t 1 -m -n "
                check("does not exist" in run(outside + "ip link show %s 2>&1 || :" % DEV),
                      "the device is outside too")
                # The namespace has no name any more, but no end yet.
                run(outside + "ip netns del inside")
                echoes(s)
                module.detach()
                ended(s)
        finally:
            module.stop()
            module.detach()


@test
def in_a_namespace():
    """A module that is attached in a namespace belongs to it, and keeps it."""
    run("ip netns add inside; ip -n inside link set lo up")
    run("ip netns exec inside %s inside" % os.path.abspath(__file__))


if __name__ == "__main__":
    if sys.argv[1:] == ["inside"]:
        inside()
    else:
        sys.exit(main())
