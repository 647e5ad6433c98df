#include "server/rafthttp/transport.h"

#include <atomic>
#include <future>
#include <utility>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/net/loop.h"
#include "server/net/resolver.h"
#include "server/rafthttp/http_client.h"
#include "server/rafthttp/link.h"
#include "server/rafthttp/peers.h"
#include "server/rafthttp/server.h"
#include "server/rafthttp/snapshot_receiver.h"
#include "server/rafthttp/snapshot_sender.h"
#include "server/rafthttp/workers.h"

namespace etcd::rafthttp {
namespace {

// Messages between the raft thread and the loop: full: dropped, and the peers reported.
constexpr std::size_t kPostedMax = 64 << 10;
constexpr std::size_t kReadBytes = 256 << 10;  // at once, from one connection

absl::Status Stopped() {
  return base::MakeStatus(absl::StatusCode::kUnavailable, "peer transport is stopped");
}

// Answers also when the loop ends before it is asked.
class PendingAsk {
 public:
  explicit PendingAsk(HttpClient::Done done) : done_(std::move(done)) {}
  PendingAsk(PendingAsk&&) = default;
  ~PendingAsk() {
    if (done_) done_(Stopped());
  }
  HttpClient::Done Take() { return std::exchange(done_, nullptr); }

 private:
  HttpClient::Done done_;
};

// What exists from Start on. Loop thread only, but what the snapshot threads read.
struct Started {
  Started(const Dialing& dialing, const TransportOptions& options, Identity identity,
          ports::PeerReceiver& receiver, Observer& observer, HttpClient& client, StatusBoard& board,
          Workers& workers)
      : self(std::move(identity)),
        context{dialing.loop, dialing, options, self, receiver, observer, client, board},
        peers(context),
        snapshot_receiver(context, workers),
        snapshot_sender(peers, workers) {}

  const Identity self;
  const Context context;
  Peers peers;
  SnapshotReceiver snapshot_receiver;
  SnapshotSender snapshot_sender;
};

}  // namespace

struct Transport::Impl {
  Impl(TransportOptions transport_options, Observer* chosen)
      : options(std::move(transport_options)),
        observer(chosen != nullptr ? *chosen : nobody),
        resolver(loop.mailbox(), options.lookup),
        client(dialing, options),
        server(loop, options),
        workers(loop.mailbox()) {}

  template <typename Function>
  void Post(Function function) {
    loop.mailbox()->Post(std::move(function));
  }
  void AddPeer(MemberId id, const std::vector<std::string>& urls);
  void RemovePeer(MemberId id);
  void Begin(Identity identity, ports::PeerReceiver& to, base::HttpHandler* other);
  void End();

