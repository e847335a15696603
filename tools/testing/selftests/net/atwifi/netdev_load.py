#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
The network device when there is much to do, or too much: memory and the module's
sockets are bounded, nobody starves, nothing is left behind.
"""

import contextlib
import errno
import fcntl
import json
import os
import re
import select
import socket
import struct
import subprocess
import sys
import termios
import threading
import time

from atwnet import (
    HOLE, HOST, LIBC, PEER, QUICK, atw, atw_socket, atwctl, connect_errno, lan, main, pattern, peer,
    quiet, restart, sim, sim_stat, udp)
from atwnet import held as connecting
from guest import (
    DEV, LIMIT, N_DEVELOPMENT, Failed, becomes, check, counter, echoes, receive, run, same,
    statistic, sysfs, test)


@test
def slow_reader():
    size = 400000
    want = pattern(11, size)
    other = peer("echo")
    with peer("source %d 11" % size, rcvbuf=16384) as s:
        got = b""
        while len(got) < size:
            piece = s.recv(min(8192, size - len(got)))
            check(piece, "end after %d bytes" % len(got))
            got += piece
            if len(got) % 65536 < 8192:
                echoes(other)
            time.sleep(0.1)	# at a rate below the wire's
        check(got == want, "the bytes differ")
    other.close()


@test
def reader_that_does_not_read():
    """Memory is bounded: an error, and never a hole."""
    before = statistic("overflows")
    other = peer("echo")
    with peer("source 20000000 12", rcvbuf=16384) as s:
        end = time.monotonic() + LIMIT
        i = 0
        while time.monotonic() < end:
            i += 1
            echoes(other, b"%d" % i)
            if statistic("overflows") > before:
                break
        check(statistic("overflows") > before, "no end to its memory")
        got = b""
        try:
            while True:
                piece = s.recv(65536)
                if not piece:
                    break
                got += piece
            ended = "in order"
        except ConnectionResetError:
            ended = "reset"
        same("reset", ended, "a stream that was cut ended")
        check(got == pattern(12, len(got)), "the bytes before it differ")
    echoes(other)
    other.close()


NEVER_READS = """
import socket, sys
streams = []
for _ in sys.stdin:
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    s.connect((%r, %d))
    s.sendall(b"source 400000 14\\n")
    streams.append(s)
    print(flush=True)
