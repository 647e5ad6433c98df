#pragma once

#include <cstdint>
#include <deque>
#include <etcdserverpb/rpc.pb.h>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "tests/simulation/clients.h"

namespace etcd::simulation {

// A client that grants leases, keeps some of them alive over a stream, revokes some, lets others
// run out; and checks that none ends early and that no answer speaks of one that has ended.
class LeaseClient {
 public:
  static constexpr std::chrono::seconds kTtlMax{8};

  LeaseClient(Clients& shared, int number) : shared_(shared), number_(number), home_(shared) {}
  LeaseClient(const LeaseClient&) = delete;
  LeaseClient& operator=(const LeaseClient&) = delete;

  void Start();
  bool is_idle() const { return calls_ == 0; }
  // No lease of this client is left.
  bool AllGone() const;
  void OnRemoved(std::int64_t id, const Ledger::Lease& lease);

 private:
  struct Lease {
    std::int64_t ttl_seconds = 0;
    Nanos renewed{0};  // when the last renewal that was acknowledged had been sent
    bool keep = true;  // else it may run out
    bool acknowledged = false;
    bool revoking = false;
    std::deque<Nanos> asked;  // renewals under way
  };

  void Tick();
  void Connect();
  void Grant();
  void Revoke(std::int64_t id);
  void AskTimeToLive(std::int64_t id);
  void KeepAlive(std::int64_t id, Lease& lease);
  void OnKeptAlive(const std::string& bytes);
  Nanos Shortest(const Lease& lease) const;
  void CheckRenewal(std::int64_t id, Lease& lease, Nanos asked);
  const Ledger::Lease* Known(std::int64_t id) const;
  std::optional<Nanos> RemovedAt(std::int64_t id) const;
  void Fail(const std::string& what);

  Clients& shared_;
  const int number_;
  Home home_;
  int calls_ = 0;
  std::int64_t next_ = 1;
  std::shared_ptr<Stream> stream_;
  std::map<std::int64_t, Lease> leases_;
};

}  // namespace etcd::simulation
