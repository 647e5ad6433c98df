#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace etcd::raft {

// The bytes of an entry: immutable, shared by the log, the WAL batch, the messages and the apply
// queue, so that an entry is copied by counting a reference. Thread-safe to read and to copy.
// Converts from and to strings without ceremony because codecs and tests treat it as one.
class Payload {
 public:
  Payload() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a drop-in for a string member
  Payload(std::string bytes)
      : bytes_(bytes.empty() ? nullptr : std::make_shared<const std::string>(std::move(bytes))) {}
  // NOLINTNEXTLINE(google-explicit-constructor): so that `entry.data = "x"` works
  Payload(const char* bytes) : Payload(std::string(bytes)) {}
  explicit Payload(std::string_view bytes) : Payload(std::string(bytes)) {}

  std::string_view view() const { return bytes_ ? std::string_view(*bytes_) : std::string_view(); }
  // NOLINTNEXTLINE(google-explicit-constructor): readers take views
  operator std::string_view() const { return view(); }

  const char* data() const { return view().data(); }
  std::size_t size() const { return bytes_ ? bytes_->size() : 0; }
  bool empty() const { return size() == 0; }
  // Keeps the bytes of view() alive; null when empty.
  const std::shared_ptr<const std::string>& owner() const { return bytes_; }

  bool operator==(const Payload& other) const {
    return bytes_ == other.bytes_ || view() == other.view();
  }

 private:
  std::shared_ptr<const std::string> bytes_;  // null when empty
};

}  // namespace etcd::raft
