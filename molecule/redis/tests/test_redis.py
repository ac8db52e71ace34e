"""Everybody gets in with their own password, to their own keys and no further; instances run as planned and lose nothing."""

import copy
import hashlib
import json
import pathlib
import re
import shlex

import pytest
import replay
import yaml

SCENARIO = pathlib.Path(__file__).parent.parent
ROLE_VARS = yaml.safe_load((SCENARIO / "converge.yml").read_text())[0]["roles"][0]["vars"]
INSTANCES = ROLE_VARS["redis_instances"]
PASSWORDS = {user["name"]: user["password"] for instance in INSTANCES for user in instance["users"]}
NAMES = [instance["name"] for instance in INSTANCES]
PERSISTENT = [instance["name"] for instance in INSTANCES if instance.get("use")]
PORT = 6390

# Speaks the protocol itself, so that no client's own ways are between the test and the server.
CLIENT = r"""
import json, socket, ssl, sys, time
where, commands = json.load(sys.stdin)
if isinstance(where, str):
    server = socket.socket(socket.AF_UNIX)
    server.settimeout(10)
    server.connect(where)
else:
    server = socket.create_connection(where[:2], 10)
if len(where) == 3:
    server = ssl.create_default_context(cafile=where[2] or None).wrap_socket(server, server_hostname=where[0])
stream = server.makefile("rb")


def answer():
    line = stream.readline()
    if not line:
        return "!closed"
    kind, text = chr(line[0]), line[1:].decode().strip()
    if kind == "-":
        return "!" + text
    if kind in "+:":
        return text
    if kind == "$":
        return None if text == "-1" else stream.read(int(text) + 2)[:-2].decode()
    return None if text == "-1" else [answer() for _ in range(int(text))]


said = []
for command in commands:
    if command[0] == "SLEEP-UNTIL":
        import os
        while not os.path.exists(command[1]):
            time.sleep(0.05)
        continue
    parts = [str(part).encode() for part in command]
    server.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
    said.append(answer())
print(json.dumps(said))
"""


def socket_of(name):
    return f"/run/lemp-redis-{name}/redis.sock"


def talk(host, where, *commands):
    """What a server answers to these commands; errors begin with an exclamation mark."""
    given = json.dumps([where, [command.split() if isinstance(command, str) else command for command in commands]])
    done = host.run("printf %%s %s | runuser -u nobody -- python3 -c %s", given, CLIENT)
    assert done.rc == 0, done.stderr
    return json.loads(done.stdout)


def as_user(host, where, user, *commands, password=None):
    """The answers to someone who said its name first."""
    where = socket_of(where) if isinstance(where, str) and "/" not in where else where
    first, *others = talk(host, where, ["AUTH", user, password or PASSWORDS[user]], *commands)
    assert first == "OK", first
    return others


def root(host, name, command):
    return host.check_output(f"lemp-redis {name} {command}")


def setting(host, name, key):
    return [*root(host, name, f"CONFIG GET {key}").splitlines(), ""][1]


def play(*options, **extra_vars):
    """Run the play again; no password, nor what the server keeps of one, is in what it prints."""
    status, output = replay.play(*options, **extra_vars)
    for password in PASSWORDS.values():
        assert password not in output
        assert hashlib.sha256(password.encode()).hexdigest() not in output
    return status, output


def changed(output):
    return int(re.search(r"changed=(\d+)", output)[1])


def instances(**changes):
    """The scenario's instances, with keys of some replaced."""
    found = copy.deepcopy(INSTANCES)
    for instance in found:
        instance.update(changes.get(instance["name"], {}))
    return found


def started_at(host, name):
    return host.check_output(f"systemctl show -P InvocationID lemp-redis@{name}")


# What runs


@pytest.mark.parametrize("name", NAMES)
def test_each_instance_runs_now_and_at_boot(host, name):
    service = host.service(f"lemp-redis@{name}")
    assert service.is_running
    assert service.is_enabled


def test_the_distributions_own_instance_is_off(host, row):
    service = host.service(row("redis")["own_service"])
    assert not service.is_running
    assert not service.is_enabled


