/**
 * Runs one command and outlives the agent: `sh -c WRAPPER sh RUN-FOLDER COMMAND HEADING LIMITS`.
 *
 * Creating `pid`, which also hands the limits to the watchdog, with noclobber is the claim: whoever creates it first decides whether the command runs at all, so an agent that
 * finds a run without it can void the run. The traps keep the wrapper alive to write the exit code when its group is told to
 * end; trapped (not ignored) signals are back to normal in the command. Its own stderr is closed off because some shells announce
 * how a child died. A complete `exit` ends in a newline.
 */
export const wrapperScript = `
set -C; { echo "$$ $4" > "$1/pid"; } 2>/dev/null || exit 125; set +C
trap : HUP INT QUIT TERM
[ -z "$3" ] || printf '%s\\n' "$3"
exec 3>&2 2>/dev/null
(exec sh -c "$2" 2>&3 3>&-)
echo $? > "$1/exit"
`;

/**
 * Watches over the runs below a root when no agent does: `sh -c WATCHDOG sh ROOT AGENT-PID POLL-SECONDS GRACE-POLLS NAP-POLLS NAP-SECONDS`. Between
 * two looks it takes a nap of so many polls while nothing runs, or the agent is there to look itself: most of what watching costs is starting `sleep`.
 *
 * One watcher per run counts polls since the lease file last changed and since the start, and ends the run's processes with the
 * reason in `end`. It leaves when the agent is gone and nothing runs any more. On Linux a process is only ever signalled when its
 * environment carries the run's marker, because process ids are used again after a reboot. Of an execution's next run, which another agent may have
 * begun by then, it ends nothing.
 */
export const watchdogScript = `
root=$1 agent=$2 interval=$3 grace=$4 polls=$5 nap=$6

marked() {
  [ -d /proc/self ] || { kill -0 "$pid" && echo "$pid"; return; }
  for file in $(grep -lsF "HELIX_RUN=$run" /proc/[0-9]*/environ); do
    tr '\\0' '\\n' < "$file" | grep -qxF "HELIX_RUN=$run" || continue
    file=\${file#/proc/}; echo "\${file%/environ}"
  done
}

alive() {
  kill -0 "$pid" && { [ ! -d /proc/self ] || grep -qsF "HELIX_RUN=$run" "/proc/$pid/environ"; }
}

signal_all() {
  found=$(marked)
  [ -n "$found" ] || return 1
  for one in $found; do
    [ "$one" != "$pid" ] || kill -s "$1" -- "-$pid"
    kill -s "$1" "$one"
  done
}

end_all() {
  signal_all TERM || return
  left=$grace
  while [ "$left" -gt 0 ]; do sleep "$interval"; left=$((left-1)); [ -n "$(marked)" ] || return; done
  signal_all KILL
}

watch() {
  run=$1; folder=\${run%/*}; pid=
  read -r pid timeout lease limit < "$run/pid" || return
  age=0 still=0 last=
  while [ ! -s "$run/exit" ]; do
    alive || { [ -s "$run/exit" ] || (set -C; echo lost > "$run/exit"); return; }
    if [ "$age" -gt 0 ] && [ $((still+polls)) -lt "$lease" ] && [ $((age+polls)) -lt "$timeout" ] && kill -0 "$agent"
    then sleep "$nap"; passed=$polls; else sleep "$interval"; passed=1; fi
    age=$((age+passed)) beat= reason= decided=
    read -r beat < "$folder/lease"
    if [ "$beat" = "$last" ]; then still=$((still+passed)); else still=0 last=$beat; fi
    [ "$still" -lt "$lease" ] || reason=lease-expired
    [ "$age" -lt "$timeout" ] || reason=timeout
    [ -z "$(find "$folder/log" -size "+$limit")" ] || reason=log-limit
    [ ! -s "$run/exit" ] || break
    if [ -n "$reason" ]; then (set -C; echo "$reason" > "$run/end"); end_all
    elif read -r decided < "$run/end" && ! kill -0 "$agent"; then end_all; fi
  done
  kill -0 "$agent" || end_all
}

exec 2>/dev/null
while :; do
  active=
  for file in "$root"/executions/*/run-*/pid; do
    run=\${file%/pid} owner=
    [ -f "$file" ] && [ ! -s "$run/exit" ] || continue
    active=1
    if read -r owner < "$run/watcher" && kill -0 "$owner"; then continue; fi
    watch "$run" &
    echo $! > "$run/watcher"
  done
  if [ -n "$active" ]; then sleep "$interval"; else kill -0 "$agent" || exit 0; sleep "$nap"; fi
done
`;