"""


@test
def who_does_not_read_leaves_room():
    """A user who fills what he may have of the memory takes it from no other one."""
    quiet()
    before = statistic("overflows")
    with subprocess.Popen([sys.executable, "-c", NEVER_READS % (HOST, PEER)], user="nobody",
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            for _ in range(80):
                process.stdin.write(b"\n")
                process.stdin.flush()
                same(b"\n", process.stdout.readline(), "a stream")
                # Then all that its remote has sent waits here.
                becomes(lambda: sim_stat("sockets") <= counter("flows_udp"),
                        "the remote does not close")
                if statistic("overflows") > before:
                    break
            else:
                raise Failed("no end to his memory")
            with peer("source 400000 15") as s:
                check(receive(s, 400001) == pattern(15, 400000), "the bytes differ")
        finally:
            process.kill()


@test
def slow_writer():
    """The window is the brake: not much is accepted that the UART has not taken."""
    quiet()
    size = 1 << 19
    before = sim_stat("net-out")
    data = pattern(13, size)
    with peer("sink %d 13" % size) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        sent = most = 0
        while sent < size:
            sent += s.send(data[sent:sent + 65536])
            most = max(most, sent - (sim_stat("net-out") - before))
        same(b"ok %d\n" % size, receive(s, 11), "sink")
    check(most < 300000, "%d bytes were accepted too early" % most)


def fresh():
    """Flows of UDP of the tests before are ended."""
    quiet()
    restart()
    becomes(lambda: not counter("flows_udp"), "flows are left")


@test
def idle_datagrams_make_room():
    quiet()
    before = counter("evictions")
    many = [udp() for _ in range(5)]
    for s in many:
        s.send(b"x")
        same(b"x", s.recv(10), "echo")
    with peer("echo") as s:
        echoes(s)
    check(counter("evictions") > before, "none was ended")
    # A flow that was ended begins anew.
    for s in many:
        s.send(b"y")
        same(b"y", s.recv(10), "echo")
        s.close()


@test
def questions_keep_their_sockets():
    """Who waits for an answer is ended after who has got one."""
    fresh()
    before = {name: counter(name) for name in ("evictions", "udp_unanswered")}
    asking = [udp() for _ in range(4)]
    for s in asking:
        s.send(b"!hold")
    with udp() as answered:
        answered.send(b"x")
        same(b"x", answered.recv(10), "echo")
        becomes(lambda: sim_stat("sockets") == 5, "not all are asked")
        with peer("echo") as stream:
            echoes(stream)
            same({**before, "evictions": before["evictions"] + 1},
                 {name: counter(name) for name in before}, "counters")
            # Whose sockets those are the module does not tell, but their answers come.
            asking[0].send(b"!release")
            for s in asking:
                same(b"!hold", s.recv(10), "answer")
    for s in asking:
        s.close()


@test
def questions_without_an_answer():
    """Nobody waits for them for ever, AF_ATWIFI neither, and it is counted."""
    for connect in (peer, atw):
        fresh()
        before = counter("udp_unanswered")
        many = [udp() for _ in range(5)]
        for s in many:
            s.send(b"!quiet")
        becomes(lambda: sim_stat("sockets") == 5, "not all are asked")
        with connect("echo") as stream:
            echoes(stream)
            check(counter("udp_unanswered") > before, "it is not counted")
        for s in many:
            s.close()


@test
def idle_datagrams_end():
    """A question to a name server soon, others not."""
    fresh()
    with udp() as s, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as question:
        s.send(b"x")
        same(b"x", s.recv(10), "echo")
        question.sendto(b"x", (HOST, 53))
        becomes(lambda: counter("flows_udp") == 2, "no flows")
        becomes(lambda: counter("flows_udp") == 1, "the question's flow stays", 40)
        opened = statistic("opened")
        s.send(b"y")
        same(b"y", s.recv(10), "echo")
        same(opened, statistic("opened"), "the other one's connection")


def first_number(path, pattern_, base=10):
    with open(path, encoding="ascii") as f:
        return int(re.search(pattern_, f.read()).group(1), base)


def held():
    """What must not grow with the connections that there were."""
    return {
        "sockets of TCP": first_number("/proc/net/sockstat", r"TCP:.* alloc (\d+)"),
        "orphans": first_number("/proc/net/sockstat", r"orphan (\d+)"),
        "sockets of UDP": first_number("/proc/net/sockstat", r"UDP: inuse (\d+)"),
        "routes": first_number("/proc/net/stat/rt_cache", r"\n([0-9a-f]+) ", 16),
        "sk_buffs": first_number("/proc/slabinfo", r"skbuff_head_cache +(\d+)"),
        "entries of conntrack": first_number("/proc/sys/net/netfilter/nf_conntrack_count",
                                             r"(\d+)"),
        "flows": counter("flows_tcp") + counter("flows_udp"),
        "sockets of the module": sim_stat("sockets"),
    }


# Some caches are kept by the kernel, a few by each processor.
SLACK = {"sk_buffs": 48, "routes": 4}


def short_streams(n):
    for i in range(n):
        with peer("close-after 4" if i % 3 else "echo") as s:
            s.sendall(b"abcd")
            same(b"" if i % 3 else b"abcd", receive(s, 4), "connection %d" % i)


def short_flows(n):
    for i in range(n):
        with udp() as s:
            s.send(b"%d" % i)
            same(b"%d" % i, s.recv(100), "flow %d" % i)


TIME_WAIT = "net.netfilter.nf_conntrack_tcp_timeout_time_wait"


@test
def churn():
    """Many short connections, one after the other: nothing is left of any."""
    streams = int(os.environ.get("ATW_CHURN", "200"))
    flows = max(streams // 10, 20)
    # Entries that only time ends go with the table.
    run("nft 'table inet t { chain in { type filter hook input priority 0; "
        "ct state established,related accept; }; }'")
    waits = run("sysctl -n " + TIME_WAIT)
    run("sysctl -qw %s=5" % TIME_WAIT)
    try:
        short_streams(10)
        short_flows(10)
        forget()
        before, opened = held(), statistic("opened")
        short_streams(streams)
        short_flows(flows)
        same(streams + flows, statistic("opened") - opened, "connections")
        forget()
        for name, was in before.items():
            becomes(lambda n=name, w=was: held()[n] <= w + SLACK.get(n, 0), "%s: %d, then %d" % (
                name, was, held()[name]))
    finally:
        run("nft flush ruleset; sysctl -qw %s=%s" % (TIME_WAIT, waits))


def forget():
    """Ends what only time would end: flows of UDP, and what conntrack remembers."""
    fresh()
    run("conntrack -F 2>/dev/null")


def in_background(f, *args):
    thread = threading.Thread(target=f, args=args, daemon=True)
    thread.start()
    return thread


def send_on(s, stop):
    while not stop.is_set():
        s.send(bytes(4096))


def meter(s):
    s.sendall(bytes(8))
    return struct.unpack("<Q", receive(s, 8))[0]


@test
def line_is_shared():
    """AF_ATWIFI and the network device: uploads of both get their parts of the line."""
    quiet()
    kinds = (peer, atw)
    meters = [peer("meter %d" % (40 + i)) for i in range(2)]
    before = [meter(s) for s in meters]
    streams = [k("count %d" % (40 + i)) for i, k in enumerate(kinds)]
    stop = threading.Event()
    # Seconds of the line: who has to wait for a processor has something to send.
    for s in streams:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 131072)
    senders = [in_background(send_on, s, stop) for s in streams]
    try:
        end = time.monotonic() + LIMIT
        while True:
            sent = [meter(s) - b for s, b in zip(meters, before)]
            if sum(sent) > 400000:
                break
            check(time.monotonic() < end, "only %r bytes" % sent)
            time.sleep(0.1)
        check(min(sent) > sum(sent) / 4, "parts of the line: %r bytes" % sent)
    finally:
        stop.set()
        for t in senders:
            t.join()
        for s in streams + meters:
            s.close()


@test
def few_bytes_pass_many():
    """An upload by one of the two does not stop a dialogue by the other."""
    quiet()
    size = 1000000
    data = pattern(21, size)
    for bulk, other in ((peer, atw), (atw, peer)):
        with bulk("sink %d 21" % size) as s, other("echo") as t:
            in_background(s.sendall, data)
            turns = 0
            while not select.select([s], [], [], 0)[0]:
                echoes(t, b"%06d" % turns)
                turns += 1
            same(b"ok %d\n" % size, receive(s, 11), "sink")
            # One for all that is queued, 100 kB and more, would be far from fair.
            check(turns >= 12, "%s: only %d turns" % (other.__name__, turns))


NOBODY = """
import errno, os, socket, time
os.setgid(65534)
os.setuid(65534)
s = []
%s
print(flush=True)
time.sleep(900)
"""
# Connects to a remote that is silent, each to another port: none is remembered for another.
SILENT = """
for port in range(2000, 2020):
    s.append(socket.socket())
    s[-1].setblocking(False)
    assert s[-1].connect_ex((%r, port)) == errno.EINPROGRESS
