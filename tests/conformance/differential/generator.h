#pragma once

#include <cstdint>
#include <etcdserverpb/rpc.pb.h>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

// Seeded requests that go where servers differ: odd ranges, empty and huge keys, every option,
// revisions on both sides of every limit, nested transactions, malformed bytes.
namespace etcd::differential {

enum class Kind : std::uint8_t {
  kRange,
  kPut,
  kDeleteRange,
  kTxn,
  kCompact,
  kLeaseGrant,
  kLeaseRevoke,
  kLeaseTimeToLive,
  kLeaseLeases,
  kHashKv,
  kAlarm,
  kMalformed,
  kUnknown,
  kRangeStream,  // 3.7 only
  kKinds,
};

enum class Peer : std::uint8_t { k34, k36, k37 };

struct Request {
  Kind kind = Kind::kRange;
  std::string path;
  std::string message;
};

// What the last answers said, so that revisions are aimed at limits.
struct View {
  std::int64_t revision = 1;
  std::int64_t compacted = 0;
};

class Generator {
 public:
  // For a peer of 3.4 it leaves out what that is known to answer differently (reasons in
  // generator.cc); for one of 3.7 it asks RangeStream too.
  Generator(std::uint64_t seed, Peer peer)
      : random_(seed), for_34_(peer == Peer::k34), for_37_(peer == Peer::k37) {}

  Request Next(const View& view);
  // Lifts what is raised; nullopt when nothing is.
  std::optional<Request> LiftAlarm();
  etcdserverpb::WatchCreateRequest WatchCreate(const View& view);
  etcdserverpb::RangeRequest Range(const View& view);

  std::uint64_t Below(std::uint64_t bound) { return random_() % bound; }
  bool OneIn(std::uint64_t n) { return Below(n) == 0; }

  // How often each option was used; printed at the end, so that a hole is seen.
  const std::map<std::string, std::int64_t>& coverage() const { return coverage_; }

 private:
  std::string Key();
  std::string RangeEnd(const std::string& key);
  std::string Value();
  std::int64_t RevisionNear(const View& view);
  std::int64_t Lease();
  etcdserverpb::PutRequest Put();
  etcdserverpb::DeleteRangeRequest DeleteRange();
  etcdserverpb::Compare Compare();
  etcdserverpb::TxnRequest Txn(const View& view, int depth);
  etcdserverpb::RequestOp Op(const View& view, int depth);
  Request Malformed();
  Request RangeStream(const View& view);
  Request Alarm(etcdserverpb::AlarmRequest::AlarmAction action);
  // Counts the option when set; returns whether it is.
  bool Use(const char* option, bool set);

  std::mt19937_64 random_;
  bool for_34_;
  bool for_37_;
  etcdserverpb::AlarmType alarm_ = etcdserverpb::NONE;  // raised, until alarm_left_ is 0
  int alarm_left_ = 0;
  std::map<std::string, std::int64_t> coverage_;
};

}  // namespace etcd::differential
