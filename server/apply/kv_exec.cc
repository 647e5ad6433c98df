#include "server/apply/kv_exec.h"

#include <cstddef>
#include <etcdserverpb/rpc.pb.h>
#include <memory>
#include <utility>
#include <vector>

#include "server/apply/kv_ops.h"
#include "server/base/bytes.h"
#include "server/base/status.h"

namespace etcd::apply {
namespace {

using etcdserverpb::RequestOp;
using etcdserverpb::TxnRequest;
using Ops = google::protobuf::RepeatedPtrField<RequestOp>;

constexpr std::uint32_t kHeaderField = 1;
constexpr std::uint32_t kHeaderRevisionField = 3;
constexpr std::uint32_t kSucceededField = 2;
constexpr std::uint32_t kResponsesField = 3;
// Members of ResponseOp, by the kind of request.
constexpr std::uint32_t kOpRange = 1;
constexpr std::uint32_t kOpPut = 2;
constexpr std::uint32_t kOpDelete = 3;
constexpr std::uint32_t kOpTxn = 4;

// One transaction: decide every branch first (nested ones too, all on the state before), check what
// will run, then run it. `path` holds the decisions in the order in which the walk meets them.
class TxnRun {
 public:
  explicit TxnRun(const KvContext& context) : context_(context) {}

  absl::Status Run(const TxnRequest& request, std::string& body) {
    RETURN_IF_ERROR(Decide(request));
    next_ = 0;
    RETURN_IF_ERROR(Check(request));
    next_ = 0;
    return Execute(request, body);
  }

 private:
  static const Ops& Branch(const TxnRequest& txn, bool succeeded) {
    return succeeded ? txn.success() : txn.failure();
  }

  absl::Status Decide(const TxnRequest& txn) {
    bool succeeded = true;
    for (const etcdserverpb::Compare& compare : txn.compare()) {
      ASSIGN_OR_RETURN(succeeded, Holds(context_.txn, compare));
      if (!succeeded) break;
    }
    path_.push_back(succeeded);
    for (const RequestOp& op : Branch(txn, succeeded)) {
      if (op.has_request_txn()) RETURN_IF_ERROR(Decide(op.request_txn()));
    }
    return absl::OkStatus();
  }

  absl::Status Check(const TxnRequest& txn) {
    for (const RequestOp& op : Branch(txn, path_[next_++])) {
      if (op.has_request_range()) RETURN_IF_ERROR(CheckRange(context_, op.request_range()));
      if (op.has_request_put()) RETURN_IF_ERROR(CheckPutInTxn(context_, op.request_put()));
      if (op.has_request_txn()) RETURN_IF_ERROR(Check(op.request_txn()));
    }
    return absl::OkStatus();
  }

  absl::Status Execute(const TxnRequest& txn, std::string& body) {
    const bool succeeded = path_[next_++];
    base::AppendVarintField(body, kSucceededField, succeeded ? 1 : 0);
    for (const RequestOp& op : Branch(txn, succeeded)) {
      std::string response;
      ASSIGN_OR_RETURN(const std::uint32_t kind, ExecuteOp(op, response));
      std::string wrapped;
      if (kind != 0) base::AppendMessageField(wrapped, kind, response);
      base::AppendMessageField(body, kResponsesField, wrapped);
    }
    return absl::OkStatus();
  }

  // Appends the whole response of one operation; returns its field in ResponseOp.
  absl::StatusOr<std::uint32_t> ExecuteOp(const RequestOp& op, std::string& out) {
    std::string body;
    switch (op.request_case()) {
      case RequestOp::kRequestRange:
        RETURN_IF_ERROR(ExecuteRange(context_, op.request_range(), body));
        return Finish(kOpRange, body, out);
      case RequestOp::kRequestPut:
        RETURN_IF_ERROR(ExecutePut(context_, op.request_put(), body));
        return Finish(kOpPut, body, out);
      case RequestOp::kRequestDeleteRange:
        RETURN_IF_ERROR(ExecuteDelete(context_, op.request_delete_range(), body));
        return Finish(kOpDelete, body, out);
      case RequestOp::kRequestTxn:
        base::AppendMessageField(out, kHeaderField, "");  // etcd leaves a nested header empty
        RETURN_IF_ERROR(Execute(op.request_txn(), out));
        return kOpTxn;
      case RequestOp::REQUEST_NOT_SET:
        break;  // refused before it was proposed
    }
    return 0U;
  }

