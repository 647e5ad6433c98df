#pragma once

#include <etcdserverpb/rpc.pb.h>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "tests/simulation/clients.h"

namespace etcd::simulation {

// One client that does one thing after the other: puts, reads, deletes, transactions, compactions,
// hashes; or reads alone.
class KvClient {
 public:
  // `only_reads`: until it has to prove that it can write.
  KvClient(Clients& shared, int number, bool only_reads)
      : shared_(shared), number_(number), only_reads_(only_reads), home_(shared) {}
  KvClient(const KvClient&) = delete;
  KvClient& operator=(const KvClient&) = delete;

  void Start() { Pause(); }
  bool is_idle() const { return !busy_; }

  // Writes and reads until both have succeeded once; then calls `done`.
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
  etcdserverpb::TxnRequest DrawNested(std::set<std::string>& taken);
  void DrawCompare(const std::string& key, etcdserverpb::TxnRequest& txn);
  std::int64_t DrawRevision();

  Clients& shared_;
  const int number_;
  const bool only_reads_;
  Home home_;
  bool busy_ = false;
  std::uint64_t call_ = 0;  // the one that is awaited
  void ProveWrite();
  void ProveRead();

  std::function<void()> proof_;  // called when what is under way has ended
  std::function<void()> proven_;
  bool succeeded_ = false;    // the last call
  bool put_refused_ = false;  // no space: a delete must do
};

}  // namespace etcd::simulation
