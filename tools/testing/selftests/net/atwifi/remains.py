#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
What is left of passwords in the memory of the machine, which the runner looks through, and
where they could be read while they are used. Environment as for netdev.py; the runner hears of
a secret at standard output and answers at standard input.
"""

import contextlib
import errno
import fcntl
import json
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys

from atwnet import (TMP, Family, Nl80211, atwctl, daemon, extra, join, main, not_found, sim,
                    sim_stat)
from guest import DEV, LIMIT, Skipped, becomes, check, run, same, sysfs, test

# As digits, as are all of them: else this program would have them in its own memory.
SSID, PASSWORD = b"kept", "4920616d206b65707420736563726574"
WRONG = "4920616d206e6f74207468617420616e"
# What programs make of the first.
KEY = "b2c103f4a414bc95d29ac4df8efc4200651da7f295b0f60fb531af18dccfc63d"
# It is the ninth, see "run".
BSSID = bytes.fromhex("14de390686ec")
# The attributes of the driver's family.
JOIN_SSID, JOIN_PASSWORD = 2, 3
ASKED_COOKIE, ASKED_PASSPHRASE = 2, 4
TRACING = "/sys/kernel/tracing"
TIOCVHANGUP = 0x5437


def in_memory(secret):
    """How often the machine's memory has it, but as the module itself tells it."""
    # Not all kernels keep the word that tells the directory, but each its first program.
    with open("/proc/cmdline", encoding="ascii") as f:
        where = re.search(r"=(\S*/atwifi-vm\.[^/\s]+)", f.read()).group(1)
    print("@memory %s %s" % (where, secret), flush=True)
    return int(sys.stdin.readline())


def tell(family, command, attributes, password, end=b"\0"):
    """Has the driver do what needs a password, its last attribute."""
    size, room = len(password) // 2, len(password) // 2 + len(end)
    *others, (kind, _) = attributes
    message = family.message(command, [family.device, *others, (kind, bytes(room))])
    begin = len(message) - (room + 3) // 4 * 4
    for i in range(size):
        message[begin + i] = int(password[2 * i:2 * i + 2], 16)
    family.socket.send(message)
    for i in range(size):
        message[begin + i] = 0


def ask(family, *told):
    """The same, until it has; what comes of it, an errno."""
    tell(family, *told)
    try:
        family.result()
    except OSError as e:
        return e.errno
    return 0


def ask_to_join(family, password, command="join"):
    return ask(family, command, [(JOIN_SSID, SSID), (JOIN_PASSWORD, b"")], password)


def is_refused(family):
    """Not all firmware tells that it is for the password: does this?"""
    err = ask_to_join(family, WRONG)
    check(err in (errno.EKEYREJECTED, errno.ENETDOWN), "it is not refused")
    return err == errno.EKEYREJECTED


@contextlib.contextmanager
def a_join_that_goes_on():
    """What waits for its begin; it has an end with the block."""
    joins = sim_stat("joins")
    sim("join-time 600000")
    try:
        yield lambda: becomes(lambda: sim_stat("joins") > joins, "it is not told to join")
    finally:
        sim("join-time 250")


def still_waits(does):
    if not does:
        raise Skipped("the driver has given up before all memory was seen")


def leave(family):
    family.ask("leave", [family.device])
    becomes(lambda: sysfs("state") == "down", "it is still in its network")


@contextlib.contextmanager
def elsewhere():
    try:
        with contextlib.closing(Family()) as family:
            yield family
    finally:
        join("atsim", "12345678")


@test
def of_a_network():
    """As long as the driver may have to join it again, and no longer."""
    with elsewhere() as family:
        same(0, ask_to_join(family, PASSWORD), "join")
        becomes(lambda: sysfs("state") == "joined", "not joined")
        check(in_memory(PASSWORD), "it is not found where it must be")
        leave(family)
        same(0, in_memory(PASSWORD), "in memory after it was left")
        same(0, ask_to_join(family, PASSWORD), "join")
        becomes(lambda: sysfs("state") == "joined", "not joined")
        join("atsim", "12345678")
        same(0, in_memory(PASSWORD), "in memory after another one was joined")


