"""Module ``config_tree``: what its arguments stand for and what diff mode shows."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.lemp.stack.plugins.module_utils._config.transaction import Outcome
from ansible_collections.lemp.stack.plugins.module_utils._config.wanted import Change, Entry, Live, Refused
from ansible_collections.lemp.stack.plugins.modules.config_tree import ARGUMENTS, diffs, request_from


def request(**given: Any) -> Any:
    result = ArgumentSpecValidator(ARGUMENTS).validate({"name": "nginx", **given})
    assert result.error_messages == []
    return request_from(result.validated_parameters)


def test_arguments_become_entries_in_the_order_in_which_they_are_needed() -> None:
    found = request(
        directories=[{"path": "/d/", "mode": "2750", "group": "adm"}],
        files=[{"dest": "/f", "content": "x", "src": "f.j2", "force": False, "sensitive": True, "mode": "0600"}],
        links=[{"dest": "/l", "target": "/t"}],
        absent=["/a"],
    )
    assert found.entries == (
        Entry("/d", "directory", mode=0o2750, group="adm"),
        Entry("/f", "file", content="x", source="f.j2", keep=True, sensitive=True, mode=0o600),
        Entry("/l", "link", target="/t"),
        Entry("/a", "absent"),
    )


def test_units_and_validators_are_typed() -> None:
    found = request(
        validators=[["nginx", "-t"]], units=[{"name": "nginx.service", "listen": [80, "/run/x"]}], trees=["/etc/nginx/"]
    )
    assert found.validators == (("nginx", "-t"),)
    assert found.units[0].listen == ("80", "/run/x")
    assert (found.units[0].running, found.units[0].status) == (True, 200)
    assert found.trees == ("/etc/nginx",)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"files": [{"dest": "/f", "content": "", "mode": "u=rw"}]}, "mode of /f is 'u=rw', which is no octal number"),
        ({"links": [{"dest": "l", "target": "x"}]}, "l is no absolute path"),
    ],
)
def test_arguments_that_cannot_be_are_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        request(**given)


def shown(entry: Entry, live: Live, what: str, hidden: bool = False) -> dict[str, str]:
    [diff] = diffs(Outcome(changes=[Change(entry, live, what)], hidden={entry.path} if hidden else set()))
    return diff


def test_diff_shows_content_links_permissions_and_directories() -> None:
    file = Entry("/f", "file", content="new\n")
    assert shown(file, Live("file", content="old\n"), "write")["before"] == "old\n"
    assert shown(file, Live("absent"), "write") == {"before_header": "/f", "after_header": "/f", "before": "", "after": "new\n"}
    assert shown(Entry("/l", "link", target="/new"), Live("link", target="/old"), "write")["after"] == "link to /new\n"
    assert shown(file, Live("file", mode=0o600), "attributes")["after"] == "root:root 0644\n"
    assert shown(Entry("/d", "directory", mode=0o755), Live("absent"), "make")["after"] == "directory root:root 0755\n"
    assert shown(Entry("/f", "absent"), Live("file", content="gone\n"), "remove")["after"] == ""


def test_a_secret_is_shown_to_differ_and_nothing_more() -> None:
    diff = shown(Entry("/f", "file", content="new secret", sensitive=True), Live("file", content="old secret"), "write")
    assert "secret" not in str(diff)
    assert diff["before"] != diff["after"]
    removed = shown(Entry("/f", "absent"), Live("file", content="old secret"), "remove", hidden=True)
    assert "secret" not in str(removed)
    assert removed["before"]
