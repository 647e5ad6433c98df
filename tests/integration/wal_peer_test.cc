#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/bytes.h"
#include "server/base/file_system.h"
#include "server/base/status.h"
#include "server/raftcodec/raftpb.h"
#include "server/raftcodec/walpb.h"
#include "server/snap/snapshotter.h"
#include "server/wal/record_reader.h"
#include "server/wal/record_writer.h"
#include "server/wal/wal.h"
#include "tests/support/peer_etcd.h"

// Files written by real etcds are read by ours, ours by them, and damage gets the same verdict.
namespace etcd {
namespace {

namespace stdfs = std::filesystem;
using testing::PeerEtcd;

class TempDir {
 public:
  TempDir() {
    path_ = (stdfs::temp_directory_path() / "peerXXXXXX").string();
    EXPECT_NE(::mkdtemp(path_.data()), nullptr);
  }
  ~TempDir() { stdfs::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

std::vector<std::string> WalFiles(const std::string& data_dir) {
  std::vector<std::string> files;
  for (const auto& entry : stdfs::directory_iterator(data_dir + "/member/wal")) {
    if (entry.path().extension() == ".wal") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class WalPeer : public ::testing::TestWithParam<std::string> {
 protected:
  TempDir temp_;
  base::FileSystem& fs_ = base::PosixFileSystem();

  // Boots ours as far as the files go: snapshots that the log knows, newest .snap, log from there.
  struct Booted {
    raft::Snapshot snapshot;
    wal::Replay replay;
  };
  absl::StatusOr<Booted> Boot(const std::string& data_dir) {
    Booted out;
    ASSIGN_OR_RETURN(const auto known, wal::ValidSnapshots(fs_, data_dir + "/member/wal"));
    snap::Snapshotter snapshotter(fs_, data_dir + "/member/snap");
    auto snapshot = snapshotter.LoadNewestAvailable(known);
    if (snapshot.ok()) out.snapshot = *std::move(snapshot);
    const auto& at = out.snapshot.metadata;
    ASSIGN_OR_RETURN(const auto wal, wal::Wal::Open(fs_, data_dir + "/member/wal", at.index,
                                                    at.term, {}, out.replay));
    return out;
  }

  // 3.7 leaves out fields that were never set; ours writes as 3.4 to 3.6 do.
  bool WritesEveryField() const { return GetParam().find("v37") == std::string::npos; }

  std::unique_ptr<PeerEtcd> Peer(const std::string& data_dir) {
    return std::make_unique<PeerEtcd>(GetParam(), data_dir);
  }
};

// Every record of the file, decoded and written again by ours, gives the file's bytes.
void ExpectSameBytesWrittenAgain(const std::vector<std::string>& paths) {
  using raftcodec::RecordType;
  base::FileSystem& fs = base::PosixFileSystem();
  std::uint32_t crc = 0;
  for (const std::string& path : paths) {
    const auto file = fs.Open(path, base::OpenMode::kRead);
    ASSERT_TRUE(file.ok());
    wal::RecordReader reader({{path, file->get()}});
    wal::RecordWriter writer;
    raftcodec::RecordView record;
    for (auto more = reader.Next(record); more.ok() && *more; more = reader.Next(record)) {
      switch (static_cast<RecordType>(record.type)) {
        case RecordType::kCrc:
          EXPECT_EQ(record.crc, crc) << "the chain goes on from the segment before";
          writer.AddCrc(record.crc);
          break;
        case RecordType::kMetadata:
          writer.AddMetadata(
              raftcodec::EncodeWalMetadata(*raftcodec::DecodeWalMetadata(record.data)));
          break;
        case RecordType::kEntry:
          writer.AddEntry(*raftcodec::DecodeEntry(record.data));
          break;
        case RecordType::kState:
          writer.AddState(*raftcodec::DecodeHardState(record.data));
          break;
        case RecordType::kSnapshot:
          writer.AddSnapshot(*raftcodec::DecodeWalSnapshot(record.data));
          break;
      }
    }
    crc = reader.crc();
    ASSERT_GT(writer.bytes().size(), 100U);
    ASSERT_EQ(writer.bytes().size(), reader.offset()) << path;
    EXPECT_TRUE(ReadFile(path).substr(0, reader.offset()) == writer.bytes()) << path;
  }
}

TEST_P(WalPeer, OursReadsWhatEtcdWrote) {
  const std::string data = temp_ / "data";
  auto peer = Peer(data);
  peer->AddFlag("--snapshot-count=20");
  int written = 0;
  for (int run = 0; run < 3; ++run) {
    ASSERT_TRUE(peer->Start()) << peer->Log();
    for (int i = 0; i < 35; ++i, ++written) {
      ASSERT_TRUE(peer->Put("key-" + std::to_string(written), "value-" + std::to_string(written)));
    }
    peer->Stop();
  }
  const auto booted = Boot(data);
  ASSERT_TRUE(booted.ok()) << booted.status();
  EXPECT_GT(booted->snapshot.metadata.index, Index(40)) << "a .snap was found";
  EXPECT_EQ(booted->snapshot.metadata.conf_state.voters.size(), 1U);
  EXPECT_NE(booted->snapshot.data.find("\"Root\""), std::string::npos);
  EXPECT_GE(booted->replay.hard_state.term, Term(3)) << "one term a run";
  const auto metadata = raftcodec::DecodeWalMetadata(booted->replay.metadata);
  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(metadata->node_id, booted->snapshot.metadata.conf_state.voters[0]);
  EXPECT_EQ(metadata->node_id, booted->replay.hard_state.vote);
  ASSERT_FALSE(booted->replay.entries.empty());
  EXPECT_EQ(booted->replay.entries[0].index, booted->snapshot.metadata.index + 1);
  EXPECT_LE(booted->replay.hard_state.commit, booted->replay.entries.back().index);

  // All of it, from the first entry on, when etcd kept the first segment.
  const auto all = wal::ReadAll(fs_, data + "/member/wal", Index(0), Term(0));
  ASSERT_TRUE(all.ok()) << all.status();
  int found = 0;
  for (const raft::Entry& entry : all->entries) {
    const std::string key = "key-" + std::to_string(found);
    if (entry.data.view().find(key) != std::string_view::npos) ++found;
  }
  EXPECT_EQ(found, written) << "every put, in order";
  if (WritesEveryField()) ExpectSameBytesWrittenAgain(WalFiles(data));
}

TEST_P(WalPeer, OursReadsAcrossEtcdsSegments) {
  const std::string data = temp_ / "data";
  auto peer = Peer(data);
  ASSERT_TRUE(peer->Start()) << peer->Log();
  const std::string megabyte(1'000'000, 'v');
  for (int i = 0; i < 66; ++i) ASSERT_TRUE(peer->Put("k" + std::to_string(i), megabyte));
  ASSERT_TRUE(peer->Put("last", "x"));
  peer->Stop();
  const auto files = WalFiles(data);
  ASSERT_EQ(files.size(), 2U);
  const auto booted = Boot(data);
  ASSERT_TRUE(booted.ok()) << booted.status();
  EXPECT_GT(booted->replay.entries.size(), 66U);
  if (WritesEveryField()) ExpectSameBytesWrittenAgain(files);
}

// InternalRaftRequest {header {ID}, put {key, value}}.
std::string PutRequest(std::uint64_t id, const std::string& key, const std::string& value) {
  std::string put;
  base::AppendBytesField(put, 1, key);
  base::AppendBytesField(put, 2, value);
  std::string header;
  base::AppendVarintField(header, 1, id);
  std::string out;
  base::AppendMessageField(out, 4, put);
  base::AppendMessageField(out, 100, header);
  return out;
}

constexpr std::uint64_t kNode = 0x1234567890abcdef;

// A log as a member writes it that was bootstrapped alone, elected once and took `puts` puts.
std::vector<raft::Entry> MemberLog(const std::string& peer_url, std::uint64_t puts) {
  raft::ConfChange add;
  add.type = raft::ConfChangeType::kAddNode;
  add.node_id = MemberId(kNode);
  add.context = R"({"id":)" + std::to_string(kNode) + R"(,"peerURLs":[")" + peer_url +
                R"("],"name":"default"})";
  std::vector<raft::Entry> entries;
  entries.push_back({.term = Term(1),
                     .index = Index(1),
                     .type = raft::EntryType::kConfChange,
                     .data = raftcodec::Encode(add)});
  entries.push_back(
      {.term = Term(2), .index = Index(2), .type = raft::EntryType::kNormal, .data = {}});
  for (std::uint64_t i = 0; i < puts; ++i) {
    entries.push_back(
        {.term = Term(2),
         .index = Index(3 + i),
         .type = raft::EntryType::kNormal,
         .data = PutRequest(i + 1, "ours-" + std::to_string(i), "value-" + std::to_string(i))});
  }
  return entries;
}

void WriteMember(const std::string& data, const std::string& peer_url, std::uint64_t puts,
                 const wal::Options& options = {}) {
  base::FileSystem& fs = base::PosixFileSystem();
  ASSERT_TRUE(fs.CreateDirs(data + "/member/snap").ok());
  auto wal =
      wal::Wal::Create(fs, data + "/member/wal",
                       raftcodec::EncodeWalMetadata({MemberId(kNode), ClusterId(0x77)}), options);
  ASSERT_TRUE(wal.ok()) << wal.status();
  const auto entries = MemberLog(peer_url, puts);
  ASSERT_TRUE((*wal)->Save({Term(1), MemberId(0), Index(1)}, {entries.data(), 1}).ok());
  for (std::size_t i = 1; i < entries.size(); ++i) {
    ASSERT_TRUE(
        (*wal)
            ->Save({Term(2), MemberId(kNode), entries[i - 1].index}, {entries.data() + i, 1})
            .ok());
  }
  ASSERT_TRUE((*wal)->Save({Term(2), MemberId(kNode), entries.back().index}, {}).ok());
  ASSERT_TRUE((*wal)->Sync().ok());
}

TEST_P(WalPeer, EtcdBootsFromALogOfOurs) {
  const std::string data = temp_ / "data";
  auto peer = Peer(data);
  // Small segments, so that etcd reads across our cuts.
  WriteMember(data, peer->peer_url(), 50, {.segment_bytes = 2048});
  ASSERT_GT(WalFiles(data).size(), 2U);
  ASSERT_TRUE(peer->Start()) << peer->Log();
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(peer->Get("ours-" + std::to_string(i)), "value-" + std::to_string(i));
  }
  ASSERT_TRUE(peer->Put("theirs", "x"));
  peer->Stop();
  // And back: ours goes on where etcd stopped.
  const auto booted = Boot(data);
  ASSERT_TRUE(booted.ok()) << booted.status();
  EXPECT_GT(booted->replay.entries.size(), 52U);
}

std::string StoreJson(const std::string& peer_url) {
  const auto node = [](const std::string& path, const std::string& value,
                       const std::string& children) {
    return R"({"Path":")" + path +
           R"(","CreatedIndex":1,"ModifiedIndex":1,"ExpireTime":"0001-01-01T00:00:00Z","Value":")" +
           value + R"(","Children":)" + children + "}";
  };
  const std::string member = "/0/members/1234567890abcdef";
  const std::string attributes =
      node(member + "/raftAttributes", R"({\"peerURLs\":[\")" + peer_url + R"(\"]})", "null");
  const std::string members =
      node("/0/members", "",
           R"({"1234567890abcdef":)" +
               node(member, "", R"({"raftAttributes":)" + attributes + "}") + "}");
  const std::string cluster = node(
      "/0", "",
      R"({"members":)" + members + R"(,"version":)" + node("/0/version", "3.4.0", "null") + "}");
  return R"({"Root":)" +
         node("/", "", R"({"0":)" + cluster + R"(,"1":)" + node("/1", "", "{}") + "}") +
         R"(,"CurrentIndex":4,"CurrentVersion":2})";
}

