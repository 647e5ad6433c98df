#include "server/api/v3/range_stream.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "server/api/v3/request.h"
#include "server/api/v3/wire.h"
#include "server/apply/kv_view.h"
#include "server/apply/range_exec.h"
#include "server/base/bytes.h"
#include "server/base/failpoint.h"
#include "server/base/status.h"

namespace etcd::api::v3 {
namespace {

constexpr std::int64_t kFirstChunkKeys = 10;
constexpr std::size_t kPendingBytesMax = 1 << 20;  // unsent bytes at which reading stops

absl::Status CheckStreamable(const RangeArgs& args) {
  const apply::RangeQuery& q = args.query;
  const bool is_key_order =
      q.sort_order == apply::SortOrder::kNone ||
      (q.sort_order == apply::SortOrder::kAscend && q.sort_target == apply::SortTarget::kKey);
  if (!is_key_order) return Error(Errc::kRangeStreamSort);
  if (q.min_mod_revision != 0 || q.max_mod_revision != 0 || q.min_create_revision != 0 ||
      q.max_create_revision != 0) {
    return Error(Errc::kRangeStreamFilter);
  }
  return absl::OkStatus();
}

// Key of the last of the `kvs` fields in `body`, empty when there is none.
std::string LastKey(std::string_view body) {
  std::string_view last;
  WireReader reader(body);
  for (WireField field; reader.Next(field);) {
    if (field.IsBytes(2)) last = field.bytes;
  }
  apply::KeyValueView kv;
  apply::ParseKeyValue(last, kv);
  return std::string(kv.key);
}

// The reading half; kept alive by whoever will call it next. One thread at a time.
class Reader : public std::enable_shared_from_this<Reader> {
 public:
  Reader(const Core& core, base::CallContextPtr context, base::StreamSinkPtr sink,
         const RangeArgs& args)
      : core_(core),
        context_(std::move(context)),
        sink_(std::move(sink)),
        next_key_(args.query.key),
        range_end_(args.query.range_end),
        limit_(args.query.limit),
        revision_(args.query.revision),
        keys_only_(args.query.keys_only),
        count_only_(args.query.count_only) {}

  void Run() {
    bool is_last = false;
    while (!is_last && !context_->canceled) {
      if (sink_->PendingBytes() > kPendingBytesMax) return WaitForRoom();
      const absl::Status status = SendChunk(is_last);
      if (!status.ok()) return sink_->Finish(status);
    }
    sink_->Finish(absl::OkStatus());
  }

 private:
  void WaitForRoom() {
    sink_->NotifyWhenBelow(kPendingBytesMax / 2, [self = shared_from_this()] {
      // Not from within the sink's call.
      base::Executor* executor = self->context_->executor.get();
      if (executor == nullptr) executor = &self->core_.deps().background;
      executor->Post([self] { self->Run(); });
    });
  }

  // Keys of the next chunk; 0: all.
  std::int64_t ChunkLimit() const {
    if (limit_ < 0) return 0;
    return limit_ == 0 ? chunk_keys_ : std::min(chunk_keys_, limit_ - sent_);
  }

  absl::Status SendChunk(bool& is_last) {
    FAILPOINT("beforeRangeStreamChunk");
    const apply::StoreSource source(core_.store());
    ASSIGN_OR_RETURN(const apply::RangePlan plan,
                     apply::PlanRange(source, {.key = next_key_,
                                               .range_end = range_end_,
                                               .limit = ChunkLimit(),
                                               .revision = revision_,
                                               .keys_only = keys_only_,
                                               .count_only = count_only_}));
    if (first_revision_ == Revision()) first_revision_ = plan.current;
    if (revision_ == 0) revision_ = plan.current.value();  // later chunks see what this one saw
    const std::int64_t sent_before = sent_;
    sent_ += static_cast<std::int64_t>(plan.refs.size());
    is_last = !plan.more || (limit_ > 0 && sent_ >= limit_);

    std::string response;
    if (is_last) core_.AppendHeader(response, first_revision_);
    RETURN_IF_ERROR(apply::AppendKvs(source, plan, plan.refs, response));
    if (is_last) {
      base::AppendVarintField(response, 3, plan.more ? 1 : 0);
      base::AppendVarintField(response, 4, static_cast<std::uint64_t>(sent_before + plan.count));
    } else {
      next_key_ = LastKey(response) + '\0';
    }
    AdaptChunk(response.size());
    std::string message;
    message.reserve(response.size() + 8);
    base::AppendMessageField(message, 1, response);
    sink_->Send(base::Rope(std::move(message)));
    return absl::OkStatus();
  }

  void AdaptChunk(std::size_t bytes) {
    const std::size_t request_bytes_max = core_.options().request_bytes_max;
    if (bytes < request_bytes_max / 2) {
      chunk_keys_ *= 2;
    } else if (bytes > request_bytes_max * 2) {
      chunk_keys_ = std::max<std::int64_t>(1, chunk_keys_ / 2);
    }
  }

  const Core& core_;
  const base::CallContextPtr context_;
  const base::StreamSinkPtr sink_;
  std::string next_key_;
  const std::string range_end_;
  const std::int64_t limit_;  // as in RangeRequest; negative: everything in one message
  std::int64_t revision_;     // 0 until the first chunk pins it; negative: never pinned
  const bool keys_only_;
  const bool count_only_;
  Revision first_revision_;  // of the store when the first chunk was read
  std::int64_t chunk_keys_ = kFirstChunkKeys;
  std::int64_t sent_ = 0;
};

class RangeStreamCall final : public base::StreamHandler {
 public:
  RangeStreamCall(const Core& core, base::CallContextPtr context, base::StreamSinkPtr sink)
      : core_(core), context_(std::move(context)), sink_(std::move(sink)) {}

  void OnMessage(std::string_view message) override {
    RangeArgs args;
    if (!ParseRange(message, args)) return sink_->Finish(MalformedRequest());
    absl::Status status = CheckRange(args);
    if (status.ok()) status = CheckStreamable(args);
    if (!status.ok()) return sink_->Finish(std::move(status));
    auto reader = std::make_shared<Reader>(core_, context_, sink_, args);
    if (args.serializable) return reader->Run();
    core_.AfterReadIndex(context_, [reader, sink = sink_](absl::Status read) {
      if (!read.ok()) return sink->Finish(std::move(read));
      reader->Run();
    });
  }
  void OnHalfClose() override {}
  void OnClose() override {}

 private:
  const Core& core_;
  const base::CallContextPtr context_;
  const base::StreamSinkPtr sink_;
};

}  // namespace

std::unique_ptr<base::StreamHandler> OpenRangeStream(const Core& core, base::CallContextPtr context,
                                                     base::StreamSinkPtr sink) {
  return std::make_unique<RangeStreamCall>(core, std::move(context), std::move(sink));
}

}  // namespace etcd::api::v3
