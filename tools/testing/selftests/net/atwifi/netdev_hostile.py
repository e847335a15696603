#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
A module whose words are changed on their way while programs do whatever can be done with
sockets, all at once: nothing of it harms the machine, and when the line is a line again all
is well. Environment as for netdev.py; ATW_SECONDS is how long that lasts, ATW_SEED what is
done.
"""

import collections
import contextlib
import ctypes
import fcntl
import functools
import os
import pty
import random
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback
import tty

from atwnet import HOLE, HOST, LIBC, PEER, TMP, atw, atw_socket, local_peer, main, \
    pattern, peer, tell
from guest import (
    DEV, LIMIT, Module, becomes, check, counter, receive, run, same, statistic, sysfs, test)

SECONDS = int(os.environ["ATW_SECONDS"])
SEED = int(os.environ.get("ATW_SEED") or time.time())
SOL_ATWIFI, SO_LINGER, SO_RCVTIMEO, SO_SNDTIMEO = 0x4154, 13, 20, 21
with open("/sys/module/atwifi/parameters/family", encoding="ascii") as FILE:
    FAMILY = int(FILE.read())
# Of servers, of the one that is asked in the end, and of one that is exposed.
PORTS, LAST_PORT, EXPOSED = range(9000, 9004), 9100, 9200
NUMBERS = (b"0", b"1", b"4", b"101", b"118", b"255", b"256", b"65535", b"4294967295",
           b"4294967296", b"-1", b"")
SIZES = (0, 1, 5, 100, 1024, 1460, 8192, 8193, 4294967295)
PAYLOADS = (b"x", b"\r\nOK\r\n", b">", b"\r\n+EVENT:SocketDisconnect,101\r\n", b"\r\nready\r\n")
# How an answer, or an event, is changed. The first three have the driver wait for its end.
KINDS = "crf" + 2 * "dnnn" + 10 * "i"
FINALS = (b"\r\nOK\r\n", b"\r\nERROR\r\n", b"\r\n+SOCKET:97\r\nERROR\r\n", b">", b"",
          b"\r\nAT+SOCKETSEND:101\r\n+ERROR\r\n", b"\r\nAT+SOCKET:110\r\n+ERROR\r\n",
          b"\r\nAT+X:4294967295\r\n+ERROR\r\n", b"\r\n[Busy]Cmd running\r\n",
          b"Unknown cmd:AT+SOCKET\r\n", b"\r\nready\r\n", b"\r\nconnect success ConID=%s\r\n")
EVENTS = (b"SocketDown,%s,%s,%s", b"SocketDown,%s,%s,%s", b"SocketDown,%s,%s", b"SocketSeed,%s,%s",
          b"SocketDisconnect,%s", b"SocketDissconnect,%s", b"SocketReconnect,%s",
          b"SocketAutoDel,%s", b"WIFI_DISCONNECT", b"WIFI_CONNECT", b"WIFI_GOT_IP", b"%s")


class Line:
    """Between the driver and the module: nothing but that, until it is told to lie."""

    def __init__(self, host, module):
        self.host, self.module = host, module
        self.left = {host: b"", module: b""}
        self.rng = random.Random(SEED)
        self.lies, self.until, self.share, self.dead, self.spared = False, 0, 0, False, False
        # The numbers of connections that it has seen.
        self.ids = collections.deque([b"101"], 12)
        signal.signal(signal.SIGUSR1, self.change)

    def change(self, *unused):
        self.lies, self.until = not self.lies, 0

    def number(self):
        return self.rng.choice(self.rng.choice((self.ids, self.ids, NUMBERS)))

    def word(self):
        """What a module says by itself, or at the end of an answer; true it is not."""
        if self.rng.random() < .3:
            text = self.rng.choice(FINALS)
            return text % self.number() if b"%" in text else text
        size = self.rng.choice(SIZES)
        payload = (self.rng.choice(PAYLOADS) * 2000)[:min(size, 2000)]
        if self.rng.random() < .8:
            size = len(payload)
        text = b"\r\n+EVENT:%s\r\n" % self.rng.choice(EVENTS)
        return text % (self.number(), b"%d" % size, payload)[:text.count(b"%s")]

    def lie(self, data):
        """What the driver is told in place of that."""
        at, kind = self.rng.randrange(len(data) + 1), self.rng.choice(KINDS[3 * self.spared:])
        if kind == "c":
            return data[at:]
        if kind == "r":
            return data[:at] + self.rng.randbytes(self.rng.randrange(9)) + \
                data[at + self.rng.randrange(9):]
        if kind == "f":
            return data.replace(b"\r\nOK\r\n", self.word())
        if kind == "d":
            return data * 2
        if kind == "n":
            return re.sub(rb"\d+", lambda n: self.rng.choice((self.number(), n[0])), data)
        # Mostly between lines.
        if self.spared or self.rng.random() < .9:
            at = self.rng.choice([match.end() for match in re.finditer(rb"^|\r\n", data)])
        return data[:at] + self.word() * self.rng.choice((1, 1, 1, 30)) + data[at:]

    def heard(self, fd, data):
        lying = self.rng.random() < self.share
        if fd == self.module:
            self.ids.extend(re.findall(rb"(?:ConID=|EVENT:Socket[A-Z]\w+,)(\d+)", data))
            self.left[self.host] += self.lie(data) if lying else data
            return
        # A connect that is never answered is waited for for half a minute: most of them are.
        self.spared = data.startswith(b"AT+SOCKET=") and self.rng.random() < .97
        if self.spared or not (self.dead or lying and self.rng.random() < .03):
            # It misses what it is told, but is told nothing else: what a module is set up for
            # is for whom it has to keep.
            self.left[self.module] += data

    def carry(self):
        while True:
            if time.monotonic() > self.until:
                self.until = time.monotonic() + 2 * self.rng.random()
                self.share = self.rng.choice((0, .02, .1, .5)) if self.lies else 0
                self.dead = self.lies and self.rng.random() < .1
            ready, room, _ = select.select([self.host, self.module],
                                           [fd for fd, data in self.left.items() if data], [], .1)
            for fd in ready:
                self.heard(fd, os.read(fd, 4096))
            for fd in room:
                with contextlib.suppress(BlockingIOError):
                    self.left[fd] = self.left[fd][os.write(fd, self.left[fd]):]
            if self.rng.random() < self.share / 4:
                self.left[self.host] += self.word()


class Liar(Module):
    """The emulator behind such a line."""

    def __init__(self):
        self.control = TMP + "/control"
        super().__init__(TMP, ["--control", self.control, "--host", "peer.test=192.0.2.1",
                               "--blackhole", "198.51.100.0/24", "--connect-timeout", "2000"])

    def start(self):
        # It is no tty whose rate the emulator would look at.
        path, self.argv[self.argv.index("--pty")] = self.pty + ".sim", "--unix"
        self.argv[self.argv.index(self.pty)] = path
        for name in (path, self.pty):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
        self.sim = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL)
        becomes(lambda: os.path.exists(path), "no emulator")
        module = socket.socket(socket.AF_UNIX)
        module.connect(path)
        module.setblocking(False)
        host, slave = pty.openpty()
        tty.setraw(slave)
        os.set_blocking(host, False)
        os.symlink(os.ttyname(slave), self.pty)
        self.line = begun(lambda: Line(host, module.fileno()).carry())
        for fd in (host, slave, module.detach()):
            os.close(fd)

    def change(self):
        """It begins to lie, or to be honest."""
        os.kill(self.line, signal.SIGUSR1)

    def stop(self):
        ended(self.line)
        super().stop()


def begun(work):
    """The number of a process that does that, for ever."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            os.setpgid(0, 0)
            work()
        except BaseException:	# whatever it is, it is to be seen
            traceback.print_exc()
        os._exit(1)
    return child


