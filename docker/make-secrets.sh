#!/bin/sh
# Makes the files of `secrets/` that compose.yaml names, each readable by the one container that needs it. Run it once, as root, in
# this folder; files that are there already stay as they are. Keep a copy of visavis_storage_key: without it no backup can be read.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
random() { head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
keep() { # NAME OWNER: keeps standard input
    if [ ! -e "secrets/$1" ]; then
        cat >"secrets/$1.new"
        chmod 0400 "secrets/$1.new"
        chown "$2" "secrets/$1.new"
        mv "secrets/$1.new" "secrets/$1"
    fi
}
random 24 | keep postgres_password 999:999
printf 'postgresql+psycopg://visavis:%s@127.0.0.1:5432/visavis' "$(cat secrets/postgres_password)" | keep visavis_database 10001:10001
head -c 32 /dev/urandom | base64 | keep visavis_storage_key 10001:10001
random 32 | keep visavis_turn_secret 10001:10001
sed "s/^static-auth-secret=.*/static-auth-secret=$(cat secrets/visavis_turn_secret)/" turnserver.conf | keep turnserver_conf 65534:65534
if [ ! -e secrets/s3_credentials ]; then
    access=$(random 10) secret=$(random 24)
    printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$access" "$secret" | keep s3_credentials 10001:10001
    printf '{"identities": [{"name": "visavis", "credentials": [{"accessKey": "%s", "secretKey": "%s"}], "actions": ["Admin"]}]}\n' \
        "$access" "$secret" | keep s3_config 10002:10002
fi
