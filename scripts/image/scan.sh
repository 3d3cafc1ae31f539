#!/bin/sh
# scan.sh: whether an image has vulnerabilities that are too severe, found by Trivy.
#   IMAGE, DIGEST   what is in a registry; or
#   ARCHIVE         what was only built: a file of `docker save`
#   BAR             CRITICAL,HIGH
#   PLATFORM        of an index in a registry, the part to look at: linux/arm64
#   IGNORE_UNFIXED  true: what nobody can mend yet does not count
#   REPORT          where everything that was found goes, as JSON, whatever the bar is
#   SARIF           the same for GitHub's code scanning
set -eu
# shellcheck source=scripts/image/checked.sh
. "$(dirname -- "$0")/checked.sh"

level='(UNKNOWN|LOW|MEDIUM|HIGH|CRITICAL)'
want 'list of severities' "$level(,$level)*" "${BAR:-}"
want 'true or false' 'true|false' "${IGNORE_UNFIXED:-false}"
[ -n "${REPORT:-}" ] || fail 2 'there is no file for the report'
want_program trivy
if [ -n "${ARCHIVE:-}" ]; then
  [ -s "$ARCHIVE" ] || fail 12 "there is no image in $ARCHIVE"
  set -- --input "$ARCHIVE"
  what=$ARCHIVE
else
  want_image "${IMAGE:-}"
  want_digest "${DIGEST:-}"
  want 'platform' '[a-z0-9]+/[a-z0-9]+(/[a-z0-9]+)?' "${PLATFORM:-}"
  set -- --platform "$PLATFORM" "$IMAGE@$DIGEST"
  what=$IMAGE@$DIGEST
fi
[ "${IGNORE_UNFIXED:-false}" = false ] || set -- --ignore-unfixed "$@"
rm -f -- "$REPORT"
trivy image --scanners vuln --format json --output "$REPORT" "$@" >&2 || fail 12 "$what could not be scanned"
# Nothing observed is never a pass.
grep -q '"SchemaVersion"' "$REPORT" 2>/dev/null || fail 12 "Trivy wrote no report of $what"
grep -q '"Results"' "$REPORT" || echo "scan: Trivy knows nothing of what is in $what" >&2
[ -z "${SARIF:-}" ] || trivy convert --format sarif --output "$SARIF" "$REPORT" >&2 || fail 12 'the report could not be converted'
code=0
trivy convert --format table --severity "$BAR" --exit-code 10 "$REPORT" || code=$?
case $code in
  0) ;;
  10) fail 10 "$what has vulnerabilities that are $BAR" ;;
  *) fail 12 'the report could not be read' ;;
esac
