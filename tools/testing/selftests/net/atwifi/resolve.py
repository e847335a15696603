#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Names for every program: the library, the module of the C library, and the name server
atwifid. Whatever a name costs the module, it is none of its sockets. Environment as for
netdev.py; ATW_LIB is where all three are.
"""

import concurrent.futures
import contextlib
import errno
import functools
import itertools
import os
import pathlib
import random
import re
import resource
import shlex
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import textwrap
import threading
import time

import goresolver
from atwnet import (
    DNS, FILES, HOLE, HOST, HTTP, LIBC, PEER, Family, Notified, atw_socket, atwctl, busy, held,
    lan, main, module_resolves, musl, no_network, no_sockets, sim, sim_stat, url)
from guest import (LIMIT, Module, Skipped, becomes, check, counter, digest, receive, reset, run,
                   same, statistic, sysfs, test)
from servers import dns_answer

NAME = os.environ["ATW_NAME"]
LIB = os.environ["ATW_LIB"]
REPO = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../../../..")
MANUAL = os.path.join(REPO, "Documentation/networking/atwifi")
# What the machine's name server says of any name.
ELSEWHERE = "203.0.113.7"
# How many are asked at once.
NAMES = 1000
NOBODY = "setpriv --reuid 65534 --regid 65534 --clear-groups "

LIBRARY = """
import ctypes, errno, os, select, socket
lib = ctypes.CDLL("%s/libatwifi.so.0", use_errno=True)
def call(name, *args):
    ret = getattr(lib, name)(*args)
    return ret if ret >= 0 else errno.errorcode[ctypes.get_errno()]
def resolve(host, dev=None, ms=-1):
    addr = ctypes.c_uint32()
    ret = call("atwifi_resolve", dev, host, ctypes.byref(addr), ms)
    return ret or socket.inet_ntoa(addr.value.to_bytes(4, "little"))
""" % LIB


def python(code, how="", good=True):
    """What a program prints that has the library."""
    path = "/tmp/library.py"
    with open(path, "w", encoding="ascii") as f:
        f.write(LIBRARY + code)
    return run("%s /usr/bin/python3 %s" % (how, path), good=good).split()


@contextlib.contextmanager
def silent_module():
    sim("silent on")
    try:
        yield
    finally:
        sim("silent off")


@contextlib.contextmanager
def own_module(*options):
    """One more, which can be stopped, and taken out."""
    with Module("/tmp/own", options, dev="atw1") as module:
        becomes(lambda: sysfs("state", "atw1") == "joined", "it does not join")
        yield module


@contextlib.contextmanager
def within(seconds):
    """As a thread counts them, which stands still where the machine does."""
    ended, took = threading.Event(), 0

    def count():
        nonlocal took
        before = time.monotonic()
        while not ended.wait(0.1):
            now = time.monotonic()
            took += min(now - before, 1)
            before = now

    counting = threading.Thread(target=count, daemon=True)
    counting.start()
    try:
        yield
    finally:
        ended.set()
        counting.join()
    check(took < seconds, "it took %.1f s" % took)


def at_once():
    """Nobody is waited for: for a module that does not answer that is 15 s."""
    return within(14)


@test
def library_opens():
    out = python("""
name = b"%s"
s = socket.socket(fileno=call("atwifi_open", None, name, %d, 0), type=socket.SOCK_STREAM)
s.settimeout(60)
s.sendall(b"echo\\nhello")
print(s.recv(5).decode(), os.get_inheritable(s.fileno()))
fd = call("atwifi_open", b"atw0", name, %d, 8)
print(os.get_blocking(fd))
select.select([], [fd], [])
s = socket.socket(call("atwifi_family"), socket.SOCK_STREAM)
print(call("atwifi_connect", s.fileno(), b"192.0.2.1", %d))
for args in ((b"nobody.test", 80, 0), (name, 9, 0), (b"", 80, 0), (b"a" * 120, 80, 0),
             (name, %d, 2), (name, %d, 6), (name, 80, 3), (name, 80, 4), (name, 80, 16)):
    print(call("atwifi_open", None, *args))
print(call("atwifi_open", b"atw7", name, 80, 0))
""" % (NAME, PEER, PEER, PEER, PEER, PEER))
    same("hello False False 0 EHOSTUNREACH ECONNREFUSED EINVAL ENAMETOOLONG EKEYREJECTED EPROTO "
         "EINVAL EINVAL EINVAL ENODEV", " ".join(out), "opens")


@test
def library_opens_tls():
    """A stream to whom the module can verify, by its certificate, or to anybody."""
    code = """
def says(port, flags):
    fd = call("atwifi_open", None, b"%s", port, flags)
    if isinstance(fd, str):
        return fd
    with socket.socket(fileno=fd, type=socket.SOCK_STREAM) as s:
        s.settimeout(60)
        s.sendall(b"echo\\nhello")
        return s.recv(5).decode()
""" % NAME
    good, wrong = (int(os.environ["ATW_TLS_" + name]) for name in ("GOOD", "WRONG"))
    ask = "print(says(%d, 2), says(%d, 2), says(%d, 6))" % (good, wrong, wrong)
    same(["EKEYREJECTED", "EKEYREJECTED", "hello"], python(code + ask), "without a certificate")
    atwctl("cert ca %s/ca.pem" % os.environ["ATW_TLS_DIR"])
    same(["hello", "EKEYREJECTED", "EKEYREJECTED"], python(code + ask), "with it")


def example(number, *changes):
    """A program of the manual's, but for whom it asks and where it serves: how it is run."""
    with open(MANUAL + "/programming.rst", encoding="utf-8") as f:
        text = re.findall(r"^\.\. example: run by .*\n\n::\n\n((?:\t.*\n|\n)*)", f.read(),
                          re.M)[number]
    for had, put in changes:
        check(had in text, "the manual has no " + had)
        text = text.replace(had, put)
    source = "/tmp/example" + (".c" if "int main" in text else ".py")
    with open(source, "w", encoding="ascii") as f:
        f.write(textwrap.dedent(text))
    command = ["env", "LD_LIBRARY_PATH=" + LIB]
    if source.endswith(".py"):
        return [*command, "/usr/bin/python3", source]
    run("gcc -std=gnu11 -O2 -Wall -Wextra -Wshadow -Werror -I {0}/tools/lib/atwifi "
        "-I {0}/include/uapi -o /tmp/example {1} -L {2} -latwifi".format(REPO, source, LIB))
    return [*command, "/tmp/example"]


@test
def manual_asks():
    """Its programs in C and in Python that ask a web server."""
    for command in ([*example(0, ("name, 80,", "name, %d," % HTTP)), NAME],
                    example(2, ('b"example.com", 80,', 'b"%s", %d,' % (NAME, HTTP)))):
        out = run(shlex.join(command))
        check(re.match(r"HTTP/1\.[01] \d+ ", out), "no answer: " + out)


@test
def manual_serves():
    """Its server: whoever connects has his bytes back, and somebody is told of it."""
    port, before = random.randrange(10000, 30000), statistic("opened")
    clients = itertools.count()

    def echoed():
        s, address = atw_socket(port=port)
        with s:
            # A timeout of Python's would have connect() not wait.
            for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
                s.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", 30, 0))
            if LIBC.connect(s.fileno(), address, len(address)):
                return False
            next(clients)
            s.sendall(b"hello")
            return receive(s, 5) == b"hello"

    command = example(1, ("htons(8080)", "htons(%d)" % port), ("htons(514)", "htons(%d)" % PEER))
    with subprocess.Popen([*command, NAME], stderr=subprocess.PIPE, text=True) as server:
        try:
            # It is done with one, and has told of him, when it serves the next.
            for _ in range(3):
                becomes(echoed, "nobody is served")
        finally:
            server.kill()
        same("", server.stderr.read(), "what went wrong")
    same(2, statistic("opened") - before - next(clients), "the server, and what tells of them")


