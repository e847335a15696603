# SPDX-License-Identifier: GPL-2.0-only
"""Has pytest print KTAP, as all other tests do."""

import pytest


class Reporter:
    def __init__(self):
        self.number = self.failed = 0

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.failed or report.skipped:
            name = report.nodeid.rsplit("::", 1)[-1].removeprefix("test_")
            self.say(name, report.failed, report.skipped, str(report.longrepr or ""),
                     report.duration)

    def pytest_collectreport(self, report):
        if report.failed:
            self.say(report.nodeid or "collection", True, False, str(report.longrepr))

    def pytest_internalerror(self, excrepr):
        self.say("pytest", True, False, str(excrepr))

    def pytest_sessionfinish(self):
        print("1..%d" % self.number, flush=True)

    def say(self, name, failed, skipped, words, seconds=0.0):
        self.number += 1
        if failed:
            print("".join("# %s\n" % line for line in words.splitlines()[-40:]), end="")
        print("%sok %d - %s #%s %.1f s" % ("not " if failed else "", self.number,
                                           name.replace("#", ""), " SKIP" if skipped else "",
                                           seconds), flush=True)


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="on each guest what is the same on all, and what is for a release")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--all"):
        items[:] = [i for i in items if not i.get_closest_marker("all_only") and
                    ("[board" not in i.name or i.get_closest_marker("each_guest"))]


@pytest.hookimpl
def pytest_configure(config):
    # With several workers the one that has started them reports.
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Reporter())