def test_nothing_listens_that_nobody_asked_for(host):
    listening = host.check_output("ss -tulnpH | grep -E 'redis|valkey' | awk '{ print $5 }'")
    assert listening == f"127.0.0.1:{PORT}"


def test_running_values_are_those_of_the_plan(host):
    """What the role itself compares too, here by what the files say and another client."""
    policies = {name: setting(host, name, "maxmemory-policy") for name in NAMES}
    assert policies == {"cache": "allkeys-lru", "session": "volatile-lru", "queue": "noeviction"}
    assert setting(host, "queue", "maxmemory") == str(24 * 2**20)
    assert {name: setting(host, name, "appendonly") for name in NAMES} == {"cache": "no", "session": "yes", "queue": "yes"}
    for name in NAMES:
        file = host.file(f"/etc/lemp-redis/{name}.conf").content_string
        for key in ("maxmemory", "maxclients", "tcp-backlog", "save"):
            written = re.search(rf"^{key} (.*)$", file, re.M)[1].strip('"')
            assert setting(host, name, key) == written, key
        shown = host.check_output(f"systemctl show -p MemoryMax -p LimitNOFILE lemp-redis@{name}")
        limits = dict(line.split("=") for line in shown.splitlines())
        assert int(limits["MemoryMax"]) > int(setting(host, name, "maxmemory")) * (2.5 if name in PERSISTENT else 1.25)
        assert int(limits["LimitNOFILE"]) >= int(setting(host, name, "maxclients")) + 32


def test_files_with_secrets_are_for_root_and_the_server_alone(host, row):
    user = row("redis")["user"]
    for name in NAMES:
        for suffix in ("acl", "conf"):
            file = host.file(f"/etc/lemp-redis/{name}.{suffix}")
            assert (file.user, file.group, file.mode) == ("root", user, 0o640)
    secret = host.file("/etc/lemp-redis/admin.password")
    assert (secret.user, secret.mode) == ("root", 0o600)
    text = host.check_output("cat /etc/lemp-redis/*.acl /etc/lemp-redis/*.conf")
    assert not [password for password in PASSWORDS.values() if password in text]


# Who gets in


@pytest.mark.parametrize("name", NAMES)
def test_a_site_reads_and_writes_its_keys(host, name):
    said = as_user(host, name, "shop", "SET shop:a 1", "INCRBY shop:a 41", "GET shop:a", "DEL shop:a")
    assert said == ["OK", "42", "42", "1"]


def test_a_site_gets_in_over_the_port_too(host):
    assert as_user(host, ["127.0.0.1", PORT], "worker", "SET worker:a 1", "GET worker:a") == ["OK", "1"]


def test_what_object_caches_sessions_and_queues_ask_for_is_allowed(host):
    script = "return redis.call('set', KEYS[1], ARGV[1])"
    said = as_user(
        host,
        "cache",
        "shop",
        "SELECT 1",
        "INFO server",
        "SETEX shop:s 60 v",
        "SET shop:lock 1 NX PX 1000",
        ["EVAL", script, 1, "shop:e", "v"],
        ["SCRIPT", "LOAD", script],
        "MULTI",
        "INCR shop:n",
        "EXEC",
        "LPUSH shop:q job",
        "BRPOP shop:q 1",
        "ZADD shop:z 1 a",
        "PUBLISH shop:news hello",
        "CLIENT SETNAME web",
        "PING",
    )
    assert not [answer for answer in said if str(answer).startswith("!")], said


@pytest.mark.parametrize("name", NAMES)
def test_nobody_gets_in_without_a_name(host, name):
    first, second = talk(host, socket_of(name), "PING", "GET shop:a")
    assert first.startswith("!NOAUTH")
    assert second.startswith("!NOAUTH")


@pytest.mark.parametrize(
    ("user", "password"),
    [("shop", "wrong"), ("shop", PASSWORDS["blog"]), ("default", ""), ("root", ""), ("default", "x"), ("nobody", "x")],
)
def test_wrong_names_and_passwords_are_refused(host, user, password):
    refused, still = talk(host, socket_of("cache"), ["AUTH", user, password], "GET shop:a")
    assert refused.startswith("!WRONGPASS")
    assert still.startswith("!NOAUTH")


