# GNU General Public License v3.0+ (see LICENSE)
"""A plan for people to read: lines for a terminal, or one page that needs nothing but a browser. Pure functions.

What is shown adds up: megabytes and percents are shared out by largest remainder, so that parts never miss their sum by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

KIB, MIB, GIB, TIB = 2**10, 2**20, 2**30, 2**40

TITLES = {
    "reserve": "Reserve",
    "nginx": "nginx",
    "php_fpm": "PHP-FPM",
    "mariadb": "MariaDB",
    "postgresql": "PostgreSQL",
    "redis": "Redis",
    "memcached": "Memcached",
    "page_cache": "Page cache",
    "sysctl": "Kernel",
}
SIGNS = {
    "reserve": "=",
    "nginx": "n",
    "php_fpm": "p",
    "mariadb": "m",
    "postgresql": "g",
    "redis": "r",
    "memcached": "c",
    "page_cache": ".",
}
BAR_CHARACTERS = 60
# Paul Tol's "light" scheme: told apart by colour-blind people, and black text reads on each (personal.sron.nl/~pault).
TONES = {
    "reserve": "#dddddd",
    "nginx": "#77aadd",
    "php_fpm": "#ee8866",
    "mariadb": "#44bb99",
    "postgresql": "#99ddff",
    "redis": "#ffaabb",
    "memcached": "#eedd88",
    "other": "#bbcc33",
}
# Percent of the bar that a label of three short lines needs on a screen; a narrower segment is labelled below the bar.
LABEL_PERCENT = 9
BOUNDS = {
    "memory": "more memory would make it larger",
    "cpu": "more CPUs would make it larger",
    "disk": "the kind or the size of the disk",
    "version": "the version of the server that is installed",
    "user": "set by hand; the rest is planned around it",
    "default": "the same on every host",
    "application": "what the application is known to need",
    "calibration": "measured on this host",
    "kernel": "the kernel's own limit",
    "services": "which services share the host",
    "pools": "all pools of PHP-FPM together",
    "opcache": "the size of OPcache",
    "plan": "what the plan charges for the unit",
    "not enforced": "the kernel's memory controller is off",
}


class Html(str):
    """Text that is markup already. All other text is escaped on its way into an element."""


def element(name: str, *content: str, **attributes: object) -> Html:
    """One HTML element. A trailing underscore lets Python's own words be attributes (``class_``)."""
    opening = name + "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"' for key, value in attributes.items() if value is not None
    )
    inside = "".join(one if isinstance(one, Html) else escape(one) for one in content)
    return Html(f"<{opening}>{inside}</{name}>" + ("\n" if name in LINES else ""))


# One line each, so that two pages can be compared.
LINES = {
    "caption",
    "div",
    "dl",
    "figure",
    "footer",
    "header",
    "h2",
    "li",
    "p",
    "section",
    "style",
    "tr",
    "tbody",
    "thead",
    "ul",
}


def joined(parts: Iterable[str]) -> Html:
    return Html("".join(one if isinstance(one, Html) else escape(one) for one in parts))


def page(title: str, style: str, body: Iterable[str]) -> str:
    """One page without scripts and without anything from elsewhere."""
    head = joined(
        [
            Html('<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'),
            element("title", title),
            Html(f"\n<style>{style}</style>\n"),
        ]
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n{head}</head>\n<body>\n<main>\n{joined(body)}</main>\n</body>\n</html>\n'
    )


@dataclass(frozen=True)
class Slice:
    """One part of a whole. ``megabytes`` and ``permille`` add up to those of the whole, ``width`` to 100 percent."""

    name: str
    size: int
    megabytes: int
    permille: int
    width: float

    @property
    def title(self) -> str:
        return TITLES.get(self.name, self.name)

    @property
    def amount(self) -> str:
        return "under 1 MB" if self.size and not self.megabytes else f"{self.megabytes:,} MB"

    @property
    def percent(self) -> str:
        return f"{self.permille / 10:.1f} %"


