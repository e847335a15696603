# SPDX-License-Identifier: GPL-2.0-only
"""Tests of the check itself, with matrices that have nothing to do with the driver."""

import contextlib
import importlib.machinery
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

import matrix

HERE = os.path.dirname(os.path.realpath(__file__))
SELFTESTS = os.path.join(HERE, "selftests/net/atwifi/run")
MATRIX = '''
import real
SLOTS = {False: (2, 1)}
def Part(name, script, names=(), needs=(), limit=60, counts=True, **how):
    return real.Part(name, ["sh", "-c", script, "sh"], names, needs, limit, counts=counts, **how)
def parts(everything):
%s
'''
# Fails on its first run.
FIRST = "if [ -e %s ]; then echo ok 1 - %s; else touch %s; echo not ok 1 - %s; exit 1; fi"


@pytest.fixture
def check(tmp_path):
    where = tmp_path / "tools/testing"
    where.mkdir(parents=True)
    for name in ("check", "common.py", "ktap.py"):
        shutil.copy(os.path.join(HERE, name), where)
    shutil.copy(os.path.join(HERE, "matrix.py"), where / "real.py")

    def run(*parts):
        (where / "matrix.py").write_text(MATRIX % "\n".join("    yield Part" + p for p in parts))
        done = subprocess.run([where / "check"], stdin=subprocess.DEVNULL, cwd=tmp_path,
                              stdout=subprocess.PIPE, text=True, check=False, timeout=120)
        lines = done.stdout.splitlines()
        return done.returncode, lines[-1], [l for l in lines if l.startswith("flaky: ")], lines

    run.logs = tmp_path / ".build/check"
    run.path = tmp_path
    return run


def flaky(check, name):
    path = check.path / name
    return "(%r, %r)" % (name, FIRST % (path, name, path, name))


GOOD = "('good', 'echo 1..2; echo ok 1 a; echo ok 2 b')"


def test_good(check):
    assert check(GOOD)[:3] == (0, "2 passed, 0 failed, 0 skipped", [])


def test_fails_each_time(check):
    status, last, again, lines = check(GOOD, "('bad', 'echo ok 1 a; echo not ok 2 b')")
    assert (status, last, again) == (1, "3 passed, 1 failed, 0 skipped", [])
    assert "failed: bad: b" in lines


def test_fails_every_other_time(check):
    status, last, again, lines = check(GOOD, flaky(check, "now"))
    assert (status, last, again) == (0, "3 passed, 0 failed, 0 skipped", ["flaky: now: now"])
    assert lines[-2] == "flaky: now: now"
    # Both runs can be read.
    assert "not ok 1 - now" in (check.logs / "now.log").read_text()
    assert " ok 1 - now" in (check.logs / "now.again.log").read_text()


def test_three_flaky_ones_fail(check):
    status, last, again, _ = check(GOOD, *(flaky(check, "x%d" % i) for i in range(3)))
    assert (status, last, len(again)) == (1, "5 passed, 1 failed, 0 skipped", 3)


def test_only_what_failed_runs_again(check):
    script = "for n; do echo $n >>ran; done; echo ok 1 one; echo not ok 2 two"
    status, last = check("('part', %r, ['one', 'two'])" % script)[:2]
    assert (status, last) == (1, "2 passed, 1 failed, 0 skipped")
    assert (check.path / "ran").read_text().split() == ["one", "two", "two"]


@pytest.mark.parametrize("script", [
    "echo 1..3; echo ok 1 a", "echo ok 1 a; exit 3", "true", "echo 1..1; echo 'ok 1 a # SKIP'",
    "echo 1..1; echo '  1..2'; echo '  ok 1 a'; echo ok 1 p", "/no/such", "kill -9 $$"])
def test_nothing_is_taken_for_good(check, script):
    status, last = check(GOOD, "('odd', %r)" % script)[:2]
    assert status == 1
    assert ", 1 failed," in last


@pytest.mark.parametrize("said", [
    "echo ok 1 a; echo not ok 2 kernel", "echo not ok 1 a; exit 99", "echo ok 1 a; exit 99"])
