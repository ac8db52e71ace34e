#!/usr/bin/env python3
"""Results of scenarios on platforms: written one by one, read back, shown as a table.

``record`` writes the result of one run as JSON. ``table`` adds all results of a folder to those that a page already holds,
writes the page anew and prints the table. A page keeps what a partial run did not touch, each result with its own date.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLATFORMS = ("debian12", "debian13", "ubuntu2204", "ubuntu2404", "rocky9", "rocky10", "raspios12", "raspios13")
RECAP = re.compile(r"^\S+ +: +(ok=\d+ .*)$", re.MULTILINE)
COLUMNS = ("scenario", "platform", "result", "seconds", "tasks", "changed on second run", "image", "date")
IMAGES = {
    "own": "the distribution's own image",
    "mirror": "built from the distribution's package mirror",
    "stand-in": "Debian's packages in the platform's shape (molecule/images/README.md says what it cannot prove)",
}
INTRODUCTION = """\
Written by `make matrix`. A run of a part (`make matrix SCENARIOS=nginx PLATFORMS=rocky9`) replaces its own results and leaves
the others, each with its date. Seconds are those of the whole sequence: check, converge, check, converge again, verify. Two
scenarios run at a time, one where arm64 is emulated."""


@dataclass(frozen=True)
class Result:
    """One scenario on one platform."""

    scenario: str
    platform: str
    result: str
    seconds: int
    tasks: int | None
    changed: int | None
    image: str
    date: str

    @property
    def passed(self) -> bool:
        return self.result == "passed"


def recap(output: str) -> dict[str, int]:
    """The sums over all hosts of the last play recap in an output of ansible-playbook; empty where there is none."""
    counts: dict[str, int] = {}
    for line in RECAP.findall(output.rpartition("PLAY RECAP")[2]):
        for name, number in re.findall(r"(\w+)=(\d+)", line):
            counts[name] = counts.get(name, 0) + int(number)
    return counts


def measured(first_run: str, second_run: str) -> tuple[int | None, int | None]:
    """How many tasks the first run had, and how many of the second changed something. Ansible counts those as ok, too."""
    first, second = recap(first_run), recap(second_run)
    tasks = first["ok"] + first["skipped"] + first["failed"] + first["rescued"] if first else None
    return tasks, second.get("changed")


def number(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def shown(value: str | int | None) -> str:
    return "-" if value is None else str(value)


def parse(page: str) -> list[Result]:
    """The results in a page that ``render`` wrote."""
    results = []
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == len(COLUMNS) and cells[1] in PLATFORMS:
            scenario, platform, result, seconds, tasks, changed, image, day = cells
            results.append(Result(scenario, platform, result, number(seconds) or 0, number(tasks), number(changed), image, day))
    return results


def merge(old: list[Result], new: list[Result]) -> list[Result]:
    """One result per scenario and platform, the one of the later day; of one day, the new one. In the order of the page."""
    latest: dict[tuple[str, str], Result] = {}
    for result in [*old, *new]:
        key = result.scenario, result.platform
        if key not in latest or result.date >= latest[key].date:
            latest[key] = result
    return sorted(latest.values(), key=lambda result: (result.scenario, PLATFORMS.index(result.platform)))


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in (header, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(header), *lines[1:]])


def grid(results: list[Result]) -> str:
    """Scenario by platform: seconds where it passed."""
    cells = {(result.scenario, result.platform): f"{result.seconds} s" if result.passed else "**failed**" for result in results}
    scenarios = sorted({result.scenario for result in results})
    rows = [(name, *(cells.get((name, platform), "-") for platform in PLATFORMS)) for name in scenarios]
    return table(("scenario", *PLATFORMS), rows)


def render(results: list[Result]) -> str:
    images = sorted({result.image for result in results})
    rows = [tuple(shown(value) for value in asdict(result).values()) for result in results]
    parts = [
        "# Scenarios on platforms",
        INTRODUCTION,
        grid(results),
        "Images: " + "; ".join(f"*{name}* is {IMAGES.get(name, 'of unknown origin')}" for name in images) + ".",
        table(COLUMNS, rows),
    ]
    return "\n\n".join(parts) + "\n"


def load(folder: Path) -> list[Result]:
    return [Result(**json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))]


def record(arguments: argparse.Namespace) -> None:
    tasks, changed = measured(arguments.first_run.read_text(), arguments.second_run.read_text())
    result = Result(
        scenario=arguments.scenario,
        platform=arguments.platform,
        result="passed" if arguments.failed_at is None else f"failed: {arguments.failed_at}",
        seconds=arguments.seconds,
        tasks=tasks,
        changed=changed,
        image=arguments.image,
        date=date.today().isoformat(),
    )
    arguments.file.parent.mkdir(parents=True, exist_ok=True)
    arguments.file.write_text(json.dumps(asdict(result), indent=2) + "\n")
    print(
        f"{result.scenario} {result.platform}: {result.result}, {result.seconds} s, {shown(result.tasks)} tasks, "
        f"{shown(result.changed)} changed on the second run, image: {result.image}"
    )


def write_table(arguments: argparse.Namespace) -> None:
    page = arguments.page.read_text() if arguments.page.exists() else ""
    there = {path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")}
    results = [result for result in merge(parse(page), load(arguments.folder)) if result.scenario in there]
    if not results:
        sys.exit("error: no results")
    arguments.page.write_text(render(results))
    print(grid(results))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("record", help="write one result")
    for name in ("scenario", "platform"):
        verb.add_argument(name)
    verb.add_argument("file", type=Path)
    verb.add_argument("--first-run", type=Path, required=True, help="output of the first converge")
    verb.add_argument("--second-run", type=Path, required=True, help="output of the second converge")
    verb.add_argument("--seconds", type=int, required=True)
    verb.add_argument("--image", required=True)
    verb.add_argument("--failed-at", help="step that failed, where one did")
    verb.set_defaults(run=record)
    verb = verbs.add_parser("table", help="add results to a page and print the table")
    verb.add_argument("folder", type=Path)
    verb.add_argument("page", type=Path)
    verb.set_defaults(run=write_table)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