@test
def library_resolves():
    with no_sockets():
        out = python("""
for host in (b"%s", b"%s.", b"192.0.2.7", b"nobody.test", b"a\\r\\nAT+RST", b"", b"a" * 120):
    print(resolve(host))
print(resolve(b"%s", b"atw0"), resolve(b"%s", b"atw7"), resolve(b"%s", b"a" * 40))
print(call("atwifi_ready", None), call("atwifi_ready", b"atw0"), call("atwifi_ready", b"atw7"))
""" % ((NAME,) * 5), NOBODY)
    same([HOST, HOST, "192.0.2.7", "EHOSTUNREACH", "EINVAL", "EINVAL", "ENAMETOOLONG",
          HOST, "ENODEV", "ENODEV", "0", "0", "ENODEV"], out, "resolves")
    ready = 'print(call("atwifi_ready", None), resolve(b"%s", b"atw0"))' % NAME
    with no_network():
        same(["ENETDOWN", "ENETDOWN"], python(ready), "without a network")
    same(["ENODEV", "ENODEV"], python(ready, "unshare -n"), "in another namespace")
    # Not even asked for: the kernel would look for a module of that name.
    same(["ENODEV", "ENODEV"], python(
        ready, "unshare -m sh -c 'mount -t tmpfs none /sys/module && exec \"$@\"' sh"),
        "without the driver")
    with silent_module():
        same(["ETIMEDOUT"], python('print(resolve(b"%s", b"atw0", 10))' % NAME), "of a silent module")
    becomes(lambda: python(ready) == ["0", HOST], "it does not resolve again")


@test
def library_leaves_errno():
    """What goes well does not set it to 0, nor where a signal has come in between."""
    out = python("""
import signal
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
def left(name, *args):
    ctypes.set_errno(errno.EXDEV)
    return getattr(lib, name)(*args) >= 0, ctypes.get_errno() != 0
kept = left("atwifi_resolve", None, b"%s", ctypes.byref(ctypes.c_uint32()), -1)
# Some of these take until a signal comes.
for _ in range(50):
    fd = lib.atwifi_open(None, b"%s", %d, 0)
    kept += fd >= 0, ctypes.get_errno() != 0
    os.close(fd)
signal.setitimer(signal.ITIMER_REAL, 0)
print(all(kept[:2]), all(kept))
""" % (NAME, NAME, PEER))
    same(["True", "True"], out, "whether it went well, and errno was left")


@test
def is_asked_at_length():
    """Of what anybody asks a copy waits for the module: it has no more than a name needs."""
    host, name = 2, NAME.encode() + b"\0"
    with contextlib.closing(Family()) as family:
        for asked, code in ([(host, b"a" * 60000 + b"\0")], errno.EINVAL), \
                           ([(host, name)] * 1000, errno.EMSGSIZE):
            try:
                family.ask("resolve", asked)
                check(False, "it is taken")
            except OSError as e:
                same(code, e.errno, "error")
        family.ask("resolve", [(host, name)])


@test
def library_asks_much():
    """Many questions, of which each has its answer."""
    out = python("""
class Answer(ctypes.Structure):
    _fields_ = [("id", ctypes.c_uint32), ("error", ctypes.c_int), ("addr", ctypes.c_uint32)]
lib.atwifi_resolver_new.restype = ctypes.c_void_p
r = ctypes.c_void_p(lib.atwifi_resolver_new())
fd = call("atwifi_resolver_fd", r)
answer, number, want = Answer(), ctypes.c_uint32(), {}
print(call("atwifi_resolver_next", r, ctypes.byref(answer)))
for i in range(60):
    host = b"192.0.2.%%d" %% i if i %% 3 else b"nobody%%d.test" %% i
    assert not call("atwifi_resolver_ask", r, b"atw0", host, ctypes.byref(number))
    want[number.value] = i
while want:
    assert select.select([fd], [], [], 100)[0]
    while call("atwifi_resolver_next", r, ctypes.byref(answer)) == 0:
        i = want.pop(answer.id)
        if i %% 3:
            assert not answer.error and answer.addr.to_bytes(4, "little") == bytes((192, 0, 2, i))
        else:
            assert answer.error == errno.EHOSTUNREACH, answer.error
lib.atwifi_resolver_free(r)
print("all")
""".replace("%%", "%"))
    same(["EAGAIN", "all"], out, "answers")


class NameServer(socketserver.ThreadingUDPServer):
    """What this machine would ask if there were no module; it counts."""

    asked = 0

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.server.asked += 1
            self.request[1].sendto(dns_answer(self.request[0]), self.client_address)

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *unused):
        self.shutdown()
        self.server_close()


@contextlib.contextmanager
def name_service():
    """The machine is configured for it, and has a name server as well."""
    with open("/etc/nsswitch.conf", "w", encoding="ascii") as f:
        f.write("hosts: files atwifi [!UNAVAIL=return] dns\n")
    with open("/etc/resolv.conf", "w", encoding="ascii") as f:
        f.write("nameserver 127.0.0.9\n")
    with open("/etc/hosts", "a", encoding="ascii") as f:
        f.write("203.0.113.8 file.test\n")
    run("ip link set lo up")
    os.environ["LD_LIBRARY_PATH"] = LIB
    try:
        with NameServer(("127.0.0.9", 53), NameServer.Handler) as server:
            yield server
    finally:
        del os.environ["LD_LIBRARY_PATH"]


def getent(what, how=""):
    return run("%s getent %s; true" % (how, what)).split()


def pings(whom, ping="ping"):
    """After one that took long, as on a busy machine, none is sent for a while."""
    becomes(lambda: " 0% packet loss" in run("%s -c 1 -W 2 %s" % (ping, whom), good=False),
            "no reply")


@test
def every_program():
    """Unmodified ones, which are told nothing of modules."""
    stream = [HOST, "STREAM", NAME, HOST, "DGRAM", HOST, "RAW"]
    with name_service() as server:
        for what, how, want in (
                ("hosts " + NAME, "", [HOST, NAME]), ("hosts " + NAME, NOBODY, [HOST, NAME]),
                ("ahosts " + NAME, "", stream), ("ahostsv4 " + NAME + ".", "", stream),
                # It asks for mapped ones where there are no others.
                ("ahostsv6 -A " + NAME, "", ["::ffff:" + HOST, "STREAM", NAME])):
            with module_resolves():
                got = getent(what, how)
                same(want, got[:len(want)] if "-A" in what else got, how + "getent " + what)
        with module_resolves(5):
            out = run("""/usr/bin/python3 -c '
import socket, errno
print(socket.gethostbyname_ex("%s"), {a[4][0] for a in socket.getaddrinfo("%s", 80)})
for host, family in (("%s", socket.AF_INET6), ("nobody.test", socket.AF_INET6),
                     ("nobody.test", 0), ("a b", 0)):
    try:
        print(socket.getaddrinfo(host, 80, family))
    except socket.gaierror as e:
        print({v: k for k, v in vars(socket).items() if k.startswith("EAI_")}[e.errno])
'""" % (NAME, NAME, NAME))
        same("('%s', [], ['%s']) {'%s'}\nEAI_NODATA\nEAI_AGAIN\nEAI_AGAIN\nEAI_NONAME\n" % (
            NAME, HOST, HOST), out, "python3")
        with module_resolves():
            # Of addresses others are asked for names.
            pings("-n " + NAME)
        path = "/tmp/small"
        with module_resolves(but=1):
            run("curl -sS -o %s %s" % (path, url("small").replace(HOST, NAME)))
        same(digest(FILES + "/www/small"), digest(path), "curl")
        same(0, server.asked, "questions to the name server")


