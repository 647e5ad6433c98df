#include <gtest/gtest.h>

#include "operator/worker/hand_over.h"
#include "operator/worker/room.h"
#include "server/base/clock.h"
#include "server/base/status.h"
#include "tests/support/sim_disk.h"

namespace etcd::worker {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

struct ScratchTest : ::testing::Test {
  testing::SimDisk disk{{.capacity_bytes = 100 * kMiB}};
  base::SystemClock clock;
  Place place{.files = disk,
              .clock = clock,
              .sleep = [](std::chrono::nanoseconds) { return true; },
              .scratch = "/scratch"};
};

TEST_F(ScratchTest, RoomIsAFifthMoreAndTwiceThatWithACopy) {
  EXPECT_EQ(ScratchFor(1000, false), 1200U);
  EXPECT_EQ(ScratchFor(1000, true), 2400U);
}

TEST_F(ScratchTest, TooLittleRoomSaysHowMuchAndWhatToDo) {
  EXPECT_TRUE(CheckScratch(place, 100 * kMiB, "x").ok());
  const absl::Status status = CheckScratch(place, 2048 * kMiB, "move elsewhere");
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_EQ(store::ReasonOf(status), "ScratchFull");
  EXPECT_EQ(base::MessageOf(status),
            "the work needs 2.0 GiB of scratch space, the disk of its node has 100.0 MiB free; "
            "make room there, or move elsewhere");
}

TEST_F(ScratchTest, ADiskThatFillsUpHasTheSameReason) {
  EXPECT_EQ(store::ReasonOf(ExplainScratch(absl::ResourceExhaustedError("full"))), "ScratchFull");
  EXPECT_EQ(store::ReasonOf(ExplainScratch(absl::InternalError("broken"))), "Failed");
  const absl::Status other =
      store::WithReason(absl::ResourceExhaustedError("x"), "DestinationFull");
  EXPECT_EQ(ExplainScratch(other), other);
}

TEST_F(ScratchTest, WhatAStepLeavesIsThereForTheNext) {
  EXPECT_FALSE(ReadHandOver(place).ok());
  HandOver out{.endpoint = "http://a:2379",
               .report = {.is_ok = true, .message = "why", .artifact = model::BackupArtifact{}}};
  out.report.artifact->revision = 7;
  ASSERT_TRUE(WriteHandOver(out, place).ok());
  const auto in = ReadHandOver(place);
  ASSERT_TRUE(in.ok()) << in.status();
  EXPECT_EQ(in->endpoint, out.endpoint);
  EXPECT_EQ(in->report.artifact, out.report.artifact);
  EXPECT_EQ(in->report.message, "why");
  EXPECT_FALSE(in->is_stored());
  out.report.artifact->uri = "s3://b/k";
  ASSERT_TRUE(WriteHandOver(out, place).ok());
  EXPECT_TRUE(ReadHandOver(place)->is_stored());
}

}  // namespace
}  // namespace etcd::worker
