# SPDX-License-Identifier: GPL-2.0-only
"""
KTAP, the kernel's form of test results (Documentation/dev-tools/ktap.rst there): what
all of the project's tests print, and what is counted of it.
"""

import re
import time

# A test that knows how long it took says so, since others may have run beside it.
RESULT = re.compile(r"( *)(not )?ok \d+(?: - | |$)([^#]*)"
                    r"(?:# *(SKIP\b)?.*?(?:([\d.]+) s)?)?$")
PLAN = re.compile(r"( *)1\.\.(\d+)")
VERSION = re.compile(r" *K?TAP version ")


class Result:
    """One line "ok" or "not ok". Of one with results below it, only these count."""

    def __init__(self, name, failed, skipped, seconds, leaves, words):
        self.name, self.failed, self.skipped, self.seconds = name, failed, skipped, seconds
        self.leaves = leaves	# below it; of a single test that one itself
        self.words = words	# what was said before it

    def counts(self):
        failed = sum(l.failed for l in self.leaves)
        skipped = sum(l.skipped for l in self.leaves)
        return len(self.leaves) - failed - skipped, failed, skipped


class Ktap:
    """Takes the lines of a run one by one, as they come."""

    def __init__(self):
        self.top = []		# results without an indentation
        self.levels = {}	# indentation: [planned, results, leaves]
        self.words = []
        self.last = time.monotonic()
        self.since = {0: self.last}

    def feed(self, line):
        """Whether the line is a result."""
        if VERSION.match(line):
            # What comes before it, a build or a boot, is no test's time.
            self.last = time.monotonic()
        m = PLAN.match(line)
        if m:
            level = self.levels.setdefault(len(m[1]), [0, 0, []])
            level[0] += int(m[2])
            self.since.setdefault(len(m[1]), self.last)
            return False
        m = RESULT.match(line)
        if not m:
            self.words.append(line)
            return False
        now = time.monotonic()
        seconds = float(m[5]) if m[5] else now - self.since.get(len(m[1]), self.last)
        self.since[len(m[1])] = self.last = now
        self.result(len(m[1]), m[3].strip(), bool(m[2]), bool(m[4]), seconds)
        return True

    def result(self, indent, name, failed, skipped, seconds):
        leaves = []
        for deeper in sorted(d for d in self.levels if d > indent):
            leaves += self.close(deeper)
            self.since.pop(deeper, None)
        one = Result(name, failed, skipped, seconds, leaves, self.words)
        if not leaves or failed and not any(l.failed for l in leaves):
            leaves.append(one)
        self.words = []
        level = self.levels.setdefault(indent, [0, 0, []])
        level[1] += 1
        level[2] += leaves
        if not indent:
            self.top.append(one)

    def close(self, indent):
        """The results of a level; those that were planned and did not come have failed."""
        planned, results, leaves = self.levels.pop(indent)
        if planned > results:
            leaves.append(self.failure("%d of %d tests did not end" % (planned - results, planned)))
        return leaves

    def failure(self, name):
        return Result(name, True, False, 0.0, [], self.words)

    def end(self, problem=None):
        """No more lines come; PROBLEM: what is wrong with the run as a whole."""
        planned, results = self.levels.pop(0, [0, 0, []])[:2]
        lost = [l for indent in sorted(self.levels) for l in self.close(indent)]
        if planned > results:
            lost.append(self.failure("%d of %d tests did not end" % (planned - results, planned)))
        bad = lost or any(t.counts()[1] for t in self.top)
        if not bad and (problem or not any(t.counts()[0] for t in self.top)):
            lost.append(self.failure(problem or "no test was counted"))
        if lost:
            self.top.append(Result("the end", True, False, 0.0, lost, self.words))
