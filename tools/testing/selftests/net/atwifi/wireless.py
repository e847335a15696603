#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
The device as programs for Wi-Fi see it: they look for networks, join one, watch and leave
it. Environment as for netdev.py.
"""

import contextlib
import errno
import functools
import glob
import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

from atwnet import (FILES, HOLE, HTTP, LIBC, QUICK, TMP, Family, Nl80211, atw_socket, atwctl, bus,
                    daemon, extra, held, install, join, main, newer, not_found, on_bus, peer,
                    quiet, restart, sim, sim_stat, tell, udp)
from guest import (DEV, LIMIT, Module, Skipped, becomes, carrier, check, digest, echoes, run, same,
                   statistic, sysfs, test)

# Networks that the emulated module finds, see "run"; the first is what it has stored.
STORED, STORED_AT, PASSWORD = "atsim", "14:de:39:06:86:e4", "12345678"
OPEN, OPEN_AT, OPEN_TOO = "open", "02:00:00:00:00:02", "02:00:00:00:00:06"
WPA3, WPA3_AT = "wpa3", "02:00:00:00:00:07"
OLDER, OLDER_AT = "older", "02:00:00:00:00:08"
HIDDEN, HIDDEN_AT = "hides", "02:00:00:00:00:04"
UNREAD, UNREAD_AT, UNREAD_PASSWORD = "unread", "02:00:00:00:00:05", "1234,5678"


# The programs of Debian 13, with all that they need, in place of the machine's; or "".
OTHERS = os.environ["ATW_PROGRAMS_13"] if "ATW_13" in os.environ else ""
WORLD = "/world"


@functools.cache
def world():
    """The directory in which those have what else there is."""
    if not OTHERS:
        raise Skipped("the target 'programs-13' of vm/setup could not be prepared")
    run("mkdir -p {0} && mount -t tmpfs none {0} && cd {0} && "
        "ln -s usr/bin usr/sbin usr/lib usr/lib64 . && mkdir usr && mount --bind {1}/usr usr && "
        "for d in proc sys dev run tmp etc var; do mkdir $d && mount --rbind /$d $d; done".format(
            WORLD, OTHERS))
    return WORLD


def theirs(command):
    """The command for a program that a user has, who may have the other Debian."""
    return "chroot %s %s" % (world(), command) if "ATW_13" in os.environ else command


def mine(program):
    """The same of one that need not be installed for that."""
    return theirs(program) if "ATW_13" in os.environ else extra(program)


def iw_command(command, dev=DEV):
    return "%s dev %s %s" % (extra("iw"), dev, command)


def iw(command, dev=DEV, good=True):
    return run(iw_command(command, dev), good=good)


def link(dev=DEV):
    """The name and the access point of the network that it is said to be in."""
    out = iw("link", dev)
    found = re.search(r"Connected to (\S+)[^\n]*\n\tSSID: ([^\n]*)", out)
    return (found.group(2), found.group(1)) if found else None


def in_network(ssid, bssid, limit=LIMIT):
    becomes(lambda: link() == (ssid, bssid), "not in %s" % ssid, limit)


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
    """
    Has this process joined its groups of generic netlink? What is joined is the fourth; while it
    asks for those after that it drops what it is told, and does not sleep.
    """
    with open("/proc/net/netlink", encoding="ascii") as f:
        rows = [line.split() for line in f][1:]
    # The library's port is the process and the number of its socket.
    if not any(int(row[1]) == 16 and int(row[2]) & 0x3fffff == pid and
               bin(int(row[3], 16)).count("1") >= 4 for row in rows):
        return False
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        return f.read().rsplit(")", 1)[1].split()[0] == "S"


def said(out, *words):
    """One of these."""
    def seen():
        with open(out.name, encoding="utf-8") as f:
            text = f.read()
        return any(w in text for w in words)
    becomes(seen, "iw event does not say " + words[0])


@contextlib.contextmanager
def log_tells(words):
    """The kernel's log does so once more meanwhile."""
    before = run("dmesg").count(words)
    yield
    becomes(lambda: run("dmesg").count(words) > before, "the log does not tell: " + words)


@contextlib.contextmanager
def nothing_is_stored():
    """The module writes nothing of networks to its flash meanwhile."""
    before = sim_stat("wifi-writes")
    yield
    same(before, sim_stat("wifi-writes"), "writes to flash")


def is_out():
    becomes(lambda: link() is None and sysfs("state") == "down", "still in it")


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
    for command in ("link", "station dump"):
        becomes(lambda command=command: re.search(r"signal:\s+-50 dBm", iw(command)), "no signal")
        out = iw(command)
        check(STORED_AT in out, out)
        # No firmware tells that.
        check("bitrate" not in out, out)


@test
def finds_networks():
    out = iw("scan")
    for ssid in (STORED, OPEN, 'comma, "quote" \\x5c'):
        check("SSID: %s\n" % ssid in out, out)
    opens = [bss for bss in out.split("BSS ")[1:] if "SSID: %s\n" % OPEN in bss]
    same({OPEN_AT, OPEN_TOO}, {bss[:len(OPEN_AT)] for bss in opens}, "access points")
    check("Privacy" not in "".join(opens), out)
    stored = [bss for bss in out.split("BSS ")[1:] if "SSID: %s\n" % STORED in bss]
    check("Authentication suites: PSK SAE" in stored[0] and "associated" in stored[0], out)
    check("SSID: hides" not in out, out)
    # On a channel that the device may not have; and not by what is remembered.
    unread = [bss for bss in out.split("BSS ")[1:] if "SSID: %s\n" % UNREAD in bss]
    same(5180 if os.environ["ATW_PROFILE"] == "bw16" else 2412,
         int(re.search(r"\tfreq: (\d+)", unread[0]).group(1)), "frequency")
    check("SSID: hides\n" in iw("scan flush ssid hides"), "the one that hides")
    out = iw("scan flush")
    check("SSID: %s\n" % OPEN in out, out)


# Whatever the module or its list may say, and any bytes; with ends of lines no row can be read.
UNKIND = (b"OK", b"ERROR", b"ready", b"+EVENT:WIFI_DISCONNECT", b"Unknown cmd:AT+WSCAN",
          b"+WSCAN:index SSID,CH,SECURITY", b"1 x,6,Open,-50,02:00:00:00:00:00", b"51 ,6,Open,-50",
          b'a,"b",', b"\\x41", b" ", b"  both ", b",", bytes(range(14, 46)), b"\1\t\x1b[31m\x7f",
          "\u00e4\u4e16\U0001f600".encode(), bytes(range(224, 256)), b"\xc3", b"twice", b"twice")


def shown(ssid):
    """As iw prints it."""
    return "".join(chr(c) if 0x20 < c < 0x7f and c != 0x5c or c == 0x20 and 0 < n < len(ssid) - 1
                   else "\\x%02x" % c for n, c in enumerate(ssid))


@test
def finds_fifty():
    """As many as a module tells of; each of them once, when they are found again, too."""
    options, want = ["--no-autojoin"], []
    for n, ssid in enumerate((*UNKIND, *(b"net %d" % n for n in range(len(UNKIND), 50)))):
        bssid, channel, signal_ = "02:00:00:00:00:%02x" % n, n % 13 + 1, -30 - n
        options += ["--ap", "".join("\\x%02x" % c for c in ssid) + ":secret99",
                    "--ap-info", "%s,WPA2 AES,%d,%d" % (bssid, channel, signal_)]
        want.append((bssid, str(2407 + 5 * channel), str(signal_), shown(ssid)))
    with Module(TMP + "/other", options, dev="atw1"):
        becomes(lambda: sysfs("state", "atw1") == "down", "it is not found")
        run("ip link set atw1 up")
        for _ in range(2):
            found = re.findall(r"^BSS (\S+)\(on .*?\tfreq: (\d+).*?\tsignal: (-\d+).*?"
                               r"\tSSID: ([^\n]*)\n", iw("scan", "atw1"), re.M | re.S)
            same(50, len(found), "access points")
            same(set(), set(want) ^ set(found), "what is there, or is found, alone")


