#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace etcd::transport {

// The header list of one HTTP/2 request. A connection receives one list at a time, so its session
// has one of these and fills it again and again.
struct RequestHead {
  std::string method;
  std::string path;
  std::string authority;
  std::string content_type;
  std::string grpc_timeout;
  std::string grpc_encoding;
  bool has_grpc_timeout = false;
  std::vector<std::pair<std::string, std::string>> fields;  // all others but "te"
  std::size_t bytes = 0;  // names and values and 32 for each: RFC 9113, 10.5.1
  bool oversize = false;  // more than the limit; the fields above it are missing

  void Add(std::string_view name, std::string_view value, std::size_t bytes_max) {
    bytes += name.size() + value.size() + 32;
    if (bytes > bytes_max) oversize = true;
    if (oversize) return;
    if (std::string* known = Known(name)) {
      known->assign(value);
    } else if (name != "te" && name != ":scheme") {
      fields.emplace_back(name, value);
    }
  }

  void Clear() {
    for (std::string* text :
         {&method, &path, &authority, &content_type, &grpc_timeout, &grpc_encoding}) {
      text->clear();
    }
    has_grpc_timeout = false;
    fields.clear();
    bytes = 0;
    oversize = false;
  }

 private:
  std::string* Known(std::string_view name) {
    if (name == ":method") return &method;
    if (name == ":path") return &path;
    if (name == ":authority") return &authority;
    if (name == "content-type") return &content_type;
    if (name == "grpc-encoding") return &grpc_encoding;
    if (name == "grpc-timeout") {
      has_grpc_timeout = true;
      return &grpc_timeout;
    }
    return nullptr;
  }
};

}  // namespace etcd::transport
