#include "server/api/v3/snapshot.h"

#include <algorithm>
#include <etcdserverpb/rpc.pb.h>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "server/image/export.h"
#include "server/image/import.h"
#include "tests/support/bbolt_image.h"
#include "tests/support/sim_disk.h"
#include "tests/unit/api/v3/api_fixture.h"

namespace etcd::api::v3 {
namespace {

using etcdserverpb::SnapshotRequest;
using etcdserverpb::SnapshotResponse;
using testing::Api;

constexpr std::size_t kBlobBytes = 32 << 10;

std::string Sha256(std::string_view bytes) {
  std::string digest(32, '\0');
  EXPECT_EQ(EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()),
                       nullptr, EVP_sha256(), nullptr),
            1);
  return digest;
}

// `size` bytes in small pieces, and what happened to it.
class TestSource final : public ports::SnapshotSource {
 public:
  struct Seen {
    std::uint64_t bytes_read = 0;
    bool destroyed = false;
  };
  struct Shape {
    std::uint64_t announced = 0;
    std::uint64_t has = 0;
    absl::Status end = absl::OkStatus();  // after `has` bytes
  };
  TestSource(Shape shape, Seen& seen) : shape_(std::move(shape)), seen_(seen) {}
  ~TestSource() override { seen_.destroyed = true; }

  std::uint64_t size() const override { return shape_.announced; }
  absl::StatusOr<std::size_t> Read(std::span<char> buffer) override {
    const std::size_t n =
        std::min<std::size_t>({buffer.size(), 1000, shape_.has - seen_.bytes_read});
    if (n == 0 && !shape_.end.ok()) return shape_.end;
    std::fill_n(buffer.begin(), n, 'x');
    seen_.bytes_read += n;
    return n;
  }

 private:
  const Shape shape_;
  Seen& seen_;
};

class SnapshotTest : public ::testing::Test {
 protected:
  SnapshotTest() {
    EXPECT_TRUE(api_.member.WaitFor([&] { return api_.member->StorageVersion() == "3.6.0"; }));
    api_.snapshot = [this] { return image::ExportImage(api_.member.engine.PinView()); };
  }

  void Serve(TestSource::Shape shape) {
    api_.snapshot = [this, shape]() -> absl::StatusOr<std::unique_ptr<ports::SnapshotSource>> {
      return std::make_unique<TestSource>(shape, seen_);
    };
  }
  Api::Stream Open() {
    Api::Stream stream = api_.Open("/etcdserverpb.Maintenance/Snapshot");
    stream.handler->OnMessage(SnapshotRequest().SerializeAsString());
    stream.handler->OnHalfClose();
    return stream;
  }
  absl::Status RunToEnd(const Api::Stream& stream) {
    EXPECT_TRUE(api_.member.WaitFor([&] { return stream.sink->end.has_value(); }));
    return stream.sink->end.value_or(absl::UnknownError("no end"));
  }
  // The client takes everything from now on.
  static void GoOn(const Api::Stream& stream) {
    stream.sink->stall_after = static_cast<std::size_t>(-1);
    auto ready = std::exchange(stream.sink->waiter, nullptr);
    ready();
  }
  // What the blobs but the last make together.
  static std::string ImageOf(const Api::Stream& stream) {
    std::string image;
    for (std::size_t i = 0; i + 1 < stream.sink->messages.size(); ++i) {
      image += stream.Parse<SnapshotResponse>(i).blob();
    }
    return image;
  }

  Api api_;
  TestSource::Seen seen_;
};

TEST_F(SnapshotTest, SendsTheImageInBlobsThenItsDigest) {
  for (int i = 0; i < 50; ++i) {
    api_.member.Put("key-" + std::to_string(i), std::string(5000, 'v'));
  }
  const Api::Stream stream = Open();
  ASSERT_TRUE(RunToEnd(stream).ok());
  const std::string image = ImageOf(stream);
  ASSERT_GT(stream.sink->messages.size(), 5U);
  std::uint64_t remaining = image.size();
  for (std::size_t i = 0; i + 1 < stream.sink->messages.size(); ++i) {
    const auto message = stream.Parse<SnapshotResponse>(i);
    EXPECT_EQ(message.blob().size(), std::min<std::uint64_t>(kBlobBytes, remaining)) << i;
    remaining -= message.blob().size();
    EXPECT_EQ(message.remaining_bytes(), remaining) << i;
    EXPECT_EQ(message.version(), "3.6.0");
    EXPECT_FALSE(message.has_header());
  }
  const auto last = stream.Parse<SnapshotResponse>(stream.sink->messages.size() - 1);
  EXPECT_EQ(last.remaining_bytes(), 0U);
  EXPECT_EQ(last.blob(), Sha256(image));
  testing::SimDisk disk;
  disk.SetContents("db", image);
  const auto info = image::VerifyImage(disk, "db");
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->records, 50U);
  EXPECT_EQ(info->consistent_index, api_.member->status().applied);
}

