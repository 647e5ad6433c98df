#include "server/bbolt/reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "server/base/status.h"

namespace etcd::bbolt {
namespace {

// Deeper than any tree with two children a page can be in a file of 2^48 bytes.
constexpr std::size_t kDepthMax = 40;
// etcd has ten; the list is kept in memory.
constexpr std::size_t kBucketsMax = 1000;

}  // namespace

// ---- Cursor

absl::StatusOr<std::unique_ptr<Cursor>> Cursor::Open(const PageFile& file, std::uint64_t root,
                                                     Holds holds) {
  std::unique_ptr<Cursor> cursor(new Cursor(file, holds));
  RETURN_IF_ERROR(cursor->Push(root));
  RETURN_IF_ERROR(cursor->Settle());
  return cursor;
}

absl::StatusOr<std::unique_ptr<Cursor>> Cursor::OpenInline(const PageFile& file, std::string page) {
  std::unique_ptr<Cursor> cursor(new Cursor(file, Holds::kValues));
  if (page.size() < kPageHeaderBytes) return file.Damage(0, "an inline bucket is cut short");
  if (Load<std::uint16_t>(page.data() + 8) != kLeafPage) {
    return file.Damage(0, "an inline bucket is no leaf");
  }
  RETURN_IF_ERROR(cursor->PushBytes(0, std::move(page)));
  RETURN_IF_ERROR(cursor->Settle());
  return cursor;
}

absl::Status Cursor::Next() { return Settle(); }

absl::Status Cursor::Push(std::uint64_t id) {
  if (stack_.size() >= kDepthMax) return file_.Damage(id, "the tree is too deep");
  ASSIGN_OR_RETURN(std::string bytes, file_.Read(id));
  return PushBytes(id, std::move(bytes));
}

// Pages on the way from the root share no bytes, so memory is bounded by the file's size, and a
// cycle ends here.
absl::Status Cursor::PushBytes(std::uint64_t id, std::string bytes) {
  const std::uint64_t pages = bytes.size() / file_.meta().page_bytes;
  for (const Frame& above : stack_) {
    if (id < above.id + above.pages && above.id < id + pages) {
      return file_.Damage(id, "is its own ancestor");
    }
  }
  const auto flags = Load<std::uint16_t>(bytes.data() + 8);
  if (flags != kLeafPage && flags != kBranchPage) {
    return file_.Damage(id, fmt::format("is of type {:#x}, not leaf or branch", flags));
  }
  const bool is_leaf = flags == kLeafPage;
  const std::size_t count = Load<std::uint16_t>(bytes.data() + 10);
  if (kPageHeaderBytes + count * kElementBytes > bytes.size()) {
    return file_.Damage(id, fmt::format("{} elements do not fit", count));
  }
  // Only a tree without keys has an empty page. With that, each page visited gives a key above all
  // before, so no page is visited twice however the file is tangled.
  if (count == 0 && !(is_leaf && stack_.empty())) return file_.Damage(id, "has no elements");
  stack_.push_back({id, pages, std::move(bytes), is_leaf, count});
  return absl::OkStatus();
}

// Moves on to the next element of a leaf.
absl::Status Cursor::Settle() {
  while (!stack_.empty()) {
    Frame& frame = stack_.back();
    if (frame.next == frame.count) {
      stack_.pop_back();
      continue;
    }
    if (frame.is_leaf) return Element(frame);
    ASSIGN_OR_RETURN(const std::uint64_t child, Child(frame));
    RETURN_IF_ERROR(Push(child));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string_view> Cursor::Bytes(const Frame& frame, std::uint64_t offset,
                                               std::uint64_t size) const {
  if (offset > frame.bytes.size() || size > frame.bytes.size() - offset) {
    return file_.Damage(frame.id, fmt::format("element {} reaches out of the page", frame.next));
  }
  return std::string_view(frame.bytes).substr(offset, size);
}

absl::Status Cursor::CheckKey(const Frame& frame, std::string_view key) const {
  if (key.empty() || key.size() > kKeyBytesMax) {
    return file_.Damage(frame.id,
                        fmt::format("element {} has a key of {} bytes", frame.next, key.size()));
  }
  if (key <= previous_ || key < floor_) {
    return file_.Damage(frame.id, fmt::format("element {} is out of order", frame.next));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> Cursor::Child(Frame& frame) {
  const std::uint64_t at = kPageHeaderBytes + frame.next * kElementBytes;
  const char* element = frame.bytes.data() + at;
  ASSIGN_OR_RETURN(const std::string_view key, Bytes(frame, at + Load<std::uint32_t>(element),
                                                     Load<std::uint32_t>(element + 4)));
  const auto child = Load<std::uint64_t>(element + 8);
  RETURN_IF_ERROR(CheckKey(frame, key));
  floor_ = key;
  ++frame.next;
  return child;
}

absl::Status Cursor::Element(Frame& frame) {
  const std::uint64_t at = kPageHeaderBytes + frame.next * kElementBytes;
  const char* element = frame.bytes.data() + at;
  const auto flags = Load<std::uint32_t>(element);
  if (flags != (holds_ == Holds::kBuckets ? kBucketElement : 0)) {
    return file_.Damage(frame.id, fmt::format("element {} has flags {:#x}", frame.next, flags));
  }
  const std::uint64_t key_at = at + Load<std::uint32_t>(element + 4);
  const std::uint64_t key_bytes = Load<std::uint32_t>(element + 8);
  ASSIGN_OR_RETURN(const std::string_view key, Bytes(frame, key_at, key_bytes));
  ASSIGN_OR_RETURN(const std::string_view value,
                   Bytes(frame, key_at + key_bytes, Load<std::uint32_t>(element + 12)));
  RETURN_IF_ERROR(CheckKey(frame, key));
  key_ = key;
  value_ = value;
  previous_ = key;
  ++frame.next;
  return absl::OkStatus();
}

// ---- Reader

absl::StatusOr<std::unique_ptr<Reader>> Reader::Open(base::FileSystem& file_system,
                                                     const std::string& path) {
  ASSIGN_OR_RETURN(auto file, PageFile::Open(file_system, path));
  std::unique_ptr<Reader> reader(new Reader(std::move(file)));
  RETURN_IF_ERROR(reader->ListBuckets());
  return reader;
}

absl::Status Reader::ListBuckets() {
  ASSIGN_OR_RETURN(const auto cursor,
                   Cursor::Open(*file_, file_->meta().root, Cursor::Holds::kBuckets));
  while (cursor->Valid()) {
    if (cursor->value().size() < kBucketHeaderBytes) {
      return Damage(cursor->page(), "a bucket's header is cut short");
    }
    if (buckets_.size() == kBucketsMax) return Damage(cursor->page(), "too many buckets");
    Bucket bucket;
    bucket.name = cursor->key();
    bucket.root = Load<std::uint64_t>(cursor->value().data());
    if (bucket.root == 0) bucket.inline_page = cursor->value().substr(kBucketHeaderBytes);
    buckets_.push_back(std::move(bucket));
    RETURN_IF_ERROR(cursor->Next());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Cursor>> Reader::Scan(const Bucket& bucket) const {
  if (bucket.root == 0) return Cursor::OpenInline(*file_, bucket.inline_page);
  return Cursor::Open(*file_, bucket.root, Cursor::Holds::kValues);
}

}  // namespace etcd::bbolt
