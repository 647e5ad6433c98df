#include "server/bbolt/writer.h"

#include <algorithm>
#include <utility>

#include "server/base/check.h"

namespace etcd::bbolt {
namespace {

// The file's transaction number. Page txid % 2 is the one that bbolt keeps when it writes next.
constexpr std::uint64_t kTxid = 2;

std::uint64_t PagesFor(std::uint64_t bytes) {
  return (bytes + kWrittenPageBytes - 1) / kWrittenPageBytes;
}

void AppendPageHeader(std::string& out, std::uint64_t id, std::uint16_t flags, std::size_t count,
                      std::uint64_t pages) {
  Append<std::uint64_t>(out, id);
  Append<std::uint16_t>(out, flags);
  Append<std::uint16_t>(out, static_cast<std::uint16_t>(count));
  Append<std::uint32_t>(out, static_cast<std::uint32_t>(pages - 1));
}

void AppendMetaPage(std::string& out, std::uint64_t id, std::uint64_t txid,
                    const FileShape& shape) {
  AppendPageHeader(out, id, kMetaPage, 0, 1);
  std::string meta;
  Append<std::uint32_t>(meta, kMagic);
  Append<std::uint32_t>(meta, kVersion);
  Append<std::uint32_t>(meta, kWrittenPageBytes);
  Append<std::uint32_t>(meta, 0);
  Append<std::uint64_t>(meta, shape.root);
  Append<std::uint64_t>(meta, 0);
  Append<std::uint64_t>(meta, kNoFreelist);
  Append<std::uint64_t>(meta, shape.high_water);
  Append<std::uint64_t>(meta, txid);
  Append<std::uint64_t>(meta, MetaChecksum(meta));
  out.append(meta);
  out.append(kWrittenPageBytes - kPageHeaderBytes - meta.size(), '\0');
}

std::uint64_t BranchBytes(std::string_view key) { return kElementBytes + key.size(); }

}  // namespace

// ---- Pages

std::uint64_t PageWriter::Emit(std::uint16_t flags, std::size_t count, std::uint64_t bytes,
                               std::string_view body) {
  const std::uint64_t id = next_id_;
  const std::uint64_t pages = PagesFor(bytes);
  next_id_ += pages;
  if (out_ == nullptr) return id;
  const std::size_t end = out_->size() + pages * kWrittenPageBytes;
  AppendPageHeader(*out_, id, flags, count, pages);
  out_->append(body);
  CHECK(out_->size() <= end) << "a page is larger than it was planned";
  out_->resize(end, '\0');
  return id;
}

std::string MetaPages(const FileShape& shape) {
  std::string out;
  AppendMetaPage(out, 0, kTxid, shape);
  AppendMetaPage(out, 1, kTxid - 1, shape);
  return out;
}

// ---- Tree

void TreeWriter::Add(std::uint32_t flags, std::string_view key, std::string_view value,
                     std::uint64_t value_bytes) {
  CHECK(!key.empty() && key.size() <= kKeyBytesMax && value_bytes <= kValueBytesMax)
      << "bbolt cannot hold a key of " << key.size() << " and a value of " << value_bytes;
  const std::uint64_t bytes = kElementBytes + key.size() + value_bytes;
  if (!leaves_.empty() && leaf_bytes_ + bytes > kWrittenPageBytes) EmitLeaf();
  if (leaves_.empty()) first_key_ = key;
  leaves_.push_back(
      {flags, static_cast<std::uint32_t>(key.size()), static_cast<std::uint32_t>(value_bytes)});
  leaf_bytes_ += bytes;
  if (pages_.counting()) return;
  leaf_data_.append(key).append(value);
}

void TreeWriter::EmitLeaf() {
  std::string body;
  if (!pages_.counting()) {
    body.reserve(leaf_bytes_);
    std::size_t data = leaves_.size() * kElementBytes;  // from the element to its key
    for (const Leaf& leaf : leaves_) {
      Append<std::uint32_t>(body, leaf.flags);
      Append<std::uint32_t>(body, static_cast<std::uint32_t>(data));
      Append<std::uint32_t>(body, leaf.key_bytes);
      Append<std::uint32_t>(body, leaf.value_bytes);
      data += leaf.key_bytes + leaf.value_bytes - kElementBytes;
    }
    body.append(leaf_data_);
    leaf_data_.clear();
    // A huge value must not stay.
    if (leaf_data_.capacity() > 16 * kWrittenPageBytes) leaf_data_.shrink_to_fit();
  }
  const std::uint64_t id = pages_.Emit(kLeafPage, leaves_.size(), leaf_bytes_, body);
  leaves_.clear();
  leaf_bytes_ = kPageHeaderBytes;
  AddChild(0, {std::exchange(first_key_, {}), id});
}

std::size_t TreeWriter::FillOf(const std::vector<Child>& children) {
  std::uint64_t bytes = kPageHeaderBytes;
  for (std::size_t i = 0; i < children.size(); ++i) {
    bytes += BranchBytes(children[i].key);
    if (bytes > kWrittenPageBytes) return std::max<std::size_t>(i, 2);
  }
  return children.size();
}

// A page goes out when two children are left over for the next: no page has only one.
void TreeWriter::AddChild(std::size_t level, Child child) {
  if (level == levels_.size()) levels_.emplace_back();
  levels_[level].children.push_back(std::move(child));
  const std::size_t fill = FillOf(levels_[level].children);
  if (levels_[level].children.size() >= fill + 2) EmitBranch(level, fill);
}

void TreeWriter::EmitBranch(std::size_t level, std::size_t count) {
  std::vector<Child>& children = levels_[level].children;
  std::uint64_t bytes = kPageHeaderBytes;
  std::string body;
  std::string keys;
  for (std::size_t i = 0; i < count; ++i) {
    const Child& child = children[i];
    Append<std::uint32_t>(body,
                          static_cast<std::uint32_t>((count - i) * kElementBytes + keys.size()));
    Append<std::uint32_t>(body, static_cast<std::uint32_t>(child.key.size()));
    Append<std::uint64_t>(body, child.page);
    keys.append(child.key);
    bytes += BranchBytes(child.key);
  }
  const std::uint64_t id = pages_.Emit(kBranchPage, count, bytes, body + keys);
  Child parent{std::move(children.front().key), id};
  children.erase(children.begin(), children.begin() + static_cast<std::ptrdiff_t>(count));
  levels_[level].emitted = true;
  AddChild(level + 1, std::move(parent));
}

std::uint64_t TreeWriter::Finish() {
  if (!leaves_.empty() || levels_.empty()) EmitLeaf();
  for (std::size_t level = 0;; ++level) {
    if (!levels_[level].emitted && levels_[level].children.size() == 1) {
      const std::uint64_t root = levels_[level].children.front().page;
      levels_.clear();
      return root;
    }
    while (!levels_[level].children.empty()) {
      const std::size_t left = levels_[level].children.size();
      std::size_t fill = FillOf(levels_[level].children);
      // One that does not fit is not left alone: a page of three, or one child fewer in this one.
      if (left - fill == 1) fill = fill > 2 ? fill - 1 : left;
      EmitBranch(level, fill);
    }
  }
}

// ---- File

void FileWriter::EndBucket() {
  std::string value;
  Append<std::uint64_t>(value, bucket_.Finish());
  Append<std::uint64_t>(value, 0);
  root_.Add(kBucketElement, name_, value, value.size());
}

FileShape FileWriter::Finish() {
  FileShape shape;
  shape.root = root_.Finish();
  shape.high_water = pages_.next_id();
  return shape;
}

}  // namespace etcd::bbolt
