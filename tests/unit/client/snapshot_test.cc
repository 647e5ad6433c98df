#include <cstddef>
#include <etcdserverpb/rpc.pb.h>
#include <memory>
#include <string>
#include <vector>

#include <absl/strings/escaping.h>
#include <gtest/gtest.h>

#include "server/base/errc.h"
#include "tests/unit/client/client_fixture.h"
#include "tests/unit/client/scripted_server.h"

namespace etcd::client {
namespace {

// SHA-256 of 1024 zero bytes, by sha256sum.
constexpr char kZerosSum[] = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

std::string Piece(std::string blob, std::uint64_t remaining) {
  etcdserverpb::SnapshotResponse piece;
  piece.set_blob(std::move(blob));
  piece.set_remaining_bytes(remaining);
  piece.set_version("3.6.0");
  return piece.SerializeAsString();
}

std::vector<std::string> WholeStream() {
  return {Piece(std::string(600, '\0'), 424), Piece(std::string(424, '\0'), 0),
          Piece(absl::HexStringToBytes(kZerosSum), 0)};
}

class SnapshotTest : public ::testing::Test {
 protected:
  absl::StatusOr<SnapshotSummary> Take(std::vector<std::string> messages, absl::Status status) {
    server_.Stream(kSnapshotPath, std::move(messages), std::move(status));
    server_.Start();
    client_ = ClientOf({server_.endpoint()});
    return client_->Snapshot(
        [this](std::string_view bytes, std::uint64_t remaining) {
          file_.append(bytes);
          remaining_.push_back(remaining);
          return sink_status_;
        },
        {});
  }

  ScriptedServer server_;
  std::unique_ptr<Client> client_;
  std::string file_;
  std::vector<std::uint64_t> remaining_;
  absl::Status sink_status_;
};

TEST_F(SnapshotTest, GivesTheFileInOrderAndSaysWhatItWas) {
  const auto summary = Take(WholeStream(), absl::OkStatus());
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->size_bytes, 1056U);
  EXPECT_EQ(summary->image_sha256, kZerosSum);
  EXPECT_EQ(summary->version, "3.6.0");
  EXPECT_EQ(file_, std::string(1024, '\0') + absl::HexStringToBytes(kZerosSum));
  EXPECT_EQ(remaining_, (std::vector<std::uint64_t>{424, 0, 0}));
}

TEST_F(SnapshotTest, AStreamThatEndsEarlyIsNoSnapshot) {
  auto messages = WholeStream();
  messages.pop_back();
  EXPECT_TRUE(absl::IsDataLoss(Take(messages, absl::OkStatus()).status()));
}

TEST_F(SnapshotTest, AnAlteredByteIsSeen) {
  auto messages = WholeStream();
  messages[1] = Piece(std::string(423, '\0') + "x", 0);
  EXPECT_TRUE(absl::IsDataLoss(Take(messages, absl::OkStatus()).status()));
}

TEST_F(SnapshotTest, TheServersErrorIsTheAnswerAndNothingIsTakenTwice) {
  auto messages = WholeStream();
  messages.pop_back();
  const auto summary = Take(messages, Error(Errc::kStopped));
  EXPECT_EQ(ErrcOf(summary.status()), Errc::kStopped) << summary.status();
  EXPECT_EQ(OutcomeOf(summary.status()), Outcome::kNotApplied);
  EXPECT_EQ(server_.calls(kSnapshotPath), 1);
  EXPECT_EQ(file_.size(), 1024U);
}

TEST_F(SnapshotTest, TheSinksErrorEndsTheStream) {
  sink_status_ = absl::ResourceExhaustedError("disk is full");
  const auto summary = Take(WholeStream(), absl::OkStatus());
  EXPECT_EQ(summary.status().message(), "disk is full");
  EXPECT_EQ(remaining_.size(), 1U);
}

}  // namespace
}  // namespace etcd::client
