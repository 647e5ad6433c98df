#include "server/transport/gzip.h"

#include <algorithm>
#include <string>

#include <zlib.h>

#include "server/base/check.h"
#include "server/base/status.h"

namespace etcd::transport {
namespace {

constexpr int kGzipWindowBits = 15 + 16;  // zlib: 16 asks for gzip's wrapper

Bytef* Input(std::string_view bytes) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
}

}  // namespace

absl::StatusOr<std::string> Gunzip(std::string_view compressed, std::size_t bytes_max) {
  z_stream stream{};
  CHECK(inflateInit2(&stream, kGzipWindowBits) == Z_OK) << "zlib";
  stream.next_in = Input(compressed);
  stream.avail_in = static_cast<uInt>(compressed.size());
  std::string out;
  int result = Z_OK;
  while (result == Z_OK && out.size() <= bytes_max) {
    const std::size_t start = out.size();
    const std::size_t step =
        std::min(bytes_max + 1 - start, std::max<std::size_t>(compressed.size() * 4, 1024));
    out.resize(start + step);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + start);
    stream.avail_out = static_cast<uInt>(step);
    result = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    if (result == Z_OK && stream.avail_in == 0 && stream.avail_out != 0) result = Z_BUF_ERROR;
  }
  inflateEnd(&stream);
  if (out.size() > bytes_max) {
    return base::MakeStatus(
        absl::StatusCode::kResourceExhausted,
        "grpc: received message after decompression larger than max " + std::to_string(bytes_max));
  }
  if (result != Z_STREAM_END) {
    return base::MakeStatus(absl::StatusCode::kInternal,
                            "grpc: failed to decompress the received message");
  }
  return out;
}

}  // namespace etcd::transport
