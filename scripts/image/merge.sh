#!/bin/sh
# merge.sh: one index of what was built for each platform, under the commit's tag.
#   IMAGE      ghcr.io/acme/shop/web
#   DIGESTS    what was built, one per platform
#   PLATFORMS  what has to be in it: linux/amd64 linux/arm64
#   SHA        the commit
# Says digest=sha256:… of the index. A commit's tag never moves: whoever deploys a commit gets what was
# tested. Doing it again with the same digests changes nothing.
set -eu
# shellcheck source=scripts/image/checked.sh
. "$(dirname -- "$0")/checked.sh"

want_image "${IMAGE:-}"
want_commit "${SHA:-}"
want_program docker
set -f # words are digests, never patterns
set --
# In one order, so that the same digests are the same index.
for digest in $(printf '%s\n' "${DIGESTS:-}" | tr -s ' ' '\n' | LC_ALL=C sort); do
  want_digest "$digest"
  set -- "$@" "$IMAGE@$digest"
done
[ $# -gt 0 ] || fail 2 'there are no digests'
wanted=$(printf '%s\n' "${PLATFORMS:-}" | tr -s ' ' '\n' | LC_ALL=C sort)
[ -n "$wanted" ] || fail 2 'there are no platforms'

index=$(docker buildx imagetools create --dry-run "$@") || fail 12 "$* cannot be merged"
# What an image says of its platform counts, and not what a job meant to build. BuildKit's own notes on
# a build are of no platform; every arm64 is v8.
has=$(printf '%s\n' "$index" | awk -F '"' '
  $2 == "platform" { os = architecture = variant = ""; inside = 1 }
  inside && $2 == "os" { os = $4 }
  inside && $2 == "architecture" { architecture = $4 }
  inside && $2 == "variant" { variant = "/" $4 }
  inside && /}/ { print os "/" architecture variant; inside = 0 }
' | sed 's,^\(linux/arm64\)/v8$,\1,' | grep -v '^unknown/' | LC_ALL=C sort)
[ "$has" = "$wanted" ] || fail 10 "what was built is for ${has:-no platform}, and not for $wanted"

digest=$(printf '%s' "$index" | sha256)
found=$(digest_of "$IMAGE:$SHA")
if [ -n "$found" ] && [ "$found" != "$digest" ]; then
  fail 10 "$IMAGE:$SHA is $found already, and does not become $digest: run the failed jobs again, not all, or delete the tag"
fi
# It pushes nothing that is there already.
docker buildx imagetools create --tag "$IMAGE:$SHA" "$@" >&2 || fail 12 "$IMAGE:$SHA could not be pushed"
found=$(digest_of "$IMAGE:$SHA")
[ "$found" = "$digest" ] || fail 12 "$IMAGE:$SHA is ${found:-not there} after $digest was pushed"
output digest "$digest"
