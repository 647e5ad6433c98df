#pragma once

#include <cstdint>
#include <etcdserverpb/rpc.pb.h>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/clients.h"
#include "tests/simulation/watch_check.h"

namespace etcd::simulation {

// A client with one watch stream at a time and several watches on it. When the stream breaks, it
// opens another and goes on where each watch was.
class WatchClient {
 public:
  WatchClient(Clients& shared, int number) : shared_(shared), number_(number), home_(shared) {}
  WatchClient(const WatchClient&) = delete;
  WatchClient& operator=(const WatchClient&) = delete;

  void Start();
  // Every watch has delivered what the ledger holds for it.
  bool HasAll() const;

 private:
  void Connect();
  void Pause();
  void Next();
  void AddWatch();
  void SendCreate(std::int64_t id);
  void Cancel(std::int64_t id);
  void OnMessage(const std::string& bytes);
  void OnCreated(const etcdserverpb::WatchResponse& response);
  void OnCanceled(const etcdserverpb::WatchResponse& response);
  void OnProgress(const etcdserverpb::WatchResponse& response);
  void OnEnd();
  void Fail(const std::string& what);

  Clients& shared_;
  const int number_;
  Home home_;
  std::shared_ptr<Stream> stream_;
  std::int64_t next_id_ = 0;
  std::set<std::int64_t> canceling_;            // asked to, not answered
  std::map<std::int64_t, WatchCheck> watches_;  // by id, which is the client's choice
};

}  // namespace etcd::simulation
