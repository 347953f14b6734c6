# SPDX-License-Identifier: Apache-2.0
# Sourced by setup.sh: stamps, logs and progress of its stages.
# shellcheck shell=bash

digest() { sha256sum | cut -c1-16; }

fresh() { # STAMP DIGEST: was this stage finished with these inputs?
  [[ -r $STATE/$1 && $(<"$STATE/$1") == "$2" ]]
}

stamp() { # STAMP DIGEST: written whole or not at all
  mkdir -p "$STATE"
  printf '%s\n' "$2" >"$STATE/.$1.tmp"
  mv "$STATE/.$1.tmp" "$STATE/$1"
}

heartbeat() { # PID LOG: shows the time taken and the log's last line until the process ends
  local start=$SECONDS every=15 line
  [[ -t 2 ]] && every=1
  while kill -0 "$1" 2>/dev/null; do
    sleep 0.5
    ((SECONDS - start >= every)) || continue
    [[ -t 2 ]] || every=$((every + 15))
    line=$(tail -n 9 "$2" | tr '\r' '\n' | grep -av -e WARNING -e '^ *$' | tail -n 1 | tr -cd '[:print:]' | cut -c1-90 || :)
    if [[ -t 2 ]]; then printf '\r\e[K      %4d s  %s' $((SECONDS - start)) "$line" >&2; else say "      $((SECONDS - start)) s  $line"; fi
  done
  [[ -t 2 ]] && printf '\r\e[K' >&2
  return 0
}

announce() { # prints the stage's title once, when it turns out to have work to do
  [[ -n $TITLE ]] && say "$TITLE"
  TITLE=
}

logged() { # NAME COMMAND...: runs with its output in a log, shows progress, and the log's end if it fails
  local log=$LOGS/$1.log start=$SECONDS pid
  announce
  shift
  mkdir -p "$LOGS"
  setsid "$@" >"$log" 2>&1 & # in a session of its own, so that an interruption can end its children too
  pid=$!
  # shellcheck disable=SC2064
  trap "kill -- -$pid 2>/dev/null || :; wait $pid || :; fail 'interrupted; run the same command again to continue.'" INT TERM
  heartbeat "$pid" "$log"
  if ! wait "$pid"; then
    tail -n 30 "$log" >&2
    fail "failed after $((SECONDS - start)) s. Whole log: $log. Run the same command again to continue where it stopped."
  fi
  trap - INT TERM
  say "      done in $((SECONDS - start)) s"
}

portable_shebangs() { # FILE...: makes Python scripts start by PATH, as setup.cfg asks
  # A symlink install ignores setup.cfg there and writes the interpreter's path, which the kernel splits at a space.
  local file
  for file; do
    [[ -f $file && $(head -c 2 "$file" | tr -d '\0') == '#!' ]] || continue
    sed -i '1s|^#!.*/python[0-9.]*"\?$|#!/usr/bin/env python3|' "$file"
  done
}
