"""The report of slow statements: everything is said, and nothing of a visitor's is markup or moves the cursor."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lemp.stack.plugins.module_utils._slow_report import duration, html_report, report, text_report

STATEMENT: dict[str, Any] = {
    "id": "0123456789abcdef",
    "statement": "SELECT COUNT(*) FROM orders WHERE customer = ?",
    "sample": "",
    "database": "shop",
    "user": "shopper",
    "count": 3,
    "seconds": 27.7,
    "slowest_seconds": 11.5,
    "share": 0.4567,
    "rows_examined": 150000,
    "rows_sent": 3,
    "last": "2026-11-24 19:37:38 UTC",
    "plan": {
        "columns": ["id", "table", "type", "key", "rows"],
        "rows": [[1, "orders", "ALL", None, 50000]],
    },
    "remarks": ["Full scan: reads all of orders, about 50,000 rows, without an index."],
    "unexplained": "",
}
MARIADB: dict[str, Any] = {
    "engine": "mariadb",
    "socket": "/run/mysqld/mysqld.sock",
    "version": "11.8.9-MariaDB",
    "source": "slow query log, statements of 2 s and more, grouped by this collection",
    "files": ["/var/log/mysql/mariadb-slow.log"],
    "since": "2026-11-17 19:37:38 UTC",
    "executions": 8,
    "seconds": 60.65,
    "notes": ["slow.log.2.xz was not read: of compressed files only gzip's are."],
    "statements": [
        STATEMENT,
        {**STATEMENT, "plan": None, "remarks": [], "unexplained": "EXPLAIN takes SELECT only.", "rows_sent": None},
    ],
}
POSTGRESQL: dict[str, Any] = {
    **MARIADB,
    "engine": "postgresql",
    "version": "17.12",
    "notes": [],
    "statements": [
        {
            **STATEMENT,
            "sample": "SELECT 1\n  FROM t",
            "plan": {"columns": ["plan"], "rows": [["Seq Scan on orders"], ["  Filter: (a = $1)"]]},
        }
    ],
}
SILENT: dict[str, Any] = {
    **MARIADB, "version": "", "source": "", "files": [], "since": "", "executions": 0, "seconds": 0.0,
    "notes": ["Python's module pymysql is not on the host."], "statements": [],
}  # fmt: skip


class Page(HTMLParser):
    """The page as a browser takes it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("href", "src")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def test_the_lines_say_everything() -> None:
    lines = text_report([MARIADB, POSTGRESQL], "vps").splitlines()
    assert lines[0] == "Slow statements of vps"
    text = "\n".join(lines)
    for expected in (
        "MariaDB 11.8.9-MariaDB\n",
        "at /run/mysqld/mysqld.sock; slow query log, statements of 2 s and more, grouped by this collection: 8 executions,",
        "read: /var/log/mysql/mariadb-slow.log",
        "  Note: slow.log.2.xz was not read",
        "  1. in all 27.7 s, share 45.7 %, count 3, mean 9.23 s, slowest 11.5 s, rows read 150,000, rows sent 3, database",
        "     SELECT COUNT(*) FROM orders WHERE customer = ?\n     ! Full scan: reads all of orders, about 50,000 rows",
        "     | id  table   type  key  rows\n     | 1   orders  ALL        50000\n",
        "     Not explained: EXPLAIN takes SELECT only.",
        "PostgreSQL 17.12\n",
        "     The slowest of them:\n     SELECT 1 FROM t\n",
        "     | Seq Scan on orders\n     |   Filter: (a = $1)",
    ):
        assert expected in text
    assert max(map(len, lines)) <= 120


def test_the_page_says_the_same() -> None:
    page = Page(html_report([MARIADB, POSTGRESQL], "vps"))
    for expected in (
        "Slow statements of vps", "MariaDB 11.8.9-MariaDB", "grouped by this collection", "150,000", "45.7 %", "slow.log.2.xz",
        "Not explained. EXPLAIN takes SELECT only.", "SELECT 1\n  FROM t", "Seq Scan on orders\n  Filter",
        "Full scan: reads all",
    ):  # fmt: skip
        assert expected in page.text
    assert {"table", "article", "pre"} <= page.names
    assert "script" not in page.names


def test_a_server_that_could_not_be_asked_says_why() -> None:
    for told in (text_report([SILENT], "vps"), html_report([SILENT], "vps")):
        assert "pymysql is not on the host" in told
        assert "No statement was slow" not in told


def test_nothing_slow_and_no_server_are_said() -> None:
    for style in ("text", "html"):
        assert "No statement was slow." in report([{**MARIADB, "statements": []}], "vps", style)
        assert "No MariaDB and no PostgreSQL listens" in report([], "", style)


@given(text=st.text(max_size=60))
def test_whatever_is_in_it_the_page_is_whole_and_the_lines_are_lines(text: str) -> None:
    odd = {
        **STATEMENT, "statement": text, "sample": text, "user": text, "database": text, "unexplained": text, "remarks": [text],
        "plan": {"columns": ["a", text], "rows": [[text, 1]]},
    }  # fmt: skip
    server = {**MARIADB, "version": text, "notes": [text], "statements": [odd], "files": [text]}
    page = Page(html_report([server], text))
    assert "script" not in page.names
    lines = text_report([server], text)
    assert all(line.isprintable() for line in lines.split("\n"))


def test_markup_of_a_visitor_is_text() -> None:
    odd = {
        **MARIADB,
        "statements": [{**STATEMENT, "statement": "<script>alert(1)</script>", "database": "<img src=x onerror=y>"}],
    }
    page = Page(html_report([odd], "<b>"))
    assert {"script", "img", "b"} & page.names == set()
    assert "<script>alert(1)</script>" in page.text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 us"), (0.000068, "68 us"), (0.0277, "27.7 ms"), (0.9999, "1000 ms"), (4.567, "4.57 s"),
     (1, "1.00 s"), (59.94, "59.9 s"), (599, "599 s"),
     (600, "10 min"), (3599, "59 min"), (7500, "2 h 5 min"), (360000, "100 h 0 min")],
)  # fmt: skip
def test_times_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("servers", "style"), [([], "pdf"), ({}, "text"), ("x", "text"), ([1], "text"), ([{}], "html")])
def test_anything_else_is_an_error_of_one_sentence(servers: Any, style: str) -> None:
    with pytest.raises(ValueError, match=r"^(format is 'pdf', but must be|this is no list of servers; hand over what)"):
        report(servers, "", style)
