# SPDX-License-Identifier: GPL-2.0-only
"""What the emulator must do, beyond the samples."""
import os
import random
import re
import select
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import pytest

import harness
from harness import Sim, Wire, accept, dial, free_port, listen, poll

OK = b"\r\nOK\r\n"


def same(got, want, what="value"):
    assert got == want, f"{what}: got {got!r}, want {want!r}"


def between(value, low, high, what):
    assert low <= value <= high, f"{what}: {value}, not {low}..{high}"


def turned_away(port):
    """A connection that is reset at once, before or after it is reported."""
    try:
        dial(port).end()
    except ConnectionResetError:
        pass


# ---- lines and parameters ----

def test_line_layer():
    """lines of middleware: four bytes at least, 255 at most, no mercy"""
    with Sim() as sim:
        sim.send(b"AT\n")
        sim.quiet(50)
        sim.send(b"\r\n")
        sim.expect(b"Unknown cmd:AT\n\r\n")
        # a lone CR LF is too short for a line and spoils the next one
        sim.send(b"\r\nAT\r\n")
        sim.quiet(50)
        sim.cmd("AT")
        sim.send(b"at\r\nxAT\r\n")
        sim.quiet(50)
        for c in b"AT+WMODE?\r\n":
            sim.send(bytes([c]))
        sim.expect(b"\r\n+WMODE:1\r\nOK\r\n")
        # 255 bytes with CR LF; the answer is cut by the printf buffer
        sim.cmd("AT+" + "A" * 250, "Unknown cmd:AT+" + "A" * 240)
        sim.quiet(50)


def test_line_too_long():
    """an overlong line is dropped silently, and parsing restarts inside it"""
    with Sim() as sim:
        sim.send(b"AT" + b"x" * 254 + b"AT\r\n")
        sim.expect(OK)
        sim.send(b"AT+FOO=" + b"x" * 247 + b"\r\n")
        sim.quiet(50)
        sim.cmd("AT")
        same(sim.stats()["dropped-lines"], 2, "dropped lines")
    with Sim("--profile", "bw20") as sim:
        sim.send(b"AT+FOO=" + b"x" * 1015)
        sim.quiet(50)
        sim.send(b"\r\nAT\r\n")
        sim.until(b"\r\nOK\r\n")


def test_case():
    """only bw20 takes a command in any case"""
    with Sim("--profile", "bw20") as sim:
        sim.cmd("at+wmode?", "\r\n+WMODE:1\r\nOK\r\n")
    with Sim("--profile", "classic") as sim:
        sim.cmd("at+wmode?", "Unknown cmd:at+wmode?\r\n")
        sim.cmd("+++AT+WMODE?", "Unknown cmd:+++AT+WMODE?\r\n")
        sim.send(b"\r\nAT\r\n")
        sim.expect(OK)


def test_echo():
    """a line is echoed whole, also one that is refused; data is not"""
    with Sim(echo=True) as sim:
        sim.cmd("nonsense", "nonsense\r\n")
        sim.cmd("AT+FOO", "AT+FOO\r\nUnknown cmd:AT+FOO\r\n")
        sim.cmd("AT+SOCKETSEND=9,3", "AT+SOCKETSEND=9,3\r\n>")
        sim.send(b"abcAT\r\n")
        sim.expect(b"AT\r\n\r\nOK\r\n")
        sim.cmd("ATE0", "ATE0\r\n\r\nOK\r\n")
        sim.cmd("ATE1")
        sim.cmd("ATE0", "ATE0\r\n\r\nOK\r\n")
        sim.ctl("reset")
        sim.until(b"GOT_IP\r\n")
        sim.cmd("AT", "AT\r\n\r\nOK\r\n")


def tokens(profile, table):
    with Sim("--profile", profile) as sim:
        for text, value in table:
            sim.cmd(f"AT+SOCKETAUTOTT=4,{text},80")
            sim.cmd("AT+SOCKETAUTOTT?",
                    f"\r\n+SOCKETAUTOTT:4,{value},80\r\nOK\r\n")


def test_tokeniser_middleware():
    """only a backslash protects a comma, quotes go last"""
    tokens("middleware", [
        ("a.b", "a.b"), ('"a.b"', "a.b"), (r"a\,b", "a,b"),
        (r'"a\,b"', "a,b"), (r'"a\"b"', 'a"b'), (r"a\\b", r"a\\b"),
        (r"a\nb", r"a\nb"), (r'"\"x\""', '"x"'), (r'\"x\"', "x"),
        ('"a', '"a'),
    ])
    with Sim() as sim:
        # quotes do not protect: four parameters are one too many
        sim.fails('AT+SOCKETAUTOTT=4,"a,b",80', 3)
        sim.cmd("AT+SOCKETAUTOTT=4," + "h" * 127 + ",80")
        sim.send(b"AT+SOCKETAUTOTT=4," + b"h" * 128 + b",80\r\n")
        sim.send(b"AT+SOCKETAUTOTT=" + b"1," * 52 + b"1\r\n")
        sim.quiet(100)
        sim.cmd("AT")


def test_tokeniser_others():
    """classic: backslash escapes all, quotes protect; bw20: quotes only"""
    tokens("classic", [
        (r"a\,b", "a,b"), ('"a,b"', "a,b"), (r'"a\,b"', "a,b"),
        (r'"a\"b"', 'a"b'), (r'"a\\b"', "a\\b"), (r"a\\b", "a\\b"),
    ])
    tokens("bw20", [
        ('"a,b"', "a,b"), (r'"a\"b"', 'a"b'), (r'"a\\b"', "a\\b"),
        (r"a\b", r"a\b"),
    ])
    with Sim("--profile", "bw20") as sim:
        sim.fails(r"AT+SOCKETAUTOTT=4,a\,b,80", 3)


def test_parameter_errors():
    """what is wrong is told by its code"""
    with Sim() as sim:
        for line, code in [
                ("AT+SOCKET=4,127.0.0.1", 3), ("AT+SOCKET=3", 3),
                ("AT+SOCKET=5,127.0.0.1,80", 4), ("AT+SOCKET=9,1", 4),
                ("AT+SOCKET=4,127.0.0.1,0", 4), ("AT+SOCKET=4,,80", 4),
                ("AT+SOCKET=4,127.0.0.1,65536", 4),
                ("AT+SOCKET=4,127.0.0.1,80,7201", 4),
                ("AT+SOCKET=4,127.0.0.1,80,0,1,1", 3),
                ("AT+SOCKET=4,no.such.name,80", 98),
                ("AT+SOCKET=4,8.8.8.8,53", 97),
                ("AT+SOCKETSEND=1", 3), ("AT+SOCKETSEND=0,5", 4),
                ("AT+SOCKETSENDLINE=9,1,x", 4),
                ("AT+SOCKETREAD=9", 4), ("AT+SOCKETDEL=9", 4),
                ("AT+SOCKETRECVCFG=2", 4), ("AT+SOCKETTT", 105),
                ("AT+SOCKETTT=1", 4), ("AT+SSLCRET=4,10", 4),
                ("AT+SSLCRET=1,2048", 4), ("AT+WDOMAIN=no.such", 98),
                ("AT+UARTCFG=1,8,1,0", 39), ("AT+UARTCFG=9600,9,1,0", 40),
                ("AT+UARTCFG=9600,8,0,0", 41), ("AT+UARTCFG=9600,8,1,3", 42),
                ("AT+UARTCFG=9600,8,1", 3), ("AT+WMODE=1", 3),
                ("AT+WMODE=4,0", 4), ("AT+WJAP=x", 3),
                ("AT+WCOUNTRY=99", 75), ("AT+SLEEP=2,2,7,0", 47),
                ("AT+SOCKET", 2), ("AT+SOCKET=?", 2), ("AT+WAP?", 74)]:
            sim.fails(line, code)


# ---- one task ----

def test_blocking_connect():
    """nothing is processed while a connect waits, and then all of it"""
    with Sim("--blackhole", "10.0.0.0/8", "--connect-timeout", 600000) as sim:
        sim.send(b"AT+SOCKET=4,10.1.2.3,80\r\nAT\r\nAT+WMODE?\r\n")
        sim.quiet(400)
        sim.ctl("connect-timeout 1")
        sim.expect(b"\r\nAT+SOCKET:97\r\n+ERROR\r\n\r\nOK\r\n"
                   b"\r\n+WMODE:1\r\nOK\r\n")


def test_connect_fails_late():
    """a connect that nobody answers takes its time"""
    with Sim("--blackhole", "10.0.0.0/8", "--connect-timeout", 700) as sim:
        start = time.monotonic()
        sim.fails("AT+SOCKET=4,10.1.2.3,80", 97)
        between(time.monotonic() - start, 0.65, 3 * harness.SLOW, "time")


def test_connect_timeout():
    """it is changed, and a connect that waits is held as long as is wanted"""
    with Sim("--blackhole", "10.0.0.0/8", "--connect-timeout", 100) as sim:
        same(sim.ctl("connect-timeout 0", "error"), "error bad number")
        same(sim.ctl("connect-timeout 600000"), "ok")
        sim.send(b"AT+SOCKET=4,10.1.2.3,80\r\n")
        sim.quiet(300)
        same(sim.stats()["connecting"], 1, "it is seen")
        same(sim.ctl("connect-timeout 1"), "ok")
        # What has ended does not begin again.
        same(sim.ctl("connect-timeout 600000"), "ok")
        sim.expect(b"\r\nAT+SOCKET:97\r\n+ERROR\r\n")
        same(sim.stats()["connecting"], 0, "and its end")
        sim.client(1)


def test_ring_overflow():
    """2048 bytes pile up behind a blocked task, the rest is lost silently"""
    with Sim("--blackhole", "10.0.0.0/8", "--connect-timeout", 600000,
             "--baud", 921600) as sim:
        before = sim.stats()["wire-in"]
        sim.send(b"AT+SOCKET=4,10.1.2.3,80\r\n")
        poll(lambda: sim.stats()["wire-in"] == before + 25, "the command")
        time.sleep(0.05)
        sim.send(b"AT\r\n" * 1000)
        poll(lambda: sim.stats()["wire-in"] == before + 4025, "the others")
        sim.ctl("connect-timeout 1")
        sim.expect(b"\r\nAT+SOCKET:97\r\n+ERROR\r\n" + OK * 512)
        sim.quiet(100)
        same(sim.stats()["overruns"], 4000 - 2048, "overruns")
        sim.cmd("AT")


def test_late_loses_nothing():
    """an emulator that had no processor has read its ring all the same"""
    with Sim("--baud", 921600) as sim:
        peer = sim.client(1)
        for i in range(40):
            sim.cmd("AT+SOCKETSEND=1,4096", b">")
            sim.send(bytes(range(256)) * 16)
            time.sleep(0.001 * (i % 10))
            sim.proc.send_signal(signal.SIGSTOP)
            time.sleep(0.06 if i % 2 else 0.035)
            sim.proc.send_signal(signal.SIGCONT)
            sim.expect(OK)
            peer.expect(bytes(range(256)) * 16)
        same(sim.stats()["overruns"], 0, "overruns")


