#!/usr/bin/env bash
# Runs clang-tidy over the C++ sources that differ from the last commit, or over all with --all.
# Needs a configured release build (tests/run makes one).
set -euo pipefail
source "$(dirname "$0")/sources.sh"

if [[ ${1:-} == --all ]]; then
  files=$(cpp_files)
else
  files=$(git diff --name-only --diff-filter=d HEAD; git ls-files --others --exclude-standard)
fi
files=$(grep -E '^(autograd|layers|optim|io|examples|tests)/.*\.cpp$' <<<"$files" || true)
if [[ -z $files ]]; then
  echo "tidy: no source has changed; --all checks every one"
  exit 0
fi
xargs -P "$(nproc)" -n 1 clang-tidy -p build/release --quiet <<<"$files"
