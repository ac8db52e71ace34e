# GNU General Public License v3.0+ (see LICENSE)
"""The slowest statements for people to read: lines for a terminal, or one page that needs nothing but a browser.

Statements, names and plans are whatever visitors of a site made of them: nothing of them is markup, none moves the cursor.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from ._plan_report import STYLE, TITLES, Html, element, joined, page

WIDTH = 120
MOST_CHARACTERS = 200_000
FIGURES = ("in all", "share", "count", "mean", "slowest", "rows read", "rows sent")
OWN_STYLE = """
pre { margin: 0 0 1rem; padding: .75rem 1rem; border: 1px solid var(--line); border-radius: .25rem;
  font: .8125rem/1.5 var(--mono); white-space: pre-wrap; overflow-wrap: anywhere }
pre.plan { white-space: pre; overflow-x: auto }
h3 { margin: 0 0 .5rem; font-size: 1rem; font-weight: 600; overflow-wrap: anywhere }
article { margin: 0 0 2.5rem; break-inside: avoid }
.figures { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin-bottom: 1rem; font-variant-numeric: tabular-nums }
.figures dt { font-size: .8125rem; color: var(--soft) }
.remarks { margin: 0 0 1rem; padding-left: 1.25rem; font-weight: 600 }
"""

Server = Mapping[str, Any]
Statement = Mapping[str, Any]


def duration(seconds: float) -> str:
    """A time as people say it: ``350 us``, ``12.3 ms``, ``4.56 s``, ``2 h 5 min``."""
    if seconds >= 3600:
        return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60} min"
    if seconds >= 600:
        return f"{int(seconds) // 60} min"
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            number = seconds / size
            return f"{number:.{0 if number >= 100 else 1 if number >= 10 else 2}f} {unit}"
    return f"{seconds * 1e6:.0f} us"


def figures(one: Statement) -> list[tuple[str, str]]:
    """What was measured of a statement, as pairs of label and text."""
    texts = (
        duration(one["seconds"]),
        f"{one['share']:.1%}".replace("%", " %"),
        f"{one['count']:,}",
        duration(one["seconds"] / max(1, one["count"])),
        duration(one["slowest_seconds"]),
        "" if one["rows_examined"] is None else f"{one['rows_examined']:,}",
        "" if one["rows_sent"] is None else f"{one['rows_sent']:,}",
    )
    found = [(label, text) for label, text in zip(FIGURES, texts) if text]
    return found + [(key, str(one[key])) for key in ("database", "user", "last") if one[key]]


def title(server: Server) -> str:
    return f"{TITLES[server['engine']]} {server['version']}".strip()


def summary(server: Server) -> str:
    """Where the figures of a server come from, as one line."""
    if not server["source"]:
        return f"at {server['socket']}"
    counted = f"{server['executions']:,} executions, {duration(server['seconds'])}"
    since = f", since {server['since']}" if server["since"] else ""
    files = f"; read: {', '.join(server['files'])}" if server["files"] else ""
    return f"at {server['socket']}; {server['source']}: {counted}{since}{files}"


def plan_lines(plan: Mapping[str, Any]) -> list[str]:
    """A plan as the server's own client prints it: a table, or lines where there is one column only."""
    if len(plan["columns"]) == 1:
        return [str(row[0]) for row in plan["rows"]]
    cells = [[str(name) for name in plan["columns"]]]
    cells += [["" if value is None else str(value) for value in row] for row in plan["rows"]]
    widths = [max(len(row[index]) for row in cells) for index in range(len(cells[0]))]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)).rstrip() for row in cells]


def text_report(servers: Sequence[Server], host: str) -> str:
    """The report as lines."""
    lines = [f"Slow statements of {host or 'a host'}"]
    if not servers:
        lines += ["", "No MariaDB and no PostgreSQL listens on a Unix socket of this host."]
    for server in servers:
        lines += ["", title(server), *_wrapped(summary(server), "  ")]
        lines += [line for note in server["notes"] for line in _wrapped(f"Note: {note}", "  ")]
        for rank, one in enumerate(server["statements"], 1):
            lines += ["", *_text_of(rank, one)]
        if server["source"] and not server["statements"]:
            lines += ["", "  No statement was slow."]
    return "\n".join(_printable(line) for line in lines) + "\n"


