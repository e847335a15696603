# SPDX-License-Identifier: GPL-2.0-only
"""
What is tested where. The rule:

- One kernel, 7.3, carries every program: as User Mode Linux it takes a third of the
  processor time of the others, which trace their processes. These carry what differs by
  kernel: the build with all warnings and sparse, KUnit, the line discipline, and one
  short pass of each front end that crosses a compat header (sockets, network device,
  netlink). Of frames that is how the kernel hands them over and how TCP is asked to look a
  socket up; in which order flows begin and end anew 7.3 shows, and "check --all".
- One family of firmware, middleware, carries every program. The others carry what
  differs by firmware: how connections begin and end, what an error looks like, what a
  module does by itself. Those that the driver takes for one of these carry what of that
  they do in their own way.
- The board carries what needs it: serdev, wiring, several processors, another byte
  order of events; and each front end once, with busybox's programs.
- In UML the driver waits a quarter as long for others as it does for a user (its
  parameter "hurry"); on the board, and in one row of "check --all", as long.
- "check --all" adds every program on every kernel, every program with every family, and
  the large ones. Kernel and family are no product: what a module says does not depend on
  the kernel that hears it. Programs of the userspace half alone run on the oldest kernel
  and the newest, with one family; names on each kernel, of which they ask by netlink.

A program stands in the first row that can show what it tests.
"""

import fnmatch

KERNELS = ("6.1", "6.12", "7.3")
MAIN = "7.3"
# Debian's releases for whose kernels the driver is built, and the next one.
CROSS = ("cross-12", "cross-13", "cross-14")
# Other machines for which packages are built, and on which they are installed.
ARCHITECTURES = ("arm64", "armhf")
# How many run at a time. Most of a guest's time is waiting: more than three times as many as
# there are processors. Those of the whole matrix work for most of it: what has its turn too
# seldom times out. And compilers, which have what the guests leave of the processors: from the
# beginning on, since at the end they would be waited for; and the guests' places, too, when none
# waits for one, as no compiler keeps all processors busy.
SLOTS = {False: (7, 1), True: (4, 1)}
VM = "tools/testing/vm"
SELFTESTS = "tools/testing/selftests/net/atwifi/run"
ATSIM = ["make", "-sC", "tools/testing/atsim"]

