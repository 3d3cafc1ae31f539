#!/bin/sh
# name.sh: an image's full name, as registries want it: in small letters.
#   REGISTRY    ghcr.io
#   REPOSITORY  Acme/Shop
#   NAME        web; unique in the repository
# Says image=ghcr.io/acme/shop/web.
set -eu
# shellcheck source=scripts/image/checked.sh
. "$(dirname -- "$0")/checked.sh"

want_name "${NAME:-}"
image=$(printf '%s/%s/%s' "${REGISTRY:-}" "${REPOSITORY:-}" "$NAME" | tr '[:upper:]' '[:lower:]')
want_image "$image"
output image "$image"
