#include "server/watch/event_block.h"

#include "server/base/bytes.h"
#include "server/base/check.h"

namespace etcd::watch {
namespace {

constexpr std::uint32_t kFieldEvents = 11;      // WatchResponse.events
constexpr std::uint32_t kFieldType = 1;         // Event.type
constexpr std::uint32_t kFieldKv = 2;           // Event.kv
constexpr std::uint32_t kFieldPrevKv = 3;       // Event.prev_kv
constexpr std::uint32_t kFieldModRevision = 3;  // KeyValue.mod_revision
constexpr std::uint64_t kTypeDelete = 1;

// Tag (one byte, fields below 16), length, content.
std::size_t MessageFieldBytes(std::size_t content) {
  return 1 + base::VarintSize(content) + content;
}

}  // namespace

void AppendEvent(std::string& out, const mvcc::ChangeRecord& change,
                 std::optional<std::string_view> prev) {
  const bool is_delete = change.kind == mvcc::ChangeRecord::Kind::kDelete;
  const auto revision = static_cast<std::uint64_t>(change.revision.main.value());
  const std::string_view stored = change.stored.bytes;
  const std::size_t kv_bytes = stored.size() + (is_delete ? 1 + base::VarintSize(revision) : 0);
  const std::size_t event_bytes = (is_delete ? 2 : 0) + MessageFieldBytes(kv_bytes) +
                                  (prev ? MessageFieldBytes(prev->size()) : 0);
  base::AppendTag(out, kFieldEvents, base::kWireBytes);
  base::AppendVarint(out, event_bytes);
  if (is_delete) base::AppendVarintField(out, kFieldType, kTypeDelete);
  base::AppendTag(out, kFieldKv, base::kWireBytes);
  base::AppendVarint(out, kv_bytes);
  out.append(stored);
  if (is_delete) base::AppendVarintField(out, kFieldModRevision, revision);
  if (prev) base::AppendMessageField(out, kFieldPrevKv, *prev);
}

std::vector<base::Slice> SplitBlock(const base::Slice& block, std::size_t bytes_max) {
  std::vector<base::Slice> pieces;
  std::string_view rest = block.bytes;
  std::size_t piece_start = 0;
  std::size_t piece_end = 0;
  while (!rest.empty()) {
    const std::size_t before = rest.size();
    std::uint64_t length = 0;
    rest.remove_prefix(1);  // the tag
    CHECK(base::ConsumeVarint(rest, length) && length <= rest.size()) << "event block is damaged";
    rest.remove_prefix(length);
    const std::size_t end = piece_end + (before - rest.size());
    if (end - piece_start >= bytes_max && piece_end > piece_start) {
      pieces.push_back({block.bytes.substr(piece_start, piece_end - piece_start), block.owner});
      piece_start = piece_end;
    }
    piece_end = end;
  }
  pieces.push_back({block.bytes.substr(piece_start, piece_end - piece_start), block.owner});
  return pieces;
}

}  // namespace etcd::watch
