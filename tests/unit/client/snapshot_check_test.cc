#include "client/internal/snapshot_check.h"

#include <cstddef>
#include <string>

#include <absl/strings/escaping.h>
#include <gtest/gtest.h>

namespace etcd::client::internal {
namespace {

// SHA-256 of 512 zero bytes, by sha256sum.
constexpr char kZerosSum[] = "076a27c79e5ace2a3d47f9dd2e83e4ff6ea8872b3c2218f66c92b89b55f36560";

std::string File() { return std::string(512, '\0') + absl::HexStringToBytes(kZerosSum); }

TEST(SnapshotCheck, GivesTheImagesSumHoweverTheBytesAreCut) {
  const std::string file = File();
  for (std::size_t piece = 1; piece <= file.size(); ++piece) {
    SnapshotCheck check;
    for (std::size_t i = 0; i < file.size(); i += piece) {
      check.Add(std::string_view(file).substr(i, piece));
    }
    EXPECT_EQ(check.size_bytes(), file.size());
    const auto sum = check.Finish();
    ASSERT_TRUE(sum.ok()) << sum.status() << " in pieces of " << piece;
    EXPECT_EQ(*sum, kZerosSum);
  }
}

TEST(SnapshotCheck, SeesAnAlteredByteAnywhere) {
  for (const std::size_t at : {0U, 511U, 512U, 543U}) {
    std::string file = File();
    file[at] = static_cast<char>(file[at] ^ 1);
    SnapshotCheck check;
    check.Add(file);
    EXPECT_TRUE(absl::IsDataLoss(check.Finish().status())) << at;
  }
}

TEST(SnapshotCheck, SeesThatTheEndIsMissing) {
  for (std::size_t size = 0; size < File().size(); ++size) {
    SnapshotCheck check;
    check.Add(std::string_view(File()).substr(0, size));
    EXPECT_TRUE(absl::IsDataLoss(check.Finish().status())) << size;
  }
}

}  // namespace
}  // namespace etcd::client::internal
