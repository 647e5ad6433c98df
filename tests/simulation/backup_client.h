#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tests/simulation/clients.h"
#include "tests/simulation/stream.h"

namespace etcd::simulation {

// Saves snapshots from any member, as for a backup, one after the other, and restores what arrived
// into an engine of its own: it must be the history up to one revision, whole.
class BackupClient {
 public:
  explicit BackupClient(Clients& shared) : shared_(shared), home_(shared) {}
  BackupClient(const BackupClient&) = delete;
  BackupClient& operator=(const BackupClient&) = delete;

  void Start();

 private:
  void Save();
  void OnMessage(const std::string& bytes);
  void OnEnd();
  void Check();

  Clients& shared_;
  Home home_;
  std::shared_ptr<Stream> stream_;  // null: none is under way
  std::string received_;            // the database and its digest
  std::uint64_t announced_ = 0;     // bytes that the server says are still to come
  bool has_begun_ = false;
};

}  // namespace etcd::simulation
