# SPDX-License-Identifier: Apache-2.0
# Sourced by setup.sh: a browser for the tests of the console, when VLA_BROWSER asks for it (`vla test` does). They skip without.
# shellcheck shell=bash

BROWSERS=(chromium-headless-shell chromium chromium-browser google-chrome)

find_browser() { # prints the browser of this machine, or nothing
  local name
  for name in "${BROWSERS[@]}"; do command -v "$name" && return; done
  return 0
}

install_browser() { # 90 MB from apt, with root alone; a machine without it keeps its other tests
  local as=()
  [[ $(id -u) == 0 ]] || as=(sudo -n)
  [[ $(id -u) == 0 ]] || sudo -n true 2>/dev/null || return 1
  command -v apt-get >/dev/null || return 1
  announce
  say "    apt-get install ${BROWSERS[0]} (VLA_BROWSER=0 leaves it out)"
  (logged browser "${as[@]}" env DEBIAN_FRONTEND=noninteractive sh -c "apt-get update && apt-get install -y --no-install-recommends ${BROWSERS[0]}")
}

browser_stage() {
  local wanted
  [[ ${VLA_BROWSER:-0} == 1 ]] || return 0
  wanted=$(digest <requirements/browser.txt)
  fresh browser "$wanted" && return
  if [[ -n $(find_browser) ]] || install_browser; then
    (pip_install pip-browser -r requirements/browser.txt) || say "    the console's page is not tested in a browser"
  else
    say "    no browser can be installed here: the console's page is not tested in one"
  fi
  stamp browser "$wanted"
}