# What shares a line of the check; programs that want the same module share a guest. Those that
# take longest come first: what is begun last would be waited for with a processor idle.
GROUPS = {
    "wireless": "wireless remains",
    "configured": "netdev_dhcp netdev_own netdev_gone netdev_hostile wireless_hostile",
    "bringup": "bringup",
    "resolve": "resolve agent",
    "attach": "attach plug nomem",
    "load": "netdev_load",
    "netdev": "netdev netdev_raw",
    "units": "units",
    "transparent": "transparent paced paced_transparent paced_passive",
    "faults": "faults peers family resolve_family fair chopped torn",
    "ctl": "ctl",
    # With what any firmware takes, of one that does not tell which it is.
    "unknown": "ctl_unknown names_unknown server_unknown words_unknown",
    "sockets": "stream dgram names errors multi server tls passive short vsock sizes words "
               "power",
    "expose": "expose",
    "no-wiphy": "netdev_no_wiphy dgram_no_wiphy ctl_no_wiphy",
    "old": "ctl_old",
}
# What neither the kernel between the oldest and the newest decides, nor the firmware.
USERSPACE = ("resolve", "units", "old")
# What looks otherwise with another firmware, or with another kernel.
BY_FIRMWARE = "stream dgram names server tls passive transparent words "
BY_KERNEL = "attach dgram names errors server_short ctl_short netdev_raw_short"
# name: target, firmware, programs (see "run --help"; none: all)
ROWS = {
    "board": ("board", "middleware", "stream labels fair netdev expose power"),
    "wiring": ("board", "middleware", "wiring_reset wiring_enable wiring_vcc gone"),
    # The forms of answers, and a module that deletes late.
    "bw20": (MAIN, "bw20", BY_FIRMWARE),
    "classic": (MAIN, "classic", BY_FIRMWARE + "ctl_firmware"),
    # Most of what differs in cfg80211 came with 7.0.
    "6.1": ("6.1", "middleware", BY_KERNEL + " wireless_short"),
    "6.12": ("6.12", "middleware", BY_KERNEL + " wireless_short"),
    **{name: (MAIN, "middleware", programs) for name, programs in GROUPS.items()},
    # The order of a join, and a banner without its "ready".
    "bw16": (MAIN, "bw16", "stream words"),
    # Other forms of errors and addresses, and what is deleted is said to be.
    "p23": (MAIN, "p23", "names server words"),
    # The same, and another banner.
    "m61": (MAIN, "m61", "names passive words"),
}
ALL_ROWS = {
    "large": (MAIN, "middleware", "--large --patient multi sizes transparent chopped "
              "netdev_load netdev_gone netdev_hostile wireless wireless_hostile"),
    "cycles": (MAIN, "middleware", "--large attach nomem"),
    "board": ("board", "middleware", ""),
    # It wants a module without certificates.
    "large-resolve": (MAIN, "middleware", "--large --patient resolve"),
    "bw16": ROWS["bw16"],
    # With 7.3 it is a part of "large".
    "managed": ("6.1", "middleware", "--large wireless_managed"),
    "managed-6.12": ("6.12", "middleware", "--large wireless_managed"),
    "often": (MAIN, "middleware", "wireless_often"),
    "wireless-13": ("6.12", "middleware", "wireless_13"),
    # Its radio has another band.
    "wireless-bw16": (MAIN, "bw16", "wireless"),
    "p23": (MAIN, "p23", BY_FIRMWARE + "ctl_firmware"),
    "m61": (MAIN, "m61", "stream names server passive words ctl_firmware"),
    "old-all": (MAIN, "middleware", "old"),
    **{"%s-%s-%s" % (name, kernel, firmware):
       (kernel, firmware, ("--patient " if (kernel, firmware) == (MAIN, "middleware") else "") +
        programs)
       for kernel, firmware in (*((k, "middleware") for k in KERNELS), (MAIN, "classic"),
                                (MAIN, "bw20"))
       for name, programs in GROUPS.items()
       if name not in USERSPACE or
       (firmware == "middleware" and (kernel != "6.12" or name == "resolve"))},
}


class Part:
    """
    One line of the check: a command that prints KTAP, or (COUNTS false) one that only
    prepares something. With NAMES what it runs are its last arguments.
    """

    def __init__(self, name, base, names=(), needs=(), limit=1800, alone=None, nice=0,
                 place=True, counts=True, waits="", kind=""):
        self.name, self.base, self.names = name, list(base), list(names)
        self.needs, self.limit = needs, limit
        self.alone = alone	# no two parts with the same word here at a time
        self.nice = nice	# compilers wait for the guests, whose wires wait for nobody
        self.place = place	# what does little but wait needs none
        self.counts = counts
        self.waits = waits
        self.kind = kind
        self.command = self.base + self.names


def setup(target):
    """What SETUP prepares, and what other parts need it for."""
    return Part("setup-" + target, [VM + "/setup", target], limit=3600, alone="build", nice=10,
                counts=False, needs=("packages",), waits="downloads and compilers, once")


def setups(*targets):
    return tuple(dict.fromkeys("setup-" + ("uml-" + t if t in KERNELS else t) for t in targets))


# What programs want that vm/setup prepares: these, or all whose names begin so.
PREPARED = {
    "programs": ("netdev*", "resolve*", "wireless*", "remains", "agent", "units"),
    "newer": ("wireless", "wireless_short", "units"),
    "programs-13": ("wireless_13",),
    "musl": ("resolve",),
    "resolvconf": ("agent",),
}


def prepared_for(programs):
    return [target for target, names in PREPARED.items()
            if any(fnmatch.fnmatch(p, name) for p in programs for name in names)]


def selftests(name, target, firmware, programs, limit):
    words = programs.split()
    options = [w for w in words if w.startswith("--")]
    # The harness of all comes with the newest kernel's source; the board has programs of its own.
    needs = setups(KERNELS[-1], target, *(["arm64-libs"] if target == "board" else
                                          prepared_for(words)))
    # Its way out of transparent mode takes more than a second of the three after which
    # what was lost is connected anew: there a guest must not stand still for another.
    nice = -10 if firmware == "classic" else 0
    return Part(name, [SELFTESTS, target, "--profile", firmware, *options],
                [w for w in words if w not in options], needs, limit, nice=nice,
                kind="selftests")


