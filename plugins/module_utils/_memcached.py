# GNU General Public License v3.0+ (see LICENSE)
"""What is wrong with the inputs of role memcached."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

SOCKET = "socket"
USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
# memcached.c: an item is at most half of the memory, and at most a gigabyte.
MOST_ITEM_MB = 1024


def problems(inputs: Mapping[str, Any], memory_mb: int = 0) -> list[str]:
    """What is wrong, one sentence each; a password is never part of one.

    :param inputs: public inputs of the role by name; one that is absent is not judged.
    :param memory_mb: memory for items in MiB, as the plan has it; 0 where it is not known.
    """
    found = []
    listen = str(inputs.get("memcached_listen", SOCKET))
    users: Sequence[Mapping[str, Any]] = inputs.get("memcached_users") or []
    if listen != SOCKET and not _is_address(listen):
        found.append(f"memcached_listen is {listen}, which is no address; write {SOCKET} or an address of the host.")
    elif not is_local(listen) and not users and not inputs.get("memcached_firewall_sources"):
        found.append(
            f"memcached_listen is {listen}, where everybody could read and write; name memcached_firewall_sources or "
            f"memcached_users, or listen at {SOCKET}."
        )
    port = inputs.get("memcached_port", 11211)
    if not 1 <= int(port) <= 65535:
        found.append(f"memcached_port is {port}; write one from 1 to 65535.")
    item = int(inputs.get("memcached_max_item_size_mb", 1))
    if not 1 <= item <= MOST_ITEM_MB:
        found.append(f"memcached_max_item_size_mb is {item}; write one from 1 to {MOST_ITEM_MB}.")
    elif memory_mb and 2 * item > memory_mb:
        found.append(
            f"memcached_max_item_size_mb is {item}, but an item may be half of the memory of {memory_mb} MB at most; lower it, "
            "or raise memcached_memory_mb."
        )
    names = [str(user.get("name")) for user in users]
    found += [f"memcached_users: two are named {name}; keep one." for name, count in Counter(names).items() if count > 1]
    for user, name in zip(users, names):
        if not USER.fullmatch(name):
            found.append(f"memcached_users: name is {name}, which cannot be; use letters, digits and _.-.")
        password = str(user.get("password") or "")
        if not password or not password.isprintable():
            found.append(f"memcached_users: the password of {name} is empty or has a line break; give another.")
    return found


def is_local(listen: str) -> bool:
    """Whether clients of other hosts are kept out by where it listens."""
    return listen in (SOCKET, "localhost") or (_is_address(listen) and ipaddress.ip_address(listen).is_loopback)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return text == "localhost"
    return True
