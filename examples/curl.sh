#!/usr/bin/env bash
# A run with curl alone: begun, written to, waited for, and followed to its end.
#   npx callboard serve examples/desk.ts            in one terminal, and in another
#   bash examples/curl.sh [http://127.0.0.1:8000]
set -euo pipefail
url=${1:-http://127.0.0.1:8000}
id=letter-$$
run=$url/api/runs/$id
ask() { curl -sS -H 'content-type: application/json' "$@" && echo; }

echo 'a run begins; its writer waits for a plan'
ask -X POST "$url/api/runs" -d '{ "workflow": "desk", "runId": "'"$id"'" }'

echo 'an update that does not fit is refused, with the place'
ask -X PUT "$run/entries/plan" -d '{ "value": 3 }'

echo 'sent twice under one key, the plan is written once'
for _ in first again; do
  ask -X PUT "$run/entries/plan" -H 'idempotency-key: the-plan' -d '{ "value": "three sentences" }'
done

echo 'the answer comes as soon as there is a draft'
ask "$run/waits/draft?timeoutMs=10000"

echo 'what the writer sees'
ask "$run/views/writer"

echo 'nobody overwrites what they have not seen'
ask -X PUT "$run/entries/plan" -H 'if-match: "7"' -d '{ "value": "one line" }'

echo 'an event ends it'
ask -X POST "$run/events" -d '{ "type": "approve" }'

echo 'all that happened; on a run that has not ended, the stream goes on'
curl -sSN "$run/stream?afterSeq=0"