// Writes that come while the client is slow are not in it.
TEST_F(SnapshotTest, IsTheStateOfOneMoment) {
  for (int i = 0; i < 50; ++i) api_.member.Put("before", std::string(5000, 'v'));
  Api::Stream stream = api_.Open("/etcdserverpb.Maintenance/Snapshot");
  stream.sink->stall_after = 2;
  stream.handler->OnMessage("");
  ASSERT_TRUE(api_.member.WaitFor([&] { return stream.sink->waiter != nullptr; }));
  api_.member.Put("after", "v");
  GoOn(stream);
  ASSERT_TRUE(RunToEnd(stream).ok());
  testing::SimDisk disk;
  disk.SetContents("db", ImageOf(stream));
  const auto info = image::VerifyImage(disk, "db");
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->records, 50U);
}

TEST_F(SnapshotTest, ReadsNoFurtherThanTheClientTakes) {
  Serve({.announced = 100 * kBlobBytes, .has = 100 * kBlobBytes});
  const Api::Stream stream = Open();
  stream.sink->stall_after = 3;
  ASSERT_TRUE(api_.member.WaitFor([&] { return stream.sink->waiter != nullptr; }));
  api_.Settle();
  EXPECT_EQ(stream.sink->messages.size(), 3U);
  EXPECT_EQ(seen_.bytes_read, 3 * kBlobBytes);
  GoOn(stream);
  EXPECT_TRUE(RunToEnd(stream).ok());
  EXPECT_EQ(stream.sink->messages.size(), 101U);
}

TEST_F(SnapshotTest, EndsWhenTheClientLeaves) {
  Serve({.announced = 100 * kBlobBytes, .has = 100 * kBlobBytes});
  Api::Stream stream = Open();
  stream.sink->stall_after = 3;
  ASSERT_TRUE(api_.member.WaitFor([&] { return stream.sink->waiter != nullptr; }));
  stream.handler->OnClose();
  stream.handler.reset();
  GoOn(stream);
  api_.Settle();
  EXPECT_EQ(seen_.bytes_read, 3 * kBlobBytes);
  EXPECT_TRUE(seen_.destroyed);  // the view of the engine is free again
}

// No digest: the client must not take it for whole.
TEST_F(SnapshotTest, AFailedReadEndsItWithoutADigest) {
  Serve({.announced = 3 * kBlobBytes, .has = kBlobBytes, .end = base::DataLoss("bad block")});
  const Api::Stream stream = Open();
  EXPECT_EQ(RunToEnd(stream).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(stream.sink->messages.size(), 1U);
}

TEST_F(SnapshotTest, ASourceThatEndsEarlyEndsItWithoutADigest) {
  Serve({.announced = 3 * kBlobBytes, .has = kBlobBytes + 5});
  const Api::Stream stream = Open();
  EXPECT_EQ(RunToEnd(stream).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(stream.sink->messages.size(), 1U);
}

TEST_F(SnapshotTest, ASourceThatCannotBeOpenedIsReported) {
  api_.snapshot = []() -> absl::StatusOr<std::unique_ptr<ports::SnapshotSource>> {
    return base::DataLoss("the families contradict each other");
  };
  const Api::Stream stream = Open();
  EXPECT_EQ(RunToEnd(stream).code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(stream.sink->messages.empty());
}

TEST_F(SnapshotTest, ASecondRequestOnTheStreamIsIgnored) {
  Serve({.announced = kBlobBytes, .has = kBlobBytes});
  Api::Stream stream = api_.Open("/etcdserverpb.Maintenance/Snapshot");
  stream.handler->OnMessage("");
  stream.handler->OnMessage("");
  EXPECT_TRUE(RunToEnd(stream).ok());
  api_.Settle();
  EXPECT_EQ(stream.sink->messages.size(), 2U);
}

}  // namespace
}  // namespace etcd::api::v3
