#include "server/api/v3/range_body.h"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "server/base/bytes.h"
#include "server/base/status.h"

namespace etcd::api::v3 {
namespace {

constexpr std::size_t kFetchKeysMax = 1000;  // per read of the engine
constexpr std::size_t kFetchBytesMax = 256 * 1024;

// kvs. Holds the read pin until it is destroyed, and one chunk at a time.
class RangeBytes final : public base::ByteSource {
 public:
  RangeBytes(const mvcc::Store& store, apply::RangePlan plan)
      : source_(store), plan_(std::move(plan)) {}

  absl::StatusOr<base::Rope> Next(std::size_t bytes_hint) override {
    if (next_ == plan_.refs.size()) return base::Rope();
    const std::span<const mvcc::KvRef> chunk = TakeChunk(bytes_hint);
    std::string out;
    RETURN_IF_ERROR(apply::AppendKvs(source_, plan_, chunk, out));
    return base::Rope(std::move(out));
  }

 private:
  // At least one key; as many as the hint and the engine's chunk allow.
  std::span<const mvcc::KvRef> TakeChunk(std::size_t bytes_hint) {
    const std::size_t bytes_max = std::clamp<std::size_t>(bytes_hint, 1, kFetchBytesMax);
    const std::size_t begin = next_;
    std::size_t bytes = 0;
    do {
      bytes += plan_.refs[next_++].encoded_bytes;
    } while (next_ < plan_.refs.size() && next_ - begin < kFetchKeysMax && bytes < bytes_max);
    return std::span(plan_.refs).subspan(begin, next_ - begin);
  }

  const apply::StoreSource source_;
  apply::RangePlan plan_;
  std::size_t next_ = 0;
};

absl::StatusOr<base::Body> Execute(const Core& core, const apply::RangeQuery& query) {
  const apply::StoreSource source(core.store());
  ASSIGN_OR_RETURN(apply::RangePlan plan, apply::PlanRange(source, query));
  std::string head;
  // Without values the length is not known before the records are read.
  if (plan.keys_only || plan.kvs_bytes <= kContiguousBytesMax) {
    head.reserve(plan.kvs_bytes + 64);
    core.AppendHeader(head, plan.current);
    RETURN_IF_ERROR(apply::AppendRangeBody(source, plan, head));
    return base::Body(base::Rope(std::move(head)));
  }
  core.AppendHeader(head, plan.current);
  // Before the kvs, so that the log of slow requests has the count; the order of fields is free.
  head += apply::RangeTail(plan);
  base::Body body{base::Rope(std::move(head))};
  body.source_bytes = plan.kvs_bytes;
  body.source = std::make_unique<RangeBytes>(core.store(), std::move(plan));
  return body;
}

}  // namespace

absl::StatusOr<base::Body> ExecuteRange(const Core& core, const apply::RangeQuery& query) {
  RequestObserver* const observer = core.deps().observer;
  if (observer == nullptr) return Execute(core, query);
  const base::Clock& clock = core.deps().background.clock();
  const base::Clock::Monotonic start = clock.Now();
  absl::StatusOr<base::Body> body = Execute(core, query);
  observer->OnRange({.query = query,
                     .status = body.status(),
                     .response_bytes = body.ok() ? body->size() : 0,
                     .took = clock.Now() - start});
  return body;
}

}  // namespace etcd::api::v3
