"""The report of a plan: nothing left out, nothing that does not add up, nothing of the user's read as markup."""

from __future__ import annotations

import re
from copy import deepcopy
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lemp.stack.plugins.module_utils._plan.budget import make_plan
from ansible_collections.lemp.stack.plugins.module_utils._plan_report import (
    BAR_CHARACTERS,
    apportion,
    budget_slices,
    html_report,
    quantity,
    report,
    slices,
    text_bar,
    text_report,
)

MIB = 2**20
SOURCE = "https://www.example.org/page#x"
VOID = {"meta"}


def entry(value: Any, bound: str = "memory", **given: Any) -> dict[str, Any]:
    plain = {"unit": "", "formula": "a sentence", "inputs": {}, "source": SOURCE, "default": None}
    return {"value": value, "bound": bound, **plain, **given}


PLAN: dict[str, Any] = {
    "feasible": True,
    "shortfall_bytes": 0,
    "remedies": [],
    "warnings": ["The kernel's memory controller is off."],
    "host": {
        "memory_bytes": 4096 * MIB,
        "memory_source": "/sys/fs/cgroup/memory.max",
        "cpus": 1.5,
        "page_size": 16384,
        "architecture": "aarch64",
        "board": "Raspberry Pi 5",
        "memory_controller": False,
        "profile": "balanced",
        "disks": {"/var/lib/mysql": {"kind": "sd", "size_bytes": 2**35}},
    },
    "budget": {
        "total": 4096 * MIB,
        "reserve": 1024 * MIB,
        "available": 3072 * MIB,
        "charged": 3056 * MIB + 5,
        "page_cache": 16 * MIB - 5,
    },
    "services": {
        "mariadb": {"charge": 1379 * MIB + 5, "parts": {"server": 160 * MIB + 5, "buffer pool": 1219 * MIB}},
        "nginx": {"charge": 207 * MIB, "parts": {"workers": 207 * MIB}},
        "php_fpm": {"charge": 1049 * MIB, "parts": {"masters": 24 * MIB, "opcache": 97 * MIB, "workers": 928 * MIB}},
        "redis": {"charge": 421 * MIB, "parts": {"data": 420 * MIB + 1, "clients": MIB - 1}},
    },
    "explain": {
        "nginx.worker_processes": entry(2, "cpu", inputs={"cpus": 1.5}, default="auto"),
        "php_fpm.process_max": entry(16, "pools", default=0),
        "php_fpm.pools.shop.max_children": entry(10, "cpu", inputs={"weight": 3}, default=5),
        "php_fpm.pools.blog.max_children": entry(4, default=5),
        "php_fpm.pools.wiki.org.max_children": entry(2, "user", default=5),
        "opcache.memory_consumption_mb": entry(96, unit="MB", default=128),
        "mariadb.innodb_buffer_pool_size": entry(1088 * MIB, unit="bytes", default=128 * MIB, share=0.354),
        "mariadb.innodb_lock_wait_timeout": entry(50, "php_fpm", unit="seconds", default=50),
        "redis.instances.queue.maxmemory": entry(
            320 * MIB, unit="bytes", inputs={"persistent": False, "disk_bytes": 2**35}, default=0
        ),
        "sysctl.net.core.somaxconn": entry(4096, "kernel", default=4096, source="Linux, ip-sysctl"),
        "limits.php_fpm@8.4.MemoryMax": entry(1049 * MIB, "not enforced", unit="bytes", default="infinity"),
    },
}
EMPTY: dict[str, Any] = {
    "budget": {"total": 512 * MIB, "reserve": 255 * MIB, "available": 257 * MIB, "charged": 0, "page_cache": 257 * MIB},
    "services": {},
    "explain": {},
}


