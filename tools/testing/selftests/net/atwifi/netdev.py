#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
The network device, with the programs that everybody has: what they see must be
what they would see on any other device.
"""

import errno
import os
import random
import re
import select
import socket
import struct
import subprocess
import sys
import threading

from atwnet import (
    CERT, DNS, FILES, HOLE, HOST, HTTP, HTTP2, HTTP_BRIEF, HTTPS, IPERF, MQTT, PEER, SSH, TFTP, TMP,
    atwctl, configure, connect_errno, extra, held, lan, main, pattern, peer, quiet, sim, sim_stat,
    udhcpc, udp, url)
from guest import (
    DEV, LIMIT, Failed, becomes, carrier, check, counter, digest, echoes, once, receive, run,
    same, statistic, sysfs, test)

ETH_P_ALL, ETH_P_IPV6 = 3, 0x86dd


def checksum(data):
    """The Internet's, of an even number of bytes."""
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return struct.pack("!H", ~total & 0xffff)


@test
def looks_like_a_nic():
    same(sysfs("mac"), run("cat /sys/class/net/%s/address" % DEV).strip(), "MAC")
    # Less than IPv6 needs, which the module has not.
    same("1052", run("cat /sys/class/net/%s/mtu" % DEV).strip(), "MTU")
    info = run("ethtool -i " + DEV)
    check("driver: atwifi\n" in info and "bus-info: atw0\n" in info, info)
    check(sysfs("firmware") in info, info)
    check(re.search(r"Link detected: yes", run("ip link set %s up; ethtool %s" % (DEV, DEV))),
          "no link")
    # What the module knows of is shown here as well.
    for name in ("resets", "overflows", "damaged"):
        same(statistic(name), counter(name), name)
    # Frames of others do not leave by it.
    run("ip link add bridge type bridge")
    try:
        out = run("ip link set %s master bridge 2>&1 || echo refused" % DEV)
        check("refused" in out, "part of a bridge: " + out)
    finally:
        run("ip link del bridge")
    run("ip netns add other")
    try:
        out = run("ip link set %s netns other 2>&1 || echo refused" % DEV)
        check("refused" in out and re.search("Invalid argument|immutable", out),
              "moved to another namespace: " + out)
    finally:
        run("ip netns del other")


@test
def is_wireless():
    """To udev and to whoever looks; but not where the driver was built without cfg80211."""
    wanted = "ATW_NO_WIPHY" not in os.environ
    same(wanted, os.path.exists("/sys/class/net/%s/phy80211" % DEV), "a wiphy")
    same(wanted, "DEVTYPE=wlan\n" in run("cat /sys/class/net/%s/uevent" % DEV), "its type")


class Frames(socket.socket):
    """What leaves by any device, or comes."""

    def __init__(self):
        super().__init__(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self.settimeout(LIMIT)

    def until_solicited(self, dev):
        """The devices that send packets of IPv6 until this one asks for a router."""
        devices = []
        while True:
            packet, (name, kind, *_) = self.recvfrom(2048)
            if kind == ETH_P_IPV6:
                devices.append(name)
                # ICMPv6, a router solicitation
                if name == dev and packet[6] == 58 and packet[40] == 133:
                    return devices


@test
def no_ipv6():
    """The module has none: none is tried, and who would rather have it is told at once."""
    kernel = tuple(int(n) for n in re.findall(r"\d+", os.uname().release)[:2])
    try:
        # Before 6.2 no more than the MTU prevents it.
        for mtu in (1052, 1500) if kernel >= (6, 2) else (1052,):
            with Frames() as frames:
                run("ip link set %s down; ip link set %s mtu %d up" % (DEV, DEV, mtu))
                becomes(carrier, "no carrier")
                # A device that has it, and as this one no neighbours.
                run("ip link add six type dummy; ip link set six up")
                try:
                    same({"six"}, set(frames.until_solicited("six")), "devices that send it")
                finally:
                    run("ip link del six")
            configure()
            same("", run("ip -6 addr show dev %s; ip -6 route show dev %s" % (DEV, DEV)),
                 "addresses and routes")
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET6, kind) as s:
                    # Whoever were to wait for it would be told so.
                    s.setblocking(False)
                    same("ENETUNREACH", errno.errorcode.get(s.connect_ex(("2001:db8::1", PEER))),
                         "connect")
            # It has both addresses to choose from.
            same(digest(FILES + "/www/small"), run(
                "curl -sS --resolve both.test:%d:[2001:db8::1],%s http://both.test:%d/small | "
                "sha256sum" % (HTTP, HOST, HTTP)).split()[0], "curl")
    finally:
        run("ip link set %s mtu 1052" % DEV)


