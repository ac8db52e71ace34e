"""Filter ``sites``: checked and completed sites."""

from __future__ import annotations

from typing import Any

from templating import evaluate


def test_a_completed_site_has_every_key(variables: dict[str, Any]) -> None:
    blog, docs = evaluate("{{ lemp_sites | lemp.stack.sites }}", **variables)
    assert set(blog) == set(docs)
    assert docs["database"] is None