def test_a_report_is_not_forgiven(check, said):
    script = "if [ -e seen ]; then echo ok 1 a; else touch seen; %s; fi" % said
    status, last, again = check(GOOD, "('guest', %r)" % script)[:3]
    assert (status, again) == (1, [])
    assert ", 1 failed," in last


def test_time_out(check):
    status, last, _, lines = check("('slow', 'echo ok 1 a; sleep 100', (), (), 5)")
    assert (status, last) == (1, "1 passed, 1 failed, 0 skipped")
    assert "failed: slow: time-out after 5 s" in lines


def test_compilers_have_a_place(check):
    """Though there is none for one more guest. And who only waits needs none."""
    waits = "until [ -e built ] && [ -e seen ]; do sleep 0.1; done; echo ok 1 a"
    guests = ["('guest%d', %r, (), (), 20)" % (i, waits) for i in range(2)]
    others = ["('%s', 'touch %s; echo ok 1 a', %s)" % words for words in (
        ("compiler", "built", "nice=10"), ("idle", "seen", "place=False"))]
    assert check(*guests, *others)[:2] == (0, "4 passed, 0 failed, 0 skipped")


def test_compilers_have_the_places_of_guests(check):
    """When none waits for one: here two of them that wait for each other."""
    script = "touch %s; until [ -e %s ]; do sleep 0.1; done; echo ok 1 a"
    both = ["('%s', %r, (), (), 20, nice=10)" % (a, script % (a, b)) for a, b in ("xy", "yx")]
    assert check(GOOD, *both)[:3] == (0, "4 passed, 0 failed, 0 skipped", [])


def test_what_is_needed_has_failed(check):
    status, last, _, lines = check("('setup', 'exit 1', (), (), 9, False)",
                                   "('user', 'echo ok 1 a', (), ('setup',))")
    assert (status, last) == (1, "0 passed, 2 failed, 0 skipped")
    assert "failed: user: needs setup" in lines


def test_again_is_alone(check):
    """Only when all else has ended: there a guest works for a while after the first run."""
    again = "if [ -e seen ]; then [ -e ended ] && echo ok 1 a; else touch seen; echo not ok 1 a; fi"
    works = "until [ -e seen ]; do sleep 0.1; done; sleep 1; touch ended; echo ok 1 b"
    assert check("('first', %r)" % again, "('works', %r)" % works)[:3] == (
        0, "2 passed, 0 failed, 0 skipped", ["flaky: first: a"])


def test_the_slowest(check):
    parts = ["('p%d', 'echo \"ok 1 a # %d s\"', waits='much')" % (n, n) for n in range(2, 13)]
    script = "echo '  ok 1 b # 3.0 s'; echo '  ok 2 c # 1.0 s'; echo 'ok 1 a # 20.0 s'"
    *_, lines = check("('guest', %r)" % script, *parts)
    begin = lines.index("the slowest:") + 1
    assert [line.split() for line in lines[begin:begin + 10]] == [
        ["20", "s", "guest:", "a", "b", "3,", "the", "rest", "16"],
        *([str(n), "s", "p%d:" % n, "a", "much"] for n in range(12, 3, -1))]
    assert "processors busy" in lines[begin + 10]


@pytest.mark.parametrize("body, good", [
    ("true", True), ("echo well; false; true", False), ("exit 3", False),
    ("kill -9 $BASHPID", False), ("echo a warning", False)])
