#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
The device as programs for Wi-Fi see it: they look for networks, join one, watch and leave
it. Environment as for netdev.py.
"""

import contextlib
import os
import re
import subprocess
import sys

from atwnet import TMP, extra, join, main, sim
from guest import DEV, Module, becomes, check, run, same, sysfs, test

# Networks that the emulated module finds, see "run"; the first is what it has stored.
STORED, STORED_AT, PASSWORD = "atsim", "14:de:39:06:86:e4", "12345678"
OPEN, OPEN_AT = "open", "02:00:00:00:00:02"


def iw(command, dev=DEV, good=True):
    return run("%s dev %s %s" % (extra("iw"), dev, command), good=good)


def link(dev=DEV):
    """The name and the access point of the network that it is said to be in."""
    out = iw("link", dev)
    found = re.search(r"Connected to (\S+)[^\n]*\n\tSSID: ([^\n]*)", out)
    return (found.group(2), found.group(1)) if found else None


def in_network(ssid, bssid):
    becomes(lambda: link() == (ssid, bssid), "not in %s" % ssid)


@contextlib.contextmanager
def watched():
    """A file with what iw event says meanwhile."""
    path = TMP + "/events"
    with open(path, "w+", encoding="utf-8") as out:
        with subprocess.Popen(["sh", "-c", "exec %s event -t" % extra("iw")], stdout=out) as watch:
            # It says nothing until something happens: that it listens is seen by its socket.
            becomes(lambda: listens(watch.pid), "iw does not listen")
            try:
                yield out
            finally:
                watch.kill()


def listens(pid):
    """Has this process joined groups of generic netlink?"""
    with open("/proc/net/netlink", encoding="ascii") as f:
        rows = [line.split() for line in f][1:]
    # The library's port is the process and the number of its socket.
    return any(int(row[1]) == 16 and int(row[2]) & 0x3fffff == pid and int(row[3], 16)
               for row in rows)


def said(out, words):
    def seen():
        with open(out.name, encoding="utf-8") as f:
            return words in f.read()
    becomes(seen, "iw event does not say " + words)


@contextlib.contextmanager
def out_of_networks():
    """It has left what it had joined by itself; and joins that again."""
    iw("disconnect")
    becomes(lambda: sysfs("state") == "down", "it is still in its network")
    try:
        yield
    finally:
        iw("disconnect", good=False)
        join(STORED, PASSWORD)
        in_network(STORED, STORED_AT)


@test
def shows_what_it_joined_by_itself():
    run("ip link set %s up" % DEV)
    in_network(STORED, STORED_AT)
    out = iw("info")
    check("type managed" in out and "ssid " + STORED in out, out)
    becomes(lambda: re.search(r"signal:\s+-\d+ dBm", iw("station dump")), "no signal")
    check("Station " + STORED_AT in iw("station dump"), "the station")


@test
def finds_networks():
    out = iw("scan")
    for ssid in (STORED, OPEN, 'comma, "quote" \\x5c'):
        check("SSID: %s\n" % ssid in out, out)
    opens = [bss for bss in out.split("BSS ")[1:] if "SSID: %s\n" % OPEN in bss]
    check(len(opens) == 1 and opens[0].startswith(OPEN_AT) and "Privacy" not in opens[0], out)
    stored = [bss for bss in out.split("BSS ")[1:] if "SSID: %s\n" % STORED in bss]
    check("Authentication suites: PSK SAE" in stored[0] and "associated" in stored[0], out)
    check("SSID: hides" not in out, out)
    check("SSID: hides\n" in iw("scan ssid hides"), "the one that hides")


@test
def joins_and_leaves():
    with out_of_networks(), watched() as events:
        iw("connect " + OPEN)
        in_network(OPEN, OPEN_AT)
        said(events, "connected to " + OPEN_AT)
        becomes(lambda: sysfs("state") == "joined", "no address")
        iw("disconnect")
        becomes(lambda: link() is None and sysfs("state") == "down", "still in it")
        said(events, "disconnected")
        out = iw("connect -w nowhere", good=False)
        check("failed" in out, out)


@test
def goes_down_and_up():
    """A network that it has joined by itself stays; one that was asked for does not."""
    run("ip link set %s down" % DEV)
    same("joined", sysfs("state"), "state")
    run("ip link set %s up" % DEV)
    in_network(STORED, STORED_AT)
    with out_of_networks():
        iw("connect " + OPEN)
        in_network(OPEN, OPEN_AT)
        run("ip link set %s down" % DEV)
        becomes(lambda: sysfs("state") == "down", "still in it")
        run("ip link set %s up" % DEV)


@test
def the_network_is_lost():
    with watched() as events:
        sim("link down")
        said(events, "disconnected")
        becomes(lambda: link() is None, "it is in no network")
        sim("link up")
        in_network(STORED, STORED_AT)


@test
def the_module_restarts():
    with watched() as events:
        sim("reset")
        said(events, "disconnected")
        in_network(STORED, STORED_AT)


@test
def goes_away():
    """While it looks for networks, and while it joins one: nothing is left, nothing said."""
    for command in ("scan trigger", "connect " + OPEN):
        where = TMP + "/other"
        os.makedirs(where, exist_ok=True)
        module = Module(where, ("--ap", "atsim:12345678", "--ap", OPEN + ":"), dev="atw1")
        try:
            module.configure()
            becomes(lambda: link("atw1"), "not in a network")
            if "connect" in command:
                iw("disconnect", "atw1")
            iw(command, "atw1")
        finally:
            module.detach()
            module.stop()
    check("atw1" not in iw("info atw1", good=False), "it is still there")


if __name__ == "__main__":
    sys.exit(main())
