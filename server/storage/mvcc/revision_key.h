#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "server/storage/mvcc/types.h"

// Engine key of a record, in the key and the rev family (raft-peer-storage.md 8.2):
//
//   0        8   9        17     18
//   | main BE | _ | sub BE | (t)  |      't' only on tombstones
namespace etcd::mvcc {

inline constexpr std::size_t kRevisionKeyBytes = 17;
inline constexpr std::size_t kTombstoneKeyBytes = 18;

// Its own storage, so that a batch of keys needs no allocation.
class RevisionKey {
 public:
  explicit RevisionKey(RevisionPair revision, bool tombstone = false);
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, kTombstoneKeyBytes> bytes_;
  std::uint8_t size_;
};

struct DecodedRevisionKey {
  RevisionPair revision;
  bool tombstone = false;
};

// nullopt: not a revision key (wrong length or marks).
std::optional<DecodedRevisionKey> DecodeRevisionKey(std::string_view bytes);

}  // namespace etcd::mvcc
