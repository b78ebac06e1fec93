#!/usr/bin/env bash
# Checks which file includes what: the direction between the folders, one spelling, the libraries
# that may be seen by one file only, and that shared libraries hide what internal headers declare.
set -euo pipefail
source "$(dirname "$0")/sources.sh"

failures=0
fail() {
  echo "includes: $*" >&2
  failures=$((failures + 1))
}

# Every include of the project, one a line: "file:line:included".
includes=$(cpp_files | xargs -r grep -nE '^[[:space:]]*#[[:space:]]*include' /dev/null |
  sed -E 's/^([^:]+:[0-9]+):[^<"]*([<"][^>"]+[>"]).*/\1:\2/')

# forbid FILES INCLUDED REASON: no file matching FILES may include anything matching INCLUDED.
forbid() {
  local hit
  while IFS= read -r hit; do
    [[ -z $hit ]] || fail "$hit: $3"
  done < <(grep -E "^($1)[^:]*:[0-9]+:$2" <<<"$includes" || true)
}

# only_one INCLUDED [EXCEPT]: exactly one file at most, not counting EXCEPT, may include it.
only_one() {
  local users
  users=$(grep -E ":[<\"](.*/)?$1[>\"]\$" <<<"$includes" | cut -d: -f1 | grep -vxF "${2:-}" |
    sort -u || true)
  (($(grep -c . <<<"$users") <= 1)) ||
    fail "$1 is included by more than one file: ${users//$'\n'/, }"
}

forbid 'autograd/' '<rewind/(layers|optim|io|rewind)' 'autograd includes no other folder'
forbid 'layers/' '<rewind/(optim|io|rewind)' 'layers includes autograd only'
forbid 'optim/' '<rewind/(layers|io|rewind)' 'optim includes autograd only'
forbid 'io/' '<rewind/(layers|optim|rewind)' 'io includes autograd only'
forbid 'autograd/|layers/|optim/|io/' '"' 'write <rewind/folder/header.hpp>'
forbid 'examples/|tests/' '["<](\.\./)*(autograd|layers|optim|io)/' 'write <rewind/folder/header.hpp>'

# The benchmark measures oneDNN's own recurrent primitives beside the library.
only_one dnnl.hpp tests/bench/onednn_peer.cpp
only_one hdf5.h

while IFS= read -r header; do
  [[ $(head -n 1 "$header") == '#pragma once' ]] || fail "$header: line 1 is not #pragma once"
done < <(cpp_files | grep '\.hpp$')

# The headers of detail/ that belong to an API: a public header reaches them, or another library
# includes them. All others are internal, and hidden (cmake/library.cmake).
shown=$(sed -nE 's|^(([a-z]+)/[^:]+):[0-9]+:<rewind/(([a-z]+)/.*)>$|\1 \2 \3 \4|p' <<<"$includes" |
  awk '
    $2 ~ /^(autograd|layers|optim|io)$/ { from[NR] = $1; to[NR] = $3; other[NR] = $2 != $4 }
    END {
      do {
        grown = 0
        for (i in from) {
          public = from[i] ~ /^[a-z]+\/[a-z0-9_]+\.hpp$/ && from[i] !~ /_kernels?\.hpp$/
          if ((public || from[i] in shown || other[i]) && !(to[i] in shown)) grown = shown[to[i]] = 1
        }
      } while (grown)
      for (header in shown) print header
    }')
while IFS= read -r header; do
  if grep -qxF "$header" <<<"$shown"; then
    grep -q 'push(hidden)' "$header" &&
      fail "$header: hidden, but seen outside its library; take the pragmas out"
  elif ! grep -qE '^#pragma GCC visibility push\(hidden\)$|gnu::visibility\("hidden"\)' "$header"; then
    fail "$header: internal; put all but its includes between" \
      "#pragma GCC visibility push(hidden) and pop"
  fi
done < <(cpp_files | grep -E '^(autograd|layers|optim|io)/(.*/)?detail/.*\.hpp$')

((failures == 0))
