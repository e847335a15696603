#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
The network device and who sends frames that no stack would have made: a machine
behind a bridge, a scanner, a program with a raw socket.
"""

import contextlib
import errno
import fcntl
import os
import random
import select
import socket
import struct
import sys
import threading
import time

from atwnet import HOLE, HOST, PEER, atwctl, held, main, pattern, peer, quiet, udp
from guest import (
    DEV, LIMIT, becomes, check, counter, echoes, receive, run, same, statistic, sysfs, test)

SOL_PACKET, PACKET_VNET_HDR = 263, 15
FIN, SYN, RST, ACK = 1, 2, 4, 16


def checksum(data):
    """The Internet's."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return struct.pack("!H", ~total & 0xffff)


def ip(proto, payload, src=None, dst=HOST, options=b"", fragment=0, total=None, version=4,
       ihl=None, good=True):
    ihl = 5 + len(options) // 4 if ihl is None else ihl
    total = 20 + len(options) + len(payload) if total is None else total
    head = bytearray(struct.pack(
        "!BBHHHBBH4s4s", version << 4 | ihl, 0, total & 0xffff, 1, fragment, 64, proto, 0,
        socket.inet_aton(src or sysfs("address")), socket.inet_aton(dst)) + options)
    head[10:12] = checksum(bytes(head))
    head[10] ^= not good
    return bytes(head) + payload


def with_sum(at, segment, proto, src, dst):
    """A segment with its checksum, over the pseudo-header too."""
    pseudo = socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack(
        "!BBH", 0, proto, len(segment))
    segment = bytearray(segment)
    segment[at:at + 2] = checksum(pseudo + bytes(segment))
    return bytes(segment)


def tcp(sport, dport, flags, seq=0, ack=0, payload=b"", options=b"", doff=None, src=None,
        dst=HOST):
    doff = 5 + len(options) // 4 if doff is None else doff
    return with_sum(16, struct.pack("!HHIIBBHHH", sport, dport, seq, ack, doff << 4, flags,
                                    65535, 0, 0) + options + payload,
                    6, src or sysfs("address"), dst)


def udp_header(sport, dport, size):
    return struct.pack("!HHHH", sport, dport, 8 + size, 0)


def frame(packet, kind=b"\x08\x00", source=None):
    mac = bytes.fromhex(sysfs("mac").replace(":", ""))
    return mac + (source or mac) + kind + packet


class Raw(socket.socket):
    """Frames as they are. With a place where a checksum is to go: VNET."""

    def __init__(self, vnet=False):
        super().__init__(socket.AF_PACKET, socket.SOCK_RAW)
        self.setsockopt(SOL_PACKET, PACKET_VNET_HDR, int(vnet))
        self.bind((DEV, 0))

    def partial(self, data, start, offset, gso=(0, 0, 0)):
        """False: the kernel itself does not believe it."""
        kind, header, size = gso
        try:
            self.send(struct.pack("=BBHHHH", 1, kind, header, size, start, offset) + data)
        except OSError as e:
            # ENOMEM: it does not know how to cut such a frame.
            check(e.errno in (errno.EINVAL, errno.ENOMEM), "at %d + %d: %s" % (start, offset, e))
            return False
        return True


@test
def where_a_checksum_goes():
    """Not before the header that it is of: least of all into what was checked."""
    with udp() as s, Raw(True) as raw:
        port = s.getsockname()[1]

        def comes(start, offset, turn):
            """Of one with its checksum there, and one behind it; whether that came."""
            data, last = (b"%d %d %d %d" % (start, offset, turn, n) for n in range(2))
            taken = raw.partial(frame(ip(17, udp_header(port, PEER, len(data)) + data)),
                                start, offset)
            s.send(last)
            came = []
            while last not in came and select.select([s], [], [], LIMIT / 10)[0]:
                came.append(s.recv(100))
            if last not in came:
                return False
            # In the Ethernet header it means nothing; in the IP header it does.
            same([data, last] if taken and start < 14 else [last],
                 [d for d in came if d in (data, last)], "checksum at %d + %d" % (start, offset))
            return True

        for start in range(34):
            for offset in (0, 2, 6, 16):
                # A machine that stands still for too long costs a datagram.
                check(any(comes(start, offset, turn) for turn in range(3)),
                      "nothing comes behind %d + %d" % (start, offset))


