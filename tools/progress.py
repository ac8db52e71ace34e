#!/usr/bin/env python3
"""Show a playbook run as it moves: one line per task that changed something, a counter for the rest, and the recap."""

from __future__ import annotations

import re
import sys

TASK = re.compile(r"^(?:TASK|RUNNING HANDLER) \[(?:lemp\.stack\.)?(.*?)\] \**$")
SHOWN_FROM_HERE = re.compile(r"^(?:\[ERROR\]|\[WARNING\]|\[DEPRECATION|fatal:|failed:|ERROR!|PLAY RECAP)")


def main() -> None:
    task, count, verbose = "", 0, False
    is_terminal = sys.stdout.isatty()
    for line in sys.stdin:
        line = line.rstrip("\n")
        match = TASK.match(line)
        if match:
            task, count, verbose = match[1], count + 1, False
            if is_terminal:
                print(f"\r\033[K  task {count}: {task[:100]}", end="", flush=True)
        elif SHOWN_FROM_HERE.match(line):
            verbose = True
            print(("\r\033[K" if is_terminal else "") + line, flush=True)
        elif verbose:
            print(line, flush=True)
        elif line.startswith("changed:") and task:
            print(("\r\033[K" if is_terminal else "") + f"  {count:3d} changed: {task}", flush=True)
            task = ""


if __name__ == "__main__":
    main()