"""
# Datagrams to as many remotes that do not answer.
SPRAY = """
for port in range(3000, 3060):
    s.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    s[-1].sendto(b"x", (%r, port))
"""


@contextlib.contextmanager
def nobody(code):
    """Another user, who has begun something."""
    with subprocess.Popen([sys.executable, "-c", NOBODY % (code % HOLE)],
                          stdout=subprocess.PIPE) as process:
        try:
            check(select.select([process.stdout], [], [], LIMIT)[0] and process.stdout.read(1),
                  "nobody does nothing")
            yield
        finally:
            process.kill()


def begun():
    return [statistic(name) for name in ("opened", "failed")]


def waits_for_one(all_wait):
    with connecting(), nobody(SILENT), socket.socket() as s:
        all_wait()
        becomes(lambda: sim_stat("connecting"), "the module does not begin")
        opened, failed = begun()
        s.setblocking(False)
        same(errno.EINPROGRESS, s.connect_ex((HOST, PEER)), "connect")
        becomes(lambda: (PEER, "waiting") in [
            (c["port"], c["state"]) for c in json.loads(atwctl("sockets"))], "it does not wait")
        # For more than a second it has made others wait, and lets them go before the next.
        time.sleep(1.2)
        sim("connect-late")
        check(select.select([], [s], [], LIMIT)[1], "it has to wait for more")
        same([opened + 1, failed + 1], begun(), "connects that came and went meanwhile")
        same(0, s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), "its error")


@test
def one_silent_connect_is_waited_for():
    """Whoever connects waits for the one that runs, and not for others behind that."""
    fresh()
    waits_for_one(lambda: becomes(lambda: counter("flows_tcp") == 20, "not all wait"))


@test
def one_silent_connect_that_has_waited():
    """Nor where those others have waited for a socket of the module before."""
    fresh()
    many = [peer("echo") for _ in range(5)]
    waits = counter("waits")

    def all_wait():
        becomes(lambda: counter("waits") == waits + 20, "not all wait for a socket")
        for s in many:
            s.close()

    waits_for_one(all_wait)


@test
def small_datagrams_are_as_many():
    """However short a datagram is, no more of them wait than of long ones."""
    fresh()
    with connecting(), udp() as s, socket.socket() as blocks:
        s.send(b"x")
        same(b"x", s.recv(10), "echo")
        blocks.setblocking(False)
        same(errno.EINPROGRESS, blocks.connect_ex((HOLE, 2020)), "connect")
        becomes(lambda: sim_stat("connecting"), "the module does not begin")
        dropped = counter("udp_dropped")
        for _ in range(100):
            s.send(b"x")
        # 32 for the flow, and 2 that it has handed over.
        becomes(lambda: counter("udp_dropped") >= dropped + 100 - 34, "more of them wait")
    quiet()


@test
def datagrams_have_a_share():
    """Many flows of another user's datagrams do not keep a connect from its socket."""
    fresh()
    opened, _ = begun()
    with nobody(SPRAY):
        becomes(lambda: counter("flows_udp") == 60, "not all wait")
        becomes(lambda: begun()[0] >= opened + 5, "the module's sockets are not taken")
        with peer("echo") as s:
            # It is the next of 56 that wait; some may have come since then.
            check(begun()[0] < opened + 20, "%d went before it" % (begun()[0] - opened - 5))
            echoes(s)
    fresh()


