"""Filter ``php_fpm_problems`` as the role uses it."""

from __future__ import annotations

from templating import evaluate


def test_sentences_arrive_as_a_list() -> None:
    pools = [{"name": "a", "user": "a", "socket": "/tmp/a"}]
    assert len(evaluate("{{ pools | lemp.stack.php_fpm_problems('sury', ['sury']) }}", pools=pools)) == 1
    assert evaluate("{{ [] | lemp.stack.php_fpm_problems('remi', ['remi']) }}") == []