@test
def curl():
    want = digest(FILES + "/www/big")
    for what in (url("big"), "--cacert %s %s" % (CERT, url("big", HTTPS, "https")),
                 "--http2 --cacert %s %s" % (CERT, url("big", HTTP2, "https"))):
        same(want, run("curl -sS %s | sha256sum" % what).split()[0], "curl " + what)
    version = run("curl -sS -o /dev/null -w '%%{http_version}' --cacert %s %s" % (
        CERT, url("small", HTTP2, "https")))
    same("2", version, "version of HTTP")
    same(want, run("curl -sS -T %s/www/big %s" % (FILES, url("put"))), "curl -T")


@test
def curl_parallel():
    """Twenty at once; the module has five sockets."""
    path = TMP + "/parallel"
    os.makedirs(path, exist_ok=True)
    # A connection that is kept for later keeps its socket in the module.
    run("curl -sS -H 'Connection: close' -Z --parallel-immediate --parallel-max 20 " + " ".join(
        "-o %s/%d '%s?%d'" % (path, i, url("small"), i) for i in range(20)))
    for i in range(20):
        same(digest(FILES + "/www/small"), digest("%s/%d" % (path, i)), "file %d" % i)
    # Five that are kept fetch all; or more, and the server ends those that are idle.
    run("rm %s/*" % path)
    for what in ("--parallel-max 5", "--parallel-immediate --parallel-max 20"):
        run("curl -sS -Z %s " % what + " ".join("-o %s/%d '%s?%d'" % (
            path, i, url("small", HTTP_BRIEF), i) for i in range(20)))
        for i in range(20):
            same(digest(FILES + "/www/small"), digest("%s/%d" % (path, i)), "file %d" % i)
        run("rm %s/*" % path)
    # The same as programs of their own, so that no connection is used again.
    run("for i in $(seq 20); do curl -sS -o %s/p$i %s & done; wait" % (path, url("small")))
    for i in range(1, 21):
        same(digest(FILES + "/www/small"), digest("%s/p%d" % (path, i)), "file %d" % i)


@test
def other_programs():
    want = digest(FILES + "/www/big")
    same(want, run("wget -q -O - %s | sha256sum" % url("big")).split()[0], "wget")
    same(want, run("busybox wget -q -O - %s | sha256sum" % url("big")).split()[0], "busybox")
    code = ("import http.client, hashlib; c = http.client.HTTPConnection('%s', %d); "
            "c.request('GET', '/big'); print(hashlib.sha256(c.getresponse().read()).hexdigest())")
    same(want, run('/usr/bin/python3 -c "%s"' % (code % (HOST, HTTP))).strip(), "http.client")
    run("rm -rf %s/clone; git clone -q %s %s/clone" % (TMP, url("repo.git"), TMP))
    same("20\n", run("git -C %s/clone log --oneline | wc -l" % TMP), "commits")
    run("git -C %s/clone fsck" % TMP)


@test
def mqtt():
    """A message of several segments, kept by a broker."""
    topic = "-h %s -p %d -t test -q 1" % (HOST, MQTT)
    run("%s %s -r -f %s/www/small" % (extra("mosquitto_pub"), topic, FILES))
    run("%s %s -C 1 -N -W 120 >%s/mqtt" % (extra("mosquitto_sub"), topic, TMP))
    same(digest(FILES + "/www/small"), digest(TMP + "/mqtt"), "message")


@test
def own_network_code():
    """A program in Go: what it does with sockets is not the C library's way."""
    out = run("%s -n 40 -c 20 -t 100 -disable-keepalive %s" % (extra("hey"), url("small")))
    check(re.search(r"\[200\]\s+40 responses", out) and "Error" not in out, out)


