# SPDX-License-Identifier: Apache-2.0
# Sourced after paths.sh: exports the environment in which everything of this repository runs.
# Done by hand and not by colcon's setup files because those take over a second.
# shellcheck shell=bash

prepend() { # VARIABLE DIR...: puts each existing directory that is not there yet in front
  local name=$1 dir
  shift
  for dir in "$@"; do
    [[ -d $dir && :${!name:-}: != *:"$dir":* ]] && export "$name=$dir${!name:+:${!name}}"
  done
  return 0
}

export VIRTUAL_ENV=$VENV ROS_DISTRO=$DISTRO ROS_VERSION=2 ROS_PYTHON_VERSION=3 VLA_SYSTEM_ROS=$SYSTEM_ROS
# Inherited paths of another environment of this repository would win over ours: drop them.
export VLA_ROOT=$ROOT
for name in PYTHONPATH LD_LIBRARY_PATH AMENT_PREFIX_PATH CMAKE_PREFIX_PATH PATH; do
  kept=
  IFS=: read -ra parts <<<"${!name:-}"
  for part in "${parts[@]}"; do
    [[ -n $part && $part != "$ROOT"/.venv* && $part != "$ROOT"/.build* ]] && kept+=${kept:+:}$part
  done
  export "$name=$kept"
done
unset name kept parts part

if [[ $SYSTEM_ROS == 0 ]]; then
  prepend LD_LIBRARY_PATH "$VENV"/lib/python3.*/site-packages/ros_*.libs "$VENV/lib"
  prepend AMENT_PREFIX_PATH "$VENV"
  prepend CMAKE_PREFIX_PATH "$VENV"
  export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1 # the wheels restart Python once to set LD_LIBRARY_PATH; it is set
fi
prepend LD_LIBRARY_PATH "$BUILD/install/lib"
prepend AMENT_PREFIX_PATH "$BUILD/install"
prepend CMAKE_PREFIX_PATH "$BUILD/install"
prepend PYTHONPATH "$BUILD"/install/lib/python3.*/site-packages "$BUILD"/build/vla_[!m]*
prepend PATH "$VENV/bin"

# rclpy cannot start without a folder for its log: cron, systemd and containers may give no home, or one of another user.
writable() { # FOLDER: may it be written, or made?
  local folder=$1
  while [[ ! -e $folder ]]; do folder=$(dirname "$folder"); done
  [[ -d $folder && -w $folder && -x $folder ]]
}
if [[ -z ${ROS_LOG_DIR:-}${ROS_HOME:-} ]] && { [[ ${HOME:-} != /* ]] || ! writable "$HOME/.ros/log"; }; then
  ROS_LOG_DIR=$ROOT/.cache/ros-log
  writable "$ROS_LOG_DIR" || ROS_LOG_DIR=${TMPDIR:-/tmp}/ros-log-$(id -u)
  export ROS_LOG_DIR
fi

export ROS_AUTOMATIC_DISCOVERY_RANGE=${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}
if [[ -z ${MUJOCO_GL:-} && -r $STATE/mujoco_gl ]]; then MUJOCO_GL=$(<"$STATE/mujoco_gl"); fi
export MUJOCO_GL=${MUJOCO_GL:-egl}
# Several processes share the machine: half of the cores each, and threads that wait must not spin.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((($(nproc) + 1) / 2))}
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE} TOKENIZERS_PARALLELISM=${TOKENIZERS_PARALLELISM:-false}
