# GNU General Public License v3.0+ (see LICENSE)
"""Redis or Valkey: what is wrong with the inputs of role redis, what its instances are on a host, and what running ones say."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ._inputs import repeated
from ._plan.limits import unit_drop_ins
from ._plan.redis import NAME, USES

CONFIG_DIR = "/etc/lemp-redis"
# Who comes in with all rights: root, by a password that root alone can read.
ADMINISTRATOR = "root"
RESERVED_USERS = (ADMINISTRATOR, "default")
USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}")
# Nothing that is a wildcard in a pattern of keys, and no white space, which ends a rule.
PREFIX = re.compile(r"[A-Za-z0-9_.:@/{}-]{1,64}")
COMMAND = re.compile(r"[a-z][a-z0-9_-]*(\|[a-z][a-z0-9_-]*)?")
# With these a user would be more than a user of its own keys.
NEVER = frozenset(
    "acl bgrewriteaof bgsave cluster config debug failover flushall function migrate module monitor psync replicaof replconf"
    " restore-asking save shutdown slaveof swapdb sync".split()
)
# Set through inputs of their own, which the plan, the units and the checks read.
OWN_SETTINGS = frozenset(
    """
    aclfile appendfsync appenddirname appendfilename appendonly bind daemonize dir logfile masterauth maxclients maxmemory
    maxmemory-policy pidfile port protected-mode requirepass save supervised tcp-backlog tls-ca-cert-file tls-cert-file
    tls-key-file tls-port unixsocket unixsocketperm user
    """.split()
)

# What every user may do with keys of its own. Names of keys are others' secrets: an identifier of a session is one, and some
# commands tell all names, or of changes to them. INFO is what clients look for the version in; functions, and the scripts that
# run, belong to the whole server. Sources: https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/,
# https://github.com/rhubarbgroup/redis-cache (info), Laravel's queue and cache (scripts).
RULES: Sequence[tuple[tuple[int, int], str]] = (
    ((6, 0), "+@all -@admin -@dangerous -scan -randomkey -pubsub -memory +memory|usage"),
    ((6, 0), "-script +script|load +script|exists -client +client|id +client|getname +client|setname +info"),
    ((7, 0), "-function -fcall -fcall_ro"),
    ((7, 2), "+client|setinfo"),
)
# Patterns of channels, for which 6.0 has no rule.
CHANNELS_SINCE = (6, 2)


def problems(inputs: Mapping[str, Any]) -> list[str]:
    """What is wrong with role redis' inputs, one sentence each; a password is never part of one.

    :param inputs: public inputs of the role by name; one that is absent is not judged.
    """
    instances: Sequence[Mapping[str, Any]] = inputs.get("redis_instances") or []
    found: list[str] = []
    for name in (str(instance.get("name")) for instance in instances):
        if not NAME.fullmatch(name):
            found.append(
                f"redis_instances: name is {name}, but must be 1 to 31 lower-case letters, digits and _, a letter first."
            )
    found += [
        f"redis_instances: two are named {name}; give each a name of its own."
        for name in repeated(instance.get("name") for instance in instances)
    ]
    for instance in instances:
        found += _odd_instance(instance)
    ports = [int(instance.get("port") or 0) for instance in instances]
    found += [f"redis_instances: two have port {port}; give each a port of its own, or 0." for port in repeated(ports) if port]
    tls = inputs.get("redis_tls") or {}
    if bool(tls.get("certificate")) is not bool(tls.get("key")):
        found.append("redis_tls names a certificate or a key alone; name both, or neither for some of its own making.")
    for name, value in (inputs.get("redis_extra_settings") or {}).items():
        if str(name).lower() in OWN_SETTINGS:
            found.append(f"redis_extra_settings has {name}, which the role sets itself; use the input for it, or leave it out.")
        elif not re.fullmatch(r"[a-z0-9-]+", str(name)) or re.search(r"[\r\n]", str(value)):
            found.append(f"redis_extra_settings has {name!r}, which is no setting in one line; write it as redis.conf does.")
    return found


def _odd_instance(instance: Mapping[str, Any]) -> list[str]:
    where = f"redis_instances: instance {instance.get('name')}"
    found = []
    if instance.get("use") not in (None, *USES):
        found.append(f"{where} has use {instance['use']}; write one of {', '.join(USES)}.")
    port = instance.get("port") or 0
    if not 0 <= int(port) <= 65535:
        found.append(f"{where} has port {port}; write one from 1 to 65535, or 0 for the Unix socket alone.")
    users: Sequence[Mapping[str, Any]] = instance.get("users") or []
    found += [
        f"{where} has two users named {name}; give each a name of its own." for name in repeated(u["name"] for u in users)
    ]
    for user in users:
        found += [f"{where}, user {user['name']}: {wrong}" for wrong in _odd_user(user)]
    for user in users:
        prefix = str(user.get("key_prefix"))
        for other in users:
            # What begins with shop also begins with shop2, so its user would read the other's keys.
            if other is not user and str(other.get("key_prefix")).startswith(prefix) and other["name"] != user["name"]:
                found.append(
                    f"{where}: key_prefix {prefix} of user {user['name']} is also where {other['name']}'s keys begin; "
                    f"end it with a sign of its own, such as {user['name']}:."
                )
    return found


def _odd_user(user: Mapping[str, Any]) -> list[str]:
    found = []
    if not USER.fullmatch(str(user["name"])) or user["name"] in RESERVED_USERS:
        found.append("this name cannot be; use letters, digits and _.@-, and neither root nor default.")
    if not user.get("password"):
        found.append("password is empty; give one.")
    if not PREFIX.fullmatch(str(user.get("key_prefix") or "")):
        found.append(f"key_prefix is {user.get('key_prefix')!r}; use 1 to 64 letters, digits and _.:@/{{}}-.")
    for command in user.get("extra_commands") or []:
        if not COMMAND.fullmatch(str(command)) or str(command).partition("|")[0] in NEVER:
            found.append(f"extra_commands has {command!r}, which is no command that a user may have; leave it out.")
    return found


def sha256(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def socket_of(instance: str) -> str:
    """Where clients on the same host reach an instance."""
    return f"/run/lemp-redis-{instance}/redis.sock"


def acl_lines(users: Iterable[Mapping[str, Any]], admin_hash: str, version: Sequence[int]) -> list[str]:
    """An ACL file: nobody without a name, root with all rights, everybody else with keys and channels of their own.

    :param users: ``name``, ``password``, ``key_prefix`` and ``extra_commands`` of each.
    :param admin_hash: SHA-256 of root's password, in hexadecimal digits.
    :param version: major and minor of the server.
    """
    known = tuple(version)
    has_channels = known >= CHANNELS_SINCE
    # A server that cannot tell channels apart lets nobody use them.
    rules = " ".join([*(rule for since, rule in RULES if known >= since), *([] if has_channels else ["-@pubsub"])])
    lines = ["user default off", f"user {ADMINISTRATOR} on #{admin_hash} ~*{' &*' if has_channels else ''} +@all"]
    for user in users:
        prefix = user["key_prefix"]
        channels = f" resetchannels &{prefix}*" if has_channels else ""
        more = "".join(f" +{command}" for command in user.get("extra_commands") or [])
        lines.append(f"user {user['name']} on #{sha256(str(user['password']))} ~{prefix}*{channels} {rules}{more}")
    return lines


def host(
    instances: Sequence[Mapping[str, Any]],
    *,
    plan: Mapping[str, Any],
    layout: Mapping[str, Any],
    version: str,
    existing: Sequence[str] = (),
    admin_hash: str = "",
    bind_address: str = "127.0.0.1",
    tls: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What the instances need on a host, as module config_tree takes it, and what they are to run with.

    :param instances: input ``redis_instances`` of the role.
    :param plan: what filter plan gave; it names an instance's unit ``redis@<name>`` in ``limits``.
    :param layout: ``user``, ``data_dir`` and ``binary`` of the platform.
    :param version: the server's, such as ``7.0``.
    :param existing: names of instances that the role made before; one that is no longer listed is stopped.
    :param admin_hash: SHA-256 of root's password.
    :param tls: ``certificate``, ``key`` and ``ca``, where clients of other hosts are let in.
    """
    known = tuple(int(part) for part in version.split(".")[:2])
    names = [str(instance["name"]) for instance in instances]
    completed = [_instance(item, plan, layout, bind_address, tls or {}, admin_hash) for item in instances]
    owned_by_server = {"group": layout["user"], "mode": "0640"}
    files: list[dict[str, Any]] = [
        {"src": "etc/systemd/system/lemp-redis@.service.j2", "dest": "/etc/systemd/system/lemp-redis@.service"},
        {"src": "usr/local/sbin/lemp-redis.j2", "dest": "/usr/local/sbin/lemp-redis", "mode": "0755"},
        {"src": "usr/local/lib/lemp/redis-reload.j2", "dest": "/usr/local/lib/lemp/redis-reload", "mode": "0755"},
    ]
    units: list[dict[str, Any]] = [
        {"name": f"lemp-redis@{name}.service", "running": False, "stop_on": [f"{CONFIG_DIR}/{name}.conf"]}
        for name in existing
        if name not in names
    ]
    for instance, item in zip(completed, instances):
        base, unit = f"{CONFIG_DIR}/{instance['name']}", f"lemp-redis@{instance['name']}.service"
        drop_ins = unit_drop_ins(plan["limits"][f"redis@{instance['name']}"], unit)
        acl = "\n".join(acl_lines(item.get("users") or [], admin_hash, known)) + "\n"
        files += [
            {
                "src": "etc/lemp-redis/instance.conf.j2",
                "dest": f"{base}.conf",
                "vars": {"__redis_instance": instance},
                **owned_by_server,
            },
            {"content": acl, "dest": f"{base}.acl", "sensitive": True, **owned_by_server},
            *drop_ins,
        ]
        units.append(
            {
                "name": unit,
                "reload_on": [f"{base}.acl"],
                "restart_on": [f"{base}.conf", "/etc/systemd/system/lemp-redis@.service", drop_ins[0]["dest"]],
                "listen": [instance["socket"], *([str(instance["port"])] if instance["port"] else [])],
            }
        )
    return {
        "instances": completed,
        "removed": sorted(set(existing) - set(names)),
        "directories": [
            {"path": CONFIG_DIR},
            *(
                {"path": instance["data_dir"], "owner": layout["user"], "group": layout["user"], "mode": "0750"}
                for instance in completed
            ),
        ],
        "files": files,
        "owned": [
            f"{CONFIG_DIR}/*.conf",
            f"{CONFIG_DIR}/*.acl",
            *(f"/etc/systemd/system/lemp-redis@{name}.service.d/lemp-*.conf" for name in sorted({*existing, *names})),
        ],
        "units": units,
        "validators": [["sh", "-c", JUDGE, layout["binary"], *(f"{CONFIG_DIR}/{name}.conf" for name in names)]]
        if names
        else [],
    }


