#!/bin/sh
# A process for each call: the request is in the environment and on standard input, what is printed is the answer.
name=$(printf '%s' "$QUERY_STRING" | sed -n 's/^\(.*&\)\{0,1\}name=\([A-Za-z0-9_-]*\).*/\2/p')
echo "saying hello to ${name:=world}" >&2 # goes to the log
echo "Content-Type: application/json"
echo
echo "{\"message\": \"Hello, $name!\", \"version\": $FUNCTION_VERSION}"