@dataclass(frozen=True)
class Row:
    """One explained value: where it is shown, and its explanation."""

    key: str
    section: str
    group: str
    name: str
    given: Mapping[str, Any]

    @property
    def value(self) -> str:
        return quantity(self.given.get("value"), self.given.get("unit") or "")

    @property
    def default(self) -> str:
        return quantity(self.given.get("default"), self.given.get("unit") or "")

    @property
    def bound(self) -> str:
        return str(self.given.get("bound") or "")

    @property
    def formula(self) -> str:
        return str(self.given.get("formula") or "")

    @property
    def inputs(self) -> list[str]:
        return [f"{name} {quantity(value, input_unit(name))}" for name, value in (self.given.get("inputs") or {}).items()]


def apportion(sizes: Sequence[int], units: int) -> list[int]:
    """Share ``units`` out in proportion to ``sizes`` by largest remainder; all are 0 where there is nothing to share."""
    whole = sum(sizes)
    if whole <= 0:
        return [0] * len(sizes)
    shares = [size * units // whole for size in sizes]
    by_remainder = sorted(range(len(sizes)), key=lambda index: (-(sizes[index] * units % whole), index))
    for index in by_remainder[: units - sum(shares)]:
        shares[index] += 1
    return shares


def slices(sizes: Mapping[str, Any], megabytes: int | None = None) -> list[Slice]:
    """The parts of a whole.

    :param sizes: bytes by name; what is below 0 counts as 0.
    :param megabytes: what the whole is shown as; None rounds its bytes.
    """
    counted = [max(0, int(size)) for size in sizes.values()]
    shown = round(sum(counted) / MIB) if megabytes is None else megabytes
    columns = zip(sizes, counted, apportion(counted, shown), apportion(counted, 1000), apportion(counted, 100_000))
    return [Slice(name, size, mb, permille, width / 1000) for name, size, mb, permille, width in columns]


def service_names(plan: Mapping[str, Any]) -> list[str]:
    """The services on the way of a request; what has no title comes last."""
    known = list(TITLES)
    return sorted(plan["services"], key=lambda name: known.index(name) if name in TITLES else len(known))


def budget_slices(plan: Mapping[str, Any]) -> list[Slice]:
    """The budget in the order in which it is drawn: reserve, services, page cache."""
    charges = {name: plan["services"][name]["charge"] for name in service_names(plan)}
    return slices({"reserve": plan["budget"]["reserve"], **charges, "page_cache": plan["budget"]["page_cache"]})


def quantity(value: Any, unit: str) -> str:
    """A value as people say it: ``272 MB``, ``60 s``, ``dynamic``."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(quantity(one, unit) for one in value)
    if not isinstance(value, (int, float)):
        return str(value)
    if unit == "bytes":
        return size_text(value)
    return _number(value) + {"": "", "seconds": " s"}.get(unit, f" {unit}")


def size_text(size: float) -> str:
    """Bytes in GB and TB where these are whole, else in MB, below that in kB; powers of 1024, as in the whole collection."""
    if not size:
        return "0"
    for name, unit in (("TB", TIB), ("GB", GIB)):
        if size % unit == 0:
            return f"{size // unit:,.0f} {name}"
    for name, unit in (("MB", MIB), ("kB", KIB)):
        if abs(size) >= unit:
            text = f"{size / unit:,.1f}"
            return f"{text[:-2] if text.endswith('.0') else text} {name}"
    return f"{_number(size)} bytes"


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(int(value))
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.2f}" if 100 <= abs(value) < 1e15 else f"{value:.4g}"


def input_unit(name: str) -> str:
    """The unit that the name of a number tells, as everywhere in the collection."""
    for ending, unit in (("_bytes", "bytes"), ("_size", "bytes"), ("_mb", "MB"), ("_seconds", "seconds")):
        if name.endswith(ending):
            return unit
    return ""


def rows(plan: Mapping[str, Any]) -> list[Row]:
    return [Row(key, *_place(key), given) for key, given in plan["explain"].items()]


def _place(key: str) -> tuple[str, str, str]:
    """Section, group within it and name of a value. Names of pools and units may have dots in them."""
    head, _, rest = key.partition(".")
    owner, _, name = rest.removeprefix("pools.").rpartition(".")
    if head == "limits" and owner:
        return owner.partition("@")[0], f"Limits of unit {owner}", name
    if head == "php_fpm" and rest.startswith("pools.") and owner:
        return head, f"Pool {owner}", name
    if head == "redis" and rest.startswith("instances."):
        return head, f"Instance {owner.removeprefix('instances.')}", name
    if head == "opcache":
        return "php_fpm", "OPcache", rest
    return head, "", rest or head


def sections(plan: Mapping[str, Any]) -> dict[str, dict[str, list[Row]]]:
    """Rows by section and group: services first, also those without values; the kernel and others follow."""
    found: dict[str, dict[str, list[Row]]] = {name: {} for name in service_names(plan)}
    for row in rows(plan):
        found.setdefault(row.section, {}).setdefault(row.group, []).append(row)
    return found


def host_facts(plan: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is worth knowing of the host, as pairs of label and text."""
    host = plan.get("host") or {}
    total = plan["budget"]["total"]
    source = host.get("memory_source")
    facts = [("memory", f"{round(total / MIB):,} MB" + (f" ({source})" if source else ""))]
    if host.get("cpus") is not None:
        facts.append(("CPUs", quantity(host["cpus"], "")))
    facts += [(key, str(host[key])) for key in ("architecture", "board", "profile") if host.get(key)]
    if host.get("page_size"):
        facts.append(("page size", size_text(host["page_size"])))
    if "memory_controller" in host:
        facts.append(("memory controller", "on" if host["memory_controller"] else "off"))
    return facts + [(path, _disk_text(disk)) for path, disk in (host.get("disks") or {}).items()]


def _disk_text(disk: Any) -> str:
    if not isinstance(disk, Mapping):
        return str(disk)
    size = disk.get("size_bytes")
    return f"{disk.get('kind') or 'unknown'}" + (f", {size_text(size)}" if size else "")


def problem(plan: Mapping[str, Any]) -> str:
    """Why the plan cannot be used, with remedies; empty where it can."""
    if plan.get("feasible", True):
        return ""
    lacking = f"The services need {-(-plan.get('shortfall_bytes', 0) // MIB):,} MB more than the host has"
    remedies = ", or ".join(plan.get("remedies") or [])
    return f"{lacking}: {remedies}." if remedies else f"{lacking}."


def text_report(plan: Mapping[str, Any], host: str) -> str:
    """The report as lines: the host, its budget, a table of all values, warnings."""
    parts = budget_slices(plan)
    lines = [
        f"{host or 'host'}: " + ", ".join(f"{label} {text}" for label, text in host_facts(plan)),
        *filter(None, [problem(plan)]),
        "",
        f"[{text_bar(parts)}]",
        *_legend(plan, parts),
        "",
        *_table(rows(plan)),
    ]
    warnings = plan.get("warnings") or []
    if warnings:
        lines += ["", *(f"Warning: {warning}" for warning in warnings)]
    return "\n".join(_printable(line) for line in lines) + "\n"


def _printable(line: str) -> str:
    """Names are the user's: none may move the cursor or break a line."""
    return "".join(character if character.isprintable() else "?" for character in line).rstrip()


def text_bar(parts: Sequence[Slice]) -> str:
    cells = apportion([part.size for part in parts], BAR_CHARACTERS)
    return "".join(SIGNS.get(part.name, "+") * count for part, count in zip(parts, cells)).ljust(BAR_CHARACTERS)


def _legend(plan: Mapping[str, Any], parts: Sequence[Slice]) -> list[str]:
    title = max(len(part.title) for part in parts)
    amount = max(len(part.amount) for part in parts)
    return [
        f"  {SIGNS.get(part.name, '+')} {part.title:<{title}}  {part.amount:>{amount}}  {part.percent:>7}  "
        + ", ".join(f"{one.name} {one.amount}" for one in _parts_of(plan, part))
        for part in parts
    ]


def _parts_of(plan: Mapping[str, Any], part: Slice) -> list[Slice]:
    return slices((plan["services"].get(part.name) or {}).get("parts") or {}, part.megabytes)


def _table(found: Sequence[Row]) -> list[str]:
    if not found:
        return ["No service, no values."]
    cells = [("value of", "is", "distribution", "bound", "formula")]
    cells += [(row.key, row.value, row.default, row.bound, row.formula) for row in found]
    key, value, default, bound = (max(len(line[column]) for line in cells) for column in range(4))
    return [
        f"{line[0]:<{key}}  {line[1]:>{value}}  {line[2]:>{default}}  {line[3]:<{bound}}  {line[4]}".rstrip() for line in cells
    ]


def html_report(plan: Mapping[str, Any], host: str) -> str:
    """The report as one page without scripts and without anything from elsewhere."""
    title = f"Plan of {host}" if host else "Plan of a host"
    parts = budget_slices(plan)
    found = sections(plan)
    body = [
        _header(plan, title),
        _notes(plan),
        _budget(parts),
        *(_section(plan, parts, name, groups) for name, groups in found.items()),
        _glossary(rows(plan)),
        element(
            "footer",
            element(
                "p", "MB is 1,048,576 bytes. The same inputs always give the same plan; nothing here was read off free memory."
            ),
        ),
    ]
    return page(title, _tones() + STYLE, body)


def _tones() -> str:
    return "\n" + "".join(f".tone-{name} {{ background-color: {colour} }}\n" for name, colour in TONES.items())


def _tone(name: str) -> str:
    return f"tone-{name if name in TONES or name == 'page_cache' else 'other'}"


def _header(plan: Mapping[str, Any], title: str) -> Html:
    facts = joined(
        element("div", element("dt", label[:1].upper() + label[1:]), element("dd", text)) for label, text in host_facts(plan)
    )
    return element("header", element("h1", title), element("dl", facts, class_="facts"))


def _notes(plan: Mapping[str, Any]) -> Html:
    lacking = problem(plan)
    notes = [element("p", element("strong", "Does not fit. "), lacking)] if lacking else []
    notes += [element("p", element("strong", "Warning. "), warning) for warning in plan.get("warnings") or []]
    return element("section", *notes, class_="notes", aria_label="Warnings") if notes else Html()


def _budget(parts: Sequence[Slice]) -> Html:
    spoken = ", ".join(f"{part.title} {part.amount} {part.percent}" for part in parts)
    total = sum(part.megabytes for part in parts)
    bar = element("div", *map(_segment, parts), class_="bar", role="img", aria_label=f"Of {total:,} MB: {spoken}")
    lines = [
        element(
            "tr",
            element("th", element("span", class_=f"swatch {_tone(part.name)}", aria_hidden="true"), part.title, scope="row"),
            element("td", part.amount, class_="number"),
            element("td", part.percent, class_="number"),
        )
        for part in parts
    ]
    whole = element(
        "tr",
        element("th", "Memory of the host", scope="row"),
        element("td", f"{total:,} MB", class_="number"),
        element("td", f"{sum(part.permille for part in parts) / 10:.1f} %", class_="number"),
    )
    table = element(
        "table",
        element("caption", "The budget in numbers", class_="unseen"),
        _head(("Part", ""), ("Memory", "number"), ("Share", "number")),
        element("tbody", *lines),
        element("tfoot", whole),
        class_="budget",
    )
    return element(
        "section",
        element("h2", "Budget", id="budget"),
        element("p", "Worst cases: what every service may take at the same time.", class_="soft"),
        element("figure", bar, _callouts(parts)),
        _scroll(table, "The budget in numbers"),
        aria_labelledby="budget",
    )


def _segment(part: Slice) -> Html:
    if not part.size:
        return Html()
    label = [element("span", text) for text in (part.title, part.amount, part.percent)]
    return element(
        "div",
        element("div", *label, class_="label") if part.width >= LABEL_PERCENT else "",
        class_=f"segment {_tone(part.name)}",
        style=f"width:{part.width:.3f}%",
        title=f"{part.title}: {part.amount}, {part.percent}",
    )


def _callouts(parts: Sequence[Slice]) -> Html:
    """Labels below the bar for segments too narrow for their own, one per line, so that none runs into another."""
    narrow = []
    left = 0.0
    for part in parts:
        if part.size and part.width < LABEL_PERCENT:
            narrow.append((left + part.width / 2, part))
        left += part.width
    # Text leads away from the nearer edge; the order of the lines keeps each leader clear of the text of its neighbours.
    to_the_left = [(centre, part) for centre, part in narrow if centre > 60]
    to_the_right = [(centre, part) for centre, part in reversed(narrow) if centre <= 60]
    labels = [
        element(
            "div",
            element("span", element("b", part.title), f" {part.amount}, {part.percent}"),
            class_="callout" + (" mirrored" if centre > 60 else ""),
            style=f"left:{centre:.3f}%;--line:{line}",
        )
        for line, (centre, part) in enumerate([*to_the_left, *to_the_right])
    ]
    return element("div", *labels, class_="callouts", style=f"--lines:{len(labels)}", aria_hidden="true") if labels else Html()


def _section(plan: Mapping[str, Any], parts: Sequence[Slice], name: str, groups: Mapping[str, Sequence[Row]]) -> Html:
    title = TITLES.get(name, name)
    anchor = f"section-{re.sub('[^a-z0-9]+', '-', name.lower())}"
    part = next((one for one in parts if one.name == name and name in plan["services"]), None)
    return element(
        "section",
        element("h2", title, *([element("small", f"{part.amount}, {part.percent}")] if part else []), id=anchor),
        _charge(plan, part) if part else "",
        _values(title, groups) if groups else "",
        aria_labelledby=anchor,
    )


def _charge(plan: Mapping[str, Any], part: Slice) -> Html:
    lines = [
        element(
            "tr",
            element("th", one.name, scope="row"),
            element("td", one.amount, class_="number"),
            element("td", one.percent, class_="number"),
            element(
                "td",
                element("div", class_=f"meter {_tone(part.name)}", style=f"width:{one.width:.3f}%"),
                class_="track",
                aria_hidden="true",
            ),
        )
        for one in _parts_of(plan, part)
    ]
    if not lines:
        return Html()
    table = element(
        "table",
        element("caption", f"What {part.title} is charged for", class_="unseen"),
        _head(("Charged for", ""), ("Memory", "number"), ("Share", "number"), ("", "")),
        element("tbody", *lines),
        class_="charge",
    )
    return _scroll(table, f"What {part.title} is charged for")


def _values(title: str, groups: Mapping[str, Sequence[Row]]) -> Html:
    bodies = []
    for group, found in groups.items():
        heading = element("tr", element("th", group, colspan=6, scope="rowgroup", class_="group")) if group else ""
        bodies.append(element("tbody", heading, *map(_value_row, found)))
    head = _head(
        ("Value", ""),
        ("Planned", "number"),
        ("Distribution", "number"),
        ("Bound", ""),
        ("Formula and inputs", ""),
        ("Source", ""),
    )
    table = element("table", element("caption", f"Values of {title}", class_="unseen"), head, *bodies, class_="values")
    return _scroll(table, f"Values of {title}")


def _value_row(row: Row) -> Html:
    exact = f"{row.given.get('value')} bytes" if row.given.get("unit") == "bytes" else None
    share = row.given.get("share")
    same = row.given.get("value") == row.given.get("default")
    return element(
        "tr",
        element("th", element("code", row.name), scope="row"),
        element(
            "td",
            element("span", row.value, class_="same" if same else "planned", title=exact),
            element("small", f"{share:.1%} of what services have".replace("%", " %"))
            if isinstance(share, (int, float))
            else "",
            class_="number",
        ),
        element("td", row.default, class_="number soft"),
        element("td", element("span", row.bound, class_="bound", title=bound_text(row.bound)) if row.bound else ""),
        element("td", row.formula, element("small", _unbroken(row.inputs)) if row.inputs else ""),
        element("td", _source(str(row.given.get("source") or "")), class_="source"),
        id=row.key,
    )


def _unbroken(inputs: Iterable[str]) -> str:
    """A list that breaks between its items only."""
    return ", ".join(one.replace(" ", "\N{NO-BREAK SPACE}") for one in inputs)


def _source(source: str) -> Html:
    """A link for what is an address of the web; anything else, such as ``javascript:``, is text."""
    match = re.match(r"https?://(?:www\.)?([^/?#\s]+)", source)
    if not match:
        return element("span", source) if source else Html()
    return element("a", match[1], href=source, title=source, rel="noopener noreferrer")


def bound_text(bound: str) -> str:
    return BOUNDS.get(bound, f"follows from {TITLES.get(bound, bound)}")


def _glossary(found: Sequence[Row]) -> Html:
    names = sorted({row.bound for row in found if row.bound})
    if not names:
        return Html()
    pairs = joined(
        element("div", element("dt", element("span", name, class_="bound")), element("dd", bound_text(name))) for name in names
    )
    return element(
        "section",
        element("h2", "What bounds mean", id="bounds"),
        element("dl", pairs, class_="glossary"),
        aria_labelledby="bounds",
    )


def _head(*columns: tuple[str, str]) -> Html:
    cells = [
        element("th", text, scope="col", class_=kind or None) if text else element("td", aria_hidden="true")
        for text, kind in columns
    ]
    return element("thead", element("tr", *cells))


def _scroll(table: Html, label: str) -> Html:
    """A wide table scrolls by itself, also by keyboard, and leaves the page where it is."""
    return element("div", table, class_="scroll", tabindex=0, role="region", aria_label=label)


STYLE = """
:root {
  color-scheme: light dark;
  --page: #fbfaf8; --ink: #23272d; --soft: #5b626b; --line: #e4e1da; --strong-line: #b9b5ac; --link: #0b5a9d;
  --shade: rgb(0 0 0 / .16);
  --note: #fff4d6; --note-line: #c99a1c;
  --sans: ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, "Noto Sans Mono", "DejaVu Sans Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #16181b; --ink: #e4e4e1; --soft: #a0a6ae; --line: #2c3036; --strong-line: #565c64; --link: #8cc2f5;
    --shade: rgb(0 0 0 / .7);
    --note: #2e2814; --note-line: #c99a1c;
  }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink); font: 1rem/1.5 var(--sans); -webkit-text-size-adjust: 100% }
main { max-width: 76rem; margin: 0 auto; padding: clamp(1.25rem, 4vw, 3.5rem) clamp(1rem, 4vw, 2.5rem) }
h1 { margin: 0 0 1rem; font-size: clamp(1.5rem, 4vw, 2.125rem); font-weight: 600; line-height: 1.2; letter-spacing: -.015em;
  overflow-wrap: anywhere }
h2 { margin: 0 0 .75rem; font-size: 1.25rem; font-weight: 600; line-height: 1.3; overflow-wrap: anywhere }
h2 small { margin-left: .75rem; font-size: .9375rem; font-weight: 400; color: var(--soft); font-variant-numeric: tabular-nums }
section { margin-top: 3rem }
p { margin: 0 0 1rem; max-width: 46rem }
small { font-size: .8125rem }
a { color: var(--link); text-underline-offset: .15em }
code { font: .8125rem/1.5 var(--mono) }
.soft, footer { color: var(--soft) }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: .875rem }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
dl { margin: 0 }
dd { margin: 0 }
.facts { display: flex; flex-wrap: wrap; gap: .5rem 2rem }
.facts dt { font-size: .8125rem; color: var(--soft) }
.facts dd { font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
.notes { margin-top: 2rem; padding: .875rem 1.125rem; background: var(--note); border-left: 3px solid var(--note-line) }
.notes p { margin: 0 }
.notes p + p { margin-top: .5rem }
figure { margin: 0 0 1.5rem }
.bar { display: flex; width: 100%; height: 5.25rem; border-radius: .375rem; overflow: hidden; background: var(--line) }
.bar, .swatch, .meter { -webkit-print-color-adjust: exact; print-color-adjust: exact }
.segment { flex: none; min-width: 0; overflow: hidden; container-type: inline-size; color: #1b1d20;
  box-shadow: inset -1px 0 var(--page) }
.tone-page_cache { background: repeating-linear-gradient(135deg, #f4f2ec 0 5px, #d3d0c8 5px 7px) }
.label { padding: .625rem .75rem; font-size: .8438rem; line-height: 1.35; white-space: nowrap;
  font-variant-numeric: tabular-nums }
.label span { display: block }
.label span:first-child { font-weight: 600 }
.tone-page_cache .label span { width: fit-content; padding: 0 .25rem; margin-left: -.25rem; background: #f4f2ec }
@container (max-width: 5rem) { .label { display: none } }
.callouts { position: relative; height: calc(var(--lines) * 1.5rem + .5rem); font-size: .8438rem; line-height: 1.25rem;
  font-variant-numeric: tabular-nums; pointer-events: none }
.callout { position: absolute; top: 0; padding: calc(var(--line) * 1.5rem + .5rem) 0 0 .5rem; white-space: nowrap;
  border-left: 1px solid var(--strong-line) }
.callout.mirrored { padding-left: 0; padding-right: .5rem; border-left: 0; border-right: 1px solid var(--strong-line);
  transform: translateX(-100%) }
.callout span { background: var(--page) }
.callout b { font-weight: 600 }
@media (max-width: 45rem) { .callouts, .track, .charge thead td { display: none } }
.scroll { overflow-x: auto; margin-bottom: 1.5rem;
  background: linear-gradient(90deg, var(--page) 60%, transparent) 0 0 / 2.5rem 100% no-repeat local,
    linear-gradient(270deg, var(--page) 60%, transparent) 100% 0 / 2.5rem 100% no-repeat local,
    linear-gradient(90deg, var(--shade), transparent) 0 0 / .75rem 100% no-repeat scroll,
    linear-gradient(270deg, var(--shade), transparent) 100% 0 / .75rem 100% no-repeat scroll }
.scroll:focus-visible { outline: 2px solid var(--link); outline-offset: 4px }
table { border-collapse: collapse; text-align: left; font-size: .9375rem }
th, td { padding: .4375rem 1.25rem .4375rem 0; vertical-align: top; border-bottom: 1px solid var(--line); font-weight: 400 }
th:last-child, td:last-child { padding-right: 0 }
thead th, thead td { border-bottom-color: var(--strong-line); font-size: .8125rem; color: var(--soft); vertical-align: bottom }
tfoot th, tfoot td { border-bottom: 0; border-top: 1px solid var(--strong-line); font-weight: 600 }
.number { text-align: right; font-variant-numeric: tabular-nums }
.budget, .charge { width: 100%; max-width: 38rem }
.budget .number, .charge .number { white-space: nowrap }
.swatch { display: inline-block; width: .875rem; height: .875rem; margin-right: .625rem; border-radius: .1875rem;
  vertical-align: -.0625rem; border: 1px solid rgb(0 0 0 / .18) }
.charge .track { width: 32%; vertical-align: middle }
.meter { height: .5rem; min-width: 1px; border-radius: .125rem }
.values { table-layout: fixed; width: 100%; min-width: 62rem; font-size: .875rem }
.values th:nth-child(1) { width: clamp(12.5rem, 22vw, 15.5rem) }
.values th:nth-child(2), .values th:nth-child(3) { width: 7.5rem }
.values th:nth-child(4) { width: 7.5rem }
.values th:nth-child(6) { width: 8.5rem }
.values th, .values td { overflow-wrap: anywhere }
.values .group { padding-top: 1.25rem; font-weight: 600; width: auto }
.values small { display: block; color: var(--soft); font-variant-numeric: tabular-nums }
.planned { font-weight: 600 }
.bound { display: inline-block; padding: 0 .5rem; border: 1px solid var(--strong-line); border-radius: 1rem;
  font-size: .8125rem; line-height: 1.25rem; white-space: nowrap }
.glossary { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: .625rem 2rem;
  font-size: .875rem }
.glossary div { display: flex; gap: .75rem; align-items: baseline }
.glossary dd { color: var(--soft) }
tr:target { background: var(--note) }
@media print {
  :root { --page: #fff; --ink: #000; --soft: #444; --line: #ddd; --strong-line: #999; --link: #000 }
  @page { margin: 14mm; size: A4 landscape }
  main { max-width: none; padding: 0 }
  body { font-size: 10pt }
  .scroll { overflow: visible; background: none }
  .values { min-width: 0 }
  tr, figure, .notes { break-inside: avoid }
  h2 { break-after: avoid }
}
"""

RENDERERS = {"html": html_report, "text": text_report}


def report(plan: Any, host: str, style: str) -> str:
    """The report of one host.

    :param plan: what filter ``plan`` returns.
    :param host: name of the host, as the inventory says it.
    :param style: ``html`` or ``text``.
    :raises ValueError: ``plan`` is no plan, or ``style`` is neither.
    """
    if style not in RENDERERS:
        raise ValueError(f"format is {style!r}, but must be one of {', '.join(RENDERERS)}.")
    missing = [key for key in ("budget", "services", "explain") if not isinstance(plan, Mapping) or key not in plan]
    if missing:
        raise ValueError(f"the plan has no {missing[0]}; hand over what lemp.stack.plan returns.")
    return RENDERERS[style](plan, host)