def test_unpaced_loses_nothing():
    """unpaced, the transport holds back what the ring can not take"""
    with Sim("--blackhole", "10.0.0.0/8", "--connect-timeout", 500) as sim:
        sim.send(b"AT+SOCKET=4,10.1.2.3,80\r\n" + b"AT\r\n" * 3000)
        sim.expect(b"\r\nAT+SOCKET:97\r\n+ERROR\r\n" + OK * 3000, 20)
        same(sim.stats()["overruns"], 0, "overruns")


def test_busy():
    """classic refuses what comes during a command, and runs none of it"""
    with Sim("--profile", "classic", "--blackhole", "10.0.0.0/8",
             "--connect-timeout", 600000) as sim:
        sim.send(b"AT+SOCKET=4,10.1.2.3,80\r\n")
        time.sleep(0.1)
        sim.cmd("AT+WMODE=0,0", "\r\n[Busy]Cmd running\r\n")
        sim.ctl("connect-timeout 1")
        sim.expect(b"\r\n+SOCKET:97\r\nERROR\r\n")
        sim.cmd("AT+WMODE?", "\r\n+WMODE:1\r\nOK\r\n")
        # pipelined: the second comes while the first is at work
        sim.send(b"AT\r\nAT+GMR\r\n")
        sim.expect(b"\r\nOK\r\n\r\n[Busy]Cmd running\r\n")
        sim.cmd("AT")


def test_slow_peer_blocks():
    """a peer that does not read blocks SOCKETSEND, and so every command"""
    with Sim() as sim:
        with listen() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            port = server.getsockname()[1]
            sim.cmd(f"AT+SOCKET=4,127.0.0.1,{port},0,1",
                    b"connect success ConID=1\r\n\r\nOK\r\n")
            peer = accept(server)
        sim.cmd("AT+SOCKETSEND=1,60000", b">")
        sim.send(b"z" * 60000 + b"AT\r\n")
        sim.quiet(300)
        same(peer.take(60000), b"z" * 60000, "data")
        sim.expect(OK + OK)


# ---- ConIDs ----

def test_ids_grow():
    """automatic ConIDs only grow and skip what is in use"""
    with Sim() as sim:
        port = free_port()
        for want in (1, 2, 3):
            sim.cmd(f"AT+SOCKET=1,{port}",
                    f"connect success ConID={want}\r\n\r\nOK\r\n")
            sim.cmd(f"AT+SOCKETDEL={want}")
        sim.cmd(f"AT+SOCKET=1,{port},0,4",
                "connect success ConID=4\r\n\r\nOK\r\n")
        sim.cmd(f"AT+SOCKET=3,{port}",
                "\r\nconnect success ConID=5\r\n\r\nOK\r\n")
        sim.fails(f"AT+SOCKET=3,{port}", 104)


def test_id_in_use():
    """110 comes only after the TCP connect has succeeded"""
    with Sim() as sim, listen() as server:
        port = server.getsockname()[1]
        first = sim.client(1)
        sim.fails(f"AT+SOCKET=4,127.0.0.1,{port},0,1", 110)
        accept(server).end()
        sim.fails("AT+SOCKET=4,127.0.0.1,1,0,1", 97)
        sim.write(1, b"still")
        first.expect(b"still")


def test_narrow_send():
    """middleware keeps a ConID in 8 bits and a length in 16"""
    with Sim() as sim:
        peer = sim.client(1)
        sim.cmd("AT+SOCKETSEND=257,65539", b">")
        sim.send(b"abc")
        sim.expect(OK)
        peer.expect(b"abc")
        sim.fails("AT+SOCKETSEND=256,3", 4)
        sim.fails("AT+SOCKETSEND=1,65536", 4)


def test_socket_limit():
    """one too many is error 96, and a seed too many is turned away"""
    with Sim("--max-sockets", 3) as sim:
        port = free_port()
        sim.cmd(f"AT+SOCKET=3,{port},0,1",
                "\r\nconnect success ConID=1\r\n\r\nOK\r\n")
        a = dial(port)
        sim.until(b"SocketSeed,2,1\r\n")
        b = dial(port)
        sim.until(b"SocketSeed,3,1\r\n")
        sim.fails(f"AT+SOCKET=1,{port}", 96)
        turned_away(port)
        a.close()
        b.close()
        sim.until(b"AutoDel,2\r\n")
        sim.until(b"AutoDel,3\r\n")


# ---- sending ----

def test_send_errors():
    """classic tells what middleware swallows"""
    with Sim("--profile", "classic") as sim:
        sim.cmd("AT+SOCKETSEND=7,3", b">")
        sim.send(b"abc")
        sim.expect(b"\r\n+SOCKETSEND:101\r\nERROR\r\n")
        sim.cmd(f"AT+SOCKET=3,{free_port()},0,2",
                "\r\nconnect success ConID=2\r\n\r\nOK\r\n")
        sim.fails("AT+SOCKETSEND=2,3", 100)
        sim.client(3).close()
        sim.expect(b"\r\n+EVENT:SocketDisconnect,3\r\n")
        sim.fails("AT+SOCKETSEND=3,3", 99)
        sim.fails("AT+SOCKETSENDLINE=3,3,abc", 99)
        sim.fails("AT+SOCKETSENDLINE=2,3,abc", 100)


def test_send_out_of_memory():
    """a length that does not fit the heap is error 33, before any prompt"""
    with Sim("--heap", 32768) as sim:
        peer = sim.client(1)
        sim.fails("AT+SOCKETSEND=1,30000", 33)
        peer.quiet(20)


def test_payload_takes_all():
    """after the prompt everything is payload, without a time limit"""
    with Sim() as sim:
        peer = sim.client(1)
        sim.cmd("AT+SOCKETSEND=1,13", b">")
        sim.send(b"AT\r\n")
        sim.quiet(300)
        sim.send(b"+++AT\r\n\0\xff")
        sim.expect(OK)
        peer.expect(b"AT\r\n+++AT\r\n\0\xff")


def test_sendline():
    """data of the line: parser's rules, cut to the length"""
    with Sim() as sim:
        peer = sim.client(1)
        sim.cmd(r'AT+SOCKETSENDLINE=1,5,a\,b\"cdef')
        peer.expect(b'a,b"c')
        sim.cmd("AT+SOCKETSENDLINE=1,127," + "q" * 127)
        peer.expect(b"q" * 127)
        sim.send(b"AT+SOCKETSENDLINE=1,128," + b"q" * 128 + b"\r\n")
        sim.quiet(100)
        sim.fails("AT+SOCKETSENDLINE=1,4,abc", 4)


# ---- receiving ----

def down(sim, conid, total):
    """Collect active-mode data by its counts; sizes of the chunks."""
    data, sizes = b"", []
    while len(data) < total:
        sim.expect(f"\r\n+EVENT:SocketDown,{conid},".encode())
        size = int(sim.until(b",")[:-1])
        data += sim.take(size)
        sim.expect(b"\r\n")
        sizes.append(size)
    return data, sizes


def test_active_chunks():
    """active receive comes in chunks of up to 1024, whole and in order"""
    want = os.urandom(200000)
    with Sim() as sim:
        sim.cmd("AT+SOCKETRECVCFG=1")
        peer = sim.client(1)
        thread = threading.Thread(target=peer.send, args=(want,))
        thread.start()
        data, sizes = down(sim, 1, len(want))
        thread.join()
        same(data == want, True, "data is right")
        between(max(sizes), 1, 1024, "largest chunk")


def test_active_brake():
    """while its UART is blocked the module does not read the socket"""
    with Sim("--baud", 115200) as sim:
        sim.cmd("AT+SOCKETRECVCFG=1")
        peer = sim.client(1)
        peer.sock.settimeout(0.01)
        start = time.monotonic()
        end = start + 1
        sent = 0
        while time.monotonic() < end:
            try:
                sent += peer.sock.send(b"x" * 4096)
            except TimeoutError:
                pass
            sim.more(0.001)
        # what the wire takes in that time; without the brake: megabytes
        got = sim.stats()["net-in"]
        between(got, 1, 11520 * (time.monotonic() - start) + 4000,
                "bytes from the network")
        between(sent, 20000, 3000000, "bytes that the peer could send")


def test_passive_drop():
    """passive mode reads on, and drops without a word when memory is out"""
    with Sim("--heap", 32768) as sim:
        peer = sim.client(1)
        peer.send(b"y" * 100000)
        poll(lambda: sim.stats()["net-in"] == 100000, "all is read")
        stored = sim.stats()
        between(stored["heap-free"], 0, 2300, "free heap")
        assert stored["heap-drops"], "nothing was dropped"
        sim.fill(lambda: False, 0.2)
        told = sum(int(n) for n in
                   re.findall(rb"\r\n\+EVENT:SocketDown,1,(\d+)\r\n", sim.buf))
        sim.buf = b""
        read = packets = 0
        while True:
            sim.send(b"AT+SOCKETREAD=1\r\n")
            sim.expect(b"+SOCKETREAD,1,")
            size = int(re.match(rb"(\d+)[,\r]", sim.until(b"y")
                                if not sim.fill(lambda: b"\r\n" in sim.buf, 1)
                                else sim.buf).group(1))
            if not size:
                sim.expect(b"0\r\nOK\r\n")
                break
            sim.expect(str(size).encode() + b"," + b"y" * size + OK)
            read += size
            packets += 1
        same(read, told, "bytes read")
        same((sim.stats()["recv-active"], sim.stats()["reads"]), (0, packets), "counts")
        assert read < 100000, "nothing is missing"


def test_read_errors():
    """a server has nothing to read"""
    with Sim() as sim:
        sim.cmd(f"AT+SOCKET=3,{free_port()}",
                "\r\nconnect success ConID=1\r\n\r\nOK\r\n")
        sim.fails("AT+SOCKETREAD=1", 100)


def test_reconnect_splices():
    """after a loss the same ConID is glued to a new connection"""
    with Sim() as sim, listen() as server:
        port = server.getsockname()[1]
        sim.cmd(f"AT+SOCKET=4,127.0.0.1,{port},0,1",
                "connect success ConID=1\r\n\r\nOK\r\n")
        accept(server).abort()
        sim.expect(b"\r\n+EVENT:SocketDisconnect,1\r\n")
        sim.cmd("AT+SOCKET?", f"1,4,1,127.0.0.1,{port},-1,0\r\n\r\nOK\r\n")
        sim.cmd("AT+SOCKETSEND=1,3", b">")
        sim.send(b"abc")
        sim.quiet(100)
        second = accept(server)
        sim.expect(b"\r\n+EVENT:SocketReconnect,1\r\n")
        same(sim.stats()["reconnects"], 1, "it is counted")
        sim.write(1, b"new")
        second.expect(b"new")
        second.close()
        sim.expect(b"\r\n+EVENT:SocketDisconnect,1\r\n")
        sim.cmd("AT+SOCKETDEL=1")
        server.settimeout(4)
        with pytest.raises(TimeoutError):
            server.accept()


def seed(sim, server=1):
    port = free_port()
    sim.cmd(f"AT+SOCKET=3,{port},0,{server}",
            f"\r\nconnect success ConID={server}\r\n\r\nOK\r\n")
    peer = dial(port)
    sim.expect(f"\r\n+EVENT:SocketSeed,{server + 1},{server}\r\n".encode())
    return peer, peer.sock.getsockname()[1], port


