# Sourced by bash: a container engine for this shell, in DOCKER_HOST.
#
# Uses the engine that answers already (DOCKER_HOST, or the machine's own). Otherwise starts one of its
# own, gone when the shell ends: needs root, and on Debian installs what is missing (docker.io,
# mmdebstrap). The engine touches nothing of the machine's network: no bridge, no firewall rule.
# Sets an EXIT trap; a shell with a trap of its own calls stop_engine there.

ENGINE_FOLDER=""

install_engine() {
  command -v dockerd >/dev/null && command -v mmdebstrap >/dev/null && return 0
  apt-get update -qq </dev/null >&2 &&
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      docker.io mmdebstrap </dev/null >/dev/null
}

stop_engine() { # by its process id, and waits, so that nothing stays mounted
  local pid
  [ -n "$ENGINE_FOLDER" ] || return 0
  if pid=$(cat "$ENGINE_FOLDER/pid" 2>/dev/null); then
    docker ps -aq | xargs -r docker rm -f >/dev/null 2>&1 || true
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 150); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  fi
  umount "$ENGINE_FOLDER/data" 2>/dev/null || true # dockerd binds its data root onto itself
  rm -rf "$ENGINE_FOLDER"
  ENGINE_FOLDER=""
}

start_engine() {
  install_engine || { echo "engine: docker.io and mmdebstrap cannot be installed" >&2; return 1; }
  ENGINE_FOLDER=$(mktemp -d)
  trap stop_engine EXIT
  export DOCKER_HOST="unix://$ENGINE_FOLDER/docker.sock"
  setsid nohup dockerd -H "$DOCKER_HOST" --data-root "$ENGINE_FOLDER/data" \
    --exec-root "$ENGINE_FOLDER/exec" --pidfile "$ENGINE_FOLDER/pid" \
    --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false --bridge=none \
    --log-level warn >"$ENGINE_FOLDER/log" 2>&1 </dev/null &
  for _ in $(seq 300); do
    docker version >/dev/null 2>&1 && break
    sleep 0.1
  done
  docker version --format 'engine: {{.Server.Version}}, of this shell' >&2 ||
    { tail -20 "$ENGINE_FOLDER/log" >&2; return 1; }
}

if docker version >/dev/null 2>&1; then
  docker version --format 'engine: {{.Server.Version}}, the one already here' >&2
else
  start_engine
fi
