#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace etcd::base {

// A run of immutable bytes kept alive by a shared owner.
struct Slice {
  std::string_view bytes;
  std::shared_ptr<const void> owner;  // null: the bytes live for ever (constants)

  static Slice Own(std::string text) {
    auto held = std::make_shared<const std::string>(std::move(text));
    const std::string_view view = *held;
    return {view, std::move(held)};
  }
};

// A chain of shared slices: what a message is made of on its way out. Copying a rope copies
// references; one encoded event is shared by the streams of all its watchers. Immutable bytes, but
// the object itself is not thread-safe.
class Rope {
 public:
  Rope() = default;
  explicit Rope(std::string text) { Append(std::move(text)); }

  void Append(std::string text) {
    if (!text.empty()) Append(Slice::Own(std::move(text)));
  }
  void Append(Slice slice) {
    if (slice.bytes.empty()) return;
    size_ += slice.bytes.size();
    slices_.push_back(std::move(slice));
  }
  void Append(const Rope& other) {
    for (const Slice& slice : other.slices_) Append(slice);
  }
  void Append(Rope&& other) {
    if (slices_.empty()) {
      *this = std::move(other);
      other = Rope();
      return;
    }
    for (Slice& slice : other.slices_) Append(std::move(slice));
    other = Rope();
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const std::vector<Slice>& slices() const { return slices_; }

  std::string Flatten() const {
    std::string out;
    out.reserve(size_);
    for (const Slice& slice : slices_) out.append(slice.bytes);
    return out;
  }

 private:
  std::vector<Slice> slices_;
  std::size_t size_ = 0;
};

}  // namespace etcd::base
