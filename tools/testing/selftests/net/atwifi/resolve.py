#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Names for programs, by the library. Whatever a name costs the module, it is none of its
sockets. Environment as for netdev.py; ATW_LIB is where
the libraries are.
"""

import contextlib
import os
import sys

from atwnet import HOST, PEER, main, sim, sim_stat
from guest import becomes, run, same, sysfs, test

NAME = os.environ["ATW_NAME"]
LIB = os.environ["ATW_LIB"]
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


if __name__ == "__main__":
    sys.exit(main())
