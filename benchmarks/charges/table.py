"""The outcome of charges.sh: charge and peak of each service, and whether every charge was enough."""

from __future__ import annotations

import json
import sys
from pathlib import Path

MB = 1024 * 1024
SERVICES = ("postgresql", "redis", "memcached")

problems = []
print(f"{'MB':>5} {'service':<10} {'charge':>7} {'peak':>7} {'share':>6}")
for size in sys.argv[2:]:
    base = f"{sys.argv[1]}/{size}"
    plan = json.loads(Path(f"{base}.json").read_text())
    samples = [[int(value) for value in line.split()] for line in Path(f"{base}.samples").read_text().splitlines()]
    _, *peaks, kills, _ = (max(column) for column in zip(*samples))
    for name, peak in zip(SERVICES, peaks):
        charge = plan["services"][name]["charge"]
        print(f"{size:>5} {name:<10} {charge / MB:>7.1f} {peak / MB:>7.1f} {peak / charge:>6.0%}")
        if not 0 < peak <= charge:
            problems.append(f"{size} MB: {name} took {peak / MB:.1f} MB, its charge is {charge / MB:.1f} MB")
    if kills:
        problems.append(f"{size} MB: {kills} OOM kills")
print("\n".join(f"plan fails: {problem}" for problem in problems) or "plan holds: every service within its charge")
sys.exit(1 if problems else 0)
