#!/bin/sh
# A deploy command like many: ends what runs, starts WAVEOFF_VERSION, keeps its process id.
set -eu
: "${SHOP:?the sample service}" "${SHOP_HOME:?a folder that stays}"
echo "shipping $WAVEOFF_VERSION (was ${WAVEOFF_PREVIOUS_VERSION:-nothing}, $WAVEOFF_DIRECTION)"
mkdir -p "$SHOP_HOME"
if [ -f "$SHOP_HOME/pid" ]; then
  old=$(cat "$SHOP_HOME/pid")
  kill "$old" 2>/dev/null || true
  # The port is free when the old process is gone.
  while kill -0 "$old" 2>/dev/null; do sleep 0.05; done
fi
setsid "$SHOP" --port "${SHOP_PORT:-18081}" --version "$WAVEOFF_VERSION" --bad-versions v2 \
  >>"$SHOP_HOME/log" 2>&1 </dev/null &
echo $! >"$SHOP_HOME/pid"
echo "$WAVEOFF_VERSION" >"$SHOP_HOME/version"
