#include "tests/integration/cluster/recorder.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "bench/load/requests.h"
#include "server/base/bytes.h"

namespace etcd::cluster {
namespace {

using etcdserverpb::WatchResponse;

constexpr auto kProgressInterval = std::chrono::milliseconds(300);

etcdserverpb::WatchCreateRequest Everything(bool prev_kv) {
  etcdserverpb::WatchCreateRequest out;
  out.set_key(std::string("\0", 1));
  out.set_range_end(std::string("\0", 1));
  out.set_start_revision(1);
  out.set_prev_kv(prev_kv);
  return out;
}

// As the store has it: main revision, '_', sub-revision, and 't' after a delete.
std::string RecordKey(std::int64_t revision, std::int64_t sub, bool deleted) {
  std::string key(17, '_');
  base::StoreBigEndian64(key.data(), static_cast<std::uint64_t>(revision));
  base::StoreBigEndian64(key.data() + 9, static_cast<std::uint64_t>(sub));
  if (deleted) key += 't';
  return key;
}

std::string EightBytes(std::int64_t value) {
  std::string out(8, '\0');
  base::StoreBigEndian64(out.data(), static_cast<std::uint64_t>(value));
  return out;
}

}  // namespace

void Feed::OnEvents(const WatchResponse& response) {
  for (int i = 0; i < response.events_size();) {
    const std::int64_t revision = response.events(i).kv().mod_revision();
    engine::WriteBatch batch;
    for (std::int64_t sub = 0;
         i < response.events_size() && response.events(i).kv().mod_revision() == revision;
         ++i, ++sub) {
      const mvccpb::Event& event = response.events(i);
      const bool deleted = event.type() == mvccpb::Event::DELETE;
      mvccpb::KeyValue kv = event.kv();
      if (deleted) kv.clear_mod_revision();
      batch.Put(engine::Family::kKey, RecordKey(revision, sub, deleted), kv.SerializeAsString());
    }
    // The ledger wants an index with all effects; it must not fall when a revision is told again.
    batch.Put(engine::Family::kMeta, std::string("meta\0consistent_index", 21),
              EightBytes(std::max(revision, ledger_.head())));
    if (revision > ledger_.head() + 1) {
      world_.Fail(fmt::format("a watch tells of revision {}, nobody told of {}", revision,
                              ledger_.head() + 1));
      return;
    }
    ledger_.OnBatch(batch);
  }
}

void Feed::OnCompactionRequested(std::int64_t revision) {
  engine::WriteBatch batch;
  batch.Put(engine::Family::kMeta, std::string("meta\0scheduledCompactRev", 24),
            EightBytes(revision));
  batch.Put(engine::Family::kMeta, std::string("meta\0consistent_index", 21),
            EightBytes(ledger_.head()));
  ledger_.OnBatch(batch);
}

Recorder::Recorder(simulation::World& world, simulation::Ledger& ledger, Feed& feed,
                   Endpoint& endpoint, Options options)
    : world_(world),
      ledger_(ledger),
      feed_(feed),
      endpoint_(endpoint),
      options_(options),
      check_(Everything(options.prev_kv)) {}

void Recorder::Tick(SteadyClock::time_point now) {
  if (!endpoint_.is_connected()) return;
  if (!is_open_) return Open();
  if (options_.progress && check_.is_created() && now >= next_progress_) {
    next_progress_ = now + kProgressInterval;
    etcdserverpb::WatchRequest request;
    request.mutable_progress_request();
    endpoint_.Send(stream_, request.SerializeAsString());
  }
}

void Recorder::Open() {
  is_open_ = true;
  etcdserverpb::WatchRequest request;
  *request.mutable_create_request() = check_.Request();
  stream_ = endpoint_.OpenStream(
      bench::kWatch, [this](std::string_view message) { OnMessage(message); },
      [this] {
        is_open_ = false;
        check_.OnDisconnect();
      });
  endpoint_.Send(stream_, request.SerializeAsString());
}

void Recorder::Expect(const std::string& wrong) {
  if (!wrong.empty()) world_.Fail("watch on " + endpoint_.name() + ": " + wrong);
}

void Recorder::OnMessage(std::string_view message) {
  WatchResponse response;
  if (!response.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return Expect("a message that is no WatchResponse");
  }
  if (response.created()) {
    // The member may be ahead of what watches have told so far.
    Expect(check_.OnCreated(std::min(response.header().revision(), ledger_.head()), ledger_));
  }
  if (response.canceled()) return OnCanceled(response);
  if (response.created()) return;
  if (response.events().empty()) {
    return Expect(check_.OnProgress(response.header().revision(), ledger_));
  }
  feed_.OnEvents(response);
  if (!world_.has_failed()) Expect(check_.OnEvents(response, ledger_));
}

void Recorder::OnCanceled(const WatchResponse& response) {
  if (response.compact_revision() > 0) {
    Expect(check_.OnCompacted(response.compact_revision(), ledger_));
    etcdserverpb::WatchRequest request;
    *request.mutable_create_request() = check_.Request();
    endpoint_.Send(stream_, request.SerializeAsString());
    return;
  }
  if (response.cancel_reason().find("no leader") == std::string::npos) {
    Expect("canceled: " + response.ShortDebugString());
  }
}

}  // namespace etcd::cluster
