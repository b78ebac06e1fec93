#!/usr/bin/env bash
# Checks that every C++ file is formatted by .clang-format; `format.sh --fix` formats them.
set -euo pipefail
source "$(dirname "$0")/sources.sh"

if ! command -v clang-format >/dev/null; then
  echo "format: clang-format is not installed (Debian package clang-format)" >&2
  exit 77
fi

if [[ ${1:-} == --fix ]]; then
  cpp_files | xargs -r clang-format -i
else
  cpp_files | xargs -r clang-format --dry-run -Werror ||
    { echo "format: run tests/lint/format.sh --fix" >&2; exit 1; }
fi
