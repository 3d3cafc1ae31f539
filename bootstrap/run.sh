#!/bin/sh
# run.sh NAME [ARGUMENT…]: becomes the program NAME of this checkout.
#
# `exec`, because a runner sends its signals to this process only: the program has to be it.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
program=$(sh "$here/install.sh" "${1:-}")
shift
exec "$program" "$@"
