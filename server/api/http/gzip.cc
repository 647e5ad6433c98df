#include "server/api/http/gzip.h"

#include <algorithm>

#include <zlib.h>

#include "server/base/check.h"

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

std::string Gzip(const std::string& bytes) {
  constexpr int kGzipWindowBits = 15 + 16;
  constexpr int kMemoryLevel = 8;
  z_stream stream{};
  CHECK(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindowBits, kMemoryLevel,
                     Z_DEFAULT_STRATEGY) == Z_OK)
      << "zlib";
  std::string in = bytes;  // zlib takes a non-const pointer
  std::string out(deflateBound(&stream, static_cast<uLong>(in.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END) << "zlib";
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace etcd::api::http