def test_seed():
    """a lost seed goes by itself, when its data is read"""
    with Sim("--map", "192.0.2.0/24=127.0.0.0") as sim:
        peer, port, _ = seed(sim)
        sim.write(2, b"hello")
        peer.expect(b"hello")
        sim.send(b"AT+SOCKET?\r\n")
        sim.until(f"2,5,3,192.0.2.1,{port},-1,1\r\n\r\nOK\r\n".encode())
        peer.close()
        sim.expect(b"\r\n+EVENT:SocketDisconnect,2\r\n"
                   b"\r\n+EVENT:SocketAutoDel,2\r\n")
        sim.fails("AT+SOCKETDEL=2", 4)


def test_seed_bw20():
    """bw20 keeps a lost seed as 127 until it is deleted, and that takes time"""
    with Sim("--profile", "bw20") as sim:
        peer, _, port = seed(sim)
        peer.close()
        sim.expect(b"\r\n+EVENT:SocketDisconnect,2\r\n")
        sim.quiet(300)
        rows = f"1,3,3,,-1,{port},0\r\n"
        dead = "2,5,127,,-1,-1,1\r\n"
        sim.cmd("AT+SOCKET?", rows + dead + "\r\nOK\r\n")
        sim.cmd("AT+SOCKETDEL=2")
        sim.cmd("AT+SOCKET?", rows + dead + "\r\nOK\r\n")
        poll(lambda: " 2,5," not in sim.ctl("sockets"), "its end")
        sim.cmd("AT+SOCKET?", rows + "\r\nOK\r\n")


def test_autodel_after_delete():
    """p23 prints AutoDel after a manual delete as well"""
    with Sim("--profile", "p23") as sim:
        peer = sim.client(1)
        sim.cmd("AT+SOCKETDEL=1", "\r\nOK\r\n\r\n+EVENT:SocketAutoDel,1\r\n")
        peer.end()


# ---- UDP ----

def udp(addr="127.0.0.1"):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((addr, 0))
    sock.settimeout(5 * harness.SLOW)
    return sock


def test_udp_client():
    """datagrams keep their bounds and lose what is over 1024"""
    with Sim() as sim, udp() as peer:
        port = peer.getsockname()[1]
        sim.cmd("AT+SOCKETRECVCFG=1")
        sim.cmd(f"AT+SOCKET=2,127.0.0.1,{port},0,1",
                "connect success ConID=1\r\n\r\nOK\r\n")
        sim.write(1, b"one")
        sim.write(1, b"two!")
        data, addr = peer.recvfrom(2000)
        same(data, b"one")
        same(peer.recv(2000), b"two!")
        peer.sendto(b"z" * 1500, addr)
        sim.expect(b"\r\n+EVENT:SocketDown,1,1024," + b"z" * 1024 + b"\r\n")
        # an address outside: sent, says UDP, and nothing leaves the machine
        sim.cmd("AT+SOCKET=2,8.8.8.8,53,0,2",
                "connect success ConID=2\r\n\r\nOK\r\n")
        sim.write(2, b"gone")


def test_udp_server():
    """a UDP server answers its first peer, whoever comes later"""
    with Sim("--profile", "classic") as sim, udp() as a, udp() as b:
        port = free_port()
        sim.cmd("AT+SOCKETRECVCFG=1")
        sim.cmd(f"AT+SOCKET=1,{port}", "connect success ConID=1\r\n\r\nOK\r\n")
        sim.write(1, b"x", b"\r\n+SOCKETSEND:101\r\nERROR\r\n")
        a.sendto(b"from a", ("127.0.0.1", port))
        sim.expect(b"\r\n+EVENT:SocketDown,1,6,from a\r\n")
        b.sendto(b"from b", ("127.0.0.1", port))
        sim.expect(b"\r\n+EVENT:SocketDown,1,6,from b\r\n")
        sim.write(1, b"answer")
        same(a.recv(100), b"answer")


def leave(sim, silence=0.06):
    time.sleep(silence)
    sim.send(b"+++")
    sim.expect(OK)


def test_udp_client_transparent():
    """bytes come without bounds; what is written in a moment is one datagram, up to 1024"""
    # A moment that is long enough for whoever runs this.
    with Sim("--quirk", "tt-guard=500") as sim, udp() as peer:
        port = peer.getsockname()[1]
        sim.cmd("AT+SOCKETRECVCFG=1")
        sim.cmd(f"AT+SOCKET=2,127.0.0.1,{port},0,1",
                "connect success ConID=1\r\n\r\nOK\r\n")
        sim.cmd("AT+SOCKETTT", b">")
        sim.send(b"one")
        sim.send(b"two!")
        data, addr = peer.recvfrom(2000)
        same(data, b"onetwo!")
        sim.send(b"a" * 600 + b"b" * 600)
        same(peer.recv(2000), b"a" * 600 + b"b" * 424)
        same(peer.recv(2000), b"b" * 176)
        peer.sendto(b"three", addr)
        peer.sendto(b"four", addr)
        sim.expect(b"threefour")
        leave(sim, 0.6)
        sim.write(1, b"five")
        same(peer.recv(2000), b"five")


def test_udp_server_transparent():
    """the first peer or the last; a command is for the first, and nobody's bytes are lost"""
    with Sim() as sim, udp() as a, udp() as b:
        port = free_port()
        sim.cmd("AT+SOCKETRECVCFG=1")
        sim.cmd(f"AT+SOCKET=1,{port}", "connect success ConID=1\r\n\r\nOK\r\n")
        sim.fails("AT+SOCKETTT=1", 4)
        sim.fails("AT+SOCKETTT=3", 4)
        sim.cmd("AT+SOCKETTT=2", b">")
        sim.send(b"to nobody")
        poll(lambda: sim.stats()["sends-failed"] == 1, "it is lost")
        for text in b"from a", b"again ":
            a.sendto(text, ("127.0.0.1", port))
            sim.expect(text)
        sim.send(b"to a")
        same(a.recv(100), b"to a")
        b.sendto(b"from b", ("127.0.0.1", port))
        sim.expect(b"from b")
        sim.send(b"to the last")
        same(b.recv(100), b"to the last")
        leave(sim)
        sim.write(1, b"to the first")
        same(a.recv(100), b"to the first")
        for how in "AT+SOCKETTT", "AT+SOCKETTT=0":
            sim.cmd(how, b">")
            b.sendto(b"b again", ("127.0.0.1", port))
            sim.expect(b"b again")
            sim.send(b"to the first")
            same(a.recv(100), b"to the first")
            leave(sim)
        # who was heard last is remembered
        sim.cmd("AT+SOCKETTT=2", b">")
        sim.send(b"to b")
        same(b.recv(100), b"to b")


# ---- transparent mode ----

def test_transparent():
    """20 ms of silence flush, 1024 bytes as well; events are not printed"""
    with Sim() as sim:
        peer = sim.client(1)
        sim.cmd("AT+SOCKETTT", b">")
        data = os.urandom(5000).replace(b"+", b"-")
        sim.send(data)
        same(peer.take(5000) == data, True, "data is right")
        peer.send(b"\r\nraw\0")
        sim.expect(b"\r\nraw\0")
        sim.send(b"AT\r\n")
        peer.expect(b"AT\r\n")
        time.sleep(0.06)
        sim.send(b"+++")
        sim.expect(OK)
        sim.cmd("AT")
        peer.quiet(50)


def test_transparent_loses_plus():
    """a counted '+' is lost, and three that are apart leave by accident"""
    with Sim() as sim:
        peer = sim.client(1)
        sim.cmd("AT+SOCKETTT", b">")
        sim.send(b"+one")
        peer.expect(b"one")
        sim.send(b"a+b")
        peer.expect(b"a+b")
        time.sleep(0.06)
        sim.send(b"++++")
        sim.quiet(100)
        sim.send(b"+1+2+3")
        peer.expect(b"123")
        sim.expect(OK)
        sim.cmd("AT")


def test_transparent_pause():
    """a pause of the line before a '+' in the data costs that byte"""
    with Sim("--fault", "pause,rate=1") as sim:
        peer = sim.client(1)
        sim.cmd("AT+SOCKETTT", b">")
        sim.send(b"a+b" * 400)

        def lost():
            peer.more(0.01)
            return 1200 - len(peer.buf)

        poll(lambda: lost() == sim.stats()["tt-plus-lost"], "the rest is lost")
        same(sim.stats()["tt-in"], 1200)
        same(lost() > 0, True, "some are lost")
        same(peer.buf.replace(b"+", b""), b"ab" * 400, "and the others are not")


def test_transparent_guard():
    """some want a longer silence, on both sides"""
    with Sim("--quirk", "tt-guard=2000") as sim:
        peer = sim.client(1)
        sim.cmd("AT+SOCKETTT", b">")
        sim.send(b"x")
        time.sleep(0.1)
        sim.send(b"+++")
        sim.quiet(2500)
        peer.expect(b"x+++")
        sim.send(b"+++")
        sim.quiet(500)
        sim.expect(OK)
        sim.cmd("AT")


def test_transparent_slow_network():
    """nobody reads the ring while the network takes nothing: what does not fit is lost"""
    with Sim("--baud", 921600) as sim:
        peer = sim.client(1)
        sim.cmd("AT+SOCKETTT", b">")
        before = sim.stats()["wire-in"]
        sim.ctl("fault slow-net,every=1,ms=3600000")
        sim.send(b"x" * 1024)
        poll(lambda: sim.stats()["tt-in"] == 1024, "the ring is read")
        sim.send(b"y" * 5000)
        poll(lambda: sim.stats()["wire-in"] == before + 6024, "the bytes are on the wire")
        same(sim.stats()["overruns"], 5000 - 2048, "lost")
        sim.ctl("clear")
        same(peer.take(3072), b"x" * 1024 + b"y" * 2048, "what came")
        peer.quiet(50)


def test_transparent_slow_datagrams():
    """what comes while the network takes nothing is read in one go: "+++" in it is none"""
    with Sim() as sim, udp() as peer:
        port = peer.getsockname()[1]
        sim.cmd(f"AT+SOCKET=2,127.0.0.1,{port},0,1", "connect success ConID=1\r\n\r\nOK\r\n")
        sim.cmd("AT+SOCKETTT", b">")
        for behind in b"two", b"":
            sim.ctl("fault slow-net,every=1,ms=3600000")
            sim.send(b"one")
            poll(lambda: sim.stats().get("slow-net") == 1, "a datagram waits")
            sim.send(behind)
            time.sleep(0.06)
            sim.send(b"+++")
            sim.quiet(100)
            sim.ctl("clear")
            same(peer.recv(2000), b"one")
            if behind:
                same(peer.recv(2000), b"two+++")
        sim.expect(OK)
        sim.cmd("AT")


