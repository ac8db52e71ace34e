"""Filter ``parse_size``: what a size in a configuration means."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from templating import evaluate


@pytest.mark.parametrize(
    ("text", "dialect", "size"),
    [("1g", "redis", 10**9), ("1gb", "redis", 2**30), ("1g", "nginx", 2**30), ("8kB", "postgresql", 8192), ("512", "php", 512)],
)
def test_the_same_letters_mean_what_the_daemon_takes_them_for(text: str, dialect: str, size: int) -> None:
    assert evaluate("{{ text | lemp.stack.parse_size(dialect) }}", text=text, dialect=dialect) == size


@pytest.mark.parametrize(("text", "dialect"), [("1KB", "postgresql"), ("much", "mariadb"), ("-1M", "php"), ("1.5G", "systemd")])
def test_what_the_daemon_would_not_read_is_refused(text: str, dialect: str) -> None:
    with pytest.raises(AnsibleError, match="is no size of"):
        evaluate("{{ text | lemp.stack.parse_size(dialect) }}", text=text, dialect=dialect)
