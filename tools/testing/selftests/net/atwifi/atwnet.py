# SPDX-License-Identifier: GPL-2.0-only
"""
What the tests of the network device have in common. Environment as for the other
tests, see util.h, and what servers.py tells of.
"""

import contextlib
import ctypes
import errno
import fcntl
import itertools
import os
import re
import select
import signal
import socket
import struct
import subprocess

from guest import (DEV, LIMIT, Skipped, becomes, carrier, check, counter, run, run_tests,
                   same, statistic, sysfs)

HOST = os.environ["ATW_HOST"]
PEER = int(os.environ["ATW_PEER_PORT"])
HOLE = os.environ["ATW_HOLE"]
FILES = os.environ["ATW_FILES"]
HTTP, HTTP_BRIEF, HTTPS, HTTP2, DNS, SSH, IPERF, MQTT, TFTP = (
    int(os.environ["ATW_" + name]) for name in (
        "HTTP", "HTTP_BRIEF", "HTTPS", "HTTP2", "DNS", "SSH", "IPERF", "MQTT", "TFTP"))
# Where programs are that this machine has not, or "".
PROGRAMS = os.environ.get("ATW_PROGRAMS", "")
# Few of all that can be had in numbers, and nothing that takes minutes.
QUICK = bool(os.environ.get("ATW_QUICK"))
CERT = os.path.join(FILES, "cert.pem")
TMP = "/tmp/netdev"
ASKED = itertools.count()
LEASE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "lease.sh")


def extra(program):
    """The command for a program that may not be on this machine."""
    if not PROGRAMS:
        raise Skipped("the target 'programs' of vm/setup could not be prepared")
    path = next((PROGRAMS + d + program for d in ("/usr/bin/", "/usr/sbin/", "/sbin/")
                 if os.path.exists(PROGRAMS + d + program)), program)
    return "env LD_LIBRARY_PATH=%s/usr/lib/%s-linux-gnu %s" % (PROGRAMS, os.uname().machine, path)


def newer(program):
    """The command for a program of the next Debian, with its own libraries."""
    root = os.environ["ATW_NEWER"]
    if not root:
        raise Skipped("the target 'newer' of vm/setup could not be prepared")
    libraries = root + "/usr/lib/x86_64-linux-gnu"
    return "%s/usr/lib64/ld-linux-x86-64.so.2 --library-path %s:%s/systemd %s" % (
        root, libraries, libraries, root + program)


def musl(program):
    """The command for one of busybox's, which is static and has another C library."""
    if not os.environ["ATW_MUSL"]:
        raise Skipped("the target 'musl' of vm/setup could not be prepared")
    return "%s/busybox %s" % (os.environ["ATW_MUSL"], program)


def install():
    """Those programs as if they were this machine's own."""
    extra("true")
    if not os.path.exists("/usr/sbin/NetworkManager"):
        run("tar -C %s -cf - . | tar -C / --keep-directory-symlink -xf -; ldconfig" % PROGRAMS)
    for name in ("messagebus", "systemd-network", "systemd-resolve"):
        run("id -u %s >/dev/null 2>&1 || echo %s:x:989:65534::/:/bin/false >>/etc/passwd" % (
            name, name))
    os.makedirs("/run/dbus", exist_ok=True)


def sim(command):
    """A command to the emulator's control socket: see atw_sim_at() in util.c."""
    tag = "#%d.%d " % (os.getpid(), next(ASKED))
    with open(os.environ["ATW_SIM_CONTROL"], "r+b", buffering=0) as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        f.write((tag + command + "\n").encode())
        said = b""
        while not (answer := re.search("^" + tag + "(.*\n)", said.decode(), re.M)):
            check(select.select([f], [], [], LIMIT)[0], "the emulator is silent")
            said += f.read(4096)
    check(answer[1].startswith("ok"), "%s: %s" % (command, answer[1]))
    return answer[1]


