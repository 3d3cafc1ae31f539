#!/bin/sh
# sign.sh: signs what has a digest, and looks whether that can be verified.
#   IMAGE   ghcr.io/acme/shop/web
#   DIGEST  sha256:…
# and what cosign.sh takes.
set -eu
# shellcheck source=scripts/image/checked.sh
. "$(dirname -- "$0")/checked.sh"
# shellcheck source=scripts/image/cosign.sh
. "$(dirname -- "$0")/cosign.sh"

want_image "${IMAGE:-}"
want_digest "${DIGEST:-}"
want_trust
want_program cosign
writing sign "$IMAGE@$DIGEST" >&2 || fail 12 "$IMAGE@$DIGEST could not be signed"
code=0
signed "$IMAGE@$DIGEST" || code=$?
[ "$code" -eq 0 ] || fail "$code" "$IMAGE@$DIGEST was signed, and that does not verify: $told"
output digest "$DIGEST"
