#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server/base/http_call.h"
#include "server/ports/peer_receiver.h"
#include "server/ports/peer_transport.h"
#include "server/rafthttp/transport.h"

// Members on loopback ports that the kernel chose, and what they heard.
namespace etcd::rafthttp {

// A node that remembers. Thread-safe.
class RecordingReceiver final : public ports::PeerReceiver {
 public:
  void Receive(std::vector<raft::Message> messages) override {
    Change([&] {
      for (raft::Message& message : messages) received.push_back(std::move(message));
      ++batches;
    });
  }
  absl::StatusOr<std::unique_ptr<ports::SnapshotSink>> ReceiveSnapshot(
      raft::Message message) override;
  void ReportUnreachable(MemberId to) override {
    Change([&] { ++unreachable[to]; });
  }
  void ReportSnapshot(MemberId to, bool ok) override {
    Change([&] { snapshot_reports.emplace_back(to, ok); });
  }
  bool IsRemoved(MemberId id) const override {
    const std::lock_guard lock(mu);
    return removed.contains(id);
  }
  void OnRemovedByPeers() override {
    Change([&] { ++removed_by_peers; });
  }

  // Waits until `condition`, which may look at everything below, holds. False after `patience`.
  bool Await(const std::function<bool()>& condition,
             std::chrono::seconds patience = std::chrono::seconds(20)) {
    std::unique_lock lock(mu);
    return changed.wait_for(lock, patience, condition);
  }
  void Change(const std::function<void()>& change) {
    {
      const std::lock_guard lock(mu);
      change();
    }
    changed.notify_all();
  }

  mutable std::mutex mu;
  std::condition_variable changed;
  // Guarded by mu.
  std::vector<raft::Message> received;
  int batches = 0;
  std::map<MemberId, int> unreachable;
  std::vector<std::pair<MemberId, bool>> snapshot_reports;
  std::set<MemberId> removed;
  int removed_by_peers = 0;
  std::vector<raft::Message> snapshots;  // messages of ReceiveSnapshot
  std::vector<std::string> databases;    // finished ones
  int abandoned = 0;                     // sinks destroyed without Finish
  absl::Status refuse_snapshot;          // the answer of ReceiveSnapshot, when not OK
  absl::Status refuse_write;             // of Write
  absl::Status refuse_finish;            // of Finish
};

inline absl::StatusOr<std::unique_ptr<ports::SnapshotSink>> RecordingReceiver::ReceiveSnapshot(
    raft::Message message) {
  class Sink final : public ports::SnapshotSink {
   public:
    explicit Sink(RecordingReceiver& owner) : owner_(owner) {}
    ~Sink() override {
      if (!finished_) owner_.Change([&] { ++owner_.abandoned; });
    }
    absl::Status Write(std::span<const char> bytes) override {
      bytes_.append(bytes.data(), bytes.size());
      const std::lock_guard lock(owner_.mu);
      return owner_.refuse_write;
    }
    absl::Status Finish() override {
      absl::Status result;
      owner_.Change([&] {
        result = owner_.refuse_finish;
        finished_ = result.ok();
        if (finished_) owner_.databases.push_back(bytes_);
      });
      return result;
    }

   private:
    RecordingReceiver& owner_;
    std::string bytes_;
    bool finished_ = false;
  };
  const std::lock_guard lock(mu);
  if (!refuse_snapshot.ok()) return refuse_snapshot;
  snapshots.push_back(std::move(message));
  return std::make_unique<Sink>(*this);
}

// Answers every request with its method, path and body.
class EchoHandler final : public base::HttpHandler {
 public:
  void Start(base::HttpRequest request, base::HttpResponderPtr responder) override {
    responder->Reply(200, {{"Content-Type", "text/plain"}},
                     request.method + " " + request.target + " " + request.body);
  }
};

inline constexpr ClusterId kTestCluster(0xc1);

// Counts, for tests that wait. Thread-safe.
class RecordingObserver final : public Observer {
 public:
  void OnSent(MemberId to, std::size_t bytes) override {
    Change([&] { sent_bytes[to] += bytes; });
  }
  void OnSendFailed(MemberId to) override {
    Change([&] { ++send_failures[to]; });
  }
  void OnReceived(MemberId from, std::size_t bytes) override {
    Change([&] { received_bytes[from] += bytes; });
  }
  void OnReceiveFailed(std::string_view from) override {
    Change([&] { ++receive_failures[std::string(from)]; });
  }
  void OnStream(MemberId id, int delta) override {
    Change([&] { streams[id] += delta; });
  }
  void OnRoundTrip(MemberId to, std::chrono::nanoseconds took) override {
    Change([&] { round_trips[to] = took; });
  }
  void OnSnapshotSending(MemberId) override {
    Change([&] { ++sending; });
  }
  void OnSnapshotSent(MemberId to, bool ok, std::chrono::nanoseconds) override {
    Change([&] { snapshots_sent.emplace_back(to, ok); });
  }
  void OnSnapshotReceived(MemberId from, bool ok, std::chrono::nanoseconds) override {
    Change([&] { snapshots_received.emplace_back(from, ok); });
  }

