#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
A module that lies while programs look for networks, join and leave them: nothing that it
says harms the machine, and when it lies no more all is well. Environment as for netdev.py;
ATW_SECONDS is how long it lies, ATW_SEED what about.
"""

import contextlib
import os
import pty
import random
import select
import signal
import subprocess
import sys
import time
import tty

from atwnet import TMP, extra, main
from guest import DEV, LIMIT, Module, becomes, check, run, sysfs, test

SECONDS = int(os.environ["ATW_SECONDS"])
SEED = int(os.environ.get("ATW_SEED") or time.time())
# What wpa_supplicant is told of networks. Of the second it tells the driver the key alone.
NETWORKS = {"open": "key_mgmt=NONE", "other": "psk=\"12345678\""}
OPEN, OPEN_AT = b"open", b"02:00:00:00:00:02"
OTHER, OTHER_AT = b"other", b"02:00:00:00:00:03"
MAC = b"7c:b9:4c:1d:c6:39"
# In a row of a list, or an answer, anything may be called so.
NAMES = (b"", b"open", b"other", b"\r\nready\r\n", b"\r\nOK\r\n", b",,,,", b"a" * 32, b"a" * 33,
         b"a" * 200, b"\n+EVENT:SocketDown,101,9,", b"\n+EVENT:WIFI_DISCONNECT\n",
         b"\xff\x80\x1b[31m", b"\0", b">", b"\n51 x,6,Open,-50," + OPEN_AT)
ADDRESSES = (OPEN_AT, OTHER_AT, MAC, b"00:00:00:00:00:00", b"ff:ff:ff:ff:ff:ff",
             b"01:00:5e:00:00:01", b"02:00:00:00:00", b"zz:00:00:00:00:02", b"")
SECURITY = (b"Open", b"WPA2 AES", b"WPA3-ASE AES", b"WEP PSK", b"WPA2 EAP", b"", b"?" * 40)
NUMBERS = (b"0", b"1", b"3", b"6", b"14", b"36", b"165", b"-50", b"-1", b"-128", b"255", b"256",
           b"4294967295", b"4294967296", b"", b"x")
EVENTS = (b"WIFI_CONNECT", b"WIFI_GOT_IP", b"WIFI_DISCONNECT", b"WIFI_SCAN_DONE", b"WIFI_",
          b"WIFI_APCLIENTCONNECTED:7cb94c1dc639", b"SocketSeed,1,102", b"SocketDisconnect,101",
          b"SocketDown,101,3,abc")
FINALS = (b"\r\nOK\r\n", b"\r\n+ERROR\r\n", b"\r\nAT+WJAP:66\r\n+ERROR\r\n",
          b"\r\nAT+WJAP:67\r\n+ERROR\r\n", b"\r\nAT+WJAP:69\r\n+ERROR\r\n",
          b"\r\nAT+WSCAN:71\r\n+ERROR\r\n", b"\r\nAT+X:4294967295\r\n+ERROR\r\n",
          b"\r\n[Busy]Cmd running\r\n", b"Unknown cmd:AT+WJAP\r\n", b">", b"\r\nready\r\n", b"")


class Talker:
    """The module: FD is its end of the line. It is honest until it is told to lie."""

    def __init__(self, fd):
        self.fd = fd
        self.rng = random.Random(SEED)
        self.lies = False
        self.joined = (OPEN, OPEN_AT)
        self.mode = b"1"
        signal.signal(signal.SIGUSR1, self.change)

    def change(self, *unused):
        self.lies = not self.lies
        # It is in this one, whatever it has said of that.
        if not self.lies:
            self.mode, self.joined = b"1", (OPEN, OPEN_AT)

    def say(self, data):
        while data:
            select.select([], [self.fd], [])
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self.fd, data):]

    def any(self, *choices):
        return self.rng.choice(choices)

    def row(self, n):
        """Of a list of networks."""
        c = self.rng.choice
        return b"%s%s%s,%s,%s,%s,%s\r\n" % (n, self.any(b" ", b",", b""), c(NAMES), c(NUMBERS),
                                            c(SECURITY), c(NUMBERS), c(ADDRESSES))

    def networks(self):
        rows = b"\r\n+WSCAN:index SSID,CH,SECURITY,RSSI,BSSID\r\n"
        if not self.lies or self.rng.random() < .4:
            return rows + b"1 %s,11,Open,-60,%s\r\n2 %s,6,WPA2 AES,-50,%s\r\n" % (
                OPEN, OPEN_AT, OTHER, OTHER_AT)
        return self.any(rows, b"", b"\r\n+WSCAN:index SSID\r\n") + b"".join(
            self.row(self.any(b"%d" % i, self.rng.choice(NUMBERS)))
            for i in range(1, self.any(2, 10, 60)))

    def link(self):
        if self.lies and self.rng.random() < .4:
            c = self.rng.choice
            return b"\r\n+WJAP:%s,%s,secret,%s,%s,%s,%s,192.168.3.%s,192.168.3.1" % (
                c(NUMBERS), c(NAMES), c(ADDRESSES), c(SECURITY), c((MAC, MAC, *ADDRESSES)),
                c(NUMBERS), c(NUMBERS))
        ssid, bssid = self.joined or (b"", b"00:00:00:00:00:00")
        return b"\r\n+WJAP:%d,%s,,%s,Open,%s,11,192.168.3.7,192.168.3.1" % (
            3 if self.joined else 0, ssid, bssid, MAC)

    def answer(self, line):
        """What is said before the end; or all of it, where that is no success."""
        name, _, rest = line.partition(b"=")
        known = {
            b"AT+GMR": b"at version:1.0.0\r\nfirmware version:V4.18_P1.1.0\r\n",
            b"AT+UARTCFG?": b"\r\n+UARTCFG:921600,8,1,0\r\n",
            b"AT+CIPSTAMAC_DEF?": b"\r\n+CIPSTAMAC_DEF:" + MAC.replace(b":", b""),
            b"AT+WMODE?": b"\r\n+WMODE:" + self.mode,
            b"AT+WSCANOPT?": b"\r\n+WSCANOPT:0xff",
            b"AT+WAUTOCONN?": b"\r\n+WAUTOCONN:0",
            b"AT+WDNS?": b"\r\n+WDNS:192.168.3.1,0.0.0.0\r\n",
            b"AT+WSDHCP?": b"\r\n+WSDHCP:1",
            b"AT+WRSSI": b"\r\n+WRSSI:" + self.rng.choice(NUMBERS if self.lies else (b"-50",)),
            b"AT+WCOUNTRY?": b"\r\n+WCOUNTRY:" + self.rng.choice(
                NUMBERS if self.lies else (b"5",)),
        }
        if line in known:
            return known[line]
        if name == b"AT+WSCAN":
            return self.networks()
        if line == b"AT+WJAP?":
            return self.link()
        if name == b"AT+WMODE":
            self.mode = rest[:1]
        elif name == b"AT+WDISCONNECT":
            self.joined = None
            return b"\r\n+EVENT:WIFI_DISCONNECT\r\n"
        elif name == b"AT+WJAP":
            ssid = rest.split(b",")[0].strip(b'"')
            at = {OPEN: OPEN_AT, OTHER: OTHER_AT}.get(ssid)
            self.joined = at and (ssid, at)
            return b"\r\n+EVENT:WIFI_CONNECT\r\n\r\n+EVENT:WIFI_GOT_IP\r\n" if at else None
        elif line.startswith(b"AT+ATW") or name in (b"AT+SOCKET", b"AT+SYSMSG"):
            return None
        return b""

    def damage(self, data):
        data = bytearray(data)
        for _ in range(self.rng.randrange(1, 4)):
            at = self.rng.randrange(len(data) + 1)
            data[at:at + self.rng.randrange(9)] = bytes(
                self.rng.randrange(256) for _ in range(self.rng.randrange(9)))
        return bytes(data)

    def command(self, line):
        said = self.answer(line)
        if said is None and line.startswith(b"AT+WJAP"):
            said = b"\r\nAT+WJAP:69\r\n+ERROR\r\n"
        elif said is None:
            said = b"Unknown cmd:" + line + b"\r\n"
        else:
            said += b"\r\nOK\r\n"
        chance = self.rng.random() if self.lies else 1
        if chance < .1:
            said = self.damage(said)
        elif chance < .2:
            said = said.replace(b"\r\nOK\r\n", self.rng.choice(FINALS))
        elif chance < .3:
            said = self.events() + said + self.events()
        elif chance < .33:
            said *= 2
        self.say(said)

    def events(self):
        return b"".join(b"\r\n+EVENT:%s\r\n" % self.rng.choice(EVENTS)
                        for _ in range(self.rng.randrange(5)))

    def talk(self):
        told = b""
        while True:
            if not select.select([self.fd], [], [], self.rng.random() / 4)[0]:
                if self.lies and self.rng.random() < .3:
                    self.say(self.rng.choice((self.events(), self.row(b"9"), self.link(),
                                              self.rng.choice(FINALS))))
                continue
            # Nobody may have it open for now.
            with contextlib.suppress(OSError):
                told += os.read(self.fd, 4096)
            *lines, told = told.split(b"\r\n")
            for line in lines:
                if line.startswith(b"AT"):
                    self.command(line)


class Liar(Module):
    """In the place of the emulator."""

    def start(self):
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.pty)
        os.symlink(os.ttyname(slave), self.pty)
        os.set_blocking(self.master, False)
        self.child = os.fork()
        if not self.child:
            try:
                Talker(self.master).talk()
            finally:
                os._exit(1)
        os.close(slave)

    def change(self):
        """It begins to lie, or to be honest."""
        os.kill(self.child, signal.SIGUSR1)

    def stop(self):
        os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)
        os.close(self.master)


def iw(command, good=False):
    return run("%s dev %s %s 2>&1" % (extra("iw"), DEV, command), good=good)


def is_in(bssid):
    return "Connected to " + bssid.decode() in iw("link") and sysfs("state") == "joined"


def is_out():
    """
    Of its network, for good: what was told of it last may not have been true, and what atwctl
    has joined the driver has it join again.
    """
    iw("disconnect")
    ctl = os.environ["ATW_CTL"]
    told = run("%s leave && %s status" % (ctl, ctl), good=False)
    return told and sysfs("state") == "down" and "ssid" not in iw("info")


def joins_with(network):
    """wpa_supplicant, as it is, with a file of one network."""
    path = "%s/%s.conf" % (TMP, network)
    with open(path, "w", encoding="ascii") as f:
        f.write("network={\nssid=\"%s\"\n%s\n}\n" % (network, NETWORKS[network]))
    return "%s -D nl80211 -i %s -c %s" % (extra("wpa_supplicant"), DEV, path)


@contextlib.contextmanager
def running(*commands):
    """Commands that go on meanwhile."""
    loops = [subprocess.Popen(["sh", "-c", command], start_new_session=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) for command in commands]
    try:
        yield
    finally:
        for loop in loops:
            os.killpg(loop.pid, signal.SIGKILL)
            loop.wait()


def watch():
    return "while :; do %s dev %s station dump; %s dev %s link; done" % (
        extra("iw"), DEV, extra("iw"), DEV)


# Who knows a passphrase comes and goes, also while it is asked.
KNOW = "while :; do timeout --foreground 7 %s/atwifi-agent; done" % os.environ["ATW_LIB"]


def join_each():
    """By another program for Wi-Fi, which leaves one for the other."""
    return "while :; do %s; done" % "; ".join(
        "timeout --foreground 3 %s; sleep 2" % joins_with(network) for network in NETWORKS)


@test
def lies():
    """Whatever is asked comes to an end, and what is said then is right again."""
    print("# seed %d" % SEED, flush=True)
    rng = random.Random(SEED)
    ctl = os.environ["ATW_CTL"]
    commands = (
        lambda: iw("scan"), lambda: iw("scan ssid hides"), lambda: iw("scan trigger"),
        lambda: iw("connect open"), lambda: iw("connect other " + OTHER_AT.decode()),
        lambda: iw("connect nowhere"), lambda: iw("disconnect"), lambda: iw("scan abort"),
        lambda: run("ip link set %s down; ip link set %s up" % (DEV, DEV), good=False),
        lambda: run("timeout 2 %s scan" % ctl, good=False),
        lambda: run("timeout 2 %s status" % ctl, good=False),
        lambda: run("echo | timeout 2 %s -p - join open" % ctl, good=False),
        lambda: run("timeout 2 %s leave" % ctl, good=False),
        lambda: run("timeout 2 %s ap" % ctl, good=False),
        lambda: run("echo 12345678 | timeout 2 %s -p - ap mine; timeout 2 %s --off ap" % (
            ctl, ctl), good=False))
    with Liar(TMP + "/liar") as liar:
        run("ip link set %s up" % DEV)
        liar.change()
        end, n = time.monotonic() + SECONDS, 0
        with running(watch(), KNOW, join_each()):
            while time.monotonic() < end:
                rng.choice(commands)()
                n += 1
        print("# %d commands, %s starts of the module" % (n, sysfs("statistics/bringups")))
        liar.change()
        run("ip link set %s up" % DEV)
        becomes(lambda: sysfs("state") != "probing", "it is not found again", 3 * LIMIT)
        becomes(is_out, "it does not leave its network", 3 * LIMIT)
        becomes(lambda: "SSID: other\n" in iw("scan"), "it finds nothing", 3 * LIMIT)
        iw("connect open", good=True)
        becomes(lambda: is_in(OPEN_AT), "it does not join")
        iw("disconnect")
        with running(KNOW, joins_with("other")):
            becomes(lambda: is_in(OTHER_AT), "it is not told the passphrase")
    check(not os.path.exists("/sys/class/net/" + DEV), "it is still there")


if __name__ == "__main__":
    sys.exit(main())
