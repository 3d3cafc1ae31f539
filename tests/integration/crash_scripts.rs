//! The commands of the services that are interrupted. Each may be run again after it was ended at any
//! point, as commands of a deployment must be.

/// Each script has a place for what a test wants to go wrong in it.
pub(crate) const SCRIPTS: [(&str, &str); 8] = [
    (
        "ship.sh",
        r#"#!/bin/sh
set -eu
# before
place=$SHOP_HOME/${WAVEOFF_SLOT:-own}$WAVEOFF_COMPONENT
mkdir -p "$place"
./stop.sh
setsid sh -c 'echo $$ >"$0/pid"; echo "$WAVEOFF_VERSION" >"$0/version"; exec "$SHOP" --port "$1" \
  --version "$WAVEOFF_VERSION" --bad-versions v2' "$place" "${PORT:-$SHOP_PORT}" \
  >>"$place/log" 2>&1 </dev/null &
until [ -s "$place/version" ]; do sleep 0.01; done
# after
"#,
    ),
    (
        "stop.sh",
        r#"#!/bin/sh
set -eu
place=$SHOP_HOME/${WAVEOFF_SLOT:-own}$WAVEOFF_COMPONENT
[ -f "$place/pid" ] || exit 0
old=$(cat "$place/pid")
kill "$old" 2>/dev/null || true
while kill -0 "$old" 2>/dev/null; do sleep 0.02; done
rm -f "$place/version" "$place/pid"
"#,
    ),
    (
        "running.sh",
        r#"#!/bin/sh
place=$SHOP_HOME/${WAVEOFF_SLOT:-own}$WAVEOFF_COMPONENT
if kill -0 "$(cat "$place/pid")" 2>/dev/null; then cat "$place/version"; fi
"#,
    ),
    (
        "migrate.sh",
        r#"#!/bin/sh
set -eu
# before
mkdir -p "$SHOP_HOME"
echo "$WAVEOFF_VERSION" >"$SHOP_HOME/schema.new"
[ ! -f "$SHOP_HOME/schema" ] || [ -f "$SHOP_HOME/before-$WAVEOFF_VERSION" ] ||
  cp "$SHOP_HOME/schema" "$SHOP_HOME/before-$WAVEOFF_VERSION"
mv "$SHOP_HOME/schema.new" "$SHOP_HOME/schema"
# after
"#,
    ),
    (
        "restore.sh",
        r#"#!/bin/sh
set -eu
# before
[ ! -f "$SHOP_HOME/before-$WAVEOFF_VERSION" ] ||
  mv "$SHOP_HOME/before-$WAVEOFF_VERSION" "$SHOP_HOME/schema"
"#,
    ),
    (
        "switch.sh",
        r#"#!/bin/sh
set -eu
# before
echo "$WAVEOFF_SLOT $WAVEOFF_PORT" >"$ROUTED.new"
mv "$ROUTED.new" "$ROUTED"
# after
"#,
    ),
    ("active.sh", "#!/bin/sh\ncut -d ' ' -f 1 \"$ROUTED\" 2>/dev/null || true\n"),
    ("schema.sh", "#!/bin/sh\ncat \"$SHOP_HOME/schema\" 2>/dev/null || echo none\n"),
];
