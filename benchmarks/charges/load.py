"""Keep all clients of three services busy on the host: pgbench with sorts, Redis rewriting its file, Memcached beyond its size.

Argument: seconds. Python's standard library only.
"""

import os
import random
import re
import socket
import subprocess
import sys
import threading
import time

SECONDS = int(sys.argv[1])
END = time.monotonic() + SECONDS
SORT = """\\set from random(1, 100000)
\\set by random(1, 100)
SELECT count(*) FROM (
  SELECT aid, filler FROM pgbench_accounts WHERE aid BETWEEN :from AND :from + 40000 ORDER BY abalance, aid) sorted;
SELECT count(DISTINCT abalance) FROM pgbench_accounts WHERE aid BETWEEN :from AND :from + 20000;
UPDATE pgbench_accounts SET abalance = abalance + :by WHERE aid BETWEEN :from AND :from + 20;
"""
FAILED = []


def ask(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd="/tmp").stdout.strip()


def psql(*statements):
    commands = [word for statement in statements for word in ("-c", statement)]
    return ask("runuser", "-u", "postgres", "--", "psql", "-qAtX", *commands, "bench")


def postgresql():
    most = int(psql("show max_connections"))
    # Three are kept for superusers, one makes indexes here.
    clients = most - 4
    with open("/tmp/sort.sql", "w") as file:
        file.write(SORT)
    os.chmod("/tmp/sort.sql", 0o644)
    # As an ordinary user, whom the reserved connections are kept from.
    bench = subprocess.Popen(
        ["runuser", "-u", "postgres", "--", "pgbench", "-n", "-c", str(clients), "-j", "2", "-T", str(SECONDS),
         "-f", "/tmp/sort.sql@1", "-b", "tpcb-like@4", "bench"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd="/tmp",
    )  # fmt: skip
    while time.monotonic() < END - 5:
        psql("CREATE INDEX again ON pgbench_accounts (filler, abalance)")
        psql("DROP INDEX again", "VACUUM pgbench_accounts")
    error = bench.communicate()[1]
    if bench.returncode:
        FAILED.append(f"pgbench: {error[-300:]}")


def clients_of(port, count):
    found = []
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", port))
        client.settimeout(30)
        found.append(client)
    return found


def talk(clients, request, done):
    """Each client in turn sends a request and reads the whole answer to it."""
    noise = os.urandom(1 << 20)
    number = 0
    while time.monotonic() < END:
        batch = clients[number % len(clients) :][:16]
        for client in batch:
            start, length = random.randrange(1 << 19), random.choice((200, 1000, 4000, 16000))
            client.sendall(request(number, noise[start : start + length]))
            number += 1
        for client in batch:
            answer = b""
            while not answer.endswith(b"\r\n"):
                answer += client.recv(4096)
            if done not in answer:
                FAILED.append(answer[:200].decode(errors="replace"))
                return
    print(f"port {clients[0].getpeername()[1]}: {len(clients)} clients, {number} writes", flush=True)


def redis():
    most = int(ask("redis-cli", "config", "get", "maxclients").split()[1])

    def request(number, data):
        key = b"key:%d" % number
        return b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(key), key, len(data), data)

    # One place is left for redis-cli.
    clients = clients_of(6379, most - 2)
    writer = threading.Thread(target=talk, args=(clients, request, b"+OK"))
    writer.start()
    while writer.is_alive():
        time.sleep(3)
        ask("redis-cli", "bgrewriteaof")
    writer.join()


def memcached():
    with open("/etc/memcached.conf") as file:
        most = int(re.search(r"-c (\d+)", file.read())[1])

    def request(number, data):
        return b"set key:%d 0 0 %d\r\n%s\r\n" % (number, len(data), data)

    # It counts its own files among them, some per thread.
    talk(clients_of(11211, most - 24), request, b"STORED")


threads = [threading.Thread(target=target) for target in (postgresql, redis, memcached)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit("\n".join(FAILED) or 0)
