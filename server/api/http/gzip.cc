#include "server/api/http/gzip.h"

#include <algorithm>

namespace etcd::api::http {

bool AcceptsGzip(std::string_view accept_encoding) {
  while (!accept_encoding.empty()) {
    std::string_view part = accept_encoding.substr(0, accept_encoding.find(','));
    accept_encoding.remove_prefix(std::min(accept_encoding.size(), part.size() + 1));
    while (part.starts_with(' ')) part.remove_prefix(1);
    if (part == "gzip" || (part.starts_with("gzip;") && !part.ends_with("q=0"))) return true;
  }
  return false;
}

}  // namespace etcd::api::http