@test
def unavailable():
    """Without a module the next service is asked, and only then."""
    with name_service() as server:
        with no_network():
            asked = sim_stat("names-asked")
            with at_once():
                same([ELSEWHERE], getent("ahostsv4 " + NAME)[:1], "without a network")
            same(asked, sim_stat("names-asked"), "names that the module was asked for")
        for how in ("unshare -n sh -c 'ip link set lo up; exec \"$@\"' sh",
                    "unshare -m sh -c 'mount -t tmpfs none /sys/module && exec \"$@\"' sh"):
            # In another namespace there is no name server, but what is in a file.
            with at_once():
                same(["203.0.113.8"], getent("-A -s 'hosts:atwifi [!UNAVAIL=return] files' "
                                             "ahostsv4 file.test", how)[:1], how)
        asked = server.asked
        long = ".".join(["a" * 60] * 3)
        same([ELSEWHERE], getent("ahostsv4 " + long)[:1], "a longer name")
        check(server.asked > asked, "who has said that?")
        # But none that no server can be asked for, and so there is none.
        longest, longer = (".".join([n * "a"] + ["a" * 60] * 4) for n in (9, 10))
        with open("/etc/hosts", "a", encoding="ascii") as f:
            f.write("203.0.113.9 %s %s\n" % (longest, longer))
        for name, want in ((longest, ["203.0.113.9"]), (longer, []), (longer + ".", [])):
            same(want, getent("-A -s 'hosts:atwifi [!UNAVAIL=return] files' ahostsv4 " + name)[:1],
                 "a name of %d bytes" % len(name))
        # For those that others know the module is not asked, but where the dot makes them whole.
        with open("/etc/hosts", "a", encoding="ascii") as f:
            f.write("203.0.113.10 nas a.local A.LOCAL localhost.localdomain\n")
        asked = sim_stat("names-asked")
        for name in ("nas", "a.local", "A.LOCAL", "localhost.localdomain"):
            same(["203.0.113.10"], getent("-A -s 'hosts:atwifi [!UNAVAIL=return] files' "
                                          "ahostsv4 " + name)[:1], name)
        same(asked, sim_stat("names-asked"), "names that the module was asked for")
        with module_resolves():
            getent("-s hosts:atwifi ahostsv4 nas.")
        # Of this machine the module is not asked, nor believed.
        out = run("getent -s hosts:atwifi ahostsv4 localhost; getent -s hosts:atwifi ahostsv4 "
                  "a.LOCALHOST.; true")
        same("", out, "localhost")


@test
def in_time():
    """Who asks a silent module is told to ask again, and no server is asked instead."""
    with name_service() as server:
        with silent_module():
            out = run("/usr/bin/python3 -c 'import socket; print(socket.getaddrinfo(\"%s\", 80))' "
                      "2>&1; true" % NAME)
        check("gaierror: [Errno %d]" % socket.EAI_AGAIN in out, out)
        same(0, server.asked, "questions to the name server")
        becomes(lambda: getent("hosts " + NAME) == [HOST, NAME], "it does not resolve again")


@test
def in_any_locale():
    """A name is the same bytes in each, though to the C library "I" is no "i" in Turkish."""
    if not os.path.exists(LIB + "/locales"):
        raise Skipped("Debian's package 'locales' is not installed")
    with name_service():
        asked = sim_stat("names-asked")
        out = run("LOCPATH=" + LIB + """/locales /usr/bin/python3 -c '
import locale, socket
for name in "tr_TR.UTF-8", "de_DE.ISO-8859-1":
    locale.setlocale(locale.LC_CTYPE, name)
    for host in b"a.ONION", b"caf\\xe9.test", b"-a.test":
        try:
            print(socket.getaddrinfo(host, 80))
        except socket.gaierror as e:
            print({v: k for k, v in vars(socket).items() if k.startswith("EAI_")}[e.errno])
'""")
        same(["EAI_NONAME"] * 6, out.split(), "answers")
        same(asked, sim_stat("names-asked"), "names that the module was asked for")


@test
def without_names():
    """Of firmware that resolves none, whichever address is asked for."""
    addresses = "203.0.113.11", "2001:db8::11"
    with name_service(), no_network(), own_module("--without", "AT+WDOMAIN"):
        with open("/etc/hosts", "a", encoding="ascii") as f:
            f.writelines("%s both.test\n" % address for address in addresses)
        for what, want in zip(("ahostsv4", "ahostsv6"), addresses):
            same([want], getent("-A -s 'hosts:atwifi [!UNAVAIL=return] files' %s both.test" %
                                what)[:1], what)


@test
def threads():
    with name_service(), no_sockets():
        same("160\n", run("""/usr/bin/python3 -c '
import socket, threading
good = []
def ask():
    for _ in range(20):
        good.extend(a[4][0] == "%s" for a in socket.getaddrinfo("%s", 1, type=socket.SOCK_DGRAM))
threads = [threading.Thread(target=ask) for _ in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
print(sum(good))
'""" % (HOST, NAME)), "addresses")


@test
def interrupted():
    """By signals all the time, and in a child as well."""
    with name_service(), no_sockets():
        same("{'%s'}\n" % HOST * 3, run("""/usr/bin/python3 -c '
import os, signal, socket
def ask():
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    print({a[4][0] for _ in range(10) for a in socket.getaddrinfo("%s", 1)}, flush=True)
    signal.setitimer(signal.ITIMER_REAL, 0)
signal.signal(signal.SIGALRM, lambda *_: None)
ask()
child = os.fork()
ask()
if child:
    os.waitpid(child, 0)
'""" % NAME), "addresses")


@test
def cancelled():
    """A thread that is ended while it waits for the module leaves nothing open."""
    with name_service():
        with silent_module():
            same("0 0\n", run("%s/cancel %s 2>&1" % (LIB, NAME)), "sockets that are left")
        becomes(lambda: getent("hosts " + NAME) == [HOST, NAME], "it does not resolve again")


# The name server of this machine.

STUB = "127.0.0.57"
# Its own, which has the answers that the other cannot have.
UPSTREAM = ("127.0.0.9", 5353)


@functools.cache
def idle():
    """
    Another one, and connections to it on which nothing is asked, or never a whole question: from
    the first test on, so that for 30 s nobody need wait.
    """
    at = ("127.0.0.3", 53)
    server = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", LIB + "/atwifid", "--listen",
                               "%s:%d" % at], env={**os.environ, "LD_LIBRARY_PATH": LIB})
    becomes(lambda: not socket.socket().connect_ex(at), "nobody listens")
    both = [socket.create_connection(at, LIMIT) for _ in range(2)]
    both[0].sendall(b"\0\x20" + question(1, NAME)[:20])
    return server, both


@contextlib.contextmanager
def stub(options="", says=None):
    """It runs, as somebody without privileges but that for its port; SAYS is a file."""
    path = "/tmp/notify"
    run("ip link set lo up")
    idle()
    with Notified(path) as notified:
        env = {**os.environ, "LD_LIBRARY_PATH": LIB, "NOTIFY_SOCKET": path,
               "WATCHDOG_USEC": "100000"}
        command = ("setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps "
                   "-all,+net_bind_service --ambient-caps +net_bind_service --bounding-set "
                   "-all,+net_bind_service %s/atwifid %s" % (LIB, options))
        with subprocess.Popen(command.split(), env=env, stdin=subprocess.DEVNULL,
                              stderr=says) as server:
            try:
                notified.says("READY=1")
                notified.process = server
                yield notified
                same(None, server.poll(), "it has ended")
                server.terminate()
                same(0, server.wait(LIMIT), "its status")
            finally:
                server.kill()


def dig(what, server=STUB):
    """Its words; an answer always comes."""
    return run("dig +tries=1 +time=60 @%s %s" % (server, what))


def status(what):
    out = dig(what)
    return re.search(r"status: (\w+)", out).group(1), int(re.search(r"ANSWER: (\d+)", out).group(1))


