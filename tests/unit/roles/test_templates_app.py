"""Role app: what WordPress is told, and what PHP itself says about the programs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from rendering import PLATFORMS, Role, daemon, lines

from ansible_collections.lemp.stack.plugins.module_utils._app import PROGRAMS

ROLE = Role("app")
BLOG = {
    "name": "blog",
    "user": "blog",
    "home": "/srv/www/blog",
    "root": "/srv/www/blog/public",
    "domain": "blog.example.org",
    "url": "https://blog.example.org",
    "recipe": "wordpress",
    "wordpress": {"source": "archive"},
    "database": {"name": "blog", "user": "blog", "password": "it's"},
}
CACHE = {"engine": "redis", "host": "/run/x.sock", "port": 0, "prefix": "blog:", "user": "blog", "password": "it's", "ca": None}


def config(**changes: Any) -> list[str]:
    return lines(ROLE.render("wordpress/config.php", __app_site={**BLOG, **changes}, ansible_facts=PLATFORMS["Rocky 9"]))


def test_wordpress_is_told_its_cache() -> None:
    text = config(cache=CACHE)
    start = text.index("define('LEMP_OBJECT_CACHE', [")
    assert [line for line in text[start + 1 : text.index("]);", start)] if "password" not in line] == [
        "'engine' => 'redis',",
        "'host' => '/run/x.sock',",
        "'port' => 0,",
        "'prefix' => 'blog:',",
        "'user' => 'blog',",
    ]


@pytest.mark.parametrize("changes", [{}, {"cache": None}])
def test_a_site_without_a_cache_is_told_none(changes: dict[str, Any]) -> None:
    assert not [line for line in config(**changes) if "OBJECT_CACHE" in line]


@pytest.mark.parametrize("name", PROGRAMS)
def test_php_reads_the_programs(name: str, tmp_path: Path) -> None:
    program = tmp_path / name
    program.write_text(ROLE.render(f"usr/local/lib/lemp/{name}"))
    done = subprocess.run([daemon("php", "php[0-9]*"), "-l", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
