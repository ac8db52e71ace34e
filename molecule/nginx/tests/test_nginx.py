"""nginx answers known names, closes unknown ones and keeps what is private."""

import pytest

CURL = (
    "curl -sk -o /dev/null -w '%{http_code} %{redirect_url} %{http_version}' --max-time 5"
    " --resolve '*:443:127.0.0.1' --resolve '*:80:127.0.0.1'"
)


def fetch(host, url, options=""):
    """Return (exit status, output) of curl for a URL whose names all lead to this host."""
    result = host.run(f"{CURL} {options} {url}")
    return result.rc, result.stdout.split(" ")


def body(host, url):
    return host.check_output(f"curl -sk --max-time 5 --resolve '*:443:127.0.0.1' {url}")


def test_configuration_is_accepted_and_service_survives_a_boot(host):
    assert host.run("nginx -t").rc == 0
    assert host.service("nginx").is_running
    assert host.service("nginx").is_enabled


def test_static_site_serves_its_front_page_over_http2(host):
    assert body(host, "https://static.lemp.test/") == "static front page"
    _, (status, _, version) = fetch(host, "https://static.lemp.test/")
    assert (status, version) == ("200", "2")


def test_proxy_site_hands_on_to_the_backend(host):
    assert body(host, "https://proxy.lemp.test/") == "answer of the backend"


@pytest.mark.parametrize("name", ["static.lemp.test", "www.static.lemp.test", "proxy.lemp.test"])
def test_plain_http_redirects_to_the_canonical_address(host, name):
    _, (status, target, _) = fetch(host, f"'http://{name}/a?b=c'")
    canonical = name.removeprefix("www.")
    assert (status, target) == ("301", f"https://{canonical}/a?b=c")


def test_other_domain_redirects_to_the_canonical_one(host):
    _, (status, target, _) = fetch(host, "https://www.static.lemp.test/x")
    assert (status, target) == ("301", "https://static.lemp.test/x")


@pytest.mark.parametrize("url", ["http://unknown.lemp.test/", "https://unknown.lemp.test/", "http://127.0.0.1/"])
def test_unknown_name_gets_no_page(host, url):
    rc, (status, *_) = fetch(host, url)
    assert rc != 0
    assert status == "000"


def test_unknown_host_header_behind_a_known_tls_name_gets_no_page(host):
    rc, (status, *_) = fetch(host, "https://static.lemp.test/", "-H 'Host: unknown.lemp.test'")
    assert rc != 0
    assert status == "000"


@pytest.mark.parametrize(
    ("path", "status"), [("/.git/config", "404"), ("/uploads/x.php", "403"), ("/uploads/x.PHP", "403"), ("/absent", "404")]
)
def test_private_and_executable_files_are_refused(host, path, status):
    assert fetch(host, f"https://static.lemp.test{path}")[1][0] == status


@pytest.mark.parametrize(
    ("path", "status"), [("/media/uploads/x.php", "403"), ("/files/x.php", "403"), ("/media/style.css", "200")]
)
def test_aliases_serve_their_own_root_and_guard_uploads(host, path, status):
    assert fetch(host, f"https://php.lemp.test{path}")[1][0] == status


def test_headers_are_sent_also_where_caching_is_set(host):
    headers = host.check_output("curl -skI --resolve '*:443:127.0.0.1' https://static.lemp.test/style.css").lower()
    assert "x-content-type-options: nosniff" in headers
    assert "strict-transport-security: max-age=63072000" in headers
    assert "cache-control: max-age=604800" in headers
    assert "nginx/" not in headers


def test_status_is_on_loopback_only(host):
    assert "Active connections" in host.check_output("curl -s http://127.0.0.1:8081/nginx_status")
    listening = host.check_output("ss -Hltn")
    assert "127.0.0.1:8081" in listening
    assert "0.0.0.0:8081" not in listening


def test_worker_user_joined_the_group(host, row):
    assert "readers" in host.user(row("nginx")["user"]).groups


def test_each_site_has_its_own_logs_and_they_are_rotated(host):
    fetch(host, "https://static.lemp.test/logged")
    assert "GET /logged" in host.file("/var/log/nginx/static.access.log").content_string
    assert "static.access.log" in host.run("logrotate -d /etc/logrotate.d/nginx").stderr


def test_only_the_wanted_ports_listen(host):
    ports = {line.split()[3].rpartition(":")[2] for line in host.check_output("ss -Hltn").splitlines()}
    assert ports <= {"22", "80", "443", "8081", "9000"}
