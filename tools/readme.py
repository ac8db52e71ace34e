#!/usr/bin/env python3
"""Write the generated tables into the READMEs: every role's variables, and the roles in the main README.

The argument specs and defaults are the source. ``--check`` changes nothing and fails where a table is not up to date.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
MARKERS = "<!-- {0}: begin -->", "<!-- {0}: end -->"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def roles() -> list[Path]:
    return sorted(path.parent.parent for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"))


def plain(text: str | list[str]) -> str:
    """One line of Markdown out of a description with Ansible's markup."""
    line = " ".join(" ".join([text] if isinstance(text, str) else text).split())
    line = re.sub(r"[COVE]\(((?:[^()\\]|\\.)*)\)", r"`\1`", line)
    line = re.sub(r"[BI]\(([^()]*)\)", r"**\1**", line)
    line = re.sub(r"[PM]\(([^()#]*)(?:#\w+)?\)", r"`\1`", line)
    return re.sub(r"[UL]\(([^(),]*)(?:,\s*([^()]*))?\)", lambda match: f"[{match[1]}]({match[2] or match[1]})", line)


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def kind(option: dict[str, Any]) -> str:
    shown = f"{option['type']} of {option['elements']}" if "elements" in option else option.get("type", "str")
    if "choices" in option:
        shown += ": " + ", ".join(f"`{choice}`" for choice in option["choices"])
    return shown


def default(option: dict[str, Any], value: Any, is_known: bool) -> str:
    if not is_known:
        return "required" if option.get("required") else ""
    if isinstance(value, str) and "{{" in value:
        return "computed"
    shown = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return f"`{shown}`" if len(shown) <= 60 else "see defaults"


def rows(options: dict[str, Any], defaults: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, option in options.items():
        known = {**option, **({"default": defaults[name]} if name in defaults else {})}
        columns = (
            f"`{prefix}{name}`",
            kind(option),
            default(option, known.get("default"), "default" in known),
            option["description"],
        )
        yield "| " + " | ".join(cell(plain(column)) for column in columns) + " |"
        inner = f"{prefix}{name}[]." if option.get("elements") == "dict" else f"{prefix}{name}."
        yield from rows(option.get("options", {}), {}, inner)


def variables_table(role: Path) -> str:
    options = read(role / "meta" / "argument_specs.yml")["argument_specs"]["main"].get("options", {})
    defaults_file = role / "defaults" / "main.yml"
    defaults = read(defaults_file) if defaults_file.is_file() else None
    return "\n".join(["| Variable | Type | Default | Meaning |", "|---|---|---|---|", *rows(options, defaults or {})])


def roles_table() -> str:
    lines = ["| Role | What it does |", "|---|---|"]
    for role in roles():
        summary = read(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["short_description"]
        lines.append(f"| [`{role.name}`](roles/{role.name}/README.md) | {cell(plain(summary))} |")
    return "\n".join(lines)


def updated(text: str, what: str, table: str, shown: str) -> str:
    begin, end = (marker.format(what) for marker in MARKERS)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"{shown} needs the lines {begin} and {end} once each, around the generated table.")
    return f"{text[: text.index(begin)]}{begin}\n\n{table}\n\n{text[text.index(end) :]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, fail where a table is not up to date")
    is_check = parser.parse_args().check
    wanted = [(role / "README.md", "variables", variables_table(role)) for role in roles()]
    problems = []
    for path, what, table in [*wanted, (ROOT / "README.md", "roles", roles_table())]:
        shown = str(path.relative_to(ROOT))
        if not path.is_file():
            problems.append(f"{shown} does not exist yet.")
            continue
        text = path.read_text()
        try:
            new = updated(text, what, table, shown)
        except ValueError as error:
            problems.append(str(error))
            continue
        if new == text:
            continue
        if is_check:
            problems.append(f"{shown} is out of date; run make docs.")
        else:
            path.write_text(new)
            print(f"{shown}: table of {what} written")
    print("\n".join(problems), file=sys.stderr, end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
