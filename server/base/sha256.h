#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace etcd::base {

inline constexpr std::size_t kSha256Bytes = 32;

// SHA-256 of bytes that come in pieces. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Add(std::string_view bytes);
  // kSha256Bytes bytes; once, and last.
  std::string Finish();

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace etcd::base
