#!/usr/bin/env python3
"""Change between two sets a number of times while wrk loads nginx; prints what wrk saw and how often nginx reloaded.

Arguments: number of changes, module payload of set a, of set b, address.
"""

import json
import subprocess
import sys


def main():
    changes, payloads, address = int(sys.argv[1]), sys.argv[2:4], sys.argv[4]
    # A connection per request: nginx closes idle kept-alive connections when a worker ends, and a client that is just sending
    # on one sees that as an error, whoever reloads.
    load = subprocess.Popen(
        ["wrk", "-t1", "-c16", "-d600s", "-H", "Connection: close", "--timeout", "10s", address],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    changed = 0
    for number in range(changes):
        done = subprocess.run(["/usr/bin/python3", payloads[number % 2]], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        changed += json.loads(done.stdout)["changed"]
    # wrk sums up when it is interrupted.
    load.send_signal(2)
    print(json.dumps({"changed": changed, "wrk": load.communicate()[0]}))


main()
