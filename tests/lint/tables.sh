#!/usr/bin/env bash
# Checks that each network the library makes ready has a row for its cell in tests/cell_table.hpp,
# which the tests of cells walk.
set -euo pipefail
source "$(dirname "$0")/sources.sh"

failed=0
while IFS= read -r cell; do
  if ! grep -qF "CellRow<$cell>" tests/cell_table.hpp; then
    echo "tables: tests/cell_table.hpp has no row for $cell" >&2
    failed=1
  fi
done < <(sed -n 's/^extern template class RecurrentNetwork<\(.*\)>;$/\1/p' layers/*.hpp)
exit $failed
