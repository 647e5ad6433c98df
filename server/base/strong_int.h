#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <ostream>

namespace etcd::base {

// An integer that does not mix with other integers: `Advance(Term, Index)` called with swapped
// arguments does not compile. Raw values are for codecs only.
template <typename Tag, typename Rep>
class StrongInt {
 public:
  using rep = Rep;

  constexpr StrongInt() = default;
  constexpr explicit StrongInt(Rep value) : value_(value) {}

  constexpr Rep value() const { return value_; }
  constexpr explicit operator bool() const { return value_ != 0; }

  constexpr auto operator<=>(const StrongInt&) const = default;

  // Distances are plain integers; sums stay in the type.
  constexpr StrongInt operator+(Rep n) const { return StrongInt(value_ + n); }
  constexpr StrongInt operator-(Rep n) const { return StrongInt(value_ - n); }
  constexpr Rep operator-(StrongInt other) const { return value_ - other.value_; }
  constexpr StrongInt& operator++() {
    ++value_;
    return *this;
  }

  template <typename H>
  friend H AbslHashValue(H h, const StrongInt& v) {
    return H::combine(std::move(h), v.value_);
  }
  friend std::ostream& operator<<(std::ostream& os, const StrongInt& v) { return os << v.value_; }

 private:
  Rep value_ = 0;
};

}  // namespace etcd::base

template <typename Tag, typename Rep>
struct std::hash<etcd::base::StrongInt<Tag, Rep>> {
  std::size_t operator()(const etcd::base::StrongInt<Tag, Rep>& v) const noexcept {
    return std::hash<Rep>()(v.value());
  }
};
