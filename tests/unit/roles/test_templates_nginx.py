"""nginx: what the rendered configuration says, and what nginx itself says about it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rendering import FACTS, Role, daemon, lines

ROLE = Role("nginx")
STATIC = {
    "name": "docs",
    "kind": "static",
    "domains": ["docs.example.org", "www.docs.example.org"],
    "url": "https://docs.example.org:8443",
    "certificate": "/etc/ssl/lemp/docs/fullchain.pem",
    "key": "/etc/ssl/lemp/docs/privkey.pem",
    "root": "/srv/www/docs/public",
    "upload_paths": ["/files/"],
    "hsts_max_age_seconds": 63072000,
    "client_max_body_size_mb": 8,
}
PHP = {
    **STATIC,
    "name": "blog",
    "kind": "php",
    "domains": ["blog.example.org"],
    "url": "https://blog.example.org",
    "root": "/usr/share/wordpress",
    "php_socket": "/run/php-fpm/blog.sock",
    "php_timeout_seconds": 123,
    "aliases": [{"path": "/wp-content/", "root": "/srv/www/blog"}],
    "upload_paths": ["/wp-content/uploads/", "/other/"],
    "hsts_max_age_seconds": 0,
}
PROXY = {
    "name": "api",
    "kind": "proxy",
    "domains": ["api.example.org"],
    "url": "https://api.example.org",
    "certificate": "/etc/ssl/lemp/api/fullchain.pem",
    "key": "/etc/ssl/lemp/api/privkey.pem",
    "proxy_url": "http://127.0.0.1:9000",
    "proxy_timeout_seconds": 45,
}
SERVERS = [STATIC, PHP, PROXY]
SITE = "etc/nginx/conf.d/lemp-site.conf"
MAIN = "etc/nginx/nginx.conf"
OLD, NEW = "1.22.1", "1.26.3"
versions = pytest.mark.parametrize("version", [OLD, NEW])
every_server = pytest.mark.parametrize("server", SERVERS, ids=lambda server: server["kind"])


def installed(version: str) -> dict[str, Any]:
    return {"ansible_facts": {**FACTS, "packages": {"nginx": [{"version": version}]}}}


def site(server: dict[str, Any], version: str = NEW, **overrides: Any) -> str:
    return ROLE.render(SITE, __nginx_server=server, **installed(f"{version}-2+deb13u1"), **overrides)


def main(version: str = NEW, **overrides: Any) -> str:
    return ROLE.render(MAIN, **{"nginx_servers": SERVERS, **installed(f"{version}-2+deb13u1"), **overrides})


def blocks(text: str, opening: str) -> list[str]:
    """The text of each block whose first line is ``opening``, without what follows its closing brace."""
    found = []
    for match in re.finditer(rf"^( *){re.escape(opening)} \{{\n(.*?)^\1\}}", text, re.M | re.S):
        found.append(match[2])
    return found


@pytest.mark.parametrize("package", ["1.28.0-2+deb13u1", "1:1.28.0-1~trixie", "2:1.28.0-1.el9"])
def test_the_version_is_read_from_the_installed_package(package: str) -> None:
    assert str(ROLE.evaluate("{{ __nginx_version }}", **installed(package))).startswith("1.28.0-")
    assert ROLE.evaluate("{{ __nginx_has_http2_directive }}", **installed(package)) is True


@every_server
def test_new_nginx_gets_the_http2_directive_and_old_nginx_the_parameter(server: dict[str, Any]) -> None:
    new, old = site(server, NEW), site(server, OLD)
    assert "http2 on;" in lines(new)
    assert not re.search(r"listen .* http2", new)
    assert "http2 on;" not in lines(old)
    assert "listen 443 ssl http2;" in lines(old)
    assert "listen [::]:443 ssl http2;" in lines(old)


@versions
@every_server
def test_plain_http_only_redirects(server: dict[str, Any], version: str) -> None:
    first = blocks(site(server, version), "server")[0]
    assert "listen 80;" in lines(first)
    assert f"server_name {' '.join(server['domains'])};" in lines(first)
    assert lines(first)[-1] == f"return 301 {server['url']}$request_uri;"
    assert "root" not in first


@versions
def test_further_domains_redirect_to_the_canonical_one(version: str) -> None:
    _, other, canonical = blocks(site(STATIC, version), "server")
    assert "server_name www.docs.example.org;" in lines(other)
    assert "return 301 https://docs.example.org:8443$request_uri;" in lines(other)
    assert "server_name docs.example.org;" in lines(canonical)


def test_a_site_with_one_domain_has_two_server_blocks() -> None:
    assert len(blocks(site(PHP), "server")) == 2


def test_ports_follow_the_inputs() -> None:
    text = site(STATIC, nginx_http_port=8080, nginx_https_port=8443)
    assert "listen 8080;" in lines(text)
    assert "listen 8443 ssl;" in lines(text)
    assert not re.search(r"listen (\[::\]:)?(80|443)\b", text)


@every_server
def test_each_site_has_logs_of_its_own(server: dict[str, Any]) -> None:
    logs = re.findall(r"(?:access|error)_log (\S+)", site(server))
    assert set(logs) == {f"/var/log/nginx/{server['name']}.access.log", f"/var/log/nginx/{server['name']}.error.log"}


def test_hsts_is_sent_only_where_it_is_promised() -> None:
    assert 'add_header Strict-Transport-Security "max-age=63072000" always;' in lines(site(STATIC))
    assert "Strict-Transport-Security" not in site(PHP)


@every_server
def test_every_site_sends_the_protective_headers(server: dict[str, Any]) -> None:
    canonical = blocks(site(server), "server")[-1]
    assert {
        "add_header X-Content-Type-Options nosniff always;",
        "add_header X-Frame-Options SAMEORIGIN always;",
        "add_header Referrer-Policy strict-origin-when-cross-origin always;",
    } <= set(lines(canonical))


@every_server
def test_no_location_of_a_site_drops_what_it_would_inherit(server: dict[str, Any]) -> None:
    """nginx drops all inherited headers or parameters in a block that adds one of its own."""
    server_level = [
        line for line in site(server).splitlines() if re.match(r"\s+(add_header|fastcgi_param|proxy_set_header) ", line)
    ]
    assert server_level
    assert [line for line in server_level if not re.match(r" {4}add_header ", line)] == []


def test_php_waits_as_long_as_the_site_says() -> None:
    assert "fastcgi_read_timeout 123s;" in lines(site(PHP))


def test_only_files_that_exist_are_handed_to_php() -> None:
    for block in blocks(site(PHP), r"location ~ \.php$"):
        assert lines(block)[0] == "try_files $uri =404;"
        assert "fastcgi_pass unix:/run/php-fpm/blog.sock;" in lines(block)


@pytest.mark.parametrize("path", ["/wp-content/uploads/", "/other/"])
def test_no_code_runs_where_visitors_write(path: str) -> None:
    [block] = blocks(site(PHP), f"location ^~ {path}")
    assert "fastcgi_pass" not in block
    assert "return 403;" in block


def test_a_static_site_never_runs_or_shows_code() -> None:
    text = site(STATIC)
    assert "fastcgi" not in text
    assert lines(blocks(text, r"location ~ \.php$")[0]) == ["return 404;"]


@pytest.mark.parametrize("server", [STATIC, PHP], ids=["static", "php"])
def test_hidden_files_are_not_served_except_well_known_ones(server: dict[str, Any]) -> None:
    canonical = blocks(site(server), "server")[-1]
    assert r"location ~ /\.(?!well-known/)" in canonical


def test_a_proxy_hands_everything_on() -> None:
    text = site(PROXY)
    assert "proxy_pass http://127.0.0.1:9000;" in lines(text)
    assert "proxy_read_timeout 45s;" in lines(text)
    assert "root " not in text


@versions
def test_unknown_names_are_refused_without_a_certificate(version: str) -> None:
    [default] = [block for block in blocks(main(version), "server") if "default_server" in block]
    assert "ssl_reject_handshake on;" in lines(default)
    assert "return 444;" in lines(default)
    assert "ssl_certificate " not in default
    assert len(re.findall(r"listen .* default_server", default)) == 4
    assert ("http2 on;" in lines(default)) is (version == NEW)


def test_the_status_page_is_on_loopback_only() -> None:
    [status] = [block for block in blocks(main(), "server") if "stub_status" in block]
    assert re.findall(r"listen (\S+);", status) == ["127.0.0.1:8081"]
    assert re.findall(r"location = (\S+)", status) == ["/nginx_status", "/fpm_status/blog"]


def test_worker_values_come_from_the_plan() -> None:
    text = main()
    assert "worker_processes 2;" in lines(text)
    assert int(re.findall(r"worker_rlimit_nofile (\d+);", text)[0]) >= 2 * int(
        re.findall(r"worker_connections (\d+);", text)[0]
    )


def test_worker_values_can_be_decided_by_hand() -> None:
    assert "worker_processes 7;" in lines(main(nginx_worker_processes=7))


def test_only_modern_tls_is_spoken() -> None:
    text = main()
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in lines(text)
    [ciphers] = re.findall(r"ssl_ciphers (\S+);", text)
    assert [
        cipher
        for cipher in ciphers.split(":")
        if not re.fullmatch(r"ECDHE-(ECDSA|RSA)-(AES\d+-GCM-SHA\d+|CHACHA20-POLY1305)", cipher)
    ] == []


def test_client_addresses_are_believed_only_from_named_proxies() -> None:
    assert "real_ip_header" not in main()
    text = main(nginx_trusted_proxies=["192.0.2.10", "2001:db8::/64"])
    assert re.findall(r"set_real_ip_from (\S+);", text) == ["192.0.2.10", "2001:db8::/64"]


@pytest.mark.parametrize("is_wanted", [True, False])
def test_compression_can_be_switched_off(is_wanted: bool) -> None:
    assert ("gzip on;" in lines(main(nginx_gzip=is_wanted))) is is_wanted


def test_the_httpoxy_header_never_reaches_an_application() -> None:
    assert 'fastcgi_param HTTP_PROXY "";' in lines(main())
    assert 'proxy_set_header Proxy "";' in lines(main())


def write_tree(folder: Path, version: str, **overrides: Any) -> Path:
    """The role's files below ``folder``, with what the test machine does not have replaced: user, certificates, log folder."""
    config = folder / "nginx"
    texts = {"nginx.conf": main(version, **overrides)}
    texts |= {f"conf.d/lemp-site-{server['name']}.conf": site(server, version, **overrides) for server in SERVERS}
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    request = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=t",
    ]
    subprocess.run([daemon("openssl"), *request, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    for name, text in texts.items():
        for old, new in {
            r"^user .*;$": "",
            r"/etc/nginx/modules-enabled/": f"{folder}/modules/",
            r"/etc/nginx": str(config),
            r"/var/log/nginx": str(folder),
            r"/run/nginx\.pid": f"{folder}/nginx.pid",
            r"ssl_certificate_key \S+;": f"ssl_certificate_key {key};",
            r"ssl_certificate \S+;": f"ssl_certificate {certificate};",
        }.items():
            text = re.sub(old, new, text, flags=re.M)
        path = config / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (config / "mime.types").write_text("types { text/html html; text/css css; }\n")
    return config / "nginx.conf"


def installed_version() -> tuple[int, ...]:
    shown = subprocess.run([daemon("nginx"), "-v"], capture_output=True, text=True, check=True).stderr
    return tuple(int(part) for part in re.findall(r"nginx/([\d.]+)", shown)[0].split("."))


def judge(configuration: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([daemon("nginx"), "-t", "-q", "-c", configuration], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "overrides",
    [{}, {"nginx_gzip": False, "nginx_trusted_proxies": ["192.0.2.10", "2001:db8::/64"]}],
    ids=["defaults", "alternative"],
)
@versions
def test_nginx_accepts_the_configuration(version: str, overrides: dict[str, Any], tmp_path: Path) -> None:
    if version == NEW and installed_version() < (1, 25, 1):
        pytest.skip(f"the nginx on this machine, {installed_version()}, does not know the directive http2 yet")
    done = judge(write_tree(tmp_path, version, **overrides))
    # An nginx from 1.25.1 on warns about the parameter http2 that an older one needs.
    warnings = [line for line in done.stderr.splitlines() if '"listen ... http2" directive is deprecated' not in line]
    assert (done.returncode, warnings) == (0, [])


def test_nginx_would_notice_a_broken_template(tmp_path: Path) -> None:
    configuration = write_tree(tmp_path, OLD)
    broken = configuration.parent / "conf.d" / "lemp-site-blog.conf"
    broken.write_text(broken.read_text().replace("fastcgi_read_timeout 123s", "fastcgi_read_timeout soon"))
    done = judge(configuration)
    assert done.returncode == 1
    assert "lemp-site-blog.conf" in done.stderr
