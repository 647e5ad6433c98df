#include "server/storage/mvcc/key_value.h"

#include "server/base/bytes.h"

namespace etcd::mvcc {
namespace {

std::size_t VarintFieldBytes(std::int64_t value) {
  return value == 0 ? 0 : 1 + base::VarintSize(static_cast<std::uint64_t>(value));
}
std::size_t BytesFieldBytes(std::string_view value) {
  return value.empty() ? 0 : 1 + base::VarintSize(value.size()) + value.size();
}

bool ConsumeBytes(std::string_view& in, std::string_view& value) {
  std::uint64_t size = 0;
  if (!base::ConsumeVarint(in, size) || size > in.size()) return false;
  value = in.substr(0, static_cast<std::size_t>(size));
  in.remove_prefix(static_cast<std::size_t>(size));
  return true;
}

}  // namespace

std::size_t EncodedKeyValueBytes(const KeyValueFields& fields) {
  return BytesFieldBytes(fields.key) + VarintFieldBytes(fields.create_revision.value()) +
         VarintFieldBytes(fields.mod_revision.value()) + VarintFieldBytes(fields.version) +
         BytesFieldBytes(fields.value) + VarintFieldBytes(fields.lease.value());
}

std::string EncodeKeyValue(const KeyValueFields& fields) {
  std::string out;
  out.reserve(EncodedKeyValueBytes(fields));
  const auto varint = [&out](std::uint32_t field, std::int64_t value) {
    base::AppendVarintField(out, field, static_cast<std::uint64_t>(value));
  };
  base::AppendBytesField(out, 1, fields.key);
  varint(2, fields.create_revision.value());
  varint(3, fields.mod_revision.value());
  varint(4, fields.version);
  base::AppendBytesField(out, 5, fields.value);
  varint(6, fields.lease.value());
  return out;
}

bool DecodeKeyValue(std::string_view bytes, KeyValueFields& fields) {
  fields = {};
  while (!bytes.empty()) {
    std::uint64_t tag = 0;
    if (!base::ConsumeVarint(bytes, tag)) return false;
    if (tag == 0x0a || tag == 0x2a) {
      if (!ConsumeBytes(bytes, tag == 0x0a ? fields.key : fields.value)) return false;
      continue;
    }
    std::uint64_t raw = 0;
    if (!base::ConsumeVarint(bytes, raw)) return false;
    const auto value = static_cast<std::int64_t>(raw);
    switch (tag) {
      case 0x10:
        fields.create_revision = Revision(value);
        break;
      case 0x18:
        fields.mod_revision = Revision(value);
        break;
      case 0x20:
        fields.version = value;
        break;
      case 0x30:
        fields.lease = LeaseId(value);
        break;
      default:
        return false;
    }
  }
  return true;
}

std::string_view KeyOfStored(std::string_view bytes) {
  // The key is the first field of every stored record.
  std::string_view key;
  if (bytes.empty() || bytes[0] != 0x0a) return {};
  bytes.remove_prefix(1);
  return ConsumeBytes(bytes, key) ? key : std::string_view();
}

}  // namespace etcd::mvcc
