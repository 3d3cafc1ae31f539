# How Cosign is asked: without a key by the job's own identity, or with one that somebody keeps. Sourced.
#   KEY         the private key to sign with; its password is in COSIGN_PASSWORD
#   PUBLIC_KEY  the public key to verify with
#   IDENTITY    without a key: a pattern of the workflow that signed
#   ISSUER      who vouches for it: GitHub, unless another one is named
#   REPOSITORY  the repository that it ran for; every repository can call the same workflow
#   SHA         the commit that it ran for, where that matters
#   FORMAT      bundle, which Cosign 3 writes and reads; or tag, as Cosign 2 does
# shellcheck shell=sh

# The kinds of signature: a bundle's, and a tag's. Cosign 3 takes any attestation for a signature.
SIGNATURE='"type": *"(https://sigstore.dev/cosign/sign/v1|cosign container image signature)"'

# want_trust: without somebody to trust, anybody's signature would do.
want_trust() {
  [ -z "${PUBLIC_KEY:-}" ] || return 0
  [ -n "${IDENTITY:-}" ] || fail 2 'there is neither a public key nor an identity to verify by'
  [ -n "${REPOSITORY:-}" ] || fail 2 'there is no repository to verify by'
}

# on_registry ARGUMENT…: Cosign with what a registry on this machine needs, as Docker has it.
on_registry() {
  verb=$1
  shift
  case $IMAGE in
    127.0.0.1:* | localhost:*) set -- --allow-http-registry "$@" ;;
  esac
  cosign "$verb" "$@"
}

# writing VERB ARGUMENT…: `sign` or `attest`. With a key of one's own nothing is told to the public log.
writing() {
  verb=$1
  shift
  newer=''
  if cosign "$verb" --help 2>&1 | grep -q -e --use-signing-config; then newer=yes; fi
  case ${FORMAT:-bundle}:$newer in
    bundle:yes | tag:) ;;
    tag:yes) set -- --new-bundle-format=false --use-signing-config=false "$@" ;;
    bundle:) fail 2 'a bundle needs Cosign 3' ;;
    *) fail 2 "${FORMAT:-} is no format: bundle or tag" ;;
  esac
  if [ -n "${KEY:-}" ]; then
    set -- --key "$KEY" --tlog-upload=false "$@"
    [ "${FORMAT:-bundle}:$newer" != bundle:yes ] || set -- --use-signing-config=false "$@"
  fi
  on_registry "$verb" --yes "$@"
}

# reading VERB ARGUMENT…: `verify` or `verify-attestation`.
reading() {
  verb=$1
  shift
  if [ -n "${PUBLIC_KEY:-}" ]; then
    set -- --key "$PUBLIC_KEY" --insecure-ignore-tlog=true "$@"
  else
    set -- --certificate-identity-regexp "$IDENTITY" \
      --certificate-oidc-issuer "${ISSUER:-https://token.actions.githubusercontent.com}" \
      --certificate-github-workflow-repository "$REPOSITORY" "$@"
    [ -z "${SHA:-}" ] || set -- --certificate-github-workflow-sha "$SHA" "$@"
  fi
  on_registry "$verb" "$@"
}

# signed REFERENCE: 0 if it is signed as it has to be, 10 if not; what was seen is in $told.
signed() {
  code=0
  told=$(reading verify "$1" 2>&1) || code=$?
  if [ "$code" -eq 0 ]; then
    printf '%s\n' "$told" | grep -Eq -e "$SIGNATURE" && return 0
    told='there is an attestation, and no signature'
    return 10
  fi
  # No signature, and none that fits; in a bundle that one ends with 1, as everything else does.
  case $code:$told in
    10:* | 12:* | *'no matching attestations'* | *'no matching signatures'*) code=10 ;;
    *) code=12 ;;
  esac
  told=$(printf '%s\n' "$told" | grep -i '^error' | head -n 1)
  return "$code"
}
