# SPDX-License-Identifier: Apache-2.0
# Sourced by setup.sh: interface packages of other projects (interfaces/), built only where the ROS at hand lacks them.
# shellcheck shell=bash

ros_has() { # NAME: does the ROS at hand, builds of this repository left out, hold that package?
  local prefix prefixes
  IFS=: read -ra prefixes <<<"$VENV:${AMENT_PREFIX_PATH:-}"
  for prefix in "${prefixes[@]}"; do
    [[ -n $prefix && $prefix != */.build*/install && -e $prefix/share/ament_index/resource_index/packages/$1 ]] && return
  done
  return 1
}

package_folders() { # prints the folder of each package to be built
  local folder
  for folder in interfaces/*/package.xml; do
    folder=${folder%/package.xml}
    ros_has "${folder##*/}" || echo "$folder"
  done
  for folder in src/*/package.xml; do echo "${folder%/package.xml}"; done
}

drop_build_that_hides_ros() { # a package that ROS has since brought along must not stay hidden behind the one built here
  local folder
  for folder in interfaces/*/package.xml; do
    folder=${folder%/package.xml}
    [[ -e $BUILD/install/share/${folder##*/}/package.xml ]] && ros_has "${folder##*/}" || continue
    announce
    say "    this ROS now has ${folder##*/}: the workspace is built again without its stand-in"
    rm -rf "$BUILD"
    rm -f "$STATE"/built-*
  done
}

drop_build_with_removed_interfaces() { # FOLDER: rosidl keeps generating code for a message whose file is gone; then nothing loads
  local idl name kind package=${1##*/}
  for idl in "$BUILD/build/$package/rosidl_adapter/$package"/*/*.idl; do
    [[ -e $idl ]] || return 0
    name=$(basename "$idl" .idl) kind=$(basename "$(dirname "$idl")")
    [[ -e $1/$kind/$name.$kind ]] || { rm -rf "$BUILD/build/$package" && return; }
  done
}
