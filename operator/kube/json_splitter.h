#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include <absl/status/status.h>

namespace etcd::kube {

// Cuts a stream of bytes into the JSON objects that stand in it one after the other, with any white
// space between them: the body of a watch. Looks at brackets and strings only; what it hands over
// still has to be parsed. Pure.
class JsonSplitter {
 public:
  // Bytes from the first to the last brace. Ends the stream when it fails.
  using Sink = std::function<absl::Status(std::string_view object)>;

  // No object may be longer than `object_bytes_max`: what is kept between two calls is below it.
  explicit JsonSplitter(std::size_t object_bytes_max) : object_bytes_max_(object_bytes_max) {}

  // Calls `sink` for each object that `bytes` ends. Errors: of the sink; kBadAnswer when something
  // else than an object stands in the stream, or one is nested too deep; kTooLarge.
  absl::Status Feed(std::string_view bytes, const Sink& sink);

  // No object is half read.
  bool empty() const { return depth_ == 0; }

 private:
  absl::Status OnByte(char c);
  absl::Status Keep(std::string_view bytes);

  std::size_t object_bytes_max_;
  std::size_t depth_ = 0;  // open brackets; 0 between objects
  bool in_string_ = false;
  bool after_backslash_ = false;
  std::string kept_;  // the beginning of an object whose end has not come yet
};

}  // namespace etcd::kube
