#!/bin/sh
# User data for one host of a drill cell, run once by cloud-init as root: a venv from the wheel, stand-ins for
# the product, and the agent's units. With the real product, bring its image and leave out what is marked
# "stand-in"; the rest is the same.
#
# SOURCE is a folder, on S3 or on this host, that holds picoha's wheel, the wheels it needs (`pip wheel`), and
# the folder ha-scripts of examples/. No package index is asked: a host must come up while the index is away.
#
# The launch goes on without waiting for anything here. The host is held by the group's launch hook
# `picoha-launch`; the agent waits in it for the grant, and nothing starts before.
set -eu

source=${SOURCE:-s3://example-bucket/picoha}
python=${PYTHON:-python3.11}
owner=${OWNER:-mzadmin}
root=${ROOT:-} # another root directory, for a trial run: no user is made and nothing is told to systemd
metadata=${METADATA:-http://169.254.169.254}/latest
here=$root/opt/picoha
mz_home=$root/opt/mz
config=$root/etc/picoha/agent.toml

mkdir -p "$here/wheels" "$mz_home/run" "$mz_home/answers" "$root/etc/picoha"
case $source in
s3://*) aws s3 cp --quiet --recursive "$source" "$here/wheels" ;;
*) cp -R "$source/." "$here/wheels" ;;
esac

"$python" -m venv "$here/venv"
"$here/venv/bin/pip" install --quiet --no-index --upgrade "$here"/wheels/*.whl

# Stand-in: the owner of MZ_HOME, and the vendor's four scripts.
if [ -z "$root" ] && ! id "$owner" >/dev/null 2>&1; then
	useradd --create-home "$owner"
fi
rm -rf "$mz_home/ha"
cp -R "$here/wheels/ha-scripts" "$mz_home/ha"
chmod 0755 "$mz_home"/ha/*

# Stand-in: a product with the picos of this host's own tag, one line each: name and HA monitor port.
token=$(curl -sf -X PUT "$metadata/api/token" -H "X-aws-ec2-metadata-token-ttl-seconds: 300")
curl -sf "$metadata/meta-data/tags/instance/picoha:picos" -H "X-aws-ec2-metadata-token: $token" |
	tr ' ' '\n' | awk -F: 'NF > 1 { print $1, $2 }' >"$mz_home/picos"
chown -R "$owner:" "$mz_home"

# Settings that are there already are the owner's, and stay.
[ -e "$config" ] || cat >"$config" <<END
mz_home = "$mz_home"
java_home = "/usr"
owner = "$owner"
scripts_dir = "$mz_home/ha"
END
exec "$here/venv/bin/picoha-agent" install --root "${root:-/}" --enable