# The server has no test of its configuration, so it starts with it: elsewhere, with other data, and heard by nobody.
JUDGE = """
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
for file; do
  "$0" "$file" --port 0 --tls-port 0 --unixsocket "$work/socket" --dir "$work" --appendonly no --maxmemory 0 --supervised no \\
    --loglevel notice --logfile "" --daemonize no >"$work/said" 2>&1 &
  server=$!
  tries=0
  until grep -q 'eady to accept connections' "$work/said"; do
    tries=$((tries + 1))
    if [ $tries -gt 200 ] || ! kill -0 $server 2>/dev/null; then
      kill $server 2>/dev/null
      echo "$file is refused:"
      cat "$work/said"
      exit 1
    fi
    sleep 0.05
  done
  kill $server
  wait $server 2>/dev/null
done
exit 0
"""


def _instance(
    item: Mapping[str, Any],
    plan: Mapping[str, Any],
    layout: Mapping[str, Any],
    bind_address: str,
    tls: Mapping[str, Any],
    admin_hash: str,
) -> dict[str, Any]:
    """One instance, complete: where it is, and what it is to run with as CONFIG GET names it."""
    name, use, port = str(item["name"]), str(item.get("use") or "cache"), int(item.get("port") or 0)
    planned = plan["redis"]["instances"][name]
    given = item.get("persistent")
    persistent = USES[use][0] if given is None or given == "" else bool(given)
    values = {key.replace("_", "-"): str(value) for key, value in planned.items()}
    values["appendonly"] = "yes" if persistent else "no"
    values["tls-port" if tls else "port"] = str(port)
    return {
        "name": name,
        "use": use,
        "port": port,
        "bind_address": bind_address,
        "tls": dict(tls) if port else {},
        "persistent": persistent,
        "socket": socket_of(name),
        "data_dir": f"{layout['data_dir']}/{name}",
        # Other than users', root's password is needed to change a running server's users: a new one is taken by a restart.
        "administrator": admin_hash[:12],
        "values": values,
    }


