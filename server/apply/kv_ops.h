#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/apply/range_exec.h"
#include "server/lease/lessor.h"
#include "server/storage/mvcc/store.h"

namespace etcdserverpb {
class Compare;
class DeleteRangeRequest;
class PutRequest;
class RangeRequest;
}  // namespace etcdserverpb

// The single steps of KvExecutor, shared between plain requests and those inside a transaction.
namespace etcd::apply {

struct KvContext {
  mvcc::WriteTxn& txn;
  lease::Lessor& lessor;
  Revision compact_revision;
};

// ---- Checks against the state before the transaction; nothing is changed.
absl::Status CheckRange(const KvContext& context, const etcdserverpb::RangeRequest& request);
// Which of two errors wins differs between a plain put and one in a transaction, as in etcd.
absl::Status CheckPut(const KvContext& context, const etcdserverpb::PutRequest& request);
absl::Status CheckPutInTxn(const KvContext& context, const etcdserverpb::PutRequest& request);

// Whether the condition holds for these records, all of its range. Errors come from the engine.
absl::StatusOr<bool> HoldsFor(const RangeSource& source, const etcdserverpb::Compare& compare,
                              std::span<const mvcc::KvRef> refs);
// Whether the condition holds now. Errors come from the engine.
absl::StatusOr<bool> Holds(const mvcc::WriteTxn& txn, const etcdserverpb::Compare& compare);

// ---- Execution of what was checked; appends the response without its header.
absl::Status ExecuteRange(const KvContext& context, const etcdserverpb::RangeRequest& request,
                          std::string& body);
absl::Status ExecutePut(const KvContext& context, const etcdserverpb::PutRequest& request,
                        std::string& body);
absl::Status ExecuteDelete(const KvContext& context,
                           const etcdserverpb::DeleteRangeRequest& request, std::string& body);

}  // namespace etcd::apply
