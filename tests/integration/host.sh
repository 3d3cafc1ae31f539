#!/bin/sh
# A machine that is reached over ssh, in namespaces of its own for processes and mounts: its home
# is FOLDER/home, nothing else runs there, and all of it ends when the input ends.
#
#   host.sh FOLDER HOME   sshd with FOLDER/sshd_config; HOME is the user's, as sshd knows it
#
# Reads what to do, a word a line, and says "done" after each:
#   start      sshd listens
#   stop       it does not any more; sessions go on
#   sessions   whatever serves a connection is killed, and what was started there is not
set -u
sshd=$(PATH=$PATH:/usr/sbin:/sbin command -v sshd)

# Starts it and waits until it is one that can be stopped: before that, it is this script.
start() {
  "$sshd" -D -e -f "$1/sshd_config" </dev/null >>"$1/log" 2>&1 &
  listener=$!
}

sessions() {
  for process in /proc/[0-9]*; do
    read -r name <"$process/comm" || continue
    case $name:${process#/proc/} in
      "sshd:$listener") ;;
      sshd:* | sshd-session:*) kill -KILL "${process#/proc/}" ;;
    esac
  done 2>/dev/null
}

case $1 in
  inside)
    mount -t proc proc /proc
    mount -t tmpfs tmpfs /run
    mkdir /run/sshd
    mount --bind "$2/home" "$3"
    listener=0
    while read -r word; do
      case $word in
        start) start "$2" ;;
        stop) kill "$listener" && wait "$listener" ;;
        sessions) sessions ;;
      esac
      echo "done"
    done
    ;;
  *)
    exec unshare --pid --fork --kill-child --mount --propagation slave -- sh "$0" inside "$1" "$2"
    ;;
esac
