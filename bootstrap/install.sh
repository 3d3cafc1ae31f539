#!/bin/sh
# Puts programs of this checkout on disk, verified, and prints where they are.
#
#   install.sh NAME            prints the absolute path of the program NAME
#   install.sh --folder NAME…  prints the one folder that holds every NAME
#
# Where a program comes from, in this order; what is found is never used without its check:
#   1. $WAVEOFF_BIN_DIR, when it is set: nothing else is tried. Hashed when MANIFEST knows it.
#   2. the tool cache: only with its completion marker, and hashed again on every use.
#   3. the release, when MANIFEST has the program: without a token, by the digests in MANIFEST.
#   4. else this checkout's own source, by `cargo build --locked`.
# 3 and 4 are in obtain.sh: a program that is there already is found without reading it.
#
# POSIX sh: dash, bash, BusyBox. Messages go to stderr, the answer to stdout.
set -eu
# Nothing that the caller's shell was told changes what is done here, nor in what is started.
unset BASH_ENV ENV CDPATH
umask 022
newline='
'
IFS=" 	$newline"

# From here, a relative part of PATH names something of this checkout, and not of the workspace.
from=$PWD
case $0 in
  */*) cd -P -- "${0%/*}/" ;;
esac
here=$PWD
root=${here%/*}

say() {
  printf 'waveoff bootstrap: %s\n' "$1" >&2
}

# fail CODE MESSAGE HINT
fail() {
  say "$2"
  printf '  hint: %s\n' "$3" >&2
  if [ "${GITHUB_ACTIONS:-}" = true ]; then
    printf '::error title=waveoff::%s\n' "$(printf '%s. %s' "$2" "$3" | escape)" >&2
  fi
  exit "$1"
}

# A workflow command is one line, and % is its escape character.
escape() {
  sed -e 's/%/%25/g' -e "s/$(printf '\r')/%0D/g" | awk 'NR > 1 { printf "%%0A" } { printf "%s", $0 }'
}

# What hashes standard input, or the files that it is given.
choose_hasher() {
  if command -v sha256sum >/dev/null 2>&1; then
    hasher=sha256sum
  elif command -v shasum >/dev/null 2>&1; then
    hasher='shasum -a 256'
  elif command -v openssl >/dev/null 2>&1; then
    hasher='openssl dgst -sha256 -r'
  else
    fail 12 "there is nothing to check programs with" "install sha256sum, shasum or openssl"
  fi
}

# hash FILE: its sha256 in $hash, in lower-case hexadecimal.
hash() {
  hash=$($hasher <"$1") || hash=''
  hash=${hash%% *}
  [ ${#hash} -eq 64 ] ||
    fail 12 "cannot hash $1 with $hasher" "see its message above, if there is one"
}

# The Rust name of the platform that runs this, in $platform.
choose_platform() {
  system=${RUNNER_OS:-} arch=${RUNNER_ARCH:-}
  if [ -z "$system" ]; then system=$(uname -s); fi
  case $arch in
    X64 | x64 | ARM64 | arm64 | aarch64) ;;
    *) arch=$(uname -m) ;;
  esac
  case $arch in
    X64 | x64 | x86_64 | amd64) arch=x86_64 ;;
    ARM64 | arm64 | aarch64) arch=aarch64 ;;
  esac
  case $system in
    Linux) platform=$arch-unknown-linux-musl ;;
    macOS | Darwin) platform=$arch-apple-darwin ;;
    Windows | MINGW* | MSYS* | CYGWIN*)
      fail 2 "this shell has no program for Windows" \
        "run this job on ubuntu-latest, or in WSL; bootstrap/run.ps1 has some of the programs"
      ;;
    *) platform=$arch-$system ;;
  esac
}

# manifest FILE: what MANIFEST says about a file, in $wanted; nothing when it does not know it.
manifest() {
  wanted=$(awk -v file="$1" '$1 !~ /^#/ && $2 == file { print tolower($1); exit }' "$here/MANIFEST")
}

# with_caches COMMAND…: until it succeeds, with each folder in $cache that may hold programs.
with_caches() {
  for cache in "${RUNNER_TOOL_CACHE:-}" "${RUNNER_TEMP:-}" "${XDG_CACHE_HOME:-}" \
    "${HOME:+$HOME/.cache}" /; do
    case $cache in
      '') continue ;;
      /)
        # Where everybody may write, the folder has to be our own.
        user=$(id -u)
        cache=${TMPDIR:-/tmp}/waveoff-$user
        mkdir -- "$cache" 2>/dev/null ||
          [ -n "$(find "$cache" -prune -type d -user "$user" 2>/dev/null)" ] || return 1
        ;;
      *) cache=$cache/waveoff ;;
    esac
    case $cache in
      /*) ;;
      *) cache=$from/$cache ;;
    esac
    if "$@"; then return 0; fi
  done
  return 1
}

# holds PLACE NAME WANTED: whether $cache has a whole and unchanged program; its folder in $folder.
# What was built here has no digest but the one in its marker: WANTED is empty.
holds() {
  folder=$cache/$1
  # A folder, too, is one that can be "executed".
  [ -f "$folder/$2" ] && [ -x "$folder/$2" ] && [ -f "$folder/$2.complete" ] || return 1
  read -r marked <"$folder/$2.complete" || return 1
  hash "$folder/$2"
  if [ "$hash" = "$marked" ] && [ "$hash" = "${3:-$hash}" ]; then return 0; fi
  say "$folder/$2 is not what was put there: it is not used"
  return 1
}

# A checkout that is an archive has no git to ask: what identifies it is what it is built from.
source_hash() {
  (
    cd -- "$root"
    set -f
    for part in Cargo.toml Cargo.lock rust-toolchain.toml build.rs .cargo src schemas; do
      # shellcheck disable=SC2086 # words
      [ ! -e "$part" ] || find "$part" -type f -exec $hasher {} +
    done
  ) | LC_ALL=C sort | $hasher | cut -c 1-16
}

# from_override NAME: its folder in $folder. One folder may also hold the programs of several
# platforms, as the release's archives do.
from_override() {
  case $WAVEOFF_BIN_DIR in
    /*) folder=$WAVEOFF_BIN_DIR ;;
    *) folder=$from/$WAVEOFF_BIN_DIR ;;
  esac
  folder=$(cd -P -- "$folder" 2>/dev/null && pwd -P) ||
    fail 2 "WAVEOFF_BIN_DIR is not a folder: $WAVEOFF_BIN_DIR" \
      "set it to the folder that holds the programs, or unset it"
  [ -e "$folder/$1" ] || [ ! -e "$folder/$platform/$1" ] || folder=$folder/$platform
  if [ ! -f "$folder/$1" ] || [ ! -x "$folder/$1" ]; then
    fail 2 "WAVEOFF_BIN_DIR holds no program $1: $folder" \
      "put it there and make it executable, or unset WAVEOFF_BIN_DIR"
  fi
  manifest "$platform/$1"
  if [ -n "$wanted" ]; then
    hash "$folder/$1"
    [ "$wanted" = "$hash" ] ||
      fail 12 "$folder/$1 is not the program of version $version: its sha256 is $hash, and not $wanted" \
        "put the program of this version there"
  elif ! (cd -- "$folder" && env -i "./$1" --version) >/dev/null 2>&1 </dev/null; then
    # Of another kind of machine: the shell would read it as a script. `env` takes a path with = for a variable.
    fail 12 "$folder/$1 does not start on this machine" "put the program for $platform there, or unset WAVEOFF_BIN_DIR"
  fi
}

# choose_place NAME: the part of a cache in which a program is kept, in $place; its digest in $wanted.
choose_place() {
  manifest "$platform/$1"
  place=$version/$platform
  [ -n "$wanted" ] || place=$version-$(source_hash)/$platform
}

# provide NAME: sees to it that a program is on disk, and says in $folder where.
provide() {
  case $1 in
    wait-healthy | smoke-test | evaluate-rollback | notify-incident | waveoff) ;;
    *) fail 2 "there is no program \"$1\"" \
      "the programs are wait-healthy, smoke-test, evaluate-rollback, notify-incident, waveoff" ;;
  esac
  if [ -n "${WAVEOFF_BIN_DIR:-}" ]; then
    from_override "$1"
  else
    choose_place "$1"
    if ! with_caches holds "$place" "$1" "$wanted"; then
      # shellcheck source=bootstrap/obtain.sh
      . "$here/obtain.sh"
      obtain "$place" "$1" "$wanted"
    fi
  fi
  case $folder in
    *"$newline"*) fail 2 "the name of a folder for programs has a line break: $folder" "choose another one" ;;
  esac
}

read -r version <"$here/VERSION"
choose_hasher
choose_platform
case ${1:-} in
  --folder)
    shift
    before='' apart=''
    for name in "$@"; do
      provide "$name"
      [ "${before:-$folder}" = "$folder" ] || apart=yes
      before=$folder
      shift
      set -- "$@" "$folder/$name"
    done
    if [ -n "$apart" ]; then
      [ -z "${WAVEOFF_BIN_DIR:-}" ] ||
        fail 12 "WAVEOFF_BIN_DIR holds some programs by themselves, and some below $platform" \
          "put them all into one folder"
      # shellcheck source=bootstrap/obtain.sh
      . "$here/obtain.sh"
      gather "$@"
    fi
    [ -n "$before" ] || fail 2 "install.sh --folder wants the names of programs" "name one or more"
    printf '%s\n' "$folder"
    ;;
  *)
    provide "${1:-}"
    printf '%s/%s\n' "$folder" "$1"
    ;;
esac