  bool Await(const std::function<bool()>& condition) {
    std::unique_lock lock(mu);
    return changed.wait_for(lock, std::chrono::seconds(20), condition);
  }

  std::mutex mu;
  std::condition_variable changed;
  // Guarded by mu.
  std::map<MemberId, std::size_t> sent_bytes;
  std::map<MemberId, int> send_failures;
  std::map<MemberId, std::size_t> received_bytes;
  std::map<std::string, int> receive_failures;
  std::map<MemberId, int> streams;
  std::map<MemberId, std::chrono::nanoseconds> round_trips;
  int sending = 0;
  std::vector<std::pair<MemberId, bool>> snapshots_sent;
  std::vector<std::pair<MemberId, bool>> snapshots_received;

 private:
  void Change(const std::function<void()>& change) {
    {
      const std::lock_guard lock(mu);
      change();
    }
    changed.notify_all();
  }
};

// One member: a transport over a recording node.
class TestMember {
 public:
  explicit TestMember(std::uint64_t id, TransportOptions options = {},
                      ClusterId cluster = kTestCluster, std::string version = "3.6.16",
                      base::HttpHandler* other = nullptr)
      : id_(MemberId(id)) {
    if (options.listen_urls.empty()) options.listen_urls = {{"http", "127.0.0.1:0"}};
    transport_ = std::make_unique<Transport>(std::move(options), &observer);
    const auto ports = transport_->Listen();
    if (ports.ok()) port_ = ports->front();
    Identity self;
    self.id = id_;
    self.cluster_id = cluster;
    self.name = "m" + std::to_string(id);
    self.advertise_urls = {url()};
    self.server_version = [version] { return version; };
    transport_->Start(std::move(self), receiver, other != nullptr ? other : &echo_);
  }
  ~TestMember() { Stop(); }

  void Stop() { transport_->Stop(); }
  void Knows(const TestMember& other) { transport_->AddPeer(other.id(), {other.url()}); }
  // All four streams with the peer.
  bool AwaitStreams(MemberId peer, int count = 4) {
    return observer.Await([&] { return observer.streams[peer] == count; });
  }
  bool AwaitActive(MemberId peer, bool active = true) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (transport_->ActiveSince(peer).has_value() != active) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));  // poll interval, not a wait
    }
    return true;
  }

  MemberId id() const { return id_; }
  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  Transport& transport() { return *transport_; }

  RecordingReceiver receiver;
  RecordingObserver observer;

 private:
  const MemberId id_;
  EchoHandler echo_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Transport> transport_;
};

// Short deadlines, for tests that wait for them.
inline TransportOptions FastOptions() {
  TransportOptions options;
  options.election_timeout = std::chrono::milliseconds(200);
  options.read_timeout = options.write_timeout = std::chrono::milliseconds(600);
  options.redial_interval = std::chrono::milliseconds(10);
  options.head_timeout = std::chrono::milliseconds(600);
  options.probe_interval = std::chrono::milliseconds(100);
  return options;
}

inline raft::Message Heartbeat(MemberId from, MemberId to, std::uint64_t commit = 1) {
  raft::Message message;
  message.from = from;
  message.to = to;
  message.term = Term(2);
  message.commit = Index(commit);
  return message;
}

inline raft::Message Append(MemberId from, MemberId to, std::uint64_t after,
                            std::vector<std::string> payloads) {
  raft::Message message;
  message.type = raft::MessageType::kApp;
  message.from = from;
  message.to = to;
  message.term = message.log_term = Term(2);
  message.index = Index(after);
  message.commit = Index(after);
  for (std::string& payload : payloads) {
    message.entries.push_back(
        {Term(2), Index(++after), raft::EntryType::kNormal, std::move(payload)});
  }
  return message;
}

}  // namespace etcd::rafthttp
