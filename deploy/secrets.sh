#!/bin/sh
# Makes the secrets of compose.yaml that are not there yet, in deploy/secrets: random, for this folder's owner only.
set -eu
umask 077
folder=$(dirname "$0")/secrets
mkdir -p "$folder"
random() { od -vAn -N32 -tx1 /dev/urandom | tr -d ' \n'; }
make() {
    if [ ! -s "$folder/$1" ]; then
        printf '%s' "$2" >"$folder/$1"
        echo "made $folder/$1"
    fi
    # Containers run as users of their own, so the files are open to all; their folder is not.
    chmod 444 "$folder/$1"
}
for role in owner ingest api admin backup; do
    make ${role}_password "$(random)"
    case $role in owner) login=tsuji ;; *) login=tsuji_$role ;; esac
    make ${role}_url "postgresql://$login:$(cat "$folder/${role}_password")@database/tsuji"
done
make dashboard_key "$(random)"
