#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "server/base/ids.h"

// The stored form of a record: mvccpb.KeyValue bytes, byte for byte as etcd writes them (fields in
// number order, zero fields left out), since HashKV runs over them. A tombstone is KeyValue{key}.
namespace etcd::mvcc {

struct KeyValueFields {
  std::string_view key{};      // field 1
  Revision create_revision{};  // field 2
  Revision mod_revision{};     // field 3
  std::int64_t version = 0;    // field 4
  std::string_view value{};    // field 5
  LeaseId lease{};             // field 6
};

std::size_t EncodedKeyValueBytes(const KeyValueFields& fields);
std::string EncodeKeyValue(const KeyValueFields& fields);

// Views point into `bytes`. False when the bytes are not a KeyValue; unknown fields are refused,
// because nothing that etcd stores has any.
bool DecodeKeyValue(std::string_view bytes, KeyValueFields& fields);

// The user key of stored bytes; empty when they are damaged.
std::string_view KeyOfStored(std::string_view bytes);

}  // namespace etcd::mvcc
