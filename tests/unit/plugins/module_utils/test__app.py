"""What runs on each site: paths, owners, units, archives, and what is refused."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._app import OBJECT_CACHE, links, object_caches, plan, problems, salts

ROOT = "/usr/share/wordpress"
CHECKSUM = "sha256:" + "0123456789abcdef" * 4


DEBIAN = {
    "php": "php%s",
    "wordpress_packages": ["php-fpm", "php", "wordpress"],
    "wordpress_language_packages": ["wordpress-l10n"],
}
EL = {"php": "php", "wordpress_packages": [], "wordpress_language_packages": []}


def site(name: str, recipe: str = "none", **changes: Any) -> dict[str, Any]:
    given = {
        "name": name,
        "user": name,
        "home": f"/srv/www/{name}",
        "root": f"/srv/www/{name}/public",
        "domain": f"{name}.example.org",
        "url": f"https://{name}.example.org",
        "recipe": recipe,
    }
    return {**given, **changes}


def blog(name: str = "blog", wordpress: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    given = {"title": "T", "admin_user": "anna", "admin_email": "a@example.org", "admin_password": "admin-secret"}
    database = {"name": name, "user": name, "password": "database-secret"}
    defaults = {"root": ROOT, "wordpress": {**given, **(wordpress or {})}, "database": database}
    return site(name, "wordpress", **{**defaults, **changes})


def news(name: str = "news", **wordpress: Any) -> dict[str, Any]:
    archive = {"source": "archive", "archive_url": "https://example.org/w.tar.gz", "archive_checksum": CHECKSUM, **wordpress}
    return blog(name, archive, root=f"/srv/www/{name}/public")


CRM = site("crm", "php", root="/srv/crm/public")
ALL = [blog(), news(), CRM, site("docs")]


def planned(*sites: dict[str, Any]) -> dict[str, Any]:
    return plan(list(sites), DEBIAN)


def by_path(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    key = "path" if "path" in entries[0] else "dest"
    found = {entry[key]: entry for entry in entries}
    assert len(found) == len(entries), "a path is asked for twice"
    return found


# Problems


def test_good_sites_have_no_problem() -> None:
    assert problems(ALL) == []
    assert problems([]) == []


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (blog(database=None), "blog has recipe wordpress, which needs wordpress and database; add what is missing."),
        (site("blog", "wordpress"), "blog has recipe wordpress, which needs wordpress and database; add what is missing."),
        (news(archive_url=None), "news has wordpress.source archive, which needs archive_url and archive_checksum"),
        (blog(wordpress={"table_prefix": "a`b"}), "wordpress.table_prefix of blog is a`b; use up to 32 letters"),
        (
            blog(cache={"engine": "redis", "host": "/x", "prefix": "blog:", "user": "blog"}),
            "cache of blog is redis, which needs user and password; add what is missing.",
        ),
        (site("docs", user="../x"), "user of docs is ../x; use up to 31 lower-case letters"),
        (site("docs", domain="a/b"), "domain of docs is a/b; use letters, digits"),
        (site("docs", home="srv"), "home of docs is srv; write an absolute path."),
    ],
)
def test_what_cannot_be_set_up_is_named_with_its_remedy(bad: dict[str, Any], sentence: str) -> None:
    [said] = problems([bad])
    assert said.startswith(f"app_sites: {sentence}")
    assert planned(bad) == {"problems": [said], "probes": [], "existing": []}


@pytest.mark.parametrize("key", ["user", "home", "domain"])
def test_two_wordpress_sites_need_paths_of_their_own(key: str) -> None:
    [said] = problems([blog("a"), blog("b", **{key: blog("a")[key]})])
    assert f"b and a share the {key} {blog('a')[key]}" in said


def test_a_name_is_of_one_site() -> None:
    assert "share the name docs" in problems([site("docs"), site("docs")])[0]


def test_sites_without_wordpress_may_share_a_user() -> None:
    shared = site("b", user="a", home="/srv/www/a", root="/srv/www/a/b")
    assert problems([site("a"), shared]) == []
    made = planned(site("a"), shared)
    assert made["users"] == [{"name": "a", "comment": "Site a", "home": "/srv/www/a"}]
    assert list(by_path(made["directories"])) == ["/srv/www", "/srv/www/a", "/srv/www/a/public", "/srv/www/a/b"]


def test_no_sentence_holds_a_password() -> None:
    bad = [blog("a", user="X", wordpress={"table_prefix": "-"}), news("b", archive_url=None), blog("c"), blog("c")]
    for said in problems(bad):
        assert "secret" not in said


# What is looked for


def test_a_platform_without_a_package_of_wordpress_takes_archives() -> None:
    assert plan([blog(), news()], EL)["problems"] == [
        "app_sites: wordpress.source of blog is package, but this platform has no package of WordPress; use archive, with"
        " archive_url and archive_checksum."
    ]
    made = plan([news(php_version="8.3")], EL)
    assert made["packages"] == ["tar"]
    assert {entry["php"] for entry in made["tables"]} == {"php"}


def test_existing_applications_have_to_be_there_and_archives_are_looked_for() -> None:
    made = planned(*ALL)
    assert made["probes"] == [
        "/srv/crm/public/.",
        "/srv/www/news/public/.lemp-0123456789abcdef",
        "/srv/www/blog/wp-content/object-cache.php",
        "/srv/www/news/public/wp-content/object-cache.php",
    ]
    [existing] = made["existing"]
    assert existing["path"] == "/srv/crm/public/."
    assert existing["problem"].startswith(
        "app_sites: crm serves /srv/crm/public, which is no directory on this host; create it"
    )
    assert planned(site("docs"))["probes"] == []


# Paths


def test_a_site_gets_a_home_that_its_neighbours_cannot_enter() -> None:
    directories = by_path(planned(site("docs"))["directories"])
    assert directories["/srv/www"] == {"path": "/srv/www", "owner": "root", "group": "root", "mode": "0711"}
    for path in ("/srv/www/docs", "/srv/www/docs/public"):
        assert directories[path] == {"path": path, "owner": "root", "group": "docs", "mode": "0750"}


def test_an_existing_application_keeps_its_directory() -> None:
    inside = site("crm", "php")
    for given in (CRM, inside):
        assert given["root"] not in by_path(planned(given)["directories"])


@pytest.mark.parametrize("allowed", [True, False, "yes", "false"])
def test_only_uploads_are_writable_unless_code_may_change(allowed: bool | str) -> None:
    for given, content in (
        (blog(wordpress={"file_mods": allowed}), "/srv/www/blog"),
        (news(file_mods=allowed), "/srv/www/news/public"),
    ):
        directories = by_path(planned(given)["directories"])
        owner = given["user"] if allowed in (True, "yes") else "root"
        for name in ("", "/plugins", "/themes", "/languages"):
            assert directories[f"{content}/wp-content{name}"]["owner"] == owner
        assert directories[f"{content}/wp-content/uploads"]["owner"] == given["user"]


def test_parents_come_before_what_they_hold() -> None:
    paths = [entry["path"] for entry in planned(*ALL)["directories"]]
    for number, path in enumerate(paths):
        assert path.rpartition("/")[0] not in paths[number:]


def test_the_package_brings_its_themes_by_links() -> None:
    directories = planned(blog(), news())["theme_directories"]
    assert links(directories, ["one", "two"], ROOT) == [
        {"dest": f"/srv/www/blog/wp-content/themes/{name}", "target": f"{ROOT}/wp-content/themes/{name}"}
        for name in ("one", "two")
    ]
    assert links(directories, [], ROOT) == []


CACHE = {"engine": "redis", "host": "/x", "prefix": "blog:", "user": "blog", "password": "cache-secret"}


def test_only_wordpress_with_a_cache_wants_an_object_cache() -> None:
    assert planned(blog(cache=CACHE), news(), site("docs"))["object_caches"] == [
        {"path": "/srv/www/blog/wp-content/object-cache.php", "wanted": True},
        {"path": "/srv/www/news/public/wp-content/object-cache.php", "wanted": False},
    ]


@pytest.mark.parametrize(
    ("found", "links", "owned", "foreign"),
    [
        ([], ["/a"], [], []),
        ([f"/a -> {OBJECT_CACHE}", f"/b -> {OBJECT_CACHE}", f"/c -> {OBJECT_CACHE}"], ["/a"], ["/a", "/b"], []),
        (["/a", "/b"], [], [], ["/a"]),
        (["/a -> /srv/other.php", "/b -> /srv/other.php"], [], [], ["/a"]),
    ],
    ids=["bare host", "both had one", "files of others", "links of others"],
)
def test_object_caches_of_others_are_left_alone(
    found: list[str], links: list[str], owned: list[str], foreign: list[str]
) -> None:
    made = object_caches([{"path": "/a", "wanted": True}, {"path": "/b", "wanted": False}], found)
    assert made == {
        "links": [{"dest": path, "target": OBJECT_CACHE} for path in links],
        "owned": owned,
        "foreign": foreign,
    }


def test_secrets_are_for_the_site_alone_and_never_shown() -> None:
    files = by_path(planned(*ALL)["files"])
    for path, group in (
        ("/srv/www/blog/wp-salts.php", "blog"),
        ("/etc/wordpress/config-blog.example.org.php", "blog"),
        ("/srv/www/news/wp-salts.php", "news"),
        ("/srv/www/news/wp-config.php", "news"),
    ):
        assert (files[path]["mode"], files[path]["group"], files[path]["sensitive"]) == ("0640", group, True)
        assert files[path].get("owner", "root") == "root"
    for path in ("/etc/lemp/wordpress-blog.conf", "/usr/local/lib/lemp/wordpress-check.php"):
        assert "sensitive" not in files[path]


def test_every_template_exists() -> None:
    from templating import ROOT as CHECKOUT

    for entry in planned(*ALL)["files"]:
        if "src" in entry:
            assert (CHECKOUT / "roles" / "app" / "templates" / entry["src"]).is_file()


def test_salts_are_kept_once_they_are_there() -> None:
    files = by_path(planned(*ALL)["files"])
    assert files["/srv/www/blog/wp-salts.php"]["force"] is False
    assert files["/srv/www/blog/wp-salts.php"]["content"] != files["/srv/www/news/wp-salts.php"]["content"]


def test_salts_are_eight_long_values_that_php_can_read() -> None:
    found = re.findall(r"^define\('([A-Z_]+)', '([^'\\]{64})'\);$", salts(), re.M)
    assert len(found) == len(dict(found)) == len({value for _, value in found}) == 8
    assert salts().startswith("<?php\n")
    assert salts() != salts()


def test_each_wordpress_has_a_timer_and_the_file_that_it_reads() -> None:
    made = planned(*ALL)
    assert [unit["name"] for unit in made["units"]] == ["lemp-wordpress-cron@blog.timer", "lemp-wordpress-cron@news.timer"]
    assert made["owned"] == ["/etc/lemp/wordpress-*.conf"]
    assert made["instances"] == ["/etc/lemp/wordpress-blog.conf", "/etc/lemp/wordpress-news.conf"]
    assert set(made["instances"]) <= set(by_path(made["files"]))


def test_without_wordpress_nothing_of_it_is_set_up() -> None:
    made = planned(CRM, site("docs"))
    for key in (
        "wordpress",
        "packages",
        "theme_directories",
        "object_caches",
        "files",
        "instances",
        "validators",
        "units",
        "archives",
        "tables",
    ):
        assert made[key] == [], key
    assert made["owned"]


# Packages, archives, tables


@pytest.mark.parametrize(
    ("sites", "packages"),
    [
        ([blog()], ["php-fpm", "php", "wordpress"]),
        ([blog(wordpress={"language": "de_DE"})], ["php-fpm", "php", "wordpress", "wordpress-l10n"]),
        ([news()], ["tar"]),
        ([news(language="de_DE"), CRM], ["tar"]),
        ([], []),
    ],
)
def test_only_what_recipes_need_is_installed(sites: list[dict[str, Any]], packages: list[str]) -> None:
    assert planned(*sites)["packages"] == packages


def test_an_archive_is_unpacked_into_the_document_root() -> None:
    [archive] = planned(*ALL)["archives"]
    assert archive["root"] == "/srv/www/news/public"
    assert archive["content"] == "/srv/www/news/public/wp-content"
    assert archive["marker"] == "/srv/www/news/public/.lemp-0123456789abcdef"
    assert archive["path"] == "/var/cache/lemp-wordpress-0123456789abcdef.tar.gz"
    assert (archive["user"], archive["may_change_code"]) == ("news", False)
    assert "secret" not in json.dumps(archive)


def test_tables_are_made_by_the_php_of_the_site() -> None:
    made = planned(blog(php_version="8.4"), news())
    assert [row["php"] for row in made["tables"]] == ["php8.4", "php"]
    assert [row["name"] for row in made["tables"]] == made["wordpress"] == ["blog", "news"]
    assert set(made["tables"][0]["database"]) == {"name", "user", "password"}
    assert [entry["vars"]["__app_php"] for entry in made["files"] if "__app_php" in entry.get("vars", {})] == ["php8.4", "php"]


def test_one_process_judges_all_php_files() -> None:
    [command] = planned(*ALL)["validators"]
    assert command[:2] == ["php", "-r"]
    assert command[-2:] == ["/etc/wordpress/config-blog.example.org.php", "/srv/www/news/wp-config.php"]
    assert "secret" not in " ".join(command)