class Tap:
    """A machine's device, of which frames are forwarded; they say where a checksum is to go."""

    def __init__(self):
        self.fd = os.open("/dev/net/tun", os.O_RDWR)
        try:
            self.configure()
        except BaseException:
            os.close(self.fd)
            raise

    def configure(self):
        # TUNSETIFF: IFF_TAP, IFF_NO_PI, IFF_VNET_HDR
        fcntl.ioctl(self.fd, 0x400454ca, struct.pack("16sH22x", b"tap0", 0x5002))
        run("ip addr add 10.9.0.1/24 dev tap0 && ip link set tap0 up && "
            "ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev tap0 && "
            "sysctl -qw net.ipv4.ip_forward=1")
        with open("/sys/class/net/tap0/address", encoding="ascii") as f:
            self.head = bytes.fromhex(f.read().strip().replace(":", "")) + b"\2\0\0\0\0\2\x08\0"

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        os.close(self.fd)
        run("sysctl -qw net.ipv4.ip_forward=0")

    def partial(self, packet, start, offset):
        """False: the kernel itself does not believe it."""
        try:
            os.write(self.fd, struct.pack("=BBHHHH", 1, 0, 0, 0, start, offset) + self.head +
                     packet)
        except OSError as e:
            same(errno.EINVAL, e.errno, "at %d + %d" % (start, offset))
            return False
        return True


def sent():
    """Frames that the device was given."""
    with open("/sys/class/net/%s/statistics/tx_packets" % DEV, encoding="ascii") as f:
        return int(f.read()) + dropped()


@test
def where_a_checksum_of_others_goes():
    """The same, from another machine by this one, and in a header that is changed on the way."""
    taken = 0
    with udp() as s, Tap() as tap:
        before = sent()
        for start in range(34):
            for offset in (0, 2, 6, 16):
                data = udp_header(5000, PEER, 5) + b"other"
                taken += tap.partial(ip(17, data, src="10.9.0.2"), start, offset)
                s.send(b"next")
                same(b"next", s.recv(100), "checksum at %d + %d" % (start, offset))
        print("# %d frames, %d of them taken" % (sent() - before, taken))
        check(taken and sent() - before >= 34 * 4 + taken, "not all came to the device")


def dropped():
    with open("/sys/class/net/%s/statistics/tx_dropped" % DEV, encoding="ascii") as f:
        return int(f.read())


@test
def wrong_headers():
    """What the next router would drop goes nowhere."""
    with udp() as s, Raw() as raw, Raw(True) as large:
        port = s.getsockname()[1]
        payload = udp_header(port, PEER, 3) + b"bad"
        for packet in (ip(17, payload, good=False), ip(17, payload, version=6),
                       ip(17, payload, ihl=4), ip(17, payload, ihl=9), ip(17, payload, total=25),
                       ip(17, payload, total=500), ip(17, udp_header(port, PEER, 2000) + b"bad"),
                       ip(17, payload)[:30]):
            raw.send(frame(packet))
            s.send(b"next")
            same(b"next", s.recv(100), "after " + packet.hex())
        # Nor what another machine sends: its answer would not find it.
        before = dropped()
        raw.send(frame(ip(17, payload), source=b"\x02another"[:6]))
        s.send(b"next")
        same(b"next", s.recv(100), "after a frame of another machine")
        same(before + 1, dropped(), "frames dropped")
        raw.send(frame(ip(17, payload) + b"padding"))
        same(b"bad", s.recv(100), "a good one")
        opened = statistic("opened"), statistic("failed")
        damaged = bytearray(tcp(40000, PEER, SYN))
        damaged[3] ^= 1
        raw.send(frame(ip(6, bytes(damaged))))
        s.send(b"next")
        same(b"next", s.recv(100), "after a damaged SYN")
        same(0, counter("flows_tcp"), "flows of a damaged SYN")
        check(large.partial(frame(ip(6, tcp(40001, PEER, SYN, payload=bytes(3000)))), 34, 16,
                            (1, 54, 1000)), "the kernel takes a long SYN")
        s.send(b"next")
        same(b"next", s.recv(100), "after a SYN of three packets")
        same(0, counter("flows_tcp"), "flows of a SYN of three packets")
        run("ip link set %s mtu 65535" % DEV)
        try:
            raw.send(frame(ip(6, tcp(40002, PEER, SYN, payload=bytes(60000)))))
        finally:
            run("ip link set %s mtu 1052" % DEV)
        s.send(b"next")
        same(b"next", s.recv(100), "after a SYN of 60,000 bytes")
        same(0, counter("flows_tcp"), "flows of a SYN of 60,000 bytes")
        same(opened, (statistic("opened"), statistic("failed")),
             "connections of a damaged SYN")


