#!/usr/bin/env bash
# Checks that each ready-made network has a row for its cell in tests/cell_table.hpp, over which the
# tests of cells iterate, that everything with options or a state is in the tests of these, and that
# the pages for users name all networks, optimisers and experiments.
set -euo pipefail
source "$(dirname "$0")/sources.sh"

failed=0
while IFS= read -r cell; do
  if ! grep -qF "CellRow<$cell>" tests/cell_table.hpp; then
    echo "tables: tests/cell_table.hpp has no row for $cell" >&2
    failed=1
  fi
done < <(sed -n 's/^extern template class RecurrentNetwork<\(.*\)>;$/\1/p' layers/*.hpp)

# named PAGE NAME...: the page has each of the names, in backticks.
named() {
  local page=$1 name
  shift
  for name; do
    if ! grep -qF "\`$name\`" "$page"; then
      echo "tables: $page does not name $name" >&2
      failed=1
    fi
  done
}
mapfile -t networks < <(sed -n 's/^using \([A-Za-z0-9]*\) = RecurrentNetwork<.*>;$/\1/p' layers/*.hpp)
mapfile -t optimizers < <(sed -nE 's/^class ([A-Za-z0-9]+) : public (Optimizer|Adam) \{$/\1/p' optim/*.hpp)
mapfile -t experiments < <(sed -sn '1s,^/// \([a-z0-9_]*\):.*,\1,p' examples/*.cpp)
named docs/guide.md "${networks[@]:?}"
named README.md "${optimizers[@]:?}" "${experiments[@]:?}"

# listed PATTERN TESTS WHAT: each public header with the pattern is included by one of the tests.
listed() {
  while IFS= read -r header; do
    if ! grep -qhF "<rewind/$header>" $2; then
      echo "tables: none of $2 includes $header, which has $3" >&2
      failed=1
    fi
  done < <(grep -lE "$1" autograd/*/*.hpp layers/*.hpp optim/*.hpp io/*.hpp | grep -v '/layer_options\.hpp$')
}
listed 'void options\(Visit|OptionList options\(\) const;' \
  "tests/options_test.cpp tests/cell_table.hpp tests/optimizer_table.hpp" options
listed 'StateList state\(\)|StateList to_state\(\)' \
  "tests/restored_values_test.cpp tests/optimizer_table.hpp" 'a state'
exit $failed
