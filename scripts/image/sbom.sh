#!/bin/sh
# sbom.sh: what is in each platform's image, found by Syft.
#   IMAGE    ghcr.io/acme/shop/web
#   DIGESTS  one per platform
#   FOLDER   where the files go: one per digest, SPDX as JSON
set -eu
# shellcheck source=scripts/image/checked.sh
. "$(dirname -- "$0")/checked.sh"

want_image "${IMAGE:-}"
[ -n "${DIGESTS:-}" ] || fail 2 'there are no digests'
[ -n "${FOLDER:-}" ] || fail 2 'there is no folder'
want_program syft
mkdir -p -- "$FOLDER"
set -f # words are digests, never patterns
for digest in $DIGESTS; do
  want_digest "$digest"
  file=$FOLDER/${digest#sha256:}.spdx.json
  syft scan "registry:$IMAGE@$digest" --output "spdx-json=$file" >&2 || fail 12 "what is in $IMAGE@$digest could not be found out"
  grep -q '"spdxVersion"' "$file" 2>/dev/null || fail 12 "Syft wrote no SBOM of $IMAGE@$digest"
done
output folder "$FOLDER"
