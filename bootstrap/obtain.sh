# Gets a program that is in no cache: from the release, or from source. Sourced by install.sh.
#
# $WAVEOFF_RELEASE_URL   where the release's files are, instead of GitHub: the part before
#                        /v1.2.3/FILE. What comes from there needs the digests of MANIFEST, too.
# $WAVEOFF_DOWNLOAD_TIMEOUT   seconds for all attempts of a download together (120)
# shellcheck shell=sh

# obtain PLACE NAME WANTED: puts the program into the cache, and says in $folder where.
obtain() {
  prepare
  if [ -n "$3" ]; then
    make_scratch
    from_release "$2" "$3"
    file=$scratch/program
  else
    from_source "$2" "${1%%/*}"
  fi
  with_caches keep "$1" "$2" "$file" ||
    fail 12 "there is no folder to keep $2 in${trouble:+: $trouble}" \
      "set RUNNER_TOOL_CACHE to a folder on this machine from which programs can run, or WAVEOFF_BIN_DIR to one that holds them"
  clear
}

# gather FILE…: programs that are in several caches, since one of those can only be read, all into the
# first one that takes them; $folder is then the one that holds them.
gather() {
  prepare
  with_caches gathered "$@" ||
    fail 12 "there is no folder to keep all of the programs in${trouble:+: $trouble}" \
      "set RUNNER_TOOL_CACHE to a folder that can be written to, or WAVEOFF_BIN_DIR to one that holds them all"
}

# gathered FILE…: whether $cache has them all, now.
gathered() {
  together=''
  for file in "$@"; do
    choose_place "${file##*/}"
    if ! holds "$place" "${file##*/}" "$wanted"; then
      # What was built here has to stay what its marker says.
      [ -n "$wanted" ] || read -r wanted <"$file.complete" || return 1
      keep "$place" "${file##*/}" "$file" || return 1
    fi
    [ "${together:-$folder}" = "$folder" ] || {
      trouble="bootstrap/MANIFEST has some of them only"
      return 1
    }
    together=$folder
  done
}

prepare() {
  trouble='' gone='' scratch='' temporary=''
  # Whoever is ended takes along what he left half done.
  trap clear EXIT
  trap 'exit 130' HUP INT TERM
}

clear() {
  for folder_of_ours in "$scratch" "$temporary"; do
    [ -z "$folder_of_ours" ] || rm -rf -- "$folder_of_ours"
  done
  scratch='' temporary=''
}

