#!/usr/bin/env bash
# Checks which file includes what: the direction between the folders, one spelling, libraries that
# only one file may include, and that shared libraries hide what internal headers declare.
set -euo pipefail
source "$(dirname "$0")/sources.sh"

failures=0
fail() {
  echo "includes: $*" >&2
  failures=$((failures + 1))
}

# Every include of the project, one per line: "file:line:included".
includes=$(cpp_files | xargs -r grep -nE '^[[:space:]]*#[[:space:]]*include' /dev/null |
  sed -E 's/^([^:]+:[0-9]+):[^<"]*([<"][^>"]+[>"]).*/\1:\2/')

# forbid FILES INCLUDED REASON: no file matching FILES may include anything matching INCLUDED.
forbid() {
  local hit
  while IFS= read -r hit; do
    [[ -z $hit ]] || fail "$hit: $3"
  done < <(grep -E "^($1)[^:]*:[0-9]+:$2" <<<"$includes" || true)
}

# only_one INCLUDED [EXCEPT]: at most one file, not counting EXCEPT, may include it.
only_one() {
  local users
  users=$(grep -E ":[<\"](.*/)?$1[>\"]\$" <<<"$includes" | cut -d: -f1 | grep -vxF "${2:-}" |
    sort -u || true)
  (($(grep -c . <<<"$users") <= 1)) ||
    fail "$1 is included by more than one file: ${users//$'\n'/, }"
}

# The folders, and the rooms of autograd: each may include from those before it.
forbid 'autograd/' '<rewind/(layers|optim|io|rewind)' 'autograd includes no other folder'
forbid 'layers/' '<rewind/(optim|io|rewind)' 'layers includes autograd only'
forbid 'optim/' '<rewind/(layers|io|rewind)' 'optim includes autograd only'
forbid 'io/' '<rewind/rewind' 'io names what it includes'
rooms=(tensor kernels tape capture fuse operations losses)
for ((i = 0; i < ${#rooms[@]}; ++i)); do
  later=$(IFS='|' && echo "${rooms[*]:i+1}")
  [[ -z $later ]] || forbid "autograd/${rooms[i]}/" "<rewind/autograd/($later)/" \
    "${rooms[i]} comes before this room: ${rooms[*]}"
done

# Files in a detail/ are only for its own room or folder.
while IFS= read -r hit; do
  [[ -z $hit ]] || fail "$hit: a detail/ of another room"
done < <(sed -nE 's#^((autograd/[a-z]+|layers|optim|io)/[^:]*:[0-9]+):<rewind/((autograd/[a-z]+|layers|optim|io)/detail/[^>]*)>#\2 \4 \1 \3#p' \
  <<<"$includes" | awk '$1 != $2 { print $3 ":" $4 }')

# Every file of autograd is in a room.
while IFS= read -r file; do
  fail "$file: stands in none of the rooms ${rooms[*]}"
done < <(cpp_files | grep '^autograd/' | grep -vE "^autograd/($(IFS='|' && echo "${rooms[*]}"))/" || true)

forbid 'autograd/|layers/|optim/|io/' '"' 'write <rewind/folder/header.hpp>'
forbid 'examples/|tests/' '["<](\.\./)*(autograd|layers|optim|io)/' 'write <rewind/folder/header.hpp>'

# The benchmark also measures oneDNN's own recurrent primitives.
only_one dnnl.hpp tests/bench/onednn.hpp
only_one hdf5.h
only_one xxhash.h

while IFS= read -r header; do
  [[ $(head -n 1 "$header") == '#pragma once' ]] || fail "$header: line 1 is not #pragma once"
done < <(cpp_files | grep '\.hpp$')

# The headers of the API: those that rewind.hpp lists, and those that such a header or another
# folder includes. All others are internal, and hidden (cmake/library.cmake).
shown=$({
  sed -nE 's|^#include <rewind/(.*)>$|rewind rewind.hpp \1|p' cmake/rewind.hpp.in
  sed -nE 's|^(([a-z]+)/[^:]+):[0-9]+:<rewind/(.*)>$|\2 \1 \3|p' <<<"$includes"
} | awk '
  $1 ~ /^(rewind|autograd|layers|optim|io)$/ {
    from[NR] = $2; to[NR] = $3; other[NR] = $3 !~ "^" $1 "/"
  }
  END {
    do {
      grown = 0
      for (i in from) {
        if ((from[i] in shown || other[i]) && !(to[i] in shown)) grown = shown[to[i]] = 1
      }
    } while (grown)
    for (header in shown) print header
  }')
while IFS= read -r header; do
  if grep -qxF "$header" <<<"$shown"; then
    grep -q 'push(hidden)' "$header" &&
      fail "$header: hidden, but seen outside its folder; take the pragmas out"
  elif ! grep -qE '^#pragma GCC visibility push\(hidden\)$|gnu::visibility\("hidden"\)' "$header"; then
    fail "$header: list it in cmake/rewind.hpp.in, or, if it is internal, put all but its includes" \
      "between #pragma GCC visibility push(hidden) and pop"
  fi
done < <(cpp_files | grep -E '^(autograd|layers|optim|io)/.*\.hpp$')

((failures == 0))