// Log and .snap of ours; the database is the one that etcd made from the same log.
TEST_P(WalPeer, EtcdBootsFromASnapshotOfOurs) {
  const std::string data = temp_ / "data";
  auto peer = Peer(data);
  WriteMember(data, peer->peer_url(), 30);
  ASSERT_TRUE(peer->Start()) << peer->Log();
  peer->Stop();
  stdfs::remove_all(data + "/member/wal");
  // Longer than what etcd appended to the first log: it skips what its database has.
  WriteMember(data, peer->peer_url(), 60);
  {
    raft::Snapshot snapshot;
    snapshot.data = StoreJson(peer->peer_url());
    snapshot.metadata.conf_state.voters = {MemberId(kNode)};
    snapshot.metadata.index = Index(20);
    snapshot.metadata.term = Term(2);
    snap::Snapshotter snapshotter(fs_, data + "/member/snap");
    ASSERT_TRUE(snapshotter.Save(snapshot).ok());
    wal::Replay replay;
    auto wal = wal::Wal::Open(fs_, data + "/member/wal", Index(0), Term(0), {}, replay);
    ASSERT_TRUE(wal.ok()) << wal.status();
    ASSERT_TRUE((*wal)->SaveSnapshot(Index(20), Term(2), snapshot.metadata.conf_state).ok());
  }
  ASSERT_TRUE(peer->Start()) << peer->Log();
  EXPECT_EQ(peer->Get("ours-29"), "value-29");
  EXPECT_EQ(peer->Get("ours-59"), "value-59");
  peer->Stop();
  if (GetParam().find("v37") == std::string::npos) {  // 3.7 does not read the v2 store
    EXPECT_NE(peer->Log().find("from snapshot"), std::string::npos) << peer->Log();
  }
}

