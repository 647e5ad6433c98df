#include "server/apply/range_exec.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "server/apply/kv_view.h"
#include "server/base/bytes.h"
#include "server/base/status.h"

namespace etcd::apply {
namespace {

constexpr std::uint32_t kKvsField = 2;
constexpr std::uint32_t kMoreField = 3;
constexpr std::uint32_t kCountField = 4;

// A candidate with what it is filtered and sorted by.
struct Row {
  mvcc::KvRef ref;
  std::int64_t create_revision = 0;
  std::int64_t version = 0;
  std::string value;  // filled only for sorting by it
};

bool HasFilter(const RangeQuery& q) {
  return q.min_mod_revision != 0 || q.max_mod_revision != 0 || q.min_create_revision != 0 ||
         q.max_create_revision != 0;
}

// Without an order, a target other than KEY means ascending.
SortOrder EffectiveOrder(const RangeQuery& q) {
  if (q.sort_order == SortOrder::kNone && q.sort_target != SortTarget::kKey) {
    return SortOrder::kAscend;
  }
  return q.sort_order;
}

// Key order is the order of the store.
bool NeedsSort(const RangeQuery& q) {
  const SortOrder order = EffectiveOrder(q);
  return order == SortOrder::kDescend ||
         (order == SortOrder::kAscend && q.sort_target != SortTarget::kKey);
}

// Everything is read before a sort that was asked for or a filter can cut; a sort implied by the
// target alone works on the first limit + 1 keys, as in etcd.
bool NeedsAll(const RangeQuery& q) {
  return HasFilter(q) || (q.sort_order != SortOrder::kNone && NeedsSort(q));
}

bool PassesFilter(const RangeQuery& q, const Row& row) {
  const std::int64_t mod = row.ref.revision.main.value();
  if (q.max_mod_revision != 0 && mod > q.max_mod_revision) return false;
  if (q.min_mod_revision != 0 && mod < q.min_mod_revision) return false;
  if (q.max_create_revision != 0 && row.create_revision > q.max_create_revision) return false;
  return q.min_create_revision == 0 || row.create_revision >= q.min_create_revision;
}

bool Less(SortTarget target, const Row& a, const Row& b) {
  switch (target) {
    case SortTarget::kVersion:
      return a.version < b.version;
    case SortTarget::kCreate:
      return a.create_revision < b.create_revision;
    case SortTarget::kMod:
      return a.ref.revision.main < b.ref.revision.main;
    case SortTarget::kValue:
      return a.value < b.value;
    case SortTarget::kKey:
      return false;
  }
  return false;
}

// Ties keep key order, so that all members give the same answer inside a transaction.
void Sort(const RangeQuery& q, std::vector<Row>& rows) {
  const bool descend = EffectiveOrder(q) == SortOrder::kDescend;
  if (q.sort_target == SortTarget::kKey) {
    if (descend) std::reverse(rows.begin(), rows.end());
    return;
  }
  std::stable_sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) {
    return descend ? Less(q.sort_target, b, a) : Less(q.sort_target, a, b);
  });
}

absl::StatusOr<std::vector<Row>> ReadRows(const RangeSource& source, const RangeQuery& q,
                                          const std::vector<mvcc::KvRef>& refs) {
  std::vector<Row> rows;
  rows.reserve(refs.size());
  bool whole = true;
  RETURN_IF_ERROR(source.Fetch(refs, [&](std::size_t i, std::string_view stored) {
    KeyValueView kv;
    whole = whole && ParseKeyValue(stored, kv);
    Row row{refs[i], kv.create_revision, kv.version, {}};
    if (q.sort_target == SortTarget::kValue) row.value = kv.value;
    if (PassesFilter(q, row)) rows.push_back(std::move(row));
  }));
  if (!whole) return base::DataLoss("a stored record is no KeyValue");
  return rows;
}

absl::Status SortAndFilter(const RangeSource& source, const RangeQuery& q,
                           std::vector<mvcc::KvRef>& refs) {
  if (!HasFilter(q) && q.sort_target == SortTarget::kKey) {
    std::reverse(refs.begin(), refs.end());  // only KEY descending is left; no record is needed
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(std::vector<Row> rows, ReadRows(source, q, refs));
  if (NeedsSort(q)) Sort(q, rows);
  refs.clear();
  for (const Row& row : rows) refs.push_back(row.ref);
  return absl::OkStatus();
}

std::uint64_t EncodedKvsBytes(const std::vector<mvcc::KvRef>& refs) {
  std::uint64_t bytes = 0;
  for (const mvcc::KvRef& ref : refs) {
    bytes += 1 + base::VarintSize(ref.encoded_bytes) + ref.encoded_bytes;
  }
  return bytes;
}

}  // namespace

absl::StatusOr<RangePlan> PlanRange(const RangeSource& source, const RangeQuery& query) {
  mvcc::RangeSpec spec{.range = {query.key, query.range_end},
                       .revision = Revision(query.revision),
                       .limit = 0,
                       .count_only = query.count_only};
  const bool limited = query.limit > 0 && query.limit < std::numeric_limits<std::int64_t>::max();
  // One more than wanted tells whether there is more.
  if (limited && !NeedsAll(query)) spec.limit = query.limit + 1;
  ASSIGN_OR_RETURN(mvcc::RangeResult result, source.Range(spec));

  RangePlan plan;
  plan.count = result.count;
  plan.current = result.current;
  plan.pin = std::move(result.pin);
  plan.keys_only = query.keys_only;
  if (query.count_only) return plan;
  plan.refs = std::move(result.refs);
  if (NeedsSort(query) || HasFilter(query)) {
    RETURN_IF_ERROR(SortAndFilter(source, query, plan.refs));
  }
  if (limited && plan.refs.size() > static_cast<std::uint64_t>(query.limit)) {
    plan.refs.resize(static_cast<std::size_t>(query.limit));
    plan.more = true;
  }
  if (!plan.keys_only) plan.kvs_bytes = EncodedKvsBytes(plan.refs);
  return plan;
}

absl::Status AppendKvs(const RangeSource& source, const RangePlan& plan,
                       std::span<const mvcc::KvRef> refs, std::string& out) {
  bool whole = true;
  RETURN_IF_ERROR(source.Fetch(refs, [&](std::size_t i, std::string_view stored) {
    if (plan.keys_only) {
      whole = AppendWithoutValue(out, kKvsField, stored) && whole;
      return;
    }
    whole = whole && stored.size() == refs[i].encoded_bytes;  // the length was promised
    base::AppendMessageField(out, kKvsField, stored);
  }));
  if (!whole) return base::DataLoss("a stored record differs from its index entry");
  return absl::OkStatus();
}

std::string RangeTail(const RangePlan& plan) {
  std::string out;
  base::AppendVarintField(out, kMoreField, plan.more ? 1 : 0);
  base::AppendVarintField(out, kCountField, static_cast<std::uint64_t>(plan.count));
  return out;
}

absl::Status AppendRangeBody(const RangeSource& source, const RangePlan& plan, std::string& out) {
  out.reserve(out.size() + plan.kvs_bytes + 16);
  RETURN_IF_ERROR(AppendKvs(source, plan, plan.refs, out));
  out += RangeTail(plan);
  return absl::OkStatus();
}

}  // namespace etcd::apply
