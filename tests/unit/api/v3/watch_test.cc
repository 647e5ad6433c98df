#include <etcdserverpb/rpc.pb.h>
#include <string>

#include <gtest/gtest.h>

#include "tests/unit/api/v3/api_fixture.h"

namespace etcd::api::v3 {
namespace {

using etcdserverpb::WatchCreateRequest;
using etcdserverpb::WatchRequest;
using etcdserverpb::WatchResponse;
using testing::Api;

class WatchStream {
 public:
  explicit WatchStream(Api& api) : api_(api), stream_(api.Open("/etcdserverpb.Watch/Watch")) {}

  void Send(const WatchRequest& request) {
    stream_.handler->OnMessage(request.SerializeAsString());
  }
  void Create(const WatchCreateRequest& create) {
    WatchRequest request;
    *request.mutable_create_request() = create;
    Send(request);
  }
  void Cancel(std::int64_t id) {
    WatchRequest request;
    request.mutable_cancel_request()->set_watch_id(id);
    Send(request);
  }
  void RequestProgress() {
    WatchRequest request;
    request.mutable_progress_request();
    Send(request);
  }
  // The next message; fails the test when none comes.
  WatchResponse Next() {
    EXPECT_TRUE(api_.WaitFor(stream_, next_ + 1)) << "message " << next_;
    return stream_.Parse<WatchResponse>(next_++);
  }
  // Nothing more comes by itself.
  bool IsQuiet() {
    api_.Settle();
    return stream_.sink->messages.size() == next_ && !stream_.sink->end.has_value();
  }
  Api::Stream& stream() { return stream_; }