# The kernel makes the parts of a list as long as what was asked for, and one ahead.
PART = 4096
# Commands of the driver's family
DEV_GET, SOCKET_GET, EXPOSE_GET, EXPOSE_ADD, EXPOSE_DEL = 1, 3, 12, 13, 14


def genl_message(family, kind, flags, command, attributes=b""):
    return struct.pack("=IHHII", 20 + len(attributes), kind or family, flags, 1, 0) + \
        struct.pack("=BBH", command, 1, 0) + attributes


def genl_family(s):
    """The number of the driver's family."""
    name = b"atwifi\0"
    # CTRL_CMD_GETFAMILY with CTRL_ATTR_FAMILY_NAME, of nlctrl
    s.send(genl_message(0x10, 0, 1, 3, struct.pack("=HH", 4 + len(name), 2) + name + b"\0"))
    answer = s.recv(PART)
    at = 20
    while at < len(answer):
        size, kind = struct.unpack_from("=HH", answer, at)
        if kind == 1:
            return struct.unpack_from("=H", answer, at + 4)[0]
        at += size + 3 & ~3
    raise Failed("no family")


def flags_of(part):
    """The flags of the messages in a part of a dump, and whether it is the last."""
    at, flags, last = 0, 0, False
    while at < len(part):
        size, kind, more = struct.unpack_from("=IHH", part, at)
        flags |= more
        last |= kind == 3
        at += size + 3 & ~3
    return flags, last


