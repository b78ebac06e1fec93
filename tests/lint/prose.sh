#!/usr/bin/env bash
# Checks that lines of prose on the project's pages have at most 100 columns. Code and tables may be
# wider.
set -euo pipefail
source "$(dirname "$0")/sources.sh"

wide=$(awk 'FNR == 1 { code = 0 } /^```/ { code = !code }
            length > 100 && !code && !/^\|/ && !/^    / { print FILENAME ":" FNR ": " length " columns" }' \
  ./*.md docs/*.md)
if [[ -n $wide ]]; then
  echo "prose: lines of more than 100 columns:" >&2
  echo "$wide" >&2
  exit 1
fi