struct Damage {
  std::string name;
  std::function<void(std::string& bytes, std::size_t used)> apply;
  bool starts;        // what etcd 3.6 does
  bool starts_in_34;  // 3.4 bounds a record at 10 MB and calls more an error, not a torn tail
  // etcd starts, with acknowledged entries missing; ours proves the damage and refuses.
  bool ours_refuses = false;
};

// Where the frame of the record with `text` begins.
std::size_t FrameWith(const std::string& file, const std::string& text) {
  const std::size_t target = file.find(text);
  for (std::size_t at = 0;;) {
    const std::uint64_t field = base::LoadLittleEndian64(file.data() + at);
    const std::size_t next = at + 8 + ((field & 0xffffff) + 7) / 8 * 8;
    if (next > target) return at;
    at = next;
  }
}

std::vector<Damage> Damages() {
  const auto cut = [](std::size_t bytes) {
    return [bytes](std::string& file, std::size_t used) { file.resize(used - bytes); };
  };
  return {
      {"none", [](std::string&, std::size_t) {}, true, true},
      {"cut within the last record", cut(9), true, true},
      {"cut within a length field", cut(37), true, true},
      {"cut far back", cut(1000), true, true},
      {"no preallocated tail", cut(0), true, true},
      {"last bytes of the last record zeroed",
       [](std::string& file, std::size_t used) { file.replace(used - 14, 6, 6, '\0'); }, false,
       false},
      {"bit flipped in the middle",
       [](std::string& file, std::size_t used) { file[used / 2] ^= 4; }, false, false},
      {"bit flipped in the first record", [](std::string& file, std::size_t) { file[9] ^= 8; },
       false, false},
      {"sector of zeros in the middle of a long record",
       [](std::string& file, std::size_t) {
         const std::size_t at = (file.find(std::string(2000, 'L')) / 512 + 2) * 512;
         file.replace(at, 512, 512, '\0');
       },
       true, true},
      {"garbage behind the last record",
       [](std::string& file, std::size_t used) { file.replace(used, 100, 100, '\x7f'); }, true,
       false},
      {"length field that exceeds the file",
       [](std::string& file, std::size_t) { file[FrameWith(file, "ours-10") + 5] ^= 1; }, true,
       false, true},
      {"length field of zero",
       [](std::string& file, std::size_t) { file.replace(FrameWith(file, "ours-10"), 8, 8, '\0'); },
       true, true, true},
      {"everything gone", [](std::string& file, std::size_t) { file.clear(); }, false, false},
  };
}

