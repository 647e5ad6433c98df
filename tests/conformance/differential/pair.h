#pragma once

#include <array>
#include <cstdint>
#include <etcdserverpb/rpc.pb.h>
#include <memory>
#include <string>
#include <vector>

#include "bench/load/http2_client.h"
#include "tests/conformance/differential/answer.h"

namespace etcd::differential {

// Our server and a real one, asked the same at the same time.
class Pair {
 public:
  Pair(std::uint16_t our_port, std::uint16_t their_port);

  struct Answers {
    Answer ours;
    Answer theirs;
  };
  Answers Ask(const std::string& path, const std::string& message);
  Answers AskStream(const std::string& path, const std::string& message);

  // One watch stream on each server, opened together.
  class Watch {
   public:
    explicit Watch(Pair& pair);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    void Send(const etcdserverpb::WatchRequest& request);
    // Asks for progress until both streams answered at `revision` or above: then everything up to
    // it has been delivered. False when that did not happen in time.
    bool Settle(std::int64_t revision);
    // Creates a watcher on both, waits for both answers, which are kept among the responses.
    void Create(const etcdserverpb::WatchCreateRequest& create);
    // Responses so far but progress, in order.
    const std::vector<etcdserverpb::WatchResponse>& ours() const { return sides_[0].responses; }
    const std::vector<etcdserverpb::WatchResponse>& theirs() const { return sides_[1].responses; }

   private:
    struct Side {
      std::int32_t stream = 0;
      std::size_t released = 0;   // responses looked at by ReleaseCompacted
      std::int64_t progress = 0;  // newest revision of a progress answer
      int created = 0;
      std::vector<etcdserverpb::WatchResponse> responses;
    };
    void SendTo(std::size_t side, const etcdserverpb::WatchRequest& request);
    // A watcher that compaction canceled keeps its id and blocks progress until it is canceled.
    void ReleaseCompacted(std::size_t side);
    void OnMessage(Side& side, std::string_view message);

    Pair& pair_;
    std::array<Side, 2> sides_;
  };

 private:
  friend class Watch;
  bench::Loop loop_;
  std::string last_path_;
  std::size_t last_bytes_ = 0;
  std::array<std::unique_ptr<bench::Connection>, 2> connections_;
};

// "" when the watchers of both streams saw the same: per watcher the same events in the same order,
// creations and cancellations included. How events are grouped into responses may differ.
std::string WatchDifference(const Pair::Watch& watch);

}  // namespace etcd::differential
