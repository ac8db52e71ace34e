"""Filter ``php_fpm_pools``: one pool per PHP site."""

from __future__ import annotations

from typing import Any

from templating import evaluate


def test_a_static_site_has_no_pool(variables: dict[str, Any]) -> None:
    [pool] = evaluate("{{ lemp_sites | lemp.stack.php_fpm_pools }}", **variables)
    assert (pool["name"], pool["socket"]) == ("blog", "/run/php-fpm/blog.sock")
