#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Exposed ports: ordinary servers of this machine, nginx and sshd among them, for
clients on the other side of the module. The module is an emulated one of this
guest's own, in a network namespace of its own: what it listens at is reached
from there. Environment: ATW_SIM, ATW_CTL, ATW_PROFILE.
"""

import contextlib
import ctypes
import errno
import json
import os
import random
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time

from guest import (
    DEV, LIMIT, Module, becomes, check, counter, digest, once, receive, run, run_tests, same, sysfs,
    test)

TMP = "/tmp/expose"
CTL = os.environ.get("ATW_CTL", "atwctl")
PROFILE = os.environ.get("ATW_PROFILE", "middleware")
# Where the module listens; its loopback is 192.0.2.0/24 to the driver.
AIR = "ip netns exec air "
CLIENT = "192.0.2.1"
NOBODY = "192.0.0.8"
# A connect to it keeps the module busy for seconds.
HOLE = "198.51.100.1"
# Ports of this machine's servers.
HTTP, SSH, OWN, CLOSED = 8081, 8022, 8090, 8099
# A server that does not answer is given up after so many more SYNs.
SYNS = 2
DROP_CAPS = "setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all "
# Firmware of this family renews its servers after each client: nobody is let in.
PATIENCE = LIMIT
# And who comes at that moment is lost: after so long.
LOST = 10 if PROFILE == "bw20" else LIMIT / 2


def atwctl(args, before=""):
    return run("%s%s %s" % (before, CTL, args))


def fails(status, words, args, before=""):
    """A command that is refused, and says why."""
    with subprocess.Popen("%s%s %s" % (before, CTL, args), shell=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as done:
        out = done.communicate(timeout=LIMIT)[0].decode(errors="replace")
    same(status, done.returncode, args + ": " + out)
    check(words in out, "%s: not '%s' but: %s" % (args, words, out))


def exposed():
    return json.loads(atwctl("--json expose"))


@contextlib.contextmanager
def exposing(port, to):
    atwctl("expose tcp %d:%s" % (port, to))
    try:
        yield
    finally:
        atwctl("unexpose tcp %d" % port)


class InAir(Module):
    """A module in the namespace "air"."""

    def __init__(self):
        super().__init__(TMP, ["--control", TMP + "/control", "--profile", PROFILE,
                               "--blackhole", HOLE + "/32", "--connect-timeout", "3000"],
                         AIR.split())

    def start(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(TMP + "/control")
        super().start()
        becomes(lambda: os.path.exists(TMP + "/control"), "no emulator")

    @staticmethod
    def say(command):
        """A command to its control socket."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(LIMIT)
            s.connect(TMP + "/control")
            s.sendall(command.encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                piece = s.recv(4096)
                check(piece, "the emulator is silent")
                answer += piece
        check(answer.startswith(b"ok"), "%s: %s" % (command, answer))
        return answer.decode()

    def sockets(self):
        return int(re.search(r" sockets=(\d+)", self.say("stats")).group(1))


MODULE = None
LIBC = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def in_air():
    """What makes sockets makes them on the other side of the module."""
    with open("/proc/thread-self/ns/net", "rb") as here, open("/run/netns/air", "rb") as there:
        check(not LIBC.setns(there.fileno(), 0x40000000), "setns")
        try:
            yield
        finally:
            LIBC.setns(here.fileno(), 0x40000000)


def client(port, limit=LIMIT, patient=True):
    """A connection to the module from the other side."""
    end = time.monotonic() + (PATIENCE if patient else 0)
    while True:
        with in_air():
            s = socket.socket()
        s.settimeout(limit)
        try:
            s.connect(("127.0.0.1", port))
            return s
        except ConnectionRefusedError:
            s.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def end_of(s, limit=LIMIT):
    """How a stream ends: "end" or the name of an errno."""
    s.settimeout(limit)
    try:
        while s.recv(65536):
            pass
        return "end"
    except TimeoutError:
        return "none"
    except OSError as e:
        return errno.errorcode[e.errno]


def refuses(port):
    """The module does not listen any more."""
    try:
        client(port, patient=False).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        # It was let in, by one that has ended since.
        return False
    return False


class Own:
    """A server of this test's; what it accepts is taken with next()."""

    def __init__(self, port=OWN, address=""):
        self.listener = socket.create_server((address, port), backlog=16)
        self.listener.settimeout(PATIENCE)

    def next(self):
        s, self.who = self.listener.accept()
        s.settimeout(LIMIT)
        return s

    def pair(self, port):
        """A connection: the client's end, and the server's."""
        end = time.monotonic() + PATIENCE
        while True:
            far = client(port)
            if select.select([self.listener], [], [], LOST)[0]:
                return far, self.next()
            # One that came when a server was being renewed.
            far.close()
            check(time.monotonic() < end, "nothing is passed on")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.listener.close()


def alone():
    """Nothing but servers is left in the module, and nothing here."""
    becomes(lambda: MODULE.sockets() <= len(exposed()), "the module has sockets left")
    becomes(lambda: not counter("flows_tcp"), "flows are left")


# The tests


@test
def commands():
    same("", atwctl("expose"), "nothing is exposed")
    same([], exposed(), "nothing is exposed")
    atwctl("expose tcp 8080")
    atwctl("expose tcp 8443:443")
    atwctl("expose tcp 2222:192.168.3.142:22")
    same([8080, 8443, 2222], [e["port"] for e in exposed()], "ports")
    same([8080, 443, 22], [e["local_port"] for e in exposed()], "local ports")
    same([None, None, "192.168.3.142"], [e.get("local_address") for e in exposed()], "addresses")
    check(all(e["dev"] == DEV and e["protocol"] == "tcp" and e["listening"] for e in exposed()),
          exposed())
    same([0, 0, 0], [e["accepted"] + e["refused"] for e in exposed()], "counts")
    out = atwctl("expose")
    check(re.search(r"atw0 +tcp +2222 +192\.168\.3\.142 +22 +true +0 +0 +-", out), out)
    out = atwctl("show")
    check("exposed          tcp 8443 to 443\n" in out and
          "exposed          tcp 2222 to 192.168.3.142:22\n" in out, out)
    same(exposed(), json.loads(atwctl("--json show"))["exposed"], "show")
    same([], json.loads(atwctl("--json -d atw7 expose")), "of another device")
    same("", run("unshare -n %s expose" % CTL), "in another namespace")

    fails(1, "that port is exposed already", "expose tcp 8080:81")
    fails(1, "nobody on a network reaches 127.0.0.0/8", "expose tcp 81:127.0.0.1:80")
    fails(1, "not the address of a program", "expose tcp 81:0.0.0.0:80")
    fails(1, "not the address of a program", "expose tcp 81:224.0.0.1:80")
    fails(1, "no such device", "-d atw7 expose tcp 81")
    fails(1, "that port is not exposed", "unexpose tcp 81")
    fails(2, "only tcp", "expose udp 81")
    fails(2, "only tcp", "unexpose udp 81")
    fails(2, "'0' is not a port, 1 to 65535", "expose tcp 0")
    fails(2, "'65536' is not a port, 1 to 65535", "expose tcp 80:65536")
    fails(2, "'' is not a port, 1 to 65535", "expose tcp 80:")
    fails(2, "'localhost' is not an IPv4 address", "expose tcp 80:localhost:80")
    fails(2, "expose what?", "expose tcp")
    fails(2, "usage", "unexpose tcp")
    with in_air():
        taken = socket.create_server(("127.0.0.1", 8084))
    # Not all firmware says why.
    fails(1, "in use" if PROFILE != "bw20" else "", "expose tcp 8084")
    taken.close()
    same(3, len(exposed()), "what was refused is not exposed")
    for port in (8080, 8443, 2222):
        atwctl("unexpose tcp %d" % port)
    same([], exposed(), "nothing is exposed")
    check(refuses(8080), "the module still listens")


@test
def privilege():
    for args in ("expose tcp 8080", "unexpose tcp 8080"):
        fails(1, "CAP_NET_ADMIN", args, DROP_CAPS)
        # An administrator of another user namespace is none of this network's.
        fails(1, "CAP_NET_ADMIN", args, DROP_CAPS + "unshare -r ")
    same("", atwctl("expose", DROP_CAPS), "looking is free")
    same([], exposed(), "nothing is exposed")


@test
def module_is_full():
    """The module has five sockets."""
    for port in range(9000, 9005):
        atwctl("expose tcp %d" % port)
    fails(1, "all sockets of the module are in use" if PROFILE != "bw20" else "",
          "expose tcp 9005")
    same(5, len(exposed()), "ports")
    for port in range(9000, 9005):
        atwctl("unexpose tcp %d" % port)


def curl(args, port=8080, limit=300):
    """Of this machine's nginx, through the module."""
    return run(AIR + "curl -sS --max-time %d --retry 15 --retry-delay 2 --retry-all-errors "
               "%s http://127.0.0.1:%d/" % (limit - 5, args, port), limit)


@test
def nginx():
    with exposing(8080, HTTP):
        for name in ("big", "small"):
            run(AIR + "curl -sS --retry 15 --retry-delay 2 --retry-all-errors -o %s/got "
                "http://127.0.0.1:8080/%s" % (TMP, name))
            same(digest("%s/www/%s" % (TMP, name)), digest(TMP + "/got"), name)
        # The server closes.
        run(AIR + "curl -sS0 --retry 15 --retry-delay 2 --retry-all-errors -o %s/got "
            "http://127.0.0.1:8080/small" % TMP)
        same(digest(TMP + "/www/small"), digest(TMP + "/got"), "HTTP/1.0")
        alone()
        with open(TMP + "/access.log", encoding="ascii") as f:
            who = {line.split()[0] for line in f}
        same({CLIENT if PROFILE == "middleware" else NOBODY}, who, "clients in the log")
        same(0, exposed()[0]["refused"], "refused")


@test
def parallel():
    with exposing(8080, HTTP):
        path = TMP + "/parallel"
        os.makedirs(path, exist_ok=True)
        run("for i in 1 2 3 4 5 6; do " + AIR + "curl -sS --retry 15 --retry-delay 2 "
            "--retry-all-errors -o %s/$i http://127.0.0.1:8080/medium & done; wait" % path)
        for i in range(1, 7):
            same(digest(TMP + "/www/medium"), digest("%s/%d" % (path, i)), "file %d" % i)
    alone()


@test
def sshd():
    options = ("-q -i %s/user -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
               "-o BatchMode=yes -o ConnectTimeout=30 -o ConnectionAttempts=30" % TMP)
    with exposing(2222, SSH):
        same("42\n", run(AIR + "ssh %s -p 2222 root@127.0.0.1 echo 42" % options), "ssh")
        for name in ("medium", "big"):
            run(AIR + "scp %s -P 2222 root@127.0.0.1:%s/www/%s %s/from" % (
                options, TMP, name, TMP))
            same(digest("%s/www/%s" % (TMP, name)), digest(TMP + "/from"), "scp from, " + name)
            run(AIR + "scp %s -P 2222 %s/www/%s root@127.0.0.1:%s/to" % (
                options, TMP, name, TMP))
            same(digest("%s/www/%s" % (TMP, name)), digest(TMP + "/to"), "scp to, " + name)
    alone()


@test
def like_a_nic():
    """Who it is, where it comes in, and that it is seen once."""
    with Own() as own, exposing(7000, OWN):
        capture = subprocess.Popen(
            ["tcpdump", "-Z", "root", "-U", "-n", "-i", "any", "-w", TMP + "/any.pcap",
             "tcp port %d" % OWN], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        becomes(lambda: os.path.exists(TMP + "/any.pcap") and
                os.path.getsize(TMP + "/any.pcap") >= 24, "no tcpdump")
        # Connections are tracked where a rule asks for their state.
        run("nft 'table inet t { chain in { type filter hook input priority 0; "
            "ct state invalid drop; }; }'")
        far, near = own.pair(7000)
        same(sysfs("address"), near.getsockname()[0], "the server's address")
        if PROFILE == "middleware":
            same((CLIENT, far.getsockname()[1]), near.getpeername(), "the client's address")
        else:
            same(NOBODY, near.getpeername()[0], "the client's address")
        far.sendall(b"question")
        same(b"question", receive(near, 8), "question")
        near.sendall(b"answer")
        same(b"answer", receive(far, 6), "answer")
        out = run("conntrack -L -p tcp --dport %d 2>/dev/null" % OWN)
        run("nft flush ruleset")
        same(1, out.count("ESTABLISHED"), "entries of connection tracking")
        same(["%d" % p for p in sorted((HTTP, SSH, OWN))],
             sorted(re.findall(r":(\d+) +[\d.*]+:\*", run("ss -tln4H"))), "listeners")
        far.close()
        same("end", end_of(near), "the server's end")
        near.close()
        becomes(lambda: "F" in run("tcpdump -nr %s/any.pcap 'tcp[13] & 1 != 0' 2>&1" % TMP),
                "no FIN was seen")
        capture.terminate()
        capture.wait()
        seen = run("tcpdump -nr %s/any.pcap 2>/dev/null" % TMP)
        once(seen, "S")
        once(seen, "S.")
        check(" lo " not in seen, "on lo: " + seen)
    alone()


@test
def port_of_a_server():
    """A remote whose port is one that a server of this machine has."""
    with Own() as own, exposing(7000, OWN):
        end = time.monotonic() + PATIENCE
        near = None
        while not near:
            with in_air():
                far = socket.socket()
            far.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            far.settimeout(LIMIT)
            far.bind(("127.0.0.1", OWN))
            with contextlib.suppress(OSError):
                far.connect(("127.0.0.1", 7000))
                if select.select([own.listener], [], [], LOST)[0]:
                    near = own.next()
                    break
            far.close()
            check(time.monotonic() < end, "nothing is passed on")
        same(NOBODY if PROFILE != "middleware" else CLIENT, own.who[0], "address")
        far.sendall(b"hello")
        same(b"hello", receive(near, 5), "bytes")
        near.close()
        far.close()
    alone()


@test
def ends():
    with Own() as own, exposing(7000, OWN):
        # The client closes: all it has sent, then the end.
        data = random.randbytes(100000)
        far, near = own.pair(7000)
        far.sendall(data)
        far.close()
        same(data, receive(near, 200000), "data before the client's end")
        near.close()
        alone()
        # The server closes: so does the module, and does not hear the client out. It would
        # end that with an error some time.
        before = counter("tcp_resets")
        far, near = own.pair(7000)
        near.sendall(data)
        near.close()
        same(data, receive(far, 200000), "data before the server's end")
        far.close()
        alone()
        same(before, counter("tcp_resets"), "connections that were given up")
        # The server has sent all, and hears the client out.
        far, near = own.pair(7000)
        near.sendall(b"all of it")
        near.shutdown(socket.SHUT_WR)
        same(b"all of it", receive(far, 9), "data before the server's FIN")
        time.sleep(2)	# longer than it takes to notice a close
        far.sendall(b"the last words")
        same(b"the last words", receive(near, 14), "data after the server's FIN")
        far.close()
        same("end", end_of(near), "the server's end")
        near.close()
        alone()
        # The server aborts.
        far, near = own.pair(7000)
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        near.close()
        check(end_of(far) in ("end", "ECONNRESET"), "the client hears nothing of an abort")
        far.close()
        alone()
        # The client has gone before anybody looked.
        far, near = own.pair(7000)
        far.sendall(b"x")
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.close()
        check(end_of(near) in ("end", "ECONNRESET"), "the server hears nothing of an abort")
        near.close()
    alone()


@test
def both_ways():
    """A mebibyte in each direction at the same time, compared."""
    up, down = random.randbytes(1 << 20), random.randbytes(1 << 20)
    got = {}

    def send(s, data):
        s.sendall(data)

    with Own() as own, exposing(7000, OWN):
        far, near = own.pair(7000)
        threads = [threading.Thread(target=send, args=(far, up)),
                   threading.Thread(target=send, args=(near, down)),
                   threading.Thread(target=lambda: got.update(up=receive(near, len(up)))),
                   threading.Thread(target=lambda: got.update(down=receive(far, len(down))))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        check(got.get("up") == up, "what the client sent differs")
        check(got.get("down") == down, "what the server sent differs")
        far.close()
        near.close()
    alone()


def repeated_syns():
    """How many SYNs of this machine were sent again: nobody had answered."""
    with open("/proc/net/netstat", encoding="ascii") as f:
        names, values = (line.split() for line in f if line.startswith("TcpExt:"))
    return int(values[names.index("TCPSynRetrans")])


@test
def nobody_listens():
    """Without a server the client is disconnected at once."""
    before = repeated_syns()
    with exposing(7000, CLOSED):
        far = client(7000)
        check(end_of(far) in ("end", "ECONNRESET"), "the client is not disconnected")
        far.close()
        alone()
    check(repeated_syns() < before + SYNS, "nobody has answered")


@contextlib.contextmanager
def firewall(rules):
    run("nft 'table inet t { chain in { type filter hook input priority 0; policy accept; "
        "%s }; }'" % rules)
    try:
        yield
    finally:
        run("nft flush ruleset")


@test
def firewall_applies():
    with Own() as own, exposing(7000, OWN):
        # Rejected by an ICMP error, or by a reset: before it is given up.
        for how in ("reject", "reject with tcp reset"):
            before = repeated_syns()
            with firewall("iifname %s tcp dport %d %s;" % (DEV, OWN, how)):
                far = client(7000)
                check(end_of(far) in ("end", "ECONNRESET"), "not disconnected: " + how)
                far.close()
                alone()
            check(repeated_syns() < before + SYNS, "nobody has answered: " + how)
        # Dropped: after a while.
        with firewall("iifname %s tcp dport %d drop;" % (DEV, OWN)):
            far = client(7000)
            check(end_of(far) in ("end", "ECONNRESET"), "not disconnected: drop")
            far.close()
            alone()
        # A rule that lets this client in, and nobody else.
        who = CLIENT if PROFILE == "middleware" else NOBODY
        with firewall("iifname %s ip saddr %s accept; iifname %s drop;" % (DEV, who, DEV)):
            far, near = own.pair(7000)
            far.sendall(b"in")
            same(b"in", receive(near, 2), "data")
            far.close()
            near.close()
        check(not select.select([own.listener], [], [], 0)[0], "one has got in")
    alone()


@test
def strict_reverse_path():
    run("sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.%s.rp_filter=1" % DEV)
    try:
        with Own() as own, exposing(7000, OWN):
            far, near = own.pair(7000)
            far.sendall(b"in")
            same(b"in", receive(near, 2), "data")
            far.close()
            near.close()
    finally:
        run("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.%s.rp_filter=0" % DEV)


@test
def another_address():
    """A server that listens at another address of this machine."""
    run("ip addr add 10.7.0.1/32 dev lo")
    try:
        with Own(address="10.7.0.1") as own:
            with exposing(7000, "10.7.0.1:%d" % OWN):
                far, near = own.pair(7000)
                same("10.7.0.1", near.getsockname()[0], "the server's address")
                far.sendall(b"in")
                same(b"in", receive(near, 2), "data")
                far.close()
                near.close()
                alone()
            # It does not listen at the device's.
            with exposing(7001, OWN):
                far = client(7001)
                check(end_of(far) in ("end", "ECONNRESET"), "not disconnected")
                far.close()
    finally:
        run("ip addr del 10.7.0.1/32 dev lo")


@test
def machine_behind():
    """A server on a machine behind this one, as by a router's port forwarding."""
    run("ip netns add lan && ip link add lan0 type veth peer name eth0 netns lan && "
        "ip addr add 10.9.0.1/24 dev lan0 && ip link set lan0 up && "
        "ip -n lan addr add 10.9.0.2/24 dev eth0 && ip -n lan link set eth0 up && "
        "ip -n lan link set lo up && ip -n lan route add default via 10.9.0.1 && "
        "sysctl -qw net.ipv4.ip_forward=1")
    server = subprocess.Popen(
        [*"ip netns exec lan busybox httpd -f -p 10.9.0.2:80 -h".split(), TMP + "/www"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    try:
        becomes(lambda: "10.9.0.2:80" in run("ip netns exec lan ss -tlnH"), "no server")
        with exposing(8080, "10.9.0.2:80"):
            run(AIR + "curl -sS --retry 15 --retry-delay 2 --retry-all-errors -o %s/got "
                "http://127.0.0.1:8080/medium" % TMP)
            same(digest(TMP + "/www/medium"), digest(TMP + "/got"), "file")
    finally:
        server.terminate()
        server.wait()
        run("sysctl -qw net.ipv4.ip_forward=0; ip link del lan0; ip netns del lan")


@test
def module_reset():
    with Own() as own, exposing(7000, OWN):
        far, near = own.pair(7000)
        far.sendall(b"before")
        same(b"before", receive(near, 6), "data")
        MODULE.say("reset")
        same("ECONNRESET", end_of(near), "the server's end")
        check(end_of(far) in ("end", "ECONNRESET"), "the client's end")
        near.close()
        far.close()
        becomes(lambda: exposed()[0].get("listening"), "it does not listen again")
        becomes(lambda: sysfs("state") == "joined", "the module does not come back")
        far, near = own.pair(7000)
        far.sendall(b"after")
        same(b"after", receive(near, 5), "data after the reset")
        far.close()
        near.close()
    alone()


@test
def link_lost():
    with Own() as own, exposing(7000, OWN):
        far, near = own.pair(7000)
        MODULE.say("link down")
        check(end_of(near) in ("ECONNRESET", "ENETDOWN"), "the server's end")
        near.close()
        far.close()
        # What is exposed now is served when the module has joined again.
        atwctl("expose tcp 7001:%d" % OWN)
        check(not exposed()[1].get("listening"), "it listens without a network")
        MODULE.say("link up")
        becomes(lambda: sysfs("state") == "joined", "the module does not join")
        becomes(lambda: all(e.get("listening") for e in exposed()), "it does not listen")
        for port in (7000, 7001):
            far, near = own.pair(port)
            far.sendall(b"again")
            same(b"again", receive(near, 5), "data")
            far.close()
            near.close()
        atwctl("unexpose tcp 7001")
    alone()


@test
def device_down_and_up():
    with Own() as own, exposing(7000, OWN):
        far, near = own.pair(7000)
        run("ip link set %s down" % DEV)
        # Who comes now is disconnected; who was there stays.
        other = client(7000)
        check(end_of(other) in ("end", "ECONNRESET"), "the client is not disconnected")
        other.close()
        becomes(lambda: exposed()[0]["refused"], "it is not counted")
        check("error" in exposed()[0], "no error is told")
        MODULE.configure()
        far.sendall(b"again")
        same(b"again", receive(near, 5), "data")
        far.close()
        near.close()
        far, near = own.pair(7000)
        far.close()
        near.close()
    alone()


@test
def unexpose():
    """Who was let in stays, as with any server; nobody else gets in."""
    with Own() as own:
        atwctl("expose tcp 7000:%d" % OWN)
        far, near = own.pair(7000)
        atwctl("unexpose tcp 7000")
        becomes(lambda: refuses(7000), "the module still listens")
        far.sendall(b"still there")
        same(b"still there", receive(near, 11), "data")
        near.sendall(b"so am I")
        same(b"so am I", receive(far, 7), "data")
        far.close()
        same("end", end_of(near), "the server's end")
        near.close()
        alone()
        # Again and again, with clients that come meanwhile.
        for i in range(3 if PROFILE == "bw20" else 10):
            atwctl("expose tcp 7000:%d" % OWN)
            with in_air():
                s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", 7000))
            atwctl("unexpose tcp 7000")
            s.close()
        # While the module has no time for it.
        atwctl("expose tcp 7000:%d" % OWN)
        with socket.socket() as s:
            s.setblocking(False)
            s.connect_ex((HOLE, 80))
            becomes(lambda: any(t["state"] == "opening" for t in
                                json.loads(atwctl("--json sockets"))), "no connect")
            atwctl("unexpose tcp 7000")
            atwctl("expose tcp 7000:%d" % OWN)
        far, near = own.pair(7000)
        far.close()
        near.close()
        atwctl("unexpose tcp 7000")
    alone()


@test
def whose():
    """The sockets of programs are told, those of a remote have none here."""
    with in_air():
        far = socket.create_server(("127.0.0.1", OWN))
    with Own() as own, exposing(7000, OWN):
        ours = socket.create_connection((CLIENT, OWN), timeout=LIMIT)
        theirs, near = own.pair(7000)
        told = {s["type"]: s.get("inode") for s in json.loads(atwctl("--json sockets"))}
        same({"tcp-server": None, "tcp-accepted": None,
              "tcp-client": os.fstat(ours.fileno()).st_ino}, told, "inodes")
        for s in (ours, theirs, near, far):
            s.close()
    alone()


@test
def churn():
    rounds = 3 if PROFILE == "bw20" else int(os.environ.get("ATW_CHURN", "60"))
    with Own() as own, exposing(7000, OWN):
        for i in range(rounds):
            far, near = own.pair(7000)
            far.sendall(b"%d" % i)
            same(b"%d" % i, near.recv(10), "round %d" % i)
            (far if i % 2 else near).close()
            same("end", end_of(near if i % 2 else far), "end of round %d" % i)
            near.close()
            far.close()
        check(exposed()[0]["accepted"] >= rounds, exposed())
    alone()


@test
def unplugged():
    """The module goes away while ports are exposed and used, in two ways."""
    for i in range(4):
        with Own() as own:
            atwctl("expose tcp 7000:%d" % OWN)
            far, near = own.pair(7000)
            if i % 2:
                MODULE.detach()
            else:
                MODULE.stop()
            same("ECONNRESET", end_of(near), "the server's end in round %d" % i)
            near.close()
            far.close()
            if not i % 2:
                MODULE.detach()
            becomes(lambda: not os.path.exists("/sys/class/net/" + DEV), "the device stays")
            if not i % 2:
                MODULE.start()
            MODULE.attach()
            MODULE.configure()
            same([], exposed(), "exposed after round %d" % i)


def start_servers():
    os.makedirs(TMP + "/www")
    for name, size in (("small", 3000), ("medium", 1 << 16), ("big", 1 << 20)):
        with open("%s/www/%s" % (TMP, name), "wb") as f:
            f.write(random.randbytes(size))
    with open(TMP + "/nginx.conf", "w", encoding="ascii") as f:
        f.write("daemon off; user root; worker_processes 1; pid %(t)s/nginx.pid;\n"
                "error_log %(t)s/error.log;\nevents { }\n"
                "http { access_log %(t)s/access.log; server { listen %(p)d; root %(t)s/www; } }\n"
                % {"t": TMP, "p": HTTP})
    for name in ("host", "user"):
        run("ssh-keygen -q -t ed25519 -N '' -f %s/%s" % (TMP, name))
    os.makedirs("/run/sshd", exist_ok=True)
    servers = [subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL) for argv in (
        ["nginx", "-c", TMP + "/nginx.conf", "-e", TMP + "/error.log"],
        ["/usr/sbin/sshd", "-D", "-f", "/dev/null", "-p", str(SSH), "-h", TMP + "/host",
         "-o", "AddressFamily=inet", "-o", "AuthorizedKeysFile=%s/user.pub" % TMP,
         "-o", "StrictModes=no", "-o", "PidFile=none", "-o", "UsePAM=no",
         "-o", "PermitRootLogin=prohibit-password", "-o", "Subsystem=sftp internal-sftp"])]
    for port in (HTTP, SSH):
        becomes(lambda p=port: ":%d " % p in run("ss -tlnH"), "no server at port %d" % port)
    return servers


def main():
    global MODULE

    run("rm -rf " + TMP)
    os.makedirs(TMP)
    run("ip link set lo up; ip netns add air; ip -n air link set lo up")
    servers = start_servers()
    MODULE = InAir()
    status = run_tests(MODULE.configure)
    MODULE.detach()
    MODULE.stop()
    for server in servers:
        server.terminate()
        server.wait()
    return status


if __name__ == "__main__":
    sys.exit(main())
