#include <array>
#include <vector>

#include "server/base/errc.h"
#include "server/base/status.h"
#include "server/storage/mvcc/revision_key.h"
#include "server/storage/mvcc/store_impl.h"

namespace etcd::mvcc {
namespace {

// Bounds what one engine call holds in memory: many small records or a few big ones.
constexpr std::size_t kChunkKeys = 1000;
constexpr std::size_t kChunkBytes = 1 << 20;

absl::Status Gone(const KvRef& ref, const ReadPins& pins) {
  // Asked after the miss: a compaction may have been marked since the call began.
  if (ref.revision.main <= pins.compact_revision()) return Error(Errc::kCompacted);
  return base::DataLoss("mvcc: the record of revision " +
                        std::to_string(ref.revision.main.value()) + " is missing");
}

absl::Status Check(const KvRef& ref, std::optional<std::string_view> stored, const ReadPins& pins) {
  if (!stored) return Gone(ref, pins);
  // Response lengths are promised from the index before the value is read.
  if (stored->size() == ref.encoded_bytes) return absl::OkStatus();
  return base::DataLoss("mvcc: the record of revision " +
                        std::to_string(ref.revision.main.value()) +
                        " has another size than the index says");
}

// `refs` of one chunk; `first` is the caller's number of the first one.
absl::Status FetchChunk(const engine::KvEngine& engine, const ReadPins& pins,
                        std::span<const KvRef> refs, std::size_t first,
                        absl::FunctionRef<void(std::size_t, std::string_view)> each) {
  const auto take = [&](std::size_t i, std::optional<std::string_view> stored) -> absl::Status {
    RETURN_IF_ERROR(Check(refs[i], stored, pins));
    each(first + i, *stored);
    return absl::OkStatus();
  };
  if (refs.size() == 1) {  // a point read needs no allocation
    const RevisionKey key(refs[0].revision);
    const std::string_view view = key.view();
    return engine.MultiGet(engine::Family::kKey, {&view, 1}, take);
  }
  std::vector<RevisionKey> keys;
  keys.reserve(refs.size());
  std::vector<std::string_view> views;
  views.reserve(refs.size());
  for (const KvRef& ref : refs) views.push_back(keys.emplace_back(ref.revision).view());
  return engine.MultiGet(engine::Family::kKey, views, take);
}

}  // namespace

absl::Status FetchRecords(const engine::KvEngine& engine, const ReadPins& pins,
                          std::span<const KvRef> refs,
                          absl::FunctionRef<void(std::size_t, std::string_view)> each) {
  for (std::size_t first = 0; first < refs.size();) {
    std::size_t end = first;
    std::size_t bytes = 0;
    do {
      bytes += refs[end++].encoded_bytes;
    } while (end < refs.size() && end - first < kChunkKeys && bytes < kChunkBytes);
    RETURN_IF_ERROR(FetchChunk(engine, pins, refs.subspan(first, end - first), first, each));
    first = end;
  }
  return absl::OkStatus();
}

}  // namespace etcd::mvcc
