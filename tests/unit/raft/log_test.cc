#include "server/raft/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace etcd::raft {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint64_t kNoLimit = 1U << 30;

Entry MakeEntry(std::uint64_t term, std::uint64_t index, Payload data = {}) {
  return {Term(term), Index(index), EntryType::kNormal, std::move(data)};
}

// Entries 1.. of these terms, all durable, none committed.
Log MakeLog(const std::vector<std::uint64_t>& terms, std::uint64_t committed = 0) {
  std::vector<Entry> entries;
  for (const std::uint64_t term : terms) entries.push_back(MakeEntry(term, entries.size() + 1));
  return Log({}, std::move(entries), Index(committed), Index(0));
}

TEST(RaftLog, KnowsTheTermOfThePlaceItWasCompactedAt) {
  Log log({{}, Index(5), Term(2)}, {MakeEntry(3, 6)}, Index(5), Index(5));
  EXPECT_EQ(log.term_at(Index(4)), Term(0));
  EXPECT_EQ(log.term_at(Index(5)), Term(2));
  EXPECT_EQ(log.term_at(Index(6)), Term(3));
  EXPECT_EQ(log.term_at(Index(7)), Term(0));
  EXPECT_FALSE(log.Matches(Index(7), Term(0))) << "an unknown entry equals nothing";
}

TEST(RaftLog, EncodedBytesAreThoseOfTheProtobufForm) {
  // 08 00 10 02 18 04, then 22 1a and 26 bytes: the reference's examples.
  EXPECT_EQ(EncodedBytes(MakeEntry(2, 4)), 6U);
  EXPECT_EQ(EncodedBytes(MakeEntry(2, 9, std::string(26, 'x'))), 34U);
  EXPECT_EQ(EncodedBytes(MakeEntry(300, 20000, std::string(200, 'x'))), 2U + 3U + 4U + 203U);
}

TEST(RaftLog, ConflictSearchSkipsWholeTerms) {
  const Log log = MakeLog({1, 1, 1, 2, 2, 2, 2});
  using Found = std::pair<Index, Term>;
  EXPECT_EQ(log.FindConflictByTerm(Index(107), Term(12)), Found(Index(7), Term(2)));
  EXPECT_EQ(log.FindConflictByTerm(Index(7), Term(1)), Found(Index(3), Term(1)));
  EXPECT_EQ(log.FindConflictByTerm(Index(7), Term(0)), Found(Index(0), Term(0)));
}

TEST(RaftLog, ConflictSearchEndsWhereTheLogIsCompacted) {
  const Log log({{}, Index(5), Term(4)}, {MakeEntry(4, 6)}, Index(5), Index(5));
  EXPECT_EQ(log.FindConflictByTerm(Index(6), Term(3)), std::pair(Index(4), Term(0)));
}

TEST(RaftLog, FromIsBoundedInBytesButGivesOneEntry) {
  Log log = MakeLog({});
  for (int i = 0; i < 3; ++i) log.Append(Term(1), EntryType::kNormal, std::string(92, 'x'));
  EXPECT_EQ(EncodedBytes(log.at(Index(1))), 100U);
  EXPECT_THAT(log.From(Index(1), 1), SizeIs(1));
  EXPECT_THAT(log.From(Index(1), 299), SizeIs(2));
  EXPECT_THAT(log.From(Index(1), 300), SizeIs(3));
  EXPECT_THAT(log.From(Index(4), 300), IsEmpty());
}

TEST(RaftLog, BytesFollowAppendTruncateAndCompact) {
  Log log = MakeLog({1, 1, 1});
  EXPECT_EQ(log.bytes(), 18U);
  log.Merge(Index(1), {MakeEntry(2, 2)});
  EXPECT_EQ(log.bytes(), 12U);
  log.CommitTo(Index(1));
  log.TakeCommitted(kNoLimit, kNoLimit);
  log.OnApplied(Index(1));
  log.Compact(Index(1));
  EXPECT_EQ(log.bytes(), 6U);
  EXPECT_EQ(log.first_index(), Index(2));
}

