#include <etcdserverpb/rpc.pb.h>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/errc.h"
#include "server/base/status.h"
#include "tests/unit/api/v3/api_fixture.h"

namespace etcd::api::v3 {
namespace {

using etcdserverpb::RangeRequest;
using etcdserverpb::RangeResponse;
using etcdserverpb::RangeStreamResponse;
using testing::Api;

RangeRequest Keys(std::int64_t limit = 0) {
  RangeRequest range;
  range.set_key("k");
  range.set_range_end("l");
  range.set_limit(limit);
  return range;
}

void Fill(Api& api, int keys, const std::string& value) {
  for (int i = 0; i < keys; ++i) {
    ASSERT_TRUE(api.member.Put("k" + std::to_string(1000 + i), value).status.ok());
  }
}

Api::Stream RunStream(Api& api, const RangeRequest& request) {
  Api::Stream stream = api.Open("/etcdserverpb.KV/RangeStream");
  stream.handler->OnMessage(request.SerializeAsString());
  stream.handler->OnHalfClose();
  EXPECT_TRUE(api.member.WaitFor([&] { return stream.sink->end.has_value(); }));
  return stream;
}

std::vector<int> ChunkSizes(const Api::Stream& stream) {
  std::vector<int> sizes;
  for (std::size_t i = 0; i < stream.sink->messages.size(); ++i) {
    sizes.push_back(stream.Parse<RangeStreamResponse>(i).range_response().kvs_size());
  }
  return sizes;
}

RangeResponse Merge(const Api::Stream& stream) {
  RangeResponse merged;
  for (std::size_t i = 0; i < stream.sink->messages.size(); ++i) {
    merged.MergeFrom(stream.Parse<RangeStreamResponse>(i).range_response());
  }
  return merged;
}

TEST(RangeStream, SmallKeysComeInDoublingChunks) {
  Api api;
  Fill(api, 200, "v");
  const Api::Stream stream = RunStream(api, Keys());
  EXPECT_TRUE(stream.sink->end->ok());
  EXPECT_EQ(ChunkSizes(stream), (std::vector<int>{10, 20, 40, 80, 50}));
  for (std::size_t i = 0; i + 1 < stream.sink->messages.size(); ++i) {
    const auto chunk = stream.Parse<RangeStreamResponse>(i).range_response();
    EXPECT_FALSE(chunk.has_header());
    EXPECT_EQ(chunk.count(), 0);
  }
}

TEST(RangeStream, LargeValuesHalveTheChunk) {
  Api api;
  Fill(api, 20, std::string(1'400'000, 'v'));
  EXPECT_EQ(ChunkSizes(RunStream(api, Keys())), (std::vector<int>{10, 5, 2, 2, 1}));
}

TEST(RangeStream, MergedMessagesEqualTheUnaryAnswer) {
  Api api;
  Fill(api, 57, "value");
  RangeRequest counted = Keys();
  counted.set_count_only(true);
  RangeRequest keys_only = Keys(33);
  keys_only.set_keys_only(true);
  RangeRequest nothing = Keys();
  nothing.set_key("x");
  nothing.set_range_end("y");
  RangeRequest old = Keys();
  old.set_revision(20);
  for (const RangeRequest& request : {Keys(), Keys(10), Keys(11), Keys(57), Keys(100), Keys(-1),
                                      counted, keys_only, nothing, old}) {
    const auto unary = api.Call<RangeResponse>("/etcdserverpb.KV/Range", request);
    ASSERT_TRUE(unary.ok());
    const RangeResponse merged = Merge(RunStream(api, request));
    EXPECT_EQ(merged.DebugString(), unary->DebugString()) << request.DebugString();
  }
  EXPECT_EQ(ChunkSizes(RunStream(api, Keys(-1))).size(), 1U);
  EXPECT_EQ(ChunkSizes(RunStream(api, nothing)), std::vector<int>{0});
}

TEST(RangeStream, ReadsAllChunksAtTheFirstOnesRevision) {
  Api api;
  Fill(api, 50, "old");
  Api::Stream stream = api.Open("/etcdserverpb.KV/RangeStream");
  stream.sink->stall_after = 1;
  stream.handler->OnMessage(Keys().SerializeAsString());
  ASSERT_EQ(stream.sink->messages.size(), 1U);
  ASSERT_EQ(stream.sink->waits, std::vector<std::size_t>{1 << 19});
  Fill(api, 60, "new");  // also keys that were not there
  stream.sink->stall_after = 100;
  stream.sink->waiter();
  ASSERT_TRUE(api.member.WaitFor([&] { return stream.sink->end.has_value(); }));
  const RangeResponse merged = Merge(stream);
  for (const auto& kv : merged.kvs()) EXPECT_EQ(kv.value(), "old") << kv.key();
  EXPECT_EQ(merged.header().revision(), 51);
  EXPECT_EQ(merged.kvs_size(), 50);
}

TEST(RangeStream, RefusesWhatItCannotStream) {
  Api api;
  RangeRequest request;
  EXPECT_EQ(ErrcOf(*RunStream(api, request).sink->end), Errc::kEmptyKey);
  request.set_key("k");
  request.set_sort_order(RangeRequest::DESCEND);
  request.set_min_mod_revision(1);
  absl::Status status = *RunStream(api, request).sink->end;
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(base::MessageOf(status), "RangeStream does not support custom sort orders");
  request.set_sort_order(RangeRequest::ASCEND);
  status = *RunStream(api, request).sink->end;
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(base::MessageOf(status), "RangeStream does not support revision filters");
  request.clear_min_mod_revision();
  EXPECT_TRUE(RunStream(api, request).sink->end->ok());
  request.set_revision(9);
  EXPECT_EQ(ErrcOf(*RunStream(api, request).sink->end), Errc::kFutureRevision);
  request.set_sort_target(static_cast<RangeRequest::SortTarget>(5));
  EXPECT_EQ(ErrcOf(*RunStream(api, request).sink->end), Errc::kInvalidSortOption);
}

TEST(RangeStream, CompactionPastItsRevisionEndsIt) {
  Api api;
  Fill(api, 50, std::string(200'000, 'v'));
  RangeRequest request = Keys();
  request.set_revision(40);
  Api::Stream stream = api.Open("/etcdserverpb.KV/RangeStream");
  stream.sink->pending = 2 << 20;
  stream.handler->OnMessage(request.SerializeAsString());
  etcdserverpb::CompactionRequest compaction;
  compaction.set_revision(45);
  ASSERT_TRUE(api.StatusOf("/etcdserverpb.KV/Compact", compaction).ok());
  stream.sink->pending = 0;
  stream.sink->waiter();
  ASSERT_TRUE(api.member.WaitFor([&] { return stream.sink->end.has_value(); }));
  EXPECT_EQ(ErrcOf(*stream.sink->end), Errc::kCompacted);
}

}  // namespace
}  // namespace etcd::api::v3
