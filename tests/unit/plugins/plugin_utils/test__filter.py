"""``_filter``: a thin filter completes sites, hands them on and translates errors."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.lemp.stack.plugins.plugin_utils._filter import site_filter, translate_errors


def fail_with(error: Exception) -> None:
    raise error


def test_a_value_error_becomes_the_error_that_ansible_shows() -> None:
    with pytest.raises(AnsibleFilterError, match="what is wrong"):
        translate_errors(fail_with)(ValueError("what is wrong"))


def test_a_defect_of_ours_is_not_disguised_as_bad_input() -> None:
    with pytest.raises(KeyError):
        translate_errors(fail_with)(KeyError("x"))


def test_a_result_passes_unchanged() -> None:
    assert translate_errors(lambda value, twice: [value, twice])(1, twice=2) == [1, 2]


def test_projections_see_completed_sites_and_further_arguments() -> None:
    names = site_filter(lambda sites, suffix: [site["home"] + suffix for site in sites])
    assert names([{"name": "shop", "domains": ["shop.example.org"]}], "/x") == ["/srv/www/shop/x"]
