#!/bin/sh
# Prints the version that runs; nothing when nothing does.
if kill -0 "$(cat "$SHOP_HOME/pid")" 2>/dev/null; then cat "$SHOP_HOME/version"; fi
