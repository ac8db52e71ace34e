"""Memcached answers where it was told to and nowhere else, with the planned values, and to those who are meant to come in."""

import json
import pathlib
import re

import pytest
import replay

SCENARIO = pathlib.Path(__file__).parent.parent
SOCKET = "/run/memcached/memcached.sock"
USERS = [{"name": "shop", "password": "shop-Secret 1%"}, {"name": "blog", "password": "blog-Secret-1"}]

TEXT = r"""
import socket, sys
where = sys.argv[1]
server = socket.socket(socket.AF_UNIX) if where.startswith("/") else socket.socket()
server.settimeout(5)
server.connect(where if where.startswith("/") else (where, int(sys.argv[2])))
server.sendall(sys.stdin.buffer.read().replace(b"\n", b"\r\n") + b"quit\r\n")
said = b""
try:
    while chunk := server.recv(65536):
        said += chunk
except OSError:
    pass
print(said.decode(errors="replace").replace("\r", ""))
"""
# The binary protocol: https://github.com/memcached/memcached/wiki/BinaryProtocolRevamped
BINARY = r"""
import json, socket, struct, sys
where, name, password = json.load(sys.stdin)
server = socket.socket(socket.AF_UNIX)
server.settimeout(5)
server.connect(where)
stream = server.makefile("rb")


def ask(opcode, key=b"", value=b"", extras=b""):
    body = extras + key + value
    try:
        server.sendall(struct.pack(">BBHBBHIIQ", 0x80, opcode, len(key), len(extras), 0, 0, len(body), 0, 0) + body)
        head = struct.unpack(">BBHBBHIIQ", stream.read(24))
        return head[5], stream.read(head[6])
    except (OSError, struct.error):
        return "closed", b""


said = []
if name:
    said.append(ask(0x21, b"PLAIN", f"\0{name}\0{password}".encode())[0])
said.append(ask(0x01, b"key", b"value", struct.pack(">II", 0, 0))[0])
status, body = ask(0x00, b"key")
said.append(status or body[4:].decode())
print(json.dumps(said))
"""
REFUSED = 0x20
# Who goes on without having come in is refused once more, and then not listened to.
OUT = [REFUSED, "closed"]


def talk(host, text, where=SOCKET, port=""):
    done = host.run("printf %%s %s | runuser -u nobody -- python3 -c %s %s %s", text, TEXT, where, str(port))
    assert done.rc == 0, done.stderr
    return done.stdout


def sasl(host, name="", password=""):
    given = json.dumps([SOCKET, name, password])
    done = host.run("printf %%s %s | runuser -u nobody -- python3 -c %s", given, BINARY)
    assert done.rc == 0, done.stderr
    return json.loads(done.stdout)


def play(*options, **extra_vars):
    """Run the play again; no password is in what it prints."""
    status, output = replay.play(*options, **extra_vars)
    assert not [user["name"] for user in USERS if user["password"] in output]
    return status, output


def changed(output):
    return int(re.search(r"changed=(\d+)", output)[1])


def test_it_runs_now_and_at_boot(host):
    assert host.service("memcached").is_running
    assert host.service("memcached").is_enabled


def test_every_user_of_the_host_keeps_and_finds_items(host):
    assert talk(host, "set a 0 60 5\nhello\nget a\n") == "STORED\nVALUE a 0 5\nhello\nEND\n\n"


def test_nothing_listens_on_a_port_neither_tcp_nor_udp(host):
    assert host.run("ss -tulnpH | grep memcached").stdout == ""


def test_running_values_are_those_of_the_unit_and_its_limits(host):
    settings = dict(line.split()[1:3] for line in talk(host, "stats settings\n").splitlines() if line.count(" ") == 2)
    command = host.check_output("tr '\\0' ' ' </proc/$(systemctl show -P MainPID memcached)/cmdline")
    given = dict(re.findall(r"-([mctI]) (\w+)", command))
    assert int(settings["maxbytes"]) == int(given["m"]) * 2**20
    assert (settings["maxconns"], settings["num_threads"]) == (given["c"], given["t"])
    assert (settings["item_size_max"], given["I"]) == (str(2 * 2**20), "2m")
    assert settings["udpport"] == "0"
    assert int(host.check_output("systemctl show -P MemoryMax memcached")) > int(settings["maxbytes"])


