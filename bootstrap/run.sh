#!/bin/sh
# run.sh NAME [ARGUMENT…]: becomes the program NAME of this checkout.
#
# `exec`, because a runner sends its signals to this process only: the program has to be it.
set -eu
case $0 in
  */*) here=${0%/*} ;;
  *) here=. ;;
esac
# In a subshell, which spares the start of another shell; it is given the same words, and looks at
# the first one.
# shellcheck source=bootstrap/install.sh
program=$(. "$here/install.sh")
shift
exec "$program" "$@"
