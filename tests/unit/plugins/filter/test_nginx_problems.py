"""Filter ``nginx_problems`` as the role uses it."""

from __future__ import annotations

from templating import evaluate


def test_sentences_arrive_as_a_list() -> None:
    ports = {"nginx_http_port": 80, "nginx_https_port": 443}
    servers = [{"name": "a", "kind": "static", "domains": ["a.example.org"]}]
    assert len(evaluate("{{ servers | lemp.stack.nginx_problems(ports) }}", servers=servers, ports=ports)) == 1
    assert evaluate("{{ [] | lemp.stack.nginx_problems(ports) }}", ports=ports) == []