def drift(said: str, configured: Mapping[str, Any], version: str) -> dict[str, list[str]]:
    """How running servers differ, or differed, from what they are configured to be.

    :param said: for each instance ``@ NAME`` with names and values by turns as CONFIG GET says them, ``@before NAME`` with what
        ACL LIST says, ``@after NAME`` the same once users were given anew, or ``@failed NAME``. Where nothing was given, users
        are compared with their file, without rules of commands, which servers repeat in a form of their own.
    :param configured: what :func:`host` gave.
    :returns: ``values``, a text for each value that is another; ``users``, names of instances with other users or rights;
        ``silent``, names of instances that did not answer.
    """
    has_channels = tuple(int(part) for part in version.split(".")[:2]) >= CHANNELS_SINCE
    blocks: dict[str, list[str]] = {}
    for line in said.splitlines():
        if line.startswith("@"):
            blocks[line] = []
        elif blocks:
            blocks[list(blocks)[-1]].append(line)
    acls = {file["dest"]: file["content"] for file in configured["files"] if "content" in file}
    values, users, silent = [], [], []
    for instance in configured["instances"]:
        name = instance["name"]
        settings = blocks.get(f"@ {name}", [])
        running = dict(zip(settings[::2], settings[1::2]))
        if "maxmemory" not in running or f"@failed {name}" in blocks:
            silent.append(name)
            continue
        values += [
            f"{name}: {key} is {running.get(key, 'unknown')}, planned {value}"
            for key, value in instance["values"].items()
            if running.get(key, value) != value
        ]
        kinds = "#~&" if has_channels else "#~"
        after = blocks.get(f"@after {name}")
        if after is None:
            after = acls[f"{CONFIG_DIR}/{name}.acl"].splitlines()
        else:
            kinds += "+-"
        if _rights(blocks.get(f"@before {name}", []), kinds) != _rights(after, kinds):
            users.append(name)
    return {"values": values, "users": users, "silent": silent}


def _rights(lines: Iterable[str], kinds: str) -> dict[str, frozenset[str]]:
    """Rules of these kinds by user; none of one who is off, as what that one could do is no matter."""
    found = {}
    for line in lines:
        words = line.split()
        if len(words) > 2 and words[0] == "user":
            is_on = "on" in words
            found[words[1]] = (
                frozenset(word for word in words[2:] if word[0] in kinds or word in ("on", "nopass")) if is_on else frozenset()
            )
    return found


def firewall_rules(instances: Iterable[Mapping[str, Any]], sources: Sequence[str] = ()) -> list[dict[str, Any]]:
    """A rule for the port of each instance that has one.

    :param sources: networks to let in; none means everybody.
    """
    return [
        {"name": f"redis-{item['name']}", "port": int(item["port"]), "protocol": "tcp", "sources": list(sources)}
        for item in instances
        if int(item.get("port") or 0)
    ]
