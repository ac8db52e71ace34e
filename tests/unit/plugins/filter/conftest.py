"""What all filter tests use: the filter through Ansible's own templating engine, as a playbook would use it."""

from __future__ import annotations

from typing import Any

import pytest

SITES = [
    {
        "name": "blog",
        "domains": ["blog.example.org"],
        "app": "wordpress",
        "wordpress": {
            "title": "Blog",
            "admin_user": "a",
            "admin_email": "a@example.org",
            "admin_password": "{{ admin_password }}",
        },
        "database": {"password": "{{ vault_password }}"},
    },
    {"name": "docs", "domains": ["docs.example.org"], "kind": "static"},
]


@pytest.fixture(name="variables")
def variables_of_a_play() -> dict[str, Any]:
    """Variables as a play has them, passwords in variables of their own."""
    return {
        "lemp_sites": SITES,
        "vault_password": "database-secret",
        "admin_password": "admin-secret",
        "group_names": ["web", "database"],
        "ansible_facts": {"memtotal_mb": 4096, "processor_nproc": 2},
    }
