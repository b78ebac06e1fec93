#!/usr/bin/env bash
# compare.sh LIBRARY PROGRAM [OPTIONS]: runs a program alone, and again while LIBRARY, preloaded,
# interrupts it every 100 microseconds. Fails if the second run ends differently or prints other
# results: its "result" lines without the seconds or, if there are none, its whole output.
set -euo pipefail

library=$1
shift

# what_counts: the results in the output of a program.
what_counts() {
  local text
  text=$(cat)
  if grep -q '^result' <<<"$text"; then
    text=$(grep '^result' <<<"$text" | sed -E 's/ seconds=[^ ]*//')
  fi
  printf '%s\n' "$text"
}

alone=$("$@" </dev/null | what_counts)
interrupted=$(env LD_PRELOAD="$library" "$@" </dev/null | what_counts)
printf '%s\n' "$interrupted"
if [[ $alone != "$interrupted" ]]; then
  printf 'signals: expected what it computes when nothing interrupts it:\n%s\n' "$alone" >&2
  exit 1
fi