class Noise:
    """Frames of all kinds, whole and broken, the same for a seed."""

    IP_OPTIONS = (b"", b"", b"", b"\x01\x01\x01\x00", b"\x83\x07\x04\x01\x02\x03\x04\x00",
                  b"\x44\x08\x05\x00\x00\x00\x00\x00", b"\x07\x27\x04" + bytes(37))
    TCP_OPTIONS = (b"", b"", b"\x02\x04\x05\xb4", b"\x02\x04\x00\x01",
                   b"\x13\x12" + b"U" * 16 + b"\x01\x01", b"\x1e\x0c\x00\x81" + b"\x11" * 8,
                   b"\x22\x0a" + b"w" * 8 + b"\x01\x01", b"\x05\x0a" + b"\xff" * 8 + b"\x01\x01",
                   b"\xff\xff\xff\xff", b"\x13\x00\x00\x00", b"\x01\x01\x01\x13",
                   b"\x08\x0a" + b"\x01" * 8 + b"\x01\x01")

    def __init__(self, seed, honest):
        self.random = random.Random(seed)
        self.honest = honest
        self.here, self.gateway = sysfs("address"), sysfs("gateway")

    def tcp(self, src, dst):
        r = self.random
        segment = bytearray(tcp(
            r.randrange(40000, 40020), r.choice((PEER, PEER, 9)),
            r.choice((SYN, SYN, ACK, ACK | 8, RST, RST | ACK, FIN | ACK, 0, 63, SYN | ACK)),
            r.getrandbits(32), r.getrandbits(32), r.randbytes(r.choice((0, 0, 1, 100, 1000))),
            r.choice(self.TCP_OPTIONS), r.choice((None, None, None, 4, 15, 0)), src, dst))
        if r.random() < 0.2:
            # The connection of somebody else: none of it may be believed.
            struct.pack_into("!HH", segment, 0, self.honest, PEER)
        return 6, bytes(segment)

    def udp(self, *unused):
        r = self.random
        data = self.dhcp() if r.random() < 0.3 else r.randbytes(r.choice((0, 1, 99, 1024, 1025)))
        head = udp_header(r.randrange(50000, 50005), r.choice((PEER, PEER, 53, 67, 9)), len(data))
        if r.random() < 0.3:
            head = head[:4] + struct.pack("!HH", r.choice((0, 7, 8, 9, 65535)), r.choice((0, 1)))
        return 17, head + data

    def dhcp(self):
        r = self.random
        return (struct.pack("!BBBBIHH", r.choice((1, 1, 2)), 1, 6, 0, 1, 0, r.choice((0, 0x8000))) +
                bytes(16) + bytes.fromhex(sysfs("mac").replace(":", "")) + bytes(202) +
                b"\x63\x82\x53\x63" + bytes([53, 1, r.choice((1, 3, 8, 4))]) +
                b"".join(bytes([r.choice((0, 50, 54, 61, 255, 82)), r.choice((0, 4, 64, 255))]) +
                         r.randbytes(r.choice((0, 4, 64))) for _ in range(r.randrange(5))))

    def icmp(self, *unused):
        r = self.random
        inner = struct.pack("!BBHHHBBH4s4s", r.choice((0x45, 0x46, 0x65)), 0, 40, 0, 0, 64, 6, 0,
                            socket.inet_aton(HOST), socket.inet_aton(self.here))
        inner += struct.pack("!HHI", PEER, r.choice((self.honest, 40001)), r.getrandbits(32))
        head = bytearray(struct.pack("!BBH", r.choice((3, 3, 3, 8, 11, 5, 4, 0, 13)),
                                     r.choice((0, 1, 3, 4, 13)), 0) + r.randbytes(4) +
                         inner[:r.choice((28, 28, 20, 8, 0))] + r.randbytes(r.choice((0, 500))))
        head[2:4] = checksum(bytes(head))
        return 1, bytes(head)

    def other(self, *unused):
        r = self.random
        return r.choice((0, 2, 41, 47, 50, 132, 255)), r.randbytes(r.randrange(80))

    def next(self):
        r = self.random
        src = r.choice((self.here, self.here, "10.9.9.%d" % r.randrange(3), "0.0.0.0",
                        "224.0.0.1", "127.0.0.1"))
        dst = r.choice((HOST, HOST, HOST, self.gateway, "255.255.255.255", "224.0.0.251"))
        proto, payload = r.choice((self.tcp, self.tcp, self.udp, self.udp, self.icmp, self.other))(
            src, dst)
        data = bytearray(frame(
            ip(proto, payload, src, dst, r.choice(self.IP_OPTIONS),
               r.choice((0, 0, 0, 0x4000, 0x2000, 0x2001, 5))),
            r.choice((b"\x08\x00",) * 12 + (b"\x86\xdd", b"\x08\x06", b"\x81\x00", b"\x88\xa8"))))
        damage = r.random()
        if damage < 0.1:
            del data[r.randrange(14, len(data)):]
        elif damage < 0.2:
            for _ in range(r.randrange(1, 5)):
                data[r.randrange(len(data))] = r.randrange(256)
        elif damage < 0.3:
            data += r.randbytes(r.randrange(60))
        return bytes(data)

    def partial(self, data):
        """Where a checksum should go, and how the frame should be cut."""
        r = self.random
        gso = r.choice(((0, 0, 0), (0, 0, 0), (1, 54, 8), (1, 54, 536), (0x81, 54, 100),
                        (3, 42, 100), (5, 42, 100), (1, 200, 1)))
        return r.choice((0, 1, 13, 14, 33, 34, 34, 54, len(data) - 2)), r.choice((0, 6, 16, 60)), gso


