#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/base/file_system.h"
#include "server/bbolt/format.h"

// Reads a bbolt file of any origin: nothing in it is believed. Errors are kDataLoss and name file,
// page and reason, or come from the file system.
namespace etcd::bbolt {

// The meta that counts.
struct Meta {
  std::uint32_t page_bytes = 0;
  std::uint64_t root = 0;
  std::uint64_t high_water = 0;  // pages in use; all of them are within the file
  std::uint64_t txid = 0;
};

// Pages of a file by number. Not thread-safe.
class PageFile {
 public:
  static absl::StatusOr<std::unique_ptr<PageFile>> Open(base::FileSystem& file_system,
                                                        const std::string& path);

  const Meta& meta() const { return meta_; }
  // The page with its overflow pages. `id` is checked, and the page's own header.
  absl::StatusOr<std::string> Read(std::uint64_t id) const;
  absl::Status Damage(std::uint64_t page, std::string_view reason) const;

 private:
  PageFile(std::string path, std::unique_ptr<base::File> file)
      : path_(std::move(path)), file_(std::move(file)) {}

  absl::Status FindMeta();
  absl::StatusOr<bool> TryMeta(std::uint64_t offset, Meta& meta) const;
  absl::StatusOr<std::string> ReadBytes(std::uint64_t offset, std::uint64_t size) const;

  const std::string path_;
  const std::unique_ptr<base::File> file_;
  Meta meta_;
  // What was read ahead.
  mutable std::uint64_t ahead_offset_ = 0;
  mutable std::string ahead_;
};

// The elements of one tree in order. Holds one page a level. The file must outlive it.
class Cursor {
 public:
  enum class Holds : std::uint8_t { kValues, kBuckets };  // anything else is damage

  // Positions at the first element.
  static absl::StatusOr<std::unique_ptr<Cursor>> Open(const PageFile& file, std::uint64_t root,
                                                      Holds holds);
  // Over an inline bucket: `page` is what follows the bucket's header.
  static absl::StatusOr<std::unique_ptr<Cursor>> OpenInline(const PageFile& file, std::string page);

  bool Valid() const { return !stack_.empty(); }
  absl::Status Next();
  // Until the next move.
  std::string_view key() const { return key_; }
  std::string_view value() const { return value_; }
  // Where the element is, for messages.
  std::uint64_t page() const { return stack_.back().id; }

 private:
  struct Frame {
    std::uint64_t id;
    std::uint64_t pages;
    std::string bytes;
    bool is_leaf;
    std::size_t count;
    std::size_t next = 0;  // element to visit next
  };

  Cursor(const PageFile& file, Holds holds) : file_(file), holds_(holds) {}
  absl::Status Push(std::uint64_t id);
  absl::Status PushBytes(std::uint64_t id, std::string bytes);
  absl::Status Settle();
  absl::StatusOr<std::uint64_t> Child(Frame& frame);
  absl::Status Element(Frame& frame);
  absl::StatusOr<std::string_view> Bytes(const Frame& frame, std::uint64_t offset,
                                         std::uint64_t size) const;
  absl::Status CheckKey(const Frame& frame, std::string_view key) const;

  const PageFile& file_;
  const Holds holds_;
  std::vector<Frame> stack_;
  std::string_view key_;
  std::string_view value_;
  std::string previous_;  // the last key; "" before the first
  std::string floor_;     // keys from here on are not below it: the last branch key
};

struct Bucket {
  std::string name;
  std::uint64_t root = 0;   // 0: inline
  std::string inline_page;  // then
};

// A file whose top level holds buckets.
class Reader {
 public:
  static absl::StatusOr<std::unique_ptr<Reader>> Open(base::FileSystem& file_system,
                                                      const std::string& path);

  const Meta& meta() const { return file_->meta(); }
  // Ascending by name.
  const std::vector<Bucket>& buckets() const { return buckets_; }
  // Keys and values of one.
  absl::StatusOr<std::unique_ptr<Cursor>> Scan(const Bucket& bucket) const;
  absl::Status Damage(std::uint64_t page, std::string_view reason) const {
    return file_->Damage(page, reason);
  }

 private:
  explicit Reader(std::unique_ptr<PageFile> file) : file_(std::move(file)) {}
  absl::Status ListBuckets();

  const std::unique_ptr<PageFile> file_;
  std::vector<Bucket> buckets_;
};

}  // namespace etcd::bbolt
