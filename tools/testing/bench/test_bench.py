# SPDX-License-Identifier: GPL-2.0-only
"""That the bench works: what it says of figures, and a short run of two of its lines."""

import importlib.machinery
import importlib.util
import json
import os
import subprocess
import types

import pytest

HERE = os.path.dirname(os.path.realpath(__file__))
RUN = os.path.join(HERE, "run")
BAUD = 921600
LINKS = ("socket", "netdev", "ppp")


@pytest.fixture(name="bench")
def fixture_bench():
    """One that measures nothing: a line of each way has all figures, as good as can be."""
    loader = importlib.machinery.SourceFileLoader("bench", RUN)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench", loader))
    loader.exec_module(module)
    bench = object.__new__(module.Bench)
    bench.args = types.SimpleNamespace(baud=[BAUD], link=LINKS, guest="uml", kernel=module.PLAIN,
                                       profile="middleware")
    bench.goals = []
    bench.results = [{"baud": BAUD, "link": link, **{
        row.key: 99.0 if row.better > 0 else 0.5 for row in module.ROWS}} for link in LINKS]
    bench.module = module
    return bench


def table(bench, capsys):
    bench.find_goals()
    bench.report()
    return capsys.readouterr().out


def test_all_is_reached(bench, capsys):
    said = table(bench, capsys)
    for row in bench.module.ROWS:
        assert "\n%s " % row.label in said
    assert bench.goals and all(g["reached"] for g in bench.goals)
    assert "MISSED" not in said


def test_least_work(bench):
    """Each link's is measured again, in turn with others', and nothing but it is taken."""
    bench.args.test = ["echo", "download"]
    turns = []

    def measure(_baud, link):
        turns.append((link, *bench.args.test))
        return {"download_percent": 1.0, "download_cpu_ms_per_mib": 5.0 - len(turns)}

    bench.measure = measure
    for link, work in zip(LINKS, (9.0, 0.5, 9.0)):
        bench.of(BAUD, link).update(download_cpu_ms_per_mib=work)
    bench.measure_work(BAUD)
    assert turns == 2 * [(link, "download") for link in LINKS]
    assert [bench.of(BAUD, link)["download_cpu_ms_per_mib"] for link in LINKS] == [1.0, 0.0, -1.0]
    assert bench.of(BAUD, "ppp")["download_percent"] == 99.0
    assert bench.args.test == ["echo", "download"]


def test_what_is_missed(bench, capsys):
    """Less than was asked for, and less than PPP has, which the protocol may leave nobody."""
    bench.of(BAUD, "socket").update(upload_percent=90.0, download_percent=97.0)
    bench.of(BAUD, "netdev").update(download_percent=95.1)
    said = table(bench, capsys)
    missed = {(g["name"], g["goal"]): bench.verdict(g) for g in bench.goals if not g["reached"]}
    upload, download = ("%s_percent at %d" % (name, BAUD) for name in ("upload", "download"))
    assert missed == {(upload, "at least 97 %"): "MISSED",
                      (upload + ", socket", "no worse than PPP"): "MISSED",
                      (download + ", socket", "no worse than PPP"): "protocol",
                      (download + ", netdev", "no worse than PPP"): "MISSED"}
    assert bench.verdicts(BAUD, "download_percent") == "MISSED"
    assert "1024 / 1053" in said


def test_short_run(tmp_path):
    """Whether goals are reached is no matter of a busy machine."""
    out = tmp_path / "figures"
    # A build takes as long as it takes: the limit is for guests.
    subprocess.run([os.path.join(HERE, "../vm/run"), "--kernel", "7.3", "--build"],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    done = subprocess.run([RUN, "--kernel", "7.3", "--baud", str(BAUD), "--link", "socket",
                           "--link", "netdev", "--test", "download", "--test", "echo",
                           "--seconds", "1", "--json", out], stdout=subprocess.PIPE, text=True,
                          check=False, timeout=600)
    assert done.returncode in (0, 1)
    said = json.loads(out.read_text())
    assert [r["link"] for r in said["results"]] == ["socket", "netdev"]
    for result in said["results"]:
        assert "error" not in result
        assert 0 < result["download_percent"] < 100
        assert result["echo_count"] and 0 < result["echo_p50_ms"] <= result["echo_p99_ms"]
        assert result["download_cpu_ms_per_mib"] > 0
    assert any(g["name"].startswith("echo_p50_ms") for g in said["goals"])
    assert "\necho, p50 " in done.stdout
