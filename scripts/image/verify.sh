#!/bin/sh
# verify.sh: whether what has a digest is signed as it has to be, and has the attestations it has to have.
#   IMAGE   ghcr.io/acme/shop/web
#   DIGEST  sha256:…
#   TYPES   spdxjson slsaprovenance1; none is none
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
code=0
signed "$IMAGE@$DIGEST" || code=$?
case $code in
  0) ;;
  10) fail 10 "$IMAGE@$DIGEST is not signed as it has to be: $told" ;;
  *) fail 12 "whether $IMAGE@$DIGEST is signed could not be found out: $told" ;;
esac
set -f # words are types, never patterns
for type in ${TYPES:-}; do
  want 'type of attestation' '[a-z0-9]+|https://[A-Za-z0-9./_-]+' "$type"
  told=$(reading verify-attestation --type "$type" "$IMAGE@$DIGEST" 2>&1 >/dev/null) ||
    fail 10 "$IMAGE@$DIGEST has no $type as it has to be: $(printf '%s\n' "$told" | grep -i '^error' | head -n 1)"
done
output digest "$DIGEST"
