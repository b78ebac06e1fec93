#!/usr/bin/env bash
# Checks that every line of code in docs/guide.md stands in tests/guide_test.cpp, which runs it.
set -euo pipefail
source "$(dirname "$0")/sources.sh"

code=$(sed -n '/^```cpp$/,/^```$/{/^```/d;p}' docs/guide.md | sed 's/^ *//; s/ *$//' | grep . || true)
missing=$(grep -vxFf <(sed 's/^ *//; s/ *$//' tests/guide_test.cpp | grep .) <<<"$code" || true)
if [[ -z $code || -n $missing ]]; then
  echo "guide: tests/guide_test.cpp lacks these lines of docs/guide.md:" >&2
  echo "${missing:-(there is no code on the page)}" >&2
  exit 1
fi