class Page(HTMLParser):
    """The page as a browser takes it: elements with their attributes, and text per element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def having(self, key: str, value: str) -> list[dict[str, str]]:
        return [attributes for _, attributes in self.elements if value in attributes.get(key, "").split()]

    def row(self, first: str) -> list[str]:
        return next(row for row in self.rows if row[0] == first)


def real_plan() -> dict[str, Any]:
    pools = [{"name": "shop", "weight": 3}, {"name": "blog"}, {"name": "wiki", "max_children": 2}]
    return make_plan({"memtotal_mb": 4096, "processor_nproc": 2}, {"nginx": {}, "php_fpm": {"pools": pools}, "mariadb": {}})


@pytest.mark.parametrize("plan", [PLAN, EMPTY, real_plan()], ids=["sample", "empty", "real"])
def test_every_value_is_in_both_reports(plan: dict[str, Any]) -> None:
    page = Page(html_report(plan, "vps"))
    lines = text_report(plan, "vps").splitlines()
    for key in plan["explain"]:
        assert len(page.having("id", key)) == 1
        assert len([line for line in lines if line.startswith(f"{key} ")]) == 1


@pytest.mark.parametrize("plan", [PLAN, EMPTY, real_plan()], ids=["sample", "empty", "real"])
def test_widths_of_the_bar_are_the_whole(plan: dict[str, Any]) -> None:
    page = Page(html_report(plan, "vps"))
    widths = [float(re.findall(r"width:([\d.]+)%", bar["style"])[0]) for bar in page.having("class", "segment")]
    assert sum(widths) == pytest.approx(100, abs=1e-9)
    assert len(text_bar(budget_slices(plan))) == BAR_CHARACTERS


def test_sums_are_those_of_the_plan() -> None:
    parts = budget_slices(PLAN)
    assert [part.name for part in parts] == ["reserve", "nginx", "php_fpm", "mariadb", "redis", "page_cache"]
    assert sum(part.size for part in parts) == PLAN["budget"]["total"]
    assert sum(part.megabytes for part in parts) == 4096
    assert sum(part.permille for part in parts) == 1000
    page = Page(html_report(PLAN, "vps"))
    assert page.row("Memory of the host")[1:] == ["4,096 MB", "100.0 %"]
    assert page.row("PHP-FPM")[1:] == ["1,049 MB", "25.6 %"]
    assert page.row("buffer pool")[1:3] == ["1,219 MB", "88.4 %"]
    assert page.row("server")[1:3] == ["160 MB", "11.6 %"]


@given(st.lists(st.integers(0, 2**60), min_size=1, max_size=12), st.integers(0, 10**6))
def test_shares_add_up_and_are_never_off_by_one_unit(sizes: list[int], units: int) -> None:
    shares = apportion(sizes, units)
    assert sum(shares) == (units if sum(sizes) else 0)
    if sum(sizes):
        assert all(abs(share * sum(sizes) - size * units) < sum(sizes) for share, size in zip(shares, sizes, strict=True))


def test_no_name_becomes_markup() -> None:
    evil = "</style><script>alert(1)</script>\" onmouseover='x' &amp;"
    plan = deepcopy(PLAN)
    plan["warnings"] = [evil]
    plan["host"] = dict.fromkeys((*PLAN["host"], "board"), evil) | {
        "cpus": 2,
        "page_size": 4096,
        "disks": {evil: {"kind": evil}},
    }
    plan["services"][evil] = {"charge": 0, "parts": {evil: 0}}
    plan["explain"] = {
        f"{evil}.x": entry(
            evil, evil, unit=evil, formula=evil, inputs={evil: evil}, default=evil, source=f"https://a.b/{evil}"
        ),
        f"php_fpm.pools.{evil}.max_children": entry(2, source="javascript:alert(1)"),
        f"limits.{evil}.MemoryMax": entry(2, source=SOURCE),
    }
    page = Page(html_report(plan, evil))
    names = {name for name, _ in page.elements}
    assert "script" not in names
    assert [name for name, _ in page.elements].count("style") == 1
    assert not [key for _, attributes in page.elements for key in attributes if key.startswith("on")]
    assert {attributes["href"] for name, attributes in page.elements if name == "a"} == {f"https://a.b/{evil}", SOURCE}
    assert f"Plan of {evil}" in page.text
    assert page.having("role", "img")


def test_a_page_needs_nothing_from_elsewhere() -> None:
    text = html_report(PLAN, "vps")
    page = Page(text)
    assert not {"script", "img", "link", "iframe", "object", "form"} & {name for name, _ in page.elements}
    assert not re.search(r"@import|url\(|src=", text)


def test_who_does_not_see_the_bar_hears_its_numbers() -> None:
    page = Page(html_report(PLAN, "vps"))
    spoken = page.having("role", "img")[0]["aria-label"]
    assert spoken.startswith("Of 4,096 MB: Reserve 1,024 MB 25.0 %, nginx 207 MB 5.0 %")
    assert [attributes for name, attributes in page.elements if name == "html"] == [{"lang": "en"}]
    assert all(part["tabindex"] == "0" and part["aria-label"] for part in page.having("class", "scroll"))
    headings = [attributes["id"] for name, attributes in page.elements if name == "h2"]
    assert len(headings) == len(set(headings))
    assert all(len(page.having("id", name["aria-labelledby"])) == 1 for _, name in page.elements if "aria-labelledby" in name)


def test_narrow_segments_are_labelled_below_the_bar() -> None:
    page = Page(html_report(PLAN, "vps"))
    assert len(page.having("class", "label")) == 4
    callouts = page.having("class", "callout")
    assert [("mirrored" in callout["class"], callout["style"].split("--line:")[1]) for callout in callouts] == [
        (True, "0"),
        (False, "1"),
    ]


def test_a_row_says_value_default_bound_formula_inputs_and_source() -> None:
    page = Page(html_report(PLAN, "vps"))
    assert page.row("maxmemory") == [
        "maxmemory",
        "320 MB",
        "0",
        "memory",
        "a sentencepersistent\xa0no, disk_bytes\xa032\xa0GB",
        "example.org",
    ]
    assert page.row("innodb_buffer_pool_size")[1] == "1,088 MB35.4 % of what services have"
    assert page.row("net.core.somaxconn")[5] == "Linux, ip-sysctl"
    assert next(attributes for name, attributes in page.elements if name == "a")["href"] == SOURCE


def test_names_with_dots_stay_whole() -> None:
    page = Page(html_report(PLAN, "vps"))
    assert ["Pool wiki.org"] in page.rows
    assert ["Limits of unit php_fpm@8.4"] in page.rows
    assert ["Instance queue"] in page.rows


def test_text_is_lines_of_the_same() -> None:
    lines = text_report(PLAN, "vps").splitlines()
    assert lines[0].startswith("vps: memory 4,096 MB (/sys/fs/cgroup/memory.max), CPUs 1.5, architecture aarch64, ")
    assert lines[2] == "[" + "=" * 15 + "nnn" + "p" * 16 + "m" * 20 + "r" * 6 + "]"
    assert lines[4] == "  n nginx         207 MB    5.0 %  workers 207 MB"
    assert lines[-1] == "Warning: The kernel's memory controller is off."
    value = next(line for line in lines if line.startswith("mariadb.innodb_lock_wait_timeout"))
    assert value.split() == ["mariadb.innodb_lock_wait_timeout", "50", "s", "50", "s", "php_fpm", "a", "sentence"]


def test_a_name_cannot_steer_the_terminal() -> None:
    text = text_report(EMPTY, "a\x1b[2J\rb\nc")
    assert text.splitlines()[0].startswith("a?[2J?b?c: memory 512 MB")
    assert "\x1b" not in text


def test_a_host_without_services_has_a_budget_all_the_same() -> None:
    page = Page(html_report(EMPTY, ""))
    assert [part.name for part in budget_slices(EMPTY)] == ["reserve", "page_cache"]
    assert page.row("Page cache")[1:] == ["257 MB", "50.2 %"]
    assert "Plan of a host" in page.text
    assert "No service, no values." in text_report(EMPTY, "")


def test_a_plan_that_does_not_fit_says_so_first() -> None:
    plan = {**PLAN, "feasible": False, "shortfall_bytes": 100 * MIB + 1, "remedies": ["give the host 4 GB", "move redis"]}
    sentence = "The services need 101 MB more than the host has: give the host 4 GB, or move redis."
    assert text_report(plan, "vps").splitlines()[1] == sentence
    assert f"Does not fit. {sentence}" in Page(html_report(plan, "vps")).text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "bytes", "not set"),
        (0, "bytes", "0"),
        (1, "bytes", "1 bytes"),
        (-1, "bytes", "-1 bytes"),
        (0.25, "bytes", "0.25 bytes"),
        (1023, "bytes", "1023 bytes"),
        (292 * 1024, "bytes", "292 kB"),
        (102 * MIB + MIB // 2, "bytes", "102.5 MB"),
        (1024 * MIB + 1, "bytes", "1,024 MB"),
        (8 * 2**30, "bytes", "8 GB"),
        (2**40, "bytes", "1 TB"),
        (2**63, "bytes", "8,388,608 TB"),
        (60, "seconds", "60 s"),
        (64, "MB", "64 MB"),
        (2.0, "", "2"),
        (0.333333, "", "0.3333"),
        (12345.678, "", "12345.68"),
        (1e300, "", "1e+300"),
        (float("inf"), "", "inf"),
        (True, "", "yes"),
        ("dynamic", "bytes", "dynamic"),
        ([1, 2], "", "1, 2"),
    ],
)
def test_values_are_said_as_people_say_them(value: Any, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


def test_a_part_that_rounds_to_nothing_is_not_called_nothing() -> None:
    assert [part.amount for part in slices({"a": 2**50, "b": 1, "c": 0})] == ["1,073,741,824 MB", "under 1 MB", "0 MB"]
    assert [part.width for part in slices({"a": 0, "b": -5})] == [0, 0]


def test_what_is_no_plan_or_no_format_is_refused() -> None:
    with pytest.raises(ValueError, match="format is 'pdf', but must be one of html, text"):
        report(PLAN, "vps", "pdf")
    with pytest.raises(ValueError, match=r"the plan has no explain; hand over what lemp\.stack\.plan returns"):
        report({"budget": {}, "services": {}}, "vps", "text")
    with pytest.raises(ValueError, match="the plan has no budget"):
        report("plan", "vps", "html")
