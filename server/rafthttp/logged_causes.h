#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace etcd::rafthttp {

// The reasons for failures that were logged since it last went well, so that each is logged once.
// Bounded, since peers choose some of the texts.
class LoggedCauses {
 public:
  // True: it is new, and the caller logs it.
  bool Add(std::string_view cause) {
    if (std::ranges::find(causes_, cause) != causes_.end()) return false;
    if (causes_.size() >= kCausesMax) causes_.clear();
    causes_.emplace_back(cause);
    return true;
  }
  void Clear() { causes_.clear(); }

 private:
  static constexpr std::size_t kCausesMax = 16;
  std::vector<std::string> causes_;
};

}  // namespace etcd::rafthttp
