#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Test atsim.  Lines are TAP; the last one is "N passed, N failed"."""
import argparse
import concurrent.futures
import inspect
import sys
import time

import harness
import samples
import tests


def collect():
    """Every test as (name, function)."""
    found = [("sample: " + s.name, s.run) for s in samples.load()]
    for name, fn in inspect.getmembers(tests, inspect.isfunction):
        if name.startswith("test_"):
            found.append((name[5:].replace("_", " ") + ": " +
                          (fn.__doc__ or "").strip(), fn))
    return found


def run_one(fn):
    start = time.monotonic()
    try:
        fn()
        result = None
    except harness.Failure as e:
        result = str(e)
    except Exception as e:      # a broken test is a failed test
        tb = e.__traceback__
        while tb.tb_next:
            tb = tb.tb_next
        result = f"{type(e).__name__}: {e} (line {tb.tb_lineno})"
    return result, time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="./atsim")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*",
                        help="only tests whose name contains one of these")
    args = parser.parse_args()
    harness.BINARY = args.binary

    found = [t for t in collect()
             if not args.names or any(n in t[0] for n in args.names)]
    if args.list:
        for name, _ in found:
            print(name)
        return 0

    # those that measure time have the machine for themselves
    alone = [t for t in found if getattr(t[1], "alone", False)]
    found = [t for t in found if t not in alone]
    failed = 0
    number = 0
    print(f"1..{len(found) + len(alone)}", flush=True)

    def report(name, outcome):
        nonlocal failed, number
        number += 1
        error, took = outcome
        print(f"{'not ok' if error else 'ok'} {number} - {name} "
              f"# {took:.1f} s", flush=True)
        if error:
            failed += 1
            print("# " + error.replace("\n", "\n# "), flush=True)

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        jobs = {pool.submit(run_one, fn): name for name, fn in found}
        for job in concurrent.futures.as_completed(jobs):
            report(jobs[job], job.result())
    for name, fn in alone:
        report(name, run_one(fn))
    print(f"{number - failed} passed, {failed} failed")
    return 1 if failed or not number else 0


if __name__ == "__main__":
    sys.exit(main())
