#!/usr/bin/env bash
# Checks that the table of operations in docs/tensors.md lists exactly the public functions that the
# headers below declare, each with its header, and that the tests check each one's gradient and
# values.
set -euo pipefail
source "$(dirname "$0")/sources.sh"

headers=(autograd/tape/view.hpp autograd/fuse/{broadcast,math,pointwise}.hpp
  autograd/operations/*.hpp autograd/losses/*.hpp)

# "header name" of each function in namespace rw itself: the name before the first parenthesis of a
# declaration. Operators are listed by their symbol.
declared=$(for header in "${headers[@]}"; do
  awk -v header="${header#autograd/}" '
    function finish() {
      gsub(/requires *\([^()]*\)/, "", statement)
      if (statement !~ /= *delete/ && statement !~ /^ *(inline )?(struct|class|enum|using|namespace)/ &&
          match(statement, /(operator[^A-Za-z0-9_ (]+|[A-Za-z_][A-Za-z0-9_]*)\(/)) {
        name = substr(statement, RSTART, RLENGTH - 1)
        sub(/^operator/, "", name)
        print header, name
      }
      statement = ""
    }
    { sub(/\/\/.*/, ""); if (/^ *#/) next; gsub(/"[^"]*"/, "") }
    {
      line = $0 " "
      for (i = 1; i <= length(line); ++i) {
        c = substr(line, i, 1)
        if (c == "(") ++parentheses
        if (c == ")") --parentheses
        if (parentheses == 0 && c == "{") {
          if (depth == 0) is_public = statement ~ /namespace rw *$/
          else if (depth == 1 && is_public) finish()
          ++depth; statement = ""
        } else if (parentheses == 0 && c == "}") {
          --depth; statement = ""
        } else if (parentheses == 0 && c == ";") {
          if (depth == 1 && is_public) finish()
          statement = ""
        } else if (depth == 0 || (depth == 1 && is_public)) {
          statement = statement c
        }
      }
    }' "$header"
done | sort -u)

# The rows of that table are those whose last column is a header of autograd: "header name" for each
# name in backticks in the first column.
listed=$(awk -F ' *[|] *' '
  NF >= 4 && $(NF - 1) ~ /^`[a-z]+\/[a-z_]+\.hpp`$/ {
    header = $(NF - 1); gsub(/`/, "", header)
    while (match($2, /`[^`]+`/)) {
      name = substr($2, RSTART + 1, RLENGTH - 2); $2 = substr($2, RSTART + RLENGTH)
      print header, name
    }
  }' docs/tensors.md | sort -u)

if [[ -z $declared || $declared != "$listed" ]]; then
  echo "operations: docs/tensors.md and the headers differ (< declared only, > in the table only):" >&2
  diff <(echo "$declared") <(echo "$listed") | grep '^[<>]' >&2 || true
  exit 1
fi

# A gradient test compares a function with itself: what moves elements the wrong way passes it.
failed=0
without_gradient='^operations/gradcheck|^losses/metrics| (argmax|argmin|one_hot|dropout_mask)$'
while read -r header name; do
  if ! grep -qwF "$name" tests/operation_table*.cpp; then
    echo "operations: tests/operation_table*.cpp has no row for $name ($header)" >&2
    failed=1
  fi
done < <(grep -vE "$without_gradient" <<<"$declared" | grep -E ' [a-z0-9_]+$')
while read -r header name; do
  if ! grep -qE "\<$name\(" tests/*_test.cpp tests/support/*.hpp; then
    echo "operations: no test of values calls $name ($header)" >&2
    failed=1
  fi
done < <(grep -E ' [a-z0-9_]+$' <<<"$declared")
exit $failed
