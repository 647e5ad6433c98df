#include "tests/simulation/watch_client.h"

#include <algorithm>

#include <fmt/format.h>

namespace etcd::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

void WatchClient::Fail(const std::string& what) {
  shared_.world.Fail(fmt::format("watch client {}: {}", number_, what));
}

void WatchClient::Start() {
  Connect();
  Pause();
}

void WatchClient::Connect() {
  stream_ = home_.member().Open(
      "/etcdserverpb.Watch/Watch", [this](const std::string& bytes) { OnMessage(bytes); },
      [this] { OnEnd(); });
  if (stream_ == nullptr) {
    home_.Move();
    shared_.world.After(milliseconds(200), [this] { Connect(); });
    return;
  }
  std::erase_if(watches_, [](const auto& item) { return item.second.is_canceling; });
  for (const auto& [id, watch] : watches_) SendCreate(id);
}

void WatchClient::OnEnd() {
  shared_.world.Count("watch stream broke");
  stream_ = nullptr;
  canceling_.clear();
  home_.Move();
  for (auto& [id, watch] : watches_) watch.OnDisconnect();
  Connect();
}

void WatchClient::Pause() {
  shared_.world.After(Between(shared_.random(), Nanos(0), 2 * shared_.options.think_max), [this] {
    if (shared_.quiet) return;
    if (stream_ != nullptr && stream_->is_open()) Next();
    Pause();
  });
}

void WatchClient::Next() {
  const std::uint64_t draw = shared_.random().Below(100);
  if (draw < 25 && watches_.size() < 6) return AddWatch();
  if (draw < 35 && !watches_.empty()) {
    auto at = watches_.begin();
    std::advance(at, shared_.random().Below(watches_.size()));
    return Cancel(at->first);
  }
  if (draw < 60) {
    etcdserverpb::WatchRequest request;
    request.mutable_progress_request();
    return stream_->SendRequest(request.SerializeAsString());
  }
  if (draw < 64) {
    shared_.world.Count("watch client stalls");
    return stream_->StallFor(Between(shared_.random(), milliseconds(10), seconds(4)));
  }
  if (draw < 65) {
    stream_->Close();
    OnEnd();
  }
}

void WatchClient::AddWatch() {
  etcdserverpb::WatchCreateRequest request;
  base::Random& random = shared_.random();
  request.set_key(shared_.AnyKey());
  if (Chance(random, 600)) {
    request.set_key("k");
    request.set_range_end("l");
  }
  const std::int64_t head = shared_.history.seen();
  const std::int64_t compacted = std::max<std::int64_t>(shared_.history.compacted(), 1);
  switch (random.Below(6)) {
    case 0:  // history that is just not compacted
      request.set_start_revision(compacted);
      break;
    case 1:
      request.set_start_revision(
          compacted + static_cast<std::int64_t>(
                          random.Below(static_cast<std::uint64_t>(head - compacted) + 1)));
      break;
    case 2:
      request.set_start_revision(std::max<std::int64_t>(1, compacted - 2));
      break;
    case 3:
      request.set_start_revision(head + static_cast<std::int64_t>(random.Below(20)));
      break;
    default:
      break;
  }
  request.set_prev_kv(Chance(random, 400));
  request.set_fragment(Chance(random, 300));
  request.set_progress_notify(Chance(random, 300));
  if (Chance(random, 100)) request.add_filters(etcdserverpb::WatchCreateRequest::NOPUT);
  if (Chance(random, 100)) request.add_filters(etcdserverpb::WatchCreateRequest::NODELETE);
  ++next_id_;
  watches_.emplace(next_id_, WatchCheck(std::move(request)));
  SendCreate(next_id_);
}

void WatchClient::SendCreate(std::int64_t id) {
  WatchCheck& watch = watches_.at(id);
  // A watch begins where its member is; that may be behind the others.
  watch.seen = shared_.is_alone() ? shared_.history.seen() : 1;
  etcdserverpb::WatchRequest request;
  *request.mutable_create_request() = watch.Request();
  request.mutable_create_request()->set_watch_id(id);
  shared_.world.Trace(fmt::format("watch client {}: watch {} from {}", number_, id,
                                  request.create_request().start_revision()));
  stream_->SendRequest(request.SerializeAsString());
}