@test
def noise():
    """Frames of all kinds harm nobody: an honest connection goes on among them."""
    stop = threading.Event()
    run("ip link set %s mtu 1500" % DEV)
    with peer("echo") as s, Raw() as raw, Raw(True) as partial:
        made = Noise(1, s.getsockname()[1])
        said = []

        def talk():
            while not stop.is_set():
                try:
                    echoes(s, b"%d" % len(said))
                except Exception as e:	# whatever it is, the test is to fail
                    said.append(e)
                    return
                said.append(None)

        honest = threading.Thread(target=talk)
        honest.start()
        try:
            for _ in range(4000):
                data = made.next()
                if made.random.random() < 0.4:
                    partial.partial(data, *made.partial(data))
                else:
                    raw.send(data)
            many = len(said)
            becomes(lambda: len(said) > many or not honest.is_alive(), "no echo any more")
        finally:
            stop.set()
            honest.join()
        check(not said[-1], "after %d echoes: %r" % (len(said), said[-1]))
        echoes(s, b"the last")
    run("ip link set %s mtu 1052" % DEV)
    becomes(lambda: not counter("flows_tcp"), "flows are left")
    with peer("echo") as s:
        echoes(s)


def send_syn(port, options=b""):
    with Raw() as raw:
        raw.send(frame(ip(6, tcp(port, PEER, SYN, options=options))))