@test
def looks_while_a_stream_is_open():
    """The module must not; that is known at once, and programs listen only a little later."""
    with peer("echo") as s:
        echoes(s)
        out = iw("scan ssid nowhere")
        check("SSID: %s\n" % STORED in out, out)
        echoes(s)


@test
def looks_while_it_starts():
    """Who does is not told that there is nothing because the module is just set up."""
    with watched() as events:
        sim("reset")
        # Not by "iw scan": what it is told while it reads the list may be too much for its 8 KiB.
        iw("scan trigger flush ssid hides")
        if os.environ["ATW_PROFILE"] == "bw16":
            # Where a module does not say that it has started, what it was told meanwhile is lost.
            said(events, "scan aborted")
            iw("scan trigger flush ssid hides")
        said(events, "scan finished")
        out = iw("scan dump")
        check("SSID: hides\n" in out, out)
        in_network(STORED, STORED_AT)


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
        check("timed out" in out, out)


@test
def has_no_time_to_leave():
    """It is told again."""
    def answers():
        return "found" in run(os.environ["ATW_CTL"] + " status >/dev/null 2>&1 && echo found",
                              good=False)

    if QUICK:
        raise Skipped("it waits for as long as a module may be busy")
    with out_of_networks():
        iw("connect " + OPEN)
        in_network(OPEN, OPEN_AT)
        becomes(lambda: sysfs("state") == "joined", "no address")
        leaves = sim_stat("leaves")
        sim("fault busy,rate=1")
        try:
            iw("disconnect")
            # What is asked after that has not been done before.
            check(not answers(), "it had time")
            same(leaves, sim_stat("leaves"), "times that it has left")
        finally:
            sim("clear")
        becomes(lambda: link() is None and sysfs("state") == "down", "still in it")
        same(leaves + 1, sim_stat("leaves"), "times that it has left")
        # It was looked for meanwhile: what was to be done then is done once it answers this.
        becomes(answers, "not found again")


@test
def joins_by_access_point():
    with out_of_networks():
        iw("connect %s %s" % (OPEN, OPEN_TOO))
        in_network(OPEN, OPEN_TOO)
        iw("disconnect")
        # Another time it is any of them.
        iw("connect " + OPEN)
        in_network(OPEN, OPEN_AT)
        iw("disconnect")
        out = iw("connect -w %s 02:00:00:00:00:99" % OPEN, good=False)
        check("timed out" in out, out)


@test
def goes_from_one_access_point_to_another():
    """By itself, as far as programs can see; and when the one that it was in is gone."""
    try:
        with out_of_networks():
            for goes in (lambda: sim("ap-signal %s -90" % OPEN_AT),
                         lambda: atwctl("at AT+WJAP=%s,,%s" % (OPEN, OPEN_TOO))):
                iw("connect " + OPEN)
                in_network(OPEN, OPEN_AT)
                becomes(lambda: sysfs("state") == "joined", "no address")
                becomes(lambda: re.search(r"signal:\s+-60 dBm", iw("station dump")), "no signal")
                with watched() as events:
                    goes()
                    in_network(OPEN, OPEN_TOO)
                    said(events, "roamed")
                    check("disconnected" not in run("cat " + events.name), "it was out meanwhile")
                # That of the first is not taken for the second's.
                out = iw("station dump")
                check(OPEN_TOO in out and "-60 dBm" not in out, out)
                becomes(lambda: re.search(r"signal:\s+-70 dBm", iw("station dump")), "no signal")
                iw("disconnect")
                is_out()
                sim("sound")
            iw("connect " + OPEN)
            in_network(OPEN, OPEN_AT)
            with watched() as events:
                sim("ap-gone " + OPEN_AT)
                said(events, "disconnected")
                in_network(OPEN, OPEN_TOO)
    finally:
        sim("sound")


@contextlib.contextmanager
def answers_joins(order):
    """The module says OK 0: when it is in, 1: when it has an address, 2: at once."""
    sim("quirk join-order=%d" % order)
    # Of one that goes on trying this is when its state does not tell that it has failed.
    sim("join-time 1")
    try:
        yield
    finally:
        sim("join-time 250")
        sim("quirk join-order=%d" % (os.environ["ATW_PROFILE"] in ("bw16", "bw20")))


@test
def joins_in_each_order():
    """
    Of the module's answer and of its events. Who has joined is in, and the device has no
    carrier until there is an address.
    """
    with out_of_networks():
        for order in (0, 1, 2):
            sim("dhcp off")
            try:
                with answers_joins(order), watched() as events:
                    iw("connect " + OPEN)
                    # It was taken for the one that is still known of those of this name.
                    said(events, "connected to ")
                    in_network(OPEN, OPEN_AT)
                    same("down", sysfs("state"), "state")
                    becomes(lambda: not carrier(), "a carrier without an address")
            finally:
                sim("dhcp on")
            becomes(lambda: sysfs("state") == "joined" and carrier(), "no address")
            in_network(OPEN, OPEN_AT)
            iw("disconnect")
            becomes(lambda: link() is None and sysfs("state") == "down", "still in it")
            with answers_joins(order):
                join(OPEN, "")
                in_network(OPEN, OPEN_AT)
            atwctl("leave")
            becomes(lambda: link() is None and sysfs("state") == "down", "still in it")


@test
def joins_without_an_address():
    """By atwctl, which says so when it has waited; the module stays in, and gets one later."""
    if QUICK:
        raise Skipped("it waits for half a minute")
    with out_of_networks(), answers_joins(0):
        sim("dhcp off")
        try:
            out = run("echo | %s -p - join %s 2>&1" % (os.environ["ATW_CTL"], OPEN), good=False)
            check("joined, but the network has given it no address yet" in out, out)
            in_network(OPEN, OPEN_AT)
        finally:
            sim("dhcp on")
        becomes(lambda: sysfs("state") == "joined", "no address")


@test
def joins_what_was_flushed():
    """Its access point is forgotten meanwhile: a scan empties the list, and does not find it."""
    with out_of_networks(), answers_joins(0):
        iw("scan")
        # What the module has found last is this alone.
        check("SSID: %s\n" % OPEN in iw("scan ssid hides"), "not found")
        joins = sim_stat("joins")
        sim("join-time 600000")
        with watched() as events:
            iw("connect " + OPEN)
            becomes(lambda: sim_stat("joins") > joins, "it is not told to join")
            check("SSID: %s\n" % OPEN not in iw("scan flush"), "it is still known")
            sim("join-time 1")
            said(events, "connected to " + OPEN_AT)
            in_network(OPEN, OPEN_AT)


@test
def joins_by_any_name():
    """That firmware can be told; what it cannot is refused, in words that name the byte."""
    names = ["Caf\u00e9", "a, b", '"a" \\b']
    refused = [("a\x1bb", "the control character 0x1b in a name"),
               ("\x7f", "the control character 0x7f in a name")]
    if os.environ["ATW_PROFILE"] == "bw20":
        refused.append((names.pop(), "this backslash in a name"))
    with out_of_networks():
        for name in names:
            sim("ap %s:" % name.replace("\\", "\\\\"))
            iw("connect " + shlex.quote(name))
            becomes(lambda name=name: (link() or [""])[0] == shown(name.encode()),
                    "not in " + name)
            iw("disconnect")
            is_out()
        joins = sim_stat("joins")
        for name, why in refused:
            for command in ("connect %s 2>&1", "scan ssid %s 2>&1"):
                with log_tells("cannot be told of " + why):
                    out = iw(command % shlex.quote(name), good=False)
                    check("(-%d)" % errno.EINVAL in out, out)
        # What cannot be typed.
        with contextlib.closing(Nl80211(DEV)) as program:
            for name, secret, why in (
                    (b"a\0b", (), "cannot be told of a NUL in a name"),
                    (b"open", ((program.PASSWORD, b"pass\0word"),),
                     "cannot be told of a NUL in a password"),
                    (b"open", ((program.PASSWORD, b"0" * 64),),
                     "a password has 63 bytes at most; 64 are its key")):
                with log_tells(why):
                    same(errno.EINVAL, program.say(
                        ("connect", (program.SSID, name), *secret)), why)
        same(joins, sim_stat("joins"), "joins")


