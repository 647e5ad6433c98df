#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace etcd::worker {

using ByteSink = std::function<absl::Status(std::string_view bytes)>;

// Bytes to Zstd frames with a checksum of the content. Constant memory.
class ZstdCompressor {
 public:
  explicit ZstdCompressor(ByteSink sink);
  ~ZstdCompressor();
  ZstdCompressor(const ZstdCompressor&) = delete;
  ZstdCompressor& operator=(const ZstdCompressor&) = delete;

  absl::Status Add(std::string_view bytes);
  absl::Status Finish();

 private:
  absl::Status Run(std::string_view bytes, bool is_end);

  const ByteSink sink_;
  ZSTD_CCtx_s* const context_;
  std::string out_;
};

// The way back; bytes that are no Zstd come out as they are. DataLoss for damage, an end within a
// frame, and more than `bytes_max` of content (reason TooLarge). Windows above 128 MiB are refused.
class ZstdDecompressor {
 public:
  ZstdDecompressor(ByteSink sink, std::uint64_t bytes_max);
  ~ZstdDecompressor();
  ZstdDecompressor(const ZstdDecompressor&) = delete;
  ZstdDecompressor& operator=(const ZstdDecompressor&) = delete;

  absl::Status Add(std::string_view bytes);
  absl::Status Finish();

 private:
  absl::Status Give(std::string_view bytes);
  absl::Status Decompress(std::string_view bytes);

  const ByteSink sink_;
  const std::uint64_t bytes_max_;
  ZSTD_DCtx_s* const context_;
  std::string out_;
  std::string head_;  // until it is known what it is
  enum class Form : std::uint8_t { kUnknown, kZstd, kPlain } form_ = Form::kUnknown;
  bool is_frame_end_ = true;
  std::uint64_t given_ = 0;
};

}  // namespace etcd::worker