def test_a_user_of_one_instance_is_none_of_another(host):
    assert talk(host, socket_of("session"), ["AUTH", "blog", PASSWORDS["blog"]])[0].startswith("!WRONGPASS")


REFUSED = [
    "GET blog:a", "SET blog:a 1", "GET a", "DEL blog:a", "MGET shop:a blog:a", "RENAME shop:a blog:a", "COPY shop:a blog:a",
    "PUBLISH blog:news 1", "SUBSCRIBE blog:news", "PSUBSCRIBE *", "EVAL return(redis.call('get','blog:a')) 0",
    "EVAL return(redis.call('scan','0')) 0", "SCAN 0", "RANDOMKEY", "KEYS *", "FLUSHDB", "FLUSHALL", "SWAPDB 0 1",
    "CONFIG GET *", "CONFIG SET dir /tmp", "ACL LIST", "ACL SETUSER shop allkeys", "SHUTDOWN", "DEBUG SEGFAULT", "MONITOR",
    "SAVE", "REPLICAOF 127.0.0.1 1", "MODULE LIST", "CLIENT LIST", "CLIENT KILL TYPE normal", "CLIENT TRACKING ON BCAST",
    "SCRIPT FLUSH", "SCRIPT KILL", "FUNCTION LIST", "PUBSUB CHANNELS", "SORT shop:a BY blog:*",
]  # fmt: skip


def test_what_is_others_or_the_servers_is_refused(host):
    as_user(host, "cache", "blog", "SET blog:a 1")
    _, *said = as_user(host, "cache", "shop", "SET shop:a 1", *REFUSED)
    assert {command: answer for command, answer in zip(REFUSED, said) if not str(answer).startswith("!")} == {}
    assert as_user(host, "cache", "blog", "GET blog:a") == ["1"]


def test_further_commands_are_for_those_who_were_given_them(host):
    assert as_user(host, "queue", "worker", "SCAN 0")[0][0] == "0"
    assert as_user(host, "queue", "shop", "SCAN 0")[0].startswith("!NOPERM")


def test_root_may_do_everything_and_nobody_else_can_be_root(host):
    assert root(host, "cache", "ACL WHOAMI") == "root"
    assert host.run("runuser -u nobody -- lemp-redis cache ACL WHOAMI").rc != 0


# What changes


def test_a_password_is_rotated_and_a_user_removed_while_others_stay_connected(host):
    new = "shop-Secret-2"
    login = ["AUTH", "blog", PASSWORDS["blog"]]
    commands = [login, ["SET", "blog:open", "1"], ["SLEEP-UNTIL", "/run/go-on"], ["GET", "blog:open"]]
    host.check_output(
        "rm -f /run/go-on; printf %%s %s >/run/open.json; nohup sh -c %s >/dev/null 2>&1 & sleep 1",
        json.dumps([socket_of("cache"), commands]),
        f"python3 -c {shlex.quote(CLIENT)} </run/open.json >/run/open.out 2>&1",
    )
    before = [started_at(host, name) for name in NAMES]
    changes = {name: {"users": copy.deepcopy(instance["users"])} for name, instance in zip(NAMES, INSTANCES)}
    changes["cache"]["users"][0]["password"] = new
    changes["queue"]["users"].pop()
    status, output = play(redis_instances=instances(**changes))
    assert status == 0, output
    assert new not in output
    host.check_output("touch /run/go-on; sleep 1")
    assert json.loads(host.check_output("cat /run/open.out")) == ["OK", "OK", "1"]
    assert talk(host, socket_of("cache"), ["AUTH", "shop", PASSWORDS["shop"]])[0].startswith("!WRONGPASS")
    assert as_user(host, "cache", "shop", "SET shop:b 1", password=new) == ["OK"]
    assert talk(host, socket_of("queue"), ["AUTH", "worker", PASSWORDS["worker"]])[0].startswith("!WRONGPASS")
    assert [started_at(host, name) for name in NAMES] == before
    host.check_output("systemctl restart lemp-redis@cache")
    assert as_user(host, "cache", "shop", "PING", password=new) == ["PONG"]
    status, output = play()
    assert status == 0, output
    assert as_user(host, "cache", "shop", "PING") == ["PONG"]
    assert as_user(host, "queue", "worker", "PING") == ["PONG"]