def ended(child):
    """Whatever it waits for: nothing is so important that it could not be killed."""
    done = []
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    becomes(lambda: done.append(os.waitpid(child, os.WNOHANG)) or done[-1][0], "one is not killed")
    same(signal.SIGKILL, done[-1][1], "what has ended a program")


def address(rng, family, port=None):
    """Of somebody, or of nobody; that of a socket of ours may have a name, and any end."""
    if port is None:
        port = rng.choice((PEER, PEER, PEER, rng.choice(PORTS), 0, 53, rng.randrange(65536)))
    host = rng.choice((HOST, HOST, HOST, "192.0.2.7", HOLE, "0.0.0.0", "255.255.255.255"))
    data = struct.pack("=H", family) + struct.pack("!H4s", port, socket.inet_aton(host))
    if family == socket.AF_INET:
        return data + bytes(8)
    if rng.random() < .3:
        data += rng.choice((b"peer.test\0", b"a.b\0", bytes(120), rng.randbytes(120)))
    return data[:rng.randrange(len(data))] if rng.random() < .05 else data


def accept(s):
    """As s.accept(), which does not know addresses of this family."""
    fd = LIBC.accept(s.fileno(), None, None)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "accept")
    return socket.socket(s.family, s.type, fileno=fd)


def ask(rng, s, flags):
    """A call that tells an address, which Python does not make where it knows no such family."""
    c, fd, sizes = rng.choice, s.fileno(), (0, 1, 16, 128, 8192)
    data, where, control = (ctypes.create_string_buffer(n) for n in (8192, 128, 300))
    size = ctypes.c_uint32(c(sizes + (1 << 31,)))
    iov = ctypes.create_string_buffer(struct.pack("PN", ctypes.addressof(data), c(sizes)))
    message = ctypes.create_string_buffer(struct.pack(
        "PIPNPNi4x", c((0, ctypes.addressof(where))), c((0, 8, 128)), ctypes.addressof(iov), 1,
        ctypes.addressof(control), c((0, 1, 300)), 0))
    to, length = c((where, where, where, None)), c((ctypes.byref(size),) * 4 + (None,))
    c((lambda: LIBC.recvfrom(fd, data, c(sizes), flags, to, length),
       lambda: LIBC.recvmsg(fd, message, flags),
       lambda: LIBC.getsockname(fd, to, length),
       lambda: LIBC.getpeername(fd, to, length),
       lambda: accept(s).close()))()


