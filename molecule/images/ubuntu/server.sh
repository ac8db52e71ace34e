#!/bin/sh
# What an installed Ubuntu Server has besides packages. Usage: server.sh ROOT
set -eu
root=$1

# cloud-init writes the network's configuration, readable by root alone. Nothing here may touch it.
mkdir -p "$root/etc/netplan"
cat >"$root/etc/netplan/50-cloud-init.yaml" <<'NETPLAN'
network:
  version: 2
  ethernets:
    eth0:
      dhcp4: true
NETPLAN
chmod 0600 "$root/etc/netplan/50-cloud-init.yaml"

# Where a socket starts sshd, the keys must be there before the first connection: `sshd -t` refuses to judge without them.
mkdir -p "$root/etc/systemd/system/ssh.socket.d"
printf '[Socket]\nExecStartPre=/usr/bin/ssh-keygen -A\n' >"$root/etc/systemd/system/ssh.socket.d/host-keys.conf"