def test_users_that_somebody_made_in_the_running_server_are_gone_after_a_run(host):
    root(host, "session", "ACL SETUSER intruder on nopass allkeys +@all")
    root(host, "session", "ACL SETUSER shop allkeys +@all")
    status, output = play("--check")
    assert (status, changed(output)) == (0, 1), output
    status, output = play()
    assert (status, changed(output)) == (0, 1), output
    assert sorted(root(host, "session", "ACL USERS").split()) == ["default", "root", "shop"]
    assert as_user(host, "session", "shop", "GET blog:x")[0].startswith("!NOPERM")


def test_a_value_that_somebody_changed_in_the_running_server_is_refused_in_a_sentence(host):
    planned = root(host, "cache", "CONFIG GET maxmemory").split()[1]
    root(host, "cache", "CONFIG SET maxmemory 1048577")
    try:
        status, output = play()
        assert status != 0
        text = re.sub(r"\s+", " ", output)
        assert f"runs with other values than planned (cache: maxmemory is 1048577, planned {planned})" in text
        assert "run systemctl restart lemp-redis@cache.service" in text
    finally:
        root(host, "cache", f"CONFIG SET maxmemory {planned}")


def test_a_setting_that_the_server_does_not_know_changes_nothing(host):
    before = [started_at(host, name) for name in NAMES]
    sums = host.check_output("sha256sum /etc/lemp-redis/*.*")
    status, output = play(redis_extra_settings={"no-such-setting": "1"})
    assert status != 0
    assert "no-such-setting" in output
    assert [started_at(host, name) for name in NAMES] == before
    assert host.check_output("sha256sum /etc/lemp-redis/*.*") == sums
    assert as_user(host, "cache", "shop", "PING") == ["PONG"]


def user(name, prefix, password="x"):
    return {"name": name, "password": password, "key_prefix": prefix}


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        (
            {
                "cache": {"users": [user("a", "a:"), user("a", "b:", "y"), user("c", "*")], "port": PORT},
                "session": {"users": [user("a", "shop"), user("b", "shop2:")]},
            },
            [
                "redis_instances: instance cache has two users named a; give each a name of its own.",
                "redis_instances: instance cache, user c: key_prefix is '*'; use 1 to 64 letters",
                "key_prefix shop of user a is also where b's keys begin",
                f"redis_instances: two have port {PORT}; give each a port of its own, or 0.",
            ],
        ),
        ({"cache": {"use": "store"}}, ["value of use must be one of: cache, session, queue, got: store"]),
        ({"cache": {"maxmemory_mb": 10**6}}, ["MB more than the host has"]),
    ],
)
def test_inputs_that_cannot_be_are_refused_before_anything_changes(host, changes, sentences):
    sums = host.check_output("sha256sum /etc/lemp-redis/*.*")
    status, output = play(redis_instances=instances(**changes))
    assert status != 0
    text = re.sub(r"\s+", " ", output)
    assert [sentence for sentence in sentences if sentence not in text] == []
    assert host.check_output("sha256sum /etc/lemp-redis/*.*") == sums


# What stays


@pytest.mark.parametrize("name", NAMES)
def test_a_restart_keeps_what_is_written_to_disk(host, name):
    as_user(host, name, "shop", "SET shop:kept 1")
    host.check_output(f"systemctl restart lemp-redis@{name}")
    assert as_user(host, name, "shop", "GET shop:kept") == ["1" if name in PERSISTENT else None]


