#!/bin/sh
# tag.sh: gives what has a digest the tags that move, such as `latest`.
#   IMAGE   ghcr.io/acme/shop/web
#   DIGEST  sha256:…
#   TAGS    latest stable; none is nothing to do
set -eu
# shellcheck source=scripts/image/checked.sh
. "$(dirname -- "$0")/checked.sh"

want_image "${IMAGE:-}"
want_digest "${DIGEST:-}"
want_program docker
set -f # words are tags, never patterns
for tag in ${TAGS:-}; do
  want 'tag' '[A-Za-z0-9_][A-Za-z0-9._-]{0,127}' "$tag"
  ! matches '[0-9a-f]{40}([0-9a-f]{24})?' "$tag" || fail 2 "$tag is a commit, whose tag does not move"
  ! matches 'sha256-.*' "$tag" || fail 2 "$tag is where signatures are"
done
for tag in ${TAGS:-}; do
  docker buildx imagetools create --tag "$IMAGE:$tag" "$IMAGE@$DIGEST" >&2 || fail 12 "$IMAGE:$tag could not be pushed"
  found=$(digest_of "$IMAGE:$tag")
  [ "$found" = "$DIGEST" ] || fail 12 "$IMAGE:$tag is ${found:-not there} after $DIGEST was given it"
done
