#include "server/apply/kv_view.h"

#include "server/base/bytes.h"

namespace etcd::apply {
namespace {

bool AssignVarint(KeyValueView& out, std::uint64_t field, std::uint64_t value) {
  const auto number = static_cast<std::int64_t>(value);
  switch (field) {
    case 2:
      out.create_revision = number;
      return true;
    case 3:
      out.mod_revision = number;
      return true;
    case 4:
      out.version = number;
      return true;
    case 6:
      out.lease = number;
      return true;
    default:
      return false;
  }
}

bool AssignBytes(KeyValueView& out, std::uint64_t field, std::string_view bytes) {
  switch (field) {
    case 1:
      out.key = bytes;
      return true;
    case 5:
      out.value = bytes;
      return true;
    default:
      return false;
  }
}

}  // namespace

// KeyValue: 1 key, 2 create_revision, 3 mod_revision, 4 version, 5 value, 6 lease; the store writes
// nothing else.
bool ParseKeyValue(std::string_view stored, KeyValueView& out) {
  out = KeyValueView();
  while (!stored.empty()) {
    std::uint64_t tag = 0;
    std::uint64_t number = 0;
    if (!base::ConsumeVarint(stored, tag) || !base::ConsumeVarint(stored, number)) return false;
    if ((tag & 7) == base::kWireVarint) {
      if (!AssignVarint(out, tag >> 3, number)) return false;
      continue;
    }
    if ((tag & 7) != base::kWireBytes || number > stored.size()) return false;
    if (!AssignBytes(out, tag >> 3, stored.substr(0, number))) return false;
    stored.remove_prefix(number);
  }
  return true;
}

bool AppendWithoutValue(std::string& out, std::uint32_t field, std::string_view stored) {
  KeyValueView kv;
  if (!ParseKeyValue(stored, kv)) return false;
  std::string short_form;
  base::AppendBytesField(short_form, 1, kv.key);
  base::AppendVarintField(short_form, 2, static_cast<std::uint64_t>(kv.create_revision));
  base::AppendVarintField(short_form, 3, static_cast<std::uint64_t>(kv.mod_revision));
  base::AppendVarintField(short_form, 4, static_cast<std::uint64_t>(kv.version));
  base::AppendVarintField(short_form, 6, static_cast<std::uint64_t>(kv.lease));
  base::AppendMessageField(out, field, short_form);
  return true;
}

}  // namespace etcd::apply
