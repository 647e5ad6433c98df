#include "server/rafthttp/peer_status.h"

#include <chrono>

#include "server/base/log.h"

namespace etcd::rafthttp {

void PeerStatus::Activate() {
  causes_.Clear();
  if (active_) return;
  active_ = true;
  board_.Set(id_, std::chrono::steady_clock::now());
  observer_.OnActive(id_, true);
  LOG_INFO("peer became active", {"peer-id", base::FormatHex(id_.value())});
}

void PeerStatus::StreamBegins() {
  ++streams_;
  Activate();
}

void PeerStatus::Deactivate(std::string_view why) {
  if (!active_ || streams_ > 0) {
    if (IsNewCause(why)) {
      LOG_INFO(active_ ? "peer is active, but not all reaches it" : "peer is unreachable",
               {"peer-id", base::FormatHex(id_.value())}, {"error", why});
    }
    return;
  }
  active_ = false;
  causes_.Add(why);
  board_.Set(id_, std::nullopt);
  observer_.OnActive(id_, false);
  LOG_WARN("peer became inactive (message send to peer failed)",
           {"peer-id", base::FormatHex(id_.value())}, {"error", why});
}

}  // namespace etcd::rafthttp
