#include "server/base/gzip.h"

#include <zlib.h>

#include "server/base/check.h"

namespace etcd::base {

std::string Gzip(std::string_view bytes) {
  constexpr int kGzipWindowBits = 15 + 16;  // zlib: 16 asks for gzip's wrapper
  constexpr int kMemoryLevel = 8;           // zlib's default
  z_stream stream{};
  CHECK(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindowBits, kMemoryLevel,
                     Z_DEFAULT_STRATEGY) == Z_OK)
      << "zlib";
  std::string out(deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
  // zlib takes a pointer to what it does not write.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END) << "zlib";
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace etcd::base