@test
def of_a_refused_join():
    with elsewhere() as family:
        is_refused(family)
        same(0, in_memory(WRONG), "in memory")


@test
def of_an_access_point():
    """It is the module's alone."""
    with elsewhere() as family:
        same(0, ask_to_join(family, PASSWORD, "ap-set"), "access point")
        same(0, in_memory(PASSWORD), "in memory")
        atwctl("--off ap")


@contextlib.contextmanager
def joins_by_key():
    """A program has it join, and knows no more than the key."""
    path = TMP + "/key.conf"
    with open(path, "w", encoding="ascii") as f:
        f.write('network={\nssid="%s"\npsk=%s\n}\n' % (SSID.decode(), KEY))
    with daemon([*extra("wpa_supplicant").split(), "-D", "nl80211", "-i", DEV, "-c", path]):
        yield


@test
def of_a_key():
    """What is found for a program is not kept while the module is in the network, either."""
    run("ip link set %s up" % DEV)
    with elsewhere() as family, contextlib.closing(Family()) as listener:
        leave(family)
        listener.ask("passphrase-listen", [])
        with joins_by_key():
            asked = listener.attributes(listener.socket.recv(65536)[listener.HEADER:])
            same(0, ask(listener, "passphrase", [(ASKED_COOKIE, asked[ASKED_COOKIE]),
                                                 (ASKED_PASSPHRASE, b"")], PASSWORD, b""),
                 "the passphrase")
            becomes(lambda: sysfs("state") == "joined", "not joined")
            same(0, in_memory(PASSWORD), "in memory")


@test
def of_a_join_that_waits():
    """Until the module is found; what is taken back before that is not kept for it."""
    run("ip link set %s up" % DEV)
    with elsewhere() as family:
        leave(family)
        with not_found(), contextlib.closing(Nl80211(DEV)) as program:
            same(0, ask(program, "connect", [(program.SSID, SSID), (program.PASSWORD, b"")],
                        PASSWORD, b""), "join")
            program.ask("disconnect", [program.device])
            same(0, in_memory(PASSWORD), "in memory")


@test
def of_a_join_by_access_point():
    """Some firmware is told of that behind the password, without quotes."""
    run("ip link set %s up" % DEV)
    with elsewhere() as family, contextlib.closing(Nl80211(DEV)) as program:
        leave(family)
        same(0, ask(program, "connect", [(program.SSID, SSID), (program.MAC, BSSID),
                                         (program.PASSWORD, b"")], PASSWORD, b""), "join")
        becomes(lambda: sysfs("state") == "joined", "not joined")
        same(0, in_memory(PASSWORD), "in memory")


class Ear:
    """Who hears all that some families of generic netlink tell everybody, and of links."""

    def __init__(self, *names):
        self.sockets = []
        for name in names:
            with contextlib.closing(Family()) as family:
                family.family = 0x10
                found = family.attributes(
                    family.ask("getfamily", [(2, name + b"\0")])[family.HEADER:])
            groups = [struct.unpack("I", family.attributes(group)[2])[0]
                      for group in family.attributes(found[7]).values()]
            self.add(16, groups)
        # Links: RTNLGRP_LINK.
        self.add(0, [1])

    def add(self, protocol, groups):
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
        s.bind((0, 0))
        for group in groups:
            s.setsockopt(270, 1, group)
        self.sockets.append(s)

    def heard(self):
        """Of each socket, what it was told."""
        said = []
        for s in self.sockets:
            data = b""
            with contextlib.suppress(BlockingIOError):
                while True:
                    data += s.recv(65536)
            s.close()
            said.append(data)
        return said


def read(*paths):
    """All files in and below these, as far as they can be read."""
    out = b""
    for path in paths:
        for where, _, files in os.walk(path):
            for name in files:
                with contextlib.suppress(OSError):
                    fd = os.open(os.path.join(where, name), os.O_RDONLY | os.O_NONBLOCK)
                    try:
                        out += os.read(fd, 1 << 20)
                    finally:
                        os.close(fd)
    return out


