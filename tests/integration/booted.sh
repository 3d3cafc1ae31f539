#!/bin/sh
# A machine that systemd has booted, in namespaces of its own: systemd is its process 1. Its files are
# this machine's, and what it changes of them is in memory, survives its reboots, and ends with this.
# The network is this machine's.
#
#   booted.sh FOLDER SHARED PROGRAM   state in FOLDER; SHARED is there under its own name, and
#                                     PROGRAM is /usr/local/bin/waveoff
#
# Reads what to do, a word a line, and answers each:
#   boot    starts systemd; says by which number this machine knows it
#   cut     all its processes are gone at once, as by a power cut; says "done"
#   ended   it has shut down by itself; says "done"
set -u
folder=$1
shared=$2
program=$3
root=$folder/root
PATH=$PATH:/usr/sbin:/sbin

# The disk, with the few units that a machine needs, and users who may deploy and serve.
install_disk() {
  mkdir -p "$root" "$folder/disk" || return 1
  mount -t tmpfs tmpfs "$folder/disk" && mkdir "$folder/disk/upper" "$folder/disk/work" || return 1
  mount -t overlay overlay \
    -o "lowerdir=/,upperdir=$folder/disk/upper,workdir=$folder/disk/work" "$root" || return 1
  # What is removed here is covered, and not gone.
  [ "$(stat -f -c %T "$root")" = overlayfs ] || return 1
  for place in etc/systemd/system var/log/journal opt/shop etc/waveoff var/lib/waveoff; do
    rm -rf "${root:?}/$place"
  done
  mkdir -p "$root/etc/systemd/system" "$root/opt"
  : >"$root/usr/local/bin/waveoff"
  units=$root/etc/systemd/system
  for target in sysinit basic multi-user local-fs network network-online sockets timers paths slices \
    shutdown umount final reboot; do
    cp "/lib/systemd/system/$target.target" "$units/" || return 1
  done
  for unit in systemd-reboot.service systemd-journald.service systemd-journald.socket \
    systemd-journald-dev-log.socket dbus.service dbus.socket; do
    cp "/lib/systemd/system/$unit" "$units/" || return 1
  done
  mkdir "$units/sockets.target.wants"
  for socket in systemd-journald.socket systemd-journald-dev-log.socket dbus.socket; do
    ln -s "../$socket" "$units/sockets.target.wants/"
  done
  for user in shop deploy; do
    echo "$user:x:$((number += 1)):$number::/home/$user:/bin/sh" >>"$root/etc/passwd"
    echo "$user:x:$number:" >>"$root/etc/group"
    echo "$user:*:19000:0:99999:7:::" >>"$root/etc/shadow"
    mkdir -p "$root/home/$user" && chown "$number:$number" "$root/home/$user"
  done
}

# Everything that a kernel has ready before its first process, and nothing that is this machine's.
prepare() {
  cd "$root" || exit 1
  set -e
  mount -t proc proc proc
  mount --bind proc/sys proc/sys
  mount -o remount,bind,ro proc/sys
  mount -t sysfs -o ro sysfs sys
  if [ -e /sys/fs/cgroup/cgroup.procs ]; then
    mount -t cgroup2 cgroup2 sys/fs/cgroup
  else
    mount -t tmpfs tmpfs sys/fs/cgroup
    mkdir sys/fs/cgroup/systemd sys/fs/cgroup/unified
    mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
    mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
  fi
  mount -t tmpfs -o mode=755 tmpfs run
  # As systemd-tmpfiles has it.
  mkdir -p run/log/journal
  chgrp systemd-journal run/log/journal
  chmod 2755 run/log/journal
  mount -t tmpfs -o mode=755 tmpfs dev
  for device in null zero full random urandom tty; do
    : >"dev/$device"
    mount --bind "/dev/$device" "dev/$device"
  done
  mkdir dev/shm dev/pts
  mount -t tmpfs tmpfs dev/shm
  mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
  ln -s pts/ptmx dev/ptmx
  ln -s /proc/self/fd dev/fd
  : >dev/console
  mount --bind "$folder/console" dev/console
  mount --bind "$shared" ".$shared"
  mount --bind "$program" usr/local/bin/waveoff
  mkdir run/before
  pivot_root . run/before
  umount -l /run/before
}

# A group for all of it, which its own groups are below: 0 is whoever writes it.
join_group() {
  for hierarchy in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
    [ -e "$hierarchy/cgroup.procs" ] || continue
    mkdir -p "$hierarchy/$group" && echo 0 >"$hierarchy/$group/cgroup.procs"
  done
}

# Its first process takes all others along, and is the last one to be gone.
cut_power() {
  [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
  wait "$machine" 2>/dev/null
  pid=''
}

forget_group() {
  find /sys/fs/cgroup -depth -type d -path "*/$group*" -exec rmdir {} + 2>/dev/null
}

case ${4-} in
  '')
    exec unshare --mount --propagation slave -- sh "$0" "$folder" "$shared" "$program" kept
    ;;
  kept)
    number=29000
    install_disk >&2 || exit 1
    group=waveoffbooted$$
    machine=''
    pid=''
    while read -r word; do
      case $word in
        boot)
          : >"$folder/pid"
          (
            join_group
            exec unshare --pid --fork --kill-child --mount --uts --ipc --cgroup --propagation slave -- \
              sh "$0" "$folder" "$shared" "$program" first
          ) </dev/null >>"$folder/log" 2>&1 &
          machine=$!
          until read -r pid <"$folder/pid" && [ -n "$pid" ]; do
            kill -0 "$machine" 2>/dev/null || break
            sleep 0.02
          done
          echo "${pid:-none}"
          ;;
        cut)
          cut_power
          echo "done"
          ;;
        ended)
          wait "$machine" 2>/dev/null
          pid=''
          echo "done"
          ;;
      esac
    done
    cut_power
    forget_group
    ;;
  first)
    # Before /proc is that of the namespace.
    read -r pid _ </proc/self/stat
    : >"$folder/console"
    exec 3>"$folder/pid"
    prepare
    echo "$pid" >&3
    exec 3>&-
    # The time and the kernel's modules are this machine's.
    exec env -i container=waveoff PATH=/usr/sbin:/usr/bin:/sbin:/bin \
      SYSTEMD_UNIT_PATH=/etc/systemd/system \
      setpriv --bounding-set=-sys_time,-sys_module,-sys_rawio,-syslog -- \
      /lib/systemd/systemd --system --unit=multi-user.target
    ;;
esac
