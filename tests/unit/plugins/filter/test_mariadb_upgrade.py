"""Filter ``mariadb_upgrade``: whether and how a server is upgraded."""

from __future__ import annotations

from templating import evaluate


def test_packages_on_offer_are_named() -> None:
    found = "Installed: 1:11.8.3-1\nCandidate: 1:11.8.9-1\nmariadbd  Ver 11.8.3-MariaDB\nData: 11.8.3-MariaDB"
    assert evaluate("{{ found | lemp.stack.mariadb_upgrade('/backups') }}", found=found) == {
        "due": True,
        "version": "1:11.8.9-1",
        "old": "1:11.8.3-1",
        "problems": [],
    }
