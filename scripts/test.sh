#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every check and test. Called by `./vla test`, in its environment.
#   test.sh                 all of it
#   test.sh --lint          only the checks that run nothing
#   test.sh ARGUMENT...     only pytest, with these arguments
set -uo pipefail
cd "$VLA_ROOT" || exit 1
REPORTS=.cache/test
failed=() reports=()

check() { # NAME COMMAND...: one line when it passes, its output when it does not
  local output start=$SECONDS
  if output=$("${@:2}" 2>&1); then
    echo "$1: ok, $((SECONDS - start)) s ($(tail -n 1 <<<"$output"))"
  else
    printf '%s\n%s\n' "$output" "$1: FAILED"
    return 1
  fi
}

lint() {
  local status=0
  check "ruff check" ruff check --output-format concise . || status=1
  check "ruff format" ruff format --check --output-format concise . || status=1
  check "mypy --strict" mypy || status=1
  return "$status"
}

run() { # NAME ARGUMENT...: pytest with a report of that name
  reports+=("$REPORTS/$1.xml")
  python -m pytest --junit-xml="$REPORTS/$1.xml" "${@:2}"
}

tests() { # NAME ARGUMENT...: one kind of tests
  local start=$SECONDS
  run "$@" || failed+=("$1 tests")
  echo "$1 tests took $((SECONDS - start)) s"
}

tests_with_retry() { # NAME MARK ARGUMENT...: the same; what failed runs once more, alone, and is named at the end
  local start=$SECONDS
  # Processes on a busy machine: a test that fails here and passes there is a fault to look at, not one that stops a change.
  run "$1" -m "$2" "${@:3}" || run "$1-again" -m "$2" --last-failed --last-failed-no-failures none || failed+=("$1 tests")
  echo "$1 tests took $((SECONDS - start)) s"
}

if [[ ${1:-} == --lint ]]; then
  lint
  exit
elif [[ $# -gt 0 ]]; then
  exec python -m pytest "$@"
fi

# ROS-free tests compute: two at a time. Node tests mostly wait: four. Each worker has a ROS domain of its own (conftest.py), and
# a file stays with one worker, so that what its tests share is made once. The whole graph has the machine to itself.
workers=(-n 2 --dist loadfile) waiters=(-n 4 --dist loadfile)
(($(env -u OMP_NUM_THREADS nproc) > 1)) || workers=() waiters=(-n 2 --dist loadfile) # nproc believes OMP_NUM_THREADS, which env.sh sets
mkdir -p "$REPORTS"
rm -f "$REPORTS"/*.xml
lint >"$REPORTS/lint.txt" 2>&1 &
tests ROS-free "${workers[@]}" -m "not node and not system"
wait $! || failed+=(lint)
cat "$REPORTS/lint.txt"
tests_with_retry node node "${waiters[@]}"
tests_with_retry system system
python scripts/count_tests.py "${reports[@]}"
((${#failed[@]})) || exit 0
printf -v list '%s, ' "${failed[@]}"
echo "failed: ${list%, }; their summaries are above"
exit 1