TEST(RaftLog, WriteReportOfATruncatedEntryIsNotBelieved) {
  Log log = MakeLog({});
  log.Append(Term(1), EntryType::kNormal, "a");
  log.Append(Term(1), EntryType::kNormal, "b");
  log.TakeUnwritten(1);
  log.Merge(Index(1), {MakeEntry(2, 2), MakeEntry(2, 3)});
  EXPECT_THAT(log.TakeUnwritten(2), SizeIs(2));
  log.OnPersisted(1);
  EXPECT_EQ(log.persisted(), Index(1));
  log.OnPersisted(2);
  EXPECT_EQ(log.persisted(), Index(3));
}

// The same (index, term) is written, overwritten and written again: only the last write counts.
TEST(RaftLog, WriteReportOfAnEarlierRoundOfTheSameEntryIsNotBelieved) {
  Log log = MakeLog({1});
  log.Merge(Index(1), {MakeEntry(1, 2)});
  log.TakeUnwritten(1);
  log.Merge(Index(1), {MakeEntry(2, 2)});
  log.TakeUnwritten(2);
  log.Merge(Index(1), {MakeEntry(1, 2)});
  log.TakeUnwritten(3);
  log.OnPersisted(1);
  EXPECT_EQ(log.persisted(), Index(1));
  log.OnPersisted(2);
  EXPECT_EQ(log.persisted(), Index(1));
  log.OnPersisted(3);
  EXPECT_EQ(log.persisted(), Index(2));
}

TEST(RaftLog, TruncationOfDurableEntriesMovesPersistedBack) {
  Log log = MakeLog({1, 1, 1}, 1);
  EXPECT_EQ(log.persisted(), Index(3));
  log.Merge(Index(1), {MakeEntry(2, 2)});
  EXPECT_EQ(log.persisted(), Index(1));
  log.CommitTo(Index(2));
  EXPECT_THAT(log.TakeCommitted(kNoLimit, kNoLimit), ElementsAre(MakeEntry(1, 1)));
  log.TakeUnwritten(1);
  log.OnPersisted(1);
  EXPECT_THAT(log.TakeCommitted(kNoLimit, kNoLimit), ElementsAre(MakeEntry(2, 2)));
}

TEST(RaftLog, RestoreForgetsWritesUnderWay) {
  Log log = MakeLog({1, 1});
  log.Append(Term(1), EntryType::kNormal, "x");
  log.TakeUnwritten(1);
  log.Restore({{}, Index(10), Term(2)});
  EXPECT_EQ(log.last_index(), Index(10));
  EXPECT_EQ(log.committed(), Index(10));
  log.TakeUnwritten(2);
  log.OnPersisted(1);
  EXPECT_EQ(log.persisted(), Index(0));
  log.OnPersisted(2);
  EXPECT_EQ(log.persisted(), Index(10));
}

TEST(RaftLog, SharedDataIsNotCopied) {
  Log log = MakeLog({});
  log.Append(Term(1), EntryType::kNormal, std::string(1000, 'x'));
  const std::vector<Entry> written = log.TakeUnwritten(1);
  EXPECT_EQ(written[0].data.data(), log.at(Index(1)).data.data());
}

TEST(RaftLogDeathTest, CommittedEntriesAreNeverReplaced) {
  Log log = MakeLog({1, 1, 1}, 2);
  EXPECT_DEATH(log.Merge(Index(1), {MakeEntry(2, 2)}), "conflicts with committed");
}

TEST(RaftLogDeathTest, CommitBeyondTheLogStopsTheMember) {
  Log log = MakeLog({1});
  EXPECT_DEATH(log.CommitTo(Index(2)), "lost entries");
}

TEST(RaftLogDeathTest, GapInTheEntriesAtStartStopsTheMember) {
  EXPECT_DEATH(Log({}, {MakeEntry(1, 1), MakeEntry(1, 3)}, Index(0), Index(0)), "gap");
}

}  // namespace
}  // namespace etcd::raft
