#include "operator/worker/zstd_stream.h"

#include <random>

#include <gtest/gtest.h>

namespace etcd::worker {
namespace {

std::string Random(std::size_t size) {
  std::mt19937 random(9);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

std::string Compress(const std::string& text, std::size_t piece) {
  std::string out;
  ZstdCompressor compressor([&](std::string_view bytes) {
    out += bytes;
    return absl::OkStatus();
  });
  for (std::size_t at = 0; at < text.size(); at += piece) {
    EXPECT_TRUE(compressor.Add(std::string_view(text).substr(at, piece)).ok());
  }
  EXPECT_TRUE(compressor.Finish().ok());
  return out;
}

absl::Status Decompress(const std::string& stored, std::size_t piece, std::uint64_t max,
                        std::string& out) {
  ZstdDecompressor decompressor(
      [&](std::string_view bytes) {
        out += bytes;
        return absl::OkStatus();
      },
      max);
  for (std::size_t at = 0; at < stored.size(); at += piece) {
    const absl::Status status = decompressor.Add(std::string_view(stored).substr(at, piece));
    if (!status.ok()) return status;
  }
  return decompressor.Finish();
}

TEST(ZstdStream, ComesBackWhateverThePieces) {
  const std::string text = Random(700'000) + std::string(3'000'000, 'a');
  const std::string stored = Compress(text, 100'000);
  EXPECT_LT(stored.size(), 800'000U);
  for (const std::size_t piece :
       {std::size_t{1}, std::size_t{3}, std::size_t{4096}, stored.size()}) {
    std::string out;
    EXPECT_TRUE(Decompress(stored, piece, text.size(), out).ok());
    EXPECT_TRUE(out == text);
  }
}

TEST(ZstdStream, WhatIsNoZstdComesOutAsItIs) {
  for (const std::string& text : {std::string(), std::string("abc"), Random(100'000)}) {
    std::string out;
    EXPECT_TRUE(Decompress(text, 7, text.size(), out).ok());
    EXPECT_TRUE(out == text);
  }
}

TEST(ZstdStream, DamageIsNoticed) {
  const std::string text = Random(50'000);
  const std::string stored = Compress(text, 50'000);
  std::string out;
  EXPECT_EQ(Decompress(stored.substr(0, stored.size() - 1), 999, text.size(), out).code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(Decompress(stored + "x", 999, text.size(), out).code(), absl::StatusCode::kDataLoss);
  for (std::size_t at = 8; at < stored.size(); at += 611) {
    std::string bad = stored;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    out.clear();
    EXPECT_FALSE(Decompress(bad, 999, text.size(), out).ok()) << at;
  }
}

TEST(ZstdStream, ABombIsBounded) {
  const std::string stored = Compress(std::string(50'000'000, 'a'), 1'000'000);
  EXPECT_LT(stored.size(), 20'000U);
  std::string out;
  EXPECT_EQ(Decompress(stored, 1000, 1'000'000, out).code(), absl::StatusCode::kDataLoss);
  EXPECT_LE(out.size(), 1'000'000U);
}

}  // namespace
}  // namespace etcd::worker
