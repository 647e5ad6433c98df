#include "server/node/peer_hashes.h"

#include <memory>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "server/base/log.h"
#include "server/base/mutex.h"
#include "server/base/status.h"

namespace etcd::node {
namespace {

absl::Status Unavailable(std::string_view message) {
  return base::MakeStatus(absl::StatusCode::kUnavailable, message);
}

absl::Status Refusal(const ports::PeerReply& reply) {
  const auto says = [&](std::string_view text) {
    return reply.body.find(text) != std::string::npos;
  };
  if (reply.status == 412 && says("cluster ID mismatch")) return Error(Errc::kClusterIdMismatch);
  if (reply.status == 400 && says("required revision has been compacted")) {
    return Error(Errc::kCompacted);
  }
  if (reply.status == 400 && says("required revision is a future revision")) {
    return Error(Errc::kFutureRevision);
  }
  return Unavailable("unknown error: " + reply.body);
}

std::int64_t Number(const nlohmann::json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_number_integer() ? it->get<std::int64_t>() : 0;
}

// Answers come on threads of the transport, in any order.
class Round {
 public:
  Round(ports::PeerClient& client, const HashQuestion& question,
        absl::AnyInvocable<void(std::vector<PeerHash>)> done)
      : client_(client), question_(question), done_(std::move(done)) {}

  static void Start(const std::shared_ptr<Round>& round,
                    const std::vector<membership::Member>& members) {
    for (const membership::Member& member : members) {
      if (member.id == round->question_.self) continue;
      round->peers_.push_back({member.id, member.peer_urls, Unavailable("it has no peer URL")});
    }
    const std::size_t count = round->peers_.size();
    if (count == 0) return round->done_({});
    {
      const base::MutexLock lock(round->mu_);
      round->missing_ = count;
    }
    for (std::size_t i = 0; i < count; ++i) AskOne(round, i, 0);
  }

 private:
  static void AskOne(const std::shared_ptr<Round>& round, std::size_t peer, std::size_t url) {
    // Only the answer to a peer's own request changes its entry.
    const std::vector<std::string>& urls = round->peers_[peer].urls;
    if (url == urls.size()) return round->EndOne();
    ports::PeerRequest request;
    request.path = "/members/hashkv";
    request.headers = {{"Content-Type", "application/json"},
                       {"X-Etcd-Cluster-ID", base::FormatHex(round->question_.cluster.value())}};
    request.body = "{\"revision\":" + std::to_string(round->question_.at.value()) + "}";
    round->client_.Ask(urls[url], std::move(request), round->question_.timeout,
                       [round, peer, url](absl::StatusOr<ports::PeerReply> reply) {
                         PeerHash& entry = round->peers_[peer];
                         entry.hash = reply.ok() ? ParseHashReply(*reply)
                                                 : absl::StatusOr<mvcc::HashResult>(reply.status());
                         if (entry.hash.ok()) return round->EndOne();
                         round->LogFailure(entry, url);
                         AskOne(round, peer, url + 1);
                       });
  }

  void LogFailure(const PeerHash& entry, std::size_t url) const {
    LOG_WARN("failed hash kv request", {"local-member-id", base::FormatHex(question_.self.value())},
             {"requested-revision", question_.at}, {"remote-peer-endpoint", entry.urls[url]},
             {"error", entry.hash.status()});
  }

  void EndOne() {
    {
      const base::MutexLock lock(mu_);
      if (--missing_ != 0) return;
    }
    done_(std::move(peers_));
  }

  ports::PeerClient& client_;
  const HashQuestion question_;
  absl::AnyInvocable<void(std::vector<PeerHash>)> done_;
  std::vector<PeerHash> peers_;  // fixed in number; the last one to end sees all (mu_)
  base::Mutex mu_;
  std::size_t missing_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace

absl::StatusOr<mvcc::HashResult> ParseHashReply(const ports::PeerReply& reply) {
  if (reply.status != 200) return Refusal(reply);
  const auto json = nlohmann::json::parse(reply.body, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Unavailable("the answer is no hash: " + reply.body);
  mvcc::HashResult out;
  out.hash = static_cast<std::uint32_t>(Number(json, "hash"));
  out.compact_revision = Revision(Number(json, "compact_revision"));
  out.hash_revision = Revision(Number(json, "hash_revision"));
  const auto header = json.find("header");
  if (header == json.end() || !header->is_object()) {
    return Unavailable("the answer is no hash: " + reply.body);
  }
  out.current = Revision(Number(*header, "revision"));
  return out;
}

void AskPeerHashes(ports::PeerClient& client, const HashQuestion& question,
                   const std::vector<membership::Member>& members,
                   absl::AnyInvocable<void(std::vector<PeerHash>)> done) {
  Round::Start(std::make_shared<Round>(client, question, std::move(done)), members);
}

}  // namespace etcd::node
