# GNU General Public License v3.0+ (see LICENSE)
"""Role nginx: what its inputs must keep to. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NEEDED = {"php": ("root", "php_socket"), "static": ("root",), "proxy": ("proxy_url",)}


def problems(servers: Sequence[Mapping[str, Any]], ports: Mapping[str, Any]) -> list[str]:
    """One sentence per rule that the inputs break.

    :param servers: the input ``nginx_servers``.
    :param ports: the port inputs by their names.
    """
    found = []
    for server in servers:
        needed = NEEDED.get(str(server["kind"]), ())
        missing = [key for key in needed if key not in server]
        if missing:
            found.append(
                f"nginx_servers: {server['name']} is of kind {server['kind']}, which needs {' and '.join(needed)}; add"
                f" {' and '.join(missing)}."
            )
    for key in ("name", "domains"):
        values = [str(value) for server in servers for value in (server[key] if key == "domains" else [server[key]])]
        twice = sorted({value for value in values if values.count(value) > 1}) if len(set(values)) < len(values) else []
        if twice:
            what = "a domain" if key == "domains" else "a name"
            found.append(
                f"nginx_servers names {what} more than once ({', '.join(twice)}); {what} can belong to one server only."
            )
    if len({int(port) for port in ports.values()}) < len(ports):
        listed = ", ".join(f"{name} ({port})" for name, port in ports.items())
        found.append(f"{listed} must differ; change one of them.")
    return found
