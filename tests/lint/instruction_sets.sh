#!/usr/bin/env bash
# instruction_sets.sh INCLUDE_FOLDER: compiles all SIMD code for every instruction set, without
# optimisation, with g++ and, if it is installed, with clang.
set -euo pipefail
source "$(dirname "$0")/sources.sh"

include=$1
options=(-std=c++20 -ffp-contract=off -Wall -Wextra -Wconversion -Wsign-conversion -Werror
  -Wno-uninitialized "-I$include" -c -o /dev/null)
files=(tests/lint/instruction_sets.cpp autograd/kernels/strided_copy.cpp)

# One "compiler instruction-set optimisation file" per line.
jobs() {
  local compiler level file
  for compiler in g++ clang++; do
    command -v "$compiler" >/dev/null || continue
    for file in "${files[@]}"; do
      for level in x86-64 x86-64-v2 x86-64-v3 x86-64-v4 native; do
        echo "$compiler $level -O0 $file"
      done
    done
  done
}

compile() {
  "$1" "-march=$2" "$3" "${options[@]}" "$4" || { echo "instruction_sets: failed: $*" >&2; exit 1; }
}

if [[ $(uname -m) != x86_64 ]]; then
  echo "instruction_sets: knows the instruction sets of x86-64 only" >&2
  exit 77
fi
running=0
failures=0
while read -r compiler level optimisation file; do
  compile "$compiler" "$level" "$optimisation" "$file" &
  running=$((running + 1))
  if ((running >= $(nproc))); then
    wait -n || failures=$((failures + 1))
    running=$((running - 1))
  fi
done < <(jobs)
while ((running > 0)); do
  wait -n || failures=$((failures + 1))
  running=$((running - 1))
done
((failures == 0))
