#!/bin/sh
# Puts programs of this checkout on disk, verified, and prints where they are.
#
#   install.sh NAME            prints the absolute path of the program NAME
#   install.sh --folder NAME…  prints the one folder that holds every NAME
#
# Where a program comes from, in this order; what is found is never used without its check:
#   1. $WAVEOFF_BIN_DIR, when it is set: nothing else is tried. Hashed when MANIFEST knows it.
#   2. the tool cache: only with its completion marker, and hashed again on every use.
#   3. this checkout's own source, by `cargo build --locked`, into the tool cache.
#
# POSIX sh: dash, bash, BusyBox. Messages go to stderr, the answer to stdout.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
root=$(dirname -- "$here")

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

# hash FILE: its sha256 in lower-case hexadecimal.
hash() {
  if command -v sha256sum >/dev/null 2>&1; then
    sha256sum <"$1" | cut -d ' ' -f 1
  elif command -v shasum >/dev/null 2>&1; then
    shasum -a 256 <"$1" | cut -d ' ' -f 1
  elif command -v openssl >/dev/null 2>&1; then
    openssl dgst -sha256 -r <"$1" | cut -d ' ' -f 1
  else
    fail 12 "there is nothing to check programs with" "install sha256sum, shasum or openssl"
  fi
}

# The Rust name of the platform that runs this.
target() {
  case ${RUNNER_ARCH:-$(uname -m)} in
    X64 | x64 | x86_64 | amd64) arch=x86_64 ;;
    ARM64 | arm64 | aarch64) arch=aarch64 ;;
    *) arch=$(uname -m) ;;
  esac
  case ${RUNNER_OS:-$(uname -s)} in
    Linux) printf '%s-unknown-linux-musl\n' "$arch" ;;
    macOS | Darwin) printf '%s-apple-darwin\n' "$arch" ;;
    *) printf '%s-%s\n' "$arch" "$(uname -s)" ;;
  esac
}

# manifest_hash TARGET NAME: what MANIFEST says about a program; nothing when it does not know it.
manifest_hash() {
  awk -v file="$1/$2" '$1 !~ /^#/ && $2 == file { print tolower($1); exit }' "$here/MANIFEST"
}

# The first folder for programs that can be written to.
tool_cache() {
  for folder in "${RUNNER_TOOL_CACHE:-}" "${RUNNER_TEMP:-}" "${XDG_CACHE_HOME:-}" \
    "${HOME:+$HOME/.cache}" "${TMPDIR:-/tmp}"; do
    if [ -n "$folder" ] && mkdir -p -- "$folder/waveoff" 2>/dev/null && [ -w "$folder/waveoff" ]; then
      (CDPATH='' cd -- "$folder/waveoff" && pwd -P)
      return
    fi
  done
  fail 12 "there is no folder to keep programs in" \
    "set RUNNER_TOOL_CACHE to a folder that can be written to, or WAVEOFF_BIN_DIR to one that holds the programs"
}

# A checkout that is an archive has no git to ask: what identifies it is what it is built from.
source_hash() {
  (
    CDPATH='' cd -- "$root"
    for part in Cargo.toml Cargo.lock rust-toolchain.toml build.rs .cargo src schemas; do
      [ ! -e "$part" ] || find "$part" -type f
    done | LC_ALL=C sort | while IFS= read -r file; do
      printf '%s\n' "$file"
      cat -- "$file"
    done
  ) | hash /dev/stdin | cut -c 1-16
}

# cached FOLDER NAME WANTED: whether the cache holds a whole and unchanged program.
cached() {
  [ -x "$1/$2" ] && [ -f "$1/$2.complete" ] || return 1
  found=$(hash "$1/$2")
  if [ "$found" = "$(cat -- "$1/$2.complete")" ] && [ "$found" = "${3:-$found}" ]; then
    return 0
  fi
  say "$1/$2 is not what was put there: it is not used"
  return 1
}

# keep FOLDER NAME FILE: takes a program into the cache; whoever looks sees all of it or nothing.
keep() (
  mkdir -p -- "$1"
  temporary=$(mktemp -d "$1/.$2.XXXXXX")
  trap 'rm -rf -- "$temporary"' EXIT
  cp -- "$3" "$temporary/program"
  chmod 755 "$temporary/program"
  hash "$temporary/program" >"$temporary/hash"
  mv -f -- "$temporary/program" "$1/$2"
  mv -f -- "$temporary/hash" "$1/$2.complete"
)

