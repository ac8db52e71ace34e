#!/usr/bin/env bash
# The three ways in, each as a user would take it: a plain clone with ansible-core and requirements.yml only, the built
# collection installed elsewhere, and one role imported into somebody's own playbook. The hosts are containers reached over
# SSH; nothing of ours runs on the controller but Ansible.
. "$(dirname "$0")/../../tools/common.sh"

platform=${1:-debian13}
work=$root/.cache/entry_points
host=lemp-entry-$platform
alone=lemp-entry-alone-$platform
need curl curl
need ssh openssh-client
rm -rf "$work"
mkdir -p "$work/elsewhere"
trap 'docker rm -f "$host" "$alone" >/dev/null 2>&1' EXIT
ssh-keygen -q -t ed25519 -N '' -f "$work/key"

start() { # name
  start_host "$1" "$platform" 2048
  docker exec -i "$1" sh -c 'mkdir -p -m 0700 /root/.ssh && cat >/root/.ssh/authorized_keys' <"$work/key.pub"
}

address() { docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$1"; }

play() { # folder, log, arguments of ansible-playbook
  local folder=$1 log=$2; shift 2
  (
    cd "$folder"
    env -u ANSIBLE_COLLECTIONS_PATH HOME="$work/home" ANSIBLE_HOST_KEY_CHECKING=False ANSIBLE_PIPELINING=1 \
      ANSIBLE_INJECT_FACT_VARS=0 ANSIBLE_NOCOWS=1 "$work/venv/bin/ansible-playbook" --private-key "$work/key" "$@"
  ) >"$work/$log" 2>&1 || { tail -n 40 "$work/$log" >&2; fail "$log: that run failed"; }
  if grep -q 'DEPRECATION WARNING' "$work/$log"; then fail "$log: a deprecation warning"; fi
}

say "Three ways in ($platform): an environment with ansible-core alone"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "$(grep -m1 ansible-core .config/requirements-dev.txt | cut -d';' -f1)"
git clone -q "$root" "$work/clone"
# What `ansible-galaxy collection install -r requirements.yml -p collections` would bring.
for name in $(sed -nE 's/.*name: (.*)\..*/\1/p' requirements.yml | sort -u); do
  cp -r "collections/ansible_collections/$name" "$work/clone/collections/ansible_collections/"
done
start "$host"
overrides=(-e "ansible_host=$(address "$host")" -e baseline_container=true
  -e vault_blog_admin_password=entry-1 -e vault_blog_database_password=entry-2 -e vault_blog_cache_password=entry-3)

say "1. A plain clone: ansible-playbook -i inventories/single site.yml"
play "$work/clone" clone.log -i inventories/single site.yml "${overrides[@]}"
shows 'Notes from the server room' \
  docker exec "$host" curl -sk --resolve blog.example.org:443:127.0.0.1 https://blog.example.org/ ||
  fail "the blog of inventories/single does not show its title"

say "2. The built collection: ansible-playbook lemp.stack.site"
"$work/venv/bin/ansible-galaxy" collection build --output-path "$work" "$work/clone" >/dev/null
mkdir -p "$work/home/.ansible/collections"
cp -r "$work/clone/collections/ansible_collections" "$work/home/.ansible/collections/"
rm -rf "$work/home/.ansible/collections/ansible_collections/lemp"
HOME="$work/home" "$work/venv/bin/ansible-galaxy" collection install --offline --no-deps -p "$work/home/.ansible/collections" \
  "$work"/lemp-stack-*.tar.gz >"$work/install.log" 2>&1 || fail "the built collection cannot be installed: $(tail -n 3 "$work/install.log")"
cp -r inventories/single "$work/elsewhere/inventory"
play "$work/elsewhere" installed.log -i inventory lemp.stack.site "${overrides[@]}"
grep -qE 'vps .*changed=0 ' "$work/installed.log" || { grep '^changed' "$work/installed.log" >&2; fail "the installed collection changes what the clone did"; }

say "3. One role in somebody's own playbook, with nothing else of ours in it"
start "$alone"
mkdir -p "$work/elsewhere/public"
cat >"$work/elsewhere/own.yml" <<'EOF'
---
- name: Somebody's own play
  hosts: all
  tasks:
    - name: Make a certificate
      ansible.builtin.shell: >-
        apt-get update -qq && apt-get install -qq -y --no-install-recommends openssl >/dev/null && mkdir -p /srv/own &&
        echo own page >/srv/own/index.html && openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=own.example.org
        -keyout /etc/ssl/own.key -out /etc/ssl/own.pem

    - name: Run nginx
      ansible.builtin.import_role:
        name: lemp.stack.nginx
      vars:
        nginx_servers:
          - name: own
            kind: static
            domains: [own.example.org]
            url: https://own.example.org
            certificate: /etc/ssl/own.pem
            key: /etc/ssl/own.key
            root: /srv/own
EOF
play "$work/elsewhere" role.log -i "$(address "$alone")," -u root own.yml
shows 'own page' curl -sk --resolve "own.example.org:443:$(address "$alone")" https://own.example.org/ ||
  fail "the imported role serves no page"

say "All three ways in work"
