#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes this clone ready to run: system packages, virtual environment, Python packages, ROS 2, built workspace.
# Finished stages are skipped, an interrupted one is taken up again, and a run with nothing to do needs no network.
set -euo pipefail

# shellcheck source=scripts/paths.sh
source "$(dirname "${BASH_SOURCE[0]}")/paths.sh"
# shellcheck source=scripts/stages.sh
source "$ROOT/scripts/stages.sh"
# shellcheck source=scripts/system.sh
source "$ROOT/scripts/system.sh"
# shellcheck source=scripts/packages.sh
source "$ROOT/scripts/packages.sh"
# shellcheck source=scripts/browser.sh
source "$ROOT/scripts/browser.sh"
# shellcheck source=scripts/interfaces.sh
source "$ROOT/scripts/interfaces.sh"
LOGS=$ROOT/.cache/setup
cd "$ROOT"
check_place
torch_build >/dev/null # an invalid VLA_TORCH is refused at once

python_stage() { # creates the virtual environment; one whose interpreter is gone is made anew
  local options=()
  [[ $SYSTEM_ROS == 1 ]] && options=(--system-site-packages)
  [[ -x $VENV/bin/python && -r $STATE/venv ]] && return
  [[ -e $VENV && ! -x $VENV/bin/python ]] && options+=(--clear)
  logged venv "$(find_python)" -m venv "${options[@]}" "$VENV"
  stamp venv "$DISTRO"
}

graphics_stage() { # which of MuJoCo's headless renderers works here
  local gl
  local try='import mujoco; c = mujoco.GLContext(64, 64); c.make_current(); c.free()'
  [[ -s $STATE/mujoco_gl ]] && return
  announce
  for gl in egl osmesa; do
    if MUJOCO_GL=$gl "$VENV/bin/python" -c "$try" >"$LOGS/graphics-$gl.log" 2>&1; then
      stamp mujoco_gl "$gl"
      return
    fi
  done
  fail "MuJoCo can render neither with EGL nor with OSMesa; see $LOGS/graphics-*.log. On Debian: apt-get install libegl1 libgl1, or libosmesa6."
}

package_digest() { # DIRECTORY: of what a build depends on; modules and data are linked, so only the data's names count
  {
    find "$1/" -type f \( -name package.xml -o -name setup.py -o -name setup.cfg -o -name CMakeLists.txt -o -name '*.msg' \
      -o -name '*.srv' -o -name '*.action' \) -not -path '*/test/*' -print0 | sort -z | xargs -0 sha256sum
    find -L "$1/" -type f \( -path '*/launch/*.py' -o -path '*/config/*' \) -not -name '*.pyc' | sort
  } | digest
}

build_stage() { # builds the packages whose build description changed since they were built
  local folder folders package stale=()
  # Not the colcon program: that may be the system's, whose interpreter does not see the virtual environment.
  local colcon='import sys; from colcon_core.command import main; sys.argv[0] = "colcon"; sys.exit(main())'
  drop_build_that_hides_ros
  mapfile -t folders < <(package_folders)
  for folder in "${folders[@]}"; do
    package=${folder##*/}
    [[ -d $BUILD/install ]] && fresh "built-$package" "$(package_digest "$folder")" && continue
    drop_build_with_removed_interfaces "$folder"
    stale+=("$package")
  done
  ((${#stale[@]})) || return 0
  announce
  say "    ${stale[*]}"
  # With a limit of the load, as colcon sets it, the build of the messages stands still while other programs compute.
  export MAKEFLAGS=${MAKEFLAGS:--j$(nproc)}
  # shellcheck source=scripts/env.sh
  (source scripts/env.sh && logged colcon "$VENV/bin/python" -c "$colcon" --log-base "$BUILD/log" build --base-paths "${folders[@]}" --merge-install \
    --symlink-install --build-base "$BUILD/build" --install-base "$BUILD/install" --packages-select "${stale[@]}" \
    --event-handlers console_direct- console_cohesion- console_start_end+ \
    --cmake-args -DBUILD_TESTING=OFF -DCMAKE_BUILD_TYPE=Release "-DPython3_EXECUTABLE=$VENV/bin/python" --no-warn-unused-cli)
  portable_shebangs "$BUILD"/install/lib/*/*
  for folder in "${folders[@]}"; do
    [[ " ${stale[*]} " != *" ${folder##*/} "* ]] || stamp "built-${folder##*/}" "$(package_digest "$folder")"
  done
}

engines_stage() { # compiles the shipped policies' networks for this processor into the user's cache; they run without it too
  local wanted
  wanted=$(cat requirements/engine.txt src/vla_policy/vla_policy/rt*/weights/*/config.json | digest)
  fresh engines "$wanted" && return
  # shellcheck source=scripts/env.sh
  (source scripts/env.sh && logged engines "$VENV/bin/python" -m vla_policy.engine.prepare) || say "    the policies run without it, more slowly"
  stamp engines "$wanted"
}

stages=(system python packages hardware graphics build engines browser)
titles=("system packages" "virtual environment ${VENV##*/}" "Python packages and ROS 2 $DISTRO" "drivers" "headless graphics" "workspace" "policies compiled for this processor" "a browser for the tests")
mkdir -p "$LOGS"
exec 9>"$ROOT/.cache/setup.lock"
flock -n 9 || { say "another set-up of this clone is running; waiting for it"; flock 9; }
for i in "${!stages[@]}"; do
  TITLE="[$((i + 1))/${#stages[@]}] ${titles[i]}"
  "${stages[i]}_stage"
done
