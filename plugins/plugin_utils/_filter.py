# GNU General Public License v3.0+ (see LICENSE)
"""What the thin site filters share: complete the sites, project them, translate the error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.lemp.stack.plugins.module_utils._site import complete


def translate_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function`` with its ``ValueError`` turned into the error that Ansible shows for filters."""

    def filter_function(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except ValueError as error:
            raise AnsibleFilterError(str(error)) from error

    return filter_function


def site_filter(projection: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that completes ``lemp_sites`` and hands them to ``projection``."""
    return translate_errors(lambda sites, *args, **kwargs: projection(complete(sites), *args, **kwargs))