def test_slow_network():
    """a send is answered when the network has taken it, and fails if it ends before"""
    with Sim("--profile", "classic") as sim:
        peer = sim.client(1)
        sim.ctl("fault slow-net,every=1,ms=3600000")
        sim.cmd("AT+SOCKETSEND=1,3", b">")
        sim.send(b"abc")
        poll(lambda: sim.stats().get("slow-net") == 1, "the send waits")
        sim.quiet(50)
        peer.quiet(50)
        sim.ctl("clear")
        sim.expect(OK)
        peer.expect(b"abc")
        sim.ctl("fault slow-net,every=1,ms=3600000")
        sim.cmd("AT+SOCKETSEND=1,3", b">")
        sim.send(b"def")
        poll(lambda: sim.stats().get("slow-net") == 1, "another waits")
        peer.close()
        sim.expect(b"\r\n+EVENT:SocketDisconnect,1\r\n"
                   b"\r\n+SOCKETSEND:101\r\nERROR\r\n")


def test_transparent_silent_end():
    """a lost client is connected again without a word, events are not printed"""
    with Sim() as sim, listen() as server:
        port = server.getsockname()[1]
        sim.cmd(f"AT+SOCKET=4,127.0.0.1,{port}", "connect success ConID=1\r\n\r\nOK\r\n")
        peer = accept(server)
        sim.cmd("AT+SOCKETTT", b">")
        peer.sock.close()
        again = accept(server)
        sim.send(b"to another")
        again.expect(b"to another")
        sim.quiet(50)


def test_transparent_events():
    """classic prints events among the data, K's releases ask a mask"""
    with Sim("--profile", "classic") as sim:
        peer = sim.client(1)
        sim.cmd("AT+SOCKETTT", b">")
        peer.sock.close()
        sim.expect(b"\r\n+EVENT:SocketDisconnect,1\r\n")
    with Sim("--profile", "bw20") as sim:
        peer = sim.client(1)
        sim.cmd("AT+SYSMSG=1,00000000,0")
        sim.cmd("AT+SOCKETTT", b">")
        peer.sock.close()
        sim.ctl("link down")
        sim.quiet(100)


def test_transparent_refused():
    """105 unless there is exactly one suitable connection"""
    with Sim() as sim:
        peer, _, _ = seed(sim)
        sim.cmd("AT+SOCKETTT", b">")
        sim.send(b"to the seed")
        peer.expect(b"to the seed")
        time.sleep(0.06)
        sim.send(b"+++")
        sim.expect(OK)
        a = sim.client(9)
        sim.fails("AT+SOCKETTT", 105)
        a.quiet(20)


def test_transparent_server():
    """whoever connects meanwhile is heard, too; a mask of K's releases has that told"""
    for mask, told in ("00000000", b""), ("00000020", b"\r\n+EVENT:SocketSeed,3,1\r\n"):
        with Sim("--profile", "p23") as sim:
            peer, _, port = seed(sim)
            sim.cmd("AT+SYSMSG=1,%s,0" % mask)
            sim.cmd("AT+SOCKETTT", b">")
            peer.send(b"mine")
            sim.expect(b"mine")
            other = dial(port)
            sim.expect(told)
            other.send(b"not mine")
            sim.expect(b"not mine")
            # whose number it was is gone: the bytes are another's
            peer.close()
            poll(lambda: sim.stats()["sockets"] == 2, "the first is gone")
            sim.send(b"to the first")
            other.expect(b"to the first")


def test_autott_announces():
    """middleware enters by itself after a connect with ConID 1"""
    with Sim() as sim, listen() as server:
        port = server.getsockname()[1]
        sim.cmd(f"AT+SOCKETAUTOTT=4,127.0.0.1,{port}")
        sim.cmd("AT+SOCKETAUTOTT?",
                f"\r\n+SOCKETAUTOTT:4,127.0.0.1,{port}\r\nOK\r\n")
        sim.cmd(f"AT+SOCKET=4,127.0.0.1,{port}",
                "connect success ConID=1\r\n\r\nOK\r\nAT+SOCKETTT\r\n>")
        peer = accept(server)
        sim.send(b"hi")
        peer.expect(b"hi")
        sim.ctl("reset")
        sim.until(b"GOT_IP\r\n")
        sim.expect(b"connect success ConID=1\r\n\r\nOK\r\nAT+SOCKETTT\r\n>")
        peer = accept(server)
        time.sleep(0.06)
        sim.send(b"+++")
        sim.expect(OK)
        sim.cmd("ATE0", "ATE0\r\n\r\nOK\r\n")
        sim.cmd("AT+SOCKETAUTOTT=0")


# ---- flash, boot, Wi-Fi ----

def reboot(sim, how="AT+RST"):
    sim.cmd(how)
    sim.banner()


def test_flash():
    """settings survive a reset; echo, sockets and ConIDs do not"""
    with Sim() as sim:
        peer = sim.client(7)
        sim.cmd("AT+SOCKETRECVCFG=1")
        sim.cmd("AT+UARTCFG=230400,8,1,0")
        time.sleep(0.05)
        sim.cmd("AT+WCOUNTRY=5")
        sim.cmd("AT+SSLCRET=1,4", b">")
        sim.send(b"cert")
        sim.expect(OK)
        reboot(sim)
        peer.end()
        sim.until(b"GOT_IP\r\n")
        sim.cmd("ATE0", "ATE0\r\n\r\nOK\r\n")
        sim.cmd("AT+SOCKET?")
        sim.cmd("AT+UARTCFG?", "\r\n+UARTCFG:230400,8,1,0\r\nOK\r\n")
        sim.cmd("AT+WCOUNTRY?", "\r\n+WCOUNTRY:5\r\nOK\r\n")
        sim.cmd("AT+SSLCRET=1", "\r\n+SSLCRET:1,4,cert\r\nOK\r\n")
        peer = sim.client(1)
        peer.send(b"abc")
        sim.expect(b"\r\n+EVENT:SocketDown,1,3,abc\r\n")
        reboot(sim, "AT+RESTORE")
        sim.quiet(600)
        sim.cmd("ATE0", "ATE0\r\n\r\nOK\r\n")
        sim.cmd("AT+UARTCFG?", "\r\n+UARTCFG:115200,8,1,0\r\nOK\r\n")
        sim.cmd("AT+WAUTOCONN?", "\r\n+WAUTOCONN:0\r\nOK\r\n")


def test_boot_recv():
    """how it receives after a start: as before, or in its own way"""
    for mode, active in ((0, True), (1, False), (2, True)):
        with Sim("--quirk", f"boot-recv={mode}") as sim:
            sim.cmd("AT+SOCKETRECVCFG=1")
            reboot(sim)
            same(sim.stats()["recv-active"], active, "receive mode")


def test_autoconn():
    """only WAUTOCONN makes a join last"""
    with Sim("--no-autojoin", "--ap", "net:secret99") as sim:
        sim.send(b"AT+WJAP=net,secret99\r\n")
        sim.until(b"GOT_IP\r\n")
        reboot(sim)
        sim.quiet(700)
        sim.cmd("ATE0", "ATE0\r\n\r\nOK\r\n")
        sim.send(b"AT+WJAP=net,secret99\r\n")
        sim.until(b"GOT_IP\r\n")
        sim.cmd("AT+WAUTOCONN=1")
        reboot(sim)
        sim.until(b"GOT_IP\r\n")


def test_join_fails():
    """a wrong password, no such name, no station"""
    with Sim("--no-autojoin", "--ap", "net:secret99") as sim:
        sim.fails("AT+WJAP=net,wrong", 66)
        sim.send(b"AT+WJAP?\r\n")
        sim.until(b"+WJAP:6,")
        sim.until(b"OK\r\n")
        sim.fails("AT+WJAP=other,secret99", 69)
        sim.send(b"AT+WJAP?\r\n")
        sim.until(b"+WJAP:7,")
        sim.until(b"OK\r\n")
        sim.fails("AT+SOCKET=4,127.0.0.1,80", 97)
        sim.cmd("AT+WMODE=2,0")
        sim.fails("AT+WJAP=net,secret99", 65)
        sim.fails("AT+WJAP?", 74)


def test_join_goes_on():
    """some firmware has not given up when it says that it has failed"""
    for profile in ("middleware", "classic"):
        with Sim("--no-autojoin", "--ap", "net:secret99", "--profile", profile) as sim:
            sim.fails("AT+WJAP=net,wrong123", 66)
            sim.ctl("ap-password net:wrong123")
            if profile == "classic":
                sim.until(b"+EVENT:WIFI_GOT_IP\r\n")
            else:
                sim.quiet(2000)


def test_join_without_address():
    """no DHCP server: some firmware says OK before it knows; and when it comes back"""
    for profile, answer in (("middleware", b"OK\r\n"), ("bw16", b"+WJAP:67\r\nERROR\r\n")):
        with Sim("--no-autojoin", "--ap", "net:secret99", "--profile", profile) as sim:
            sim.ctl("dhcp off")
            sim.send(b"AT+WJAP=net,secret99\r\n")
            sim.until(b"+EVENT:WIFI_CONNECT\r\n")
            sim.until(answer)
            sim.send(b"AT+WJAP?\r\n")
            sim.until(b"+WJAP:2,net,")
            sim.until(b"OK\r\n")
            sim.quiet(200)
            sim.ctl("dhcp on")
            sim.until(b"+EVENT:WIFI_GOT_IP\r\n")


def test_join_answered_first():
    """nothing but its state tells that a join has failed; it goes on trying"""
    with Sim("--no-autojoin", "--ap", "net:secret99", "--quirk", "join-order=2") as sim:
        sim.ctl("join-time 1")
        for ssid, state in (("net", b"+WJAP:6,"), ("other", b"+WJAP:7,")):
            sim.cmd("AT+WJAP=%s,wrong" % ssid)
            sim.quiet(200)
            sim.send(b"AT+WJAP?\r\n")
            sim.until(state)
            sim.until(b"OK\r\n")
        sim.cmd("AT+WJAP=net,secret99")
        sim.expect(b"\r\n+EVENT:WIFI_CONNECT\r\n\r\n+EVENT:WIFI_GOT_IP\r\n")


def test_join_takes_long():
    """as long as it is told to, also while it does"""
    with Sim("--no-autojoin", "--ap", "net:secret99") as sim:
        same(sim.ctl("join-time 0", "error"), "error bad number")
        sim.ctl("join-time 600000")
        sim.send(b"AT+WJAP=net,secret99\r\n")
        sim.quiet(500)
        same(sim.stats()["joins"], 1, "joins")
        sim.ctl("join-time 1")
        sim.until(b"+EVENT:WIFI_GOT_IP\r\n")


def test_another_firmware():
    """it starts as another one"""
    with Sim() as sim:
        same(sim.ctl("profile nothing", "error"), "error no such family")
        sim.ctl("profile bw16")
        sim.until(b"GOT_IP\r\n")
        sim.send(b"AT+GMR\r\n")
        sim.until(b"sdk version:amebad_v6.2C\r\n")


def test_names_with_commas():
    """an SSID may hold anything"""
    with Sim("--no-autojoin", "--ap", 'a,"b\\:c:pass,word') as sim:
        sim.send(b'AT+WJAP="a\\,\\"b:c","pass\\,word"\r\n')
        sim.until(b"GOT_IP\r\n")
        sim.send(b"AT+WSCAN\r\n")
        sim.until(b'\r\n1 a,"b:c,6,WPA2 AES,-50,14:de:39:06:86:e4\r\n')
        sim.until(b"SCAN_DONE\r\n")


