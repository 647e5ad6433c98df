#pragma once

#include <cstdint>
#include <vector>

#include "server/storage/mvcc/key_record.h"

namespace etcd::mvcc {

struct SortItem {
  std::uint64_t digest;  // of the sort: 8 key bytes at the depth reached
  Record* record;        // one revision
};

// By key, then by revision. Sorts 8 bytes of all keys at a time, so that most comparisons touch no
// key.
void SortRecords(std::vector<SortItem>& items);

}  // namespace etcd::mvcc