@test
def ssh():
    key = TMP + "/key"
    run("cp %s/user %s; chmod 600 %s" % (FILES, key, key))
    options = ("-q -i %s -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
               "-o BatchMode=yes -o ConnectTimeout=30" % key)
    same("42\n", run("ssh %s -p %d root@%s echo 42" % (options, SSH, HOST)), "ssh")
    run("scp %s -P %d root@%s:%s/www/big %s/scp" % (options, SSH, HOST, FILES, TMP))
    same(digest(FILES + "/www/big"), digest(TMP + "/scp"), "scp from")
    run("scp %s -P %d %s/scp root@%s:%s/back" % (options, SSH, TMP, HOST, FILES))
    same(digest(TMP + "/scp"),
         run("ssh %s -p %d root@%s sha256sum %s/back" % (options, SSH, HOST, FILES)).split()[0],
         "scp to")
    run("rsync -e 'ssh %s -p %d' root@%s:%s/www/big %s/rsync" % (options, SSH, HOST, FILES, TMP))
    same(digest(FILES + "/www/big"), digest(TMP + "/rsync"), "rsync")


@test
def names():
    for how in ("", "+tcp"):
        same("203.0.113.7\n", run("dig %s +short +tries=1 +time=60 @%s -p %d example.com" % (
            how, HOST, DNS)), "dig " + how)
    out = run("nslookup -timeout=60 -port=%d example.com %s" % (DNS, HOST))
    check("203.0.113.7" in out, out)


@test
def iperf3():
    for how in ("-n 300K", "-n 300K -R", "-u -b 100K -l 1000 -t 2", "-u -b 100K -l 1000 -t 2 -R"):
        out = run("iperf3 -c %s -p %d %s" % (HOST, IPERF, how))
        check("iperf Done" in out, out)
        # How many of the datagrams are lost depends on the machine, but not all are.
        lost = re.search(r" (\d+)/(\d+) \(\S+\) +receiver", out)
        check("-u" not in how or int(lost.group(1)) < int(lost.group(2)), out)


@test
def ping():
    gateway = sysfs("gateway")
    out = []

    def answered():
        """After one that took long, as on a busy machine, none is sent for a while."""
        out.append(run("ping -c 1 -W 2 " + gateway, good=False))
        return " 0% packet loss" in out[-1]

    for _ in range(3):
        becomes(answered, "no reply")
        low = float(re.search(r"= ([\d.]+)/", out[-1]).group(1))
        check(low >= 1, "a reply after %g ms" % low)


@test
def errors_of_connect():
    same("ECONNREFUSED", connect_errno(HOST, 9), "nobody listens")
    same("ETIMEDOUT", connect_errno(HOLE, 80, syncnt=1), "nobody answers")
    # Who comes next is told at once, or when the module knows.
    same("EHOSTUNREACH", connect_errno(HOLE, 80), "nobody has answered")

    # Who has waited for another's connect to the same is told with it, and not when its
    # kernel gives up.
    with socket.socket() as a, socket.socket() as b:
        for s in (a, b):
            s.setblocking(False)
            same(errno.EINPROGRESS, s.connect_ex((HOLE, 83)), "connect")
        told = select.select([], [a, b], [], LIMIT)[1]
        # The other one is when it repeats its SYN, which may have been two seconds ago.
        check("EHOSTUNREACH" in [errno.errorcode.get(
            s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)) for s in told],
              "who was not asked for is not told")

    # The link is lost while the module connects.
    with socket.socket() as s:
        s.setblocking(False)
        same(errno.EINPROGRESS, s.connect_ex((HOLE, 81)), "connect")
        becomes(lambda: counter("flows_tcp") > 0, "no flow")
        sim("link down")
        select.select([], [s], [], LIMIT)
        same("ENETUNREACH", errno.errorcode.get(
            s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)), "link lost")
    becomes(lambda: not carrier(), "the carrier stays")
    same("ENETUNREACH", connect_errno(HOST, PEER), "without a carrier")
    sim("link up")
    becomes(carrier, "no carrier")
    with peer("echo") as s:
        echoes(s)

    # The module restarts while it connects.
    with socket.socket() as s, held():
        s.setblocking(False)
        same(errno.EINPROGRESS, s.connect_ex((HOLE, 82)), "connect")
        becomes(lambda: '"opening"' in atwctl("sockets"), "the module does not begin")
        sim("reset")
        select.select([], [s], [], LIMIT)
        same("EHOSTUNREACH", errno.errorcode.get(
            s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)), "module reset")
    becomes(carrier, "no carrier")


