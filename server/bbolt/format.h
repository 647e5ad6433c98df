#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

// The bytes of a bbolt file (raft-peer-storage.md 7.1), little-endian:
//
//   page     | id u64 | flags u16 | count u16 | overflow u32 | elements | data |
//   meta     | magic u32 | version u32 | page size u32 | flags u32 | root u64 | sequence u64 |
//            | freelist u64 | high water u64 | txid u64 | FNV-1a of the 56 bytes before u64 |
//   branch   | pos u32 | key size u32 | child u64 |        pos: from the element to its key
//   leaf     | flags u32 | pos u32 | key size u32 | value size u32 |    the value follows the key
//   bucket   | root u64 | sequence u64 | [inline leaf page, when root is 0] |
//
// A page takes 1 + overflow times the page size. Pages 0 and 1 are metas; the one with the higher
// txid counts.
namespace etcd::bbolt {

inline constexpr std::size_t kPageHeaderBytes = 16;
inline constexpr std::size_t kMetaBytes = 64;
inline constexpr std::size_t kElementBytes = 16;
inline constexpr std::size_t kBucketHeaderBytes = 16;

inline constexpr std::uint32_t kMagic = 0xED0CDAED;
inline constexpr std::uint32_t kVersion = 2;
inline constexpr std::uint64_t kNoFreelist = 0xffffffffffffffff;

inline constexpr std::uint16_t kBranchPage = 0x01;
inline constexpr std::uint16_t kLeafPage = 0x02;
inline constexpr std::uint16_t kMetaPage = 0x04;

inline constexpr std::uint32_t kBucketElement = 0x01;

inline constexpr std::size_t kKeyBytesMax = 32768;
inline constexpr std::uint64_t kValueBytesMax = 0x7ffffffe;

inline constexpr std::uint32_t kPageBytesMin = 1024;
inline constexpr std::uint32_t kPageBytesMax = 1024U << 14;

// Fixed-width integers; the caller has checked the bounds.
template <typename T>
T Load(const char* in) {
  T value;
  std::memcpy(&value, in, sizeof value);
  return value;
}
template <typename T>
void Append(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

inline std::uint64_t MetaChecksum(std::string_view first_56_bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : first_56_bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  return hash;
}

}  // namespace etcd::bbolt
