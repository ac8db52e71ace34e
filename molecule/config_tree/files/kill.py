#!/usr/bin/env python3
"""Kill the module with SIGKILL at random moments while it moves nginx between two valid sets, and watch the live set.

Arguments: number of kills, module payload of set a, of set b. Prints one JSON line. A second process asks nginx about the live
set without pause. nginx reads its files one after another; where the directory was exchanged while it did, what it read is not
the set of one moment, and the sample counts as torn.
"""

import collections
import hashlib
import json
import multiprocessing
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

TREE = "/etc/nginx"
STORE = "/var/lib/lemp/config/harness"


def live_set():
    """One value for the content, owners and permissions of everything below the tree."""
    found = []
    for folder, _, names in os.walk(TREE):
        for name in names:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            content = os.readlink(path) if os.path.islink(path) else pathlib.Path(path).read_bytes().hex()
            found.append([path, status.st_mode, status.st_uid, status.st_gid, content])
    return hashlib.sha256(json.dumps(sorted(found)).encode()).hexdigest()


def judged():
    done = subprocess.run(["nginx", "-t", "-q"], capture_output=True, text=True)
    return done.returncode, done.stderr


def identity():
    status = os.stat(TREE)
    return status.st_ino, status.st_ctime_ns


def sample(stop, queue):
    runs, torn, refusals = 0, 0, []
    while not stop.is_set():
        before = identity()
        status, said = judged()
        if identity() != before:
            torn += 1
            continue
        runs += 1
        if status != 0:
            refusals.append(said.strip())
    queue.put((runs, torn, refusals))


def start(payload):
    return subprocess.Popen(
        ["/usr/bin/python3", payload], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def run(payload):
    process = start(payload)
    said = process.communicate()[0]
    assert process.returncode == 0, said
    return json.loads(said)


def main():
    kills, payloads = int(sys.argv[1]), {"a": sys.argv[2], "b": sys.argv[3]}
    random.seed(int(sys.argv[4]) if len(sys.argv) > 4 else None)
    sets = {}
    spans = []
    for letter in ("a", "b", "a", "b"):
        began = time.monotonic()
        process = start(payloads[letter])
        while not os.path.exists(f"{STORE}/transaction") and process.poll() is None:
            time.sleep(0.0005)
        staged = time.monotonic()
        said = process.communicate()[0]
        assert process.returncode == 0, said
        spans.append((staged - began, time.monotonic() - staged))
        sets[letter] = live_set()
    assert sets["a"] != sets["b"]
    longest = max(span for _, span in spans)

    stop, queue = multiprocessing.Event(), multiprocessing.Queue()
    sampler = multiprocessing.Process(target=sample, args=(stop, queue))
    sampler.start()
    found = collections.Counter()
    moments = collections.Counter()
    problems = []
    current = "b"
    for number in range(kills):
        target = "a" if current == "b" else "b"
        process = start(payloads[target])
        # Most of a run is Python starting; nine of ten kills hit the transaction itself.
        if number % 10:
            while not os.path.exists(f"{STORE}/transaction") and process.poll() is None:
                time.sleep(0.0005)
            time.sleep(random.uniform(0, longest))
        else:
            time.sleep(random.uniform(0, spans[-1][0]))
        ended = process.poll() is not None
        process.send_signal(signal.SIGKILL)
        process.wait()
        moments[
            "ended before" if ended else "journal" if os.path.exists(f"{STORE}/transaction/journal.json") else "no journal"
        ] += 1
        state = live_set()
        letter = {value: key for key, value in sets.items()}.get(state)
        found[letter] += 1
        if letter is None:
            problems.append(f"kill {number}: the files are neither of the two sets")
        status, said = judged()
        if status != 0:
            problems.append(f"kill {number}: {said.strip()}")
        current = random.choice("ab")
        # The next run, whichever set it wants, ends with exactly that set.
        if number % 5 == 0:
            run(payloads[current])
            if live_set() != sets[current]:
                problems.append(f"kill {number}: the next run did not bring set {current}")
        else:
            current = letter or "b"
    last = run(payloads["a"])
    stop.set()
    runs, torn, refusals = queue.get()
    sampler.join()
    print(
        json.dumps(
            {
                "kills": kills,
                "moments": moments,
                "found": {str(key): value for key, value in found.items()},
                "problems": problems[:10],
                "samples": runs,
                "torn": torn,
                "refusals": refusals[:10],
                "is_a": live_set() == sets["a"],
                "left": os.path.exists(f"{STORE}/transaction"),
                "last_changed": last["changed"],
                "span": longest,
            }
        )
    )


main()