def call(rng, s, family):
    """One call about a socket, whatever state that is in."""
    c, fd = rng.choice, s.fileno()
    data = (b"echo\n", b"source 100000 3\n", rng.randbytes(c((0, 1, 100, 1024, 5000))))
    flags = c((socket.MSG_DONTWAIT, socket.MSG_DONTWAIT, 0, socket.MSG_PEEK, socket.MSG_WAITALL,
               socket.MSG_TRUNC, socket.MSG_OOB, socket.MSG_ERRQUEUE, rng.getrandbits(31)))
    where, option = address(rng, family), rng.randrange(80)
    c((lambda: s.send(c(data), flags),
       lambda: s.send(c(data), socket.MSG_DONTWAIT),
       lambda: s.recv(c((0, 1, 100, 8192)), flags),
       lambda: s.recv(8192, socket.MSG_DONTWAIT),
       lambda: ask(rng, s, flags), lambda: ask(rng, s, flags), lambda: ask(rng, s, flags),
       lambda: s.sendmsg(data, [(c((SOL_ATWIFI, socket.SOL_SOCKET)), option, bytes(8))], flags),
       lambda: LIBC.sendto(fd, data[2], len(data[2]), flags, where, len(where)),
       lambda: LIBC.connect(fd, where, len(where)),
       lambda: LIBC.bind(fd, where, len(where)),
       lambda: s.listen(c((-1, 0, 5))),
       lambda: select.select([s], [s], [s], .05),
       lambda: s.shutdown(rng.randrange(4)),
       lambda: fcntl.ioctl(fd, c((0x541b, 0x5411, rng.randrange(0x8901, 0x8940))), bytes(64)),
       lambda: s.setsockopt(SOL_ATWIFI, rng.randrange(12), c((DEV.encode(), *data))),
       lambda: s.setsockopt(SOL_ATWIFI, rng.randrange(12), rng.randrange(-1, 9)),
       # What takes more than a number here is how long things last.
       lambda: s.setsockopt(socket.SOL_SOCKET, option, c((0, 1, 5000, -1))),
       lambda: s.setsockopt(socket.SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, c((0, 1)))),
       lambda: s.getsockopt(c((SOL_ATWIFI, socket.SOL_SOCKET)), option, c((4, 200)))))()


def calls(rng, s, family, most=40):
    for option in (SO_RCVTIMEO, SO_SNDTIMEO):
        with contextlib.suppress(OSError):
            s.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", 0, rng.randrange(1, 300000)))
    for _ in range(rng.randint(0, most)):
        with contextlib.suppress(OSError, ValueError):
            call(rng, s, family)


def connects(rng):
    kinds = (socket.SOCK_STREAM, socket.SOCK_STREAM, socket.SOCK_DGRAM)
    while True:
        family, other = rng.choice((FAMILY, FAMILY, socket.AF_INET)), None
        with contextlib.suppress(OSError), socket.socket(
                family, rng.choice(kinds) | rng.choice((0, socket.SOCK_NONBLOCK)),
                rng.choice((0, 0, 0, 1)) if family == FAMILY else 0) as s:
            where = address(rng, family)
            calls(rng, s, family, 0)
            LIBC.connect(s.fileno(), where, len(where))
            if rng.random() < .3:
                other = threading.Thread(target=calls,
                                         args=(random.Random(rng.random()), s, family))
                other.start()
            calls(rng, s, family)
        # It is closed while the other one may wait for it.
        if other:
            other.join()