 private:
  Api& api_;
  Api::Stream stream_;
  std::size_t next_ = 0;
};

WatchCreateRequest Key(const std::string& key, const std::string& end = "") {
  WatchCreateRequest create;
  create.set_key(key);
  create.set_range_end(end);
  return create;
}

TEST(Watch, CreatedHasTheCurrentRevisionAndAFullHeader) {
  Api api;
  ASSERT_TRUE(api.member.Put("a", "1").status.ok());
  WatchStream watch(api);
  watch.Create(Key("a"));
  const WatchResponse created = watch.Next();
  EXPECT_TRUE(created.created());
  EXPECT_FALSE(created.canceled());
  EXPECT_EQ(created.watch_id(), 0);
  EXPECT_EQ(created.header().revision(), 2);
  EXPECT_EQ(created.header().member_id(), api.node.member_id().value());
  EXPECT_EQ(created.header().cluster_id(), api.node.cluster_id().value());
  EXPECT_EQ(created.header().raft_term(), api.node.status().term.value());
}

TEST(Watch, LiveEventsCarryTheirRevision) {
  Api api;
  WatchStream watch(api);
  WatchCreateRequest create = Key("a");
  create.set_prev_kv(true);
  watch.Create(create);
  watch.Next();
  ASSERT_TRUE(api.member.Put("a", "1").status.ok());
  ASSERT_TRUE(api.member.Put("b", "other").status.ok());
  ASSERT_TRUE(api.member.Put("a", "2").status.ok());
  WatchResponse response = watch.Next();
  EXPECT_EQ(response.header().revision(), 2);
  ASSERT_EQ(response.events_size(), 1);
  EXPECT_EQ(response.events(0).kv().value(), "1");
  EXPECT_FALSE(response.events(0).has_prev_kv());
  response = watch.Next();
  EXPECT_EQ(response.header().revision(), 4);
  EXPECT_EQ(response.events(0).prev_kv().value(), "1");
  EXPECT_TRUE(watch.IsQuiet());
}

TEST(Watch, DeleteEventHasKeyAndRevisionOnly) {
  Api api;
  ASSERT_TRUE(api.member.Put("a", "1").status.ok());
  WatchStream watch(api);
  watch.Create(Key("a"));
  watch.Next();
  etcdserverpb::DeleteRangeRequest request;
  request.set_key("a");
  ASSERT_TRUE(api.StatusOf("/etcdserverpb.KV/DeleteRange", request).ok());
  const WatchResponse response = watch.Next();
  ASSERT_EQ(response.events_size(), 1);
  EXPECT_EQ(response.events(0).type(), mvccpb::Event::DELETE);
  mvccpb::KeyValue expected;
  expected.set_key("a");
  expected.set_mod_revision(3);
  EXPECT_EQ(response.events(0).kv().SerializeAsString(), expected.SerializeAsString());
}

TEST(Watch, HistoryIsReplayedFromTheStartRevision) {
  Api api;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(api.member.Put("a", std::to_string(i)).status.ok());
  WatchStream watch(api);
  WatchCreateRequest create = Key("a");
  create.set_start_revision(3);
  watch.Create(create);
  EXPECT_TRUE(watch.Next().created());
  const WatchResponse response = watch.Next();
  ASSERT_EQ(response.events_size(), 2);
  EXPECT_EQ(response.events(0).kv().mod_revision(), 3);
  EXPECT_EQ(response.header().revision(), 4);
}

// etcd issue 14563: id 0 is an id like any other.
TEST(Watch, WatcherZeroCanBeCanceled) {
  Api api;
  WatchStream watch(api);
  watch.Create(Key("a"));
  EXPECT_EQ(watch.Next().watch_id(), 0);
  watch.Cancel(0);
  const WatchResponse canceled = watch.Next();
  EXPECT_TRUE(canceled.canceled());
  EXPECT_FALSE(canceled.created());
  EXPECT_EQ(canceled.watch_id(), 0);
  EXPECT_EQ(canceled.header().revision(), 1);
  ASSERT_TRUE(api.member.Put("a", "1").status.ok());
  EXPECT_TRUE(watch.IsQuiet());
}

// etcd issue 20707.
TEST(Watch, NegativeStartRevisionIsRefusedWithoutACompactRevision) {
  Api api;
  WatchStream watch(api);
  WatchCreateRequest create = Key("b", "a");  // its range is refused too, but later
  create.set_start_revision(-1);
  watch.Create(create);
  const WatchResponse refused = watch.Next();
  EXPECT_TRUE(refused.created());
  EXPECT_TRUE(refused.canceled());
  EXPECT_EQ(refused.watch_id(), -1);
  EXPECT_EQ(refused.cancel_reason(), "etcdserver: mvcc: required revision has been compacted");
  EXPECT_EQ(refused.compact_revision(), 0);
  EXPECT_EQ(refused.header().revision(), 1);
  EXPECT_TRUE(watch.IsQuiet());  // the stream lives on
}

TEST(Watch, RefusalsHaveEtcdsReasons) {
  Api api;
  WatchStream watch(api);
  WatchCreateRequest create = Key("a");
  create.set_watch_id(5);
  watch.Create(create);
  EXPECT_EQ(watch.Next().watch_id(), 5);
  watch.Create(create);
  WatchResponse refused = watch.Next();
  EXPECT_TRUE(refused.created() && refused.canceled());
  EXPECT_EQ(refused.watch_id(), -1);
  EXPECT_EQ(refused.cancel_reason(), "mvcc: duplicate watch ID provided on the WatchStream");
  watch.Create(Key("b", "b"));
  refused = watch.Next();
  EXPECT_EQ(refused.watch_id(), -1);
  EXPECT_EQ(refused.cancel_reason(), "mvcc: watcher range is empty");
}

TEST(Watch, CompactedStartIsCreatedThenCanceledWithoutRevision) {
  Api api;
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(api.member.Put("a", std::to_string(i)).status.ok());
  etcdserverpb::CompactionRequest compaction;
  compaction.set_revision(4);
  ASSERT_TRUE(api.StatusOf("/etcdserverpb.KV/Compact", compaction).ok());
  WatchStream watch(api);
  WatchCreateRequest create = Key("never");
  create.set_start_revision(2);
  watch.Create(create);
  EXPECT_TRUE(watch.Next().created());
  const WatchResponse canceled = watch.Next();
  EXPECT_TRUE(canceled.canceled());
  EXPECT_EQ(canceled.compact_revision(), 4);
  EXPECT_EQ(canceled.header().revision(), 0);
  EXPECT_EQ(canceled.cancel_reason(), "");
}

TEST(Watch, UnknownIdAndEmptyRequestGetNoReply) {
  Api api;
  WatchStream watch(api);
  watch.Cancel(7);
  watch.Send(WatchRequest());
  watch.RequestProgress();  // no watcher yet
  EXPECT_TRUE(watch.IsQuiet());
}

TEST(Watch, ProgressAnswersForTheWholeStream) {
  Api api;
  WatchStream watch(api);
  watch.Create(Key("a"));
  watch.Next();
  ASSERT_TRUE(api.member.Put("other", "1").status.ok());
  watch.RequestProgress();
  const WatchResponse progress = watch.Next();
  EXPECT_EQ(progress.watch_id(), -1);
  EXPECT_EQ(progress.header().revision(), 2);
  EXPECT_EQ(progress.events_size(), 0);
}

TEST(Watch, HalfCloseKeepsTheWatchers) {
  Api api;
  WatchStream watch(api);
  watch.Create(Key("a"));
  watch.Next();
  watch.stream().handler->OnHalfClose();
  ASSERT_TRUE(api.member.Put("a", "1").status.ok());
  EXPECT_EQ(watch.Next().events_size(), 1);
}

TEST(Watch, FiltersPackedOrNotDropEvents) {
  Api api;
  WatchStream watch(api);
  WatchCreateRequest create = Key("a");
  create.add_filters(WatchCreateRequest::NOPUT);
  create.add_filters(static_cast<WatchCreateRequest::FilterType>(9));  // means nothing
  watch.Create(create);
  watch.Next();
  // The same, unpacked: create{key a, filters NODELETE}.
  watch.stream().handler->OnMessage(std::string("\x0a\x05\x0a\x01\x61\x28\x01", 7));
  watch.Next();
  ASSERT_TRUE(api.member.Put("a", "1").status.ok());
  const WatchResponse put = watch.Next();
  EXPECT_EQ(put.watch_id(), 1);
  etcdserverpb::DeleteRangeRequest request;
  request.set_key("a");
  ASSERT_TRUE(api.StatusOf("/etcdserverpb.KV/DeleteRange", request).ok());
  EXPECT_EQ(watch.Next().watch_id(), 0);
  EXPECT_TRUE(watch.IsQuiet());
}

TEST(Watch, IdsArePerStream) {
  Api api;
  WatchStream first(api);
  WatchStream second(api);
  first.Create(Key("a"));
  second.Create(Key("a"));
  EXPECT_EQ(first.Next().watch_id(), 0);
  EXPECT_EQ(second.Next().watch_id(), 0);
  first.Create(Key("b"));
  EXPECT_EQ(first.Next().watch_id(), 1);
}

TEST(Watch, LargeResponseIsSplitWhenAskedFor) {
  Api api;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(api.member.Put("a", std::string(1'200'000, 'v')).status.ok());
  }
  WatchStream watch(api);
  WatchCreateRequest create = Key("a");
  create.set_start_revision(2);
  create.set_fragment(true);
  watch.Create(create);
  EXPECT_TRUE(watch.Next().created());
  for (int i = 0; i < 3; ++i) {
    const WatchResponse piece = watch.Next();
    EXPECT_EQ(piece.events_size(), 1);
    EXPECT_EQ(piece.fragment(), i < 2);
    EXPECT_EQ(piece.header().revision(), 4);
  }
}

TEST(Watch, ClosedStreamGetsNothingMore) {
  Api api;
  WatchStream watch(api);
  watch.Create(Key("a"));
  watch.Next();
  watch.stream().handler->OnClose();
  api.Settle();
  ASSERT_TRUE(api.member.Put("a", "1").status.ok());
  EXPECT_TRUE(watch.IsQuiet());
}

TEST(Watch, BytesThatAreNoMessageEndTheStream) {
  Api api;
  WatchStream watch(api);
  watch.stream().handler->OnMessage("\x0a\x05x");
  ASSERT_TRUE(watch.stream().sink->end.has_value());
  EXPECT_EQ(watch.stream().sink->end->code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace etcd::api::v3
