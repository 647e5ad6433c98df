#include "server/node/entries.h"

#include <gtest/gtest.h>

#include "server/base/bytes.h"

namespace etcd::node {
namespace {

std::string FromHex(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return out;
}

RequestId IdFrom(std::string_view varint_hex) {
  const std::string bytes = FromHex(varint_hex);
  std::string_view rest = bytes;
  std::uint64_t value = 0;
  EXPECT_TRUE(base::ConsumeVarint(rest, value));
  return RequestId(value);
}

// Captured from a leader of 3.5 (raft-peer-storage.md 11.2).
TEST(Entries, TheV2FormOfTheClusterVersionIsGos) {
  EXPECT_EQ(EncodeLegacyPut(IdFrom("8386bb9ed5bfa8fc04"), kLegacyVersionPath, "3.5.0"),
            FromHex("088386bb9ed5bfa8fc0412035055541a0a2f302f76657273696f6e2205332e352e30"
                    "2800320038004800500058006000680070007800800100"));
}

TEST(Entries, AttributesGoToTheMembersPath) {
  EXPECT_EQ(LegacyAttributesPath(MemberId(0xe2848b2d9ede3737)),
            "/0/members/e2848b2d9ede3737/attributes");
}

TEST(Entries, RequestsOfTheClusterAreGos) {
  EXPECT_EQ(EncodeClusterVersion(IdFrom("83e4bc9ed5bfe89b37"), "3.6.0"),
            FromHex("a2060a0883e4bc9ed5bfe89b37a251070a05332e362e30"));
  EXPECT_EQ(EncodeDowngradeCancel(IdFrom("879edaa2d5bfa8fc04")),
            FromHex("a2060a08879edaa2d5bfa8fc04b25100"));
}

}  // namespace
}  // namespace etcd::node
