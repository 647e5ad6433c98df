#include "server/main/go_import.h"

#include <etcdserverpb/raft_internal.pb.h>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <sys/file.h>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/base/bytes.h"
#include "server/membership/member.h"
#include "server/raftcodec/walpb.h"
#include "server/snap/snapshotter.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/engine/rocks_engine.h"
#include "server/storage/mvcc/key_value.h"
#include "server/storage/mvcc/revision_key.h"
#include "server/v2store/document.h"
#include "server/wal/wal.h"
#include "tests/support/bbolt_image.h"
#include "tests/support/temp_dir.h"

namespace etcd::server {
namespace {

using etcdserverpb::InternalRaftRequest;
using ::testing::HasSubstr;

std::string Number(std::uint64_t value) {
  std::string out;
  base::AppendBigEndian64(out, value);
  return out;
}

// Stands for the kernel of a process that is killed before its n-th change of a name: from then on
// nothing happens any more.
class StoppingFileSystem final : public base::FileSystem {
 public:
  explicit StoppingFileSystem(int changes) : left_(changes) {}
  bool stopped() const { return left_ < 0; }

  absl::StatusOr<std::unique_ptr<base::File>> Open(const std::string& path, base::OpenMode mode,
                                                   std::uint32_t permissions) override {
    if (stopped()) return Stopped();
    return disk_.Open(path, mode, permissions);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override {
    if (stopped()) return Stopped();
    return disk_.List(dir);
  }
  bool Exists(const std::string& path) override { return disk_.Exists(path); }
  absl::Status CreateDirs(const std::string& dir) override {
    return Change() ? disk_.CreateDirs(dir) : Stopped();
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return Change() ? disk_.Rename(from, to) : Stopped();
  }
  absl::Status Remove(const std::string& path) override {
    return Change() ? disk_.Remove(path) : Stopped();
  }
  absl::Status RemoveAll(const std::string& path) override {
    return Change() ? disk_.RemoveAll(path) : Stopped();
  }
  absl::Status SyncDir(const std::string& dir) override {
    return Change() ? disk_.SyncDir(dir) : Stopped();
  }
  absl::StatusOr<std::uint64_t> FreeBytes(const std::string& path) override {
    return disk_.FreeBytes(path);
  }

 private:
  static absl::Status Stopped() {
    return base::MakeStatus(absl::StatusCode::kInternal, "the process is gone");
  }
  bool Change() {
    if (left_ >= 0) --left_;
    return left_ >= 0;
  }

  base::FileSystem& disk_ = base::PosixFileSystem();
  int left_;
};

// What Go's etcd left: database at index 5 of a log of 8, and more when a test wants it.
class GoImport : public ::testing::Test {
 protected:
  GoImport() {
    disk_.CreateDirs(Snap()).IgnoreError();
    auto wal = wal::Wal::Create(disk_, Member() + "/wal",
                                raftcodec::EncodeWalMetadata({MemberId(1), ClusterId(2)}),
                                {.segment_bytes = 1 << 16});
    EXPECT_TRUE(wal.ok()) << wal.status();
    log_ = *std::move(wal);
    buckets_["meta"] = {{"consistent_index", Number(5)}, {"term", Number(2)}};
    buckets_["members"] = {{"1", R"({"id":1,"peerURLs":["http://a:1"],"name":"m"})"}};
    buckets_["cluster"] = {{"clusterVersion", "3.6.0"}};
    AddRecord(buckets_, 2, "old");
    for (std::uint64_t index = 1; index <= 8; ++index) Append(index, "");
  }

  std::string Member() const { return dir_.path() + "/member"; }
  std::string Snap() const { return Member() + "/snap"; }
  std::string Db() const { return Snap() + "/db"; }

  static void AddRecord(testing::Buckets& buckets, std::int64_t main, std::string_view value) {
    const mvcc::RevisionKey key({Revision(main), 0}, false);
    buckets["key"][std::string(key.view())] =
        mvcc::EncodeKeyValue({.key = "k",
                              .create_revision = Revision(main),
                              .mod_revision = Revision(main),
                              .version = 1,
                              .value = value,
                              .lease = LeaseId(0)});
  }
  void Append(std::uint64_t index, std::string data) {
    ASSERT_TRUE(log_->Save({Term(2), MemberId(1), Index(index)},
                           std::vector<raft::Entry>{{.term = Term(2),
                                                     .index = Index(index),
                                                     .type = raft::EntryType::kNormal,
                                                     .data = raft::Payload(std::move(data))}})
                    .ok());
  }
  void Append(std::uint64_t index, const InternalRaftRequest& request) {
    Append(index, request.SerializeAsString());
  }
  // Go's database as of now; its bytes.
  std::string WriteDb() {
    const std::string bytes = testing::BboltImage(buckets_);
    std::ofstream(Db(), std::ios::binary) << bytes;
    return bytes;
  }
  // A snapshot of a leader at index 20, its database beside.
  void Receive() {
    raft::Snapshot snapshot;
    snapshot.metadata.index = Index(20);
    snapshot.metadata.term = Term(3);
    snapshot.metadata.conf_state.voters = {MemberId(1)};
    snapshot.data =
        v2store::Render({.members = {{MemberId(1), R"({"peerURLs":["http://a:1"]})", ""}},
                         .removed = {},
                         .version = ""});
    ASSERT_TRUE(snap::Snapshotter(disk_, Snap()).Save(snapshot).ok());
    ASSERT_TRUE(log_->SaveSnapshot(Index(20), Term(3), snapshot.metadata.conf_state).ok());
    ASSERT_TRUE(log_->Save({Term(3), MemberId(1), Index(20)}, {}).ok());
    testing::Buckets received = buckets_;
    received["meta"]["consistent_index"] = Number(18);  // as 3.4 counts
    AddRecord(received, 9, "new");
    std::ofstream(Received(), std::ios::binary) << testing::BboltImage(received);
  }
  std::string Received() const { return Snap() + "/0000000000000014.snap.db"; }

  absl::Status Import(base::FileSystem& file_system) {
    log_.reset();
    const auto dir = DataDir::Open(disk_, dir_.path(), "");
    if (!dir.ok()) return dir.status();
    return ImportGoBackend(file_system, **dir);
  }
  absl::Status Import() { return Import(disk_); }

  std::string Engine() const { return Member() + "/rocksdb"; }
  // A key of the imported meta bucket; "" when it is not there.
  std::string Imported(engine::Family family, const std::string& key) {
    const auto opened = engine::OpenRocksEngine(Engine(), {});
    EXPECT_TRUE(opened.ok()) << opened.status();
    const auto value = (*opened)->Get(family, key);
    EXPECT_TRUE(value.ok()) << value.status();
    return value->value_or("");
  }
  std::string ImportedIndex() {
    return Imported(engine::Family::kMeta,
                    engine::MetaKey(engine::kBucketMeta, engine::kMetaConsistentIndex));
  }
  static std::string ReadFile(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }

  testing::TempDir dir_;
  base::FileSystem& disk_ = base::PosixFileSystem();
  std::unique_ptr<wal::Wal> log_;
  testing::Buckets buckets_;
};

// Everything that Go's etcd would read, by name; not what the import builds beside it.
std::map<std::string, std::string> GoFiles(const std::string& dir) {
  std::map<std::string, std::string> out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    const std::string path = entry.path().string();
    if (path.find("rocksdb") != std::string::npos || path.ends_with("/lock")) continue;
    if (!entry.is_regular_file()) continue;
    std::ifstream in(path, std::ios::binary);
    out[path] = {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  return out;
}

TEST_F(GoImport, KeepsTheOriginalBesideItMarked) {
  const std::string original = WriteDb();
  ASSERT_TRUE(Import().ok());
  EXPECT_FALSE(disk_.Exists(Db()));
  EXPECT_EQ(ReadFile(Db() + ".imported"), original);
  EXPECT_EQ(ImportedIndex(), Number(5));
  EXPECT_TRUE(Import().ok());  // nothing to do
}

TEST_F(GoImport, StoppedAtAnyStepLeavesGosFilesOrFinishesNextTime) {
  WriteDb();
  Receive();
  log_.reset();
  const testing::TempDir pristine;
  const auto all = std::filesystem::copy_options::recursive;
  std::filesystem::copy(dir_.path(), pristine.path(), all);
  const auto before = GoFiles(dir_.path());
  int untouched = 0;
  for (int changes = 0;; ++changes) {
    std::filesystem::remove_all(Member());
    std::filesystem::copy(pristine.path(), dir_.path(), all);
    StoppingFileSystem stopping(changes);
    const absl::Status status = Import(stopping);
    EXPECT_EQ(status.ok(), !stopping.stopped()) << status;
    if (disk_.Exists(Db())) {
      EXPECT_EQ(GoFiles(dir_.path()), before) << changes;
      EXPECT_FALSE(disk_.Exists(Engine())) << changes;
      ++untouched;
    }
    ASSERT_TRUE(Import().ok()) << changes;
    EXPECT_EQ(ImportedIndex(), Number(20)) << changes;
    EXPECT_EQ(ReadFile(Db() + ".imported"), before.at(Db())) << changes;
    EXPECT_EQ(ReadFile(Received() + ".imported"), before.at(Received())) << changes;
    if (status.ok()) break;
  }
  EXPECT_GE(untouched, 4);
}

TEST_F(GoImport, GoesOnFromADatabaseThatWasReceivedAndNotInstalled) {
  WriteDb();
  Receive();
  ASSERT_TRUE(Import().ok());
  EXPECT_EQ(ImportedIndex(), Number(20));
  EXPECT_EQ(
      Imported(engine::Family::kMeta, engine::MetaKey(engine::kBucketMeta, engine::kMetaTerm)),
      Number(3));
  const mvcc::RevisionKey record({Revision(9), 0}, false);
  EXPECT_THAT(Imported(engine::Family::kKey, std::string(record.view())), HasSubstr("new"));
  EXPECT_FALSE(disk_.Exists(Received()));
  EXPECT_TRUE(disk_.Exists(Received() + ".imported"));
}

// A snapshot of its own, or one that is installed: its database is not newer.
TEST_F(GoImport, DoesNotTakeADatabaseThatIsInstalledAlready) {
  buckets_["meta"]["consistent_index"] = Number(21);
  WriteDb();
  Receive();
  ASSERT_TRUE(Import().ok());
  EXPECT_EQ(ImportedIndex(), Number(21));
}

TEST_F(GoImport, RefusesWhatIsNewerThanItself) {
  buckets_["meta"]["storageVersion"] = "3.7.0";
  const std::string original = WriteDb();
  EXPECT_THAT(std::string(Import().message()), HasSubstr("storage version 3.7.0 is not supported"));
  buckets_["meta"]["storageVersion"] = "3.6.0";
  buckets_["cluster"]["clusterVersion"] = "3.7.0";
  WriteDb();
  EXPECT_THAT(std::string(Import().message()), HasSubstr("cluster version 3.7.0 is not supported"));
  EXPECT_TRUE(disk_.Exists(Db()));
  EXPECT_FALSE(disk_.Exists(Engine()));
  buckets_["cluster"]["clusterVersion"] = "3.6.0";
  WriteDb();
  EXPECT_TRUE(Import().ok());
}

TEST_F(GoImport, TakesWhatOlderVersionsWrote) {
  buckets_["cluster"]["clusterVersion"] = "3.4.0";
  buckets_["meta"].erase("term");
  WriteDb();
  EXPECT_TRUE(Import().ok());
}

TEST_F(GoImport, RefusesALogThatOnlyAuthenticationCanCarryOut) {
  InternalRaftRequest user;
  user.mutable_auth_user_add()->set_name("u");
  Append(9, user);
  WriteDb();
  EXPECT_THAT(std::string(Import().message()), HasSubstr("needs authentication"));
  EXPECT_TRUE(disk_.Exists(Db()));
  buckets_["meta"]["consistent_index"] = Number(9);  // Go has carried it out
  WriteDb();
  EXPECT_TRUE(Import().ok());
}

TEST_F(GoImport, RefusesALogWithRequestsOfUsers) {
  InternalRaftRequest put;
  put.mutable_header()->set_username("u");
  put.mutable_put()->set_key("k");
  Append(9, put);
  WriteDb();
  EXPECT_THAT(std::string(Import().message()), HasSubstr("needs authentication"));
}

// It makes a token, which no restart keeps.
TEST_F(GoImport, TakesALogWithLogins) {
  InternalRaftRequest login;
  login.mutable_header()->set_username("u");
  login.mutable_authenticate()->set_name("u");
  Append(9, login);
  WriteDb();
  EXPECT_TRUE(Import().ok());
}

TEST_F(GoImport, RefusesTwoBackends) {
  WriteDb();
  ASSERT_TRUE(Import().ok());
  WriteDb();
  EXPECT_EQ(Import().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(GoImport, WaitsForNobodyWhoHasTheDatabase) {
  WriteDb();
  const int holder = ::open(Db().c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(holder, LOCK_EX), 0);
  EXPECT_EQ(Import().code(), absl::StatusCode::kUnavailable);
  ::close(holder);
  EXPECT_TRUE(Import().ok());
}

}  // namespace
}  // namespace etcd::server