def says_it_changed(s, family, command, change=None):
    """Does a dump say that it is not all of one moment, with a CHANGE behind its first part?"""
    interrupted, parts = 0x10, 1
    s.send(genl_message(family, 0, 0x301, command))
    flags, last = flags_of(s.recv(PART))
    if change:
        change()
    while not last:
        more, last = flags_of(s.recv(PART))
        flags |= more
        parts += 1
    # The second was made before the change.
    check(parts > 2, "the list has %d parts" % parts)
    return bool(flags & interrupted)


@test
def list_that_changes():
    """A list of sockets that is not all of one moment says so."""
    quiet()
    many = []

    def connects():
        s, address = atw_socket(HOLE)
        s.setblocking(False)
        LIBC.connect(s.fileno(), address, len(address))
        many.append(s)

    try:
        # One of them keeps the module busy, the others wait for it.
        with connecting(), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as s:
            for _ in range(400):
                connects()
            becomes(lambda: '"opening"' in atwctl("sockets"), "the module does not begin")
            family = genl_family(s)
            for change in (None, connects):
                same(bool(change), says_it_changed(s, family, SOCKET_GET, change),
                     "said to have changed")
    finally:
        for s in many:
            s.close()


@test
def lists_that_change():
    """So do one of devices, and one of the ports that are exposed."""
    ttys = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as s, \
         socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as other:
        family = genl_family(s)

        def port(command, n):
            attributes = b"".join(
                struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
                for kind, value in ((2, b"atw%d\0" % (n % 8 + 1)), (3, b"\6"),
                                    (4, struct.pack("=H", 5000 + n))))
            other.send(genl_message(family, 0, 5, command, attributes))
            same(0, struct.unpack_from("=i", other.recv(PART), 16)[0], "port %d" % n)

        def detach():
            # The line discipline stays until the last of both ends is closed.
            os.close(ttys.pop())
            os.close(ttys.pop())

        try:
            # Of none is there a module.
            for _ in range(24):
                ttys += os.openpty()
                fcntl.ioctl(ttys[-1], termios.TIOCSETD, struct.pack("i", N_DEVELOPMENT))
            for n in range(64):
                port(EXPOSE_ADD, n)
            for command, change in ((EXPOSE_GET, lambda: port(EXPOSE_DEL, 0)),
                                    (DEV_GET, detach)):
                for how in (None, change):
                    same(bool(how), says_it_changed(s, family, command, how),
                         "said to have changed, %d" % command)
        finally:
            for fd in ttys:
                os.close(fd)


@test
def sockets_are_shared():
    """What the one does not need the other gets."""
    quiet()
    # Flows that are idle make room for AF_ATWIFI.
    many = [udp() for _ in range(5)]
    for s in many:
        s.send(b"x")
        same(b"x", s.recv(10), "echo")
    time.sleep(0.5)		# only that makes them idle
    with atw("echo") as s:
        echoes(s)
    for s in many:
        s.close()
    # A program waits for what AF_ATWIFI has, and gets it.
    many = [atw("echo") for _ in range(5)]
    waits = counter("waits")
    with socket.socket() as s:
        s.setblocking(False)
        same(errno.EINPROGRESS, s.connect_ex((HOST, PEER)), "connect")
        becomes(lambda: counter("waits") > waits, "it does not wait")
        many.pop().close()
        s.settimeout(LIMIT)
        select.select([], [s], [], LIMIT)
        s.sendall(b"echo\n")
        echoes(s)
    for s in many:
        echoes(s)
        s.close()


READER = """
import socket
s = socket.create_connection((%r, %d))
s.sendall(b"source %s\\n")
while len(s.recv(%d%s)):
    print(flush=True)
    %s
"""


