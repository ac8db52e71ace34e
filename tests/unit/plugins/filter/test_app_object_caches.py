"""Filter ``app_object_caches``: links to the object cache, and what is left alone."""

from __future__ import annotations

from templating import evaluate


def test_a_site_with_a_cache_gets_a_link() -> None:
    made = evaluate("{{ [{'path': '/a/object-cache.php', 'wanted': true}] | lemp.stack.app_object_caches([]) }}")
    assert [entry["dest"] for entry in made["links"]] == ["/a/object-cache.php"]
    assert (made["owned"], made["foreign"]) == ([], [])
