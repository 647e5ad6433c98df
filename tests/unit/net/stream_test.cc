#include "server/net/stream.h"

#include <array>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace etcd::net {
namespace {

using Kind = IoResult::Kind;

class PlainStreams : public ::testing::Test {
 protected:
  PlainStreams() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
    a = MakePlainStream(ends[0]);
    b = MakePlainStream(ends[1]);
  }
  static IoResult Write(ByteStream& stream, std::string text) {
    const iovec entry{text.data(), text.size()};
    return stream.Write(&entry, 1);
  }
  IoResult Read(ByteStream& stream) {
    const IoResult result = stream.Read(buffer);
    got.assign(buffer.data(), result.bytes);
    return result;
  }

  std::unique_ptr<ByteStream> a;
  std::unique_ptr<ByteStream> b;
  std::array<char, 64> buffer{};
  std::string got;
};

TEST_F(PlainStreams, CarryBytesGatheredFromPieces) {
  std::string one = "one";
  std::string two = "two";
  const std::array<iovec, 2> entries{iovec{one.data(), 3}, iovec{two.data(), 3}};
  const IoResult written = a->Write(entries.data(), entries.size());
  EXPECT_EQ(written.kind, Kind::kBytes);
  EXPECT_EQ(written.bytes, 6U);
  EXPECT_EQ(Read(*b).kind, Kind::kBytes);
  EXPECT_EQ(got, "onetwo");
}

TEST_F(PlainStreams, NeverBlock) {
  EXPECT_EQ(Read(*a).kind, Kind::kWantRead);
  const std::string chunk(65536, 'x');
  IoResult result{Kind::kBytes};
  for (int i = 0; i < 10'000 && result.kind == Kind::kBytes; ++i) result = Write(*a, chunk);
  EXPECT_EQ(result.kind, Kind::kWantWrite);
}

TEST_F(PlainStreams, TellTheEndAfterTheBytes) {
  Write(*a, "last");
  a->ShutdownWrite();
  EXPECT_EQ(Read(*b).kind, Kind::kBytes);
  EXPECT_EQ(got, "last");
  EXPECT_EQ(Read(*b).kind, Kind::kEnd);
  // The other direction is open.
  Write(*b, "answer");
  EXPECT_EQ(Read(*a).kind, Kind::kBytes);
}

// An error, and no signal that would end the process.
TEST_F(PlainStreams, WritingToAPeerThatHasGoneIsAnError) {
  b = nullptr;
  EXPECT_EQ(Write(*a, "x").kind, Kind::kError);
}

TEST_F(PlainStreams, CloseTheirDescriptor) {
  const int descriptor = a->descriptor();
  a = nullptr;
  EXPECT_EQ(::write(descriptor, "x", 1), -1);
  EXPECT_EQ(Read(*b).kind, Kind::kEnd);
}

}  // namespace
}  // namespace etcd::net
