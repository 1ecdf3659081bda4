#!/bin/sh
# Ask in OpenAI's format and read the answer as it comes: AICO_API_KEY=... sh examples/stream.sh
set -eu
api=${COST_OPTIMIZER_API_URL:-http://127.0.0.1:8080}
curl --silent --show-error --fail-with-body --no-buffer "$api/v1/chat/completions" \
    --header "Authorization: Bearer $AICO_API_KEY" --header "Content-Type: application/json" \
    --header "x-aico-tags: example" \
    --data '{"model": "auto", "stream": true, "messages": [{"role": "user", "content": "Which port does SSH use?"}]}'
