#!/bin/sh
# Submit one prompt and wait up to 30 seconds for its answer: AICO_API_KEY=... sh examples/curl.sh
set -eu
api=${COST_OPTIMIZER_API_URL:-http://127.0.0.1:8080}
call() { curl --silent --show-error --fail-with-body --header "Authorization: Bearer $AICO_API_KEY" "$@"; }

# 202 Accepted: the job is stored, and Location says where its answer will be.
job=$(call "$api/v1/jobs" --header "Content-Type: application/json" --output /dev/stderr --write-out '%header{location}' \
    --data '{"prompt": "Which port does SSH use?", "max_tokens": 32, "class": "interactive", "metadata": {"team": "docs"}}')
call "$api$job?wait=30"
