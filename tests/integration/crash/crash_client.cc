#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <etcdserverpb/rpc.pb.h>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/load/http2_client.h"
#include "bench/load/requests.h"

// crash_client PORT STATE_FILE: one round of the crash test (crash_test.py). Checks that everything
// which earlier rounds saw acknowledged is there, then writes with 64 writers and watches until the
// server is killed, and leaves in STATE_FILE what was acknowledged and seen. Exit 1: something was
// lost, with a line that says what.
namespace etcd::crash {
namespace {

constexpr std::size_t kWriters = 64;

struct State {
  // Counter of each writer's last acknowledged put; the next one may have happened or not.
  std::vector<std::int64_t> acknowledged = std::vector<std::int64_t>(kWriters, 0);
  std::vector<std::int64_t> revision = std::vector<std::int64_t>(kWriters, 0);
  std::int64_t seen = 1;  // last revision that the watcher got
};

[[noreturn]] void Fail(const std::string& text) {
  std::printf("LOST: %s\n", text.c_str());
  std::exit(1);
}

std::string KeyOf(std::size_t writer) { return "writer/" + std::to_string(100 + writer); }

State Load(const std::string& path) {
  State state;
  std::ifstream in(path);
  if (!in) return state;
  in >> state.seen;
  for (std::size_t i = 0; i < kWriters; ++i) in >> state.acknowledged[i] >> state.revision[i];
  return state;
}

void Save(const std::string& path, const State& state) {
  std::ofstream out(path);
  out << state.seen << "\n";
  for (std::size_t i = 0; i < kWriters; ++i) {
    out << state.acknowledged[i] << " " << state.revision[i] << "\n";
  }
}

class Round {
 public:
  Round(std::uint16_t port, std::string state_path)
      : state_path_(std::move(state_path)),
        state_(Load(state_path_)),
        connection_(loop_, "127.0.0.1", port),
        watch_connection_(loop_, "127.0.0.1", port) {}

  void Run() {
    CheckAcknowledged();
    connection_.OnBroken([this] { broken_ = true; });
    watch_connection_.OnBroken([this] { broken_ = true; });
    OpenWatch();
    loop_.RunUntil([this] { return state_.seen >= head_ || broken_; }, std::chrono::seconds(30));
    if (!broken_ && state_.seen < head_) Fail("the watcher did not catch up");
    for (std::size_t i = 0; i < kWriters; ++i) Write(i);
    connection_.Flush();
    std::printf("writing\n");
    std::fflush(stdout);
    loop_.RunUntil([this] { return broken_; });
    Save(state_path_, state_);
  }

 private:
  // Every writer's key holds the last acknowledged value, or that of the put whose answer was lost.
  void CheckAcknowledged() {
    etcdserverpb::RangeResponse response;
    bool answered = false;
    connection_.Call(bench::kRange, bench::RangeRequest("writer/", {.end = "writer0"}),
                     [&](const auto& trailer, std::string_view message) {
                       if (trailer.status != 0) Fail("range: " + trailer.text);
                       response.ParseFromArray(message.data(), static_cast<int>(message.size()));
                       answered = true;
                     });
    connection_.Flush();
    loop_.RunUntil([&] { return answered; });
    head_ = response.header().revision();
    // What a reader has seen must not vanish, acknowledged to its writer or not.
    if (head_ < state_.seen) {
      Fail("revision is " + std::to_string(head_) + ", the watcher saw " +
           std::to_string(state_.seen));
    }
    std::vector<std::int64_t> found(kWriters, 0);
    std::vector<std::int64_t> revision(kWriters, 0);
    for (const mvccpb::KeyValue& kv : response.kvs()) {
      const auto writer = static_cast<std::size_t>(std::atoi(kv.key().c_str() + 7)) - 100;
      found.at(writer) = std::atoll(kv.value().c_str());
      revision.at(writer) = kv.mod_revision();
    }
    for (std::size_t i = 0; i < kWriters; ++i) {
      const std::int64_t acknowledged = state_.acknowledged[i];
      const bool is_last = found[i] == acknowledged && revision[i] == state_.revision[i];
      const bool is_next = found[i] == acknowledged + 1 && revision[i] > state_.revision[i];
      if (!is_last && !is_next) {
        Fail(KeyOf(i) + " acknowledged " + std::to_string(acknowledged) + " at revision " +
             std::to_string(state_.revision[i]) + ", found " + std::to_string(found[i]) + " at " +
             std::to_string(revision[i]));
      }
      state_.acknowledged[i] = found[i];
      state_.revision[i] = revision[i];
    }
  }

  // One put is one revision: the watcher must see 2, 3, 4, ... without gap or repetition, across
  // all kills.
  void OpenWatch() {
    etcdserverpb::WatchRequest request;
    request.mutable_create_request()->set_key("writer/");
    request.mutable_create_request()->set_range_end("writer0");
    request.mutable_create_request()->set_start_revision(state_.seen + 1);
    const std::int32_t stream = watch_connection_.OpenStream(
        bench::kWatch, [this](std::string_view message) { OnWatch(message); });
    watch_connection_.Send(stream, request.SerializeAsString());
    watch_connection_.Flush();
  }

  void OnWatch(std::string_view message) {
    etcdserverpb::WatchResponse response;
    response.ParseFromArray(message.data(), static_cast<int>(message.size()));
    if (response.canceled()) Fail("watch canceled: " + response.ShortDebugString());
    for (const mvccpb::Event& event : response.events()) {
      if (event.kv().mod_revision() != state_.seen + 1) {
        Fail("watch: event of revision " + std::to_string(event.kv().mod_revision()) + " after " +
             std::to_string(state_.seen));
      }
      ++state_.seen;
    }
  }

  void Write(std::size_t writer) {
    const std::int64_t counter = state_.acknowledged[writer] + 1;
    connection_.Call(bench::kPut, bench::PutRequest(KeyOf(writer), std::to_string(counter)),
                     [this, writer, counter](const auto& trailer, std::string_view message) {
                       // Without an answer the outcome is unknown: this writer is done.
                       if (trailer.status != 0) return;
                       etcdserverpb::PutResponse response;
                       response.ParseFromArray(message.data(), static_cast<int>(message.size()));
                       if (response.header().revision() <= state_.revision[writer]) {
                         Fail("revision went back");
                       }
                       state_.acknowledged[writer] = counter;
                       state_.revision[writer] = response.header().revision();
                       Write(writer);
                     });
  }

  std::string state_path_;
  State state_;
  bench::Loop loop_;
  bench::Connection connection_;
  bench::Connection watch_connection_;
  std::int64_t head_ = 0;
  bool broken_ = false;
};

}  // namespace
}  // namespace etcd::crash

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "crash_client PORT STATE_FILE\n");
    return 2;
  }
  etcd::crash::Round(static_cast<std::uint16_t>(std::atoi(argv[1])), argv[2]).Run();
  return 0;
}