  const TransportOptions options;
  Observer nobody;
  Observer& observer;
  net::Loop loop{kReadBytes};
  net::Resolver resolver;
  const Dialing dialing{loop, resolver};
  StatusBoard board;
  HttpClient client;
  Server server;
  std::atomic<std::size_t> posted{0};                    // messages
  std::atomic<ports::PeerReceiver*> receiver = nullptr;  // from Start on
  // Loop thread.
  std::vector<std::pair<MemberId, std::vector<std::string>>> early;  // peers added before Start
  std::unique_ptr<Started> started;
  bool ended = false;
  bool joined = false;  // main thread
  Workers workers;      // last: its threads use the rest
};

void Transport::Impl::AddPeer(MemberId id, const std::vector<std::string>& urls) {
  if (started != nullptr) {
    if (!ended) started->peers.Add(id, urls);
  } else {
    early.emplace_back(id, urls);
  }
}

void Transport::Impl::RemovePeer(MemberId id) {
  std::erase_if(early, [&](const auto& peer) { return peer.first == id; });
  if (started != nullptr) started->peers.Remove(id);
}

void Transport::Impl::Begin(Identity identity, ports::PeerReceiver& to, base::HttpHandler* other) {
  started = std::make_unique<Started>(dialing, options, std::move(identity), to, observer, client,
                                      board, workers);
  for (const auto& [id, urls] : std::exchange(early, {})) started->peers.Add(id, urls);
  server.Start(started->peers, started->snapshot_receiver, other);
  LOG_INFO("serving peer traffic", {"local-member-id", base::FormatHex(started->self.id.value())},
           {"listen-peer-urls", config::ToStrings(options.listen_urls)});
}

void Transport::Impl::End() {
  ended = true;
  server.Close();
  if (started != nullptr) started->peers.Clear();
  client.Close();
}

Transport::Transport(TransportOptions options, Observer* observer)
    : impl_(std::make_unique<Impl>(std::move(options), observer)) {
  impl_->loop.Start("peers");
}

Transport::~Transport() { Stop(); }

absl::StatusOr<std::vector<std::uint16_t>> Transport::Listen() { return impl_->server.Listen(); }

void Transport::Start(Identity identity, ports::PeerReceiver& receiver, base::HttpHandler* other) {
  impl_->receiver = &receiver;
  impl_->Post([impl = impl_.get(), identity = std::move(identity), &receiver, other]() mutable {
    impl->Begin(std::move(identity), receiver, other);
  });
}

void Transport::Stop() {
  if (std::exchange(impl_->joined, true)) return;
  impl_->workers.RequestStop();
  std::promise<void> ended;
  impl_->Post([&] {
    impl_->End();
    ended.set_value();
  });
  ended.get_future().wait();
  impl_->loop.Join();
  impl_->workers.Join();
}

void Transport::Send(std::vector<raft::Message> messages) {
  if (messages.empty()) return;
  const std::size_t count = messages.size();
  const bool full = impl_->posted.fetch_add(count) + count > kPostedMax;
  impl_->Post([impl = impl_.get(), messages = std::move(messages), count, full]() mutable {
    impl->posted -= count;
    if (impl->started == nullptr || impl->ended) return;
    Peers& peers = impl->started->peers;
    if (!full) return peers.Send(std::move(messages));
    for (const raft::Message& message : messages) peers.Dropped(message.to);
  });
}

void Transport::SendSnapshot(raft::Message message,
                             std::unique_ptr<ports::SnapshotSource> database) {
  ports::PeerReceiver* const receiver = impl_->receiver;
  if (receiver == nullptr) return;  // nobody to report to: the node does not run yet
  auto snapshot =
      std::make_unique<OutgoingSnapshot>(std::move(message), std::move(database), *receiver);
  impl_->Post([impl = impl_.get(), snapshot = std::move(snapshot)]() mutable {
    if (impl->ended) return;
    impl->started->snapshot_sender.Send(std::move(snapshot));
  });
}

void Transport::AddPeer(MemberId id, const std::vector<std::string>& urls) {
  impl_->Post([impl = impl_.get(), id, urls] { impl->AddPeer(id, urls); });
}

void Transport::RemovePeer(MemberId id) {
  impl_->Post([impl = impl_.get(), id] { impl->RemovePeer(id); });
}

std::optional<base::Clock::Monotonic> Transport::ActiveSince(MemberId id) const {
  return impl_->board.Get(id);
}

void Transport::Ask(std::string url, ports::PeerRequest request, std::chrono::nanoseconds timeout,
                    absl::AnyInvocable<void(absl::StatusOr<ports::PeerReply>)> done) {
  auto parsed = config::ParseUrl(url);
  if (!parsed.ok()) return done(parsed.status());
  // A second attempt over a new connection must not do a thing twice.
  const auto reuse =
      request.method == "GET" ? HttpClient::Reuse::kAllowed : HttpClient::Reuse::kNever;
  HttpClient::Call call{*std::move(parsed), std::move(request), timeout, reuse};
  impl_->Post([impl = impl_.get(), call = std::move(call),
               pending = PendingAsk(std::move(done))]() mutable {
    impl->client.Send(std::move(call), pending.Take());
  });
}

}  // namespace etcd::rafthttp