@test
def joins_too_late():
    """What has said OK, and joins when nobody waits for it any more, is left."""
    if QUICK:
        raise Skipped("it waits for as long as programs have patience")
    with out_of_networks(), answers_joins(2):
        sim("join-time 600000")
        with watched() as events:
            iw("connect " + OPEN)
            said(events, "failed to connect")
        sim("join-time 1")
        # It takes longer than what is left of a join.
        atwctl("scan")
        same((None, "down"), (link(), sysfs("state")), "network and state")


@test
def radio():
    """Its bands and its country, which may be others when it has started again."""
    phy = "%s phy phy%s info" % (extra("iw"), re.search(r"wiphy (\d+)", iw("info")).group(1))

    def is_dual():
        return " 5180" in run(phy + " | grep -v disabled")

    def country():
        own = run(extra("iw") + " reg get").split("phy#")[1]
        return re.search(r"country (\S\S):", own).group(1)

    same("00", country(), "country")
    for setting, name in (("4", "US"), ("0", "00")):
        atwctl("at AT+WCOUNTRY=" + setting)
        restart()
        becomes(lambda name=name: country() == name, "the country is not " + name)
    # There is no command for it, so it is not said to be off either.
    for command in ("set power_save on", "set power_save off", "get power_save"):
        check("(-95)" in run(iw_command(command) + " 2>&1", good=False), command)
    # Nor is it anybody's to take to another network namespace.
    run("ip netns add other")
    try:
        check("(-95)" in run(phy.replace("info", "set netns name other 2>&1"), good=False),
              "it is elsewhere")
    finally:
        run("ip netns del other")
    mine = os.environ["ATW_PROFILE"]
    for profile in ("bw16", "classic", mine):
        # Until that is seen it is in its network as before, and nobody could leave that.
        restart("profile " + profile)
        becomes(lambda profile=profile: is_dual() == (profile == "bw16"), "bands of " + profile)
    in_network(STORED, STORED_AT)


def stat_of(control, name):
    return int(re.search(r" %s=(\d+) " % name, tell(control, "stats")).group(1))


@contextlib.contextmanager
def another():
    """One more module, in its network; the control socket of its emulator."""
    control = TMP + "/other/control"
    with Module(TMP + "/other", ("--control", control, "--ap", "atsim:12345678",
                                 "--ap", OPEN + ":"), dev="atw1"):
        becomes(lambda: sysfs("state", "atw1") == "joined", "it does not join")
        run("ip link set atw1 up")
        becomes(lambda: link("atw1"), "not in a network")
        yield control


def rfkill(blocked, dev=DEV):
    with open(glob.glob("/sys/class/net/%s/phy80211/rfkill*/soft" % dev)[0], "w",
              encoding="ascii") as f:
        f.write(str(int(blocked)))


@test
def is_blocked():
    """By rfkill: the device is down, and out of what a program has joined."""
    with out_of_networks():
        iw("connect " + OPEN)
        in_network(OPEN, OPEN_AT)
        rfkill(True)
        try:
            becomes(lambda: sysfs("state") == "down", "still in it")
            check("RF-kill" in run("ip link set %s up 2>&1" % DEV, good=False), "it can be up")
            check("wrong  %s radio: blocked by rfkill - rfkill unblock wlan\n" % DEV in run(
                "%s doctor" % os.environ["ATW_CTL"], good=False), "nobody says why")
        finally:
            rfkill(False)
        run("ip link set %s up" % DEV)
        iw("connect " + OPEN)
        in_network(OPEN, OPEN_AT)


@test
def is_blocked_while_it_is_down():
    """That is known before the module says anything, or is given up."""
    def told(words):
        return run("dmesg").count("the radio is %s by rfkill" % words)

    run("ip link set %s down" % DEV)
    before, leaves = (told("blocked"), told("not blocked")), sim_stat("leaves")
    with held():
        s, address = atw_socket(HOLE)
        with s:
            s.setblocking(False)
            LIBC.connect(s.fileno(), address, len(address))
            becomes(lambda: sim_stat("connecting"), "it does not connect")
            for blocked, words, n in ((True, "blocked", before[0]),
                                      (False, "not blocked", before[1])):
                rfkill(blocked)
                becomes(lambda words=words, n=n: told(words) > n, "nobody says: " + words)
            check(sim_stat("connecting"), "the module has said something meanwhile")
            same("joined", sysfs("state"), "state")
    # What it was to do while it was blocked is done by then, or is not to be done any more.
    atwctl("status")
    same(leaves, sim_stat("leaves"), "times that it was told to leave")
    run("ip link set %s up" % DEV)
    in_network(STORED, STORED_AT)


@test
def is_blocked_by_itself():
    """Also where the network is its own; in which it is again then. Nothing of that is stored."""
    def is_out_by(action, *args):
        """It is told so, and again after some seconds in which it has not done it."""
        before = stat_of(control, "leaves")
        action(*args)
        becomes(lambda: stat_of(control, "leaves") > before and
                sysfs("state", "atw1") == "down", "still in it")

    with another() as control:
        writes = stat_of(control, "wifi-writes")
        is_out_by(rfkill, True, "atw1")
        is_out_by(tell, control, "reset")
        joins = stat_of(control, "joins")
        check("blocked" in run("echo 12345678 | %s -d atw1 -p - join atsim 2>&1" %
                               os.environ["ATW_CTL"], good=False), "it can be joined")
        same(joins, stat_of(control, "joins"), "joins")
        # Nor does it send anything else, by whatever way it is told to.
        for what in ("scan", "at AT+WSCAN", "at AT+WJAP=atsim,12345678", "at AT+WMODE=3",
                     "at AT+WAP=other,12345678,6"):
            check("blocked" in run("%s -d atw1 %s 2>&1" % (os.environ["ATW_CTL"], what),
                                   good=False), "though it is blocked: " + what)
        rfkill(False, "atw1")
        run("ip link set atw1 up")
        becomes(lambda: link("atw1") and sysfs("state", "atw1") == "joined", "it is out")
        same(writes, stat_of(control, "wifi-writes"), "writes to flash")


@test
def stays_in_though_it_is_blocked():
    """A module that says that it leaves, and does not, is told again at times, and no more."""
    with another() as control:
        tell(control, "quirk wdisconnect=1")
        tell(control, "quirk keeps-network=1")
        begun = time.monotonic()
        rfkill(True, "atw1")
        becomes(lambda: stat_of(control, "leaves"), "it is not told to leave")
        # Each of them may have its turn between two times that it is told.
        for _ in range(40):
            atwctl("-d atw1 at AT")
        # Each 5 s, and once for each of the two that find it in its network.
        leaves, longest = stat_of(control, "leaves"), 3 + (time.monotonic() - begun) / 5
        check(leaves <= longest, "told %d times to leave" % leaves)
        tell(control, "quirk keeps-network=0")
        becomes(lambda: sysfs("state", "atw1") == "down", "still in it")


@test
def the_machine_falls_asleep():
    """Whoever watches is told that the network is gone; a join that goes on has failed."""
    delay, mode = "/sys/module/suspend/parameters/pm_test_delay", "/sys/power/pm_test"
    if not os.path.exists(mode):
        raise Skipped("needs CONFIG_PM_SLEEP_DEBUG")
    sleep = "echo 1 >%s 2>/dev/null; echo devices >%s && echo freeze >/sys/power/state; " \
        "echo none >%s" % (delay, mode, mode)
    with out_of_networks():
        iw("connect " + OPEN)
        in_network(OPEN, OPEN_AT)
        with watched() as events:
            run(sleep)
            said(events, "disconnected")
        # Of one that is in a network again this is to be told: what is not cannot be left.
        becomes(lambda: link() or sysfs("state") == "down", "not found again")
        iw("disconnect", good=False)
        becomes(lambda: sysfs("state") == "down", "still in a network")
        joins = sim_stat("joins")
        sim("join-time 600000")
        try:
            with watched() as events:
                iw("connect " + OPEN)
                becomes(lambda: sim_stat("joins") > joins, "it is not told to join")
                run(sleep)
                said(events, "failed to connect")
            # Nor does one outlast it that waits until the module is found again.
            with watched() as events:
                iw("connect " + OPEN)
                run(sleep)
                said(events, "failed to connect", "timed out")
        finally:
            sim("join-time 250")
        becomes(lambda: sysfs("state") in ("joined", "down"), "not found again")