@contextlib.contextmanager
def on_the_lan(code):
    """A program on the machine behind this one, which has received something."""
    with subprocess.Popen(["ip", "netns", "exec", "lan", sys.executable, "-c", code],
                          stdout=subprocess.PIPE) as process:
        try:
            check(select.select([process.stdout], [], [], LIMIT)[0], "no stream on the LAN")
            yield
        finally:
            process.kill()


@test
def who_is_there():
    """A machine that vanishes leaves its sockets in time; who does not read is there."""
    quiet()
    size = 400000
    aborts = counter("tcp_aborts")
    # Slowly: what waits for who has vanished is not to be too much.
    reads = READER % (HOST, PEER, "5000000 14 1000 200", 4096, "", "pass")
    waits = READER % (HOST, PEER, "400000 15", 1, ", socket.MSG_PEEK",
                      "__import__('time').sleep(900)")
    with peer("source %d 13" % size, rcvbuf=16384) as here, lan(), \
         on_the_lan(reads), on_the_lan(waits):
        run("ip -n lan link set eth0 down")
        # What the manual says. Left to itself TCP tries for a quarter of an hour.
        becomes(lambda: counter("flows_tcp") == 1, "the sockets are kept", 180)
        same(aborts + 2, counter("tcp_aborts"), "connections that the program's side ended")
        check(receive(here, size) == pattern(13, size), "the bytes differ")


@test
def no_socket_left():
    """All are in use and stay so: the program is told after a while."""
    quiet()
    atwctl("yield off")
    streams = [peer("echo") for _ in range(5)]
    with udp() as s:
        # As of any router; without that no program hears of it.
        s.setsockopt(socket.IPPROTO_IP, 11, 1)	# IP_RECVERR
        s.send(b"x")
        try:
            s.recv(10)
            got = "an answer"
        except OSError as e:
            got = errno.errorcode.get(e.errno, str(e))
        same("EHOSTUNREACH", got, "a datagram")
    if not QUICK:
        same("EHOSTUNREACH", connect_errno(HOST, PEER, limit=2 * LIMIT), "connect")
    atwctl("yield 2")
    for s in streams:
        echoes(s)
        s.close()


@test
def pings_beside_payload():
    """
    Echo requests beside an upload harm neither. That the module is asked when nothing
    else waits is shown by the unit tests: here the upload may be what is waited for.
    """
    quiet()
    size = 400000
    with peer("sink %d 22" % size) as s:
        with subprocess.Popen(["ping", "-q", "-i", "0.02", sysfs("gateway")],
                              stdout=subprocess.DEVNULL) as flood:
            becomes(lambda: counter("pings"), "no ping")
            s.sendall(pattern(22, size))
            same(b"ok %d\n" % size, receive(s, 10), "sink")
            pings = counter("pings")
            becomes(lambda: counter("pings") > pings, "no ping after it")
            flood.terminate()


def echo_requests():
    with open("/sys/class/net/%s/statistics/tx_packets" % DEV, encoding="ascii") as f:
        return int(f.read())


@test
def pings_of_others():
    """Somebody's echo requests, which nobody answers, leave room for another user's."""
    quiet()
    with open("/proc/sys/net/ipv4/ping_group_range", "w", encoding="ascii") as f:
        f.write("0 65535")
    with contextlib.ExitStack() as stack, socket.socket() as s:
        with connecting():
            s.setblocking(False)
            same(errno.EINPROGRESS, s.connect_ex((HOLE, PEER)), "connect")
            becomes(lambda: sim_stat("connecting"), "the module does not begin")
            sent = echo_requests()
            for command in 6 * ["ping -c 1 -W 60 %s" % HOLE] + [
                    "setpriv --reuid 65534 --clear-groups ping -c 1 -W 60 " + sysfs("gateway")]:
                ping = stack.enter_context(subprocess.Popen(command.split(),
                                                            stdout=subprocess.PIPE))
                stack.callback(ping.kill)
                sent += 1
                becomes(lambda: echo_requests() >= sent, "no echo request")
        out = ping.communicate()[0].decode()
        check(" 0% packet loss" in out, out)


if __name__ == "__main__":
    sys.exit(main())