def parts(everything):
    """The parts, in the order in which they are begun: what takes long before what does not."""
    # Compilers have the processors when no guest wants them.
    patience = 7200 if everything else 3600
    yield Part("packages", [VM + "/setup", "--packages"], alone="build", counts=False,
               waits="downloads, once")
    for target in ("uml-7.3", "uml-6.1", "board", "arm64-libs", "programs", "musl", "resolvconf",
                   "newer", "uml-6.12",
                   "dtbs", "chroot-12", *(["programs-13", "chroot-13", "chroot-13-to-amd64", "pc",
                                   "chroot-12-amd64", "chroot-12-pi", *CROSS,
                                   *("chroot-%s-%s%s" % (release, to, arch)
                                     for release in (12, 13) for arch in ARCHITECTURES
                                     for to in ("", "to-"))]
                                  if everything else [])):
        yield setup(target)
    if everything:
        yield Part("deb-13", ["tools/testing/deb", "13"], alone="deb", nice=10,
                   limit=patience, needs=setups("chroot-13", "chroot-13-to-amd64"),
                   waits="compilers, dpkg")
        for release, arch in ((r, a) for r in (12, 13) for a in ARCHITECTURES):
            name = arch if release == 12 else "13-" + arch
            yield Part("deb-" + name, ["tools/testing/deb", name], alone="deb", nice=10,
                       limit=patience, needs=setups("chroot-%d-%s" % (release, arch),
                                                    "chroot-%d-to-%s" % (release, arch)),
                       waits="compilers, emulated dpkg")
        yield Part("walk", ["tools/testing/walk"], limit=7200, waits="compilers, emulated starts",
                   needs=setups("board", "dtbs", "pc", "chroot-12-amd64", "chroot-12-pi",
                                "chroot-12-to-arm64"))
        yield Part("kernels", ["tools/testing/kernels"], needs=setups(*CROSS), limit=patience,
                   nice=10, waits="compilers")
    for kernel in KERNELS:
        yield Part("kunit-" + kernel, [VM + "/run", "--kernel", kernel, "--kunit",
                                       *([] if everything else ["--param", "hurry=4"])],
                   needs=setups(kernel), place=False)
    yield Part("vm", ["pytest-3", "-n", "2", *(["--all"] if everything else []), VM],
               needs=setups(MAIN, "board", *(["dtbs", "pc"] if everything else [])))
    yield Part("bench", ["pytest-3", "tools/testing/bench"], needs=setups(MAIN))
    for name, row in (ALL_ROWS if everything else ROWS).items():
        yield selftests(name, *row, limit=14400 if everything else 3600)
    # The first thing that the README has one do.
    yield Part("demo", ["sh", "-c", "make -s demo BYTES=%d && echo ok 1 - make demo" %
                        (1048576 if everything else 65536)], needs=setups("board"))
    yield Part("builds", ["tools/testing/builds", *(["--all"] if everything else [])],
               needs=setups("board", *KERNELS), nice=10, limit=patience, waits="compilers")
    yield Part("deb", ["tools/testing/deb"], needs=setups("chroot-12"), alone="deb", nice=10,
               limit=patience, waits="compilers, dpkg")
    yield Part("lint", ["tools/testing/lint"], needs=setups("6.12", "7.3", "dtbs"),
               nice=10, limit=patience, waits="analyzers")
    yield Part("fuzz", ["make", "-sC", "tools/testing/fuzz", "check"], needs=("packages",),
               waits="15 s for each fuzzer")
    yield Part("check", ["pytest-3", "tools/testing/test_check.py"], needs=("packages",))
    yield Part("atsim", [*ATSIM, "SAN=1", "check"], needs=("packages",), alone="atsim",
               place=False)
    if everything:
        yield Part("atsim-plain", [*ATSIM, "check"], needs=("packages",), alone="atsim",
                   place=False)