def question(number, name, kind=1, network=1):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack(">HHHHHH", number, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(
        ">HH", kind, network)


def result(name, kind=1, network=1):
    """The code, and how many records there are: as status(), without a program's start."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(LIMIT)
        s.connect((STUB, 53))
        s.send(question(7, name, kind, network))
        number, flags, asked, count = struct.unpack(">HHHH", s.recv(4096)[:8])
    same((7, 1), (number, asked), "answer")
    return flags & 15, count


def address_of(answer):
    """Of an answer: its number, its code, and an address."""
    number, flags, _, count = struct.unpack(">HHHH", answer[:8])
    check(flags & 0x8000, "no answer")
    return number, flags & 15, socket.inet_ntoa(answer[-4:]) if count else None


@test
def stub_answers():
    with stub() as notified, no_sockets():
        notified.says("WATCHDOG=1")
        for how in ("", "+tcp", "+noedns", "+bufsize=512"):
            same(HOST + "\n", dig("+short %s %s" % (how, NAME)), "dig " + how)
        out = dig("+qr " + NAME.upper())
        check(re.search(r"%s\.\s+([1-9]|10)\s+IN\s+A\s+%s" % (NAME.upper(), HOST), out), out)
        check("flags: qr rd ra;" in out and out.count("EDNS: version: 0") == 2, out)
        for want, what in ((("NOERROR", 0), NAME + " AAAA"), (("NOTIMP", 0), NAME + " MX"),
                           (("BADVERS", 0), NAME + " +edns=1 +noednsneg"),
                           (("NOTIMP", 0), NAME + " +opcode=notify")):
            same(want, status(what), "dig " + what)
        for want, what in (
                ((4, 0), ("1.2.0.192.in-addr.arpa", 12)), ((0, 1), (NAME, 255)),
                ((0, 1), ("a.localhost",)), ((0, 1), ("localhost", 28)), ((3, 0), ("a.invalid",)),
                ((3, 0), ("a.onion", 28)), ((5, 0), (NAME, 1, 3)), ((5, 0), (NAME, 1, 255)),
                *(((5, 0), (NAME, kind)) for kind in (0, 41, 249, 250, 251, 252, 253, 254)),
                ((2, 0), ("nobody.test",)), ((2, 0), (".".join(["a" * 50] * 4),))):
            same(want, result(*what), str(what))
        # What no program means, and the next is answered again.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(LIMIT)
            s.connect((STUB, 53))
            for junk in (b"", b"x", b"\xff" * 12, question(1, NAME)[:-1], bytes(4096)):
                s.send(junk)
            s.send(question(0x4242, NAME))
            while True:
                answer = s.recv(4096)
                if answer[:2] == b"\x42\x42":
                    break
                same(1, answer[3] & 15, "code for what nobody can read")
        same((0x4242, 0, HOST), address_of(answer), "answer")


@test
def stub_elsewhere():
    """It listens where it is told to, and on this machine alone."""
    with stub("--listen 127.0.0.3:5300"):
        for how in ("", "+tcp"):
            same(HOST + "\n", dig("+short -p 5300 %s %s" % (how, NAME), "127.0.0.3"), "dig " + how)
    for address in ("192.0.2.1", "0.0.0.0", "127.0.0.1:0", "localhost", "::1"):
        said = run("LD_LIBRARY_PATH=%s %s/atwifid --listen %s 2>&1; echo status $?" % (
            LIB, LIB, address))
        check(said.endswith("status 2\n") and address.split(":0")[0] in said, said)
    # None of those whom it is to ask is forgotten without a word.
    for servers in ("192.0.2.1 /tmp/servers", "/tmp/servers 192.0.2.1", "/tmp/a /tmp/b",
                    "192.0.2.1 192.0.2.2 192.0.2.3"):
        said = run("LD_LIBRARY_PATH=%s timeout 10 %s/atwifid --server %s 2>&1; echo status $?" % (
            LIB, LIB, servers.replace(" ", " --server ")))
        check(said.endswith("status 2\n") and "or one file" in said, said)


@test
def stub_on_a_router():
    """Where others are let in to addresses of this machine alone it is not there for them."""
    def asks(*words):
        return run(shlex.join(["ip", "netns", "exec", "lan", "dig", "+tries=1", "+time=60",
                               *words]), good=False)

    anybody = "sysctl -qw net.ipv4.conf.all.route_localnet=%d"
    with lan(), Upstream(UPSTREAM, Upstream.Handler), stub():
        run(anybody % 1 + "; ip netns exec lan " + anybody % 1)
        run("ip -n lan addr flush dev lo; ip -n lan route add 127.0.0.0/24 via 10.9.0.1")
        try:
            check("NXDOMAIN" in asks("+tcp", "-p", str(UPSTREAM[1]), "@" + UPSTREAM[0], "nx.test"),
                  "they are not let in")
            for how in ("+tcp", "+notcp"):
                out = asks(how, "@" + STUB, "localhost")
                check("refused" in out, out)
                same("127.0.0.1\n", dig("+short %s localhost" % how), "its own machine")
        finally:
            run(anybody % 0)


@test
def stub_without_systemd():
    """By the manual's lines for an init, which tells it nothing, and whom it tells nothing."""
    with open("%s/../../../tools/net/atwifi/atwifid.8" % MANUAL, encoding="utf-8") as f:
        lines = re.findall(r"^::respawn:(.*)$", f.read(), re.M)
    same(2, len(lines), "lines of the manual")
    run("ip link set lo up")
    env = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
    with contextlib.ExitStack() as stack:
        both = [stack.enter_context(subprocess.Popen(
            line.replace("/usr/sbin", LIB).split(), env={**env, "LD_LIBRARY_PATH": LIB}))
            for line in lines]
        for process in both:
            stack.callback(process.kill)
        becomes(lambda: run("dig +tries=1 +time=60 +short @%s %s" % (STUB, NAME), good=False) ==
                HOST + "\n", "it does not answer")
        # One names a server, who does not answer here, and the other asks it.
        becomes(lambda: result(NAME, 15) == (2, 0), "there is no server")
        for process in both:
            process.terminate()
        same([0, 0], [process.wait(LIMIT) for process in both], "status")


@test
def stub_tcp():
    """Several questions on one connection, and its end before their answers."""
    with stub() as _, no_sockets(), socket.create_connection((STUB, 53), LIMIT) as s:
        sent = b"".join(len(q).to_bytes(2, "big") + q for q in (
            question(n, "192.0.2.%d" % n) for n in range(1, 41)))
        for i in range(0, len(sent), 7):
            s.sendall(sent[i:i + 7])
        s.shutdown(socket.SHUT_WR)
        got = {}
        while True:
            size = receive(s, 2)
            if not size:
                break
            number, code, addr = address_of(receive(s, int.from_bytes(size, "big")))
            got[number] = code, addr
        same({n: (0, "192.0.2.%d" % n) for n in range(1, 41)}, got, "answers")


OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
TSIG = b"\0\0\xfa\0\xff\0\0\0\0\0\0"


@test
def stub_is_told_anything():
    """A question has a name and EDNS, and nothing else; nor is it long."""
    plain = question(9, NAME)

    def with_counts(*counts):
        return plain[:4] + struct.pack(">HHHH", *counts) + plain[12:]

    def with_options(size):
        """EDNS with so much in it that the message has this size."""
        left = size - len(plain) - len(OPT)
        return with_counts(1, 0, 0, 1) + OPT[:-2] + left.to_bytes(2, "big") + bytes(left)

    with stub(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(LIMIT)
        s.connect((STUB, 53))
        for want, wire in (
                (0, plain), (0, with_counts(1, 0, 0, 1) + OPT), (1, plain + b"\0"),
                (1, with_counts(1, 0, 0, 2) + 2 * OPT), (1, with_counts(1, 0, 0, 1)),
                (1, with_counts(1, 0, 0, 1) + OPT + b"\0"), (1, with_counts(1, 0, 0, 1) + TSIG),
                (1, with_counts(1, 0, 1, 0) + OPT), (1, with_counts(1, 1, 0, 0) + OPT),
                (1, with_counts(2, 0, 0, 0) + plain[12:]), (1, with_counts(0, 0, 0, 0)),
                (1, plain[:12] + b"\xc0\x0c\0\1\0\1"),
                (0, with_options(1232)), (1, with_options(1233)), (1, plain + bytes(1300))):
            s.send(wire)
            answer = s.recv(4096)
            same((plain[:2], want), (answer[:2], answer[3] & 15), repr(wire))
        with socket.create_connection((STUB, 53), LIMIT) as tcp:
            tcp.sendall(b"\xff\xff" + plain)
            with contextlib.suppress(ConnectionResetError):
                same(b"", tcp.recv(1), "answer to a long one")


@test
def stub_tcp_places():
    """Whoever takes all of them, and does not ask, gives way."""
    half = b"\0\x20" + question(1, NAME)[:20]
    with stub(), contextlib.ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection((STUB, 53), LIMIT))
                for _ in range(80)]
        for s in idle:
            with contextlib.suppress(OSError):
                s.sendall(half)
        same(HOST + "\n", dig("+short +tcp " + NAME), "dig")
        with contextlib.suppress(ConnectionResetError):
            same(b"", idle[0].recv(1), "answer to the one that is idle for longest")


