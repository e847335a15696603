# SPDX-License-Identifier: GPL-2.0-only
"""
What tests in Python have in common: how they run, how they look and wait, and an
emulated module of a guest's own. Environment: ATW_SIM, for that module.
"""

import contextlib
import ctypes
import fcntl
import functools
import hashlib
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import time

DEV = "atw0"
N_DEVELOPMENT = 29
SIOCETHTOOL, SS_STATS = 0x8946, 1
GSSET_INFO, GSTRINGS, GSTATS = 0x37, 0x1b, 0x1d
# What no test should ever have to wait for, on however slow a machine, in seconds.
LIMIT = 120.0
TESTS = []


def test(f):
    TESTS.append(f)
    return f


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def check(good, words):
    if not good:
        raise Failed(words)


def same(want, got, words):
    check(want == got, "%s: %r instead of %r" % (words, got, want))


def run(command, limit=3 * LIMIT, good=True):
    """Runs a command line by sh; its output."""
    # In a group of its own: what hangs is ended with all that it has started.
    with subprocess.Popen(command, shell=True, start_new_session=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as done:
        try:
            out, err = done.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(done.pid, signal.SIGKILL)
            out, err = done.communicate()
            err += b"time-out after %d s" % limit
    out = out.decode(errors="replace")
    if good:
        check(not done.returncode, "%s: status %d\n%s%s" % (
            command, done.returncode, out[-2000:], err.decode(errors="replace")[-2000:]))
    return out


def becomes(condition, words, limit=LIMIT):
    end = time.monotonic() + limit
    while True:
        begun = time.monotonic()
        if condition():
            break
        check(begun < end, words)
        # Who looks by running programs has the processor for a third of the time at most.
        time.sleep(min(max(0.05, 2 * (time.monotonic() - begun)), 0.5))


def ethtool(dev, head, size):
    """What the kernel has to say to such a request, behind it: no program is run for that."""
    data = ctypes.create_string_buffer(head, len(head) + size)
    with socket.socket() as s:
        fcntl.ioctl(s, SIOCETHTOOL, struct.pack("16sP16x", dev.encode(), ctypes.addressof(data)))
    return data.raw[len(head):]


@functools.cache
def counters(dev):
    """Their names."""
    count, = struct.unpack("I", ethtool(dev, struct.pack("IIQ", GSSET_INFO, 0, 1 << SS_STATS), 4))
    names = ethtool(dev, struct.pack("III", GSTRINGS, SS_STATS, count), 32 * count)
    return [name.rstrip(b"\0").decode() for (name,) in struct.iter_unpack("32s", names)]


def counter(name, dev=DEV):
    """Of those that "ethtool -S" shows."""
    names = counters(dev)
    check(name in names, "no counter " + name)
    values = ethtool(dev, struct.pack("II", GSTATS, len(names)), 8 * len(names))
    return struct.unpack_from("Q", values, 8 * names.index(name))[0]


def sysfs(name, dev=DEV):
    with open("/sys/class/atwifi/%s/%s" % (dev, name), encoding="ascii") as f:
        return f.read().strip()


def statistic(name, dev=DEV):
    """What the driver has counted of a module, whether or not it has a network device."""
    return int(sysfs("statistics/" + name, dev))


def carrier(dev=DEV):
    with open("/sys/class/net/%s/carrier" % dev, encoding="ascii") as f:
        return f.read().strip() == "1"


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def receive(s, size):
    data = b""
    while len(data) < size:
        piece = s.recv(size - len(data))
        if not piece:
            break
        data += piece
    return data


def reset(s):
    """It is closed, and what has not been read is not wanted."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def echoes(s, text=b"hello"):
    s.sendall(text)
    same(text, receive(s, len(text)), "echo")


def once(seen, flags):
    """
    Of what tcpdump has SEEN, segments with these flags are copies of one, and none is
    there twice: the kernel sends it again where the answer is late, with another time.
    """
    lines = [line[line.index("IP "):] for line in seen.splitlines()
             if "Flags [%s]," % flags in line]
    check(lines, "no segment with [%s]: %s" % (flags, seen))
    same(1, len({re.search(r" seq (\d+)", line).group(1) for line in lines}), flags)
    same(len(lines), len(set(lines)), "different ones of [%s]" % flags)


class Module:
    """
    An emulated module on a pty, and the device that it is. Its loopback is
    192.0.2.0/24 to the driver; OPTIONS are the emulator's, BEFORE is what runs it.
    DEV is the name that is free, RATE what the driver takes for the line's. Left by
    "with" it is gone.
    """

    def __init__(self, where, options=(), before=(), dev=DEV, rate=termios.B921600):
        self.dev, self.rate = dev, rate
        os.makedirs(where, exist_ok=True)
        self.pty = where + "/pty"
        self.argv = [*before, os.environ["ATW_SIM"], "--pty", self.pty, "--baud", "0",
                     "--profile", "middleware", "--map", "192.0.2.0/24=127.0.0.0", *options]
        self.tty = None
        self.start()
        try:
            self.attach()
        except BaseException:
            self.detach()
            self.stop()
            raise

    def start(self):
        # That of one which was killed is there still.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.pty)
        self.sim = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL)
        becomes(lambda: os.path.exists(self.pty), "no emulator")

    def attach(self):
        self.tty = os.open(self.pty, os.O_RDWR | os.O_NOCTTY)
        mode = termios.tcgetattr(self.tty)
        mode[4] = mode[5] = self.rate
        termios.tcsetattr(self.tty, termios.TCSANOW, mode)
        fcntl.ioctl(self.tty, termios.TIOCSETD, struct.pack("i", N_DEVELOPMENT))
        becomes(lambda: os.path.exists("/sys/class/net/" + self.dev), "no network device")

    def configure(self, metric=0):
        """Gives the device its static address, again; METRIC is of the way to elsewhere."""
        becomes(lambda: sysfs("state", self.dev) == "joined", "the module does not join")
        run("ip link set %s up; ip addr flush dev %s" % (self.dev, self.dev))
        becomes(lambda: carrier(self.dev), "no carrier")
        run("ip addr add %s/24 dev %s; ip route replace default via %s dev %s metric %d" % (
            sysfs("address", self.dev), self.dev, sysfs("gateway", self.dev), self.dev, metric))

    def detach(self):
        if self.tty is not None:
            # After a hang-up that is done already.
            with contextlib.suppress(OSError):
                fcntl.ioctl(self.tty, termios.TIOCSETD, struct.pack("i", 0))
            os.close(self.tty)
        self.tty = None

    def stop(self):
        self.sim.kill()
        self.sim.wait()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.detach()
        self.stop()


def run_tests(prepare):
    """
    Runs the tests, or those that are named on the command line, each after PREPARE;
    what the program exits with.
    """
    wanted = sys.argv[1:]
    tests = [t for t in TESTS if not wanted or t.__name__ in wanted]
    if unknown := set(wanted) - {t.__name__ for t in tests}:
        sys.exit("no test %s; there are: %s" % (
            " ".join(unknown), " ".join(t.__name__ for t in TESTS)))
    print("TAP version 13\n1..%d" % len(tests), flush=True)
    failed = 0
    for n, t in enumerate(tests, 1):
        print("# RUN %s" % t.__name__, flush=True)
        words = skip = ""
        start = time.monotonic()
        try:
            prepare()
            t()
        except Skipped as e:
            skip = " # SKIP %s" % e
        except Failed as e:
            words = str(e)
        except (OSError, ValueError, subprocess.SubprocessError) as e:
            words = "line %d: %s" % (e.__traceback__.tb_next.tb_lineno, e)
        if words:
            failed += 1
            for line in words.splitlines():
                print("# " + line)
        print("%sok %d %s%s" % ("not " if words else "", n, t.__name__,
                                skip or " # %.1f s" % (time.monotonic() - start)), flush=True)
    return 1 if failed else 0
