"""Filter ``app_theme_links``: the distribution's themes in every site that uses its WordPress."""

from __future__ import annotations

from templating import evaluate


def test_every_site_gets_every_theme() -> None:
    made = evaluate("{{ ['/a/themes', '/b/themes'] | lemp.stack.app_theme_links(['x', 'y'], '/wordpress') }}")
    assert [entry["dest"] for entry in made] == ["/a/themes/x", "/a/themes/y", "/b/themes/x", "/b/themes/y"]
    assert {entry["target"] for entry in made} == {"/wordpress/wp-content/themes/x", "/wordpress/wp-content/themes/y"}
