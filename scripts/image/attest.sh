#!/bin/sh
# attest.sh: attaches signed statements about what has a digest to it, in the registry.
#   IMAGE      ghcr.io/acme/shop/web
#   DIGEST     sha256:…
#   TYPE       spdxjson, cyclonedx, slsaprovenance1, vuln …
#   PREDICATE  a file, or a folder of them
# and what cosign.sh takes.
set -eu
# shellcheck source=scripts/image/checked.sh
. "$(dirname -- "$0")/checked.sh"
# shellcheck source=scripts/image/cosign.sh
. "$(dirname -- "$0")/cosign.sh"

want_image "${IMAGE:-}"
want_digest "${DIGEST:-}"
want 'type of attestation' '[a-z0-9]+|https://[A-Za-z0-9./_-]+' "${TYPE:-}"
want_trust
want_program cosign
attached=0
set -- "${PREDICATE:-}"
if [ -d "$1" ]; then set -- "$1"/*; fi
for file in "$@"; do
  [ -s "$file" ] || fail 12 "there is nothing in ${file:-no file} to attach"
  writing attest --type "$TYPE" --predicate "$file" "$IMAGE@$DIGEST" >&2 ||
    fail 12 "$file could not be attached to $IMAGE@$DIGEST"
  attached=$((attached + 1))
done
told=$(reading verify-attestation --type "$TYPE" "$IMAGE@$DIGEST" 2>&1 >/dev/null) ||
  fail 12 "$TYPE was attached to $IMAGE@$DIGEST, and does not verify: $(printf '%s\n' "$told" | grep -i '^error' | head -n 1)"
output attached "$attached"
