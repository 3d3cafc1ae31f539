#!/bin/sh
# digests.sh: what was built, as one output: {"web":"sha256:…"}. Digests and not images' full names: GitHub
# drops an output that has a masked word in it, such as a registry's name.
#   NAMES   every image that has to be there
#   FOLDER  a file for each, with its digest
set -eu
# shellcheck source=scripts/image/checked.sh
. "$(dirname -- "$0")/checked.sh"

all=''
set -f # words are names, never patterns
for name in ${NAMES:-}; do
  want_name "$name"
done
for name in ${NAMES:-}; do
  [ -f "${FOLDER:-}/$name" ] || fail 10 "there is no digest of $name"
  digest=$(cat -- "$FOLDER/$name")
  want_digest "$digest"
  case $all in *"\"$name\":"*) fail 2 "there are two images of the name $name" ;; esac
  all="$all${all:+,}\"$name\":\"$digest\""
done
[ -n "$all" ] || fail 2 'there are no images'
output digests "{$all}"
