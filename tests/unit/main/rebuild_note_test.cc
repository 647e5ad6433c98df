// The files that say who a member is and how far the replacement of its data has got.
#include "server/main/rebuild_note.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace etcd::server {
namespace {

using State = RebuildNote::State;

class RebuildNoteTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(dir.path() + "/" + name) << text;
  }
  testing::TempDir dir;
  base::FileSystem& files = base::PosixFileSystem();
};

TEST_F(RebuildNoteTest, IsReadAsItWasWritten) {
  EXPECT_FALSE(ReadRebuildNote(files, dir.path())->has_value());
  for (const State state : {State::kDamaged, State::kAsking, State::kReplacing, State::kJoining}) {
    const RebuildNote note{
        state, "a \"reason\"\n", MemberId(0xfedcba9876543210), true, {"http://a"}};
    ASSERT_TRUE(WriteRebuildNote(files, dir.path(), note).ok());
    const auto read = ReadRebuildNote(files, dir.path());
    ASSERT_TRUE(read.ok() && read->has_value()) << read.status();
    EXPECT_EQ((*read)->state, state);
    EXPECT_EQ((*read)->reason, note.reason);
    EXPECT_EQ((*read)->successor, note.successor);
    EXPECT_TRUE((*read)->was_voter);
    EXPECT_EQ((*read)->peer_urls, note.peer_urls);
  }
  ASSERT_TRUE(RemoveRebuildNote(files, dir.path()).ok());
  EXPECT_FALSE(ReadRebuildNote(files, dir.path())->has_value());
  EXPECT_TRUE(RemoveRebuildNote(files, dir.path()).ok()) << "there is none";
}

// Reasons come from file names and messages of the engine.
TEST_F(RebuildNoteTest, TakesReasonsThatAreNoText) {
  ASSERT_TRUE(WriteRebuildNote(files, dir.path(), {.reason = "\xff\xfe"}).ok());
  EXPECT_TRUE((*ReadRebuildNote(files, dir.path())).has_value());
}

// Whoever cannot read how far it got must not guess.
TEST_F(RebuildNoteTest, ThatCannotBeReadIsAnError) {
  for (const char* text : {"", "{", "[]", "{}", R"({"state":"other"})", R"({"state":7})"}) {
    Write("rebuild", text);
    EXPECT_EQ(ReadRebuildNote(files, dir.path()).status().code(), absl::StatusCode::kDataLoss)
        << text;
  }
}

TEST_F(RebuildNoteTest, IdentityIsReadAsItWasWritten) {
  EXPECT_FALSE(ReadIdentity(files, dir.path()).has_value());
  const Identity identity{ClusterId(0xc1), MemberId(0xe1), {"http://a", "http://b"}};
  ASSERT_TRUE(WriteIdentity(files, dir.path(), identity).ok());
  EXPECT_EQ(ReadIdentity(files, dir.path()), identity);
}

TEST_F(RebuildNoteTest, IdentityThatCannotBeReadIsNone) {
  for (const char* text : {"", "x", "{}", R"({"cluster":"c1"})", R"({"cluster":"0","member":"0"})",
                           R"({"cluster":5,"member":"zz"})"}) {
    Write("identity", text);
    EXPECT_FALSE(ReadIdentity(files, dir.path()).has_value()) << text;
  }
}

}  // namespace
}  // namespace etcd::server