def put(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def no_secret(where, text, mark):
    """It is not there, where the mark is: so it would be seen."""
    check(mark in text, "%s: nothing is found there" % where)
    for secret in (PASSWORD, WRONG):
        check(bytes.fromhex(secret) not in text, "a password is told: " + where)
        check(secret.encode() not in text, "a password is told in digits: " + where)


@test
def told_to_nobody():
    """Nor is it to be read anywhere while the module is told it and tells it."""
    mark = b"this was put there"
    run("ip link set %s up" % DEV)
    run("mount -t tracefs tracefs %s; mount -t debugfs debugfs /sys/kernel/debug" % TRACING,
        good=False)
    put(TRACING + "/events/atwifi/enable", "1")
    ear = Ear(b"atwifi", b"nl80211")
    try:
        with elsewhere() as family:
            put("/dev/kmsg", mark.decode())
            put("/sys/class/net/%s/ifalias" % DEV, mark.decode())
            if is_refused(family):
                no_secret("its refusal", family.last, b"the network refuses")
            same(0, ask_to_join(family, PASSWORD), "join")
            becomes(lambda: sysfs("state") == "joined", "not joined")
            same(0, ask_to_join(family, PASSWORD, "ap-set"), "access point")
            # It is asked what it is in, which it tells with the password.
            told = "".join(atwctl(what) for what in ("status", "ap", "show", "sockets"))
            no_secret("what atwctl shows", told.encode(), SSID)
            # What it does not show may be in there, too.
            for what, shows in (("dev-get", b"atw0"), ("wifi-get", SSID), ("ap-get", SSID)):
                no_secret("the answer to " + what,
                          family.ask(what, [family.device]), shows)
            shown = run("%s dev %s info; %s dev %s link; %s dev %s station dump; "
                        "%s phy; ip -d link" % ((extra("iw"), DEV) * 3 + (extra("iw"),)))
            no_secret("what iw shows", shown.encode(), SSID)
            no_secret("sysfs", read("/sys/class/net/%s/" % DEV, "/sys/class/atwifi/%s/" % DEV,
                                    "/sys/module/atwifi", "/sys/class/ieee80211/"), mark)
            # There is a directory of the radio, if not one file in it.
            check(os.listdir("/sys/kernel/debug/ieee80211"), "no debugfs")
            no_secret("debugfs", read("/sys/kernel/debug/ieee80211",
                                      "/sys/kernel/debug/atwifi"), b"")
            no_secret("/proc", read("/proc/net", "/proc/tty", "/proc/sys/net"), b"atw0")
            atwctl("--off ap")
            leave(family)
        put(TRACING + "/events/atwifi/enable", "0")
        no_secret("traces", read_file(TRACING + "/trace"), b"AT+WJAP")
        no_secret("the log", run("dmesg").encode(), mark)
    finally:
        put("/sys/class/net/%s/ifalias" % DEV, "\n")
        heard = ear.heard()
    # The driver's events tell the device, those of nl80211 the access point.
    for where, text, seen in zip(("events of the driver", "events of nl80211", "links"), heard,
                                 (DEV.encode(), bytes.fromhex("14de390686"), mark)):
        no_secret(where, text, seen)


def killed(process, core):
    """Ends it as a fault in it would; its core, b"" without one."""
    resource.prlimit(process.pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
    path = "%s.%d" % (core, process.pid)
    process.send_signal(signal.SIGSEGV)
    process.wait(LIMIT)
    if not os.path.exists(path):
        return b""
    with open(path, "rb") as f:
        data = f.read()
    os.unlink(path)
    return data


@contextlib.contextmanager
def cores():
    """A program that is not careful leaves one; where they begin, for killed()."""
    core, mark = TMP + "/core", "this is in a core"
    with open("/proc/sys/kernel/core_pattern", encoding="ascii") as f:
        pattern = f.read()
    put("/proc/sys/kernel/core_pattern", core + ".%p")
    try:
        with subprocess.Popen(["sh", "-c", "echo; read line; : " + mark], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as careless:
            careless.stdout.read(1)
            if mark.encode() not in killed(careless, core):
                raise Skipped("this kernel writes no cores")
        yield core
    finally:
        put("/proc/sys/kernel/core_pattern", pattern)


@test
def of_the_agent():
    """What it has read is in no core of it, nor in what it says, which is the journal's."""
    path, log = "/etc/atwifi/passwords", TMP + "/agent.log"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(SSID + b" " + bytes.fromhex(WRONG) + b"\n")
    try:
        with cores() as core, elsewhere() as family, open(log, "wb") as out:
            leave(family)
            with subprocess.Popen([os.environ["ATW_LIB"] + "/atwifi-agent"], stdout=out,
                                  stderr=out) as agent, joins_by_key():
                # It has told what it knows of this network, and that was not it.
                becomes(lambda: SSID in read_file(log), "it is not asked")
                check(not killed(agent, core), "it leaves a core")
        no_secret("what the agent says", read_file(log), SSID)
    finally:
        os.unlink(path)


@test
def of_atwctl():
    """In no core of it while it waits; and nowhere but in the file when it has ended."""
    path, secret = TMP + "/password", bytearray(len(PASSWORD) // 2)
    for i in range(len(secret)):
        secret[i] = int(PASSWORD[2 * i:2 * i + 2], 16)
    with open(path, "wb", buffering=0) as f:
        f.write(secret)
    secret[:] = bytes(len(secret))
    command = [os.environ["ATW_CTL"], "-p", path, "join", SSID]
    try:
        with elsewhere() as family:
            before = in_memory(PASSWORD)
            check(before, "it is not found where it must be")
            same(0, subprocess.run(command, check=False).returncode, "status of the join")
            leave(family)
            same(before, in_memory(PASSWORD), "times in memory")
            with a_join_that_goes_on() as begun, cores() as core, \
                 subprocess.Popen(command) as process:
                begun()
                check(not killed(process, core), "it leaves a core")
            leave(family)
            with a_join_that_goes_on() as begun:
                tell(family, "join", [(JOIN_SSID, SSID), (JOIN_PASSWORD, b"")], PASSWORD)
                begun()
                least = in_memory(PASSWORD)
                still_waits(not select.select([family.socket], [], [], 0)[0])
            with contextlib.suppress(OSError):
                family.result()
            leave(family)
            with a_join_that_goes_on() as begun, subprocess.Popen(command) as process:
                begun()
                found = in_memory(PASSWORD)
                still = process.poll() is None
                process.kill()
                still_waits(still)
                # The driver has it, and it is in the file.
                same(least, found, "times in memory while it waits")
    finally:
        os.unlink(path)


@test
def of_a_device_that_goes():
    """The last of the tests: with it the guest's own goes, and who attached another one ends."""
    found = json.loads(atwctl("list"))[0]
    tty = os.open("/dev/" + found["port"], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    with contextlib.closing(Family()) as family:
        same(0, ask_to_join(family, PASSWORD), "join")
        becomes(lambda: sysfs("state") == "joined", "not joined")
        check(in_memory(PASSWORD), "it is not found where it must be")
        fcntl.ioctl(tty, TIOCVHANGUP)
        os.close(tty)
        becomes(lambda: not os.path.exists("/sys/class/atwifi/" + DEV), "it is there yet")
        same(0, in_memory(PASSWORD), "in memory")
    with daemon([os.environ["ATW_CTL"], "attach", "/dev/" + found["port"], str(found["baud"])]):
        becomes(lambda: os.path.exists("/sys/class/atwifi/" + DEV) and
                sysfs("state") == "joined", "not found again")
        join("atsim", "12345678")


def read_file(path):
    with open(path, "rb") as f:
        return f.read()


if __name__ == "__main__":
    sys.exit(main())