def test_in_bash(body, good):
    """What lint, builds and deb print."""
    script = "set -eu; . %s/ktap.sh; BAD=warning; body() { %s; }; begin 'a name' body; verdict"
    done = subprocess.run(["bash", "-c", script % (HERE, body)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == (0 if good else 1)
    assert ("ok 1 - a name" in lines) == good
    assert any(line.startswith("not ok 1 - a name") for line in lines) != good
    assert lines[-1] == "1..1"


# The runner of the guests' tests, with a guest that hangs and is slow to heed anything.
HANGS = """
import importlib.machinery, importlib.util, os, sys
path = sys.argv.pop(1)
sys.path.insert(0, os.path.dirname(path))
loader = importlib.machinery.SourceFileLoader("run", path)
run = importlib.util.module_from_spec(importlib.util.spec_from_loader("run", loader))
loader.exec_module(run)
def serve(self, stack, chosen):
    stack.callback(print, "the peer ends", flush=True)
    return {}
run.build, run.Runner.serve, run.BUILD = lambda target: "", serve, sys.argv.pop(1)
run.Runner.command = lambda *unused: ["sh", "-c", "trap 'echo heard >>%s/log/heard; exit' TERM; "
                                      "echo begun; while :; do sleep 0.1; done" % run.BUILD]
sys.exit(run.main())
"""


def test_each_program_is_in_the_check():
    """Those that there are, and in the matrix nothing else; what is for --all alone runs there."""
    where = os.path.dirname(SELFTESTS)
    sys.path.insert(0, where)
    loader = importlib.machinery.SourceFileLoader("selftests", SELFTESTS)
    run = importlib.util.module_from_spec(importlib.util.spec_from_loader("selftests", loader))
    loader.exec_module(run)
    there = set()
    for name in os.listdir(where):
        with contextlib.suppress(IsADirectoryError), open(os.path.join(where, name),
                                                              errors="replace") as f:
            if re.search(r"^(TEST_HARNESS_MAIN|@test)$", f.read(), re.M):
                there.add(name.removesuffix(".c"))
    named, all_named = ({w for row in rows.values() for w in row[2].split() if w[:2] != "--"}
                        for rows in (matrix.ROWS, matrix.ALL_ROWS))
    assert {run.PROGRAMS[name].file for name in named} == there | {"wiring.sh"}
    assert named | all_named == set(run.PROGRAMS)


def test_interrupted_selftests(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HANGS, SELFTESTS, tmp_path, "7.3", "stream"],
                          text=True, stdout=subprocess.PIPE, start_new_session=True) as proc:
        try:
            assert any("begun" in line for line in proc.stdout)
            proc.terminate()
            assert proc.communicate(timeout=60)[0] == "the peer ends\n"
            assert proc.returncode == 143
            assert (tmp_path / "log/heard").read_text() == "heard\n"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(proc.pid, signal.SIGKILL)


# The same, with a guest that says some lines.
SAYS = HANGS[:HANGS.index("run.Runner.command")] + """
said = sys.argv.pop(1)
run.Runner.command = lambda *unused: ["echo", said]
sys.exit(run.main())
"""
RENAMED = """@begin ctl_no_wiphy
1..4
ok 1 ctl.join
ok 2 ctl.%s
ok 3 ctl.ap # SKIP
ok 4 ctl.scan
@end 0"""
PACED = """@line #1.1 ok%s
@begin paced
1..1
ok 1 stream.one
@line #1.2 ok%s
@end 0"""
LOST = " wire-in=1 overruns=%d dropped-lines=0"


def said_by_run(tmp_path, program, said):
    """Its status and its lines."""
    done = subprocess.run([sys.executable, "-c", SAYS, SELFTESTS, tmp_path, said, "7.3", program],
                          stdout=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize("name, status", [("status", 0), ("a_status", 1)])
def test_renamed_test(tmp_path, name, status):
    """What is to run of a program, and has another name: the rest passes."""
    returned, lines = said_by_run(tmp_path, "ctl_no_wiphy", RENAMED % name)
    assert returned == status
    assert ("not ok 1 ctl_no_wiphy # status: no test status" in lines) == status


@pytest.mark.parametrize("before, after, verdict", [
    (LOST % 3, LOST % 3, "ok 1 paced"),
    (LOST % 3, LOST % 4, "not ok 1 paced # status: the module has lost bytes"),
    (LOST % 3, "", "not ok 1 paced # status: the emulator does not say what has been lost"),
    ("", LOST % 3, "not ok 1 paced # status: the emulator does not say what has been lost")])
def test_lost_bytes(tmp_path, before, after, verdict):
    """Whatever the emulator says: a result, and not the end of all."""
    assert verdict in said_by_run(tmp_path, "paced", PACED % (before, after))[1]
