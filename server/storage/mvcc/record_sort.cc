#include "server/storage/mvcc/record_sort.h"

#include <algorithm>
#include <span>

#include "server/storage/mvcc/index_node.h"

namespace etcd::mvcc {
namespace {

constexpr std::size_t kSmall = 16;  // compare whole keys from here on

bool KeyThenRevision(const SortItem& a, const SortItem& b) {
  const int order = a.record->key().compare(b.record->key());
  return order != 0 ? order < 0 : a.record->newest().revision() < b.record->newest().revision();
}
bool SizeThenRevision(const SortItem& a, const SortItem& b) {
  const std::size_t a_size = a.record->key().size();
  const std::size_t b_size = b.record->key().size();
  return a_size != b_size ? a_size < b_size
                          : a.record->newest().revision() < b.record->newest().revision();
}

// All keys of `items` agree in their first `depth` bytes.
void SortFrom(std::span<SortItem> items, std::size_t depth) {
  if (items.size() <= kSmall) {
    std::sort(items.begin(), items.end(), KeyThenRevision);
    return;
  }
  for (SortItem& item : items) item.digest = KeyDigest(item.record->key(), depth);
  std::sort(items.begin(), items.end(),
            [](const SortItem& a, const SortItem& b) { return a.digest < b.digest; });
  for (auto begin = items.begin(); begin != items.end();) {
    auto end = begin + 1;
    while (end != items.end() && end->digest == begin->digest) ++end;
    if (end - begin > 1) {
      // Keys that end within these 8 bytes differ in their number of trailing zeros only, and sort
      // before those that go on.
      const auto longer = std::partition(
          begin, end, [&](const SortItem& item) { return item.record->key().size() <= depth + 8; });
      std::sort(begin, longer, SizeThenRevision);
      if (longer != end) SortFrom({longer, end}, depth + 8);
    }
    begin = end;
  }
}

}  // namespace

void SortRecords(std::vector<SortItem>& items) {
  if (items.empty()) return;
  const std::string_view first = items.front().record->key();
  std::size_t common = first.size();
  for (const SortItem& item : items) {
    common = CommonPrefixBytes(first.substr(0, common), item.record->key());
  }
  SortFrom(items, common);
}

}  // namespace etcd::mvcc
