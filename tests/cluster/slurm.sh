# Sourced by bash: a Slurm of one node for this shell, without accounting (no sacct), as many sites have it.
#
# Uses the Slurm that answers already. Otherwise starts one of its own, gone when the shell ends: needs root, and on
# Debian installs what is missing. Its configuration has to lie in Slurm's standard place, as parts of Slurm drop
# SLURM_CONF; an /etc/slurm/slurm.conf that is there already is left alone, and nothing is started.
# Sets an EXIT trap; a shell with a trap of its own calls stop_slurm there.

SLURM_FOLDER=""
SLURM_FILES=(/etc/slurm/slurm.conf /etc/slurm/gres.conf /etc/slurm/cgroup.conf)

install_slurm() {
  command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v munged >/dev/null && return 0
  apt-get update -qq </dev/null >&2 &&
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      slurmctld slurmd slurm-client munge </dev/null >/dev/null
}

stop_slurm() { # by their process ids, and waits
  local name pid
  [ -n "$SLURM_FOLDER" ] || return 0
  scancel --user root 2>/dev/null || true
  for name in slurmctld slurmd munged; do
    pid=$(cat "$SLURM_FOLDER/$name.pid" 2>/dev/null) || continue
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
  done
  rm -rf "${SLURM_FILES[@]}" "$SLURM_FOLDER"
  SLURM_FOLDER=""
}

start_slurm() {
  install_slurm || { echo "slurm: slurmctld, slurmd, slurm-client and munge cannot be installed" >&2; return 1; }
  [ -e /etc/slurm/slurm.conf ] && { echo "slurm: /etc/slurm/slurm.conf is somebody else's" >&2; return 1; }
  SLURM_FOLDER=$(mktemp -d)
  trap stop_slurm EXIT
  chmod 755 "$SLURM_FOLDER"
  mkdir -p /etc/slurm "$SLURM_FOLDER"/{state,spool,munge}
  chown munge: "$SLURM_FOLDER/munge"
  printf 'CgroupAutomount=no\n' >/etc/slurm/cgroup.conf
  mknod "$SLURM_FOLDER/gpu0" c 1 3 && mknod "$SLURM_FOLDER/gpu1" c 1 3 # what Slurm hands out as GPUs here
  printf 'Name=gpu File=%s\n' "$SLURM_FOLDER/gpu0" "$SLURM_FOLDER/gpu1" >/etc/slurm/gres.conf
  cat >/etc/slurm/slurm.conf <<CONF
ClusterName=here
SlurmctldHost=$(hostname -s)(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket=$SLURM_FOLDER/munge/socket
SlurmUser=root
SlurmctldPort=26817
SlurmdPort=26818
SlurmctldPidFile=$SLURM_FOLDER/slurmctld.pid
SlurmdPidFile=$SLURM_FOLDER/slurmd.pid
SlurmctldLogFile=$SLURM_FOLDER/slurmctld.log
SlurmdLogFile=$SLURM_FOLDER/slurmd.log
StateSaveLocation=$SLURM_FOLDER/state
SlurmdSpoolDir=$SLURM_FOLDER/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
GresTypes=gpu
ReturnToService=2
SchedulerParameters=sched_interval=1,defer
KillWait=5
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
SlurmdParameters=config_overrides
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=8 RealMemory=$(($(awk '/MemTotal/ {print $2}' /proc/meminfo) / 1024 - 64)) Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10
PartitionName=short Nodes=ALL MaxTime=1 State=UP PriorityTier=1
PartitionName=apart Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=20
CONF
  munged --socket "$SLURM_FOLDER/munge/socket" --pid-file "$SLURM_FOLDER/munged.pid" \
    --log-file "$SLURM_FOLDER/munged.log" --seed-file "$SLURM_FOLDER/munged.seed" --force 2>/dev/null
  slurmctld -i && slurmd
  for _ in $(seq 100); do
    [ "$(sinfo -h -o %T 2>/dev/null | head -1)" = idle ] && break
    sleep 0.1
  done
  sinfo -h -o "slurm: $(sinfo -V | cut -d' ' -f2), %D node, %T, of this shell" >&2 ||
    { tail -20 "$SLURM_FOLDER"/*.log >&2; return 1; }
}

if sinfo -h >/dev/null 2>&1; then
  echo "slurm: the one already here" >&2
else
  start_slurm
fi