@test
def connection_tracking():
    """Whoever ends the tracking of connections does not wait for what the module has to open."""
    run("nft 'table inet t { chain out { type filter hook output priority 0; "
        "ct state invalid drop; }; }'")
    try:
        with socket.socket() as s, held():
            s.setblocking(False)
            same(errno.EINPROGRESS, s.connect_ex((HOLE, 84)), "connect")
            becomes(lambda: '"opening"' in atwctl("sockets"), "the module does not begin")
            becomes(lambda: run("conntrack -F 2>/dev/null; "
                                "cat /proc/sys/net/netfilter/nf_conntrack_count") == "0\n",
                    "something keeps what is tracked")
            # The driver gives it up long before anybody here does.
            check('"opening"' in atwctl("sockets"), "it was kept until the connect was over")
    finally:
        run("nft flush ruleset")


@test
def ends_of_streams():
    # The remote closes: all data, then the end.
    with peer("source 100000 5") as s:
        same(pattern(5, 100000), receive(s, 200000), "data before the end")
    # The remote resets. The module does not tell that from an end in order.
    with peer("reset-after 1000") as s:
        s.sendall(b"x" * 1000)
        same(b"", s.recv(1), "after a reset")
    # The program has sent all, and hears the remote out.
    with peer("source 50000 6 1000 20") as s:
        s.shutdown(socket.SHUT_WR)
        same(pattern(6, 50000), receive(s, 100000), "data after our end")
    # The program closes: what it has sent arrives.
    with peer("sink 100000 7") as s:
        s.sendall(pattern(7, 100000))
        same(b"ok 100000\n", receive(s, 10), "sink")
    # The program aborts: the connection goes at once.
    quiet()
    before = {name: counter(name) for name in ("tcp_aborts", "tcp_resets", "resets")}
    s = peer("echo")
    echoes(s)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
    quiet()
    same({**before, "tcp_aborts": before["tcp_aborts"] + 1},
         {name: counter(name) for name in before}, "counters after an abort")


def ends_by_reset(s, got, want):
    """All that the remote has sent comes, behind what was GOT; and then what the end is."""
    ended = "in order"
    try:
        while piece := s.recv(65536):
            got += piece
    except ConnectionResetError:
        ended = "reset"
    check(got == want, "%d bytes, or they differ" % len(got))
    same("reset", ended, "a stream of which bytes were lost ended")


@test
def data_after_the_end():
    """The remote has closed: what the program sends is lost, and it is told, last of all."""
    def mode(name):
        with open("/sys/class/atwifi/%s/recv_mode" % DEV, "w", encoding="ascii") as f:
            f.write(name)

    # The module tells of the end long before all is fetched from it.
    mode("passive")
    try:
        for left in range(9, -1, -1):
            anew = sim_stat("reconnects")
            with peer("source 30000 3") as s:
                got = receive(s, 6000)
                becomes(lambda: not re.search(r" \d+,4,3,", sim("sockets")), "the remote's end")
                s.sendall(b"too late")
                s.shutdown(socket.SHUT_WR)
                try:
                    ends_by_reset(s, got, pattern(3, 30000))
                    break
                except Failed:
                    # Three seconds after the end it connects anew: what it has had is gone then.
                    if not left or sim_stat("reconnects") == anew:
                        raise
    finally:
        mode("active")


@test
def data_and_an_end_after_the_end():
    """So it is where the program's own end comes with it, when the remote's was seen."""
    close, close_wait = 7, 8

    def becomes_state(state):
        becomes(lambda: s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == state,
                "it is not in state %d" % state)

    with peer("acked 1000 3 1000") as s:
        same(1000, len(s.recv(1000, socket.MSG_PEEK | socket.MSG_WAITALL)), "bytes")
        s.sendall(b"x")
        becomes_state(close_wait)
        # In one segment.
        s.send(b"too late", socket.MSG_MORE)
        s.shutdown(socket.SHUT_WR)
        becomes_state(close)
        same("ECONNRESET", errno.errorcode.get(
            s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)), "error")
        check(receive(s, 2000) == pattern(3, 1000), "the bytes before it differ")


