#!/usr/bin/env bash
#
# A job for the crontab of every machine in a fleet that runs on one of them at a time: in turn, and
# never on the word of a machine that lost the lock. Needs bash 5 and curl, nothing else.
#
#   cron.sh NAME COMMAND [ARGUMENT...]
#
#   */5 * * * *  cron.sh jobs/report /usr/local/bin/report
#
# The lock is NAME. COMMAND gets HOLDFAST_LOCK_KEY and HOLDFAST_FENCING_TOKEN in its environment;
# whatever it writes to should refuse tokens lower than the highest it has seen. When it has ended
# well, "last/NAME" in the cluster says when and under which token.
#
# Exits with COMMAND's own code, or: 2 usage; 4 refused; 120 not acquired within WAIT_MS; 121 the
# lock was lost and COMMAND was stopped; 122 nobody knows whether the lock was acquired; 123 no
# node answered.

set -u

if (($# < 2)) || [[ ! $1 =~ ^[A-Za-z0-9._/-]+$ ]]; then
  echo "usage: ${0##*/} NAME COMMAND [ARGUMENT...]   (NAME of A-Z a-z 0-9 . _ / -)" >&2
  exit 2
fi

name=$1
shift
ttl_ms=${TTL_MS:-15000}    # so long after this machine fell silent the next one gets its turn
wait_ms=${WAIT_MS:-60000}  # how long to stand in line; 0: not at all
poll_ms=${POLL_MS:-20000}  # the longest that one request may hang, for proxies in between
IFS=', ' read -ra endpoints <<<"${HOLDFAST_ENDPOINTS:-http://127.0.0.1:2379,http://127.0.0.1:22379,http://127.0.0.1:32379}"

# Names this one attempt. Whatever is sent again under it takes effect once, on any node.
attempt="${HOSTNAME:-host}-$$-$EPOCHREALTIME"

say() { printf '%s: %s\n' "$name" "$*" >&2; }

now_ms() { REPLY=$((${EPOCHREALTIME//[^0-9]/} / 1000)); }

# Sleeps so many milliseconds, without a process: a read that gets nothing.
nap_ms() { seconds "$1" && read -rt "$REPLY" -u "$nothing" || :; }
exec {nothing}<> <(:)

seconds() { printf -v REPLY '%d.%03d' $(($1 / 1000)) $(($1 % 1000)); }

# call WITHIN_MS METHOD PATH [CURL OPTION...]: one request, answered within so long.
# Sets $status (000: no answer) and $body. With no answer, the next call goes to the next endpoint.
status=000 body='' at=0
call() {
  local method=$2 path=$3 out
  seconds "$1"
  shift 3
  out=$(curl --silent --max-time "$REPLY" --connect-timeout 2 --request "$method" \
    --write-out '\n%{http_code}' "$@" "${endpoints[at]}$path")
  status=${out##*$'\n'}
  body=${out%$'\n'*}
  if [[ $status == 000 || $status == 503 ]]; then at=$(((at + 1) % ${#endpoints[@]})); fi
}

# field NAME: sets $REPLY to a field of $body that is text without quotes, or a number.
field() {
  if [[ $body =~ \"$1\":\"?([^\",}]*) ]]; then REPLY=${BASH_REMATCH[1]}; else REPLY=''; fi
}

# ---- 1. Stand in line ------------------------------------------------------------------------
# 202 says: still waiting, ask on. The same key keeps the place, here or at another node, for one
# time to live between two requests.

request="\"name\":\"$name\",\"ttlMs\":$ttl_ms,\"owner\":\"${USER:-cron}@${HOSTNAME:-host}\""
if ((wait_ms > 0)); then request+=",\"waitMs\":$wait_ms,\"pollMs\":$poll_ms"; fi
place=''
now_ms
give_up_ms=$((REPLY + wait_ms + 15000))
while :; do
  call $((poll_ms + 5000)) POST /v1/lock/acquire \
    --header "Idempotency-Key: $attempt" --data "{$request}"
  case $status in
    200) break ;;
    202)
      field position
      if [[ $REPLY != "$place" ]]; then say "waiting, number $REPLY in line"; fi
      place=$REPLY
      ;;
    409)
      field message
      say "$REPLY"
      exit 120
      ;;
    000 | 503 | 504)
      # No answer, no leader, or a lost answer: ask again, under the same key.
      now_ms
      if ((REPLY > give_up_ms)); then
        say "no node could tell within ${wait_ms} ms; a place in line ends by itself after ${ttl_ms} ms"
        if [[ $status == 504 ]]; then exit 122; else exit 123; fi
      fi
      nap_ms 200
      ;;
    *)
      say "refused ($status): $body"
      exit 4
      ;;
  esac
done

field key && key=$REPLY
field token && token=$REPLY
field lease && lease=$REPLY
say "acquired with token $token"

# ---- 2. Keep it, from a moment that is proven ------------------------------------------------
# The lock is certain until (a keep-alive's sending) + 0.99 ttl. COMMAND is stopped a fifth earlier.
# This reads the wall clock, since bash has no other; where that jumps, the token still protects.

release() {
  [[ -n ${keeper:-} ]] && kill "$keeper" 2>/dev/null
  call 5000 POST /v1/lock/release --data "{\"key\":\"$key\"}"
  if [[ $status != 200 ]]; then
    say "not released ($status); the lock passes on when ${ttl_ms} ms are over"
  fi
}
trap release EXIT

# keep_alive: 0 and $certain_until_ms if the lease stands, 1 if it has ended, 2 if nobody can tell.
keep_alive() {
  now_ms
  local sent_ms=$REPLY
  call $((ttl_ms / 10)) POST /v1/lease/keepalive --data "{\"lease\":\"$lease\"}"
  case $status in
    200) certain_until_ms=$((sent_ms + ttl_ms * 79 / 100)) ;;
    404 | 410) return 1 ;;
    *) return 2 ;;
  esac
}

certain_until_ms=0
until keep_alive; do
  if [[ $status == 404 || $status == 410 ]]; then
    say "lost before it was used"
    exit 121
  fi
  now_ms
  if ((REPLY > give_up_ms)); then
    say "no node confirms the lock"
    exit 123
  fi
  nap_ms 200
done

keep_it() {
  while :; do
    nap_ms $((ttl_ms / 3))
    until keep_alive; do
      now_ms
      if ((REPLY > certain_until_ms)) || [[ $status == 404 || $status == 410 ]]; then
        say "the lock is lost ($status): stopping the command"
        kill -USR1 $$
        exit
      fi
      nap_ms 100
    done
  done
}

# ---- 3. Work, in a process group of its own --------------------------------------------------

lost=''
trap 'lost=yes' USR1
trap 'kill -TERM -- "-$job" 2>/dev/null' INT TERM
set -m
HOLDFAST_LOCK_KEY=$key HOLDFAST_FENCING_TOKEN=$token "$@" &
job=$!
set +m
keep_it &
keeper=$!

code=0
while :; do # a signal interrupts wait; the command may still be running
  wait "$job"
  code=$?
  if [[ -n $lost ]]; then
    kill -TERM -- "-$job" 2>/dev/null
    nap_ms 500
    kill -KILL -- "-$job" 2>/dev/null
    exit 121
  fi
  kill -0 "$job" 2>/dev/null || break
done

# ---- 4. Say so, but only while the lock is still ours ----------------------------------------
# The cluster compares and writes in one step, so a machine that slept here cannot overwrite what
# its successor wrote.

if ((code == 0)); then
  call 5000 PUT "/v1/kv/last/$name?heldBy=$name&token=$token" --data "$EPOCHSECONDS token $token"
  case $status in
    200 | 201) ;;
    409)
      say "the lock was lost before the end: $body"
      exit 121
      ;;
    *) say "last/$name was not written ($status): $body" ;;
  esac
fi
exit "$code" # and the trap releases
