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

absl::Status Gone(const KvRef& ref, Revision compact) {
  if (ref.revision.main <= compact) return Error(Errc::kCompacted);
  return base::DataLoss("mvcc: the record of revision " +
                        std::to_string(ref.revision.main.value()) + " is missing");
}

// `refs` of one chunk; `first` is the caller's number of the first one.
absl::Status FetchChunk(const engine::KvEngine& engine, Revision compact,
                        std::span<const KvRef> refs, std::size_t first,
                        absl::FunctionRef<void(std::size_t, std::string_view)> each) {
  std::vector<RevisionKey> keys;
  keys.reserve(refs.size());
  std::vector<std::string_view> views;
  views.reserve(refs.size());
  for (const KvRef& ref : refs) views.push_back(keys.emplace_back(ref.revision).view());
  return engine.MultiGet(
      engine::Family::kKey, views,
      [&](std::size_t i, std::optional<std::string_view> stored) -> absl::Status {
        if (!stored) return Gone(refs[i], compact);
        // Response lengths are promised from the index before the value is read.
        if (stored->size() != refs[i].encoded_bytes) {
          return base::DataLoss("mvcc: the record of revision " +
                                std::to_string(refs[i].revision.main.value()) +
                                " has another size than the index says");
        }
        each(first + i, *stored);
        return absl::OkStatus();
      });
}

}  // namespace

absl::Status FetchRecords(const engine::KvEngine& engine, Revision compact,
                          std::span<const KvRef> refs,
                          absl::FunctionRef<void(std::size_t, std::string_view)> each) {
  for (std::size_t first = 0; first < refs.size();) {
    std::size_t end = first;
    std::size_t bytes = 0;
    do {
      bytes += refs[end++].encoded_bytes;
    } while (end < refs.size() && end - first < kChunkKeys && bytes < kChunkBytes);
    RETURN_IF_ERROR(FetchChunk(engine, compact, refs.subspan(first, end - first), first, each));
    first = end;
  }
  return absl::OkStatus();
}

}  // namespace etcd::mvcc