@test
def data_and_an_end_before_the_end():
    """And where the program has not read up to that."""
    size = 100000
    with peer("source %d 3" % size, rcvbuf=4096) as s:
        # All of it waits here.
        becomes(lambda: not counter("ids_in_use"), "the remote does not close")
        s.send(b"too late", socket.MSG_MORE)
        s.shutdown(socket.SHUT_WR)
        ends_by_reset(s, b"", pattern(3, size))


@test
def urgent_data():
    """It is a byte like others, where it was sent."""
    data = pattern(8, 3000)
    with peer("sink 3000 8") as s:
        for at in range(0, 3000, 1000):
            s.sendall(data[at:at + 999])
            s.send(data[at + 999:at + 1000], socket.MSG_OOB)
        same(b"ok 3000\n", receive(s, 8), "sink")


@test
def closed_is_closed():
    """A program that closes leaves nothing that lingers in the module."""
    before = counter("tcp_resets")
    s = peer("hold")
    becomes(lambda: sim_stat("sockets") == 1, "no socket")
    s.close()
    quiet()
    # What lingers ends with an error.
    same(before, counter("tcp_resets"), "connections that were given up")


@test
def datagrams():
    with udp() as s:
        for size in (1, 2, 511, 512, 1000, 1023):
            data = random.randbytes(size)
            s.send(data)
            same(data, s.recv(2000), "datagram of %d bytes" % size)
        s.send(b"!send 5 700 3")
        for i in range(5):
            same(pattern(3 + i, 700), s.recv(2000), "datagram %d" % i)
        # What could have been cut is not delivered.
        before = counter("udp_maybe_cut")
        s.send(b"!send 1 1500 9")
        becomes(lambda: counter("udp_maybe_cut") == before + 1, "not dropped")
        # Too long: the program is told, and by the first.
        before = counter("udp_too_long")
        for size in (1025, 1400, 4000):
            s.setsockopt(socket.IPPROTO_IP, 10, 2)	# IP_MTU_DISCOVER, IP_PMTUDISC_DO
            try:
                s.send(b"x" * size)
                s.recv(2000)
                got = "none"
            except OSError as e:
                got = errno.errorcode.get(e.errno)
            same("EMSGSIZE", got, "datagram of %d bytes" % size)
        same(before, counter("udp_too_long"), "those that came to the device")
        s.send(b"still there")
        same(b"still there", s.recv(100), "after that")


@test
def tftp():
    """Its servers answer from another port: that does not come, and its client gives up."""
    get = "cd %s && busybox tftp -g -r %%s -l got %s %d" % (TMP, HOST, TFTP)
    run(get % "here")
    same("a file", run("cat %s/got" % TMP), "what came from the port that was asked")
    out = run(get % "elsewhere" + " 2>&1 || echo failed")
    check("timeout" in out and "failed" in out, "tftp: " + out)


@test
def checksum_within():
    """A tunnel may leave the checksum of what is in its datagram to the device."""
    with udp() as s, socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        here, port = s.getsockname()
        payload = bytearray(random.randbytes(100))
        udp_header = struct.pack("!HHHH", port, PEER, 8 + len(payload), 0)
        ip = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 0, 0, 64,
                                   socket.IPPROTO_UDP, 0, socket.inet_aton(here),
                                   socket.inet_aton(HOST)))
        ip[10:12] = checksum(ip)
        mac = bytes.fromhex(sysfs("mac").replace(":", ""))
        # Of its last 80 bytes, at the sixth of them.
        start = 14 + 28 + 20
        vnet = struct.pack("=BBHHHH", 1, 0, 0, 0, start, 6)
        raw.setsockopt(263, 15, 1)			# SOL_PACKET, PACKET_VNET_HDR
        raw.bind((DEV, 0))
        raw.send(vnet + mac + mac + b"\x08\x00" + ip + udp_header + payload)
        payload[26:28] = checksum(payload[20:])
        same(bytes(payload), s.recv(2000), "datagram")


def is_intact(seed, size=50000):
    """Does a stream carry all, both ways?"""
    with peer("duplex %d %d" % (size, seed)) as s:
        writer = threading.Thread(target=s.sendall, args=(pattern(seed + 1, size),))
        writer.start()
        got = receive(s, size)
        writer.join()
        return got == pattern(seed, size) and receive(s, 100) == b"ok %d\n" % size