@test
def others_go_on():
    """A module that joins or looks for networks does nothing else; other modules do."""
    with another() as control, peer("echo") as s:
        iw("scan trigger", "atw1")
        for _ in range(20):
            echoes(s, b"x" * 1000)
        becomes(lambda: OPEN in iw("scan dump", "atw1"), "not found")
        iw("disconnect", "atw1")
        tell(control, "join-time 600000")
        iw("connect " + OPEN, "atw1")
        becomes(lambda: stat_of(control, "joins") == 1, "it is not told to join")
        for _ in range(20):
            echoes(s, b"x" * 1000)
        check(link("atw1") is None, "it has joined")
        tell(control, "join-time 1")
        becomes(lambda: link("atw1"), "it does not join")


def longest_silence(command):
    """In milliseconds, of a datagram's way to the peer and back while a command runs."""
    longest = n = 0
    with udp() as s:
        s.send(b"first")
        s.recv(64)
        with subprocess.Popen(command, shell=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None:
                n += 1
                start = time.monotonic()
                s.send(b"%d" % n)
                same(b"%d" % n, s.recv(64), "datagram")
                longest = max(longest, time.monotonic() - start)
    return longest * 1000


@test
def what_commands_stop():
    """Datagrams wait meanwhile, and none is lost; the figures are for who reads them."""
    ctl = os.environ["ATW_CTL"]
    quick = longest_silence("sleep 1")
    for what, command in (("a scan", ctl + " scan"), ("a scan by iw", iw_command("scan flush")),
                          ("the signal", iw_command("station dump")),
                          ("a name", ctl + " resolve nowhere.test"),
                          ("a connect", "curl -m 30 http://" + HOLE),
                          ("an echo request", "ping -c 1 -W 5 " + HOLE)):
        print("# %s stops datagrams for %.0f ms, else it is %.0f" % (
            what, longest_silence(command), quick), flush=True)


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
def a_join_that_takes_too_long():
    """Once that is told nobody wants it any more: the module is told to leave it."""
    with another() as control, watched() as events:
        iw("disconnect", "atw1")
        becomes(lambda: sysfs("state", "atw1") == "down", "still in it")
        tell(control, "join-time 600000")
        iw("connect " + OPEN, "atw1")
        said(events, "failed to connect")
        before = stat_of(control, "leaves")
        tell(control, "join-time 1")
        becomes(lambda: stat_of(control, "leaves") > before, "it is not told to leave")
        becomes(lambda: sysfs("state", "atw1") == "down", "still in it")


@contextlib.contextmanager
def begun_twice(*attributes, pause=0):
    """
    A join that is given up for another one of the same network, in one breath or after a PAUSE;
    the emulator's control socket, and the program that has asked for that.
    """
    with another() as control, contextlib.closing(Nl80211("atw1")) as program:
        iw("disconnect", "atw1")
        becomes(lambda: sysfs("state", "atw1") == "down", "still in it")
        connect = ("connect", (program.SSID, OPEN.encode()), *attributes)
        before = stat_of(control, "joins")
        tell(control, "join-time 600000")
        same(0, program.say(connect), "the first")
        becomes(lambda: stat_of(control, "joins") > before, "it is not told to join")
        if pause:
            begin = time.monotonic()
            same(0, program.say(("disconnect",)), "the end of the first")
            time.sleep(pause)
            same(0, program.say(connect), "the second")
            if time.monotonic() - begin > .4:
                raise Skipped("the machine stood still, and the end of the first was told")
        else:
            same(0, program.say(("disconnect",), connect), "the second")
        yield control, program


def is_left(control, action):
    """By this the join ends; the module is told to be out of what it joins yet."""
    before = stat_of(control, "leaves")
    action()
    tell(control, "join-time 1")
    becomes(lambda: stat_of(control, "leaves") > before, "it is not told to leave")
    becomes(lambda: sysfs("state", "atw1") == "down", "still in it")


@test
def a_join_that_follows_another():
    """The end of the first is nobody's any more: of the second it is told, and it can be left."""
    for pause in (0, 0.1):
        with watched() as events, begun_twice(pause=pause) as (control, _):
            check("ssid " + OPEN in iw("info", "atw1"), "its name is lost")
            is_left(control, lambda control=control: iw("disconnect", "atw1"))
            said(events, "failed to connect")
            same(1, run("cat " + events.name).count("failed to connect"), "times that one failed")
    with begun_twice() as (control, _):
        is_left(control, lambda: run("ip link set atw1 down"))


@test
def a_join_that_follows_another_of_its_owner():
    """It ends with him, as any of his."""
    with begun_twice((Nl80211.OWNER, b"")) as (control, program):
        is_left(control, program.close)


@test
def a_join_that_another_ends():
    """One that comes to nothing; nor does the module go on with the first then."""
    with out_of_networks(), contextlib.closing(Nl80211(DEV)) as programs:
        joins, leaves = sim_stat("joins"), sim_stat("leaves")
        sim("join-time 600000")
        try:
            iw("connect " + OPEN)
            becomes(lambda: sim_stat("joins") > joins, "it is not told to join")
            same(errno.EOPNOTSUPP, programs.say(
                ("connect", (programs.SSID, OPEN.encode()), (programs.PRIVACY, b""))),
                "by a key of WEP")
            sim("join-time 1")
            becomes(lambda: sim_stat("leaves") > leaves, "it is not told to leave")
            becomes(lambda: link() is None and sysfs("state") == "down", "still in it")
        finally:
            sim("join-time 250")


@test
def joins_while_it_starts():
    """
    Who asks for that is not told that it has failed because the module is just set up, nor is
    what that joins by itself meanwhile taken for it.
    """
    if os.environ["ATW_PROFILE"] == "bw16":
        raise Skipped("it does not say that it has started: what it is told meanwhile is lost")
    try:
        with contextlib.closing(Nl80211(DEV)) as program:
            # One that restarts more often is left alone for a while.
            for _ in range(3):
                becomes(link, "in no network")
                with watched() as events:
                    sim("reset")
                    said(events, "disconnected")
                    before = len(run("cat " + events.name))
                    err = program.say(("connect", (program.SSID, OPEN.encode())))
                    # It may have been found, and be in its network, by then.
                    if err == errno.EALREADY:
                        continue
                    same(0, err, "join")
                    in_network(OPEN, OPEN_AT)
                    becomes(lambda: sysfs("state") == "joined", "no address")
                    in_network(OPEN, OPEN_AT)
                    told = run("cat " + events.name)[before:]
                    check(not any(words in told for words in (
                        "failed", "timed out", "disconnected")), told)
                    return
        raise Skipped("it was in its network again each time before it was told to join")
    finally:
        iw("disconnect", good=False)
        join(STORED, PASSWORD)
        in_network(STORED, STORED_AT)


@test
def a_join_that_waits():
    """For a module that is looked for: it is told in time that it has failed, or taken back."""
    connect = ("connect", (Nl80211.SSID, OPEN.encode()))

    def is_over(how):
        becomes(lambda: "ssid" not in iw("info"), "it goes on after " + how)

    with out_of_networks(), contextlib.closing(Nl80211(DEV)) as program:
        joins = sim_stat("joins")
        with not_found():
            check("timed out" in iw("connect -w " + OPEN, good=False), "it is told otherwise")
            with watched() as events:
                same(0, program.say(connect, ("disconnect",)), "it is taken back")
                said(events, "failed to connect")
            is_over("it was taken back")
            same(0, program.say(connect), "join")
            rfkill(True)
            is_over("its radio was blocked")
            rfkill(False)
            run("ip link set %s up" % DEV)
            with contextlib.closing(Nl80211(DEV)) as owner:
                same(0, owner.say((*connect, (owner.OWNER, b""))), "join of a program's own")
            is_over("its owner has ended")
        # What was to be done when it is found is done by then.
        atwctl("status")
        same((None, "down"), (link(), sysfs("state")), "network and state")
        same(joins, sim_stat("joins"), "joins")


@test
def is_out_soon_after_it_has_joined():
    """Whyever it is: it is not said to be in, and can join at once."""
    def restarts():
        before = statistic("bringups")
        sim("reset")
        becomes(lambda: statistic("bringups") > before, "it is not found again")

    with out_of_networks():
        for is_out in (restarts, lambda: atwctl("leave")):
            iw("connect " + OPEN)
            in_network(OPEN, OPEN_AT)
            becomes(lambda: sysfs("state") == "joined", "no address")
            with watched() as events:
                is_out()
                # Of this it is told later.
                iw("scan trigger")
                said(events, "scan finished")
                told = run("cat " + events.name).split("scan finished")[0]
            check("disconnected" in told, "it is said to be in: " + told)
            iw("connect -w " + OPEN)
            iw("disconnect")
            becomes(lambda: link() is None and sysfs("state") == "down", "still in it")


@contextlib.contextmanager
def network_lost():
    """The access point is gone meanwhile, and that has been told."""
    with watched() as events:
        # That it had restarted may have been told just before, and not that it is back.
        becomes(link, "in no network")
        sim("link down")
        try:
            said(events, "disconnected")
            yield
        finally:
            sim("link up")


@test
def the_network_is_lost():
    with network_lost():
        becomes(lambda: link() is None, "it is in no network")
    in_network(STORED, STORED_AT)


def loses_it(noticed, again):
    """
    The access point goes and comes back, a few times. Who manages the network is in it again
    after each; how long that took is for who reads it.
    """
    for _ in range(1 if QUICK else 5):
        with network_lost():
            noticed()
        start = time.monotonic()
        again()
        print("# in it %.1f s after it was back" % (time.monotonic() - start), flush=True)


@test
def who_has_joined_it_is_gone():
    """The module alone joins again what iw has joined, and that can be left like any."""
    with out_of_networks():
        iw("connect -w " + OPEN)
        loses_it(lambda: None, lambda: in_network(OPEN, OPEN_AT))
        iw("disconnect")
        becomes(lambda: link() is None and sysfs("state") == "down", "still in it")


@test
def the_log_tells_why_it_is_out():
    """Of what somebody has joined by atwctl: whoever looks finds what is to be done."""
    if QUICK:
        raise Skipped("it waits until the driver has tried twice")
    not_found = "cannot join the network again (access point not found)"
    refused = "refuses its password: tell it again by atwctl join"
    join(STORED, PASSWORD)
    in_network(STORED, STORED_AT)
    # Tests before may have made it say so.
    before = run("dmesg")
    sim("link down")
    try:
        becomes(lambda: run("dmesg").count(not_found) > before.count(not_found),
                "the log does not tell that it is not found")
        sim("ap-password %s:another1" % STORED)
    finally:
        sim("link up")
    try:
        if os.environ["ATW_PROFILE"] == "middleware":
            becomes(lambda: run("dmesg").count(refused) > before.count(refused),
                    "the log does not tell that it is refused")
    finally:
        sim("ap-password %s:%s" % (STORED, PASSWORD))
    join(STORED, PASSWORD)
    in_network(STORED, STORED_AT)


@test
def little_is_stored():
    """At most one write to the module's flash for each change of network."""
    def writes(command, n):
        before = sim_stat("wifi-writes")
        command()
        same(before + n, sim_stat("wifi-writes"), "writes to flash of " + command.__name__)

    def joins():
        join(STORED, PASSWORD)

    def starts():
        restart()
        in_network(STORED, STORED_AT)

    def loses_it():
        with network_lost():
            pass
        in_network(STORED, STORED_AT)

    def is_refused():
        for ssid, password, order in ((STORED, "87654321", 0), (STORED, "87654321", 2),
                                      ("nowhere", PASSWORD, 2)):
            with answers_joins(order):
                same("", run("echo %s | %s -p - join %s && echo in" % (
                    password, os.environ["ATW_CTL"], ssid), good=False), "joined " + ssid)

    def comes_back():
        # What it was told before is joined again, as nothing else was.
        in_network(STORED, STORED_AT)
        becomes(lambda: sysfs("state") == "joined", "no address")

    def leaves():
        iw("disconnect")
        becomes(lambda: sysfs("state") == "down", "still in it")

    def program_joins():
        for _ in range(2):
            iw("connect -w " + OPEN)
            in_network(OPEN, OPEN_AT)
            leaves()

    for command, n in ((joins, 1), (starts, 0), (loses_it, 0), (is_refused, 0), (comes_back, 0),
                       (leaves, 1), (program_joins, 0), (joins, 1)):
        writes(command, n)


@test
def the_module_restarts():
    with watched() as events:
        sim("reset")
        said(events, "disconnected")
        in_network(STORED, STORED_AT)


class Listener(Family):
    """Who knows passphrases."""

    COOKIE, SSID, PASSPHRASE = 2, 3, 4

    def __init__(self, listens=True):
        super().__init__()
        if listens:
            self.listen()

    def listen(self):
        self.ask("passphrase-listen", [])

    def asked(self):
        """Waits for the question; its cookie, and the network."""
        found = self.attributes(self.socket.recv(65536)[20:])
        same(DEV.encode() + b"\0", found[self.DEV], "device")
        check(self.PASSPHRASE not in found, "it tells a key")
        return found[self.COOKIE], found[self.SSID]

    def answer(self, cookie, *passphrases):
        """The errno of what becomes of it, or 0."""
        try:
            self.ask("passphrase", [self.device, (self.COOKIE, cookie),
                                    *((self.PASSPHRASE, p) for p in passphrases)])
        except OSError as e:
            return e.errno
        return 0


@contextlib.contextmanager
def wpa_supplicant(network, program=None):
    """It, as it is, with a file of one network; a function that waits until it has said words."""
    path, log = TMP + "/wpa.conf", TMP + "/wpa.log"
    with open(path, "w", encoding="ascii") as f:
        f.write("network={\n%s\n}\n" % network)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(log)
    command = "%s -D nl80211 -i %s -c %s -f %s" % (
        program or mine("wpa_supplicant"), DEV, path, log)

    def says(words):
        becomes(lambda: re.search(words, run("cat " + log, good=False)),
                "wpa_supplicant does not say: " + words)

    with subprocess.Popen(command, shell=True, start_new_session=True,
                          stdout=subprocess.DEVNULL) as process:
        try:
            yield says
        finally:
            os.killpg(process.pid, signal.SIGTERM)


@test
def wpa_supplicant_joins():
    def joined():
        in_network(OPEN, OPEN_AT)
        becomes(lambda: sysfs("state") == "joined", "no address")

    network = 'ssid="%s"\nkey_mgmt=NONE' % OPEN
    with out_of_networks():
        with wpa_supplicant(network):
            joined()
            loses_it(lambda: None, joined)
            with watched() as events:
                sim("reset")
                said(events, "disconnected")
                joined()
        is_out()
        with wpa_supplicant(network + "\nbssid=" + OPEN_TOO):
            in_network(OPEN, OPEN_TOO)


@test
def wpa_supplicant_is_told():
    """By its client, and writes that down: so the key's passphrase is found in its file."""
    with open(TMP + "/wpa.conf", "w", encoding="ascii") as f:
        f.write("ctrl_interface=%s/wpa\nupdate_config=1\n" % TMP)
    cli = "%s -p %s/wpa -i %s " % (mine("wpa_cli"), TMP, DEV)
    with out_of_networks(), agent(()), daemon(shlex.split("%s -D nl80211 -i %s -c %s/wpa.conf" % (
            mine("wpa_supplicant"), DEV, TMP))):
        becomes(lambda: run(cli + "ping", good=False) == "PONG\n", "it does not answer")
        for command in ("add_network", "set_network 0 ssid '\"%s\"'" % STORED,
                        "set_network 0 psk '\"%s\"'" % PASSWORD, "save_config",
                        "enable_network 0"):
            check("FAIL" not in run(cli + command), command)
        in_network(STORED, STORED_AT)
        becomes(lambda: "wpa_state=COMPLETED" in run(cli + "status"), "it does not know")


@test
def joins_by_the_older_key():
    """
    Where the network has no other; where it has both, and hides its name; and where it has
    another only, by which this program cannot join: it has the module do that.
    """
    with out_of_networks():
        joins = sim_stat("joins")
        with wpa_supplicant('ssid="%s"\nkey_mgmt=SAE\nsae_password="%s"' % (
                WPA3, PASSWORD)) as says:
            says("Failed to select authenticated key management type")
        same(joins, sim_stat("joins"), "joins")
        for ssid, bssid, how in ((OLDER, OLDER_AT, "proto=WPA"),
                                 (HIDDEN, HIDDEN_AT, "scan_ssid=1"), (WPA3, WPA3_AT, "")):
            with agent(()), wpa_supplicant('ssid="%s"\npsk="%s"\n%s' % (ssid, PASSWORD, how)):
                in_network(ssid, bssid)
            is_out()


# What it says of a wrong password, of whichever version: the log and the manual say what that is.
REFUSED_JOIN = r"CTRL-EVENT-ASSOC-REJECT .*status_code=15\b"
REFUSED = "a network has not let the module in: is its password right?"


@test
def a_wrong_password():
    """That a program has only told the key of."""
    with out_of_networks(), agent(()), log_tells(REFUSED), \
         wpa_supplicant('ssid="%s"\npsk="87654321"' % STORED) as says:
        says(REFUSED_JOIN)
        same("down", sysfs("state"), "state")


@test
def newer_wpa_supplicant_joins():
    """It hands over the passphrase: nobody is asked for that."""
    program, network = newer("/usr/sbin/wpa_supplicant"), 'ssid="%s"\npsk="%s"'
    with out_of_networks():
        with watched() as events, log_tells(REFUSED), \
             wpa_supplicant(network % (STORED, "87654321"), program) as says:
            said(events, "status: 15")
            says(REFUSED_JOIN)
            same("down", sysfs("state"), "state")
        # Also by firmware that has said OK before it has tried, and has a state for that.
        if os.environ["ATW_PROFILE"] == "middleware":
            with answers_joins(2), watched() as events, \
                 wpa_supplicant(network % (STORED, "87654321"), program):
                said(events, "status: 15")
        with wpa_supplicant(network % (STORED, PASSWORD), program):
            in_network(STORED, STORED_AT)
            becomes(lambda: sysfs("state") == "joined", "no address")
        # Where the network takes nothing else.
        iw("disconnect", good=False)
        with wpa_supplicant('ssid="%s"\nkey_mgmt=SAE\nieee80211w=1\nsae_password="%s"' % (
                WPA3, PASSWORD), program):
            in_network(WPA3, WPA3_AT)


@test
def a_key_without_a_listener():
    cure = "no service that knows passphrases runs; use atwctl join"
    told = run("dmesg").count(cure)
    with out_of_networks(), wpa_supplicant('ssid="%s"\npsk="%s"' % (STORED, PASSWORD)):
        becomes(lambda: run("dmesg").count(cure) > told, "the log does not tell")
        same("down", sysfs("state"), "state")
    # It is sent to others when something is reported.
    for line in run("dmesg").splitlines():
        check(cure not in line or STORED not in line.replace(cure, ""), line)


@contextlib.contextmanager
def as_nobody():
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@test
def a_key_with_a_listener():
    """An administrator, and nobody else; wrong passphrases do not help him."""
    with contextlib.closing(Listener()) as listener, out_of_networks(), \
         contextlib.closing(Listener(False)) as other:
        with wpa_supplicant('ssid="%s"\npsk="%s"' % (STORED, PASSWORD)):
            cookie, ssid = listener.asked()
            same(STORED.encode(), ssid, "network")
            same(errno.EACCES, other.answer(cookie, PASSWORD.encode()), "another's answer")
            with as_nobody():
                same(errno.EPERM, listener.answer(cookie, PASSWORD.encode()), "a user's answer")
            same(errno.EKEYREJECTED, listener.answer(
                cookie, b"87654321", PASSWORD.encode() + b"9", b"short"), "wrong ones")
            same(0, listener.answer(cookie, b"87654321", PASSWORD.encode()), "the right one")
            same(errno.ESTALE, listener.answer(cookie, PASSWORD.encode()), "once more")
            in_network(STORED, STORED_AT)
        listener.close()
        with as_nobody(), contextlib.suppress(PermissionError):
            other.listen()
            check(False, "a user listens")


@test
def a_name_that_cannot_be_read():
    """With a comma in the password the module's answer does not tell where the name ends."""
    with contextlib.closing(Listener()) as listener, out_of_networks():
        with watched() as events, wpa_supplicant('ssid="%s"\npsk="%s"' % (
                UNREAD, UNREAD_PASSWORD)):
            cookie, _ = listener.asked()
            same(0, listener.answer(cookie, UNREAD_PASSWORD.encode()), "the passphrase")
            in_network(UNREAD, UNREAD_AT)
            becomes(lambda: sysfs("state") == "joined", "no address")
            # Whatever the driver makes of that the module has told before its next scan ends.
            # Not by iw: what the other program finds then is too much for its 8 KiB.
            run(os.environ["ATW_CTL"] + " scan")
            same((UNREAD, UNREAD_AT), link(), "network")
            told = run("cat " + events.name)
            check("disconnected" not in told, "it was lost meanwhile")


@test
def a_key_that_nobody_knows():
    cure = "nobody knows the passphrase; use atwctl join"
    told = run("dmesg").count(cure)
    with contextlib.closing(Listener()) as listener, out_of_networks():
        with contextlib.suppress(OSError):
            Listener()
            check(False, "there are two who listen")
        with wpa_supplicant('ssid="%s"\npsk="%s"' % (STORED, PASSWORD)):
            cookie, _ = listener.asked()
            same(0, listener.answer(cookie), "an answer without any")
            becomes(lambda: run("dmesg").count(cure) > told, "the log does not tell")


@test
def a_key_whose_listener_ends():
    """Nobody waits for the answer of who is gone."""
    cure = "the service that knows passphrases has ended; use atwctl join"
    told = run("dmesg").count(cure)
    with contextlib.closing(Listener()) as listener, out_of_networks():
        with wpa_supplicant('ssid="%s"\npsk="%s"' % (STORED, PASSWORD)):
            listener.asked()
            listener.close()
            becomes(lambda: run("dmesg").count(cure) > told, "the log does not tell")


@test
def a_key_whose_listener_is_silent():
    """The program is told before it has lost its patience, after 10 s; and the log tells why."""
    cure = "the service that knows passphrases does not answer; use atwctl join"
    with contextlib.closing(Listener()) as listener, out_of_networks(), watched() as events, \
         log_tells(cure), wpa_supplicant('ssid="%s"\npsk="%s"' % (STORED, PASSWORD)):
        listener.asked()
        said(events, "failed to connect")


@contextlib.contextmanager
def agent(passphrases):
    """atwifi-agent, who knows these for the network that is stored; where it says what it does."""
    path, log = "/etc/atwifi/passwords", TMP + "/agent.log"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as f:
        f.writelines("%s %s\n" % (STORED, p) for p in passphrases)
    with open(log, "wb") as out, \
         subprocess.Popen([os.environ["ATW_LIB"] + "/atwifi-agent"], stderr=out) as process:
        try:
            yield log
        finally:
            process.terminate()
            os.unlink(path)


@test
def a_key_with_the_agent():
    """It tries all that it knows; and what it does not know is not waited for."""
    cure = "nobody knows the passphrase; use atwctl join"
    key = hashlib.pbkdf2_hmac("sha1", PASSWORD.encode(), STORED.encode(), 4096, 32).hex()
    network = 'ssid="%s"\npsk=%s' % (STORED, key)
    wrong = ["87654%03d" % n for n in range(17)]
    told = run("dmesg").count(cure)
    with out_of_networks(), agent(wrong), wpa_supplicant(network):
        becomes(lambda: run("dmesg").count(cure) > told, "the log does not tell")
    with out_of_networks():
        with agent(()) as log, wpa_supplicant(network):
            becomes(lambda: "a key alone is known, and no passphrase: atwctl password" in
                    run("cat " + log), "the agent does not tell what is to be done")
        with agent([*wrong, PASSWORD]), wpa_supplicant(network):
            in_network(STORED, STORED_AT)


@contextlib.contextmanager
def configured_by_others():
    """Whoever does that begins with nothing, and leaves a device that is up."""
    run("ip addr flush dev %s; ip route flush dev %s" % (DEV, DEV))
    try:
        yield
    finally:
        run("ip link set %s up; ip addr flush dev %s" % (DEV, DEV))


@contextlib.contextmanager
def iwd(knows=False):
    """
    It, as it is, before it has joined any network, or as it KNOWS them by then; it says why it
    waits, see connected().
    """
    if not knows:
        shutil.rmtree("/var/lib/iwd", ignore_errors=True)
    with daemon(theirs("/usr/libexec/iwd --debug").split()) as process:
        on_bus("net.connman.iwd")
        yield process


def iwctl(command, good=True):
    return run(theirs("iwctl %s 2>&1" % command), good=good)


# An access point that was not there iwd leaves alone for a minute, and it looks for others
# after 10, 20, 40 and 80 seconds.
IWD_LOOKS = 3 * LIMIT


def nothing_is_faster(process):
    """Than the program that has lost its network, also where it has no time for that."""
    leaves = sim_stat("leaves")
    process.send_signal(signal.SIGSTOP)
    try:
        with watched() as events:
            sim("link down")
            try:
                said(events, "disconnected")
                check(STORED_AT not in iw("scan dump"), "it is shown yet")
                becomes(lambda: sim_stat("leaves") > leaves, "it is not told to leave")
            finally:
                sim("link up")
            # It takes longer than to join.
            atwctl("scan")
            same((None, "down"), (link(), sysfs("state")), "network and state")
    finally:
        process.send_signal(signal.SIGCONT)


@test
def iwd_joins():
    install()
    with out_of_networks(), configured_by_others(), bus(), iwd() as process:
        station = "station %s " % DEV
        becomes(lambda: OPEN in iwctl(station + "get-networks", good=False), "not found")
        check(STORED in iwctl(station + "get-networks"), "the other one")
        connect = "--passphrase %s " + station
        # It says no more of what has failed, whatever it is.
        with log_tells(REFUSED):
            out = iwctl(connect % "87654321" + "connect " + STORED, good=False)
            check("Operation failed" in out, out)
        same("down", sysfs("state"), "state")
        for how, ssid, bssid in (("connect", WPA3, WPA3_AT), ("connect", OPEN, OPEN_AT),
                                 ("connect-hidden", HIDDEN, HIDDEN_AT)):
            iwctl(connect % PASSWORD + "%s %s" % (how, ssid))
            in_network(ssid, bssid)
            iwctl(station + "disconnect")
            is_out()
            # Else it may join it again in place of the other.
            iwctl("known-networks %s forget" % ssid)
        with nothing_is_stored():
            iwctl(connect % PASSWORD + "connect " + STORED)
        in_network(STORED, STORED_AT)
        check(re.search(r"Connected network\s+%s\b" % STORED, iwctl(station + "show")), "show")
        check(re.search(r"\b%s\s+connected\b" % DEV, iwctl("station list")), "station list")
        check(re.search(r"\b%s\s+wlan\b" % DEV, run("networkctl --no-pager list")), "networkctl")
        iwctl(station + "disconnect")
        becomes(lambda: link() is None and sysfs("state") == "down", "still in it")
        # It has kept the passphrase.
        iwctl(station + "connect " + STORED)
        in_network(STORED, STORED_AT)
        nothing_is_faster(process)
        in_network(STORED, STORED_AT, IWD_LOOKS)
        iwctl(station + "disconnect")
        becomes(lambda: link() is None and sysfs("state") == "down", "still in it")


@test
def iwd_finds_it_joined():
    """It can join no other until the module has left; whoever looks is told so."""
    install()
    station = "station %s " % DEV
    words = "look   %s network: joined, but not by iwd, which can join none meanwhile - " \
        "for iwd to join networks: atwctl leave\n" % DEV
    in_network(STORED, STORED_AT)
    try:
        with configured_by_others(), bus(), iwd():
            becomes(lambda: OPEN in iwctl(station + "get-networks", good=False), "not found")
            becomes(lambda: words in run(os.environ["ATW_CTL"] + " doctor", good=False),
                    "nobody says why")
            out = iwctl(station + "connect " + OPEN, good=False)
            check("failed" in out, out)
            in_network(STORED, STORED_AT)
            atwctl("leave")
            is_out()
            iwctl(station + "connect " + OPEN)
            in_network(OPEN, OPEN_AT)
            becomes(lambda: "network: joined\n" in run(os.environ["ATW_CTL"] + " doctor",
                                                       good=False), "it is said yet")
            iwctl(station + "disconnect")
            is_out()
    finally:
        iw("disconnect", good=False)
        join(STORED, PASSWORD)
        in_network(STORED, STORED_AT)


@contextlib.contextmanager
def network_manager(backend):
    """It, as it is; BACKEND joins networks for it."""
    os.makedirs("/etc/NetworkManager/conf.d", exist_ok=True)
    with open("/etc/NetworkManager/conf.d/backend.conf", "w", encoding="ascii") as f:
        # It writes /etc/resolv.conf itself, as where there is no program of resolved's for that.
        f.write("[main]\nrc-manager=symlink\n[device]\nwifi.backend=%s\n" % backend)
    # No udev here: where /sys cannot be written nobody waits for it.
    with daemon(["unshare", "-m", "sh", "-c", "mount -o remount,bind,ro %s/sys; exec %s" % (
            WORLD if OTHERS else "", theirs("NetworkManager --no-daemon"))]):
        becomes(lambda: nmcli("-f RUNNING general") == "running\n", "no NetworkManager")
        yield


def nmcli(command, good=False):
    return run(theirs("nmcli -t %s 2>&1" % command), good=good)


def connected():
    """By it, with an address and a way out; how long that took is for who reads it."""
    start = time.monotonic()
    in_network(STORED, STORED_AT, IWD_LOOKS)
    becomes(lambda: DEV + ":connected" in nmcli("-f DEVICE,STATE device").splitlines() and
            " %s/24 " % sysfs("address") in run("ip -4 addr show dev " + DEV), "not configured")
    took = time.monotonic() - start
    print("# configured after %.1f s" % took, flush=True)
    # Now and then one of them waits for more than a minute.
    if took > LIMIT / 2:
        print("# " + run("tail -c 20000 %s/log" % TMP).replace("\n", "\n# "), flush=True)
    # By a name, which it has the network's name server asked for.
    becomes(lambda: "nameserver " + sysfs("gateway") in run("cat /etc/resolv.conf").splitlines(),
            "no name server")
    sha = run("curl -sS http://www.example.com:%d/small | sha256sum" % HTTP).split()[0]
    same(digest(FILES + "/www/small"), sha, "curl")


# What a user reads whose password is wrong, whoever joins for NetworkManager.
NO_SECRETS = "Secrets were required, but not provided"


def first_time(password, says, settled=None):
    """
    NetworkManager is told of the network with this PASSWORD, and SAYS this in the end. iwd reads
    what it has just written, and where it is looking for networks then it joins this one by
    itself: each of them waits for the other, or takes the other's end for its own, with any
    device. So it is to have SETTLED; and who tries again is alone.
    """
    for _ in range(5 if settled else 1):
        if settled:
            settled()
        out = nmcli("device wifi connect %s password %s ifname %s" % (STORED, password, DEV))
        if says in out:
            return
        print("# " + out.strip(), flush=True)
        nmcli("connection delete " + STORED)
    check(False, out)


def joins_by_network_manager(refused, settled=None):
    """A user's first time; by what it says when he is REFUSED, where he is; and his network."""
    becomes(lambda: STORED in nmcli("-f SSID device wifi list ifname " + DEV).splitlines(),
            "not found")
    with nothing_is_stored():
        if refused:
            with log_tells(REFUSED):
                first_time("87654321", refused, settled)
            same("down", sysfs("state"), "state")
            nmcli("connection delete " + STORED)
        first_time(PASSWORD, "successfully activated", settled)
        connected()
    nmcli("connection down " + STORED, good=True)
    becomes(lambda: link() is None and sysfs("state") == "down", "still in it")
    nmcli("connection up " + STORED, good=True)
    connected()
    check(DEV + ":wifi" in nmcli("-f DEVICE,TYPE device").splitlines(), "type")
    with watched() as events:
        sim("reset")
        said(events, "disconnected")
        connected()
    loses_it(lambda: becomes(
        lambda: DEV + ":connected" not in nmcli("-f DEVICE,STATE device").splitlines(),
        "the loss is not noticed"), connected)


def joined_after_a_boot():
    """By what is written down; and that is the end of it."""
    connected()
    nmcli("connection delete " + STORED, good=True)


@contextlib.contextmanager
def wpa_supplicant_for_others():
    with daemon(theirs("wpa_supplicant -u").split()):
        on_bus("fi.w1.wpa_supplicant1")
        yield


@test
def network_manager_with_wpa_supplicant():
    """It has a file of the network; so it is joined after a boot, too."""
    install()
    with out_of_networks(), configured_by_others(), bus(), agent(()):
        with wpa_supplicant_for_others(), network_manager("wpa_supplicant"):
            # It waits a minute for a wrong password to be right.
            joins_by_network_manager("" if QUICK else NO_SECRETS)
        iw("disconnect", good=False)
        is_out()
        with wpa_supplicant_for_others(), network_manager("wpa_supplicant"):
            joined_after_a_boot()


@contextlib.contextmanager
def secrets_asked():
    """Which of NetworkManager's connections are asked for them meanwhile, in this order."""
    path = TMP + "/calls"

    def calls():
        with open(path, encoding="ascii") as f:
            return f.read()

    with open(path, "wb") as f, subprocess.Popen(["dbus-monitor", "--system", "--profile"],
                                                 stdout=f) as monitor:
        try:
            becomes(lambda: nmcli("general") and "NetworkManager" in calls(), "nothing is seen")
            yield lambda: re.findall(r"\t(/\S+/Settings/\d+)\t\S+\tGetSecrets$", calls(), re.M)
        finally:
            monitor.terminate()


@test
def network_manager_has_many():
    """Connections of this network. The one that is made is asked for its passphrase first."""
    install()
    add = "connection add type wifi con-name %s ifname %s ssid " + STORED + \
        " autoconnect no wifi-sec.key-mgmt wpa-psk wifi-sec.psk %s"
    with out_of_networks(), configured_by_others(), bus(), agent(()), \
         wpa_supplicant_for_others(), network_manager("wpa_supplicant"):
        names = [STORED, *("wrong%d" % n for n in range(20)), "right"]
        for name in names:
            nmcli(add % (name, DEV, PASSWORD if name == "right" else "of-" + name + "-no"),
                  good=True)
        wanted = re.search("^right:(.*)$", nmcli("-f NAME,DBUS-PATH connection show"), re.M)
        with secrets_asked() as paths:
            nmcli("connection up right")
            becomes(link, "it does not join")
            same(wanted.group(1), paths()[0], "the first that is asked")
        for name in names:
            nmcli("connection delete " + name, good=True)


@test
def network_manager_with_iwd():
    """Both know it, and join it after a boot, too."""
    install()
    with out_of_networks(), configured_by_others(), bus():
        with iwd(), network_manager("iwd"):
            joins_by_network_manager(NO_SECRETS, lambda: becomes(
                lambda: re.search(r"Scanning\s+no", iwctl("station %s show" % DEV)),
                "it looks for networks"))
        iw("disconnect", good=False)
        is_out()
        with iwd(knows=True), network_manager("iwd"):
            joined_after_a_boot()


def slabs():
    """KiB that the kernel has taken for itself, but what is free: its checkers keep that."""
    for path in glob.glob("/sys/kernel/slab/*/shrink"):
        with open(path, "w", encoding="ascii") as f:
            f.write("1")
    return int(re.search(r"SUnreclaim:\s+(\d+)", run("cat /proc/meminfo")).group(1))


def open_files():
    """Of the whole machine, and of them the sockets of netlink."""
    with open("/proc/net/netlink", encoding="ascii") as f:
        netlink = len(f.readlines())
    return int(run("cat /proc/sys/fs/file-nr").split()[0]), netlink


@test
def joins_and_leaves_often():
    """
    By a passphrase that is told, by a key of which it is asked for, and at times without: nothing
    is left of it in the module; what nobody knows of any more in the kernel the runner finds.
    """
    bringups = sysfs("statistics/bringups")
    joins = int(os.environ["ATW_JOINS"])
    figures = []
    start = time.monotonic()
    key = hashlib.pbkdf2_hmac("sha1", PASSWORD.encode(), STORED.encode(), 4096, 32)
    with out_of_networks(), contextlib.closing(Nl80211(DEV)) as program, \
         contextlib.closing(Listener()) as listener:
        def joins_by(*secret):
            # Until cfg80211 has noticed that it is out.
            becomes(lambda: not program.say(
                ("connect", (program.SSID, STORED.encode()), secret)), "it is not to join")

        def leaves():
            becomes(lambda: sysfs("state") == "joined", "no address")
            same(0, program.say(("disconnect",)), "leave")
            becomes(lambda: sysfs("state") == "down", "still in it")

        sim("join-time 1")
        try:
            for n in range(joins):
                if n % 2:
                    joins_by(program.KEY, key)
                    same(0, listener.answer(listener.asked()[0], PASSWORD.encode()), "passphrase")
                else:
                    joins_by(program.PASSWORD, PASSWORD.encode())
                leaves()
                if n % 10 == 0:
                    becomes(lambda: link() is None, "still in it")
                    iw("connect -w " + OPEN)
                    leaves()
                if n % (joins // 10 or 1) == 0 or n == joins - 1:
                    figures.append((n + 1, slabs(), *open_files()))
                    print("# after %d: %d KiB of slabs, %d open files, %d sockets of netlink; "
                          "%.1f s" % (*figures[-1], time.monotonic() - start), flush=True)
        finally:
            sim("join-time 250")
    same(figures[0][3], figures[-1][3], "sockets of netlink")
    # They are counted by the dozen.
    check(figures[-1][2] - figures[0][2] < 40, "files are left open")
    # What is used for the first time is there by the second.
    check(figures[-1][1] - figures[1][1] < 512, "memory is left")
    quiet()
    same(bringups, sysfs("statistics/bringups"), "starts of the module")


@test
def goes_away():
    """
    While it looks for networks, while it joins one, and while a join waits until it is found:
    nothing is left, nothing said.
    """
    for command, lost in (("scan trigger", False), ("connect " + OPEN, False),
                          ("connect " + OPEN, True)):
        with Module(TMP + "/other", ("--ap", "atsim:12345678", "--ap", OPEN + ":"),
                    dev="atw1") as module:
            module.configure()
            becomes(lambda: link("atw1"), "not in a network")
            if "connect" in command:
                iw("disconnect", "atw1")
            if lost:
                module.sim.send_signal(signal.SIGSTOP)
                run(os.environ["ATW_CTL"] + " -d atw1 status", good=False)
                becomes(lambda: sysfs("state", "atw1") == "probing", "it is not missed")
            iw(command, "atw1")
    check("atw1" not in iw("info atw1", good=False), "it is still there")


if __name__ == "__main__":
    sys.exit(main())