void WatchClient::Cancel(std::int64_t id) {
  watches_.at(id).is_canceling = true;
  canceling_.insert(id);
  etcdserverpb::WatchRequest request;
  request.mutable_cancel_request()->set_watch_id(id);
  stream_->SendRequest(request.SerializeAsString());
}

// ---- Answers

void WatchClient::OnMessage(const std::string& bytes) {
  etcdserverpb::WatchResponse response;
  if (!response.ParseFromString(bytes)) return Fail("no WatchResponse");
  ++shared_.operations;
  shared_.world.Trace(fmt::format(
      "watch client {}: watch {} {}{}{} {} events at {}", number_, response.watch_id(),
      response.created() ? "created " : "", response.canceled() ? "canceled " : "",
      response.fragment() ? "fragment" : "", response.events_size(), response.header().revision()));
  if (response.canceled()) return OnCanceled(response);
  if (response.created()) return OnCreated(response);
  if (response.events_size() == 0) return OnProgress(response);
  const auto found = watches_.find(response.watch_id());
  if (found == watches_.end()) {
    return Fail(fmt::format("events of watch {}, which is not", response.watch_id()));
  }
  const std::string wrong = found->second.OnEvents(response, shared_.ledger);
  if (!wrong.empty()) return Fail(fmt::format("watch {}: {}", response.watch_id(), wrong));
  if (response.fragment()) shared_.world.Count("fragmented watch response");
  shared_.history.Saw(response.header().revision());
}

void WatchClient::OnCreated(const etcdserverpb::WatchResponse& response) {
  const auto found = watches_.find(response.watch_id());
  if (found == watches_.end()) {
    return Fail(fmt::format("watch {} created, which is not", response.watch_id()));
  }
  const std::string wrong = found->second.OnCreated(response.header().revision(), shared_.ledger);
  if (!wrong.empty()) Fail(fmt::format("watch {}: {}", response.watch_id(), wrong));
}

void WatchClient::OnCanceled(const etcdserverpb::WatchResponse& response) {
  const std::int64_t id = response.watch_id();
  const auto found = watches_.find(id);
  if (response.compact_revision() == 0) {
    // Also of a watch that a compaction had canceled meanwhile.
    if (canceling_.erase(id) == 0) {
      return Fail(fmt::format("watch {} canceled: {}", id, response.cancel_reason()));
    }
    watches_.erase(id);
    return;
  }
  if (found == watches_.end()) return Fail(fmt::format("watch {} is compacted again", id));
  shared_.world.Count("watch canceled by compaction");
  const std::string wrong = found->second.OnCompacted(response.compact_revision(), shared_.ledger);
  if (!wrong.empty()) return Fail(fmt::format("watch {}: {}", id, wrong));
  if (found->second.is_canceling) {
    watches_.erase(found);
  } else {
    // The old id stays taken for the life of the stream, as in etcd.
    auto node = watches_.extract(found);
    node.key() = ++next_id_;
    watches_.insert(std::move(node));
    SendCreate(next_id_);
  }
}

// Of one watch, or (id -1) of all on the stream that were created before.
void WatchClient::OnProgress(const etcdserverpb::WatchResponse& response) {
  shared_.world.Count("watch progress");
  const std::int64_t revision = response.header().revision();
  for (auto& [id, watch] : watches_) {
    if (response.watch_id() != -1 && response.watch_id() != id) continue;
    if (!watch.is_created() || watch.is_canceling) continue;
    const std::string wrong = watch.OnProgress(revision, shared_.ledger);
    if (!wrong.empty()) Fail(fmt::format("watch {}: {}", id, wrong));
  }
}

bool WatchClient::HasAll() const {
  return stream_ != nullptr &&
         std::all_of(watches_.begin(), watches_.end(), [this](const auto& item) {
           return item.second.is_canceling || item.second.HasAll(shared_.ledger);
         });
}

}  // namespace etcd::simulation
