#!/usr/bin/env bash
# Run main.py (or, with -m first, another command of the engine) in its container: no root, a read-only file system, no
# capabilities, a volume for what must stay.
#
#   run.sh [--mode live ...]              the hour, with main.py's arguments; its exit code is the engine's
#   run.sh -m runtime status              an operator's command
#
# Settings of the run come from CONTAINER_ENV_FILE, which must have mode 0600. 125 to 127 are the container program's own
# exit codes. README.md lists the CONTAINER_ variables.
set -euo pipefail

program=${CONTAINER_PROGRAM:-docker}
image=${CONTAINER_IMAGE:-binance-engine}
env_file=${CONTAINER_ENV_FILE:-${XDG_CONFIG_HOME:-$HOME/.config}/binance-engine/env}
volume=${CONTAINER_VOLUME:-binance-engine}
network=${CONTAINER_NETWORK:-bridge}
google_file=${CONTAINER_GOOGLE_FILE:-}

stop() {
    printf 'run.sh: %s\n' "$1" >&2
    exit 2
}

[[ -f $env_file ]] || stop "$env_file: no such file: copy engine.env.example there, fill it in, chmod 600"
mode=$(ls -ldL -- "$env_file")
mode=${mode%% *}
[[ ${mode%[.+]} == -rw------- ]] || stop "$env_file: mode is $mode: run chmod 600 on it"

# shellcheck disable=SC2054 # the commas belong to the options of tmpfs
arguments=(
    --rm
    --init # signals reach the engine, which is no init process
    --read-only
    --tmpfs /tmp:rw,noexec,nosuid,nodev,size=16m
    --cap-drop ALL
    --security-opt no-new-privileges
    --pids-limit 64
    --memory 512m
    --stop-timeout 30 # an hour that is told to stop settles first
    --network "$network"
    --env-file "$env_file"
    --volume "$volume:/data"
)
if [[ -n $google_file ]]; then
    [[ -f $google_file ]] || stop "CONTAINER_GOOGLE_FILE: $google_file: no such file"
    arguments+=(--volume "$google_file:/run/google.json:ro" --env GOOGLE_APPLICATION_CREDENTIALS=/run/google.json)
fi
if [[ ${1:-} == -m ]]; then arguments+=(--entrypoint python); fi

exec "$program" run "${arguments[@]}" "$image" "$@"
