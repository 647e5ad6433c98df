key="helm-test/$(hostname)"
fail() { echo "FAILED: $*" >&2; exit 1; }

etcdctl member list | grep -q ', started,' || fail "no member is started"
etcdctl watch "$key" >/tmp/events &
watcher=$!
tries=0
until grep -q hello /tmp/events; do
  tries=$((tries + 1))
  [ $tries -lt 50 ] || fail "the watch sees no put"
  etcdctl put "$key" hello
  sleep 0.2
done
kill $watcher
[ "$(etcdctl get --print-value-only "$key")" = hello ] || fail "get gives another value"
[ "$(etcdctl del "$key")" = 1 ] || fail "the key was not deleted"
echo passed