@pytest.mark.parametrize(("megabytes", "answer"), [(1.9, "STORED"), (2.1, "too large")])
def test_items_may_be_as_large_as_was_said_and_no_larger(host, megabytes, answer):
    size = int(megabytes * 2**20)
    program = (
        f"import socket; s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect('{SOCKET}');"
        f"s.sendall(b'set big 0 60 {size}\\r\\n' + b'x' * {size} + b'\\r\\n'); print(s.recv(99))"
    )
    assert answer in host.check_output("python3 -c %s", program)


def test_it_may_do_no_more_than_it_needs(host):
    pid = host.check_output("systemctl show -P MainPID memcached")
    status = host.check_output(f"cat /proc/{pid}/status")
    assert re.search(r"^CapEff:\s+0+$", status, re.M)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M)
    assert host.check_output(f"stat -c %U /proc/{pid}") == host.check_output("stat -c %U /run/memcached/memcached.sock")


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"memcached_listen": "0.0.0.0"}, "memcached_listen is 0.0.0.0, where everybody could read and write"),
        ({"memcached_max_item_size_mb": 900}, "memcached_max_item_size_mb is 900, but an item may be half of the memory"),
        ({"memcached_users": [USERS[0], USERS[0]]}, "memcached_users: two are named shop; keep one."),
        ({"memcached_memory_mb": 10**6}, "MB more than the host has"),
    ],
)
def test_inputs_that_cannot_be_are_refused_before_anything_changes(host, inputs, sentence):
    before = host.check_output("systemctl show -P InvocationID memcached")
    status, output = play(**inputs)
    assert status != 0
    assert sentence in re.sub(r"\s+", " ", output)
    assert host.check_output("systemctl show -P InvocationID memcached") == before


def test_with_users_only_those_come_in_who_say_name_and_password(host):
    if host.exists("dnf") and not host.check_output("dnf -q repoquery cyrus-sasl"):
        pytest.skip("the stand-in for EL has no cyrus-sasl")
    try:
        status, output = play(memcached_users=USERS)
        assert status == 0, output
        status, output = play(memcached_users=USERS)
        assert (status, changed(output)) == (0, 0), output
        assert host.file("/etc/lemp-memcached/users").mode == 0o600
        assert host.file("/run/memcached/users.db").mode == 0o600
        for user in USERS:
            assert sasl(host, user["name"], user["password"]) == [0, 0, "value"]
        assert sasl(host, "shop", "wrong") == [REFUSED, *OUT]
        assert sasl(host, "nobody", USERS[0]["password"]) == [REFUSED, *OUT]
        assert sasl(host) == OUT
        assert "STORED" not in talk(host, "set a 0 60 1\nx\n")
        rotated = [{"name": "shop", "password": "shop-Secret-2"}]
        status, output = play(memcached_users=rotated)
        assert status == 0, output
        assert sasl(host, "shop", USERS[0]["password"])[0] == REFUSED
        assert sasl(host, "shop", "shop-Secret-2")[0] == 0
        assert sasl(host, "blog", USERS[1]["password"])[0] == REFUSED
    finally:
        status, output = play()
    assert status == 0, output
    assert not host.file("/etc/lemp-memcached/users").exists
    assert "STORED" in talk(host, "set a 0 60 1\nx\n")


def test_an_address_replaces_the_socket_and_is_back_again(host):
    try:
        status, output = play(memcached_listen="127.0.0.1", memcached_port=11311)
        assert status == 0, output
        assert "STORED" in talk(host, "set a 0 60 1\nx\n", "127.0.0.1", 11311)
        assert host.check_output("ss -tulnpH | grep memcached | awk '{ print $1, $5 }'") == "tcp 127.0.0.1:11311"
        assert not host.file(SOCKET).exists
    finally:
        status, output = play()
    assert status == 0, output
    assert "STORED" in talk(host, "set a 0 60 1\nx\n")


def test_killed_it_is_back_and_a_stopped_one_is_started_by_a_run(host):
    host.check_output("systemctl kill -s KILL memcached; sleep 3")
    assert "STORED" in talk(host, "set a 0 60 1\nx\n")
    host.check_output("systemctl stop memcached")
    status, output = play()
    assert (status, changed(output)) == (0, 1), output
    assert "STORED" in talk(host, "set a 0 60 1\nx\n")
