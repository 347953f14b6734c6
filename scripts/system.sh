# SPDX-License-Identifier: Apache-2.0
# Sourced by setup.sh: what the machine itself must have. Capabilities are checked, packages are only named to get them.
# shellcheck shell=bash

python_works() { # INTERPRETER: one of the supported versions?
  "$1" -c 'import sys; raise SystemExit(sys.version_info[:2] not in ((3, 11), (3, 12)))' >/dev/null 2>&1
}

find_python() { # prints an interpreter of a supported version, or nothing
  local candidate candidates=(python3 python3.12 python3.11 /usr/bin/python3 /usr/bin/python3.12 /usr/bin/python3.11)
  [[ $SYSTEM_ROS == 1 ]] && candidates=(/usr/bin/python3) # ROS's own modules are built for it
  [[ -n ${PYTHON:-} ]] && candidates=("$PYTHON")
  for candidate in "${candidates[@]}"; do
    python_works "$candidate" && { command -v "$candidate"; return; }
  done
  return 0
}

has_library() { # NAME: a shared library that the loader finds
  { ldconfig -p 2>/dev/null || /sbin/ldconfig -p; } | grep -q "[[:space:]]$1 "
}

check_named_python() { # a PYTHON that the user names is used or refused, never replaced
  [[ -z ${PYTHON:-} ]] || python_works "$PYTHON" || fail "PYTHON='$PYTHON' is not a Python 3.11 or 3.12; name one that is, or unset PYTHON."
}

check_place() { # refuses a clone in a folder that a tool of the build cannot work with, before anything is downloaded
  local LC_ALL=C wrong # letters are those of ASCII: rosidl's CMake loses others
  wrong=${ROOT//[A-Za-z0-9\/._ +=@~,-]/}
  [[ -z $wrong ]] || fail "this clone is in '$ROOT', and the build does not work with '$wrong' in a path. \
Valid: ASCII letters, digits, spaces and . _ - + = @ ~ , in the name of a folder. Move the clone, then run the same command again."
}

missing_packages() { # prints the Debian names of what this machine lacks
  local python version
  python=$(find_python)
  if [[ -z $python ]]; then
    printf 'python3 python3-venv python3-dev '
  else
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    "$python" -c 'import venv, ensurepip' 2>/dev/null || printf 'python%s-venv ' "$version"
    "$python" -c 'import pathlib, sysconfig as s; raise SystemExit(not pathlib.Path(s.get_paths()["include"], "Python.h").is_file())' ||
      printf 'python%s-dev ' "$version"
  fi
  command -v g++ >/dev/null || printf 'g++ '
  command -v make >/dev/null || printf 'make '
  if ! has_library libOSMesa.so.8 && ! { has_library libEGL.so.1 && has_library libGL.so.1; }; then printf 'libegl1 libgl1 '; fi
}

install_packages() { # NAME...: with apt as root or by sudo; otherwise says what to type
  local as=()
  local command="apt-get update && apt-get install -y --no-install-recommends $*"
  command -v apt-get >/dev/null || fail "this machine lacks what these Debian packages hold: $*. Install their like with its own package manager."
  if [[ $(id -u) != 0 ]]; then
    sudo -n true 2>/dev/null || fail "system packages are missing. Please run:  sudo sh -c '$command'  and then this command again."
    as=(sudo -n)
  fi
  announce
  say "    apt-get install $*"
  logged apt "${as[@]}" env DEBIAN_FRONTEND=noninteractive sh -c "$command"
}

system_stage() {
  local packages
  [[ -x $VENV/bin/python && -r $STATE/mujoco_gl ]] && return # everything below was found when these were made
  check_named_python
  packages=$(missing_packages)
  [[ -n $packages ]] || return 0
  # shellcheck disable=SC2086
  install_packages $packages
  [[ -n $(find_python) ]] || fail "no Python 3.11 or 3.12 found (the system's python3 is $(python3 --version 2>&1 || echo absent)). \
Install one and name it: PYTHON=/path/to/python3.12 $0"
  packages=$(missing_packages)
  [[ -z $packages ]] || fail "still missing after the installation: $packages"
}
