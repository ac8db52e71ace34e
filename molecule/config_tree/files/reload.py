#!/usr/bin/env python3
"""Change between two sets a number of times while clients load nginx; prints what they saw and how often nginx reloaded.

Arguments: number of changes, module payload of set a, of set b, port.
"""

import json
import multiprocessing
import re
import socket
import subprocess
import sys
import threading

CLIENTS = 16
# A connection per request: nginx closes idle kept-alive connections when a worker ends, and a client that is just sending on
# one sees that as an error, whoever reloads.
REQUEST = b"GET / HTTP/1.1\r\nHost: load.lemp.test\r\nConnection: close\r\n\r\n"
ANSWER = re.compile(rb"HTTP/1\.1 200 OK\r\n.*\r\nContent-Length: 6\r\n.*\r\n\r\nset [ab]\n", re.S)


def ask(port):
    """Why a request failed; empty where it was answered."""
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(REQUEST)
            while part := connection.recv(65536):
                answer += part
    except OSError as error:
        return repr(error)
    return "" if ANSWER.fullmatch(answer) else repr(answer)


def load(port, is_over, outcome):
    """Ask over and over in a process of its own; tells how many requests there were and what failed."""
    counts, failures = [0] * CLIENTS, []

    def client(number):
        while not is_over.is_set():
            counts[number] += 1
            if why := ask(port):
                failures.append(why)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcome.send({"requests": sum(counts), "failures": len(failures), "first": failures[:3]})


def main():
    changes, payloads, port = int(sys.argv[1]), sys.argv[2:4], int(sys.argv[4])
    is_over, (received, sent) = multiprocessing.Event(), multiprocessing.Pipe(duplex=False)
    clients = multiprocessing.Process(target=load, args=(port, is_over, sent))
    clients.start()
    changed = 0
    try:
        for number in range(changes):
            done = subprocess.run(["/usr/bin/python3", payloads[number % 2]], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            changed += json.loads(done.stdout)["changed"]
    finally:
        is_over.set()
    print(json.dumps({"changed": changed, **received.recv()}))


if __name__ == "__main__":
    main()
