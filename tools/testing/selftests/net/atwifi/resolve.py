#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Names for every program: the library, and the module of the C library. Whatever a name
costs the module, it is none of its sockets. Environment as for netdev.py; ATW_LIB is where
the libraries are.
"""

import contextlib
import os
import socketserver
import sys
import threading

from atwnet import FILES, HOST, PEER, main, sim, sim_stat, url
from guest import becomes, check, digest, run, same, sysfs, test
from servers import dns_answer

NAME = os.environ["ATW_NAME"]
LIB = os.environ["ATW_LIB"]
# What the machine's name server says of any name.
ELSEWHERE = "203.0.113.7"
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
def no_sockets(but=0):
    """The module makes none meanwhile, or BUT so many."""
    before = sim_stat("sockets-made")
    yield
    same(before + but, sim_stat("sockets-made"), "sockets that the module has made")


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
def silent_module():
    sim("silent on")
    try:
        yield
    finally:
        sim("silent off")


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
    ready = 'print(call("atwifi_ready", None), resolve(b"%s"))' % NAME
    with no_network():
        same(["ENETDOWN", "ENETDOWN"], python(ready), "without a network")
    same(["ENODEV", "ENODEV"], python(ready, "unshare -n"), "in another namespace")
    # Not even asked for: the kernel would look for a module of that name.
    same(["ENODEV", "ENODEV"], python(
        ready, "unshare -m sh -c 'mount -t tmpfs none /sys/module && exec \"$@\"' sh"),
        "without the driver")
    with silent_module():
        same(["ETIMEDOUT"], python('print(resolve(b"%s", None, 10))' % NAME), "of a silent module")
    becomes(lambda: python(ready) == ["0", HOST], "it does not resolve again")


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
    assert not call("atwifi_resolver_ask", r, None, host, ctypes.byref(number))
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
    run("ip link set lo up")
    os.environ["LD_LIBRARY_PATH"] = LIB
    try:
        with NameServer(("127.0.0.9", 53), NameServer.Handler) as server:
            yield server
    finally:
        del os.environ["LD_LIBRARY_PATH"]


def getent(what, how=""):
    return run("%s getent %s; true" % (how, what)).split()


@test
def every_program():
    """Unmodified ones, which are told nothing of modules."""
    with name_service() as server:
        with no_sockets():
            same([HOST, NAME], getent("hosts " + NAME), "getent hosts")
            same([HOST, NAME], getent("hosts " + NAME, NOBODY), "getent hosts, of anybody")
            same([HOST, "STREAM", NAME, HOST, "DGRAM", HOST, "RAW"], getent("ahosts " + NAME),
                 "getent ahosts")
            same([HOST, "STREAM", NAME, HOST, "DGRAM", HOST, "RAW"],
                 getent("ahostsv4 " + NAME + "."), "getent ahostsv4")
            # It asks for mapped ones where there are no others.
            same(["::ffff:" + HOST, "STREAM", NAME], getent("ahostsv6 -A " + NAME)[:3],
                 "getent ahostsv6")
            out = run("""/usr/bin/python3 -c '
import socket, errno
print(socket.gethostbyname_ex("%s"), {a[4][0] for a in socket.getaddrinfo("%s", 80)})
for host, family in (("%s", socket.AF_INET6), ("nobody.test", 0), ("a b", 0)):
    try:
        print(socket.getaddrinfo(host, 80, family))
    except socket.gaierror as e:
        print({v: k for k, v in vars(socket).items() if k.startswith("EAI_")}[e.errno])
'""" % (NAME, NAME, NAME))
            same("('%s', [], ['%s']) {'%s'}\nEAI_NODATA\nEAI_AGAIN\nEAI_NONAME\n" % (
                NAME, HOST, HOST), out, "python3")
        path = "/tmp/small"
        with no_sockets(but=1):
            run("curl -sS -o %s %s" % (path, url("small").replace(HOST, NAME)))
        same(digest(FILES + "/www/small"), digest(path), "curl")
        same(0, server.asked, "questions to the name server")


@test
def unavailable():
    """Without a module the next service is asked, and only then."""
    with name_service() as server:
        with no_network():
            same([ELSEWHERE], getent("ahostsv4 " + NAME)[:1], "without a network")
        for how in ("unshare -n sh -c 'ip link set lo up; exec \"$@\"' sh",
                    "unshare -m sh -c 'mount -t tmpfs none /sys/module && exec \"$@\"' sh"):
            before = server.asked
            getent("ahostsv4 " + NAME, how)
            # In another namespace there is no name server either.
            check(server.asked > before or "-n" in how, "nobody was asked: " + how)
        asked = server.asked
        long = ".".join(["a" * 60] * 3)
        same([ELSEWHERE], getent("ahostsv4 " + long)[:1], "a longer name")
        check(server.asked > asked, "who has said that?")
        # Of this machine the module is not asked, nor believed.
        out = run("getent -s hosts:atwifi ahostsv4 localhost; getent -s hosts:atwifi ahostsv4 "
                  "a.LOCALHOST.; true")
        same("", out, "localhost")


@test
def threads():
    with name_service(), no_sockets():
        same("160\n", run("""/usr/bin/python3 -c '
import socket, threading
good = []
def ask():
    for _ in range(10):
        good.extend(a[4][0] == "%s" for a in socket.getaddrinfo("%s", 1, type=socket.SOCK_DGRAM))
threads = [threading.Thread(target=ask) for _ in range(16)]
[t.start() for t in threads]
[t.join() for t in threads]
print(sum(good))
'""" % (HOST, NAME)), "addresses")


if __name__ == "__main__":
    sys.exit(main())