def tell(control, command):
    """A command to another emulator's control socket; its answer."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(LIMIT)
        s.connect(control)
        s.sendall(command.encode() + b"\n")
        answer = s.makefile().readline()
    check(answer.startswith("ok"), "%s: %s" % (command, answer))
    return answer


def restart(command="reset"):
    """The module starts anew, and is in its network again: until it is seen all is as it was."""
    before = statistic("bringups")
    sim(command)
    becomes(lambda: statistic("bringups") > before and sysfs("state") == "joined",
            "the module does not come back")
    becomes(carrier, "no carrier")


@contextlib.contextmanager
def no_network():
    sim("link down")
    becomes(lambda: sysfs("state") == "down", "it is still joined")
    try:
        yield
    finally:
        sim("link up")
        becomes(lambda: sysfs("state") == "joined", "it does not join")


@contextlib.contextmanager
def not_found():
    """The module is looked for meanwhile, in vain."""
    sim("silent on")
    try:
        run(os.environ["ATW_CTL"] + " status", good=False)
        becomes(lambda: sysfs("state") == "probing", "it is not missed")
        yield
    finally:
        sim("silent off")
        becomes(lambda: sysfs("state") != "probing", "it is not found again")


def sim_stat(name):
    return int(re.search(r" %s=(\d+)" % name, sim("stats")).group(1))


@contextlib.contextmanager
def no_sockets(but=0):
    """The module makes none meanwhile, or BUT so many."""
    before = sim_stat("sockets-made")
    yield
    same(before + but, sim_stat("sockets-made"), "sockets that the module has made")


@contextlib.contextmanager
def module_resolves(names=1, but=0):
    """The module is asked for so many names at least, and makes no sockets, or BUT so many."""
    before = sim_stat("names-asked")
    with no_sockets(but):
        yield
    asked = sim_stat("names-asked") - before
    check(asked >= names, "the module was asked for %d names, not %d" % (asked, names))


def url(name, port=HTTP, scheme="http"):
    return "%s://%s:%d/%s" % (scheme, HOST, port, name)


def pattern(seed, size):
    """What peer sends, see pattern.h."""
    mask = (1 << 64) - 1
    out = []
    for i in range((size + 7) // 8):
        x = ((seed << 40) + i * 0x9e3779b97f4a7c15) & mask
        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9 & mask
        x = (x ^ x >> 27) * 0x94d049bb133111eb & mask
        out.append(struct.pack("<Q", x ^ x >> 31))
    return b"".join(out)[:size]


def peer(line, limit=LIMIT, rcvbuf=None):
    s = socket.socket()
    s.settimeout(limit)
    if rcvbuf:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    s.connect((HOST, PEER))
    s.sendall(line.encode() + b"\n")
    return s


LIBC = ctypes.CDLL(None, use_errno=True)


def atw_socket(host=HOST, port=PEER):
    """A socket of AF_ATWIFI, and an address, which Python does not know."""
    with open("/sys/module/atwifi/parameters/family", encoding="ascii") as f:
        family = int(f.read())
    return (socket.socket(family, socket.SOCK_STREAM),
            struct.pack("=H", family) + struct.pack("!H4s", port, socket.inet_aton(host)))


def atw(line, rcvbuf=None):
    """As peer(), by such a socket."""
    s, address = atw_socket()
    if rcvbuf:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    if LIBC.connect(s.fileno(), address, len(address)):
        raise OSError(ctypes.get_errno(), "connect")
    s.settimeout(LIMIT)
    s.sendall(line.encode() + b"\n")
    return s


def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(LIMIT)
    s.connect((HOST, PEER))
    return s


def connect_errno(address, port, syncnt=0, limit=LIMIT):
    with socket.socket() as s:
        if syncnt:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, syncnt)
        s.settimeout(limit)
        try:
            s.connect((address, port))
        except TimeoutError as e:
            return errno.errorcode.get(e.errno, "time-out of the test")
        except OSError as e:
            return errno.errorcode[e.errno]
    return "none"


@contextlib.contextmanager
def held():
    """A module that connects to the hole does so until it is told otherwise."""
    sim("connect-timeout 200000")
    try:
        yield
    finally:
        sim("connect-timeout 1")
        sim("connect-timeout 5000")


@contextlib.contextmanager
def busy(port):
    """The module connects to nobody, and does nothing else; for each PORT it does so once."""
    s, address = atw_socket(HOLE, port)
    with held(), s:
        s.setblocking(False)
        LIBC.connect(s.fileno(), address, len(address))
        becomes(lambda: '"opening"' in atwctl("sockets"), "it does not connect")
        yield


def atwctl(what):
    return run("%s --json %s" % (os.environ.get("ATW_CTL", "atwctl"), what))


class Family:
    """A socket of the driver's family of generic netlink, see its specification."""

    DEV = 1
    HEADER = 20

    def __init__(self):
        # Which device it is about, before what else is said.
        self.device = (self.DEV, DEV.encode() + b"\0")
        with open(os.environ["ATW_SPEC"], encoding="utf-8") as f:
            names = re.findall(r"^      name: (\S+)$", f.read().split("\noperations:")[1]
                               .split("\nmcast-groups:")[0], re.M)
        # The first is generic netlink's own, for the one question to that.
        self.commands = {"getfamily": 3, **{name: n for n, name in enumerate(names, 1)}}
        self.family = 0x10
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
        self.socket.settimeout(LIMIT)
        self.socket.bind((0, 0))
        # SOL_NETLINK, NETLINK_EXT_ACK: the reason in words, beside the request.
        self.socket.setsockopt(270, 11, 1)
        found = self.attributes(self.ask("getfamily", [(2, b"atwifi\0")])[self.HEADER:])
        self.family = struct.unpack("H", found[1][:2])[0]

    @staticmethod
    def attributes(data):
        found = {}
        while len(data) >= 4:
            length, kind = struct.unpack("HH", data[:4])
            found[kind] = data[4:length]
            data = data[(length + 3) & ~3:]
        return found

    def message(self, command, attributes):
        body = struct.pack("BBH", self.commands[command], 1, 0)
        for kind, value in attributes:
            body += struct.pack("HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
        return bytearray(struct.pack("IHHII", 16 + len(body), self.family, 5, 1, 0) + body)

    def result(self):
        """What it answers; or the error that is none."""
        answer = None
        while True:
            data = self.last = self.socket.recv(65536)
            if struct.unpack("H", data[4:6])[0] != 2:
                answer = data
                continue
            err = -struct.unpack("i", data[16:20])[0]
            if err:
                raise OSError(err, os.strerror(err))
            return answer

    def ask(self, command, attributes):
        self.socket.send(self.message(command, attributes))
        return self.result()

    def close(self):
        self.socket.close()


class Nl80211(Family):
    """What programs for Wi-Fi say to a device; they may say more than one thing at once."""

    IFINDEX, MAC, SSID, PRIVACY, OWNER, KEY, PASSWORD = 3, 6, 52, 70, 204, 254, 277

    def __init__(self, dev):
        super().__init__()
        self.device = (self.IFINDEX, struct.pack("I", socket.if_nametoindex(dev)))
        self.commands.update({"connect": 46, "disconnect": 48})
        self.family = 0x10
        found = self.attributes(self.ask("getfamily", [(2, b"nl80211\0")])[self.HEADER:])
        self.family = struct.unpack("H", found[1][:2])[0]

    def say(self, *said):
        """Each a command and what else belongs to it; the errno of the last, or 0."""
        messages = b"".join(self.message(command, [self.device, *attributes])
                            for command, *attributes in said)
        # The kernel's threads have no turn in between: there is one processor.
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        self.socket.send(messages)
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        for _ in said:
            try:
                self.result()
                err = 0
            except OSError as e:
                err = e.errno
        return err


def join(ssid, password):
    """Has the module join a network, for good."""
    with open(TMP + "/password", "w", encoding="ascii") as f:
        f.write(password)
    atwctl("-p %s/password join %s" % (TMP, ssid))


def quiet():
    """Nothing is left of streams, neither here nor in the module, nor is it told to make one."""
    becomes(lambda: not counter("flows_tcp"), "flows are left")
    becomes(lambda: counter("ids_in_use") <= counter("flows_udp"), "connections are left")
    becomes(lambda: sim_stat("sockets") <= counter("flows_udp"), "the module has sockets left")


@contextlib.contextmanager
def local_peer():
    """The peer, on this guest's own loopback."""
    with subprocess.Popen([os.environ["ATW_PEER"], "-a", "127.0.0.1", "-p", str(PEER)],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        server.stdout.readline()
        yield
        server.terminate()


@contextlib.contextmanager
def lan():
    """A machine behind this one."""
    run("ip netns add lan && ip link add lan0 type veth peer name eth0 netns lan && "
        "ip addr add 10.9.0.1/24 dev lan0 && ip link set lan0 up && "
        "ip -n lan addr add 10.9.0.2/24 dev eth0 && ip -n lan link set eth0 up && "
        "ip -n lan link set lo up && ip -n lan route add default via 10.9.0.1 && "
        "sysctl -qw net.ipv4.ip_forward=1")
    try:
        yield
    finally:
        run("sysctl -qw net.ipv4.ip_forward=0; ip link del lan0; ip netns del lan; "
            "nft flush ruleset")


@contextlib.contextmanager
def daemon(command, umask=-1, env=()):
    """A program that serves meanwhile; what it says is shown of a test that fails."""
    with open(TMP + "/log", "ab") as log, \
         subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL, stdout=log,
                          stderr=log, umask=umask, env={**os.environ, **dict(env)}) as process:
        try:
            yield process
        except BaseException:
            print("# " + run("tail -c 3000 %s/log" % TMP).replace("\n", "\n# "))
            raise
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()


class Notified(socket.socket):
    """What a service tells systemd."""

    process = None	# the service

    def __init__(self, path):
        super().__init__(socket.AF_UNIX, socket.SOCK_DGRAM)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self.settimeout(LIMIT)
        self.bind(path)
        os.chmod(path, 0o777)

    def says(self, words):
        while self.recv(4096).decode() != words:
            pass


def look(agent_):
    """Has the agent look at all again; it has when the module was asked."""
    before = statistic("commands")
    agent_.send_signal(signal.SIGHUP)
    becomes(lambda: statistic("commands") > before, "the module is not asked")


@contextlib.contextmanager
def bus():
    """D-Bus, as the system has it."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink("/run/dbus/system_bus_socket")
    with daemon(["dbus-daemon", "--system", "--nofork", "--nopidfile"]):
        becomes(lambda: os.path.exists("/run/dbus/system_bus_socket"), "no bus")
        yield


def on_bus(name):
    """Waits until somebody has this name: who asks for it earlier has another one started."""
    becomes(lambda: run("busctl call org.freedesktop.DBus /org/freedesktop/DBus "
                        "org.freedesktop.DBus NameHasOwner s " + name, good=False) == "b true\n",
            "nobody is " + name)


def udhcpc():
    """Configures the device as busybox does; what it was told."""
    run("udhcpc -i %s -n -q -f -t 20 -T 3 -s %s" % (DEV, LEASE))
    with open("/tmp/lease", encoding="ascii") as f:
        return f.read().split()


def configure():
    run("ip link set %s up" % DEV)
    becomes(carrier, "no carrier")
    udhcpc()


def prepare():
    if "ATW_SIM_CONTROL" in os.environ:
        configure()


def main():
    os.makedirs(TMP, exist_ok=True)
    return run_tests(prepare)