@test
def set_up_otherwise():
    """Packets of other sizes, what the stack does for itself, and a bad line before the device."""
    try:
        # With less TCP makes fragments.
        run("ip link set %s mtu 87 && exit 1; true" % DEV)
        for n, mtu in enumerate((88, 300, 1500, 9000, 65535)):
            run("ip link set %s mtu %d" % (DEV, mtu))
            check(is_intact(n, 5000 if mtu < 100 else 50000), "an MTU of %d" % mtu)
    finally:
        run("ip link set %s mtu 1052" % DEV)
    try:
        for what in ("tso off gso off", "tx off sg off", "tx on gso on"):
            run("ethtool -K %s %s" % (DEV, what))
            check(is_intact(20), "ethtool -K " + what)
    finally:
        run("ethtool -K %s tx on sg on tso on gso on" % DEV)
    run("tc qdisc replace dev %s root netem delay 3ms loss 3%% reorder 10%% duplicate 3%%" % DEV)
    try:
        check(is_intact(30), "netem")
    finally:
        run("tc qdisc del dev %s root" % DEV)
    check(is_intact(40), "all as it was")


@test
def closed_by_others():
    """By who administers the machine: a stream's program is told, and the module's socket goes."""
    quiet()
    before = counter("tcp_aborts")
    with peer("echo") as s:
        echoes(s)
        run("ss -K -tn dst %s" % HOST)
        same("ECONNABORTED", errno.errorcode.get(s.getsockopt(
            socket.SOL_SOCKET, socket.SO_ERROR)), "what the program is told")
    quiet()
    same(before + 1, counter("tcp_aborts"), "aborts")


@test
def forwarding():
    want = digest(FILES + "/www/big")
    with lan():
        for masquerade in (False, True):
            if masquerade:
                run("nft 'table ip nat { chain out { type nat hook postrouting priority 100; "
                    "oifname \"%s\" masquerade; }; }'" % DEV)
            inside = "ip netns exec lan "
            # The device cannot see that this program closes: have the remote close.
            same(want, run(inside + "curl -sS -H 'Connection: close' %s | sha256sum" % url(
                "big")).split()[0], "curl")
            out = run(inside + "curl -sS %s 2>&1 || :" % url("x", 9))
            check("(7)" in out, out)
            same("203.0.113.7\n", run(
                inside + "dig +short +tries=1 +time=60 @%s -p %d example.com" % (HOST, DNS)),
                 "dig")
            # Behind a router there is a link that is narrower than it looks.
            run("ip link set lan0 mtu 1000")
            same(want, run(inside + "curl -sS -H 'Connection: close' %s | sha256sum" % url(
                "big")).split()[0], "curl, with a smaller MTU")
            run("ip link set lan0 mtu 1500")
            # Nobody reaches the sockets behind the device from there.
            same("", run(inside + "ss -tlnH"), "listeners")
    quiet()


@test
def firewall():
    """What is not an answer is dropped, and strictly what has the wrong way back."""
    run("nft 'table inet t { chain in { type filter hook input priority 0; policy drop; "
        "ct state established,related accept; }; }'")
    run("sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.%s.rp_filter=1" % DEV)
    try:
        want = digest(FILES + "/www/big")
        same(want, run("curl -sS %s | sha256sum" % url("big")).split()[0], "curl")
        same("ECONNREFUSED", connect_errno(HOST, 9), "nobody listens")
        same("203.0.113.7\n", run("dig +short +tries=1 +time=60 @%s -p %d example.com" % (
            HOST, DNS)), "dig")
        check(" 0% packet loss" in run("ping -c 1 -W 60 " + sysfs("gateway")), "ping")
        with peer("echo") as s:
            echoes(s)
            out = run("conntrack -L -p tcp --dport %d 2>/dev/null" % PEER)
            check("ESTABLISHED" in out and "src=" + sysfs("address") in out, out)
            same(1, out.count("ESTABLISHED"), "entries")
    finally:
        run("nft flush ruleset; sysctl -qw net.ipv4.conf.all.rp_filter=0 "
            "net.ipv4.conf.%s.rp_filter=0" % DEV)