make_scratch() {
  for folder in "${RUNNER_TEMP:-}" "${TMPDIR:-}" /tmp; do
    [ -n "$folder" ] || continue
    case $folder in /*) ;; *) folder=$from/$folder ;; esac
    if scratch=$(mktemp -d "$folder/waveoff.XXXXXX" 2>/dev/null); then return; fi
  done
  scratch=''
  fail 12 "there is no folder for a download" "set RUNNER_TEMP to a folder that can be written to"
}

# keep PLACE NAME FILE: takes a program into $cache, if it can run there; whoever looks sees all of
# it or nothing.
keep() {
  folder=$cache/$1
  mkdir -p -- "$folder" 2>/dev/null || return 1
  # What has the program's name and is a folder would take the program into it.
  for name_of_ours in "$2" "$2.complete"; do
    [ ! -d "$folder/$name_of_ours" ] || {
      trouble="$folder/$name_of_ours is a folder"
      return 1
    }
  done
  temporary=$(mktemp -d "$folder/.$2.XXXXXX" 2>/dev/null) || return 1
  kept=yes
  keep_in "$temporary" "$2" "$3" || kept=''
  rm -rf -- "$temporary"
  temporary=''
  [ -n "$kept" ]
}

# Part of a condition, so that nothing in here ends the shell by itself.
keep_in() {
  cp -- "$3" "$1/program" && chmod 755 "$1/program" || return 1
  # For another kind of machine, or in a folder from which nothing is run. `env` takes a path with = for a variable.
  (cd -- "$1" && env -i ./program --version) >/dev/null 2>"$1/said" </dev/null || {
    trouble="it does not start on this machine, from $folder: $(tail -n 1 "$1/said")"
    return 1
  }
  hash "$1/program"
  [ "$hash" = "${wanted:-$hash}" ] || {
    trouble="$folder does not keep what is written to it"
    return 1
  }
  printf '%s\n' "$hash" >"$1/hash" &&
    mv -f -- "$1/program" "$folder/$2" && mv -f -- "$1/hash" "$folder/$2.complete"
}

# from_release NAME WANTED: the program as $scratch/program. A release has each one compressed by
# xz and by gzip; each is opened only after it was found to be what MANIFEST says.
from_release() {
  read -r slug <"$here/REPOSITORY"
  base=${WAVEOFF_RELEASE_URL:-https://github.com/$slug/releases/download}
  # In messages, without a user's name and password.
  shown=$base
  case $base in *://*@*) shown=${base%%://*}://${base#*@} ;; esac
  # A release's file never changes, so that it is safe to ask for it again and again.
  seconds=${WAVEOFF_DOWNLOAD_TIMEOUT:-120}
  case $seconds in
    0* | *[!0-9]*) fail 2 "WAVEOFF_DOWNLOAD_TIMEOUT is not a number of seconds: $seconds" "write it in digits" ;;
  esac
  deadline=$(($(date +%s) + seconds))
  for kind in xz gz; do
    opener "$kind" || continue
    manifest "$platform/$1.$kind"
    [ -n "$wanted" ] || continue
    part=v$version/$1-$platform.$kind
    at=${shown%/}/$part
    say "downloads $at"
    download "${base%/}/$part" "$scratch/$kind" "$wanted" ||
      fail 12 "cannot download $1 $version from $at: $trouble" "$(remedy)"
    wanted=$2
    if "$open" -dc <"$scratch/$kind" >"$scratch/program" 2>"$scratch/said"; then
      hash "$scratch/program"
      [ "$hash" != "$2" ] || return 0
      trouble="what is in $at is not the program of MANIFEST"
    else
      trouble="$open cannot open $at: $(tail -n 1 "$scratch/said")"
    fi
  done
  fail 12 "cannot unpack $1 $version: ${trouble:-there is neither xz nor gzip, or MANIFEST names no archive}" \
    "install gzip or xz, or set WAVEOFF_BIN_DIR to a folder that holds $1"
}

# opener KIND: the program that opens it, in $open. BusyBox's xz lacks the filter for machine code
# by which ours are a twentieth smaller; it is told by not knowing its version.
opener() {
  case $1 in
    xz) open=xz && xz --version >/dev/null 2>&1 ;;
    gz) open=gzip && command -v gzip >/dev/null 2>&1 ;;
  esac
}

remedy() {
  case $gone in
    file) printf '%s' "use a released version of the action; where its files are mirrored, set WAVEOFF_RELEASE_URL to what stands before /v$version/" ;;
    tool) printf '%s' "install curl or wget, or set WAVEOFF_BIN_DIR to a folder that holds the programs" ;;
    *) printf '%s' "run the job again; without a way to that host, set https_proxy, WAVEOFF_RELEASE_URL to a mirror, or WAVEOFF_BIN_DIR to a folder that holds the programs" ;;
  esac
}

# download URL FILE WANTED: tries again what may pass, as long as there is time.
download() {
  pause=1 wrong=0
  while :; do
    left=$((deadline - $(date +%s)))
    [ "$left" -gt 0 ] || return 1
    if fetch "$1" "$2" "$left"; then
      hash "$2"
      [ "$hash" != "$3" ] || return 0
      trouble="what came is not what was released: its sha256 is $hash, and not $3"
      wrong=$((wrong + 1))
      # Once may be a proxy's mishap.
      [ "$wrong" -lt 2 ] || return 1
    fi
    [ -z "$gone" ] || return 1
    [ "$pause" -le 16 ] && [ $((deadline - $(date +%s))) -gt "$pause" ] || return 1
    say "$trouble; tries again in ${pause}s"
    sleep "$pause"
    pause=$((pause * 2))
  done
}

# fetch URL FILE SECONDS: one attempt, by the first program that can do it. $trouble is why not, and
# $gone is set when that will not change.
fetch() {
  stall=15 large=''
  [ "$3" -gt "$stall" ] || stall=$3
  for tool in curl wget busybox pwsh powershell; do
    command -v "$tool" >/dev/null 2>&1 || continue
    status=0
    # No server fills the disk. PowerShell's own memory is a file of any size, and it is ended by a limit: it
    # has its time only, which is little, and what it brings is hashed like the rest.
    case $tool in
      pwsh | powershell) limit=unlimited ;;
      *) limit=65536 ;;
    esac
    ({ [ "$limit" = unlimited ] || ulimit -f "$limit"; } && "by_$tool" "$1" "$3") >"$2" 2>"$scratch/said" || status=$?
    [ "$status" -ne 0 ] || return 0
    trouble=$(tr -d '\r' <"$scratch/said" | sed '/^[[:space:]]*$/d' | tail -n 1)
    trouble=${trouble:-$tool ended with status $status}
    # It is there, and does not run here: another one may. 153 is the limit, which may be the program's
    # own needs or a server without an end.
    case $status in
      126 | 127 | 132 | 134 | 135 | 139) continue ;;
      153)
        large="$tool was ended at the limit for a file"
        continue
        ;;
    esac
    for code in 401 404 410; do
      case $trouble in
        *"error: $code"* | *"ERROR $code"* | *"HTTP/1."?" $code"* | *"success: $code"* | *"($code)"*) gone="file" ;;
      esac
    done
    return 1
  done
  if [ -n "$large" ]; then
    trouble=$large
    return 1
  fi
  trouble=${trouble:-there is neither curl nor wget} gone="tool"
  return 1
}

# No settings of the user's: they may send tokens along, or files elsewhere. Proxies and trusted
# authorities come from the environment. Nobody who was asked by https goes on without it.
by_curl() {
  case $1 in
    https:*) protocols='=https' ;;
    *) protocols='=http,https' ;;
  esac
  curl -q -fsSL -g --proto "$protocols" --proto-redir "$protocols" --connect-timeout "$stall" \
    --speed-limit 1 --speed-time "$stall" --max-time "$2" -- "$1"
}

# BusyBox's wget dies of -T in the versions that Debian 12 and Ubuntu 22.04 have.
by_wget() {
  case $(wget --no-config --version 2>/dev/null) in
    *'GNU Wget'*) in_time "$2" wget --no-config --no-netrc -nv -t 1 -T "$stall" -O - -- "$1" ;;
    *) in_time "$2" wget -q -O - "$1" ;;
  esac
}

by_busybox() {
  busybox wget --help >/dev/null 2>&1 || return 127
  in_time "$2" busybox wget -q -O - "$1"
}

# in_time SECONDS COMMAND…: a server that sends a byte now and then never stalls.
in_time() {
  if timeout 9 sh -c : 2>/dev/null; then
    timeout "$@"
  else
    shift
    "$@"
  fi
}

by_pwsh() {
  # shellcheck disable=SC2016 # PowerShell's variables
  in_time "$2" env "WAVEOFF_URL=$1" "WAVEOFF_FILE=$scratch/pwsh" "WAVEOFF_SECONDS=$2" \
    "$tool" -NoLogo -NoProfile -NonInteractive -Command '
      $ErrorActionPreference = "Stop"; $ProgressPreference = "SilentlyContinue"
      try {
        Invoke-WebRequest -UseBasicParsing -TimeoutSec $env:WAVEOFF_SECONDS -Uri $env:WAVEOFF_URL -OutFile $env:WAVEOFF_FILE
      } catch { [Console]::Error.WriteLine($_.Exception.Message); exit 1 }' >&2 &&
    cat -- "$scratch/pwsh"
}

by_powershell() {
  by_pwsh "$@"
}

# from_source NAME KEY: the program as $file, with nothing of the caller's job but its cargo.
from_source() {
  why="bootstrap/MANIFEST has no entry $platform/$1"
  if [ ! -f "$root/Cargo.lock" ] || ! command -v cargo >/dev/null 2>&1; then
    fail 12 "cannot provide $1 $version: WAVEOFF_BIN_DIR is not set, $why, and there is no cargo to build it with" \
      "use a released version of the action, install Rust before this step, or set WAVEOFF_BIN_DIR to a folder that holds $1"
  fi
  say "builds $1 from source, as $why; this takes some minutes, once"
  # Not kept: what is built goes to the cache. By key, because other sources may build meanwhile;
  # for one source, cargo lets one build wait for the other.
  output=${RUNNER_TEMP:-${TMPDIR:-/tmp}}
  case $output in /*) ;; *) output=$from/$output ;; esac
  output=$output/waveoff-build/$2
  (
    unset CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS RUSTFLAGS RUSTUP_TOOLCHAIN
    cd -- "$root" && cargo build --quiet --release --locked --bin "$1" --target-dir "$output" >&2
  ) || fail 12 "cannot build $1 from $root" \
    "see cargo's message above; use a released version, or set WAVEOFF_BIN_DIR to a folder that holds $1"
  file=$output/release/$1
}
