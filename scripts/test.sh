#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every check and test, one line each; the tests come last. Called by `./vla test`, in its environment.
#   test.sh                 all of it
#   test.sh --lint          only the checks that run nothing
#   test.sh ARGUMENT...     only pytest, with these arguments
set -uo pipefail
cd "$VLA_ROOT" || exit 1
failed=()

check() { # NAME COMMAND...: one line when it passes, its output when it does not
  local output start=$SECONDS
  if output=$("${@:2}" 2>&1); then
    echo "$1: ok, $((SECONDS - start)) s ($(tail -n 1 <<<"$output"))"
  else
    printf '%s\n%s\n' "$output" "$1: FAILED"
    failed+=("$1")
  fi
}

if [[ $# -eq 0 || ${1:-} == --lint ]]; then
  check "ruff check" ruff check --output-format concise .
  check "ruff format" ruff format --check --output-format concise .
  check "mypy --strict" mypy
fi
status=0
if ((${#failed[@]})); then
  printf -v list '%s, ' "${failed[@]}"
  echo "the exit status will be 1 whatever the tests say: ${list%, } failed"
  status=1
fi
[[ ${1:-} == --lint ]] && exit "$status"
python -m pytest "$@" || status=$?
exit "$status"
