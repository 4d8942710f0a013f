#!/usr/bin/env bash
# The README's first command, as a stranger runs it: a clean clone in a new folder, install, start, deploy, call.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
export ATELIER_HOME="$folder/data" ATELIER_PORT=0 ATELIER_ROUTER_PORT=0
server=''
finish() {
  # The whole group: npm does not pass on what it gets.
  if [ -n "$server" ]; then
    kill -TERM -- "-$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    for _ in $(seq 100); do kill -0 -- "-$server" 2>/dev/null || break; sleep 0.1; done
  fi
  rm -rf "$folder"
}
trap finish EXIT

git clone --quiet "$source" "$folder/atelier"
cd "$folder/atelier"
npm ci --silent
setsid npm start >"$folder/server.log" 2>&1 &
server=$!
for _ in $(seq 100); do
  [ -f "$ATELIER_HOME/admin.json" ] && npx atelier status >/dev/null 2>&1 && break
  kill -0 "$server" 2>/dev/null || { cat "$folder/server.log"; echo 'the server ended'; exit 1; }
  sleep 0.1
done
cat "$folder/server.log"
url=$(npx atelier deploy examples/hello -o json | node -p 'JSON.parse(require("fs").readFileSync(0, "utf8")).url')
answer=$(curl --silent --show-error --fail "$url")
echo "smoke: $url answered: $answer"
case "$answer" in *[Hh]ello*) ;; *) echo 'smoke: that is not hello'; exit 1 ;; esac
