#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace etcd::apply {

// A stored mvccpb.KeyValue without copies: views into the record's bytes.
struct KeyValueView {
  std::string_view key;
  std::int64_t create_revision = 0;
  std::int64_t mod_revision = 0;
  std::int64_t version = 0;
  std::string_view value;
  std::int64_t lease = 0;
};

// False when the bytes are no KeyValue.
bool ParseKeyValue(std::string_view stored, KeyValueView& out);

// The record without its value, as keys_only asks for it; appended to `out` as field `field`.
// False when the bytes are no KeyValue.
bool AppendWithoutValue(std::string& out, std::uint32_t field, std::string_view stored);

}  // namespace etcd::apply
