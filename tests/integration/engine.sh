#!/bin/sh
# Keeps a container engine for a test program, in namespaces of its own for processes and mounts:
# when the input ends, which it does however the test program ends, everything in them ends too.
#
#   engine.sh docker|podman FOLDER NUMBER   state in FOLDER, addresses in 10.NUMBER.0.0/16
#   engine.sh clean FOLDER NUMBER           removes what one left behind that was itself killed
#
# $DISK limits what FOLDER/data can hold, in bytes. The machine's own engines are not touched:
# their folders, sockets and bridges are others, and of its packet filter one rule is added, which
# lets the addresses above talk to each other.
set -u
kind=$1
folder=$2
number=$3
pool=10.$number
PATH=$PATH:/usr/sbin:/sbin

between_our_containers() {
  iptables -w "$1" FORWARD -s "$pool.0.0/16" -d "$pool.0.0/16" -j ACCEPT 2>/dev/null
}

# Podman's rules go with its containers, but not all of them when several go at once.
forget_rules() {
  for table in nat filter; do
    ours=$(iptables -w -t "$table" -S 2>/dev/null | grep -F -- " $pool.")
    # The chain of a port is one container's; that of a network is of all that are named like it.
    ports=$(echo "$ours" | grep -oE 'NETAVARK-DN-[0-9A-F]+' | sort -u)
    iptables -w -t "$table" -S 2>/dev/null | grep '^-A' |
      grep -F -e " $pool." ${ports:+-e "$ports"} | sed 's/^-A/-D/' |
      # Some have a comment between quotes, which xargs understands.
      while read -r rule; do echo "$rule" | xargs iptables -w -t "$table"; done
    for chain in $ports; do iptables -w -t "$table" -X "$chain"; done
  done
}

# Networks and control groups are the machine's, and outlive the namespaces.
clean() {
  while between_our_containers -D; do :; done
  ip -o -4 address show | awk -v pool="$pool." 'index($4, pool) == 1 { print $2 }' |
    while read -r bridge; do ip link delete "$bridge"; done
  forget_rules
  find /sys/fs/cgroup -depth -type d -path "*/waveoff-$number*" -exec rmdir {} + 2>/dev/null
  rm -rf --one-file-system "$folder"
}

# What an engine thinks is the machine's is empty, and its own.
private_places() {
  # Before /proc is that of the namespace: by which number the machine knows this process.
  read -r pid _ </proc/self/stat
  mount -t proc proc /proc
  mount -t tmpfs tmpfs /run
  mount -t tmpfs tmpfs /dev/shm
  mkdir -p "$folder/data" "$folder/home" /run/lock
  [ -z "${DISK:-}" ] || mount -t tmpfs -o "size=$DISK" tmpfs "$folder/data"
  export HOME="$folder/home"
}

keep_docker() {
  bridge=waveoff$number
  ip link add "$bridge" type bridge
  ip address add "$pool.0.1/24" dev "$bridge"
  ip link set "$bridge" up
  between_our_containers -I
  # Its packet filter would replace the rules of the machine's own Docker; ports are published by
  # its proxy, as they are on loopback in any case.
  echo '{"default-address-pools": [{"base": "'"$pool"'.128.0/17", "size": 24}]}' >"$folder/daemon.json"
  dockerd --config-file "$folder/daemon.json" --host "unix://$folder/docker.sock" \
    --data-root "$folder/data" --exec-root /run/docker --pidfile /run/docker.pid \
    --bridge "$bridge" --iptables=false --ip-masq=false \
    --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/waveoff-$number" >"$folder/log" 2>&1 &
  wait_for_end
}

keep_podman() {
  for place in /var/lib/containers /var/lib/cni /etc/containers/networks; do
    [ ! -d "$place" ] || mount -t tmpfs tmpfs "$place"
  done
  cat >"$folder/containers.conf" <<END
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
network_config_dir = "$folder/networks"
default_subnet = "$pool.0.0/24"
default_subnet_pools = [{"base" = "$pool.128.0/17", "size" = 24}]
END
  cat >"$folder/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$folder/data"
runroot = "/run/containers/storage"
END
  # As Docker has it: a registry on loopback needs no certificate.
  cat >"$folder/registries.conf" <<END
[[registry]]
location = "127.0.0.1"
insecure = true
END
  export CONTAINERS_CONF="$folder/containers.conf" CONTAINERS_STORAGE_CONF="$folder/storage.conf"
  export CONTAINERS_REGISTRIES_CONF="$folder/registries.conf"
  engine=$(command -v podman)
  mkdir -p "$folder/bin"
  # Podman has no daemon: whoever calls it gets the one in here, where he is.
  cat >"$folder/bin/podman" <<END
#!/bin/sh
export CONTAINERS_CONF=$CONTAINERS_CONF CONTAINERS_STORAGE_CONF=$CONTAINERS_STORAGE_CONF
export CONTAINERS_REGISTRIES_CONF=$CONTAINERS_REGISTRIES_CONF HOME=\${HOME:-$HOME}
exec nsenter --target $pid --mount --pid -- sh -c 'cd "\$0" && exec $engine "\$@"' "\$PWD" "\$@"
END
  chmod 755 "$folder/bin/podman"
  "$engine" system service --time=0 "unix://$folder/podman.sock" >"$folder/log" 2>&1 &
  wait_for_end
  # Its network rules are the machine's: they go with the containers.
  timeout 20 "$engine" rm --all --force --time 0 >>"$folder/log" 2>&1
}

wait_for_end() {
  cat >/dev/null
}

case $kind in
  docker | podman)
    unshare --pid --fork --kill-child --mount --propagation slave -- \
      sh "$0" "inside-$kind" "$folder" "$number"
    clean
    ;;
  inside-*)
    private_places
    "keep_${kind#inside-}"
    ;;
  clean) clean ;;
esac
