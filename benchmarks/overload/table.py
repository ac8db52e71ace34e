"""The outcome of overload.sh: a line per configuration while it runs, one table and the verdict at its end."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path

MB = 1024 * 1024
CONFIGURATIONS = ("plan", "distribution", "folklore")
SERVICES = ("nginx", "php_fpm", "mariadb")  # as the sampler writes them, after the container

# Status and seconds, as the log format of site.yml has them: quoted are the request, the referrer and the program that asked.
ANSWER = re.compile(r'" (\d{3}) \d+ "[^"]*" "[^"]*" ([\d.]+) ')


class Outcome:
    def __init__(self, base: str) -> None:
        wrk = json.loads(Path(f"{base}.json").read_text())
        self.rate = wrk["requests"] / wrk["seconds"]
        self.p50, self.p99 = wrk["p50_ms"], wrk["p99_ms"]
        self.cut = wrk["connect"] + wrk["read"] + wrk["write"]
        self.timeouts = wrk["timeout"]
        answers = ANSWER.findall(Path(f"{base}.log").read_text(errors="replace"))
        self.statuses = Counter(int(status) for status, _ in answers)
        # From the host's own log, because wrk leaves out what is still unanswered at the end.
        self.longest = max((float(seconds) for _, seconds in answers), default=0.0)
        samples = [[int(value) for value in line.split()] for line in Path(f"{base}.samples").read_text().splitlines()]
        # One may be cut where the sampler was killed.
        samples = [sample for sample in samples if len(sample) == len(SERVICES) + 3]
        self.peak, *peaks, self.kills, cpu = (max(column) for column in zip(*samples))
        self.peaks = dict(zip(SERVICES, peaks))
        # Other work on the same machine changes the rate, but hardly this.
        self.cpu_ms = cpu / 1000 / max(wrk["requests"], 1)
        self.restarts = int(Path(f"{base}.restarts").read_text())
        self.down = sum(line != "active" for line in Path(f"{base}.active").read_text().split())

    def of_class(self, first: int) -> int:
        # 499 is nginx's word for a client that left, which wrk does with what is open when its time is up.
        return sum(count for status, count in self.statuses.items() if status // 100 == first and status != 499)


COLUMNS = (
    ("MB", 5),
    ("conn.", 5),
    ("configuration", -13),
    ("req/s", 7),
    ("ratio", 6),
    ("p50 ms", 7),
    ("ratio", 6),
    ("p99 ms", 7),
    ("ratio", 6),
    ("longest s", 9),
    ("CPU ms", 6),
    ("4xx", 5),
    ("5xx", 5),
    ("cut", 5),
    ("late", 5),
    ("OOM", 4),
    ("restarts", 8),
    ("down", 4),
    ("peak MB", 7),
    ("nginx", 6),
    ("php", 6),
    ("mariadb", 7),
)


def cells(*values: str) -> str:
    return " ".join(f"{value:{'<' if width < 0 else '>'}{abs(width)}}" for value, (_, width) in zip(values, COLUMNS))


def row(size: str, connections: str, configuration: str, outcome: Outcome, reference: Outcome) -> str:
    def with_ratio(name: str, decimals: int) -> tuple[str, str]:
        value, of = getattr(outcome, name), getattr(reference, name)
        return f"{value:.{decimals}f}", f"{value / of:.2f}" if of else "-"

    answers = (outcome.of_class(4), outcome.of_class(5), outcome.cut, outcome.timeouts)
    services = (outcome.kills, outcome.restarts, outcome.down)
    return cells(
        *(size, connections, configuration),
        *with_ratio("rate", 2),
        *with_ratio("p50", 0),
        *with_ratio("p99", 0),
        f"{outcome.longest:.1f}",
        f"{outcome.cpu_ms:.0f}",
        *(str(count) for count in (*answers, *services)),
        *(f"{peak / MB:.1f}" for peak in (outcome.peak, *outcome.peaks.values())),
    )


def line(base: str) -> None:
    outcome = Outcome(base)
    speed = f"{outcome.rate:.2f} requests/s, {outcome.cpu_ms:.0f} ms of CPU each, "
    speed += f"p50 {outcome.p50:.0f} ms, p99 {outcome.p99:.0f} ms, longest {outcome.longest:.1f} s"
    harm = f"5xx {outcome.of_class(5)}, OOM kills {outcome.kills}, working set at most {outcome.peak / MB:.1f} MB"
    print(f"  {speed}\n  {harm}", flush=True)


def rate(file: str) -> None:
    wrk = json.loads(Path(file).read_text())
    print(f"{wrk['requests'] / wrk['seconds']:.2f}")


def table(results: str, sizes: list[str]) -> int:
    problems = []
    print(cells(*(name for name, _ in COLUMNS)))
    charges = []
    for size in sizes:
        host = f"{results}/lemp-overload-{size}"
        connections = Path(f"{host}.connections").read_text().strip()
        outcomes = {configuration: Outcome(f"{host}-{configuration}") for configuration in CONFIGURATIONS}
        for configuration, outcome in outcomes.items():
            print(row(size, connections, configuration, outcome, outcomes["distribution"]))
        planned = outcomes["plan"]
        if planned.kills:
            problems.append(f"{size} MB: {planned.kills} OOM kills")
        if planned.of_class(5):
            problems.append(f"{size} MB: {planned.of_class(5)} answers 5xx")
        if planned.restarts or planned.down:
            problems.append(f"{size} MB: {planned.restarts} restarts, {planned.down} services down")
        if not planned.of_class(2):
            problems.append(f"{size} MB: no answer 2xx, so nothing was measured")
        if planned.peak >= int(size) * MB:
            problems.append(f"{size} MB: working set of {planned.peak / MB:.1f} MB")
        plan = json.loads(Path(f"{host}.json").read_text())
        for name in SERVICES:
            charge, peak = plan["services"][name]["charge"], planned.peaks[name]
            charges.append(f"{size:>5} {name:<8} {charge / MB:>7.1f} {peak / MB:>7.1f} {peak / charge:>6.0%}")
            if not 0 < peak <= charge:
                problems.append(f"{size} MB: {name} took {peak / MB:.1f} MB, its charge is {charge / MB:.1f} MB")
    print(f"\nCharges of the plan and what was taken of them\n{'MB':>5} {'service':<8} {'charge':>7} {'peak':>7} {'share':>6}")
    print("\n".join(charges))
    print()
    held = "plan holds: no OOM kill, no 5xx, working sets within charges and limit"
    print("\n".join(f"plan fails: {problem}" for problem in problems) or held)
    return 1 if problems else 0


if __name__ == "__main__":
    if sys.argv[1] == "line":
        line(sys.argv[2])
    elif sys.argv[1] == "rate":
        rate(sys.argv[2])
    else:
        sys.exit(table(sys.argv[2], sys.argv[3:]))
