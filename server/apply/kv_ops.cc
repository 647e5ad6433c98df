#include "server/apply/kv_ops.h"

#include <etcdserverpb/rpc.pb.h>
#include <utility>
#include <vector>

#include "server/apply/kv_exec.h"
#include "server/apply/kv_view.h"
#include "server/apply/range_exec.h"
#include "server/base/bytes.h"
#include "server/base/status.h"

namespace etcd::apply {
namespace {

constexpr std::uint32_t kPutPrevKvField = 2;
constexpr std::uint32_t kDeletedField = 2;
constexpr std::uint32_t kPrevKvsField = 3;

// Calls `use` with the stored bytes of one record.
template <typename Use>
absl::Status WithStored(const mvcc::WriteTxn& txn, const mvcc::KvRef& ref, const Use& use) {
  bool whole = true;
  RETURN_IF_ERROR(txn.Fetch(std::span(&ref, 1),
                            [&](std::size_t, std::string_view stored) { whole = use(stored); }));
  return whole ? absl::OkStatus() : base::DataLoss("a stored record is no KeyValue");
}

// What ignore_value and ignore_lease keep. Absent: empty (a delete earlier in the same transaction
// took the key away, which etcd's check of duplicates lets through for an open-ended range).
struct Kept {
  std::string value;
  std::int64_t lease = 0;
};

absl::StatusOr<Kept> ReadKept(const mvcc::WriteTxn& txn, std::string_view key) {
  Kept kept;
  const auto ref = txn.Find(key);
  if (!ref.has_value()) return kept;
  RETURN_IF_ERROR(WithStored(txn, *ref, [&](std::string_view stored) {
    KeyValueView kv;
    if (!ParseKeyValue(stored, kv)) return false;
    kept = {std::string(kv.value), kv.lease};
    return true;
  }));
  return kept;
}

// -1, 0, 1 for the record against the operand. A member of the oneof that does not belong to the
// target is ignored: the operand is then 0 or empty. An unknown target compares as equal.
int Order(const etcdserverpb::Compare& c, const KeyValueView& kv) {
  const auto number = [](std::int64_t a, std::int64_t b) { return a < b ? -1 : (a > b ? 1 : 0); };
  switch (static_cast<int>(c.target())) {
    case etcdserverpb::Compare::VERSION:
      return number(kv.version, c.version());
    case etcdserverpb::Compare::CREATE:
      return number(kv.create_revision, c.create_revision());
    case etcdserverpb::Compare::MOD:
      return number(kv.mod_revision, c.mod_revision());
    case etcdserverpb::Compare::LEASE:
      return number(kv.lease, c.lease());
    case etcdserverpb::Compare::VALUE: {
      const int order = kv.value.compare(c.value());
      return order < 0 ? -1 : (order > 0 ? 1 : 0);
    }
    default:
      return 0;
  }
}

bool Satisfies(const etcdserverpb::Compare& c, const KeyValueView& kv) {
  const int order = Order(c, kv);
  switch (static_cast<int>(c.result())) {
    case etcdserverpb::Compare::EQUAL:
      return order == 0;
    case etcdserverpb::Compare::GREATER:
      return order > 0;
    case etcdserverpb::Compare::LESS:
      return order < 0;
    case etcdserverpb::Compare::NOT_EQUAL:
      return order != 0;
    default:
      return true;
  }
}

// Without a match, a value compares false and everything else compares as zero.
bool HoldsWithoutMatch(const etcdserverpb::Compare& c) {
  return c.target() != etcdserverpb::Compare::VALUE && Satisfies(c, KeyValueView());
}

absl::Status CheckLease(const KvContext& context, const etcdserverpb::PutRequest& request) {
  if (request.lease() == 0 || context.lessor.Exists(LeaseId(request.lease()))) {
    return absl::OkStatus();
  }
  return Error(Errc::kLeaseNotFound);
}

absl::Status CheckKeyIsThere(const KvContext& context, const etcdserverpb::PutRequest& request) {
  if (!request.ignore_value() && !request.ignore_lease()) return absl::OkStatus();
  if (context.txn.Find(request.key()).has_value()) return absl::OkStatus();
  return Error(Errc::kKeyNotFound);
}

}  // namespace

absl::Status CheckRange(const KvContext& context, const etcdserverpb::RangeRequest& request) {
  if (request.revision() == 0) return absl::OkStatus();
  const Revision revision(request.revision());
  if (revision > context.txn.revision()) return Error(Errc::kFutureRevision);
  return revision < context.compact_revision ? Error(Errc::kCompacted) : absl::OkStatus();
}

absl::Status CheckPut(const KvContext& context, const etcdserverpb::PutRequest& request) {
  RETURN_IF_ERROR(CheckLease(context, request));
  return CheckKeyIsThere(context, request);
}

absl::Status CheckPutInTxn(const KvContext& context, const etcdserverpb::PutRequest& request) {
  RETURN_IF_ERROR(CheckKeyIsThere(context, request));
  return CheckLease(context, request);
}

absl::StatusOr<bool> HoldsFor(const RangeSource& source, const etcdserverpb::Compare& c,
                              std::span<const mvcc::KvRef> refs) {
  if (refs.empty()) return HoldsWithoutMatch(c);
  if (c.target() == etcdserverpb::Compare::MOD) {  // the index alone knows the answer
    for (const mvcc::KvRef& ref : refs) {
      KeyValueView kv;
      kv.mod_revision = ref.revision.main.value();
      if (!Satisfies(c, kv)) return false;
    }
    return true;
  }
  bool whole = true;
  bool holds = true;
  RETURN_IF_ERROR(source.Fetch(refs, [&](std::size_t, std::string_view stored) {
    KeyValueView kv;
    whole = whole && ParseKeyValue(stored, kv);
    holds = holds && whole && Satisfies(c, kv);
  }));
  if (!whole) return base::DataLoss("a stored record is no KeyValue");
  return holds;
}

absl::StatusOr<bool> Holds(const mvcc::WriteTxn& txn, const etcdserverpb::Compare& compare) {
  const TxnSource source(txn);
  if (compare.range_end().empty()) {
    const auto ref = txn.Find(compare.key());
    if (!ref.has_value()) return HoldsWithoutMatch(compare);
    return HoldsFor(source, compare, std::span(&*ref, 1));
  }
  ASSIGN_OR_RETURN(const mvcc::RangeResult result,
                   txn.Range({.range = {compare.key(), compare.range_end()},
                              .revision = Revision(0),
                              .limit = 0,
                              .count_only = false}));
  return HoldsFor(source, compare, result.refs);
}

absl::Status ExecuteRange(const KvContext& context, const etcdserverpb::RangeRequest& request,
                          std::string& body) {
  const TxnSource source(context.txn);
  ASSIGN_OR_RETURN(const RangePlan plan, PlanRange(source, QueryOf(request)));
  return AppendRangeBody(source, plan, body);
}

absl::Status ExecutePut(const KvContext& context, const etcdserverpb::PutRequest& request,
                        std::string& body) {
  std::string_view value = request.value();
  std::int64_t lease = request.lease();
  Kept kept;
  if (request.ignore_value() || request.ignore_lease()) {
    ASSIGN_OR_RETURN(kept, ReadKept(context.txn, request.key()));
    if (request.ignore_value()) value = kept.value;
    if (request.ignore_lease()) lease = kept.lease;
  }
  const auto previous = context.txn.Put(request.key(), value, LeaseId(lease));
  RETURN_IF_ERROR(context.lessor.Attach(LeaseId(lease), request.key()));
  if (!request.prev_kv() || !previous.has_value()) return absl::OkStatus();
  return WithStored(context.txn, *previous, [&](std::string_view stored) {
    base::AppendMessageField(body, kPutPrevKvField, stored);
    return true;
  });
}

absl::Status ExecuteDelete(const KvContext& context,
                           const etcdserverpb::DeleteRangeRequest& request, std::string& body) {
  std::vector<mvcc::KvRef> previous;
  const std::int64_t deleted = context.txn.DeleteRange(
      {request.key(), request.range_end()}, [&](std::string_view key, const mvcc::KvRef& ref) {
        context.lessor.Detach(key);
        if (request.prev_kv()) previous.push_back(ref);
      });
  base::AppendVarintField(body, kDeletedField, static_cast<std::uint64_t>(deleted));
  if (previous.empty()) return absl::OkStatus();
  return context.txn.Fetch(previous, [&](std::size_t, std::string_view stored) {
    base::AppendMessageField(body, kPrevKvsField, stored);
  });
}

}  // namespace etcd::apply
