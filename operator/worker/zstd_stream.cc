#include "operator/worker/zstd_stream.h"

#include <utility>
#include <zstd.h>

#include <fmt/format.h>

#include "operator/store/object_store.h"
#include "server/base/check.h"
#include "server/base/status.h"

namespace etcd::worker {
namespace {

constexpr int kLevel = 3;
constexpr int kWindowLogMax = 27;
constexpr std::string_view kMagic = "\x28\xb5\x2f\xfd";

absl::Status Damaged(std::string_view why) {
  return base::DataLoss(fmt::format("the stored backup is damaged: {}", why));
}

}  // namespace

ZstdCompressor::ZstdCompressor(ByteSink sink)
    : sink_(std::move(sink)), context_(ZSTD_createCCtx()), out_(ZSTD_CStreamOutSize(), '\0') {
  CHECK(context_ != nullptr) << "no memory for zstd";
  ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(context_, ZSTD_c_checksumFlag, 1);
}

ZstdCompressor::~ZstdCompressor() { ZSTD_freeCCtx(context_); }

absl::Status ZstdCompressor::Run(std::string_view bytes, bool is_end) {
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  while (true) {
    ZSTD_outBuffer out{out_.data(), out_.size(), 0};
    const std::size_t left =
        ZSTD_compressStream2(context_, &out, &in, is_end ? ZSTD_e_end : ZSTD_e_continue);
    CHECK(ZSTD_isError(left) == 0) << ZSTD_getErrorName(left);
    if (out.pos > 0) RETURN_IF_ERROR(sink_({out_.data(), out.pos}));
    if (is_end ? left == 0 : in.pos == in.size) return absl::OkStatus();
  }
}

absl::Status ZstdCompressor::Add(std::string_view bytes) { return Run(bytes, false); }
absl::Status ZstdCompressor::Finish() { return Run({}, true); }

ZstdDecompressor::ZstdDecompressor(ByteSink sink, std::uint64_t bytes_max)
    : sink_(std::move(sink)),
      bytes_max_(bytes_max),
      context_(ZSTD_createDCtx()),
      out_(ZSTD_DStreamOutSize(), '\0') {
  CHECK(context_ != nullptr) << "no memory for zstd";
  ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kWindowLogMax);
}

ZstdDecompressor::~ZstdDecompressor() { ZSTD_freeDCtx(context_); }

absl::Status ZstdDecompressor::Give(std::string_view bytes) {
  given_ += bytes.size();
  if (given_ > bytes_max_) {
    return store::Failure(
        absl::StatusCode::kDataLoss, "TooLarge",
        fmt::format("the stored backup is damaged: more than {} bytes come out", bytes_max_));
  }
  return bytes.empty() ? absl::OkStatus() : sink_(bytes);
}

absl::Status ZstdDecompressor::Decompress(std::string_view bytes) {
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  bool is_full = false;  // there may be more to come out without more to put in
  while (in.pos < in.size || is_full) {
    ZSTD_outBuffer out{out_.data(), out_.size(), 0};
    const std::size_t left = ZSTD_decompressStream(context_, &out, &in);
    if (ZSTD_isError(left) != 0) return Damaged(ZSTD_getErrorName(left));
    is_frame_end_ = left == 0;
    is_full = out.pos == out.size && left != 0;
    RETURN_IF_ERROR(Give({out_.data(), out.pos}));
  }
  return absl::OkStatus();
}

absl::Status ZstdDecompressor::Add(std::string_view bytes) {
  if (form_ == Form::kZstd) return Decompress(bytes);
  if (form_ == Form::kPlain) return Give(bytes);
  head_ += bytes;
  if (head_.size() < kMagic.size()) return absl::OkStatus();
  form_ = head_.starts_with(kMagic) ? Form::kZstd : Form::kPlain;
  return Add(std::exchange(head_, {}));
}

absl::Status ZstdDecompressor::Finish() {
  if (form_ == Form::kUnknown) return Give(head_);
  return is_frame_end_ ? absl::OkStatus() : Damaged("it ends within a frame");
}

}  // namespace etcd::worker
