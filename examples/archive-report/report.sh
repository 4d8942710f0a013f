#!/bin/sh
# POST a .tar.gz; the answer tells what is in it, by kind of file, and its largest files.
set -eu
if [ "$REQUEST_METHOD" != POST ]; then
  printf 'Status: 405 Method Not Allowed\nContent-Type: text/plain\nAllow: POST\n\nPOST a .tar.gz.\n'
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! tar -tzv --numeric-owner > "$work/list" 2> "$work/errors"; then
  head -n 3 "$work/errors" >&2
  printf 'Status: 400 Bad Request\nContent-Type: text/plain\n\nThat is no .tar.gz.\n'
  exit 0
fi
echo "$(wc -l < "$work/list") entries" >&2
printf 'Content-Type: text/plain; charset=utf-8\n\n'
awk '/^-/ { kind = $6; if (!sub(/^.*\./, "", kind) || kind ~ /\//) kind = "(none)"; files[kind]++; bytes[kind] += $3; all += $3; n++ }
  END { printf "%d files, %d bytes\n\n", n, all; for (kind in files) printf "%10d bytes  %5d files  %s\n", bytes[kind], files[kind], kind | "sort -rn" }' "$work/list"
printf '\nLargest:\n'
awk '/^-/ { printf "%10d bytes  %s\n", $3, $6 }' "$work/list" | sort -rn | head -n 5
