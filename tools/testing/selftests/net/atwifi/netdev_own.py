#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
The network devices of modules that this guest emulates: two in one network
namespace, modules that lie, and servers at the ports that are theirs.
"""

import contextlib
import errno
import json
import os
import re
import select
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import termios
import threading
import time

from atwnet import HOST, PEER, TMP, atw, atwctl, local_peer, main, pattern, peer, tell
from page import HOSTS, SIZE, Echo, Page, Server, Web
from guest import (
    DEV, LIMIT, Failed, Module, becomes, check, counter, echoes, receive, run, same, statistic,
    sysfs, test)

# Of linux/atwifi.h
SOL_ATWIFI, ATW_TRANSPARENT = 0x4154, 5


@contextlib.contextmanager
def module(*options, dev=DEV, join=True, rate=termios.B921600):
    with Module("%s/%s" % (TMP, dev), options, dev=dev, rate=rate) as m:
        if join:
            m.configure()
        yield m


def by(dev, port, line):
    """A connection to the peer from this port, over that device and no other."""
    s = socket.socket()
    s.settimeout(120)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, dev.encode())
    s.bind((sysfs("address", dev), port))
    s.connect((HOST, PEER))
    s.sendall(line.encode() + b"\n")
    return s


@test
def two_of_the_same_address():
    """Equal addresses and ports on both sides, over two networks: nothing is mixed up."""
    names = ("tcp_flows", "tcp_resets", "tcp_aborts")
    with local_peer(), module(), module(dev="atw1"):
        same(sysfs("address"), sysfs("address", "atw1"), "addresses")
        for first, second in ((DEV, "atw1"), ("atw1", DEV)):
            before = {dev: [counter(name, dev) for name in names] for dev in (DEV, "atw1")}
            one = by(first, 41000, "duplex 100000 3")
            two = by(second, 41000, "duplex 100000 5")
            for s, seed in ((one, 3), (two, 5)):
                s.sendall(pattern(seed + 1, 100000))
            for s, seed in ((two, 5), (one, 3)):
                check(receive(s, 100000) == pattern(seed, 100000), "the bytes differ")
                same(b"ok 100000\n", receive(s, 10), "what was sent")
                s.close()
            becomes(lambda: not counter("flows_tcp", DEV) + counter("flows_tcp", "atw1"),
                    "flows are left")
            for dev in (DEV, "atw1"):
                same([before[dev][0] + 1] + before[dev][1:],
                     [counter(name, dev) for name in names], "counters of " + dev)


# A name server: what it is asked for, of that many bytes, or that many addresses.


def answer(query, size):
    end = query.index(b"\0", 12) + 5
    addresses = query[end - 3] == 1
    head = query[:2] + b"\x85\x80" + struct.pack("!HHHH", 1, size if addresses else 1, 0, 0) + \
        query[12:end]
    if addresses:
        return head + b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xcb\0\x71" + bytes([i])
                               for i in range(size))
    left = size - len(head) - 12
    text = b"".join(bytes([n]) + b"v" * n for n in [255] * (left // 256) + [left % 256 - 1])
    return head + b"\xc0\x0c\0\x10\0\1\0\0\0\x3c" + struct.pack("!H", len(text)) + text


def asked_for(query):
    return int(query[13:13 + query[12]])


class ByUdp(socketserver.BaseRequestHandler):
    def handle(self):
        query, s = self.request
        s.sendto(answer(query, asked_for(query)), self.client_address)


class ByTcp(socketserver.StreamRequestHandler):
    def handle(self):
        size = self.rfile.read(2)
        query = self.rfile.read(int.from_bytes(size, "big"))
        reply = answer(query, asked_for(query))
        self.wfile.write(len(reply).to_bytes(2, "big") + reply)


@contextlib.contextmanager
def served(*servers):
    with contextlib.ExitStack() as stack:
        for server in servers:
            stack.enter_context(server)
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
        yield


def name_server():
    return served(socketserver.UDPServer(("127.0.0.1", 53), ByUdp),
                  socketserver.TCPServer(("127.0.0.1", 53), ByTcp))


@test
def long_answers_of_name_servers():
    """One that may have been cut says so, and the client asks by TCP."""
    with name_server(), module():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(120)
            s.connect((HOST, 53))
            for size in (600, 1023, 1024, 1025, 1100, 1232, 1400, 4000):
                name = b"%d" % size
                query = struct.pack("!HHHHHH", size, 0x100, 1, 0, 0, 0) + \
                    bytes([len(name)]) + name + b"\4test\0\0\x10\0\1"
                want = answer(query, size)
                same(size, len(want), "length of the server's answer")
                if size >= 1024:
                    want = query[:2] + b"\x87\x80" + b"\0\1" + bytes(6) + query[12:]
                before = counter("dns_truncated"), counter("udp_maybe_cut")
                s.send(query)
                same(want, s.recv(5000), "answer of %d bytes" % size)
                same((before[0] + (size >= 1024), before[1]),
                     (counter("dns_truncated"), counter("udp_maybe_cut")), "counters")
        for size in (600, 1024, 1232):
            out = run("dig +tries=1 +time=60 +bufsize=1232 %d.test TXT @%s" % (size, HOST))
            check("ANSWER: 1" in out, out)
            same(size >= 1024, "(TCP)" in out or "retrying in TCP" in out, "asked by TCP: " + out)
        # The C library, where it is to ask for more than 512 bytes: two that are too long for UDP.
        path = TMP + "/resolv.conf"
        with open(path, "w", encoding="ascii") as f:
            f.write("nameserver %s\noptions edns0 trust-ad\n" % HOST)
        for number in (10, 65, 90):
            before = counter("dns_truncated")
            out = run("unshare -m sh -c 'mount --bind %s /etc/resolv.conf && "
                      "getent -s hosts:dns ahostsv4 %d.test'" % (path, number))
            same(["203.0.113.%d" % i for i in range(number)],
                 sorted(re.findall(r"^(\S+) +STREAM", out, re.M), key=socket.inet_aton),
                 "addresses")
            # The C library asks again where it has had too little room for all.
            same(number > 10, counter("dns_truncated") > before, "whether an answer was cut")


@test
def hardware_address():
    """It is the module's, if that is one, though the module has not joined."""
    def address():
        with open("/sys/class/net/%s/address" % DEV, encoding="ascii") as f:
            return f.read().strip()

    # As long as it has not joined this may be all that tells.
    with module("--no-autojoin", "--without", "AT+WJAP", "--mac", "7c:b9:4c:12:34:56", join=False):
        same("7c:b9:4c:12:34:56", address(), "address of the device")
        same("7c:b9:4c:12:34:56", sysfs("mac"), "as the module tells it")
    for lie in ("01:00:5e:00:00:01", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"):
        with module("--mac", lie):
            same(0, int(address()[:2], 16) & 1, "first byte of " + address())
            check(lie != address(), "it is believed: " + lie)
            same("00:00:00:00:00:00", sysfs("mac"), "what is told of " + lie)


@test
def another_name():
    """Whoever gives the network device one can find the module by it."""
    with module():
        index = socket.if_nametoindex(DEV)
        run("ip link set %s down; ip link set %s name wifi7" % (DEV, DEV))
        try:
            shown = json.loads(atwctl("show " + DEV))
            same((DEV, "wifi7", index), tuple(shown[k] for k in ("name", "ifname", "ifindex")),
                 "names")
        finally:
            run("ip link set wifi7 name " + DEV)


@test
def module_keeps_alive():
    """It looks after every remote, whatever the program has asked for: a probe a minute or two."""
    control = "%s/%s/control" % (TMP, DEV)
    with served(Server(("127.0.0.1", 80), Echo)), module("--control", control), \
         socket.create_connection(("192.0.2.1", 80), LIMIT) as s:
        echoes(s)
        timers = run("ss -Htno state established dst 127.0.0.1:80")
        check("timer:(keepalive" in timers, "the module's timers: " + timers)
        seconds = int(tell(control, "sockets").split(",")[-1])
        check(60 <= seconds <= 120, "seconds between two probes: %d" % seconds)


def acknowledged(s):
    """What the program's TCP says of a stream: delivered, on its way, not yet sent."""
    info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return (struct.unpack_from("=Q", info, 120)[0], struct.unpack_from("=I", info, 24)[0],
            struct.unpack_from("=I", info, 144)[0])


@test
def what_is_acknowledged():
    """While the module holds still: about as much as its line takes in a second."""
    for rate, second in ((termios.B115200, 11520), (termios.B921600, 92160)):
        with served(Server(("127.0.0.1", 80), Echo)), \
             module("--blackhole", "198.51.100.0/24", "--connect-timeout", "200000", rate=rate), \
             socket.create_connection(("192.0.2.1", 80), LIMIT) as s, socket.socket() as hole:
            echoes(s, b"x")
            s.setblocking(False)
            hole.setblocking(False)
            hole.connect_ex(("198.51.100.1", 80))
            becomes(lambda: '"opening"' in atwctl("sockets"), "the module does not begin")
            with contextlib.suppress(BlockingIOError):
                while True:
                    s.send(bytes(65536))
            # Then the window is closed.
            becomes(lambda: not acknowledged(s)[1] and acknowledged(s)[2], "there is no end")
            told = acknowledged(s)[0]
            print("# %d bytes of a line that takes %d in a second" % (told, second))
            check(told <= second * 5 / 4, "%d bytes are said to be delivered" % told)


def icmp_of(s):
    """Of the error that a datagram has met: its type and code, and who has sent it."""
    poll = select.poll()
    poll.register(s, 0)
    check(poll.poll(LIMIT * 1000), "no answer")
    _, extra, _, _ = s.recvmsg(1, 200, socket.MSG_ERRQUEUE)
    data = extra[0][2]
    return data[5], data[6], socket.inet_ntoa(data[20:24])


@test
def traceroute():
    """What is not to come far is answered at once, and takes nothing of the module's."""
    near = "192.168.3.77"
    with module():
        gateway, opened = sysfs("gateway"), sysfs("statistics/opened")
        probes = [("192.0.2.1", i // 3 + 1, 33434 + i) for i in range(90)]
        probes += [(near, 1, 33434), ("192.0.2.1", 30, 33534)]
        sockets = []
        for host, ttl, port in probes:
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
            s.setsockopt(socket.IPPROTO_IP, 11, 1)	# IP_RECVERR
            s.sendto(b"@" * 32, (host, port))
            sockets.append(s)
        for (host, ttl, port), s in zip(probes, sockets):
            far = ttl == 1 and host != near
            same((11, 0, gateway) if far else (3, 13, gateway), icmp_of(s),
                 "%s, port %d, TTL %d" % (host, port, ttl))
            s.close()
        # Nor is anything else to go further than the first router.
        with socket.socket() as s:
            s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
            same(errno.EHOSTUNREACH, s.connect_ex(("192.0.2.1", 80)), "connect")
        same(0, counter("udp_flows"), "flows")
        same(opened, sysfs("statistics/opened"), "connections")
        check(counter("probes") > len(probes), "they are not counted")
        # Programs may use such ports, and short ways.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"@", ("192.0.2.1", 33434))
            s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 4)
            s.sendto(b"@", ("192.0.2.1", 33535))
            s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
            s.sendto(b"@", (near, 7))
        becomes(lambda: counter("udp_flows") == 3, "no flows")


def sleeps(process):
    """That of a program which waits for events: it has asked for them."""
    with open("/proc/%d/stat" % process.pid, encoding="ascii") as f:
        return f.read().split()[2] == "S"


def reset_told(monitor):
    """The next connection that was ended, as the driver tells it."""
    for line in monitor.stdout:
        event = json.loads(line)
        if event["event"] == "socket-reset":
            return event
    raise Failed("the monitor has ended")


@test
def what_has_come():
    """Who was too slow gets all that came before he was, and then the error."""
    with local_peer(), module(), subprocess.Popen(
            [os.environ["ATW_CTL"], "--json", "monitor"], stdout=subprocess.PIPE) as monitor:
        try:
            becomes(lambda: sleeps(monitor), "it does not listen")
            with peer("source 20000000 12", rcvbuf=16384) as s:
                came = reset_told(monitor)["rx_bytes"]
                # Nothing is read before that, and the module has no part in it any more.
                becomes(lambda: not counter("ids_in_use"), "the module still has it")
                got = b""
                with contextlib.suppress(ConnectionResetError):
                    while True:
                        piece = s.recv(65536)
                        check(piece, "a stream that was cut ended in order")
                        got += piece
            check(got == pattern(12, len(got)), "the bytes differ")
            # But the piece for which there was no room.
            check(len(got) >= came - 1024, "%d bytes of %d" % (len(got), came))
        finally:
            monitor.terminate()


@contextlib.contextmanager
def talks(s):
    """Somebody else, who does not notice, or only that it takes a moment."""
    stop, words = threading.Event(), []

    def talk():
        try:
            while not stop.is_set():
                echoes(s)
                words.append("")
        except (OSError, Failed) as e:
            words.append(str(e))

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    yield words
    stop.set()
    thread.join(LIMIT)
    same("", max(words), "an echo")


def reads_slowly(s, size, seed):
    """
    Faster than the line's rate, and slower than what nothing paces. False: it was reset, and
    this machine had it wait for nearly as long as the driver waits for who has stopped.
    """
    got = b""
    longest, last = 0, time.monotonic()
    try:
        while len(got) < size:
            piece = s.recv(min(4096, size - len(got)))
            check(piece, "end after %d bytes" % len(got))
            got += piece
            time.sleep(0.02)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
    except ConnectionResetError:
        check(longest > 0.15, "reset after %d bytes, %.3f s without reading" % (len(got), longest))
        return False
    check(got == pattern(seed, size), "the bytes differ")
    return True


def does_not_read(s, seed, others):
    """It is reset, and has what came before; OTHERS do something all the time."""
    before = statistic("overflows")
    becomes(lambda: statistic("overflows") > before, "no end to its memory")
    count = len(others)
    got = b""
    try:
        while piece := s.recv(65536):
            got += piece
        raise Failed("it ended in order after %d bytes" % len(got))
    except ConnectionResetError:
        check(got == pattern(seed, len(got)), "the bytes before it differ")
    becomes(lambda: len(others) > count, "the others wait for ever")


def waits_for_stops(count, overflows):
    """Until the line was stopped so often, or there is no reason for that any more."""
    before = statistic("throttled")
    becomes(lambda: statistic("throttled") >= before + count or
            statistic("overflows") > overflows, "nothing stops the line")


def reads_in_blocks(s, size, seed):
    """
    Half of what the line carries, in the blocks that a file is written in. False: as
    reads_slowly(), by a machine that stood still for as long as the room for that lasts.
    """
    overflows = statistic("overflows")
    waits_for_stops(1, overflows)
    got = b""
    longest, last = 0, time.monotonic()
    try:
        for _ in range(8):
            # Eight pieces of 1024 bytes have come then, or twice as many.
            waits_for_stops(8, overflows)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
            got += receive(s, 16384)
        got += receive(s, size - len(got))
    except ConnectionResetError:
        check(longest > 2, "reset after %d bytes, %.3f s without reading" % (len(got), longest))
        return False
    check(got == pattern(seed, size), "the bytes differ")
    return True


@test
def readers_of_blocks():
    """Who is half as fast as the line loses nothing, though he reads nothing most of the time."""
    with local_peer(), module(rate=termios.B115200):
        for connect, rcvbuf in ((atw, None), (peer, 16384)):
            for _ in range(5):
                with connect("source 1000000 7", rcvbuf=rcvbuf) as s:
                    read = reads_in_blocks(s, 1000000, 7)
                if read:
                    break
            check(read, "the machine is too slow for this")


@test
def slow_readers():
    """
    A pty can be held up: who is slower has all that was sent. Who stops is reset, and with
    him nobody else.
    """
    stalls = 0
    with local_peer(), module(), peer("echo") as other, talks(other) as words:
        for connect, size in ((atw, 600000), (peer, 1000000)):
            read = False
            while not read:
                with connect("source %d 5" % size, rcvbuf=16384) as s:
                    read = reads_slowly(s, size, 5)
                stalls += not read
                check(stalls < 5, "the machine is too slow for this")
        check(statistic("throttled"), "they were fast enough")
        same(str(stalls), sysfs("statistics/overflows"), "streams that were reset")
        for connect in (atw, peer):
            with connect("source 20000000 6", rcvbuf=16384) as s:
                does_not_read(s, 6, words)


@test
def slow_reader_in_transparent_mode():
    """The same where the line belongs to one connection."""
    stalls, read = 0, False
    with local_peer(), module():
        while not read:
            with atw("wait source 600000 7", rcvbuf=16384) as s:
                s.setsockopt(SOL_ATWIFI, ATW_TRANSPARENT, 1)
                s.sendall(b"x")
                read = reads_slowly(s, 600000, 7)
            stalls += not read
            check(stalls < 5, "the machine is too slow for this")
        check(statistic("transparent"), "it was without the mode")
        check(statistic("throttled"), "it was fast enough")
        same(str(stalls), sysfs("statistics/overflows"), "streams that were reset")


def wire_bytes():
    """What the serial line has carried, both ways."""
    return statistic("rx_bytes") + statistic("tx_bytes")


@test
def browser():
    """Six connections to each of four hosts, which keep them; five sockets, one is ssh's."""
    web = [Server(("127.0.0.%d" % (i + 1), 80), Web) for i in range(HOSTS)]
    with served(*web, Server(("127.0.0.9", 22), Echo)), module("--baud", "921600") as m, \
         socket.create_connection(("192.0.2.9", 22), LIMIT) as ssh:
        echoes(ssh)
        # No machine is so slow that a stream which is in use is idle for as long.
        atwctl("yield 60")
        opened, yielded, carried = statistic("opened"), counter("yielded"), wire_bytes()
        # All want to connect before the first one can.
        m.sim.send_signal(signal.SIGSTOP)
        page = Page(["192.0.2.%d" % (i + 1) for i in range(HOSTS)], 80)
        becomes(lambda: len(json.loads(atwctl("sockets"))) == 1 + len(page.keepers),
                "not all want to connect")
        m.sim.send_signal(signal.SIGCONT)
        check(page.wait(), "the objects differ, or some are missing")
        carried = wire_bytes() - carried
        # How long that takes is for make bench to say; here, that there is nothing to wait for.
        print("# %.1f s, %.1f times as long as on the wire, which has carried %.2f times that" % (
            page.seconds, page.seconds / (page.count * SIZE / 92160), carried / page.count / SIZE))
        # Four sockets are to be had, and each host has one of them: no object waits for
        # another stream's end.
        same(yielded, counter("yielded"), "streams that had to end for it")
        same(opened + HOSTS, statistic("opened"), "connects that have taken the module's time")
        same(0, page.again(), "objects that were asked for again")
        check(carried < 2 * page.count * SIZE, "the wire has carried %d bytes" % carried)
        echoes(ssh, b"still there")
        # All who wait have one at some time.
        atwctl("yield 1")
        page.close()
        for keeper in page.keepers:
            same("", keeper.error, "a connection")
        echoes(ssh, b"still there")
        check(counter("yielded") >= len(page.keepers) - 4, "not all had a socket")


@test
def who_waits_for_an_answer():
    """It is not idle, however long that takes; nor is what has no time to be."""
    release = threading.Event()

    class Slow(socketserver.BaseRequestHandler):
        def handle(self):
            while data := self.request.recv(4096):
                if data == b"?":
                    release.wait(LIMIT)
                self.request.sendall(data)

    with served(*(Server(("127.0.0.1", port), Slow) for port in (80, 8080))), module():
        asking = [socket.create_connection(("192.0.2.1", 80), LIMIT) for _ in range(4)]
        for s in asking:
            echoes(s, b"x")
            s.sendall(b"?")
        idle = socket.create_connection(("192.0.2.1", 80), LIMIT)
        echoes(idle, b"x")
        with socket.create_connection(("192.0.2.1", 8080), LIMIT) as s:
            echoes(s, b"x")
            same(1, counter("yielded"), "streams that were ended")
            try:
                raise Failed("the idle one's end is %r" % idle.recv(1))
            except ConnectionResetError:
                pass
            # For this one there is nothing left, and nobody gives way to it.
            atwctl("yield off")
            waits = counter("waits")
            with socket.socket() as last:
                last.setblocking(False)
                last.connect_ex(("192.0.2.1", 80))
                becomes(lambda: counter("waits") > waits, "it does not wait")
            release.set()
            for a in asking:
                same(b"?", a.recv(1), "answer")
                a.close()
        same(1, counter("yielded"), "streams that were ended")
        idle.close()


if __name__ == "__main__":
    sys.exit(main())