@test
def half_open():
    """Who asks whether a port is open, and no more: that was no connection that failed."""
    names = ("tcp_aborts", "tcp_resets", "tcp_unfinished")

    def done():
        """Those that the module was asked for, or that were given up before."""
        return counter("tcp_flows") + counter("tcp_given_up")

    # Datagrams of others have the module's sockets for as long as one waits that is not repeated.
    becomes(lambda: not counter("flows_udp"), "flows are left")
    quiet()
    before, asked, was = [counter(name) for name in names], counter("tcp_flows"), done()
    sent = 0
    # This machine answers the SYN/ACK with a reset: it has no such socket. And it may stand still.
    while counter("tcp_flows") < asked + 7:
        sent += 1
        send_syn(41000 + sent)
        becomes(lambda n=was + sent: done() == n, "the remote was not asked")
        becomes(lambda: not counter("flows_tcp"), "a flow stays")
    # More than there are sockets; who waits for one for long and is not heard of is
    # not asked for.
    for i in range(12):
        send_syn(42000 + i)
    becomes(lambda: done() == was + sent + 12, "connects are lost")
    becomes(lambda: not counter("flows_tcp"), "flows stay")
    quiet()
    same(was + sent + 12, done(), "connects")
    asked = counter("tcp_flows") - asked
    same([before[0] + asked, before[1], before[2]], [counter(name) for name in names], "counters")
    with peer("echo") as s:
        echoes(s)


def send_segment(sport, dport, flags, seq):
    with Raw() as raw:
        raw.send(frame(ip(6, tcp(sport, dport, flags, seq))))


def flows(n, words):
    becomes(lambda: counter("flows_tcp") == n, words)


@contextlib.contextmanager
def busy(port):
    """The module is connecting to nobody, which is a flow; not where it did so before."""
    with socket.socket() as s, held():
        s.setblocking(False)
        s.connect_ex((HOLE, port))
        becomes(lambda: '"opening"' in atwctl("sockets"), "no connect")
        yield


def stays_while_repeated(port):
    """Is one that is repeated, the longer the rarer it need be, there until its turn comes?"""
    quiet()
    given_up, asked = counter("tcp_given_up"), counter("tcp_flows")
    with busy(port):
        for _ in range(12):
            send_segment(port, PEER, SYN, 1)
            time.sleep(0.5)
        kept = counter("tcp_given_up") == given_up
    quiet()
    return kept and counter("tcp_flows") == asked + 1


@test
def gone_while_queued():
    """Who is not heard of any more while others have the module is not connected for."""
    quiet()
    given_up, asked = counter("tcp_given_up"), counter("tcp_flows")
    with busy(44000):
        send_segment(44000, PEER, SYN, 1)
        becomes(lambda: counter("tcp_given_up") > given_up, "it is kept")
        flows(1, "it is kept")
        same(given_up + 1, counter("tcp_given_up"), "given up")
    quiet()
    same(asked, counter("tcp_flows"), "connections")
    # This machine may stand still.
    check(any(stays_while_repeated(port) for port in (44001, 44002, 44003)), "it is given up")


