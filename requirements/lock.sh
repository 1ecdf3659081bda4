#!/bin/sh
# Rewrites the lock files from pyproject.toml; needs `uv` and `npm`. Torch and the CUDA packages that its Linux wheel names are
# left out: which build of torch fits is the machine's business (see the README), everything else is pinned.
set -eu
cd "$(dirname "$0")/.."
lock() {
    uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links "$@"
}
compile() {
    lock "$@" pyproject.toml
}
compile --extra embedded --output-file requirements/runtime.txt
compile --extra embedded --extra pii --extra otel --extra dev --constraint requirements/runtime.txt --output-file requirements/dev.txt
compile --extra pii --constraint requirements/dev.txt | grep -vxFf requirements/runtime.txt >requirements/pii.txt
compile --extra otel --constraint requirements/dev.txt | grep -vxFf requirements/runtime.txt >requirements/otel.txt
compile --extra torch --constraint requirements/dev.txt |
    grep -vE '^(torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)(\[[^]]*\])?==' | grep -vxFf requirements/dev.txt >requirements/torch.txt
# Servers of others that the tests call, each in an environment of its own.
printf '%s\n' mockllm==0.0.8 localstripe==1.15.10 | lock --constraint requirements/dev.txt --output-file requirements/third-party.txt -
npm install --prefix requirements/third-party --package-lock-only --omit-lockfile-registry-resolved
