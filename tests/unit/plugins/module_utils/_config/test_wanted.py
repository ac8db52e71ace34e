"""What has to happen to each path and unit, from what is wanted and what is there."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._config.wanted import (
    Change,
    Entry,
    Ids,
    Live,
    Refused,
    Unit,
    blame,
    difference,
    fingerprint,
    matches,
    missing_parents,
    needs_daemon_reload,
    plain,
    verb,
)

IDS = Ids({"root": 0, "shop": 1001}.get, {"root": 0, "shop": 1001, "adm": 4}.get)
PLAIN = Live("file", content="old", mode=0o644)


def file(content: str = "old", **more: Any) -> Entry:
    return Entry("/etc/a.conf", "file", content=content, **more)


@pytest.mark.parametrize(
    ("entry", "live", "what"),
    [
        (file(), PLAIN, None),
        (file("new"), PLAIN, "write"),
        (file("new"), Live("absent"), "write"),
        (file(), Live("link", target="/b"), "write"),
        (file(mode=0o600), PLAIN, "attributes"),
        (file(group="adm"), PLAIN, "attributes"),
        (file(owner="shop"), Live("file", content="old", mode=0o644, uid=1001), None),
        (file(owner="not yet"), PLAIN, "attributes"),
        (file("new", keep=True), PLAIN, None),
        (file("new", keep=True), Live("absent"), "write"),
        (file("new", keep=True, mode=0o600), PLAIN, "attributes"),
        (Entry("/l", "link", target="/a"), Live("link", target="/a", mode=0o777), None),
        (Entry("/l", "link", target="/a"), Live("link", target="/b"), "write"),
        (Entry("/l", "link", target="/a"), PLAIN, "write"),
        (Entry("/d", "directory", mode=0o755), Live("directory", mode=0o755), None),
        (Entry("/d", "directory", mode=0o755), Live("directory", mode=0o700), "attributes"),
        (Entry("/d", "directory", mode=0o755), Live("absent"), "make"),
        (Entry("/a", "absent"), Live("absent"), None),
        (Entry("/a", "absent"), PLAIN, "remove"),
        (Entry("/a", "absent"), Live("link", target="/b"), "remove"),
    ],
)
def test_a_path_is_changed_only_as_far_as_it_differs(entry: Entry, live: Live, what: str | None) -> None:
    change = difference(entry, live, IDS)
    assert (change.what if change else None) == what


@pytest.mark.parametrize(
    ("entry", "live"),
    [
        (file(), Live("directory")),
        (Entry("/l", "link", target="/a"), Live("directory")),
        (Entry("/a", "absent"), Live("directory")),
        (Entry("/d", "directory"), PLAIN),
    ],
)
def test_directories_are_never_replaced_nor_made_over_files(entry: Entry, live: Live) -> None:
    with pytest.raises(Refused, match=entry.path):
        difference(entry, live, IDS)


def test_missing_parents_come_outermost_first_and_once() -> None:
    changes = [Change(Entry(path, "file"), Live("absent"), "write") for path in ("/a/b/c/one", "/a/b/c/two", "/a/x/three")]
    found = missing_parents(changes, ["/a/x"], lambda path: path in ("/", "/a"))
    assert [entry.path for entry in found] == ["/a/b", "/a/b/c"]


def test_a_removed_file_needs_no_parent() -> None:
    assert missing_parents([Change(Entry("/a/b", "absent"), PLAIN, "remove")], [], lambda path: False) == []


@pytest.mark.parametrize(
    ("changed", "active", "forced", "expected"),
    [
        ([], True, "", ""),
        ([], False, "", "start"),
        (["/etc/nginx/conf.d/a.conf"], True, "", "reload"),
        (["/etc/nginx/nginx.conf", "/etc/systemd/system/nginx.service.d/a.conf"], True, "", "restart"),
        (["/etc/nginx/nginx.conf"], False, "", "start"),
        (["user:www-data"], True, "", "reload"),
        (["user:other"], True, "", ""),
        (["/gone/a"], True, "", "stop"),
        (["/gone/a"], False, "", "stop"),
        ([], True, "reload", "reload"),
        (["/etc/nginx/nginx.conf"], True, "restart", "restart"),
    ],
)
def test_a_unit_takes_what_changed_the_gentlest_way_that_suffices(
    changed: list[str], active: bool, forced: str, expected: str
) -> None:
    unit = Unit(
        "nginx.service",
        reload_on=("/etc/nginx/*", "user:www-data"),
        restart_on=("/etc/systemd/*",),
        stop_on=("/gone/*",),
    )
    assert verb(unit, changed, active, forced) == expected


def test_a_unit_that_need_not_run_is_left_alone_where_it_does_not() -> None:
    unit = Unit("cron.service", running=False, restart_on=("/etc/*",))
    assert verb(unit, ["/etc/localtime"], False) == ""
    assert verb(unit, ["/etc/localtime"], True) == "restart"


def test_unit_files_ask_for_a_daemon_reload_and_others_do_not() -> None:
    assert needs_daemon_reload(["/etc/nginx/a", "/etc/systemd/system/a.timer"])
    assert not needs_daemon_reload(["/etc/nginx/a", "/etc/systemd/journald.conf.d/a.conf"])


def test_stars_match_slashes() -> None:
    assert matches(["/etc/nginx/conf.d/a.conf"], ["/etc/nginx/*"])
    assert not matches(["/etc/nginx.conf"], ["/etc/nginx/*"])


def test_the_fingerprint_knows_content_permissions_and_owners_but_not_order() -> None:
    one, two = file("1"), Entry("/etc/b", "link", target="/x")
    assert fingerprint([one, two]) == fingerprint([two, one])
    for other in (file("2"), file("1", mode=0o600), file("1", group="adm")):
        assert fingerprint([one]) != fingerprint([other])
    assert fingerprint([file("1", keep=True)]) == fingerprint([file("2", keep=True)])


@pytest.mark.parametrize(
    "message",
    [
        'nginx: [emerg] unknown directive "bogus" in /etc/a.conf:2',
        "[24-Nov-2026 04:00:00] ERROR: [/etc/a.conf:2] unknown entry 'bogus'",
        "/etc/a.conf line 2: Bad configuration option: bogus",
        "/etc/a.conf, line 2: bogus",
        "PHP Parse error:  syntax error in /etc/a.conf on line 2",
        "/etc/a.conf:2:3-7: Error: syntax error",
    ],
)
def test_a_complaint_is_led_back_to_template_and_line(message: str) -> None:
    sentence, suspects = blame(message, [file("first\nbogus 1;\n", source="a.j2"), Entry("/etc/a.conf.d/b", "file")], [])
    assert suspects == [{"file": "/etc/a.conf", "template": "a.j2", "line": 2, "text": "bogus 1;"}]
    assert sentence == "It comes from template a.j2 (line 2 of /etc/a.conf: bogus 1;)."


def test_a_secret_line_is_not_quoted() -> None:
    sentence, suspects = blame("error in /etc/a.conf:1", [file("password=hidden", sensitive=True)], [])
    assert "hidden" not in sentence + str(suspects)


def test_a_complaint_that_names_no_file_is_laid_on_what_changed() -> None:
    entries = [file(source="a.j2"), Entry("/etc/b", "file", source="b.j2")]
    sentence, suspects = blame("unknown variable 'x=1'", entries, ["/etc/b"])
    assert sentence == "Changed were b.j2."
    assert suspects == [{"file": "/etc/b", "template": "b.j2"}]


def test_an_entry_survives_being_kept() -> None:
    for entry in (file("ü\udcff", mode=0o4755, keep=True), Entry("/l", "link", target="/x"), Entry("/a", "absent")):
        assert Entry.from_json(entry.to_json()) == entry


@pytest.mark.parametrize("given", ["/etc/a.conf", "//etc/a.conf", "/etc/./a.conf", "/etc/x/../a.conf", "/etc//a.conf"])
def test_a_path_has_one_spelling(given: str) -> None:
    assert plain(given) == "/etc/a.conf"


def test_a_relative_path_is_left_to_be_refused() -> None:
    assert plain("a/../b") == "a/../b"
