#!/bin/bash
# Run once by the user data of examples/cell.yaml, as root: installs picoha-agent beside stand-ins for the product.
# With the real product, leave out what is marked "stand-in" and bring its image instead.
set -euo pipefail
here=/opt/picoha
mz_home=/opt/mz

dnf install --assumeyes --quiet python3.11
python3.11 -m venv "$here/venv"
"$here/venv/bin/pip" install --quiet "$here"/picoha-*.whl

# Stand-in: an owner, the four HA scripts, and one line for each pico of this slot with its HA monitor port.
id mzadmin >/dev/null 2>&1 || useradd --create-home mzadmin
mkdir -p "$mz_home/run" "$mz_home/answers"
cp -r "$here/ha-scripts" "$mz_home/ha"
chmod 0755 "$mz_home/ha"/*
metadata=http://169.254.169.254/latest
token=$(curl --silent --fail --request PUT "$metadata/api/token" --header "X-aws-ec2-metadata-token-ttl-seconds: 300")
tag() { curl --silent --fail "$metadata/meta-data/tags/instance/picoha:$1" --header "X-aws-ec2-metadata-token: $token"; }
tag picos | tr ' ' '\n' | awk -F: 'NF { print $1, $2 }' >"$mz_home/picos"
chown -R mzadmin: "$mz_home"

# Stand-in: what a boot unit of the owner does where picoha only observes. Behind an armed gate never run it.
cat >"$here/start-stand-ins" <<'END'
#!/bin/bash
while read -r pico port; do
	runuser -u mzadmin -- /opt/mz/ha/online /usr /opt/mz mzadmin "$pico"
done </opt/mz/picos
END
chmod 0755 "$here/start-stand-ins"

# Stand-in: the Platform's RCP port, by which the other hosts' agents tell a silent agent from a dead host.
if [ "$(tag kind)" = platform ]; then
	cat >/etc/systemd/system/stand-in-rcp.service <<'END'
[Service]
ExecStart=/usr/bin/python3 -m http.server 6790 --directory /var/empty
DynamicUser=yes
Restart=always
[Install]
WantedBy=multi-user.target
END
	mkdir -p /var/empty
	systemctl enable --now stand-in-rcp
fi

mkdir -p /etc/picoha
cat >/etc/picoha/agent.toml <<END
mz_home = "$mz_home"
java_home = "/usr"
owner = "mzadmin"
scripts_dir = "$mz_home/ha"
END
exec "$here/venv/bin/picoha-agent" install --enable