def _text_of(rank: int, one: Statement) -> list[str]:
    told = ", ".join(f"{label} {text}" for label, text in figures(one))
    lines = [*_wrapped(f"{rank}. {told}", "  "), *_wrapped(one["statement"], "     ")]
    if one["sample"]:
        lines += ["     The slowest of them:", *_wrapped(one["sample"], "     ")]
    lines += [line for remark in one["remarks"] for line in _wrapped(f"! {remark}", "     ")]
    if one["plan"]:
        lines += [f"     | {line}" for line in plan_lines(one["plan"])]
    if one["unexplained"]:
        lines += _wrapped(f"Not explained: {one['unexplained']}", "     ")
    return lines


def _wrapped(text: str, indent: str) -> list[str]:
    # Blanks of any kind are one: a statement with its values keeps its own lines otherwise.
    return textwrap.wrap(" ".join(text.split()), WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _printable(line: str) -> str:
    """Names and statements are the user's: none may move the cursor or break a line."""
    return "".join(character if character.isprintable() else "?" for character in line).rstrip()


def html_report(servers: Sequence[Server], host: str) -> str:
    """The report as one page without scripts and without anything from elsewhere."""
    heading = f"Slow statements of {host}" if host else "Slow statements of a host"
    body = [element("header", element("h1", heading))]
    if not servers:
        body.append(element("p", "No MariaDB and no PostgreSQL listens on a Unix socket of this host."))
    body += [_section(index, server) for index, server in enumerate(servers)]
    body.append(
        element(
            "footer",
            element("p", "Ranked by time in all. Nothing was executed: plans are what servers expect, not what they measured."),
        )
    )
    return page(heading, STYLE + OWN_STYLE, body)


def _section(index: int, server: Server) -> Html:
    notes = [element("p", element("strong", "Note. "), note) for note in server["notes"]]
    articles = [_article(rank, one) for rank, one in enumerate(server["statements"], 1)]
    if server["source"] and not articles:
        articles = [element("p", "No statement was slow.")]
    anchor = f"server-{index}"
    return element(
        "section",
        element("h2", title(server), id=anchor),
        element("p", summary(server), class_="soft"),
        element("div", *notes, class_="notes") if notes else "",
        *articles,
        aria_labelledby=anchor,
    )


def _article(rank: int, one: Statement) -> Html:
    times = "once" if one["count"] == 1 else f"{one['count']:,} times"
    pairs = joined(element("div", element("dt", label), element("dd", text)) for label, text in figures(one))
    return element(
        "article",
        element("h3", f"{rank}. {duration(one['seconds'])}, {times}"),
        element("pre", one["statement"][:MOST_CHARACTERS]),
        element("pre", one["sample"][:MOST_CHARACTERS]) if one["sample"] else "",
        element("dl", pairs, class_="figures"),
        element("ul", *(element("li", remark) for remark in one["remarks"]), class_="remarks") if one["remarks"] else "",
        _plan(one["plan"]) if one["plan"] else "",
        element("p", element("strong", "Not explained. "), one["unexplained"]) if one["unexplained"] else "",
    )


def _plan(plan: Mapping[str, Any]) -> Html:
    if len(plan["columns"]) == 1:
        return element("pre", "\n".join(plan_lines(plan)), class_="plan", tabindex=0)
    head = element("tr", *(element("th", str(name), scope="col") for name in plan["columns"]))
    rows = [element("tr", *(element("td", "" if cell is None else str(cell)) for cell in row)) for row in plan["rows"]]
    table = element("table", element("caption", "Plan", class_="unseen"), element("thead", head), element("tbody", *rows))
    return element("div", table, class_="scroll", tabindex=0, role="region", aria_label="Plan")


RENDERERS = {"html": html_report, "text": text_report}


def report(servers: Any, host: str, style: str) -> str:
    """The report of one host.

    :param servers: what module ``slow_queries`` returns as ``servers``.
    :param host: name of the host, as the inventory says it.
    :param style: ``html`` or ``text``.
    :raises ValueError: ``servers`` is something else, or ``style`` is neither.
    """
    if style not in RENDERERS:
        raise ValueError(f"format is {style!r}, but must be one of {', '.join(RENDERERS)}.")
    if isinstance(servers, (str, Mapping)) or not all(isinstance(one, Mapping) and "engine" in one for one in servers):
        raise ValueError("this is no list of servers; hand over what lemp.stack.slow_queries returns as servers.")
    return RENDERERS[style](servers, host)
