#pragma once

#include <string_view>

#include "server/storage/mvcc/types.h"

namespace etcd::mvcc {

// A KeyRange with its special ends resolved (v3-api.md 3.1).
struct KeyBounds {
  enum class Kind { kEmpty, kSingle, kRange, kFrom };
  Kind kind = Kind::kEmpty;
  std::string_view from;
  std::string_view end;  // kRange only

  static KeyBounds Of(const KeyRange& range) {
    if (range.end.empty()) return {Kind::kSingle, range.key, {}};
    if (range.end == std::string_view("\0", 1)) return {Kind::kFrom, range.key, {}};
    if (range.end <= range.key) return {};
    return {Kind::kRange, range.key, range.end};
  }
  // Is `key` (>= from) beyond the end?
  bool Ends(std::string_view key) const { return kind == Kind::kRange && key >= end; }
};

}  // namespace etcd::mvcc
