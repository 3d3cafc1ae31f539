#!/bin/sh
# secrets.sh: whether somebody committed a secret, found by gitleaks in the whole history. What is known
# and harmless stands in the repository's .gitleaksignore.
#   SARIF  where what was found goes, without the secrets
set -eu
# shellcheck source=scripts/image/checked.sh
. "$(dirname -- "$0")/checked.sh"

[ -n "${SARIF:-}" ] || fail 2 'there is no file for the report'
want_program gitleaks
# A shallow clone would pass for a history without secrets.
[ "$(git rev-parse --is-shallow-repository 2>/dev/null)" = false ] || fail 12 'the whole history is not here: check it out with fetch-depth: 0'
rm -f -- "$SARIF"
code=0
gitleaks git --redact --no-banner --report-format sarif --report-path "$SARIF" --exit-code 10 . >&2 || code=$?
[ "$code" -eq 10 ] || [ "$code" -eq 0 ] || fail 12 'the history could not be scanned'
[ -s "$SARIF" ] || fail 12 'gitleaks wrote no report'
[ "$code" -eq 0 ] || fail 10 'the history has secrets: take them out of service first, then out of the code'
