#include "server/lease/lease_codec.h"

#include "server/base/bytes.h"
#include "server/base/status.h"

namespace etcd::lease {
namespace {

constexpr std::uint32_t kFieldId = 1;
constexpr std::uint32_t kFieldTtl = 2;
constexpr std::uint32_t kFieldRemainingTtl = 3;
constexpr std::size_t kKeyBytes = 8;

std::int64_t AsSigned(std::uint64_t raw) { return static_cast<std::int64_t>(raw); }
std::uint64_t AsRaw(std::int64_t value) { return static_cast<std::uint64_t>(value); }

// Skips one value of an unknown field. False when cut short or of a group type.
bool SkipValue(std::string_view& in, std::uint64_t wire_type) {
  constexpr std::uint64_t kFixed64 = 1;
  constexpr std::uint64_t kFixed32 = 5;
  std::uint64_t length = 0;
  switch (wire_type) {
    case base::kWireVarint:
      return base::ConsumeVarint(in, length);
    case base::kWireBytes:
      if (!base::ConsumeVarint(in, length)) return false;
      break;
    case kFixed64:
      length = 8;
      break;
    case kFixed32:
      length = 4;
      break;
    default:
      return false;
  }
  if (length > in.size()) return false;
  in.remove_prefix(length);
  return true;
}

}  // namespace

std::string EncodeLeaseKey(LeaseId id) {
  std::string key;
  base::AppendBigEndian64(key, AsRaw(id.value()));
  return key;
}

std::string EncodeLeaseRecord(const LeaseRecord& record) {
  std::string out;
  base::AppendVarintField(out, kFieldId, AsRaw(record.id.value()));
  base::AppendVarintField(out, kFieldTtl, AsRaw(record.ttl_seconds));
  base::AppendVarintField(out, kFieldRemainingTtl, AsRaw(record.remaining_ttl_seconds));
  return out;
}

absl::StatusOr<LeaseRecord> DecodeLeaseRecord(std::string_view key, std::string_view value) {
  if (key.size() != kKeyBytes) return base::DataLoss("lease bucket: key is not 8 bytes long");
  LeaseRecord record;
  while (!value.empty()) {
    std::uint64_t tag = 0;
    std::uint64_t number = 0;
    if (!base::ConsumeVarint(value, tag)) return base::DataLoss("lease record: bad tag");
    const std::uint64_t field = tag >> 3;
    const std::uint64_t wire_type = tag & 7;
    const bool known = field >= kFieldId && field <= kFieldRemainingTtl;
    if (!known || wire_type != base::kWireVarint) {
      if (known || !SkipValue(value, wire_type)) return base::DataLoss("lease record: bad field");
      continue;
    }
    if (!base::ConsumeVarint(value, number)) return base::DataLoss("lease record: bad number");
    if (field == kFieldId) record.id = LeaseId(AsSigned(number));
    if (field == kFieldTtl) record.ttl_seconds = AsSigned(number);
    if (field == kFieldRemainingTtl) record.remaining_ttl_seconds = AsSigned(number);
  }
  if (AsRaw(record.id.value()) != base::LoadBigEndian64(key.data())) {
    return base::DataLoss("lease record: id differs from its key");
  }
  return record;
}

}  // namespace etcd::lease
