# What the scripts beside it share. Nothing that comes from outside is used before it was looked at:
# a name that is no name never becomes part of a command. Sourced, not run.
#
# Exit codes are those of the programs: 2 what was given makes no sense, 10 it is not as it has to be,
# 12 that could not be found out.
# shellcheck shell=sh

# fail CODE TEXT: on one line, so that no text from outside can be a command to the runner.
fail() {
  text=$(printf '%s' "$2" | tr '\n\r' '  ')
  printf '%s: %s\n' "$(basename -- "$0" .sh)" "$text" >&2
  [ -z "${GITHUB_ACTIONS:-}" ] || printf '::error title=waveoff::%s\n' "$(printf '%s' "$text" | sed 's/%/%25/g')"
  exit "$1"
}

# matches PATTERN VALUE: the whole value, which is one line.
matches() {
  case $2 in
    *'
'*) return 1 ;;
  esac
  printf '%s\n' "$2" | LC_ALL=C grep -Eqx -e "$1"
}

# want WHAT PATTERN VALUE
want() {
  [ -n "$3" ] || fail 2 "there is no $1"
  matches "$2" "$3" || fail 2 "$3 is no $1"
}

want_image() {
  want 'image' '[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+' "$1"
}

want_name() { want 'name of an image' '[a-z0-9]+([._-]+[a-z0-9]+)*' "$1"; }
want_digest() { want 'digest' 'sha256:[0-9a-f]{64}' "$1"; }
want_commit() { want 'full commit' '[0-9a-f]{40}([0-9a-f]{24})?' "$1"; }

want_program() {
  command -v "$1" >/dev/null 2>&1 || fail 12 "$1 is not installed"
}

# output NAME VALUE: on standard output, and as the step's. The value was looked at before.
output() {
  printf '%s=%s\n' "$1" "$2"
  [ -z "${GITHUB_OUTPUT:-}" ] || printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"
}

# sha256 <FILE
sha256() {
  printf 'sha256:%s\n' "$(sha256sum | cut -d ' ' -f 1)"
}

# digest_of REFERENCE: by hashing what the registry gives; nothing when there is no such thing. A
# registry that cannot be asked is not one that has nothing.
digest_of() {
  seen=$(mktemp -d)
  if docker buildx imagetools inspect --raw "$1" >"$seen/raw" 2>"$seen/error"; then
    sha256 <"$seen/raw"
  elif ! grep -q ': not found$' "$seen/error"; then
    told=$(tail -n 1 "$seen/error")
    rm -rf "$seen"
    fail 12 "the registry could not be asked for $1: $told"
  fi
  rm -rf "$seen"
}
