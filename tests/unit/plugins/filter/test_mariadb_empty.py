"""Filter ``mariadb_empty``: dumps that are still to be read."""

from __future__ import annotations

from templating import evaluate


def test_a_database_that_holds_something_is_left_alone() -> None:
    template = "{{ [[{'name': 'blog'}], []] | lemp.stack.mariadb_empty(dumps) }}"
    dumps = [{"database": "shop", "path": "a.sql"}, {"database": "blog", "path": "b.sql"}]
    assert evaluate(template, dumps=dumps) == dumps[:1]
