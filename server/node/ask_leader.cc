// Questions to the leader's peer port.
#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "server/base/status.h"
#include "server/node/member_impl.h"

namespace etcd::node {
namespace {

// A leader waits at most 1 s for what it has committed to be applied before it answers; longer than
// this it is gone, and another one may lead already.
constexpr std::chrono::seconds kAnswerMax(2);

struct LeaderCall {
  ports::PeerClient& client;
  const base::Clock& clock;
  std::vector<std::string> urls;
  ports::PeerRequest request;
  base::Clock::Monotonic deadline;
  LeaderAnswer answer;
  std::size_t next_url = 0;
};

void AskNextUrl(const std::shared_ptr<LeaderCall>& call) {
  const auto left = call->deadline - call->clock.Now();
  if (call->next_url == call->urls.size() || left <= left.zero()) {
    return call->answer(Error(Errc::kNoLeader));
  }
  call->client.Ask(call->urls[call->next_url++], call->request,
                   std::min<std::chrono::nanoseconds>(left, kAnswerMax),
                   [call](absl::StatusOr<ports::PeerReply> reply) {
                     if (reply.ok() && reply->status == 200) {
                       return call->answer(std::move(reply->body));
                     }
                     if (reply.ok() && reply->status == 404) {
                       return call->answer(Error(Errc::kLeaseNotFound));
                     }
                     AskNextUrl(call);
                   });
}

}  // namespace

void MemberImpl::AskLeader(std::string path, std::string body, base::Clock::Monotonic deadline,
                           LeaderAnswer answer) {
  const membership::ViewPtr view = shared_.cluster.view();
  const membership::Member* leader = view->Find(MemberId(shared_.leader.load()));
  ports::PeerClient* const client = shared_.ports.peer_client;
  if (leader == nullptr || leader->id == shared_.id || client == nullptr) {
    return answer(Error(Errc::kNoLeader));
  }
  ports::PeerRequest request;
  request.method = "POST";
  request.path = std::move(path);
  request.headers = {{"Content-Type", "application/protobuf"}};
  request.body = std::move(body);
  AskNextUrl(std::make_shared<LeaderCall>(LeaderCall{.client = *client,
                                                     .clock = shared_.ports.raft.clock(),
                                                     .urls = leader->peer_urls,
                                                     .request = std::move(request),
                                                     .deadline = deadline,
                                                     .answer = std::move(answer),
                                                     .next_url = 0}));
}

}  // namespace etcd::node