@test
def bind_to_device():
    run("ip route del default")
    try:
        same("ENETUNREACH", connect_errno(HOST, PEER), "without a route")
        want = digest(FILES + "/www/small")
        same(want, run("curl -sS --interface %s %s | sha256sum" % (DEV, url("small"))).split()[0],
             "curl --interface")
    finally:
        run("ip addr flush dev " + DEV)


@test
def seen_once():
    """tcpdump shows each segment once, on the device alone; ss shows no listener."""
    dumps = []
    for dev in (DEV, "lo"):
        dumps.append(subprocess.Popen(["tcpdump", "-Z", "root", "-U", "-n", "-i", dev, "-w",
                                       "%s/%s.pcap" % (TMP, dev)], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        becomes(lambda d=dev: os.path.exists("%s/%s.pcap" % (TMP, d)) and
                os.path.getsize("%s/%s.pcap" % (TMP, d)) >= 24, "no tcpdump on " + dev)
    sha = run("curl -sS %s | sha256sum" % url("small")).split()[0]
    same(digest(FILES + "/www/small"), sha, "curl")
    same("ECONNREFUSED", connect_errno(HOST, 9), "nobody listens")
    with peer("echo") as s:
        echoes(s)
        same("", run("ss -tlnH"), "listeners")
    quiet()
    becomes(lambda: "F" in run("tcpdump -nr %s/%s.pcap 'port %d and tcp[13] & 1 != 0'" % (
        TMP, DEV, HTTP)), "no FIN was seen")
    for dump in dumps:
        dump.terminate()
        dump.wait()
    seen = run("tcpdump -nr %s/%s.pcap 'tcp port %d'" % (TMP, DEV, HTTP))
    once(seen, "S")
    once(seen, "S.")
    # Once each: one whose acknowledgment is late goes again.
    pattern_ = r"%s.* (seq \d+:\d+),.* length (\d+)"
    sent = dict(re.findall(pattern_ % (r" > %s\.\d+:" % re.escape(HOST)), seen))
    got = dict(re.findall(pattern_ % (r"IP %s\.\d+ > " % re.escape(HOST)), seen))
    sent, got = (sum(int(n) for n in d.values()) for d in (sent, got))
    check(50 < sent < 500, "%d bytes were sent" % sent)
    size = os.path.getsize(FILES + "/www/small")
    check(size < got < size + 600, "%d bytes came" % got)
    same("", run("tcpdump -nr %s/lo.pcap" % TMP), "on lo")


@test
def down_and_up():
    """A connection survives it, as on any device."""
    with peer("echo") as s:
        echoes(s)
        run("ip link set %s down" % DEV)
        run("ip link set %s up" % DEV)
        becomes(carrier, "no carrier")
        udhcpc()
        echoes(s, b"again")


@test
def module_reset():
    quiet()
    before = {name: counter(name) for name in ("tcp_aborts", "tcp_resets", "resets")}
    with peer("echo") as s:
        echoes(s)
        becomes(lambda: 1 <= counter("ids_in_use") == sim_stat("sockets"), "ids in use")
        sim("reset")
        try:
            got = s.recv(1)
        except ConnectionResetError:
            got = "reset"
        same("reset", got, "after a reset of the module")
    quiet()
    same({**before, "tcp_resets": before["tcp_resets"] + 1, "resets": before["resets"] + 1},
         {name: counter(name) for name in before}, "counters after a reset of the module")
    becomes(lambda: sysfs("state") == "joined", "the module does not come back")
    becomes(carrier, "no carrier")
    with peer("echo") as s:
        echoes(s)


@test
def module_reset_in_a_payload():
    """What it says of that is taken for data, and so for damage, not for a stream's end."""
    for _ in range(3):
        quiet()
        with peer("source 20000000 4") as s:
            receive(s, 50000)
            before = statistic("bringups")
            sim("reset")
            got = b""
            try:
                while piece := s.recv(65536):
                    got += piece
                ended = "in order"
            except ConnectionResetError:
                ended = "reset"
            same("reset", ended, "a stream that was cut ended")
            want = pattern(4, 50000 + len(got))[50000:]
            at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), None)
            check(at is None, "byte %s of %d differs: %r" % (at, len(got), got[at:]))
        becomes(lambda b=before: statistic("bringups") > b,
                "the module does not come back")
        becomes(carrier, "no carrier")


if __name__ == "__main__":
    sys.exit(main())
