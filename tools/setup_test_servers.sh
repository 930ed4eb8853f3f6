#!/bin/bash
# Installs the programs that tests start privately: PostgreSQL, MariaDB, Ceph's radosgw, exiftool,
# Chromium.
#
# Only programs are wanted: no service is started, and nothing of a running one is touched. Without
# root or apt it says what to install; with CI=true or LADING_REQUIRE_ALL=1 that is an error.
set -euo pipefail

have() {
    PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$1" >/dev/null 2>&1
}

have_postgresql() {
    have initdb && return
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

# As the tests find it; Debian calls it chromium.
have_chromium() {
    [ -x "${CHROMIUM:-}" ] && return
    have chromium || have chromium-browser || have google-chrome
}

servers=()
have_postgresql || servers+=(postgresql)
{ have mariadbd && have mariadb-install-db; } || servers+=(mariadb-server)
for program in ceph-mon ceph-osd radosgw; do
    have "$program" || servers+=("$program")
done
have ceph-authtool || servers+=(ceph-common)
# What facts of pictures and videos are compared with.
have exiftool || servers+=(libimage-exiftool-perl)
browser=()
# Without a font, its pictures of pages are empty boxes.
have_chromium || browser+=(chromium fonts-dejavu-core)
missing=("${servers[@]}" "${browser[@]}")

if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

required=no
if [ "${CI:-}" = true ] || [ "${LADING_REQUIRE_ALL:-}" = 1 ]; then
    required=yes
fi

if [ "$(id -u)" -ne 0 ] || ! have apt-get; then
    echo "Tests that need these programs will be skipped: ${missing[*]}" >&2
    echo "On Debian and Ubuntu: sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    [ "$required" = no ]
    exit
fi

# dpkg asks this program before it starts a service; 101 means no.
policy=/usr/sbin/policy-rc.d
remove_policy() { :; }
if [ ! -e "$policy" ]; then
    remove_policy() { rm -f "$policy"; }
    trap remove_policy EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
# Nor does PostgreSQL's package need to make a cluster that nobody will start.
cluster_settings=/etc/postgresql-common/createcluster.conf
if [[ " ${missing[*]} " == *" postgresql "* ]] && [ ! -e "$cluster_settings" ]; then
    mkdir -p "${cluster_settings%/*}"
    echo 'create_main_cluster = false' >"$cluster_settings"
fi

log=$(mktemp)
apt_install() {
    [ $# -eq 0 ] || DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet \
        --no-install-recommends -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold "$@"
}
# Ubuntu has no package of Chromium; that must not keep the servers away.
install_missing() {
    local status=0
    apt_install "${servers[@]}" || status=$?
    apt_install "${browser[@]}" || status=$?
    return "$status"
}
echo "Installing for tests: ${missing[*]}"
if ! { apt-get update --quiet && install_missing; } >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "Installing ${missing[*]} failed; tests that need them will be skipped." >&2
    rm -f "$log"
    [ "$required" = no ]
    exit
fi
rm -f "$log"