def begun(port):
    """A connect to the peer from this port, which is not waited for."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((sysfs("address"), port))
    s.setblocking(False)
    s.connect_ex((HOST, PEER))
    return s


@test
def begun_anew():
    """
    Who closes a socket while its connect waits, and connects by another one from the same port,
    has a connection of its own: it does not end because the first one is closed.
    """
    quiet()
    for port in range(46000, 46005):
        with busy(port):
            begun(port).close()
            s = begun(port)
        with s:
            s.settimeout(LIMIT)
            check(select.select([], [s], [], LIMIT)[1], "no connection")
            s.sendall(b"late 1000 7 1500\n" + pattern(7, 1000))
            s.shutdown(socket.SHUT_WR)
            same(b"ok 1000\n", receive(s, 8), "the answer to a half-closed connection")
        quiet()


def is_forgotten_at_once(port):
    """
    Is one that was reset forgotten before one that came later and was not? Not known either
    where one of them was given up meanwhile.
    """
    quiet()
    given_up = counter("tcp_given_up")

    def flows_or_late(n):
        becomes(lambda: counter("flows_tcp") == n or counter("tcp_given_up") > given_up, "no flow")
        return counter("flows_tcp") == n

    with busy(port):
        send_segment(port, PEER, SYN, 1000)
        if not flows_or_late(2):
            return False
        time.sleep(2)
        send_segment(port, PEER, SYN, 1000)
        send_segment(port + 1, PEER, SYN, 1000)
        if not flows_or_late(3):
            return False
        for seq in (0, 999, 1002, 1001 ^ 1 << 31):
            send_segment(port, PEER, RST, seq)
        if counter("flows_tcp") != 3:
            return False
        send_segment(port, PEER, RST, 1000 + port % 2)
        becomes(lambda: counter("flows_tcp") < 3, "both are kept")
        # A new flow if there is none of it any more.
        send_segment(port + 1, PEER, SYN, 1000)
        return counter("flows_tcp") == 2


def connects(port):
    """Who repeats his SYN: without that he is given up where this machine stands still."""
    send_segment(port, PEER, SYN, 1000)
    return counter("tcp_flows")


@test
def reset_while_queued():
    """So does a reset, at once, if it is of somebody who knows the SYN."""
    quiet()
    # This machine may stand still.
    for first in (45000, 45101):
        before = counter("tcp_flows")
        port = next((p for p in range(first, first + 10, 2) if is_forgotten_at_once(p)), 0)
        check(port, "it is kept")
        becomes(lambda p=port, n=before: connects(p + 1) > n, "no connection")
    quiet()


@test
def begun_anew_after_silence():
    """Who connects anew after a remote's silence, from the same port, is answered again."""

    def send(seq):
        with Raw() as raw:
            raw.send(frame(ip(6, tcp(47000, 47000, SYN, seq, dst=HOLE), dst=HOLE)))

    def answers():
        return counter("tcp_timed_out") + counter("tcp_unreachable")

    def answered():
        send(2000)
        return answers() > before + 1

    quiet()
    before = answers()
    send(1000)
    becomes(lambda: answers() > before, "the remote is not silent")
    given_up = counter("tcp_given_up")
    becomes(answered, "nothing is answered")
    # The first one is over by that, and not by its age.
    same(given_up + 1, counter("tcp_given_up"), "given up")
    quiet()


@test
def signed():
    """TCP with MD5 or AO is refused before anybody is bothered."""
    quiet()
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as icmp:
        for i, option in enumerate((b"\x13\x12" + bytes(16) + b"\x01\x01",
                                    b"\x01\x01\x13\x12" + bytes(16),
                                    b"\x02\x04\x05\xb4\x1d\x10" + bytes(14) + b"\x01\x01")):
            before = counter("tcp_flows")
            send_syn(43000 + i, option)
            while True:
                check(select.select([icmp], [], [], LIMIT)[0], "nothing is answered")
                packet = icmp.recv(2000)
                if struct.unpack_from("!HH", packet, 48) == (43000 + i, PEER):
                    break
            same((3, 2), tuple(packet[20:22]), "protocol unreachable")
            same((before, 0), (counter("tcp_flows"), counter("flows_tcp")), "flows")
    # What is no such option does not matter.
    aborts = counter("tcp_aborts")
    for i, option in enumerate((b"\x00\x13\x12\x00", b"\x02\x00\x13\x12", b"\x02\x13\x00\x00",
                                b"\x01\x01\x01\x02", b"\x02\x01\x13\x02")):
        send_syn(43100 + i, option)
        becomes(lambda n=i: counter("tcp_aborts") == aborts + n + 1, "no connection")
    quiet()


if __name__ == "__main__":
    sys.exit(main())
