#pragma once

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/apply/range_exec.h"
#include "server/base/ids.h"
#include "server/lease/lessor.h"
#include "server/storage/mvcc/store.h"

namespace etcdserverpb {
class DeleteRangeRequest;
class PutRequest;
class RangeRequest;
class TxnRequest;
}  // namespace etcdserverpb

namespace etcd::apply {

// A response without its header, and the revision that the header carries.
struct Response {
  std::string body;
  Revision revision;
};

RangeQuery QueryOf(const etcdserverpb::RangeRequest& request);

// The key-value operations of the log, each one write transaction: everything is checked against
// the state before it, then it is carried out whole. An error that has an Errc is the result of the
// request, the same on all members, and nothing was changed; any other error comes from the engine
// and is fatal. Apply thread, inside an open batch of the store.
class KvExecutor {
 public:
  KvExecutor(mvcc::Store& store, lease::Lessor& lessor) : store_(store), lessor_(lessor) {
    Reload();
  }

  // The store has other content than before; outside of a batch.
  void Reload() { compact_revision_ = store_.compact_revision(); }

  absl::StatusOr<Response> Put(const etcdserverpb::PutRequest& request);
  absl::StatusOr<Response> DeleteRange(const etcdserverpb::DeleteRangeRequest& request);
  absl::StatusOr<Response> Range(const etcdserverpb::RangeRequest& request);
  absl::StatusOr<Response> Txn(const etcdserverpb::TxnRequest& request);
  absl::StatusOr<Response> Compact(Revision revision);
  // Deletes exactly these keys, in this order, at one revision.
  void DeleteKeys(const std::vector<std::string>& keys);

 private:
  mvcc::Store& store_;
  lease::Lessor& lessor_;
  // Of the last Compact that was applied, published or not: what is compacted must not depend on
  // where a member happens to cut its batches.
  Revision compact_revision_;
};

}  // namespace etcd::apply