def test_a_server_that_is_killed_while_it_writes_loses_a_second_at_most_and_a_run_repairs(host):
    writer = r"""
import json, socket, sys, time
server = socket.socket(socket.AF_UNIX)
server.connect(sys.argv[1])
stream = server.makefile("rb")
def ask(*parts):
    server.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
    return stream.readline()
ask(b"AUTH", b"shop", sys.argv[2].encode())
count = 0
try:
    while ask(b"SET", b"shop:count", str(count + 1).encode()).startswith(b"+OK"):
        count += 1
        with open("/run/written", "a") as file:
            file.write(f"{count} {time.time()}\n")
        time.sleep(0.001)
except OSError:
    pass
"""
    host.check_output("rm -f /run/written")
    # Not started again by systemd, so that the role has something to do.
    host.check_output(
        "mkdir -p /run/systemd/system/lemp-redis@queue.service.d && printf '[Service]\\nRestart=no\\n' "
        ">/run/systemd/system/lemp-redis@queue.service.d/zz-test.conf && systemctl daemon-reload"
    )
    host.check_output("nohup python3 -c %s %s %s >/dev/null 2>&1 & sleep 4", writer, socket_of("queue"), PASSWORDS["shop"])
    host.check_output("systemctl kill -s KILL lemp-redis@queue; sleep 1")
    lines = host.check_output("cat /run/written").splitlines()
    last, at = lines[-1].split()
    assert int(last) > 500
    status, output = play()
    assert status == 0, output
    (kept,) = as_user(host, "queue", "shop", "GET shop:count")
    second_before = max(int(line.split()[0]) for line in lines if float(line.split()[1]) <= float(at) - 1.1)
    assert int(kept) >= second_before
    host.check_output("rm -r /run/systemd/system/lemp-redis@queue.service.d; systemctl daemon-reload")


def test_an_instance_that_leaves_the_list_is_stopped_and_leaves_its_data(host, row):
    as_user(host, "session", "shop", "SET shop:stays 1")
    fewer = [instance for instance in instances() if instance["name"] != "session"]
    status, output = play(redis_instances=fewer)
    assert status == 0, output
    kept = f"{row('redis')['data_dir']}/session"
    text = re.sub(r"\s+", " ", output)
    assert f"lemp-redis@session.service is stopped and does not start any more; data stays in {kept}." in text
    service = host.service("lemp-redis@session")
    assert not service.is_running
    assert not service.is_enabled
    assert host.run("systemctl list-unit-files --state=enabled | grep lemp-redis@session").rc != 0
    assert host.check_output("find %s -type f", kept)
    status, output = play()
    assert status == 0, output
    assert as_user(host, "session", "shop", "GET shop:stays") == ["1"]


def test_a_new_password_of_root_is_made_where_the_file_was_removed(host):
    before = host.check_output("cat /etc/lemp-redis/admin.password")
    host.check_output("rm /etc/lemp-redis/admin.password")
    status, output = play()
    assert status == 0, output
    after = host.check_output("cat /etc/lemp-redis/admin.password")
    assert after not in ("", before)
    assert after not in output
    assert root(host, "cache", "ACL WHOAMI") == "root"


# Other hosts


def test_beyond_loopback_it_is_tls_or_nothing(host):
    address = host.check_output("hostname -I").split()[0]
    refused = host.run("timeout 3 bash -c %s", f"</dev/tcp/{address}/{PORT}")
    assert refused.rc != 0
    given = {"redis_bind_address": "0.0.0.0", "redis_tls": {"names": [address]}}
    status, output = play(**given)
    assert status == 0, output
    status, output = play(**given)
    assert (status, changed(output)) == (0, 0), output
    try:
        tls_dir = "/etc/lemp-redis/tls" if host.file("/etc/lemp-redis/tls").exists else "/etc/pki/lemp-redis"
        trusted = [address, PORT, f"{tls_dir}/ca.pem"]
        assert as_user(host, trusted, "worker", "SET worker:t 1", "GET worker:t") == ["OK", "1"]
        assert talk(host, trusted, "PING")[0].startswith("!NOAUTH")
        assert host.run("printf %%s %s | python3 -c %s", json.dumps([[address, PORT], [["PING"]]]), CLIENT).rc != 0
        # Another CA's word for it does not count.
        given_json = json.dumps([[address, PORT, ""], [["PING"]]])
        stranger = host.run("printf %%s %s | python3 -c %s", given_json, CLIENT)
        assert "certificate verify failed" in stranger.stderr
        assert host.file(f"{tls_dir}/server.key").mode == 0o600
        assert host.run(f"runuser -u nobody -- cat {tls_dir}/server.key").rc != 0
    finally:
        status, output = play()
    assert status == 0, output
    assert host.run("timeout 3 bash -c %s", f"</dev/tcp/{address}/{PORT}").rc != 0
