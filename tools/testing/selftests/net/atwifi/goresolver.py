# SPDX-License-Identifier: GPL-2.0-only
"""
A resolver that asks name servers by itself, as programs do that are written in Go and linked
without the C library: for A and AAAA at the same time, by a socket of its own each, with EDNS
for 1232 bytes. What is no answer to the question is passed over, what is truncated is asked
for by TCP again, and each server is asked twice.
"""

import secrets
import socket
import struct
import threading

from guest import LIMIT, Failed, receive

A, SOA, HINFO, TXT, AAAA, OPT = 1, 6, 13, 16, 28, 41
ROOM = 1232
ATTEMPTS = 2


class NoSuchHost(Failed):
    """A server says that there is none."""


class Misbehaving(Failed):
    """No server says anything of use; it may later."""


def question(name, kind, network=1):
    labels = b"".join(bytes([len(p)]) + p for p in name.encode().split(b".") if p)
    return labels + b"\0" + struct.pack(">HH", kind, network)


def query(number, asked, room=ROOM, flags=0, options=b""):
    """A message with one question; with EDNS if ROOM is not 0."""
    opt = struct.pack(">BHHIH", 0, OPT, room, flags, len(options)) + options
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, bool(room)) + asked + (opt if room else b"")


def skip_name(wire, at):
    while wire[at]:
        if wire[at] >= 0xc0:
            return at + 2
        at += 1 + wire[at]
    return at + 1


class Message:
    """An answer; IndexError, struct.error or ValueError where it is none."""

    def __init__(self, wire):
        self.wire = wire
        self.number, flags, asked, *counts = struct.unpack(">6H", wire[:12])
        if not flags & 0x8000 or asked != 1:
            raise ValueError("no answer")
        self.truncated, self.recursive = bool(flags & 0x200), bool(flags & 0x80)
        self.code = flags & 15
        at = skip_name(wire, 12) + 4
        self.question = wire[12:at]
        # Of each record its type, its class, its time and its data.
        self.sections = []
        for count in counts:
            self.sections.append([])
            for _ in range(count):
                at = skip_name(wire, at)
                *head, size = struct.unpack(">HHIH", wire[at:at + 10])
                if len(wire) < at + 10 + size:
                    raise ValueError("no whole record")
                self.sections[-1].append((*head, wire[at + 10:at + 10 + size]))
                at += 10 + size
        if at != len(wire):
            raise ValueError("more than there should be")

    def data(self, kind):
        return [r[3] for r in self.sections[0] if r[0] == kind]


def answer_to(wire, number, asked):
    """The message if it is that, or None."""
    try:
        message = Message(wire)
    except (IndexError, struct.error, ValueError):
        return None
    if message.number != number or message.question.lower() != asked.lower():
        return None
    return message


def exchange(server, asked, tcp=False, **how):
    """Asks a server; its answer."""
    number = secrets.randbelow(0x10000)
    wire = query(number, asked, **how)
    with socket.socket(type=socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as s:
        s.settimeout(LIMIT)
        s.connect((server, 53))
        if tcp:
            s.sendall(len(wire).to_bytes(2, "big") + wire)
            message = answer_to(receive(s, int.from_bytes(receive(s, 2), "big")), number, asked)
            if not message:
                raise Misbehaving("nobody can read the answer")
            return message
        s.send(wire)
        while True:
            message = answer_to(s.recv(65536), number, asked)
            if message:
                return message


def ask(servers, asked, tcp=False):
    """The answer of the first server that has one."""
    why = Misbehaving("no servers")
    for server in servers * ATTEMPTS:
        try:
            message = exchange(server, asked, tcp)
            if message.truncated:
                message = exchange(server, asked, True)
        except OSError as e:
            why = Misbehaving(str(e))
            continue
        if message.code == 3:
            raise NoSuchHost(asked)
        if message.code:
            why = Misbehaving("code %d" % message.code)
        elif not (message.recursive or any(message.sections)):
            why = Misbehaving("a referral to nowhere")
        else:
            return message
    raise why


def lookup(name, *servers, single=False, tcp=False):
    """All addresses; SINGLE is the option single-request, TCP use-vc of resolv.conf."""
    answers = {}

    def one(kind):
        try:
            answers[kind] = ask(servers, question(name, kind), tcp).data(kind)
        except (NoSuchHost, Misbehaving) as e:
            answers[kind] = e

    threads = [threading.Thread(target=one, args=(kind,)) for kind in (A, AAAA)]
    for t in threads:
        t.start()
        if single:
            t.join()
    for t in threads:
        t.join()
    found = [socket.inet_ntop(family, data)
             for kind, family in ((A, socket.AF_INET), (AAAA, socket.AF_INET6))
             if not isinstance(answers[kind], Exception) for data in answers[kind]]
    if found:
        return found
    for kind in (A, AAAA):
        if isinstance(answers[kind], Exception):
            raise answers[kind]
    raise NoSuchHost(name)


def lookup_txt(name, *servers):
    """The texts, each of one string."""
    return [data[1:] for data in ask(servers, question(name, TXT)).data(TXT)]