@test
def stub_without_files():
    """Where it may open no more one who asks nothing gives way, or who comes has to wait."""
    with open("/tmp/says", "w+b") as says, stub(says=says) as notified, \
         contextlib.ExitStack() as stack:
        pid = notified.process.pid

        def connect():
            return stack.enter_context(socket.create_connection((STUB, 53), LIMIT))

        # With all that it needs for a question.
        same(HOST + "\n", dig("+short " + NAME), "dig")
        has = max(map(int, os.listdir("/proc/%d/fd" % pid))) + 1
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (has, 1024))
        waits, one = connect(), question(1, "localhost")
        waits.sendall(len(one).to_bytes(2, "big") + one)
        # It has been told of that connection when it answers this.
        same(HOST + "\n", dig("+short " + NAME), "dig")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (has + 8, 1024))
        same((1, 0, "127.0.0.1"), address_of(receive(waits, 2 + len(one) + 16)[2:]), "answer")
        idle = [connect() for _ in range(20)]
        same(HOST + "\n", dig("+short +tcp " + NAME), "dig")
        with contextlib.suppress(ConnectionResetError):
            same(b"", idle[0].recv(1), "answer to the one that is idle for longest")
        says.seek(0)
        same(b"", says.read(), "what it says")


@contextlib.contextmanager
def little_room():
    """The kernel keeps little of what nobody has read."""
    with contextlib.ExitStack() as stack:
        for path in ("/proc/sys/net/ipv4/tcp_rmem", "/proc/sys/net/ipv4/tcp_wmem"):
            file = pathlib.Path(path)
            stack.callback(file.write_text, file.read_text(encoding="ascii"), encoding="ascii")
            file.write_text("4096 16384 32768", encoding="ascii")
        yield


@test
def stub_tcp_reader():
    """Who does not read is not read from, and has all answers once he does."""
    number = 2500
    one = question(1, ".".join(["a" * 60] * 3) + ".localhost")
    left = (len(one).to_bytes(2, "big") + one) * number
    with little_room(), stub(), socket.socket() as s:
        s.connect((STUB, 53))
        s.setblocking(False)
        still = 0
        while left and still < 3:
            try:
                left = left[s.send(left):]
                still = 0
            except BlockingIOError:
                # It has had its turn, as somebody else had one after it.
                same("127.0.0.1\n", dig("+short +tcp localhost"), "dig")
                still += 1
        s.setblocking(True)
        s.settimeout(LIMIT)
        sender = threading.Thread(target=s.sendall, args=(left,))
        sender.start()
        answer = receive(s, len(one) + 2 + 16)
        same((1, 0, "127.0.0.1"), address_of(answer[2:]), "answer")
        for _ in range(number - 1):
            same(answer, receive(s, len(answer)), "answer")
        sender.join()


# Python does not know it.
SO_RCVBUFFORCE = 33


def ask_all(names):
    """
    Asks for all at once, and again for what failed or was lost, as resolvers do; what came,
    and how often it had to.
    """
    got, again = {}, -len(names)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
        s.settimeout(5)
        s.connect((STUB, 53))
        end = time.monotonic() + LIMIT
        while len(got) < len(names):
            check(time.monotonic() < end, "%d of %d are answered" % (len(got), len(names)))
            left = [n for n in range(len(names)) if n not in got]
            again += len(left)
            for n in left:
                s.send(question(n, names[n]))
            with contextlib.suppress(TimeoutError):
                for _ in left:
                    number, code, addr = address_of(s.recv(4096))
                    check(code in (0, 2), "code %d" % code)
                    if not code:
                        got[number] = addr
    return [got[n] for n in range(len(names))], again


def held_by(process):
    """Its memory in KiB, and its open files."""
    with open("/proc/%d/status" % process.pid, encoding="ascii") as f:
        return (int(re.search(r"VmRSS:\s+(\d+) kB", f.read()).group(1)),
                len(os.listdir("/proc/%d/fd" % process.pid)))


def dropped():
    """Questions for which there was no room before the stub has read them."""
    with open("/proc/net/udp", encoding="ascii") as f:
        return sum(int(line.split()[-1]) for line in f if " 3900007F:0035 " in line)


@contextlib.contextmanager
def much_room():
    """For what sockets receive: as much as newer kernels have at least."""
    was = int(run("sysctl -n net.core.rmem_max"))
    run("sysctl -qw net.core.rmem_max=%d" % max(was, 4194304))
    try:
        yield
    finally:
        run("sysctl -qw net.core.rmem_max=%d" % was)


