#include "server/api/v3/read_txn.h"

#include <etcdserverpb/rpc.pb.h>
#include <string>
#include <utility>

#include "server/apply/kv_exec.h"
#include "server/apply/kv_ops.h"
#include "server/apply/range_exec.h"
#include "server/base/bytes.h"
#include "server/base/status.h"

namespace etcd::api::v3 {
namespace {

using etcdserverpb::RangeRequest;
using etcdserverpb::TxnRequest;

absl::StatusOr<bool> CompareHolds(const apply::RangeSource& source,
                                  const etcdserverpb::Compare& compare, Revision at) {
  ASSIGN_OR_RETURN(const mvcc::RangeResult found,
                   source.Range({.range = {compare.key(), compare.range_end()}, .revision = at}));
  return apply::HoldsFor(source, compare, found.refs);
}

// Stricter than a plain Range: a negative revision is not taken for the current one.
absl::Status CheckRevision(std::int64_t revision, Revision current, Revision compacted) {
  if (revision == 0) return absl::OkStatus();
  if (revision > current.value()) return Error(Errc::kFutureRevision);
  if (revision < compacted.value()) return Error(Errc::kCompacted);
  return absl::OkStatus();
}

// ResponseOp{1 response_range: RangeResponse{1 header{3 revision}, ...}} as field 3 of TxnResponse.
absl::Status AppendRangeOp(const apply::RangeSource& source, const RangeRequest& range, Revision at,
                           std::string& out) {
  apply::RangeQuery query = apply::QueryOf(range);
  if (query.revision <= 0) query.revision = at.value();
  ASSIGN_OR_RETURN(const apply::RangePlan plan, apply::PlanRange(source, query));
  std::string header;
  base::AppendVarintField(header, 3, static_cast<std::uint64_t>(at.value()));
  std::string response;
  base::AppendMessageField(response, 1, header);
  RETURN_IF_ERROR(apply::AppendRangeBody(source, plan, response));
  std::string op;
  op.reserve(response.size() + 8);
  base::AppendMessageField(op, 1, response);
  base::AppendMessageField(out, 3, op);
  return absl::OkStatus();
}

// All of the TxnResponse but its header, as of revision `at`.
absl::StatusOr<std::string> Execute(const Core& core, const TxnRequest& txn, Revision at) {
  const apply::StoreSource source(core.store());
  bool succeeded = true;
  for (const auto& compare : txn.compare()) {
    ASSIGN_OR_RETURN(succeeded, CompareHolds(source, compare, at));
    if (!succeeded) break;
  }
  const auto& ops = succeeded ? txn.success() : txn.failure();
  for (const auto& op : ops) {
    RETURN_IF_ERROR(
        CheckRevision(op.request_range().revision(), at, core.store().compact_revision()));
  }
  std::string out;
  base::AppendVarintField(out, 2, succeeded ? 1 : 0);
  for (const auto& op : ops) {
    RETURN_IF_ERROR(AppendRangeOp(source, op.request_range(), at, out));
  }
  return out;
}

}  // namespace

absl::StatusOr<base::Body> ExecuteReadTxn(const Core& core, const TxnRequest& txn) {
  if (txn.compare_size() + txn.success_size() + txn.failure_size() > 1) core.store().CountReadTxn();
  while (true) {
    const Revision at = core.store().current_revision();
    absl::StatusOr<std::string> rest = Execute(core, txn, at);
    // Compacted past us while reading: once more at what is current now.
    if (ErrcOf(rest.status()) == Errc::kCompacted && at < core.store().compact_revision()) continue;
    if (!rest.ok()) return rest.status();
    std::string out;
    out.reserve(rest->size() + 64);
    core.AppendHeader(out, at);
    out += *rest;
    return base::Body(base::Rope(std::move(out)));
  }
}

}  // namespace etcd::api::v3
