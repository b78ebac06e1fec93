#!/usr/bin/env bash
# Checks that every line of code on a page of docs/ is also in the test of that page, which runs it.
set -euo pipefail
source "$(dirname "$0")/sources.sh"

failures=0
# check PAGE TEST
check() {
  local code missing
  code=$(sed -n '/^```cpp$/,/^```$/{/^```/d;p}' "$1" | sed 's/^ *//; s/ *$//' | grep . || true)
  missing=$(grep -vxFf <(sed 's/^ *//; s/ *$//' "$2" | grep .) <<<"$code" || true)
  if [[ -z $code || -n $missing ]]; then
    echo "guide: $2 lacks these lines of $1:" >&2
    echo "${missing:-(there is no code on the page)}" >&2
    failures=$((failures + 1))
  fi
}

check docs/guide.md tests/guide_test.cpp
check docs/tensors.md tests/tensors_page_test.cpp

((failures == 0))
