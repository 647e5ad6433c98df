key="helm-test/$(hostname)"
fail() { echo "FAILED: $*" >&2; exit 1; }

etcdctl --endpoints="$ALL" endpoint health
started=$(etcdctl --endpoints="$SERVICE" member list | grep -c ', started,')
[ "$started" = "$MEMBERS" ] || fail "$started members are started, not $MEMBERS"

last=${ALL##*,}
etcdctl --endpoints="$last" watch "$key" >/tmp/events &
watcher=$!
until grep -q value-0 /tmp/events; do
  etcdctl --endpoints="$SERVICE" put "$key" value-0
  sleep 0.2
done

i=1
for endpoint in $(echo "$ALL" | tr ',' ' '); do
  etcdctl --endpoints="$endpoint" put "$key" "value-$i"
  for other in $(echo "$ALL" | tr ',' ' '); do
    value=$(etcdctl --endpoints="$other" get --print-value-only "$key")
    [ "$value" = "value-$i" ] || fail "$other gives '$value' for what $endpoint wrote, value-$i"
  done
  i=$((i + 1))
done

deleted=$(etcdctl --endpoints="$SERVICE" del "$key")
[ "$deleted" = 1 ] || fail "del answers $deleted"
[ -z "$(etcdctl --endpoints="$ALL" get "$key")" ] || fail "the key is still there"
tries=0
until grep -q DELETE /tmp/events; do
  tries=$((tries + 1))
  [ $tries -lt 50 ] || fail "the watch did not see the delete"
  sleep 0.2
done
kill $watcher
echo "passed: $MEMBERS members"
