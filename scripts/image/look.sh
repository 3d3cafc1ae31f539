#!/bin/sh
# look.sh: whether a commit's image is there, signed by this workflow for this commit: then nothing has
# to be built, and the run says what the one before said.
#   IMAGE  ghcr.io/acme/shop/web
#   SHA    the commit
# and what cosign.sh takes. Says digest=sha256:…, or digest= when it is to be built.
set -eu
# shellcheck source=scripts/image/checked.sh
. "$(dirname -- "$0")/checked.sh"
# shellcheck source=scripts/image/cosign.sh
. "$(dirname -- "$0")/cosign.sh"

want_image "${IMAGE:-}"
want_commit "${SHA:-}"
want_trust
want_program docker
want_program cosign
# A registry may refuse to tell of an image that was never pushed. Building it is right then: what
# merges it asks again, and moves no tag.
found=$(digest_of "$IMAGE:$SHA" 2>&1) || found=''
if [ -n "$found" ]; then
  code=0
  signed "$IMAGE@$found" || code=$?
  case $code in
    0) ;;
    10)
      echo "look: $IMAGE:$SHA is there, and not signed as it has to be: $told" >&2
      found=''
      ;;
    # To build it again would only be to lose what is there.
    *) fail 12 "$IMAGE:$SHA is there, and whether it is signed could not be found out: $told" ;;
  esac
fi
output digest "$found"
