"""Filter ``config_files``: one file per item."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from templating import evaluate

CALL = " | lemp.stack.config_files(src='site.j2', variable='site', "


def test_each_item_gets_a_file_and_is_a_variable_of_its_template() -> None:
    files = evaluate("{{ [{'name': 'a'}, {'name': 'b'}]" + CALL + "dest='/etc/{name}.conf') }}")
    assert files == [
        {"src": "site.j2", "dest": "/etc/a.conf", "vars": {"site": {"name": "a"}}},
        {"src": "site.j2", "dest": "/etc/b.conf", "vars": {"site": {"name": "b"}}},
    ]


def test_empty_and_missing_keys_take_the_default() -> None:
    items = "[{'name': 'a', 'version': ''}, {'name': 'b'}, {'name': 'c', 'version': '8.2'}]"
    files = evaluate("{{ " + items + CALL + "dest='/{version}/{name}', defaults={'version': '8.4'}) }}")
    assert [file["dest"] for file in files] == ["/8.4/a", "/8.4/b", "/8.2/c"]


def test_group_comes_from_the_item_and_other_options_are_handed_on() -> None:
    files = evaluate("{{ [{'user': 'u'}]" + CALL + "dest='/x', group='{user}', mode='0640', sensitive=true) }}")
    assert (files[0]["group"], files[0]["mode"], files[0]["sensitive"]) == ("u", "0640", True)


def test_a_key_that_no_item_has_is_named() -> None:
    with pytest.raises(AnsibleError, match="no key 'name'"):
        evaluate("{{ [{}]" + CALL + "dest='/{name}') }}")
