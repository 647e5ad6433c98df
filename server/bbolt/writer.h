#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/bbolt/format.h"

namespace etcd::bbolt {

inline constexpr std::uint32_t kWrittenPageBytes = 4096;

// Hands out page ids in the order in which pages are finished, so a file is written front to back.
class PageWriter {
 public:
  // Pages go to `out`; null: they are only counted.
  explicit PageWriter(std::string* out) : out_(out) {}

  bool counting() const { return out_ == nullptr; }
  std::uint64_t next_id() const { return next_id_; }
  // One page of `bytes` bytes (header included) or more, padded. When counting, `body` is unused.
  std::uint64_t Emit(std::uint16_t flags, std::size_t count, std::uint64_t bytes,
                     std::string_view body);

 private:
  std::string* const out_;
  std::uint64_t next_id_ = 2;  // after the metas
};

// One B+tree, filled with ascending keys and written bottom-up. Holds one page a level.
class TreeWriter {
 public:
  explicit TreeWriter(PageWriter& pages) : pages_(pages) {}

  // `value_bytes` is the size of `value`; when counting, `value` itself may be left empty.
  void Add(std::uint32_t flags, std::string_view key, std::string_view value,
           std::uint64_t value_bytes);
  // Writes what is left; the id of the root page.
  std::uint64_t Finish();

 private:
  struct Leaf {
    std::uint32_t flags;
    std::uint32_t key_bytes;
    std::uint32_t value_bytes;
  };
  struct Child {
    std::string key;  // the first of the subtree
    std::uint64_t page;
  };
  struct Level {
    std::vector<Child> children;
    bool emitted = false;  // has full pages above it
  };

  void EmitLeaf();
  void AddChild(std::size_t level, Child child);
  void EmitBranch(std::size_t level, std::size_t children);
  // How many children, from the front, fill one page; at least two.
  static std::size_t FillOf(const std::vector<Child>& children);

  PageWriter& pages_;
  std::vector<Leaf> leaves_;  // of the open leaf page
  std::string leaf_data_;
  std::string first_key_;
  std::uint64_t leaf_bytes_ = kPageHeaderBytes;
  std::vector<Level> levels_;  // branches, from the bottom
};

// Where the parts of a finished file are.
struct FileShape {
  std::uint64_t root = 0;        // page of the bucket of buckets
  std::uint64_t high_water = 0;  // pages in the file
  std::uint64_t bytes() const { return high_water * kWrittenPageBytes; }
  bool operator==(const FileShape&) const = default;
};

// The two meta pages that a file of this shape begins with.
std::string MetaPages(const FileShape& shape);

// Writes a file of named buckets with plain keys, as Go's bbolt opens, checks and goes on writing
// it (raft-peer-storage.md 7.3). Called with all names and keys in ascending order. Two passes over
// the same data: one without `out` to learn the shape, which MetaPages needs first; one with `out`,
// from which the caller takes the finished pages whenever it likes. Memory: one page a level, and
// the largest value.
class FileWriter {
 public:
  explicit FileWriter(std::string* out) : pages_(out), root_(pages_), bucket_(pages_) {}

  void BeginBucket(std::string_view name) { name_ = name; }
  void Add(std::string_view key, std::string_view value) {
    bucket_.Add(0, key, value, value.size());
  }
  // First pass, when the size is known without the value.
  void Count(std::string_view key, std::uint64_t value_bytes) {
    bucket_.Add(0, key, {}, value_bytes);
  }
  void EndBucket();
  FileShape Finish();

 private:
  PageWriter pages_;
  TreeWriter root_;
  TreeWriter bucket_;
  std::string name_;
};

}  // namespace etcd::bbolt
