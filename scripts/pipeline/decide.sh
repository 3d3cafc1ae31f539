#!/bin/sh
# decide.sh: what a run of the pipeline is for, from what began it. Asked before anything is built.
#   EVENT, REF, DEFAULT_BRANCH  what began it, and where
#   NEEDS             how the caller's own jobs ended: toJSON(needs), {"lint": {"result": "success"}}
#   ENVIRONMENT       where to, for a run by hand; production unless it says otherwise
#   PUSH_ENVIRONMENT  where a push to the default branch goes: staging
#   STRATEGY          how, for a run by hand: blue-green, canary … ; as waveoff.yml says if empty
#   SKIP_TESTS        true: a job of the caller may have been skipped; only by hand
#   CONFIG            waveoff.yml
# Says push=, deploy=, environment= and config=; ends with 10 when nothing may be built.
set -eu
# shellcheck source=scripts/image/checked.sh
. "$(dirname -- "$0")/../image/checked.sh"

word='[A-Za-z0-9][A-Za-z0-9._-]*'
want 'event' '[a-z_]+' "${EVENT:-}"
want 'ref' 'refs/.+' "${REF:-}"
want 'branch' '.+' "${DEFAULT_BRANCH:-}"
want 'environment' "$word" "${PUSH_ENVIRONMENT:-}"
want 'environment' "$word" "${ENVIRONMENT:-production}"
want 'strategy' '[a-z-]+|' "${STRATEGY:-rolling}"
want 'true or false' 'true|false' "${SKIP_TESTS:-false}"
want 'file' "($word/)*$word\\.ya?ml" "${CONFIG:-}"

# Nothing observed is never a pass: no check at all is as bad as one that failed.
checked() {
  [ "${SKIP_TESTS:-false}" = false ] || [ "$EVENT" = workflow_dispatch ] || fail 2 'tests are skipped by hand only'
  want_program jq
  [ -n "${NEEDS:-}" ] || fail 2 'there are no needs: pass toJSON(needs)'
  results=$(printf '%s' "$NEEDS" | jq -er 'if type == "object" then . else error end | to_entries | map("\(.key):\(.value.result)") | join(" ")' 2>/dev/null) ||
    fail 2 'needs is not what toJSON(needs) gives'
  passed=0
  set -f # words are jobs with their results, never patterns
  for result in $results; do
    case ${result#*:}:${SKIP_TESTS:-false} in
      success:*) passed=$((passed + 1)) ;;
      skipped:true) printf 'decide: %s was skipped, as it was asked for\n' "${result%%:*}" >&2 ;;
      skipped:*) fail 10 "${result%%:*} was skipped before the build: only skip_tests allows that" ;;
      failure:* | cancelled:*) fail 10 "${result%%:*} ended with ${result#*:} before the build" ;;
      *) fail 2 "needs is not what toJSON(needs) gives: $result" ;;
    esac
  done
  [ "$passed" -gt 0 ] || [ "${SKIP_TESTS:-false}" = true ] ||
    fail 10 'no check ran before the build: let this job need them, and pass toJSON(needs)'
}

# decided PUSH DEPLOY ENVIRONMENT WHY
decided() {
  push=$1 deploy=$2 environment=$3
  printf 'decide: %s\n' "$4" >&2
}

by_hand() {
  to=${ENVIRONMENT:-production}
  if [ "$to" != "$PUSH_ENVIRONMENT" ] && [ "$REF" != "refs/heads/$DEFAULT_BRANCH" ]; then
    fail 10 "$to is deployed from $DEFAULT_BRANCH only, and this is $REF"
  fi
  decided true true "$to" "by hand to $to"
}

pushed() {
  if [ "$REF" != "refs/heads/$DEFAULT_BRANCH" ]; then
    decided false false '' "a push to $REF is built and tested"
  elif [ "${ENVIRONMENT:-$PUSH_ENVIRONMENT}" != "$PUSH_ENVIRONMENT" ]; then
    fail 2 "$ENVIRONMENT is deployed by hand only"
  else
    decided true true "$PUSH_ENVIRONMENT" "a push to $DEFAULT_BRANCH goes to $PUSH_ENVIRONMENT"
  fi
}

# The file for a strategy that was chosen is waveoff.<strategy>.yml, unless waveoff.yml has that strategy.
configured() {
  file=$CONFIG
  if [ -n "${STRATEGY:-}" ]; then
    file=${CONFIG%.*}.$STRATEGY.${CONFIG##*.}
    if [ ! -f "$file" ] && names_strategy "$CONFIG"; then file=$CONFIG; fi
  fi
  [ -f "$file" ] || fail 2 "there is no $file to deploy by"
}

# names_strategy FILE: `strategy: rolling`, or a key of that name below `strategy:`.
names_strategy() {
  awk -v name="$STRATEGY" '
    /^[^ #]/ { inside = /^strategy:/; if (inside && $2 == name) found = 1 }
    inside && $1 == name ":" { found = 1 }
    inside && index($0, "{") && index($0, " " name ":") { found = 1 }
    END { exit !found }
  ' "$1" 2>/dev/null
}

checked
case $EVENT in
  pull_request | merge_group | schedule) decided false false '' "$EVENT: it is built and tested" ;;
  push) pushed ;;
  workflow_dispatch) by_hand ;;
  # Such as pull_request_target, which would run somebody's code with this repository's secrets.
  *) fail 2 "nothing is known of the event $EVENT" ;;
esac
if [ "$deploy" = true ]; then configured; else file=''; fi
output push "$push"
output deploy "$deploy"
output environment "$environment"
output config "$file"