def test_ssid_bytes():
    """names of any bytes"""
    with Sim("--no-autojoin", "--ap", r"caf\xe9\x1b[31m\xzz\x00:secret99") as sim:
        sim.send(b"AT+WSCAN\r\n")
        sim.until(b"\r\n1 caf\xe9\x1b[31mxzzx00,6,WPA2 AES,-50,14:de:39:06:86:e4\r\n")
        sim.until(b"SCAN_DONE\r\n")


def test_scan_options():
    """columns and filters"""
    with Sim("--ap", "one:11111111", "--ap", "two:") as sim:
        sim.cmd("AT+WSCANOPT=17")
        sim.cmd("AT+WSCANOPT?", "\r\n+WSCANOPT:0x11\r\nOK\r\n")
        sim.cmd("AT+WSCAN=two", "\r\n+WSCAN:index,SSID,BSSID\r\n"
                "1,two,14:de:39:06:86:e5\r\n\r\nOK\r\n"
                "\r\n+EVENT:WIFI_SCAN_DONE\r\n")


def test_scan_hidden():
    """one without a name is found by that; they come while it runs, up to 50"""
    row = ",11,WPA/WPA2 Mixed,-71,02:00:00:00:00:01\r\n"
    with Sim("--ap", "net:11111111") as sim:
        sim.ctl("ap secret one:22222222")
        sim.ctl("ap-info 02:00:00:00:00:01,WPA/WPA2 Mixed,11,-71,hidden")
        sim.cmd("AT+WSCAN", "\r\n+WSCAN:index SSID,CH,SECURITY,RSSI,BSSID\r\n"
                "1 net,6,WPA2 AES,-50,14:de:39:06:86:e4\r\n2 " + row +
                "\r\nOK\r\n\r\n+EVENT:WIFI_SCAN_DONE\r\n")
        sim.cmd("AT+WSCAN=secret one", "\r\n+WSCAN:index,SSID,CH,SECURITY,RSSI,BSSID\r\n"
                "1,secret one" + row + "\r\nOK\r\n\r\n+EVENT:WIFI_SCAN_DONE\r\n")
        sim.ctl("ap-info 02:00:00:00:00:01,Open,1,-50,seen", "error")
        for _ in range(48):
            sim.ctl("ap x:")
        sim.ctl("ap x:", "error")
        sim.send(b"AT+WSCAN\r\n")
        sim.until(b"\r\n50 x,6,Open,-50,14:de:39:06:86:15\r\n\r\nOK\r\n")


def test_scan_of_fifty():
    """each has its row, and one only, whatever it is called"""
    names = [b"\r\nOK\r\n", b"\r\n+EVENT:WIFI_DISCONNECT\r\n", b"+WSCAN:index SSID", b'a,"b', b" ",
             b"1 x,6,Open,-50,02:00:00:00:00:00", b"\\", bytes(range(1, 33)), bytes([255]) * 32]
    names += [b"net %d" % n for n in range(len(names), 50)]
    options, rows = [], b""
    for n, name in enumerate(names, 1):
        bssid, channel, rssi = "02:00:00:00:00:%02x" % n, n % 13 + 1, -n - 30
        options += ["--ap", "".join("\\x%02x" % byte for byte in name) + ":",
                    "--ap-info", f"{bssid},Open,{channel},{rssi}"]
        rows += b"%d %s,%d,Open,%d,%s\r\n" % (n, name, channel, rssi, bssid.encode())
    with Sim("--no-autojoin", *options) as sim:
        sim.cmd("AT+WSCAN", b"\r\n+WSCAN:index SSID,CH,SECURITY,RSSI,BSSID\r\n" + rows +
                b"\r\nOK\r\n\r\n+EVENT:WIFI_SCAN_DONE\r\n")


def test_password():
    """a network gets another one; what a module stores of networks is counted"""
    with Sim("--no-autojoin", "--ap", "a\\:b:11111111") as sim:
        joined = ("\r\n+EVENT:WIFI_CONNECT\r\n\r\nOK\r\n\r\n+EVENT:WIFI_GOT_IP\r\n")
        sim.ctl("ap-password a:22222222", "error")
        sim.ctl("ap-password a:b:22222222")
        sim.fails("AT+WJAP=a:b,11111111", 66)
        sim.cmd("AT+WJAP=a:b,22222222", joined)
        before = sim.stats()["wifi-writes"]
        sim.cmd("AT+WMODE=1,0", "\r\nOK\r\n")
        sim.cmd("AT+WAUTOCONN?", "\r\n+WAUTOCONN:0\r\nOK\r\n")
        assert sim.stats()["wifi-writes"] == before
        sim.cmd("AT+WMODE=1,1", "\r\nOK\r\n")
        sim.cmd("AT+WAUTOCONN=1", "\r\nOK\r\n")
        assert sim.stats()["wifi-writes"] == before + 2


def test_access_points_of_a_name():
    """the strongest is joined, unless another is asked for; one goes, or is heard worse"""
    near, far = "02:00:00:00:00:01", "02:00:00:00:00:02"
    with Sim("--no-autojoin", "--ap", "net:secret99", "--ap-info", far + ",WPA2 AES,1,-80",
             "--ap", "net:secret99", "--ap-info", near + ",WPA2 AES,6,-40") as sim:
        def is_in(bssid):
            sim.send(b"AT+WJAP?\r\n")
            sim.until(b"+WJAP:3,net,secret99," + bssid.encode() + b",")
            sim.until(b"OK\r\n")

        sim.send(b"AT+WJAP=net,secret99\r\n")
        sim.until(b"+EVENT:WIFI_GOT_IP\r\n")
        is_in(near)
        sim.ctl("ap-signal %s -30" % far)
        sim.expect(b"\r\n+EVENT:WIFI_CONNECT\r\n\r\n+EVENT:WIFI_GOT_IP\r\n")
        is_in(far)
        sim.ctl("ap-gone " + far)
        sim.until(b"+EVENT:WIFI_DISCONNECT\r\n")
        sim.until(b"+EVENT:WIFI_GOT_IP\r\n")
        is_in(near)
        sim.cmd("AT+WSCAN", "\r\n+WSCAN:index SSID,CH,SECURITY,RSSI,BSSID\r\n"
                "1 net,6,WPA2 AES,-40," + near + "\r\n"
                "\r\nOK\r\n\r\n+EVENT:WIFI_SCAN_DONE\r\n")
        for line in ("ap-gone " + far, "ap-signal %s -30" % far, "ap-signal %s" % near,
                     "ap-signal %s -30 " % near):
            sim.ctl(line, "error")
        sim.ctl("sound")
        sim.send(("AT+WJAP=net,secret99,%s\r\n" % far).encode())
        sim.until(b"+EVENT:WIFI_GOT_IP\r\n")
        sim.ctl("ap-signal %s -90" % far)
        is_in(far)


def test_link():
    """the access point goes: connections fail, and come back by themselves"""
    with Sim() as sim, listen() as server:
        port = server.getsockname()[1]
        sim.cmd(f"AT+SOCKET=4,127.0.0.1,{port},0,1",
                "connect success ConID=1\r\n\r\nOK\r\n")
        peer = accept(server)
        sim.ctl("link down")
        sim.expect(b"\r\n+EVENT:WIFI_DISCONNECT\r\n"
                   b"\r\n+EVENT:SocketDisconnect,1\r\n")
        peer.end()
        sim.fails(f"AT+SOCKET=4,127.0.0.1,{port}", 97)
        sim.fails("AT+WDOMAIN=a.b", 98)
        sim.ctl("link up")
        sim.expect(b"\r\n+EVENT:WIFI_CONNECT\r\n\r\n+EVENT:WIFI_GOT_IP\r\n")
        accept(server)
        sim.expect(b"\r\n+EVENT:SocketReconnect,1\r\n")


def test_no_servers():
    """a BW16 has servers as an access point only"""
    with Sim("--profile", "bw16") as sim:
        port = free_port()
        for kind in (1, 3):
            sim.fails(f"AT+SOCKET={kind},{port}", 104)
        sim.cmd("AT+WMODE=3,0")
        sim.cmd(f"AT+SOCKET=3,{port},0,5", "\r\nconnect success ConID=5\r\n\r\nOK\r\n")
    with Sim("--profile", "bw16", "--quirk", "no-servers=0") as sim:
        sim.cmd(f"AT+SOCKET=3,{free_port()},0,5",
                "\r\nconnect success ConID=5\r\n\r\nOK\r\n")


def test_disconnect():
    """WDISCONNECT: the event, then OK; not in the open SDK"""
    with Sim("--profile", "classic") as sim:
        sim.cmd("AT+WDISCONNECT", "\r\n+EVENT:WIFI_DISCONNECT\r\n\r\nOK\r\n")
    with Sim() as sim:
        sim.cmd("AT+WDISCONNECT", "Unknown cmd:AT+WDISCONNECT\r\n")
    with Sim("--without", "AT+WDNS") as sim:
        sim.cmd("AT+WDNS?", "Unknown cmd:AT+WDNS\r\n")


def test_static_address():
    """a fixed address is used at the next join"""
    with Sim("--profile", "p23") as sim:
        sim.cmd("AT+WSDHCP=0,10.9.8.7,255.0.0.0,10.0.0.1")
        sim.cmd("AT+WSDHCP?",
                "\r\n+WSDHCP:0,10.9.8.7,255.0.0.0,10.0.0.1\r\nOK\r\n")
        sim.send(b"AT+WJAP=atsim,12345678\r\n")
        sim.until(b"GOT_IP\r\n")
        sim.send(b"AT+STAINFO?\r\n")
        sim.until(b",10.9.8.7,10.0.0.1\r\n")


# ---- TLS ----

