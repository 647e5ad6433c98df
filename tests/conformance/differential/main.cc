#include <cstdio>
#include <cstdlib>
#include <etcdserverpb/rpc.pb.h>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "server/base/errc.h"
#include "tests/conformance/differential/answer.h"
#include "tests/conformance/differential/generator.h"
#include "tests/conformance/differential/pair.h"

// differential OUR_PORT THEIR_PORT FIRST_SEED SEQUENCES REQUESTS [3.4|3.6|3.7]: plays seeded
// sequences on both servers and stops at the first difference (exit 1). Prints "error TEXT" and
// "option NAME N" lines of what was covered; differential.py adds them up over all pairs.
namespace etcd::differential {
namespace {

struct Settings {
  std::uint16_t our_port;
  std::uint16_t their_port;
  std::uint64_t first_seed;
  int sequences;
  int requests;
  Peer peer;
};

Peer PeerOf(std::string_view release) {
  if (release == "3.4") return Peer::k34;
  return release == "3.7" ? Peer::k37 : Peer::k36;
}

class Runner {
 public:
  explicit Runner(const Settings& settings)
      : settings_(settings), pair_(settings.our_port, settings.their_port) {}

  bool Run() {
    for (int i = 0; i < settings_.sequences; ++i) {
      if (!Sequence(settings_.first_seed + static_cast<std::uint64_t>(i))) return false;
    }
    for (const std::string& text : errors_) std::printf("error %s\n", text.c_str());
    for (const auto& [option, count] : coverage_) {
      std::printf("option %s: %lld\n", option.c_str(), static_cast<long long>(count));
    }
    return true;
  }

 private:
  bool Sequence(std::uint64_t seed) {
    Generator generator(seed, settings_.peer);
    Pair::Watch watch(pair_);
    // A stream without watchers answers no progress requests.
    etcdserverpb::WatchCreateRequest sentinel;
    sentinel.set_key("sentinel");
    sentinel.set_watch_id(1000);
    watch.Create(sentinel);
    for (int i = 0; i < settings_.requests; ++i) {
      // 3.4 answers progress requests at once, synced or not: nothing tells when to compare.
      if (settings_.peer != Peer::k34 && i % 20 == 7) watch.Create(generator.WatchCreate(view_));
      if (settings_.peer != Peer::k34 && i % 50 == 33) Cancel(watch, generator);
      const Request request = generator.Next(view_);
      // Whether a watcher that reads history meets the compaction would be a matter of timing.
      if (request.kind == Kind::kCompact) watch.Settle(view_.revision);
      if (!Step(seed, i, request)) return false;
    }
    const std::optional<Request> lift = generator.LiftAlarm();
    if (lift.has_value() && !Step(seed, settings_.requests, *lift)) return false;
    for (const auto& [option, count] : generator.coverage()) coverage_[option] += count;
    return CompareWatch(seed, watch) && CompareHash(seed);
  }

  void Cancel(Pair::Watch& watch, Generator& generator) {
    etcdserverpb::WatchRequest request;
    request.mutable_cancel_request()->set_watch_id(static_cast<std::int64_t>(generator.Below(6)));
    watch.Send(request);
  }

  bool Step(std::uint64_t seed, int number, const Request& request) {
    const Pair::Answers answers = request.kind == Kind::kRangeStream
                                      ? pair_.AskStream(request.path, request.message)
                                      : pair_.Ask(request.path, request.message);
    const std::string difference =
        Difference(request, answers.ours, answers.theirs, settings_.peer);
    if (!difference.empty()) {
      std::printf("DIFFERENT seed %llu request %d\n%s\n%s\n", static_cast<unsigned long long>(seed),
                  number, Describe(request).c_str(), difference.c_str());
      return false;
    }
    if (answers.ours.code != 0) errors_.insert(answers.ours.text);
    if (request.kind == Kind::kRangeStream) return true;
    const std::int64_t revision = HeaderRevision(request, answers.theirs);
    if (revision > view_.revision) view_.revision = revision;
    if (request.kind == Kind::kCompact && answers.theirs.code == 0) {
      etcdserverpb::CompactionRequest compaction;
      compaction.ParseFromString(request.message);
      view_.compacted = compaction.revision();
    }
    return true;
  }

  bool CompareWatch(std::uint64_t seed, Pair::Watch& watch) {
    std::string difference;
    if (!watch.Settle(view_.revision)) difference = "the streams did not settle\n";
    difference += WatchDifference(watch);
    if (difference.empty()) return true;
    std::printf("DIFFERENT seed %llu watch\n%s", static_cast<unsigned long long>(seed),
                difference.c_str());
    return false;
  }

  bool CompareHash(std::uint64_t seed) {
    const Request request = {Kind::kHashKv, "/etcdserverpb.Maintenance/HashKV", ""};
    return Step(seed, -1, request);
  }

  Settings settings_;
  Pair pair_;
  View view_;
  std::set<std::string> errors_;
  std::map<std::string, std::int64_t> coverage_;
};

}  // namespace
}  // namespace etcd::differential

int main(int argc, char** argv) {
  if (argc < 6) {
    std::fprintf(stderr,
                 "differential OUR_PORT THEIR_PORT FIRST_SEED SEQUENCES REQUESTS [3.4|3.6|3.7]\n");
    return 2;
  }
  const etcd::differential::Settings settings = {
      static_cast<std::uint16_t>(std::atoi(argv[1])),
      static_cast<std::uint16_t>(std::atoi(argv[2])),
      std::strtoull(argv[3], nullptr, 10),
      std::atoi(argv[4]),
      std::atoi(argv[5]),
      etcd::differential::PeerOf(argc > 6 ? argv[6] : "3.6")};
  return etcd::differential::Runner(settings).Run() ? 0 : 1;
}
