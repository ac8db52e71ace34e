"""Filter ``php_fpm_packages`` as the role uses it."""

from __future__ import annotations

from templating import evaluate


def test_names_arrive_as_a_list() -> None:
    layout = {"package": "php-", "names": {"mysql": "mysqlnd"}}
    assert evaluate("{{ ['8.3'] | lemp.stack.php_fpm_packages(['fpm', 'mysql'], layout) }}", layout=layout) == [
        "php-fpm",
        "php-mysqlnd",
    ]
