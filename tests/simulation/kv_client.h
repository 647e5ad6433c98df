#pragma once

#include <etcdserverpb/rpc.pb.h>
#include <functional>
#include <memory>
#include <string>

#include "tests/simulation/clients.h"

namespace etcd::simulation {

// One client that does one thing after the other: puts, reads, deletes, transactions, compactions,
// hashes.
class KvClient {
 public:
  KvClient(Clients& shared, int number) : shared_(shared), number_(number) {}
  KvClient(const KvClient&) = delete;
  KvClient& operator=(const KvClient&) = delete;

  void Start() { Pause(); }
  bool is_idle() const { return !busy_; }

  // One write and one linearizable read that must succeed; `done` is called when they have.
  void Prove(std::function<void()> done);

 private:
  using Answer = SimMember::Answer;

  void Pause();
  void Next();
  // A call that is given up when it takes too long; `answer` gets kLost then.
  void Call(const std::string& path, std::string request, Answer answer);
  void Done();

  void Write(etcdserverpb::TxnRequest request, bool plain);
  void OnWritten(const History::Write& write, const Reply& reply, bool plain);
  void OnWriteRefused(const History::Write& write, const absl::Status& status);
  void Read(etcdserverpb::RangeRequest request);
  void Compact(std::int64_t revision);
  void Hash(std::int64_t revision);
  void ClearAlarm();
  // Deletes all and compacts at the head: what is left is the revision alone.
  void Sweep();

  etcdserverpb::PutRequest DrawPut(const std::string& key);
  etcdserverpb::RangeRequest DrawRange();
  etcdserverpb::DeleteRangeRequest DrawDelete();
  etcdserverpb::TxnRequest DrawTxn();
  std::int64_t DrawRevision();

  Clients& shared_;
  const int number_;
  bool busy_ = false;
  std::uint64_t call_ = 0;  // the one that is awaited
  std::function<void()> proof_;
};

}  // namespace etcd::simulation
