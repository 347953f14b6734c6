# SPDX-License-Identifier: Apache-2.0
# Sourced by setup.sh: what pip installs, in which order, and which build of PyTorch.
# shellcheck shell=bash

TORCH_CPU_INDEX=https://download.pytorch.org/whl/cpu # PyPI has the CUDA build alone
declare -A TORCH_SIZE=([cpu]="0.9 GB to download, 2.7 GB on disk" [cuda]="3.5 GB to download, 6.5 GB on disk")
declare -A DISK_NEEDED=([cpu]=4000 [cuda]=10000) # [MB] with the wheels that pip unpacks

pip_install() { # NAME ARGUMENT...
  logged "$1" "$VENV/bin/python" -m pip install --disable-pip-version-check --retries 5 "${@:2}"
}

has_nvidia() { [[ -e /proc/driver/nvidia/version ]] || command -v nvidia-smi >/dev/null; }

torch_build() { # prints cpu or cuda: what VLA_TORCH asks for, else what is installed, else what this machine can use
  local installed=
  [[ ! -r $STATE/torch ]] || read -r installed _ <"$STATE/torch"
  case ${VLA_TORCH:-} in
    cpu | cuda) echo "$VLA_TORCH" ;;
    '') if [[ -n $installed ]]; then echo "$installed"; elif has_nvidia; then echo cuda; else echo cpu; fi ;;
    *) fail "VLA_TORCH is '$VLA_TORCH'; valid: cpu, cuda (or unset: cuda where this machine has an NVIDIA driver, else cpu)." ;;
  esac
}

torch_requirement() { # cpu|cuda: prints the requirement that only this build meets
  local pinned
  pinned=$(grep '^torch==' requirements/torch.txt)
  if [[ $1 == cpu ]]; then echo "$pinned+cpu"; else echo "$pinned,!=${pinned#torch==}+cpu"; fi
}

check_room() { # cpu|cuda: refuses before the download what would end with a full disk
  local free
  free=$(df -Pm "$ROOT" | awk 'NR == 2 { print $4 }')
  ((free >= DISK_NEEDED[$1])) ||
    fail "the set-up needs ${DISK_NEEDED[$1]} MB, and the disk of $ROOT has $free MB free. Make room, or set VLA_TORCH=cpu, the smaller build of PyTorch."
}

install_torch() { # cpu|cuda: without its dependencies, which base.txt brings; so only this package is asked of PyTorch's index
  local options=(--no-deps)
  [[ $1 == cpu ]] && options+=(--timeout 15 --extra-index-url "$TORCH_CPU_INDEX")
  announce
  say "    PyTorch for $1: with everything else about ${TORCH_SIZE[$1]}; VLA_TORCH=cpu or cuda chooses"
  check_room "$1"
  pip_install pip-torch "${options[@]}" "$(torch_requirement "$1")"
}

requirement_files() { # the files under requirements/ that apply here, in the order of installation
  echo build base assets engine speech dev peers docs
  [[ $SYSTEM_ROS == 1 ]] || echo "ros-$DISTRO"
  command -v cmake >/dev/null || echo cmake
}

hardware_stage() { # the drivers of arms; of Franka's there are wheels for x86_64 alone; everything else runs without them
  local wanted
  wanted=$(cat requirements/hardware.txt requirements/widowx.txt | digest)
  fresh hardware "$wanted" && return
  announce
  say "    requirements/widowx.txt"
  (pip_install pip-widowx -r requirements/widowx.txt) || say "    the driver of a WidowX is left out; its tests are skipped"
  say "    requirements/hardware.txt"
  (pip_install pip-hardware --only-binary :all: -r requirements/hardware.txt) || say "    the driver of a Franka is left out; its tests are skipped"
  stamp hardware "$wanted"
}

packages_stage() {
  local name wanted build options
  build=$(torch_build)
  wanted="$build $(digest <requirements/torch.txt)"
  if ! fresh torch "$wanted"; then
    install_torch "$build"
    rm -f "$STATE/base" # the other build has other dependencies
    stamp torch "$wanted"
  fi
  # shellcheck disable=SC2046
  for name in $(requirement_files); do
    fresh "$name" "$(digest <"requirements/$name.txt")" && continue
    announce
    say "    requirements/$name.txt"
    options=()
    [[ $name != @(assets|engine|peers) ]] || options=(--no-deps)
    pip_install "pip-$name" "${options[@]}" -r "requirements/$name.txt"
    stamp "$name" "$(digest <"requirements/$name.txt")"
  done
  [[ $SYSTEM_ROS == 1 ]] && return
  fresh patch "$(digest <"requirements/ros-$DISTRO.txt")" && return
  logged patch "$VENV/bin/python" scripts/patch_wheels.py
  stamp patch "$(digest <"requirements/ros-$DISTRO.txt")"
}
