#!/bin/sh
# Waits until the GPU has this much free memory, then becomes the program that follows, if any:
#   wait-for-vram MIB SECONDS [PROGRAM [ARGUMENT]...]
# Ends with 1 when the memory is not free within so many seconds, or where nvidia-smi is missing.
needed_mib=$1
deadline_seconds=$2
shift 2

poll_seconds=2
answer_seconds=10
trap 'exit 143' TERM INT # as the first process of a container it would not hear them

now() { date +%s; }
say() { echo "wait-for-vram: $*" >&2; }

begun=$(now)
said_before=
while :; do
  answer=$(timeout -k 1 "$answer_seconds" \
    nvidia-smi --query-gpu=memory.free --format=csv,noheader,nounits 2>&1)
  status=$?
  case $status in
    0)
      case $answer in
        '' | *[!0-9]* | ????????*) seen="nvidia-smi says '$answer', which is no number of MiB" ;;
        *)
          [ "$answer" -ge "$needed_mib" ] && break
          seen="$answer MiB are free"
          ;;
      esac
      ;;
    126 | 127)
      say "nvidia-smi is not in this container: the pod needs the RuntimeClass of the NVIDIA" \
        "runtime and NVIDIA_DRIVER_CAPABILITIES with utility ($answer)"
      exit 1
      ;;
    124 | 137) seen="nvidia-smi gave no answer within $answer_seconds s" ;;
    *) seen="nvidia-smi failed with $status: $answer" ;;
  esac
  if [ $(($(now) - begun)) -ge "$deadline_seconds" ]; then
    say "after $deadline_seconds s the GPU has not $needed_mib MiB free: $seen. Another process" \
      "holds it: \`kubectl get pods -A\` shows the GPU's other pods, \`python -m synapse swap\`" \
      "hands it over"
    exit 1
  fi
  [ "$seen" = "$said_before" ] || say "waiting for $needed_mib MiB: $seen"
  said_before=$seen
  sleep "$poll_seconds"
done
say "$answer MiB are free, $needed_mib are needed"
[ $# -eq 0 ] || exec "$@"