# build FOLDER NAME KEY: from source, with nothing of the caller's job but its cargo.
build() {
  say "builds $2 from source, as $why; this takes some minutes, once"
  # Not kept: what is built goes to the cache. By key, because other sources may build meanwhile;
  # for one source, cargo lets one build wait for the other.
  output=${RUNNER_TEMP:-${TMPDIR:-/tmp}}/waveoff-build/$3
  (
    unset CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS RUSTFLAGS RUSTUP_TOOLCHAIN
    CDPATH='' cd -- "$root" &&
      cargo build --quiet --release --locked --bin "$2" --target-dir "$output" >&2
  ) || fail 12 "cannot build $2 from $root" \
    "see cargo's message above; use a released version, or set WAVEOFF_BIN_DIR to a folder that holds $2"
  keep "$1" "$2" "$output/release/$2"
}

# from_override NAME: prints the folder.
from_override() {
  folder=$(CDPATH='' cd -- "$WAVEOFF_BIN_DIR" 2>/dev/null && pwd -P) ||
    fail 2 "WAVEOFF_BIN_DIR is not a folder: $WAVEOFF_BIN_DIR" \
      "set it to the folder that holds the programs, or unset it"
  if [ ! -f "$folder/$1" ] || [ ! -x "$folder/$1" ]; then
    fail 2 "WAVEOFF_BIN_DIR holds no program $1: $folder" \
      "put it there and make it executable, or unset WAVEOFF_BIN_DIR"
  fi
  wanted=$(manifest_hash "$platform" "$1")
  [ -z "$wanted" ] || [ "$wanted" = "$(hash "$folder/$1")" ] ||
    fail 12 "$folder/$1 is not the program of version $version: its sha256 is not $wanted" \
      "put the program of this version there"
  printf '%s\n' "$folder"
}

# provide NAME: sees to it that a program is on disk, and prints its folder.
provide() {
  case $1 in
    wait-healthy | smoke-test | evaluate-rollback | notify-incident | waveoff) ;;
    *) fail 2 "there is no program \"${1:-}\"" \
      "the programs are wait-healthy, smoke-test, evaluate-rollback, notify-incident, waveoff" ;;
  esac
  if [ -n "${WAVEOFF_BIN_DIR:-}" ]; then
    from_override "$1"
    return
  fi
  cache=$(tool_cache)
  wanted=$(manifest_hash "$platform" "$1")
  why="version $version for $platform is in no cache"
  if [ -n "$wanted" ] && cached "$cache/$version/$platform" "$1" "$wanted"; then
    printf '%s\n' "$cache/$version/$platform"
    return
  fi
  [ -n "$wanted" ] || why="bootstrap/MANIFEST has no entry $platform/$1"
  if [ ! -f "$root/Cargo.lock" ] || ! command -v cargo >/dev/null 2>&1; then
    fail 12 "cannot provide $1 $version: WAVEOFF_BIN_DIR is not set, $why, and there is no cargo to build it with" \
      "use a released version of the action, install Rust before this step, or set WAVEOFF_BIN_DIR to a folder that holds $1"
  fi
  key=$(source_hash)
  folder=$cache/$version-$key/$platform
  cached "$folder" "$1" "" || build "$folder" "$1" "$key"
  printf '%s\n' "$folder"
}

version=$(cat -- "$here/VERSION")
platform=$(target)
case ${1:-} in
  --folder)
    shift
    folder=''
    for name in "$@"; do
      before=$folder
      folder=$(provide "$name")
      [ "${before:-$folder}" = "$folder" ] ||
        fail 12 "$name is in $folder, and the programs before it are in $before" \
          "set WAVEOFF_BIN_DIR to one folder that holds them all"
    done
    [ -n "$folder" ] || fail 2 "install.sh --folder wants the names of programs" "name one or more"
    printf '%s\n' "$folder"
    ;;
  *)
    folder=$(provide "${1:-}")
    printf '%s/%s\n' "$folder" "$1"
    ;;
esac
