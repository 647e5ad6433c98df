#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/rope.h"
#include "server/storage/mvcc/types.h"

namespace etcd::watch {

// Encoded events of one response, shared by all watchers that get the same.
//
//   5a len Event { [08 01 when DELETE]  12 len KeyValue  [1a len KeyValue before it] }   repeated
//
// 5a is WatchResponse field 11; the KeyValue bytes are the stored ones. A delete's KeyValue is
// {key, mod_revision}: the stored {key} with field 3 appended.
struct EventBlock {
  base::Slice bytes;
  std::uint32_t events = 0;
};

// Appends one entry. `prev`: the stored KeyValue before the change, if it is wanted and known.
void AppendEvent(std::string& out, const mvcc::ChangeRecord& change,
                 std::optional<std::string_view> prev);

// Cuts a block between events so that each piece is below `bytes_max` or a single event. The pieces
// share the block's memory. `bytes_max` counts block bytes only.
std::vector<base::Slice> SplitBlock(const base::Slice& block, std::size_t bytes_max);

}  // namespace etcd::watch
