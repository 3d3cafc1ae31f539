#!/bin/sh
# run.sh: what the action `image` runs: the script that $DO names.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
case ${DO:-} in
  name | look | merge | tag | sbom | attest | sign | verify | scan | secrets | digests | pins) exec sh "$here/$DO.sh" ;;
  *) echo "image: there is no such thing to do" >&2 && exit 2 ;;
esac
