#!/bin/sh
# pins.sh: what build.yml said was built, as `deploy` and `preflight` take it: with every image's full name,
# which no output of a job may have.
#   REGISTRY    ghcr.io
#   REPOSITORY  Acme/Shop
#   DIGESTS     {"web":"sha256:…"}; empty when nothing was built
#   IMAGES      what was to be built, [{"name": "web"}]; [] and nothing at all are nothing
# Says pins=ghcr.io/acme/shop/web@sha256:…, with commas.
set -eu
# shellcheck source=scripts/image/checked.sh
. "$(dirname -- "$0")/checked.sh"

pins=''
# What is not named is deployed as whatever is under a tag by then.
case ${IMAGES:-[]} in
  '[]') ;;
  *) [ -n "${DIGESTS:-}" ] || fail 10 'there were images to build, and nobody says which digests they have' ;;
esac
if [ -n "${DIGESTS:-}" ]; then
  one='"[a-z0-9]+([._-]+[a-z0-9]+)*":"sha256:[0-9a-f]{64}"'
  want 'list of digests' "\\{$one(,$one)*\\}" "$DIGESTS"
  prefix=$(printf '%s/%s' "${REGISTRY:-}" "${REPOSITORY:-}" | tr '[:upper:]' '[:lower:]')
  want_image "$prefix/any"
  pins=$(printf '%s' "$DIGESTS" | tr -d '{}"' | sed "s|\\([^:,]*\\):\\(sha256:[0-9a-f]*\\)|$prefix/\\1@\\2|g")
fi
output pins "$pins"