@test
def stub_has_much_to_do():
    """Each has the answer to its question, and when all have asked twice nothing is left of it."""
    different = ["192.0.%d.%d" % (2 + i // 250, 1 + i % 250) for i in range(NAMES)]
    with much_room(), stub() as notified, no_sockets():
        for turn in range(2):
            for what, names, want in (("different", different, different),
                                      ("equal", [NAME] * NAMES, [HOST] * NAMES)):
                before, begun = statistic("commands"), time.monotonic()
                got, again = ask_all(names)
                same(want, got, what)
                same(0, dropped(), "questions that were lost")
                asked = statistic("commands") - before
                print("# %d %s questions: %.1f s, %d of them again, %d commands" % (
                    NAMES, what, time.monotonic() - begun, again, asked))
                check(what == "different" or asked < 50,
                      "equal questions have cost %d commands" % asked)
            if not turn:
                rss, files = held_by(notified.process)
        now = held_by(notified.process)
        print("# %d, then %d KiB" % (rss, now[0]))
        same(files, now[1], "open files")
        check(now[0] < rss + 256, "%d KiB have become %d" % (rss, now[0]))


@test
def stub_has_no_room():
    """There is some for so many questions, and so many who ask: others are told so at once."""
    with much_room(), own_module() as module:
        for names, places in ((["a.test"] * 1100, 960),
                              (["%d.test" % n for n in range(600)], 448)):
            becomes(lambda: sysfs("state", "atw1") == "joined", "it does not join")
            with stub("--device atw1"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
                s.settimeout(LIMIT)
                s.connect((STUB, 53))
                module.sim.send_signal(signal.SIGSTOP)
                for n, name in enumerate((*names, "localhost")):
                    s.send(question(n, name))
                # When this is answered those have been heard.
                last, codes = (len(names), 0, "127.0.0.1"), []
                while (answer := address_of(s.recv(4096))) != last:
                    codes.append(answer[1])
                module.sim.send_signal(signal.SIGCONT)
            same({2}, set(codes), "codes")
            check(len(codes) >= len(names) - places, "%d of %d are told that" % (
                len(codes), len(names)))


@test
def stub_restarted():
    """It ends with questions that have no answer yet; whoever asked asks again."""
    names = ["192.0.2.%d" % i for i in range(1, 101)]

    def right(answer):
        number, code, addr = address_of(answer)
        check(code == 2 or addr == names[number], "%s for %s" % (addr, names[number]))

    for _ in range(3):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(LIMIT)
            with stub():
                s.connect((STUB, 53))
                for n, name in enumerate(names):
                    s.send(question(n, name))
                right(s.recv(4096))
            # What else it had told before it ended.
            s.setblocking(False)
            with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                while True:
                    right(s.recv(4096))
    with stub():
        same(names, ask_all(names)[0], "answers")


@test
def stub_in_time():
    """A failure comes before the program asks again; what is known is told all the same."""
    with stub() as _:
        same(HOST + "\n", dig("+short " + NAME), "dig")
        with silent_module():
            same(HOST + "\n", dig("+short " + NAME), "what is known")
            # A resolver's five seconds; the start of a program is not among them.
            with within(5):
                same((2, 0), result("192.0.2.9"), "of a silent module")
        becomes(lambda: dig("+short 192.0.2.9") == "192.0.2.9\n", "it does not answer again")
        with no_network():
            same(("SERVFAIL", 0), status("192.0.2.10"), "without a network")
        becomes(lambda: dig("+short 192.0.2.10") == "192.0.2.10\n", "it does not answer again")


@test
def stub_without_a_module():
    """The one that it asks goes away, and comes back."""
    with own_module("--host", "own.test=192.0.2.99") as module, stub("--device atw1"):
        same("192.0.2.99\n", dig("+short own.test"), "dig")
        # Those who wait for it are told so, and keep no place.
        module.sim.send_signal(signal.SIGSTOP)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(LIMIT)
            s.connect((STUB, 53))
            for n in range(20):
                s.send(question(n, "192.0.2.%d" % (100 + n)))
            # When this is answered those have been read.
            s.send(question(20, "localhost"))
            got = set()
            while (20, 0, "127.0.0.1") not in got:
                got.add(address_of(s.recv(4096)))
            module.detach()
            while len(got) < 21:
                got.add(address_of(s.recv(4096)))
        same({(n, 2, None) for n in range(20)}, got - {(20, 0, "127.0.0.1")}, "answers")
        module.sim.send_signal(signal.SIGCONT)
        same(("SERVFAIL", 0), status("192.0.2.1"), "without a module")
        module.attach()
        becomes(lambda: dig("+short 192.0.2.2") == "192.0.2.2\n", "it does not answer again")


@test
def stub_left_alone():
    """Who has hung up does not wait for an answer, and keeps nobody from his, nor from the same."""
    with own_module() as module, stub("--device atw1"), \
         socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        module.sim.send_signal(signal.SIGSTOP)

        def asks(*names):
            """By a connection, and has been heard."""
            s = socket.create_connection((STUB, 53), LIMIT)
            for n, name in enumerate((*names, "localhost")):
                one = question(n, name)
                s.sendall(len(one).to_bytes(2, "big") + one)
            number = None
            while number != len(names):
                number = address_of(receive(s, int.from_bytes(receive(s, 2), "big")))[0]
            return s

        # More questions than there can be, and more programs that wait for them.
        for i in range(30):
            reset(asks(*("%d.slow.test" % (60 * i % 900 + n) for n in range(60))))
        first = asks("192.0.2.30")
        other.settimeout(LIMIT)
        other.connect((STUB, 53))
        other.send(question(1, "192.0.2.30"))
        reset(first)
        other.send(question(2, "localhost"))
        same((2, 0, "127.0.0.1"), address_of(other.recv(4096)), "what is answered first")
        module.sim.send_signal(signal.SIGCONT)
        check(address_of(other.recv(4096)) in ((1, 0, "192.0.2.30"), (1, 2, None)), "no answer")
        becomes(lambda: result("192.0.2.30") == (0, 1), "it does not answer again")


@contextlib.contextmanager
def knows_nothing(but=0):
    """A new one, which has the module asked for whatever a program asks for."""
    with stub(), module_resolves(but=but):
        yield


def ask_the_stub():
    with open("/etc/nsswitch.conf", "w", encoding="ascii") as f:
        f.write("hosts: files dns\n")
    with open("/etc/resolv.conf", "w", encoding="ascii") as f:
        f.write("nameserver %s\n" % STUB)


@test
def stub_for_programs():
    ask_the_stub()
    for what, ask, want in (
            ("getent hosts", lambda: getent("hosts " + NAME), [HOST, NAME]),
            ("getent ahosts", lambda: getent("ahosts " + NAME)[:3], [HOST, "STREAM", NAME]),
            ("busybox", lambda: HOST in run("busybox nslookup %s %s; true" % (NAME, STUB)), True),
            ("python3", lambda: run("/usr/bin/python3 -c 'import socket; "
                                    "print(socket.gethostbyname(\"%s\"))'" % NAME).split(), [HOST]),
            ("ping", lambda: pings(NAME), None),
            ("dig", lambda: dig("+short " + NAME).split(), [HOST]),
            ("dig +tcp", lambda: dig("+short +tcp " + NAME).split(), [HOST])):
        with knows_nothing():
            same(want, ask(), what)
    with knows_nothing(but=1):
        run("curl -sS -o /tmp/small %s" % url("small").replace(HOST, NAME))
    same(digest(FILES + "/www/small"), digest("/tmp/small"), "curl")


@test
def stub_for_another_c_library():
    """Static programs, of which none has modules for names: musl's resolver, and busybox's own."""
    ask_the_stub()
    page = "/tmp/page"
    with knows_nothing():
        same([HOST], run("%s/lookup %s" % (LIB, NAME)).split(), "addresses")
    with knows_nothing(but=1):
        run("%s/lookup -g %s %d small >%s" % (LIB, NAME, HTTP, page))
    with open(FILES + "/www/small", "rb") as small, open(page, "rb") as f:
        check(f.read().endswith(b"\r\n\r\n" + small.read()), "another page")
    # It is told that there is no address of IPv6, and fails for that.
    for how in (NAME, NAME + " " + STUB):
        with knows_nothing():
            out = run(musl("nslookup %s; true" % how))
        check(re.search(r"Name:\s+%s\nAddress: %s\n" % (NAME, HOST), out), out)
    with knows_nothing():
        pings(NAME, musl("ping"))
    with knows_nothing(but=1):
        run(musl("wget -qO %s %s" % (page, url("small").replace(HOST, NAME))))
    same(digest(FILES + "/www/small"), digest(page), "wget")


@test
def stub_for_go():
    """Programs in Go ask by themselves, for A and AAAA at once."""
    def fails(name):
        try:
            return goresolver.lookup(name, STUB)
        except (goresolver.NoSuchHost, goresolver.Misbehaving) as e:
            return type(e)

    names = ["192.0.2.%d" % i for i in range(1, 41)]
    with stub() as _, module_resolves(2 + len(names)):
        for how in ({}, {"single": True}, {"tcp": True}):
            same([HOST], goresolver.lookup(NAME, STUB, **how), str(how))
        # Where nobody listens the next one is asked.
        same([HOST], goresolver.lookup(NAME.upper() + ".", "127.0.0.58", STUB), "of the second")
        same(["127.0.0.1", "::1"], goresolver.lookup("localhost", STUB), "localhost")
        same(goresolver.Misbehaving, fails("nobody.test"), "a name that nobody has")
        same(goresolver.NoSuchHost, fails("a.invalid"), "one that nobody can have")
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            got = list(pool.map(lambda name: goresolver.lookup(name, STUB), names))
        same([[name] for name in names], got, "addresses")


@test
def stub_of_large_answers():
    """Those that the module would cut if they came by UDP, too, and no longer ones than fit."""
    with stub("--server %s:%d" % (HOST, DNS)):
        for size, room, whole in ((512, 0, True), (513, 0, False), (1023, 1232, True),
                                  (1024, 1232, True), (1232, 4096, True), (1233, 4096, False),
                                  (16384, 4096, False)):
            asked = goresolver.question("size%d.test" % size, goresolver.TXT)
            with no_sockets(but=2):
                udp, tcp = (goresolver.exchange(STUB, asked, tcp, room=room)
                            for tcp in (False, True))
            same((size, False), (len(tcp.wire), tcp.truncated), "by TCP")
            same({b"v"}, {part[1:2] for part in tcp.data(goresolver.TXT)}, "texts")
            same(not whole, udp.truncated, "by UDP, %d bytes" % size)
            same(tcp.sections[0] if whole else [], udp.sections[0], "records by UDP")
        # Who asks by UDP alone, until he is told to do otherwise.
        with no_sockets(but=2):
            same(4106 - 31 - 11 - 17 * 13, len(b"".join(
                goresolver.lookup_txt("size4106.test", STUB))), "texts")
        asked = goresolver.question("size16385.test", goresolver.TXT)
        same(2, goresolver.exchange(STUB, asked).code, "code for one that is too long")


TEXT = b"\0\x10\0\1\0\0\0\x1e\0\2\1x"
# Records that are none, by the first label of the name: a pointer to itself, one beyond all, more
# records than anybody needs, one that ends too late, a signature that nobody has asked for.
EVIL = {
    "itself": [b"\xc0\x22" + TEXT],
    "beyond": [b"\xc0\x40" + TEXT, b"\0" + TEXT],
    "many": [b"\0" + TEXT[:9] + b"\0"] * 1400,
    "long": [b"\0" + TEXT[:9] + b"\xff"],
    "tsig": [TSIG],
    "twice": [b"\0" + TEXT + b"\0"],
}


# More than half of the time in which all servers are asked, in seconds.
SLOW = 3


class Upstream(socketserver.ThreadingTCPServer):
    """A server that knows more than the module."""

    allow_reuse_address = daemon_threads = True

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            query = self.rfile.read(int.from_bytes(self.rfile.read(2), "big"))
            # Somebody may have wanted no more than to see that it answers.
            if not query:
                return
            end = query.index(b"\0", 12) + 5
            self.server.asked.append(query[12:end])
            self.server.behind.append(query[end:])
            code, answers, authority = 2, [], []
            if b"\4drip" in query:
                self.drip()
                return
            if b"\4slow" in query:
                self.server.ended.wait(SLOW)
            if b"\2nx" in query or b"\5empty" in query or b"\4soon" in query:
                code = 3 if b"\2nx" in query else 0
                authority = [b"\0\0\6\0\1\0\0\0\x1e\0\x16\0\0" + bytes(16) +
                             (b"\0\0\0\0" if b"\4soon" in query else b"\0\0\0\x1e")]
            elif b"\5alias" in query:
                code = 0
                answers = [b"\xc0\x0c\0\5\0\1\0\0\0\x1e\0\7\4real\xc0\x12",
                           b"\xc0\x28\0\1\0\1\0\0\0\x1e\0\4" + socket.inet_aton(ELSEWHERE)]
            elif b"\3big" in query:
                code = 0
                answers = [b"\xc0\x0c\0\x10\0\1\0\0\0\x1e\0\xfb\xfa" + b"%03d" % i + b"x" * 247
                           for i in range(12)]
            elif b"\7in-addr" in query:
                code, answers = 0, [b"\xc0\x0c\0\x0c\0\1\0\0\0\x1e\0\x0b\4host\4test\0"]
            elif b"\4_sip" in query:
                code, answers = 0, [b"\xc0\x0c\0\x21\0\1\0\0\0\x1e\0\x11\0\1\0\2\x13\xc4"
                                    b"\4host\4test\0"]
            elif b"\4evil" in query:
                code, answers = 0, EVIL[query[12 + 1:12 + 1 + query[12]].decode()]
            answer = query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(answers),
                                             len(authority), 0)
            answer += query[12:end] + b"".join(answers + authority)
            self.wfile.write(len(answer).to_bytes(2, "big") + answer)

        def drip(self):
            """It always says something more."""
            with contextlib.suppress(OSError):
                self.wfile.write(b"\x10\0")
                while not self.server.ended.wait(0.1):
                    self.wfile.write(b"x")

    def __enter__(self):
        # Questions, and what was behind them.
        self.asked, self.behind = [], []
        self.ended = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *unused):
        self.ended.set()
        self.shutdown()
        self.server_close()


@test
def stub_with_a_server():
    """It is asked for what the module cannot tell, and for nothing else."""
    run("ip link set lo up")
    with Upstream(UPSTREAM, Upstream.Handler) as upstream, stub("--server %s:%d" % UPSTREAM):
        same(HOST + "\n", dig("+short " + NAME), "dig")
        same(0, len(upstream.asked), "questions to the server")
        # Whether there is no such name; and that is kept.
        for _ in range(2):
            same(("NXDOMAIN", 0), status("nx.test"), "no such name")
        same(1, len(upstream.asked), "questions to the server")
        for kind in ("PTR", "MX", "TXT", "SRV", "TYPE65"):
            same(("NXDOMAIN", 0), status("nx.test " + kind), kind)
        same(6, len(upstream.asked), "questions to the server")
        same(("SERVFAIL", 0), status("nobody.test"), "a server that fails")
        # By which other names there is an address only a server tells.
        same("real.test.\n%s\n" % ELSEWHERE, dig("+short alias.test"), "a chain of names")
        # Which name has an address, and who serves, only it tells, too.
        same("host.test.\n", dig("+short -x 192.0.2.77"), "a name")
        same("1 2 5060 host.test.\n", dig("+short _sip._udp.test SRV"), "a service")
        check(" tc " in dig("big.test TXT +ignore"), "not truncated")
        out = dig("+short big.test TXT")
        same(["%03d" % i for i in range(12)], sorted(line[1:4] for line in out.splitlines()),
             "records")
        check("flags: qr rd ra;" in dig("+tcp big.test TXT"), "flags")
        for what in EVIL:
            same(("SERVFAIL", 0), status(what + ".evil.test TXT"), what)
        # Each takes one of the two places, but not for ever.
        for name in ("a.drip.test", "b.drip.test"):
            with within(5):
                same((2, 0), result(name, 16), name)
        becomes(lambda: status("no.nx.test TXT") == ("NXDOMAIN", 0), "nobody else is served")
    # By the network device, which takes a socket for that, where nobody listens at the first, and
    # where that cannot even be tried.
    for first in ("127.0.0.9:1", "255.255.255.255"):
        with stub("--server %s --server %s:%d" % (first, HOST, DNS)), no_sockets(but=1):
            same(ELSEWHERE + "\n", dig("+short example.com MX"), "a record of the second")


@test
def stub_with_a_file():
    """It asks those that the file has now."""
    path = "/tmp/servers"

    def write(text):
        with open(path, "w", encoding="ascii") as f:
            f.write(text)

    run("ip link set lo up; rm -f " + path)
    with open("/tmp/says", "w+b") as says, \
         Upstream((UPSTREAM[0], 53), Upstream.Handler) as upstream, \
         stub("--server " + path, says):
        same(("NOTIMP", 0), status(NAME + " MX"), "without the file")
        write("#nameserver 127.0.0.8\nnameserver fd00::53\noptions edns0\nnameserver %s\n" %
              UPSTREAM[0])
        same(("NXDOMAIN", 0), status("nx.test MX"), "with one")
        same(1, len(upstream.asked), "questions to the server")
        # Itself it does not ask, and says so once: there may be others behind, or none.
        write("nameserver %s\nnameserver %s\nnameserver %s\n" % (STUB, STUB, UPSTREAM[0]))
        same(("NXDOMAIN", 0), status("nx.test NS"), "with itself before others")
        write("nameserver %s\n" % STUB)
        same(("NOTIMP", 0), status(NAME + " MX"), "with itself")
        says.seek(0)
        same(1, says.read().count(b"names this server itself"), "times that it says so")
        write("search test\n")
        same(("NOTIMP", 0), status(NAME + " MX"), "without one")


@test
def stub_asks_by_the_module():
    """A server that a module has named, by its device, and by no other way that there is."""
    path = "/tmp/servers"
    run("ip link set lo up")
    with own_module("--ip", "192.168.9.2,255.255.255.0,192.168.9.1") as module:
        module.configure(metric=500)
        with Upstream((UPSTREAM[0], 53), Upstream.Handler) as upstream, stub("--server " + path):
            # By the module this machine has another address.
            for n, (code, flows, lines) in enumerate((
                    ("NXDOMAIN", 0, ["nameserver 127.0.0.9"]),
                    ("NXDOMAIN", 1, ["# device: atw1", "nameserver 192.0.2.9"]),
                    ("SERVFAIL", 0, ["# device: gone", "nameserver 127.0.0.9"]),
                    ("NXDOMAIN", 1, ["# device: gone", "nameserver 127.0.0.9", "# device: atw1",
                                     "nameserver 192.0.2.9"]),
                    ("NXDOMAIN", 1, ["# device: gone", "nameserver 127.0.0.9",
                                     "nameserver 127.0.0.8", "# device: atw1",
                                     "nameserver 192.0.2.9"]))):
                with open(path, "w", encoding="ascii") as f:
                    f.write("# of a test\n" + "\n".join(lines) + "\n")
                before = counter("tcp_flows", "atw1")
                same((code, 0), status("%d.nx.test MX" % n), repr(lines))
                same(before + flows, counter("tcp_flows", "atw1"), repr(lines))
            same(4, len(upstream.asked), "questions to the server")
        # With a module of its own another's servers take no place: that is not told of names.
        with open(path, "w", encoding="ascii") as f:
            for dev in ("atw0", "gone", "atw1"):
                f.write("# device: %s\nnameserver 192.0.2.9\n" % dev)
        with Upstream((UPSTREAM[0], 53), Upstream.Handler), \
             stub("--device atw1 --server " + path):
            same(("NXDOMAIN", 0), status("a.nx.test MX"), "by its own")


def connecting(to):
    """How many wait for it to answer a connect."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        rows = [line.split() for line in f]
    address = "%08X:%04X" % (struct.unpack("=I", socket.inet_aton(to[0]))[0], to[1])
    return sum(row[2:4] == [address, "02"] for row in rows)


def write_servers(path, *servers):
    """A file that is there as a whole, or not at all, as others have it."""
    with open(path + ".new", "w", encoding="ascii") as f:
        f.writelines("nameserver %s\n" % server for server in servers)
    os.rename(path + ".new", path)


@test
def stub_of_a_silent_server():
    """One that has not answered a connect is not asked for minutes, or until things change."""
    path, second, number = "/tmp/servers", "127.0.0.10", itertools.count()
    first = (UPSTREAM[0], 53)

    def write():
        write_servers(path, first[0], second)

    def ask(what="nx"):
        return status("%d.%s.test MX" % (next(number), what)) == ("NXDOMAIN", 0)

    @contextlib.contextmanager
    def silence():
        run("nft 'table inet t { chain in { type filter hook input priority 0; policy accept; "
            "ip daddr %s tcp dport 53 drop; }; }'" % first[0])
        try:
            becomes(ask, "the second is not asked")
            yield
        finally:
            run("nft flush ruleset")

    write()
    run("ip link set lo up")
    with Upstream((second, 53), Upstream.Handler) as other, stub("--server " + path) as notified:
        for change in (lambda: notified.process.send_signal(signal.SIGHUP), write):
            with silence():
                # The other one has its time, too.
                becomes(lambda: ask("slow.nx"), "the second is not waited for")
            # It is not left alone for what others do: it refuses now what it has not answered.
            becomes(lambda: not connecting(first), "a connect is left")
            with Upstream(first, Upstream.Handler) as silent:
                # It would answer now, but a module that asked it might wait for a minute.
                before = len(other.asked)
                check(ask(), "the second is not asked")
                same((0, before + 1), (len(silent.asked), len(other.asked)), "questions to each")
                change()
                becomes(lambda s=silent: ask() and s.asked, "it is never asked again")
        # One that answers late all the same is none of those.
        with Upstream(first, Upstream.Handler) as late:
            with silence():
                same(1, connecting(first), "connects that go on")
            becomes(lambda: ask() and late.asked, "it is not asked again")
    # The second has its time also where the first has needed none.
    with Upstream((second, 53), Upstream.Handler), \
         stub("--server 127.0.0.9:1 --server " + second):
        becomes(lambda: ask("slow.nx"), "the second is not waited for")


@test
def stub_of_a_busy_module():
    """That it was at another connect is no silence of a server's, whosever that is."""
    number, servers_ = itertools.count(), "--server %s:%d" % (HOST, DNS)

    def ask():
        return dig("+short %d.example.com MX" % next(number)) == ELSEWHERE + "\n"

    # Of ours.
    with stub("--server %s %s" % (HOLE, servers_)):
        with held():
            check(not ask(), "it connects to two at once")
        becomes(ask, "the second is not asked")
    # Of anybody's.
    with stub(servers_):
        with busy(90):
            check(not ask(), "it connects to two at once")
        becomes(ask, "it is not asked")


@test
def stub_asks_somebody_else():
    """It does not start where it would ask itself, and says what is wrong."""
    run("ip link set lo up")
    for options in ("--server " + STUB, "--server %s:53" % STUB, "-s 192.0.2.53 -s " + STUB,
                    "-s 127.0.0.1:5300 -l 127.0.0.1:5300", "-l 127.0.0.1 -s 0.0.0.0"):
        out = run("LD_LIBRARY_PATH=%s %s/atwifid %s 2>&1; echo $?" % (LIB, LIB, options))
        check("is itself: a server has another address or port" in out and
              out.endswith("\n2\n"), "%s: %s" % (options, out))


@test
def stub_says_no_more():
    """What is not asked for is not told, and what nobody need be asked for nobody is."""
    def asks(name, kind, **how):
        return goresolver.exchange(STUB, goresolver.question(name, kind), **how)

    run("ip link set lo up")
    with Upstream(UPSTREAM, Upstream.Handler) as upstream, \
         stub("--server %s:%d" % UPSTREAM), no_sockets():
        # EDNS where it is, with the bit that wants signatures and without what it may hold.
        cookie = b"\0\x0a\0\x08" + b"cookie.."
        for how, want in (({"room": 0}, []), ({}, [(goresolver.OPT, 1232, 0, b"")]),
                          ({"flags": 0x8000, "options": cookie},
                           [(goresolver.OPT, 1232, 0x8000, b"")])):
            answer = asks(NAME.upper(), goresolver.A, **how)
            same([(goresolver.A, 1)], [r[:2] for r in answer.sections[0]], "records")
            same(([], want), tuple(answer.sections[1:]), "records behind")
            same(goresolver.question(NAME.upper(), goresolver.A), answer.question, "question")
            check(answer.sections[0][0][2] <= 10, "it holds for longer than anybody knows")
            # And so the server is asked.
            asks("big.test", goresolver.TXT, **how)
            same(b"".join(struct.pack(">BHHIH", 0, *o[:3], 0) for o in want), upstream.behind[-1],
                 "what the server was asked")
        # No records of this kind: no zone is told, by which others could keep that.
        answer = asks(NAME, goresolver.AAAA)
        same((0, [[], [], [(goresolver.OPT, 1232, 0, b"")]]), (answer.code, answer.sections),
             "no IPv6")
        answer = asks(NAME, 255)
        same([(goresolver.HINFO, 1, b"\7RFC8482\0")], [(r[0], r[1], r[3])
                                                      for r in answer.sections[0]], "ANY")
        asked, commands = len(upstream.asked), statistic("commands")
        for name in ("localhost", "a.localhost", "a.invalid", "onion", "a.onion"):
            for kind in (goresolver.A, goresolver.AAAA, goresolver.TXT):
                asks(name, kind)
        same(asked, len(upstream.asked), "questions to the server")
        # The driver looks at its link by itself now and then.
        check(statistic("commands") - commands < 10, "the module was asked")


@test
def stub_keeps():
    """That there is none, as long as the zone says; and for a short time that nobody knows."""
    run("ip link set lo up")
    with Upstream(UPSTREAM, Upstream.Handler) as upstream, stub("--server %s:%d" % UPSTREAM):
        def is_kept(name, code):
            result(name, 16)
            before = len(upstream.asked)
            same((code, 0), result(name, 16), name)
            return len(upstream.asked) == before

        for name, code in (("a.nx.test", 3), ("a.empty.test", 0), ("a.fails.test", 2)):
            becomes(lambda n=name, c=code: is_kept(n, c), "%s is not kept" % name)
        before = len(upstream.asked)
        becomes(lambda: result("a.fails.test", 16) == (2, 0) and len(upstream.asked) > before,
                "that nobody knows is kept for ever")
        check(not is_kept("a.soon.test", 0), "it is kept for longer than the zone says")
        # What holds signatures is for those who ask for them.
        before = len(upstream.asked)
        for flags in (0, 0x8000):
            goresolver.exchange(STUB, goresolver.question("b.nx.test", 16), flags=flags)
        same(before + 2, len(upstream.asked), "questions to the server")

    def left():
        """For how long the module's address is good."""
        asked = goresolver.question(NAME, goresolver.A)
        return goresolver.exchange(STUB, asked).sections[0][0][2]

    with stub():
        whole = left()
        becomes(lambda: left() < whole, "its time is not counted down")


@test
def stub_forgets():
    """Another file is one of another network, in which all may be otherwise."""
    path = "/tmp/servers"

    run("ip link set lo up")
    write_servers(path, UPSTREAM[0])
    with Upstream((UPSTREAM[0], 53), Upstream.Handler) as upstream, stub("--server " + path):
        for n in range(3):
            asked = sim_stat("names-asked")
            same((3, 0), result("a.nx.test", 15), "no such name")
            same(n + 1, len(upstream.asked), "questions to the server")
            same((0, 1), result(NAME), "a name of the module's")
            check(sim_stat("names-asked") > asked, "the module is not asked")
            write_servers(path, UPSTREAM[0])


@test
def stub_asks_once():
    """A server, too, is asked equal questions once as long as it has not answered."""
    run("ip link set lo up")
    with Upstream(UPSTREAM, Upstream.Handler) as upstream, \
         stub("--server %s:%d" % UPSTREAM), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(LIMIT)
        s.connect((STUB, 53))
        for n in range(20):
            s.send(question(n, "slow.nx.test", 15))
        same({(n, 3, None) for n in range(20)}, {address_of(s.recv(4096)) for _ in range(20)},
             "answers")
        same(1, len(upstream.asked), "questions to the server")


@test
def stub_tcp_idle():
    """A connection on which nothing is asked, or never a whole question, is closed."""
    run("ip link set lo up")
    server, both = idle()
    for s in both:
        same(b"", s.recv(1), "answer to nothing")
    server.terminate()
    same(0, server.wait(LIMIT), "its status")


if __name__ == "__main__":
    sys.exit(main())
