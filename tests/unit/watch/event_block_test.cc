#include "server/watch/event_block.h"

#include <algorithm>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "server/base/bytes.h"
#include "server/watch/recent_revisions.h"

namespace etcd::watch {
namespace {

using mvcc::ChangeRecord;

// Field numbers of mvccpb.KeyValue.
std::string KeyValueBytes(std::string_view key, std::uint64_t create, std::uint64_t mod,
                          std::uint64_t version, std::string_view value) {
  std::string out;
  base::AppendBytesField(out, 1, key);
  base::AppendVarintField(out, 2, create);
  base::AppendVarintField(out, 3, mod);
  base::AppendVarintField(out, 4, version);
  base::AppendBytesField(out, 5, value);
  return out;
}

ChangeRecord Put(std::int64_t revision, std::string stored) {
  ChangeRecord change;
  change.revision = {Revision(revision), 0};
  change.stored = base::Slice::Own(std::move(stored));
  return change;
}

TEST(EventBlock, PutIsTheStoredBytes) {
  std::string out;
  // raft-peer-storage.md 8.3: foo = bar at revision 2.
  const std::string stored =
      "\x0a\x03"
      "foo\x10\x02\x18\x02\x20\x01\x2a\x03"
      "bar";
  AppendEvent(out, Put(2, stored), std::nullopt);
  EXPECT_EQ(out, "\x5a\x12\x12\x10" + stored);
}

TEST(EventBlock, DeleteHasKeyAndModRevisionOnly) {
  ChangeRecord change = Put(300,
                            "\x0a\x03"
                            "foo");
  change.kind = ChangeRecord::Kind::kDelete;
  std::string out;
  AppendEvent(out, change, std::nullopt);
  EXPECT_EQ(out, std::string("\x5a\x0c\x08\x01\x12\x08\x0a\x03"
                             "foo\x18\xac\x02"));
}

TEST(EventBlock, PrevKvFollowsKv) {
  const std::string prev = KeyValueBytes("k", 2, 2, 1, "old");
  const std::string stored = KeyValueBytes("k", 2, 3, 2, "new");
  std::string out;
  AppendEvent(out, Put(3, stored), prev);
  std::string event;
  base::AppendMessageField(event, 2, stored);
  base::AppendMessageField(event, 3, prev);
  std::string expected;
  base::AppendMessageField(expected, 11, event);
  EXPECT_EQ(out, expected);
}

TEST(EventBlock, SplitKeepsEveryEventAndTheBound) {
  std::string block;
  std::vector<std::size_t> ends;
  for (int i = 0; i < 50; ++i) {
    AppendEvent(
        block,
        Put(2, KeyValueBytes("k", 2, 2, 1, std::string(static_cast<std::size_t>(i * 7 % 90), 'v'))),
        std::nullopt);
    ends.push_back(block.size());
  }
  for (const std::size_t bound : {1u, 60u, 200u, 1000u, 100000u}) {
    const auto pieces = SplitBlock(base::Slice::Own(block), bound);
    std::string joined;
    for (const auto& piece : pieces) {
      joined.append(piece.bytes);
      EXPECT_NE(std::ranges::find(ends, joined.size()), ends.end()) << "cut inside an event";
      std::string_view rest = piece.bytes.substr(1);
      std::uint64_t length = 0;
      ASSERT_TRUE(base::ConsumeVarint(rest, length));
      const bool single = rest.size() == length;
      EXPECT_TRUE(single || piece.bytes.size() < bound);
    }
    EXPECT_EQ(joined, block);
    if (bound == 1) {
      EXPECT_EQ(pieces.size(), 50u);
    }
    if (bound == 100000) {
      EXPECT_EQ(pieces.size(), 1u);
    }
  }
}

TEST(RecentRevisions, KeepsTheNewestWithinItsBytes) {
  RecentRevisions recent(4096);
  for (int i = 2; i < 100; ++i) {
    auto changes = std::make_shared<mvcc::RevisionChanges>();
    changes->revision = Revision(i);
    changes->changes.push_back(Put(i, std::string(200, 'v')));
    recent.Push(std::move(changes));
    EXPECT_LE(recent.bytes(), 4096u);
  }
  EXPECT_EQ(recent.Find(Revision(2)), nullptr);
  EXPECT_EQ(recent.Find(Revision(100)), nullptr);
  ASSERT_NE(recent.Find(Revision(99)), nullptr);
  EXPECT_EQ((*recent.Find(Revision(99)))->revision, Revision(99));
  EXPECT_GE(recent.size(), 5u);
  EXPECT_NE(recent.FindChange({Revision(98), 0}), nullptr);
  EXPECT_EQ(recent.FindChange({Revision(98), 1}), nullptr);
  recent.Clear();
  EXPECT_EQ(recent.bytes(), 0u);
  EXPECT_EQ(recent.Find(Revision(99)), nullptr);
}

TEST(RecentRevisions, OneGreatRevisionIsNotKept) {
  RecentRevisions recent(1000);
  auto changes = std::make_shared<mvcc::RevisionChanges>();
  changes->revision = Revision(2);
  changes->changes.push_back(Put(2, std::string(5000, 'v')));
  recent.Push(std::move(changes));
  EXPECT_EQ(recent.size(), 0u);
  EXPECT_EQ(recent.bytes(), 0u);
}

}  // namespace
}  // namespace etcd::watch