  // An inner header carries nothing but the revision.
  std::uint32_t Finish(std::uint32_t kind, const std::string& body, std::string& out) const {
    std::string header;
    base::AppendVarintField(header, kHeaderRevisionField,
                            static_cast<std::uint64_t>(context_.txn.revision().value()));
    base::AppendMessageField(out, kHeaderField, header);
    out += body;
    return kind;
  }

  const KvContext& context_;
  std::vector<bool> path_;
  std::size_t next_ = 0;
};

SortOrder OrderOf(int value) {
  return value == 1 || value == 2 ? static_cast<SortOrder>(value) : SortOrder::kNone;
}
SortTarget TargetOf(int value) {
  return value >= 1 && value <= 4 ? static_cast<SortTarget>(value) : SortTarget::kKey;
}

}  // namespace

RangeQuery QueryOf(const etcdserverpb::RangeRequest& request) {
  return {.key = request.key(),
          .range_end = request.range_end(),
          .limit = request.limit(),
          .revision = request.revision(),
          .sort_order = OrderOf(request.sort_order()),
          .sort_target = TargetOf(request.sort_target()),
          .keys_only = request.keys_only(),
          .count_only = request.count_only(),
          .min_mod_revision = request.min_mod_revision(),
          .max_mod_revision = request.max_mod_revision(),
          .min_create_revision = request.min_create_revision(),
          .max_create_revision = request.max_create_revision()};
}

absl::StatusOr<Response> KvExecutor::Put(const etcdserverpb::PutRequest& request) {
  const auto txn = store_.BeginTxn();
  const KvContext context{*txn, lessor_, compact_revision_};
  RETURN_IF_ERROR(CheckPut(context, request));
  Response response;
  RETURN_IF_ERROR(ExecutePut(context, request, response.body));
  response.revision = txn->revision();
  return response;
}

absl::StatusOr<Response> KvExecutor::DeleteRange(const etcdserverpb::DeleteRangeRequest& request) {
  const auto txn = store_.BeginTxn();
  Response response;
  RETURN_IF_ERROR(ExecuteDelete({*txn, lessor_, compact_revision_}, request, response.body));
  response.revision = txn->revision();
  return response;
}

absl::StatusOr<Response> KvExecutor::Range(const etcdserverpb::RangeRequest& request) {
  const auto txn = store_.BeginTxn();
  const KvContext context{*txn, lessor_, compact_revision_};
  if (request.revision() > 0) RETURN_IF_ERROR(CheckRange(context, request));
  Response response;
  RETURN_IF_ERROR(ExecuteRange(context, request, response.body));
  response.revision = txn->revision();
  return response;
}

absl::StatusOr<Response> KvExecutor::Txn(const etcdserverpb::TxnRequest& request) {
  const auto txn = store_.BeginTxn();
  const KvContext context{*txn, lessor_, compact_revision_};
  Response response;
  RETURN_IF_ERROR(TxnRun(context).Run(request, response.body));
  response.revision = txn->revision();
  return response;
}

absl::StatusOr<Response> KvExecutor::Compact(Revision revision) {
  RETURN_IF_ERROR(store_.Compact(revision));
  compact_revision_ = revision;
  return Response();
}

void KvExecutor::DeleteKeys(const std::vector<std::string>& keys) {
  if (keys.empty()) return;
  const auto txn = store_.BeginTxn();
  for (const std::string& key : keys) {
    txn->DeleteRange({key, ""}, [](std::string_view, const mvcc::KvRef&) {});
  }
}

}  // namespace etcd::apply
