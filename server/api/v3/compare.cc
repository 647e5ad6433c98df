#include "server/api/v3/compare.h"

#include <compare>
#include <etcdserverpb/rpc.pb.h>

#include "server/apply/kv_view.h"
#include "server/base/status.h"

namespace etcd::api::v3 {
namespace {

using etcdserverpb::Compare;

// Actual against given. The oneof member that does not belong to the target reads as 0 or empty.
std::strong_ordering Order(const Compare& compare, const apply::KeyValueView& kv) {
  switch (compare.target()) {
    case Compare::VERSION:
      return kv.version <=> compare.version();
    case Compare::CREATE:
      return kv.create_revision <=> compare.create_revision();
    case Compare::MOD:
      return kv.mod_revision <=> compare.mod_revision();
    case Compare::LEASE:
      return kv.lease <=> compare.lease();
    case Compare::VALUE:
      return kv.value.compare(compare.value()) <=> 0;
    default:
      return std::strong_ordering::equal;  // unknown targets compare as equal
  }
}

bool Holds(const Compare& compare, const apply::KeyValueView& kv) {
  const std::strong_ordering order = Order(compare, kv);
  switch (compare.result()) {
    case Compare::EQUAL:
      return order == 0;
    case Compare::NOT_EQUAL:
      return order != 0;
    case Compare::GREATER:
      return order > 0;
    case Compare::LESS:
      return order < 0;
    default:
      return true;  // unknown operators always hold
  }
}

}  // namespace

absl::StatusOr<bool> CompareHolds(const apply::RangeSource& source, const Compare& compare,
                                  Revision at) {
  ASSIGN_OR_RETURN(const mvcc::RangeResult found,
                   source.Range({.range = {compare.key(), compare.range_end()}, .revision = at}));
  if (found.refs.empty()) {
    return compare.target() != Compare::VALUE && Holds(compare, apply::KeyValueView());
  }
  bool whole = true;
  bool holds = true;
  RETURN_IF_ERROR(source.Fetch(found.refs, [&](std::size_t, std::string_view stored) {
    apply::KeyValueView kv;
    whole = whole && apply::ParseKeyValue(stored, kv);
    holds = holds && Holds(compare, kv);
  }));
  if (!whole) return base::DataLoss("a stored record is no KeyValue");
  return holds;
}

}  // namespace etcd::api::v3