def serves(rng):
    """And whom it serves comes, too."""
    while True:
        port = rng.choice(PORTS)
        with contextlib.suppress(OSError), socket.socket(FAMILY, socket.SOCK_STREAM) as s:
            where = address(rng, FAMILY, port)[:8]
            calls(rng, s, FAMILY, 0)
            LIBC.bind(s.fileno(), where, len(where))
            s.listen(rng.randrange(6))
            for _ in range(rng.randrange(20)):
                with contextlib.suppress(OSError), socket.create_connection(
                        ("127.0.0.1", port), 1) as other:
                    other.send(b"x" * rng.randrange(3000))
                    with accept(s) as child:
                        calls(rng, child, FAMILY, 10)


def looks(rng):
    """And has what it looks at set up in another way."""
    of, ctl = "/sys/class/atwifi/%s/" % DEV, "timeout --foreground 5 " + os.environ["ATW_CTL"]
    commands = [
        "cat /proc/net/atwifi", "grep -r . %s %sstatistics" % (of, of),
        "echo passive >%srecv_mode" % of, "echo active >%srecv_mode" % of,
        "ip link set {0} down; ip link set {0} up; ip addr add 192.168.3.142/24 dev {0}; "
        "ip route replace default via 192.168.3.1 dev {0}".format(DEV)]
    commands += ["%s %s" % (ctl, what) for what in (
        "list", "show", "sockets", "dns", "resolve peer.test", "resolve no.test", "status", "scan",
        "expose tcp %d" % EXPOSED, "unexpose tcp %d" % EXPOSED, "yield 1", "at AT+GMR",
        "at AT+PING=192.0.2.1", "at AT+SOCKET?")]
    while True:
        subprocess.call(["sh", "-c", rng.choice(commands)], stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def carries(s, want):
    """All of it? If not, then at least nothing else."""
    got = receive(s, len(want))
    check(want.startswith(got), "the bytes differ")
    return got == want


def is_whole():
    """Do streams of all kinds carry what they should, from end to end?"""
    server, where = atw_socket("0.0.0.0", LAST_PORT)
    with contextlib.suppress(OSError), server:
        for connect in (atw, peer):
            with connect("duplex 20000 3") as s:
                s.sendall(pattern(4, 20000))
                if not carries(s, pattern(3, 20000) + b"ok 20000\n"):
                    return False
        if LIBC.bind(server.fileno(), where, len(where)):
            return False
        server.listen()
        with socket.create_connection(("127.0.0.1", LAST_PORT), LIMIT) as other:
            other.sendall(b"who is there?")
            # It may be turned away for a number that it has from the module.
            if server not in select.select([server, other], [], [], LIMIT)[0]:
                return False
            with accept(server) as child:
                child.settimeout(LIMIT)
                child.sendall(b"I am")
                return carries(child, b"who is there?") and carries(other, b"I am")
    return False


def left():
    """Connections of the driver's that are more than its flows of datagrams, or sockets."""
    sockets = int(re.search(r" sockets=(\d+)", tell(TMP + "/control", "stats")).group(1))
    return max(counter("ids_in_use"), sockets) > counter("flows_udp") or counter("flows_tcp")


@test
def storm():
    """Whatever is asked for can be ended, and the module's next words are believed."""
    print("# seed %d" % SEED, flush=True)
    noticed = ("damaged", "unexplained", "bringups")
    works = (connects, connects, connects, serves, looks)
    with local_peer():
        with Liar() as liar:
            liar.configure()
            opened, accepted = statistic("opened"), statistic("accepted")
            with contextlib.ExitStack() as stack:
                for n, work in enumerate(works):
                    rng = random.Random(SEED * len(works) + n)
                    stack.callback(ended, begun(functools.partial(work, rng)))
                # All of it goes well first, so that it is about something.
                becomes(lambda: statistic("opened") > opened and statistic("accepted") > accepted,
                        "no connection comes about")
                before = [statistic(name) for name in noticed]
                liar.change()
                time.sleep(SECONDS)
                becomes(lambda: [statistic(name) for name in noticed] != before,
                        "no lie is noticed")
            liar.change()
            print("# " + " ".join("%s %s" % (name, sysfs("statistics/" + name)) for name in (
                "commands", "opened", "accepted", "damaged", "unexplained", "resets",
                "bringups")))
            becomes(lambda: sysfs("state") != "probing", "it is not found again", 3 * LIMIT)
            liar.configure()
            run(os.environ["ATW_CTL"] + " unexpose tcp %d" % EXPOSED, good=False)
            becomes(is_whole, "no connection works", 3 * LIMIT)
            becomes(lambda: not left(), "connections are left")
    check(not os.path.exists("/sys/class/net/" + DEV), "it is still there")


if __name__ == "__main__":
    sys.exit(main())
