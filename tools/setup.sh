# Sets up what Offhook needs on Debian 12. Sourced by ./run, ./test and ./offhook; docs/decisions/0003 gives the reasons.
# Call `set_up run` or `set_up test`. A second call finds its stamp, takes milliseconds and asks no package source.
# shellcheck shell=bash
set -euo pipefail
export LC_ALL=C.UTF-8 TZ=UTC
PATH=$PATH:/usr/sbin:/sbin # where Debian keeps kamailio and dpkg's own programs, not on everybody's path
umask 022

ROOT=$(cd -- "${BASH_SOURCE[0]%/*}/.." && pwd -P)
PYTHON=$ROOT/.venv/bin/python
STATE=$ROOT/.setup
LOGS=$STATE

RUN_PACKAGES=(
  python3-venv
  kamailio kamailio-sqlite-modules kamailio-tls-modules kamailio-json-modules kamailio-utils-modules kamailio-extra-modules
  rtpengine-daemon
  redis-server # keeps rtpengine's calls when it dies
  asterisk-moh-opsound-wav # music on hold
)
TEST_PACKAGES=(
  sip-tester baresip-core sipsak sipvicious shellcheck
  postgresql # the tests start a server of their own
)

# Units that the packages above would start under systemd, each with the package that brings it.
UNITS=(
  kamailio:kamailio
  rtpengine-daemon:rtpengine-daemon
  rtpengine:rtpengine-daemon
  redis-server:redis-server
)

say() { printf '%s\n' "$*" >&2; }
refuse() { say "offhook: $*"; exit 1; }

# What set-up of this kind is made of; a stamp that holds the same text means there is nothing to do.
wanted() {
  printf '%s\n' "$ROOT"
  sha256sum "$(lock_of "$1")" "$ROOT/tools/setup.sh"
}
lock_of() { case $1 in run) echo "$ROOT/requirements.lock" ;; test) echo "$ROOT/requirements-test.lock" ;; esac; }
packages_of() { printf '%s\n' "${RUN_PACKAGES[@]}"; if [ "$1" = test ]; then printf '%s\n' "${TEST_PACKAGES[@]}"; fi; }

is_ready() {
  local stamp=$STATE/$1.stamp
  [ -r "$stamp" ] || { [ "$1" = run ] && is_ready test; return; } # the test set-up holds all of the run set-up
  [ -x "$PYTHON" ] && type -P kamailio >/dev/null && type -P rtpengine >/dev/null && [ "$(wanted "$1")" = "$(<"$stamp")" ]
}

set_up() {
  local kind=$1
  shift
  hand_clone_back "$kind" "$@"
  is_ready "$kind" && return
  mkdir -p "$STATE"
  ( # the lock ends with this subshell, so that no engine started later holds it
    flock --nonblock 9 || { say "Another set-up is at work here; waiting for it ..."; flock 9; }
    is_ready "$kind" && exit
    install_packages "$kind"
    install_python "$kind"
    wanted "$kind" >"$STATE/$kind.stamp.new"
    mv "$STATE/$kind.stamp.new" "$STATE/$kind.stamp"
    say "Set-up is complete."
  ) 9>"$STATE/lock" </dev/null
}

# Root in somebody else's clone would leave files there that the owner cannot change: root installs the packages, the owner does the rest.
hand_clone_back() {
  local kind=$1 owner
  shift
  [ "$EUID" = 0 ] || return 0
  owner=$(stat -c %u "$ROOT")
  [ "$owner" != 0 ] || return 0
  LOGS=$(mktemp -d)
  install_packages "$kind"
  rm -r "$LOGS"
  exec setpriv --reuid="$owner" --regid="$(stat -c %g "$ROOT")" --init-groups \
    env HOME="$(getent passwd "$owner" | cut -d: -f6)" "$0" "$@"
}

missing_packages() {
  local package
  packages_of "$1" | while read -r package; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$1")
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || refuse "this set-up knows Debian 12; here there is no apt-get. Install: ${missing[*]}"
  [ "$EUID" = 0 ] || command -v sudo >/dev/null \
    || refuse "packages are missing and there is no sudo. As root: apt-get install --no-install-recommends ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  say "Installing ${#missing[@]} Debian packages (about a minute): ${missing[*]}"
  apt_get --simulate install "${missing[@]}" 2>/dev/null || fetch_lists
  local hooks=(-o "DPkg::Pre-Invoke::=$(before_dpkg "${missing[@]}")" -o "DPkg::Post-Invoke::=$AFTER_DPKG")
  apt_get "${hooks[@]}" install "${missing[@]}" || { fetch_lists && apt_get "${hooks[@]}" install "${missing[@]}"; } || apt_failed
}

fetch_lists() { say "Fetching the lists of Debian packages ..."; apt_get update || apt_failed; }
apt_failed() { tail -n 20 "$LOGS/apt.log" >&2; refuse "apt-get failed; its last lines stand above, all of them in $LOGS/apt.log"; }
apt_get() {
  local sudo=()
  [ "$EUID" = 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get --quiet --yes --no-install-recommends -o DPkg::Lock::Timeout=600 -o APT::Update::Error-Mode=any "$@" >>"$LOGS/apt.log" 2>&1
}

# Debian starts kamailio and rtpengine as soon as they are installed, on the ports we use; so their units are masked before that. An engine that was here
# before us is somebody's, and stays as it is. A mask is a link and needs no systemd at work; nothing here ever removes one. Of PostgreSQL we want the
# programs alone: told to make no cluster, Debian has none to start. Without systemd at work Debian would run the init scripts; a policy file says no to that
# while dpkg works. apt itself runs these lines, as root: a user needs sudo for apt-get alone.
POLICY=/usr/sbin/policy-rc.d
NO_CLUSTER=/etc/postgresql-common/createcluster.d/offhook.conf
before_dpkg() {
  local entry unit
  for entry in "${UNITS[@]}"; do
    [[ " $* " == *" ${entry#*:} "* ]] || continue
    unit=/etc/systemd/system/${entry%%:*}.service
    echo "[ -e $unit ] || [ -L $unit ] || { mkdir -p /etc/systemd/system && ln -s /dev/null $unit; };"
  done
  if [[ " $* " == *" postgresql "* ]]; then
    printf '%s\n' "mkdir -p ${NO_CLUSTER%/*} && printf '# offhook set-up\ncreate_main_cluster = false\n' >$NO_CLUSTER;"
  fi
  printf '%s\n' "[ -d /run/systemd/system ] || [ -e $POLICY ] || { printf '#!/bin/sh\n# offhook set-up\nexit 101\n' >$POLICY && chmod 755 $POLICY; }"
}
AFTER_DPKG="if grep -qs '^# offhook set-up' $POLICY; then rm $POLICY; fi; rm -f $NO_CLUSTER"

install_python() {
  local log=$LOGS/pip.log
  if ! "$PYTHON" -c 'import pip' 2>/dev/null || ! grep -qF "$PYTHON" "$ROOT/.venv/bin/pip"; then
    say "Making the Python environment in .venv ..."
    /usr/bin/python3 -m venv --clear "$ROOT/.venv" >>"$log" 2>&1 || pip_failed
  fi
  say "Installing Python packages (about a minute) ..."
  "$PYTHON" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes --no-deps --only-binary :all: \
    -r "$(lock_of "$1")" >>"$log" 2>&1 || pip_failed
  printf '%s\n' "$ROOT/src" >"$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/offhook.pth"
}
pip_failed() { tail -n 20 "$LOGS/pip.log" >&2; refuse "pip failed; its last lines stand above, all of them in $LOGS/pip.log"; }