class Certs:
    """A CA, and a certificate that it signed."""

    def __init__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="atsim-test.")
        d = self.dir.name
        run = lambda *a: subprocess.run(a, check=True, cwd=d,
                                        stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        for ca in ("ca", "other"):
            run("openssl", "req", "-x509", *ec, "-keyout", ca + ".key",
                "-out", ca + ".pem", "-days", "2", "-subj", "/CN=" + ca)
        run("openssl", "req", *ec, "-keyout", "srv.key", "-out", "srv.csr",
            "-subj", "/CN=server", "-addext",
            "subjectAltName=DNS:server.test")
        run("openssl", "x509", "-req", "-in", "srv.csr", "-CA", "ca.pem",
            "-CAkey", "ca.key", "-CAcreateserial", "-out", "srv.pem",
            "-days", "2", "-copy_extensions", "copy")

    def read(self, name):
        with open(self.dir.name + "/" + name, "rb") as f:
            return f.read()

    def store(self, sim, which, name):
        data = self.read(name)
        sim.cmd(f"AT+SSLCRET={which},{len(data)}", b">")
        sim.send(data)
        sim.expect(OK)


def tls_server(certs, listener, result):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(certs.dir.name + "/srv.pem",
                        certs.dir.name + "/srv.key")
    try:
        sock = ctx.wrap_socket(listener.accept()[0], server_side=True)
        result.append(sock)
    except OSError as e:
        result.append(e)


def tls_client(sim, certs, host, want):
    result = []
    with listen() as server:
        thread = threading.Thread(target=tls_server,
                                  args=(certs, server, result))
        thread.start()
        sim.cmd(f"AT+SOCKET=7,{host},{server.getsockname()[1]},0,1", want)
        thread.join()
    return result[0]


def test_tls_client():
    """TLS: unverified without a CA, else 109 unless chain and name fit"""
    good = "connect success ConID=1\r\n\r\nOK\r\n"
    bad = "\r\nAT+SOCKET:109\r\n+ERROR\r\n"
    certs = Certs()
    with certs.dir, Sim("--host", "server.test=127.0.0.1",
                        "--host", "wrong.test=127.0.0.1") as sim:
        peer = tls_client(sim, certs, "127.0.0.1", good)
        data = os.urandom(50000)
        sim.write(1, data[:40000])
        got = b""
        while len(got) < 40000:
            got += peer.recv(40000)
        same(got == data[:40000], True, "data is right")
        sim.cmd("AT+SOCKETRECVCFG=1")
        thread = threading.Thread(target=peer.sendall, args=(data,))
        thread.start()
        same(down(sim, 1, len(data))[0] == data, True, "data is right")
        thread.join()
        sim.cmd("AT+SOCKETDEL=1")
        peer.close()
        certs.store(sim, 1, "other.pem")
        tls_client(sim, certs, "server.test", bad)
        certs.store(sim, 1, "ca.pem")
        tls_client(sim, certs, "wrong.test", bad)
        tls_client(sim, certs, "server.test", good).close()
        sim.until(b"SocketDisconnect,1\r\n")
        sim.cmd("AT+SOCKETDEL=1")
        # a peer that does not speak TLS at all
        with listen() as server:
            sim.send(f"AT+SOCKET=7,127.0.0.1,{server.getsockname()[1]}\r\n"
                     .encode())
            peer = accept(server)
            peer.send(b"220 hello\r\n" * 10)
            sim.expect(b"\r\nAT+SOCKET:108\r\n+ERROR\r\n")


def test_tls_server():
    """a TLS server needs certificate and key; its seeds are of type 8"""
    certs = Certs()
    port = free_port()
    with certs.dir, Sim() as sim:
        sim.fails(f"AT+SOCKET=6,{port}", 108)
        certs.store(sim, 2, "srv.pem")
        certs.store(sim, 3, "srv.key")
        sim.cmd(f"AT+SOCKET=6,{port},0,1",
                "\r\nconnect success ConID=1\r\n\r\nOK\r\n")
        ctx = ssl.create_default_context(cafile=certs.dir.name + "/ca.pem")
        with socket.create_connection(("127.0.0.1", port), 5) as raw:
            with ctx.wrap_socket(raw, server_hostname="server.test") as peer:
                sim.expect(b"\r\n+EVENT:SocketSeed,2,1\r\n")
                sim.write(2, b"hello")
                same(peer.recv(10), b"hello")
                peer.sendall(b"world")
                sim.expect(b"\r\n+EVENT:SocketDown,2,5\r\n")
                sim.send(b"AT+SOCKET?\r\n")
                sim.until(b"\r\n2,8,3,")
                sim.until(OK)
        sim.expect(b"\r\n+EVENT:SocketDisconnect,2\r\n")


# ---- faults ----

def torn_run(seed_value):
    want = bytes(range(256)) * 400
    with Sim("--seed", seed_value) as sim:
        sim.cmd("AT+SOCKETRECVCFG=1")
        peer = sim.client(1)
        sim.ctl("fault torn,rate=0.2")
        thread = threading.Thread(target=peer.send, args=(want,))
        thread.start()
        raw, got = b"", b""
        event = b"\r\n+EVENT:WIFI_GOT_IP\r\n"
        tears = 0
        while len(got) < len(want):
            raw = sim.until(b",", 5)
            same(raw, b"\r\n+EVENT:SocketDown,")
            sim.expect(b"1,")
            size = int(sim.until(b",")[:-1])
            if sim.fill(lambda: len(sim.buf) >= len(event), 1) and \
                    sim.buf.startswith(event):
                sim.expect(event)
                tears += 1
            got += sim.take(size)
            if sim.fill(lambda: len(sim.buf) >= 4, 1) and \
                    sim.buf.startswith(event[:9]) and \
                    not sim.buf.startswith(b"\r\n+EVENT:S"):
                sim.expect(event)
                tears += 1
            sim.expect(b"\r\n")
        thread.join()
        same(got == want, True, "data is right")
        return tears, sim.stats()["torn"]


def test_fault_torn():
    """torn prints: another line between two prints, never inside one"""
    tears, counted = torn_run(3)
    same(tears, counted, "tears seen")
    between(tears, 10, 120, "tears")


def test_fault_torn_answer():
    """an answer of the AT task lands inside a socket's print"""
    with Sim() as sim:
        sim.cmd("AT+SOCKETRECVCFG=1")
        peer = sim.client(1)
        sim.ctl("fault torn,every=1,times=1")
        sim.proc.send_signal(19)
        peer.send(b"payload")
        time.sleep(0.05)
        sim.send(b"AT\r\n")
        sim.proc.send_signal(18)
        sim.fill(lambda: len(sim.buf) >= 39, 5)
        # either was first; both are whole when the prints are put in order
        if sim.buf.startswith(b"\r\n+EVENT:SocketDown,1,7,"):
            sim.until(b"payload\r\n")
        else:
            sim.expect(OK)
            sim.until(b"payload\r\n")


def wire_fault(spec, seed_value=1, size=40000):
    """The output of a loss-free stream under a byte fault."""
    with Sim("--seed", seed_value) as sim:
        sim.cmd("AT+SOCKETRECVCFG=1")
        peer = sim.client(1)
        sim.cmd("AT+SOCKETTT", b">")
        sim.ctl("fault " + spec)
        peer.send(b"A" * size)
        sim.fill(lambda: len(sim.buf) >= size - 100, 5)
        sim.fill(lambda: False, 0.2)
        data, sim.buf = sim.buf, b""
        return data, sim.stats()


def test_fault_lost():
    """lost bytes are lost, as many as counted; the seed says which"""
    data, stats = wire_fault("lost,rate=0.001,dir=out")
    same(len(data), 40000 - stats["lost"], "length")
    between(stats["lost"], 10, 100, "lost bytes")


def test_fault_flip_repeats():
    """flipped bits are the same for the same seed, others for another"""
    one, stats = wire_fault("flip,rate=0.002,dir=out", 5)
    two, _ = wire_fault("flip,rate=0.002,dir=out", 5)
    three, _ = wire_fault("flip,rate=0.002,dir=out", 6)
    same(len(one), 40000, "length")
    wrong = [b for b in one if b != 65]
    same(len(wrong), stats["flip"], "flipped bytes")
    same(all(bin(b ^ 65).count("1") == 1 for b in wrong), True, "single bits")
    same(one == two, True, "same seed, same bytes")
    same(one == three, False, "other seed, other bytes")


def test_fault_garbage():
    """garbage is added, nothing is taken away"""
    data, stats = wire_fault("garbage,every=10000,dir=out,max=8")
    same(stats["garbage"], 4, "bursts")
    between(len(data), 40004, 40032, "length")


def test_fault_reset():
    """a reset after so many bytes, in the middle of a print"""
    with Sim() as sim:
        sim.cmd("AT+SOCKETRECVCFG=1")
        peer = sim.client(1)
        sim.ctl("fault reset,after=500,dir=out")
        peer.send(b"A" * 4000)
        data = sim.until(b"\r\n####")
        same(data.startswith(b"\r\n+EVENT:SocketDown,1,1024,AAA"), True)
        between(len(data), 490, 530, "bytes before the banner")
        peer.end()
        sim.until(b"ready\r\n")


def test_fault_break_off():
    """a module that resets within a payload: its banner takes the rest's place"""
    rest = b"\r\n" + b"#" * 48 + b"\r\n\r\narch:"
    with Sim() as sim:
        sim.cmd("AT+SOCKETRECVCFG=1")
        peer = sim.client(1)
        sim.ctl("fault break-off,max=50,every=2,times=1")
        for data in (b"short", b"a" * 60):
            peer.send(data)
            sim.expect(b"\r\n+EVENT:SocketDown,1,%d,%s\r\n" % (len(data), data))
        peer.send(b"b" * 60)
        sim.expect(b"\r\n+EVENT:SocketDown,1,60," + b"b" * 10 + rest)
        sim.until(b"+EVENT:WIFI_GOT_IP\r\n")
        same(sim.stats()["break-off"], 1, "times")

        sim.cmd("ATE0", b"ATE0\r\n\r\nOK\r\n")
        sim.cmd("AT+SOCKETRECVCFG=0")
        peer = sim.client(1)
        sim.ctl("fault break-off,max=50,times=1,rate=1")
        peer.send(b"c" * 60)
        sim.expect(b"\r\n+EVENT:SocketDown,1,60\r\n")
        sim.send(b"AT+SOCKETREAD=1\r\n")
        sim.expect(b"+SOCKETREAD,1,60," + b"c" * 10 + rest)


def test_reset_forgets_connect():
    """a connect that a reset ended is never heard of again"""
    with Sim("--blackhole", "10.0.0.0/8", "--connect-timeout", 2500) as sim:
        sim.send(b"AT+SOCKET=4,10.1.2.3,80\r\n")
        sim.quiet(100)
        sim.ctl("reset")
        sim.until(b"+EVENT:WIFI_GOT_IP\r\n")
        sim.cmd("ATE0", b"ATE0\r\n\r\nOK\r\n")
        sim.quiet(2600)
        sim.cmd("AT+SOCKET?")


def test_fault_busy_and_silent():
    """busy drops a command, silent-send swallows a payload"""
    with Sim() as sim:
        peer = sim.client(1)
        sim.ctl("fault busy,every=2")
        sim.cmd("AT")
        sim.cmd("AT+WMODE=0,0", "\r\n[Busy]Cmd running\r\n")
        sim.ctl("clear")
        sim.ctl("fault silent-send,every=2")
        sim.write(1, b"one")
        sim.cmd("AT+SOCKETSEND=1,3", b">")
        sim.send(b"two")
        sim.quiet(200)
        sim.write(1, b"tri")
        peer.expect(b"onetri")


def test_send_max():
    """longer payloads are swallowed, as by firmware in the field"""
    with Sim("--quirk", "send-max=1024") as sim:
        peer = sim.client(1)
        sim.write(1, b"x" * 1024)
        sim.cmd("AT+SOCKETSEND=1,1025", b">")
        sim.send(b"y" * 1025)
        sim.quiet(200)
        sim.write(1, b"z")
        peer.expect(b"x" * 1024 + b"z")


def test_uart_told():
    """a module that lies about its rate"""
    with Sim("--quirk", "uart-told=1") as sim:
        sim.cmd("AT+UARTCFG?", "\r\n+UARTCFG:1,8,1,0\r\nOK\r\n")


def test_ok_plus():
    """firmware that says +OK"""
    with Sim() as sim:
        same(sim.ctl("quirk ok-plus=1"), "ok")
        sim.cmd("AT", "\r\n+OK\r\n")
        sim.cmd("AT+WMODE?", "\r\n+WMODE:1\r\n+OK\r\n")


def test_fault_boot_transparent():
    """the module comes up in transparent mode, with a stale socket"""
    with Sim("--fault", "boot-transparent", raw=True, join=False) as sim:
        sim.until(b"#\r\nconnect success ConID=1\r\n\r\nOK\r\n"
                  b"AT+SOCKETTT\r\n>")
        sim.until(b"GOT_IP\r\n")
        sim.send(b"AT\r\n")
        sim.quiet(100)
        sim.send(b"+++")
        sim.expect(OK)
        sim.send(b"ATE0\r\n")
        sim.expect(b"ATE0\r\n\r\nOK\r\n")
        sim.cmd("AT+SOCKET?", "1,4,3,198.51.100.1,9,-1,0\r\n\r\nOK\r\n")
        sim.cmd("AT+SOCKETDEL=1")


def test_fault_chunk():
    """random pieces, and still every byte"""
    want = os.urandom(100000)
    with Sim("--fault", "chunk,max=64") as sim:
        sim.cmd("AT+SOCKETRECVCFG=1")
        peer = sim.client(1)
        thread = threading.Thread(target=peer.send, args=(want,))
        thread.start()
        same(down(sim, 1, len(want))[0] == want, True, "data is right")
        thread.join()


def test_fault_heap_full():
    """a chunk vanishes without a word"""
    with Sim("--fault", "heap-full,every=2") as sim:
        peer = sim.client(1)
        peer.send(b"one")
        sim.expect(b"\r\n+EVENT:SocketDown,1,3\r\n")
        peer.send(b"two")
        sim.quiet(100)
        peer.send(b"tri")
        sim.expect(b"\r\n+EVENT:SocketDown,1,3\r\n")
        sim.cmd("AT+SOCKETREAD=1", "+SOCKETREAD,1,3,one\r\nOK\r\n")
        sim.cmd("AT+SOCKETREAD=1", "+SOCKETREAD,1,3,tri\r\nOK\r\n")


def test_fault_ids():
    """an AutoDel that comes when its ConID is in use again"""
    with Sim("--fault", "late-autodel,ms=500", "--fault", "id-reuse") as sim:
        peer, _, port = seed(sim)
        peer.close()
        sim.expect(b"\r\n+EVENT:SocketDisconnect,2\r\n")
        second = dial(port)
        sim.expect(b"\r\n+EVENT:SocketSeed,2,1\r\n")
        sim.expect(b"\r\n+EVENT:SocketAutoDel,2\r\n")
        sim.write(2, b"alive")
        second.expect(b"alive")


def test_fault_late_down():
    """a socket that is deleted prints once more behind the OK, if there is something to read"""
    with Sim("--baud", 9600, "--fault", "late-down") as sim:
        sim.cmd("AT+SOCKETRECVCFG=1")
        peer = sim.client(1)
        # The first chunk takes a second, and the others are there meanwhile.
        peer.send(b"x" * 8192)
        sim.expect(b"\r\n+EVENT:SocketDown,1,1024,")
        sim.send(b"AT+SOCKETDEL=1\r\n")
        sim.until(b"\r\nOK\r\n")
        sim.expect(b"\r\n+EVENT:SocketDown,1,1024," + b"x" * 1024 + b"\r\n")
        sim.cmd("AT+SOCKET?")
        peer = sim.client(1)
        sim.cmd("AT+SOCKETDEL=1")
        sim.cmd("AT")
        same(sim.stats()["late-down"], 1)


def test_fault_port_taken():
    """a port is somebody's in the module"""
    with Sim("--fault", "port-taken,times=1") as sim:
        sim.fails(f"AT+SOCKET=3,{free_port()}", 104)
        sim.cmd(f"AT+SOCKET=3,{free_port()}", "\r\nconnect success ConID=1\r\n\r\nOK\r\n")


def test_fault_stuck_listener():
    """a deleted seed leaves a server that resets its clients"""
    with Sim("--fault", "stuck-listener", "--profile", "bw20") as sim:
        peer, _, port = seed(sim)
        sim.cmd("AT+SOCKETDEL=2")
        peer.end()
        turned_away(port)
        sim.cmd("AT+SOCKETDEL=1")


def test_fault_wrong_rate():
    """at another rate nothing but garbage passes"""
    with Sim() as sim:
        sim.ctl("fault wrong-rate")
        sim.send(b"AT\r\n" * 20)
        sim.fill(lambda: False, 0.2)
        same(OK in sim.buf, False, "an answer")
        sim.ctl("clear")
        sim.buf = b""
        sim.send(b"\r\nAT\r\n")
        sim.fill(lambda: False, 0.1)
        sim.buf = b""
        sim.cmd("AT")


def test_fault_parse():
    """what is not understood is refused"""
    with Sim() as sim:
        for spec in ("", "none", "torn,rate=2", "torn,rate=x", "torn,every=0",
                     "torn,colour=red", "chunk,max=99999", "lost,dir=up",
                     "torn,rate=nan"):
            sim.ctl("fault " + spec, "error")
        sim.ctl("nonsense", "error")
        sim.ctl("x" * 400, "error")
        sim.cmd("AT")


# ---- the wire ----

@pytest.mark.alone
def test_pace():
    """both directions at once, never faster than the wire, and mostly as fast"""
    # Who has to wait for a processor measures less: one try is enough.
    poll(pace, "within half a percent of the wire's rate", 20)


def pace():
    rate, size = 921600, 184320
    with Sim("--baud", rate) as sim:
        sim.cmd("AT+SOCKETRECVCFG=1")
        peer = sim.client(1)
        sim.cmd("AT+SOCKETTT", b">")
        stop = threading.Event()
        blocks = []

        def upload():
            peer.sock.settimeout(5)
            while not stop.is_set():
                try:
                    data = peer.sock.recv(65536)
                except OSError:
                    break
                blocks.append((time.monotonic(), len(data)))

        threads = [threading.Thread(target=upload),
                   threading.Thread(target=peer.send, args=(b"d" * size,)),
                   threading.Thread(target=sim.sock.sendall,
                                    args=(b"u" * size,))]
        start = time.monotonic()
        for t in threads:
            t.start()
        sim.take(1)
        first = time.monotonic()
        sim.take(size - 1)
        end = time.monotonic()
        between(size * 10 / (end - start), 0, rate * 1.005, "downlink bit/s")
        good = rate * 0.995 <= size * 10 / (end - first) <= rate * 1.005
        poll(lambda: sum(n for _, n in blocks) == size, "upload", 5)
        stop.set()
        peer.sock.shutdown(socket.SHUT_RDWR)
        for t in threads:
            t.join()
        took = blocks[-1][0] - start
        between(size * 10 / took, 0, rate * 1.005, "uplink bit/s")
        same(sim.stats()["overruns"], 0, "overruns")
        return good and size * 10 / took >= rate * 0.97


@pytest.mark.parametrize("rate,least", [(921600, 60), (3000000, 229)])
def test_pieces(rate, least):
    """paced, bytes are written a millisecond's worth at a time, wherever a print ends"""
    size = 65536
    with Sim("--baud", rate) as sim:
        sim.cmd("AT+SOCKETRECVCFG=1")
        peer = sim.client(1)
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * size)
        sim.cmd("AT+SOCKETTT", b">")

        def writes():
            with open(f"/proc/{sim.proc.pid}/io", encoding="ascii") as f:
                return int(re.search(r"syscw: (\d+)", f.read())[1])

        before = writes()
        peer.send(b"d" * size)
        sim.take(size, 60)
        # 92, or 300 bytes cross in that time, and more for who is late; the last ones of 1024
        # that the module reads at once are a write of their own, in the time of what follows.
        between(writes() - before, 1, size // least, "writes")


@pytest.mark.alone
def test_poll():
    """paced, the AT task looks at its ring every 2 ms only"""
    with Sim("--baud", 921600) as sim:
        times = []
        for _ in range(200):
            start = time.monotonic()
            sim.cmd("AT")
            times.append(time.monotonic() - start)
        times.sort()
        # 43 us there, 65 us back, and 0..2 ms in between; more for who has to wait
        between(times[100], 0.0006, 60, "median round trip")
        between(times[0], 0.0001, 0.004, "least round trip")


@pytest.mark.alone
def test_rate_change():
    """the answer to UARTCFG still comes at the old rate"""
    with Sim("--baud", 9600) as sim:
        start = time.monotonic()
        sim.cmd("AT+UARTCFG=921600,8,1,0")
        between(time.monotonic() - start, 0.030, 60, "time at 9600")
        time.sleep(0.05)
        times = []
        for _ in range(20):
            start = time.monotonic()
            sim.cmd("AT+UARTCFG?", "\r\n+UARTCFG:921600,8,1,0\r\nOK\r\n")
            times.append(time.monotonic() - start)
        between(min(times), 0, 0.02, "time at 921600")




def test_slow_wire():
    """a wire that does not bear the new rate, in one direction"""
    with Sim("--fault", "slow-wire,dir=out") as sim:
        sim.cmd("AT+UARTCFG=921600,8,1,0")
        garbled = bytes(b ^ 0x80 for b in OK)
        sim.cmd("AT", garbled)
        sim.cmd("AT+UARTCFG=115200,8,1,0", garbled)
        sim.cmd("AT+UARTCFG?", "\r\n+UARTCFG:115200,8,1,0\r\nOK\r\n")


# ---- transports, control, the program ----

def test_hosts_come_and_go():
    """a new client finds the module as it was left"""
    with Sim() as sim:
        peer = sim.client(1)
        sim.cmd("AT+SOCKETSEND=1,6", b">")
        sim.send(b"abc")
        sim.sock.close()
        sim.sock = sim.connect()
        sim.send(b"def")
        sim.expect(OK)
        peer.expect(b"abcdef")
        second = Wire(sim.connect())
        second.send(b"AT\r\n")
        second.quiet(100)
        sim.sock.close()
        second.expect(OK)
        second.close()
        sim.sock = sim.connect()


def test_silent():
    """silent: as if the wires were cut"""
    with Sim() as sim:
        sim.ctl("silent on")
        sim.send(b"AT\r\n")
        sim.quiet(100)
        sim.ctl("silent off")
        sim.quiet(100)
        sim.cmd("AT")


def test_control():
    """sockets and stats; a long line is not swallowed"""
    with Sim() as sim:
        port = free_port()
        same(sim.ctl("sockets"), "ok")
        sim.cmd(f"AT+SOCKET=3,{port},75",
                "\r\nconnect success ConID=1\r\n\r\nOK\r\n")
        same(sim.ctl("sockets"), f"ok 1,3,3,,-1,{port},0,75")
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(sim.control)
            s.sendall(b"x" * 2000)
            same(s.recv(10), b"", "the connection")
        same(sim.stats()["sockets"], 1, "sockets")
        for form, said in ((1, "+EVENT:SocketSeed,"), (2, "+Seed:")):
            same(sim.ctl(f"quirk seed-told={form}"), "ok")
            same(sim.ctl(f"next-id {form}000"), "ok")
            with socket.create_connection(("127.0.0.1", port)):
                sim.expect(f"\r\n{said}{form}000,1\r\n".encode())
            sim.expect(f"\r\n+EVENT:SocketDisconnect,{form}000\r\n".encode())
            sim.expect(f"\r\n+EVENT:SocketAutoDel,{form}000\r\n".encode())
        same(sim.ctl("quirk seed-told=0"), "ok")
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.sendall(b"x")
            sim.expect("\r\n+EVENT:SocketDown,2001,1\r\n".encode())
        same(sim.ctl("next-id 0", "error"), "error bad number")
        same(sim.ctl("quirk seed-told=3", "error"),
             "error no such trait or value")
        same(sim.ctl("#17 sockets", "#17")[:8], "#17 ok 1")
        same(sim.ctl("#a-b nothing", "#a-b"), "#a-b error unknown command")
        same(sim.ctl("#", "#"), "# error unknown command")


def test_sound():
    """whatever was changed is as it was at the beginning"""
    joined = ",192.168.3.142,192.168.3.1\r\n"
    with Sim("--blackhole", "198.51.100.0/24", "--connect-timeout", 300,
             "--fault", "heap-full,every=2") as sim:
        for line in ("fault busy,rate=1", "clear", "fault silent-send", "quirk seed-told=2",
                     "quirk error-at=0", "lease 10.0.0.2,255.0.0.0,10.0.0.1", "dhcp off",
                     "ap-password atsim:another1", "ap more:", "link down", "silent on",
                     "join-time 600000", "connect-timeout 600000"):
            sim.ctl(line)
        sim.ctl("sound")
        sim.until(b"+EVENT:WIFI_GOT_IP\r\n")
        sim.send(b"AT+WJAP?\r\n")
        assert sim.until(b"OK\r\n").decode().endswith(joined + "OK\r\n")
        sim.send(b"AT+WJAP=more,\r\n")
        sim.until(b"AT+WJAP:69\r\n+ERROR\r\n")
        sim.cmd("AT+WJAP=atsim,12345678", "\r\n+EVENT:WIFI_CONNECT\r\n\r\nOK\r\n")
        sim.until(b"+EVENT:WIFI_GOT_IP\r\n")
        sim.fails("AT+SOCKET=4,198.51.100.1,80", 97)
        # One that waits.
        sim.ctl("connect-timeout 600000")
        sim.send(b"AT+SOCKET=4,198.51.100.1,80\r\n")
        poll(lambda: sim.stats()["connecting"], "it connects")
        sim.ctl("sound")
        sim.expect(b"\r\nAT+SOCKET:97\r\n+ERROR\r\n")
        # Of the beginning, too.
        peer, _, _ = seed(sim)
        peer.send(b"one")
        sim.until(b",3\r\n")
        peer.send(b"two")
        poll(lambda: sim.stats()["heap-drops"] == 1, "it is lost")
        same(sim.stats()["heap-full"], 1, "faults")
        peer.close()
        # Other firmware is another start.
        sim.ctl("profile classic")
        sim.until(b"firmware_version:V4.18_P1.4.4")
        sim.ctl("sound")
        sim.until(b"firmware_version:V4.18_P1.1.0")
        sim.banner()


def test_pty():
    """a pty: link, rates, garbage while they differ"""
    with tempfile.TemporaryDirectory(prefix="atsim-test.") as d:
        link = d + "/tty"
        proc = subprocess.Popen(
            harness.WRAP + [harness.BINARY, "--pty", link, "--quirk",
                            "flow-control=1"], text=True,
            stdout=subprocess.PIPE)
        try:
            name = proc.stdout.readline().strip()
            same(os.readlink(link), name, "link")
            time.sleep(0.5)
            fd = os.open(link, os.O_RDWR | os.O_NOCTTY)

            def rate(n):
                subprocess.run(["stty", "-F", link, str(n), "raw", "-echo"],
                               check=True)

            def ask(data, want=None):
                """What comes until that has, or nothing more does."""
                os.write(fd, data)
                got = b""
                while (want is None or want not in got) and \
                        select.select([fd], [], [], 0.3 * harness.SLOW)[0]:
                    got += os.read(fd, 4096)
                return got

            rate(115200)
            time.sleep(0.3)
            ask(b"\r\n\r\n")
            same(OK in ask(b"AT\r\n", OK), True, "an answer")
            rate(9600)
            same(OK in ask(b"AT\r\n"), False, "an answer at 9600")
            rate(115200)
            # what the garbage left in the line spoils one command or two
            same(any(OK in ask(b"ATE0\r\n", OK) for _ in range(3)), True,
                 "an answer again")
            same(ask(b"AT+UARTCFG=921600,8,1,0\r\n", OK), OK)
            same(OK in ask(b"AT\r\n"), False, "an answer at the old rate")
            rate(921600)
            same(any(OK in ask(b"AT\r\n", OK) for _ in range(3)), True,
                 "an answer at the new rate")
            os.close(fd)
            time.sleep(0.2)
            fd = os.open(link, os.O_RDWR | os.O_NOCTTY)
            poll(lambda: OK in ask(b"AT\r\n", OK), "an answer after a reopen")
            # a host that waits for CTS, which nobody gives unless told to
            same(ask(b"AT+UARTFLOWCONTROL?\r\n", OK),
                 b"\r\n+UARTFLOWCONTROL:0\r\nOK\r\n")
            subprocess.run(["stty", "-F", link, "crtscts"], check=True)
            same(ask(b"AT\r\n"), b"")
            subprocess.run(["stty", "-F", link, "-crtscts"], check=True)
            same(ask(b"AT+UARTFLOWCONTROL=3\r\n", OK + OK), OK + OK)
            subprocess.run(["stty", "-F", link, "crtscts"], check=True)
            same(ask(b"AT+UARTFLOWCONTROL?\r\n", OK),
                 b"\r\n+UARTFLOWCONTROL:3\r\nOK\r\n")
            os.close(fd)
            proc.terminate()
            same(proc.wait(10 * harness.SLOW), 0, "exit status")
            same(os.path.lexists(link), False, "link is left")
        finally:
            if proc.poll() is None:
                proc.kill()
            proc.wait()
            proc.stdout.close()


def run(*args, text=b""):
    return subprocess.run(harness.WRAP + [harness.BINARY, *args], input=text,
                          capture_output=True, timeout=60, check=False)


def test_stdio():
    """a script on standard input: all is answered, then it ends"""
    out = run("--stdio", text=b"AT\r\nAT+WMODE?\r\n")
    same(out.returncode, 0, "exit status")
    same(out.stdout.split(b"#\r\n")[-1].startswith(
        b"AT\r\n\r\nOK\r\nAT+WMODE?\r\n\r\n+WMODE:1\r\nOK\r\n"), True,
        f"output {out.stdout!r}")


def test_options():
    """wrong options are told, with exit status 2"""
    for args in ([], ["--stdio", "--unix", "x"], ["--stdio", "--baud", "x"],
                 ["--stdio", "extra"], ["--stdio", "--profile", "none"],
                 ["--stdio", "--map", "1.2.3.4"], ["--stdio", "--ap", "x"],
                 ["--stdio", "--fault", "none"], ["--stdio", "--seed", "x"],
                 ["--stdio", "--quirk", "x=1"], ["--stdio", "--nonsense"]):
        out = run(*args)
        same(out.returncode, 2, f"exit status of {args}")
        assert out.stderr, f"no word about {args}"
    for args in (["--help"], ["--version"], ["--quirk", "help"]):
        out = run(*args)
        same((out.returncode, bool(out.stdout), out.stderr), (0, True, b""),
             str(args))


def test_families():
    """--help and the manual page tell of each family, and which one is taken"""
    usage = run("--help").stdout.decode()
    with open(os.path.join(os.path.dirname(__file__), "../atsim.1"), encoding="ascii") as f:
        manual = f.read()
    for name in harness.families():
        same(f"\n  {name} " in usage, True, f"{name} in --help")
        same(f"\n.It Cm {name}\n" in manual, True, f"{name} in the manual page")
    default = re.search(r"family of its firmware \((\w+)\)", usage)[1]
    same(default, "p23", "the family that most programs understand")
    version = re.search(rf"\n  {default} .*, (\S+)\n", usage)[1]
    out = run("--stdio", text=b"AT+GMR\r\n").stdout.decode()
    same(f"\r\nfirmware version:{version}\r\n" in out, True, f"AT+GMR says {out!r}")


def test_no_secrets():
    """passwords never get into the log"""
    with tempfile.TemporaryDirectory(prefix="atsim-test.") as d:
        log = d + "/log"
        with Sim("--ap", "net:Tr0ub4dor", "--log", log) as sim:
            sim.send(b"AT+WJAP=net,Tr0ub4dor\r\n")
            sim.until(b"GOT_IP\r\n")
            sim.cmd("AT+WAUTOCONN=1,net,Tr0ub4dor")
            sim.cmd("AT+WMODE=3,0")
            sim.cmd("AT+WAP=mine,Tr0ub4dor,6")
            sim.send(b"AT+WJAP?\r\nATx+WJAP=net,Tr0ub4dor\r\n")
            sim.until(b"Unknown")
        with open(log, encoding="ascii") as f:
            text = f.read()
        same("WJAP" in text, True, "the command is logged")
        same("Tr0ub4dor" in text, False, "the password is logged")


def fuzz(profile, seed_value):
    rng = random.Random(seed_value)
    names = [b"SOCKET", b"SOCKETSEND", b"SOCKETREAD", b"SOCKETDEL", b"WJAP",
             b"SOCKETTT", b"SOCKETAUTOTT", b"SSLCRET", b"WDNS", b"WSCAN",
             b"UARTCFG", b"SOCKETRECVCFG", b"SOCKETSENDLINE", b"WMODE",
             b"HELP", b"WSDHCP", b"WAP", b"SNTPTIMECFG", b"SYSMSG",
             b"SOCKETSENDHEX", b"SOCKET2", b"WSCANOPT", b"RST", b"RESTORE"]
    bits = [b"1", b"2", b"3", b"4", b"7", b"0", b"127.0.0.1", b"65535", b"",
            b'"', b"\\", b",", b"-1", b"99999999999999999999", b"x" * 120,
            b"\0", b"%s%n", b"+++", b"192.168.1.1"]
    with Sim("--profile", profile, "--boot-ms", 1, "--fault",
             "torn,rate=0.3", "--fault", "garbage,rate=0.0005", "--fault",
             "lost,rate=0.0005", "--fault", "reset,rate=0.00005",
             "--connect-timeout", 20, "--seed", seed_value, raw=True) as sim:
        end = time.monotonic() + 2
        while time.monotonic() < end:
            line = b"AT+" + rng.choice(names) + rng.choice([b"", b"?", b"="])
            line += b",".join(rng.choice(bits)
                              for _ in range(rng.randrange(7)))
            if rng.random() < 0.1:
                line = rng.randbytes(rng.randrange(600))
            sim.send(line + b"\r\n")
            if rng.random() < 0.05:
                sim.ctl(rng.choice(["reset", "link down", "link up",
                                    "stats", "sockets"]))
            sim.more(0.002)
            sim.buf = b""


def test_fuzz():
    """random lines, faults and resets do not bring it down"""
    for n, profile in enumerate(harness.families()):
        fuzz(profile, n + 1)
