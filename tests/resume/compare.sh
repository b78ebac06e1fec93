#!/usr/bin/env bash
# compare.sh PROGRAM [OPTIONS]: runs an experiment alone, and again with --checkpoint, interrupted
# by each signal that stops training and then killed, and each time resumed in a new process. Fails
# if the results differ in more than the seconds, or if an interrupted process does not print how to
# resume.
set -euo pipefail
set -m  # without job control, background programs ignore SIGINT

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
checkpoints=$folder/run

# result: the last line, which is for programs, without the seconds.
result() { grep '^result' "$1" | sed -E 's/ seconds=[^ ]*//'; }

fail() {
  printf 'resume: %s\n' "$1" >&2
  cat "$folder/output" >&2
  exit 1
}

"$@" </dev/null >"$folder/alone"
expected=$(result "$folder/alone")

begin=("$@" --checkpoint "$checkpoints")
resume=("$1" --checkpoint "$checkpoints" --resume)
interruptions=0
next=("${begin[@]}")
for signal in INT TERM HUP KILL; do
  before=$(ls "$checkpoints" 2>/dev/null | tail -1 || true)
  "${next[@]}" </dev/null >"$folder/output" 2>&1 &
  process=$!
  # Waits for the first checkpoint of this process, if it saves one in time.
  for ((i = 0; i < 200; i++)); do
    kill -0 "$process" 2>/dev/null || break
    [[ $(ls "$checkpoints" 2>/dev/null | tail -1 || true) == "$before" ]] || break
    sleep 0.01
  done
  kill "-$signal" "$process" 2>/dev/null || true
  code=0
  wait "$process" || code=$?
  if ((code == 128 + $(kill -l "$signal"))); then
    interruptions=$((interruptions + 1))
    [[ $signal == KILL ]] || grep -q -- '--resume' "$folder/output" || fail "it does not print how to resume"
  elif ((code != 0)); then
    fail "exit code $code after SIG$signal"
  fi
  next=("${resume[@]}")
done
"${resume[@]}" </dev/null >"$folder/output" 2>&1 || fail "cannot resume"
got=$(result "$folder/output")
printf '%s\n%d interruptions\n' "$got" "$interruptions"
[[ $got == "$expected" ]] || fail "expected $expected"
((interruptions > 0)) || fail "it ended before it could be interrupted"
