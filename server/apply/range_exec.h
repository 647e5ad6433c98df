#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/base/ids.h"
#include "server/storage/mvcc/store.h"
#include "server/storage/mvcc/types.h"

// The one place that turns a RangeRequest into the fields of a RangeResponse (v3-api.md 3.2): used
// by the api layer over the Store and by apply over a WriteTxn.
//
// A caller that wants the whole answer at once:
//   RangeQuery query{.key = r.key(), .range_end = r.range_end(), .limit = r.limit(), ...};
//   ASSIGN_OR_RETURN(RangePlan plan, PlanRange(StoreSource(store), query));
//   std::string body;                                  // header (field 1) goes in front
//   RETURN_IF_ERROR(AppendRangeBody(StoreSource(store), plan, body));
// One that streams: while plan.kvs_bytes is known (!keys_only) the length of the body is
// plan.kvs_bytes + RangeTail(plan).size(); take plan.refs in slices through AppendKvs, then the
// tail. The plan holds the pin, so keep it until the last value is read.
namespace etcd::apply {

// Values are RangeRequest's; others were refused before (kInvalidSortOption).
enum class SortOrder : std::uint8_t { kNone = 0, kAscend = 1, kDescend = 2 };
enum class SortTarget : std::uint8_t { kKey = 0, kVersion = 1, kCreate = 2, kMod = 3, kValue = 4 };

struct RangeQuery {
  std::string_view key;
  std::string_view range_end;
  std::int64_t limit = 0;
  std::int64_t revision = 0;
  SortOrder sort_order = SortOrder::kNone;
  SortTarget sort_target = SortTarget::kKey;
  bool keys_only = false;
  bool count_only = false;
  // 0: off; bounds are inclusive.
  std::int64_t min_mod_revision = 0;
  std::int64_t max_mod_revision = 0;
  std::int64_t min_create_revision = 0;
  std::int64_t max_create_revision = 0;
};

// What ranges are read from. Borrowed; the object itself is a pair of words.
class RangeSource {
 public:
  virtual ~RangeSource() = default;
  virtual absl::StatusOr<mvcc::RangeResult> Range(const mvcc::RangeSpec& spec) const = 0;
  virtual absl::Status Fetch(std::span<const mvcc::KvRef> refs,
                             absl::FunctionRef<void(std::size_t, std::string_view)> each) const = 0;
};

template <typename Readable>
class RangeSourceOf final : public RangeSource {
 public:
  explicit RangeSourceOf(const Readable& readable) : readable_(readable) {}
  absl::StatusOr<mvcc::RangeResult> Range(const mvcc::RangeSpec& spec) const override {
    return readable_.Range(spec);
  }
  absl::Status Fetch(std::span<const mvcc::KvRef> refs,
                     absl::FunctionRef<void(std::size_t, std::string_view)> each) const override {
    return readable_.Fetch(refs, each);
  }

 private:
  const Readable& readable_;
};
using StoreSource = RangeSourceOf<mvcc::Store>;
using TxnSource = RangeSourceOf<mvcc::WriteTxn>;

struct RangePlan {
  std::vector<mvcc::KvRef> refs;  // what `kvs` will hold, in the order of the response
  std::int64_t count = 0;
  bool more = false;
  bool keys_only = false;
  Revision current;             // for header.revision
  std::uint64_t kvs_bytes = 0;  // encoded length of the `kvs` fields; 0 when keys_only
  mvcc::ReadPin pin;
};

// Errors: kCompacted, kFutureRevision, and the engine's DataLoss while sorting or filtering.
absl::StatusOr<RangePlan> PlanRange(const RangeSource& source, const RangeQuery& query);

// Appends the `kvs` fields of `refs`, a slice of plan.refs.
absl::Status AppendKvs(const RangeSource& source, const RangePlan& plan,
                       std::span<const mvcc::KvRef> refs, std::string& out);
// The fields after kvs: `more`, `count`.
std::string RangeTail(const RangePlan& plan);

// All of the RangeResponse but its header.
absl::Status AppendRangeBody(const RangeSource& source, const RangePlan& plan, std::string& out);

}  // namespace etcd::apply