// The boot of ours and of etcd on the same damaged log: both start, or both refuse.
TEST_P(WalPeer, DamageGetsEtcdsVerdict) {
  const std::string pristine = temp_ / "pristine";
  const std::string peer_url = PeerEtcd(GetParam(), temp_ / "unused").peer_url();
  WriteMember(pristine, peer_url, 30, {.segment_bytes = 65536});
  const std::string name = stdfs::path(WalFiles(pristine).back()).filename().string();
  {
    wal::Replay replay;
    auto wal = wal::Wal::Open(fs_, pristine + "/member/wal", Index(0), Term(0),
                              {.segment_bytes = 65536}, replay);
    ASSERT_TRUE(wal.ok());
    const raft::Entry big{.term = Term(2),
                          .index = Index(33),
                          .type = raft::EntryType::kNormal,
                          .data = PutRequest(99, "big", std::string(4000, 'L'))};
    ASSERT_TRUE((*wal)->Save({}, {&big, 1}).ok());
  }
  const bool is_34 = GetParam() == "/usr/bin/etcd";
  int number = 0;
  for (const Damage& damage : Damages()) {
    SCOPED_TRACE(damage.name);
    const std::string data = temp_ / ("case" + std::to_string(number++));
    stdfs::copy(pristine, data, stdfs::copy_options::recursive);
    const std::string path = data + "/member/wal/" + name;
    std::string bytes = ReadFile(path);
    damage.apply(bytes, (bytes.find_last_not_of('\0') + 8) / 8 * 8);
    WriteFile(path, bytes);
    const std::string copy = data + "-ours";
    stdfs::copy(data, copy, stdfs::copy_options::recursive);

    auto peer = Peer(data);
    const bool etcd_starts = peer->Start();
    EXPECT_EQ(etcd_starts, is_34 ? damage.starts_in_34 : damage.starts) << peer->Log();
    peer->Stop();
    const auto ours = Boot(copy);
    EXPECT_EQ(ours.ok(), damage.starts && !damage.ours_refuses) << ours.status();
  }
}

std::string NameOfPeer(const ::testing::TestParamInfo<std::string>& peer) {
  if (peer.param == "/usr/bin/etcd") return "debian";
  return peer.param.find("v36") != std::string::npos ? "v36" : "v37";
}

INSTANTIATE_TEST_SUITE_P(Etcd, WalPeer, ::testing::ValuesIn(testing::PeerEtcdBinaries()),
                         NameOfPeer);

}  // namespace
}  // namespace etcd
